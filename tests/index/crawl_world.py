"""A service's database with one node, its roots and workspaces, and a recorder: all that a crawl needs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from workspacesio.database.index_tables import Crawl
from workspacesio.database.journal_tables import Usage
from workspacesio.database.migrate import migrate
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import Node, Root, User, Workspace
from workspacesio.domain.vocabulary import CrawlReason, FolderLayout, NodeKind, RootType
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.crawl_queue import CrawlQueue
from workspacesio.index.crawling import Crawler
from workspacesio.index.recording import Recorder
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.filesystem import read_identity
from workspacesio.nodes.values import ListRequest, Scope
from workspacesio.services.crawl_requests import request_crawl

BUCKET = "data"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

T = TypeVar("T")


_MIGRATED: list[bytes] = []
"""An empty database on SQLite with its schema, made once: migrating takes longer than most tests here."""


def make_schema(url: str, path: Path) -> None:
    if _MIGRATED and url == sqlite_url(path):
        path.write_bytes(_MIGRATED[0])
        return
    migrate(url)
    if url == sqlite_url(path):
        _MIGRATED.append(path.read_bytes())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


@dataclass
class CrawlWorld:
    """`base`/data is the node's folder. `state` is kept by a world that is opened again over the same base."""

    base: Path
    driver: StorageDriver | None = None
    options: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    holder: str = "worker"

    def __post_init__(self) -> None:
        self.folder = self.base / "data"
        self.now = NOW
        self.url = self.url or sqlite_url(self.base / "service.sqlite")
        fresh = not self._has_schema()
        if fresh:
            make_schema(self.url, self.base / "service.sqlite")
        self.database = Database(self.url)
        if self.driver is None:
            self.folder.mkdir(exist_ok=True)
            self.driver = self.folder_driver()
        self.catalogue = Catalogue(sqlite_url(self.base / "catalogue.sqlite"))
        if fresh:
            self.catalogue.store.make(1, 0)
        self.recorder = self.open_recorder(self.catalogue)
        if fresh:
            self._make_rows()
        self.queue = CrawlQueue(self.database, self.holder, lambda: self.now)
        self.crawler = self.crawler_with()

    def open_recorder(self, catalogue: Catalogue) -> Recorder:
        """Without an engine: what it is told is another test's."""
        return Recorder(catalogue, [], fence=0)

    def _has_schema(self) -> bool:
        return self.url.startswith("sqlite") and (self.base / "service.sqlite").exists()

    def folder_driver(self, **options: Any) -> FolderDriver:
        return FolderDriver(
            1,
            str(self.folder),
            FolderLayout.BUCKET,
            BUCKET,
            self.base / "state",
            filesystem_identity=read_identity(str(self.folder)),
            **{**self.options, **options},
        )

    def crawler_with(self, **options: Any) -> Crawler:
        return Crawler(
            self.database,
            lambda _: self.driver,
            self.recorder,
            self.queue,
            scratch=str(self.base),
            **options,  # type: ignore[arg-type, return-value]
        )

    def _make_rows(self) -> None:
        with self.database.write() as session:
            session.add(User(email="ada@example.org", username="ada", administrator=True, created_at=NOW))
            session.add(
                Node(
                    name="n",
                    kind=NodeKind.FOLDER,
                    path=str(self.folder),
                    layout=FolderLayout.BUCKET,
                    bucket=BUCKET,
                    created_at=NOW,
                )
            )
            session.flush()
        self.add_root("existing", "")

    def add_root(self, name: str, prefix: str) -> int:
        with self.database.write() as session:
            root = Root(
                name=name,
                node_id=1,
                bucket=BUCKET,
                prefix=prefix,
                type=RootType.UNMANAGED_PRIVATE,
                created_at=NOW,
            )
            session.add(root)
            session.flush()
            return root.id

    def add_workspace(self, prefix: str, *, root_id: int = 1, objects: int = 0) -> int:
        with self.database.write() as session:
            workspace = Workspace(
                name=prefix.strip("/").replace("/", "-") or "all",
                owner_id=1,
                root_id=root_id,
                node_id=1,
                bucket=BUCKET,
                prefix=prefix,
                imported=True,
                created_at=NOW,
            )
            session.add(workspace)
            session.flush()
            session.add(Usage(workspace_id=workspace.id, bytes=0, objects=objects, exact=False))
            return workspace.id

    def request(self, **options: Any) -> int:
        with self.database.write() as session:
            options.setdefault("reason", CrawlReason.REQUEST)
            return request_crawl(session, root_id=options.pop("root_id", 1), now=self.now, **options).id

    def crawl(self, stopping: Callable[[], bool] = lambda: False, **options: Any) -> Crawl:
        """Asks for a crawl and runs it. The row as it is then."""
        crawl_id = self.request(**options)
        assert self.crawler.run_one(stopping)
        return self.row(crawl_id)

    def row(self, crawl_id: int) -> Crawl:
        with self.database.read() as session:
            return session.get_one(Crawl, crawl_id)

    def rows(self) -> list[Crawl]:
        with self.database.read() as session:
            return list(session.scalars(select(Crawl).order_by(Crawl.id)))

    def pass_time(self, **by: float) -> None:
        self.now += timedelta(**by)

    def listed(self, prefix: str = "") -> dict[str, tuple[int, str]]:
        """Every key that the driver's listing shows, from the workspace on: size and etag."""
        return run(self._listed(prefix))

    async def _listed(self, prefix: str) -> dict[str, tuple[int, str]]:
        assert self.driver is not None
        found: dict[str, tuple[int, str]] = {}
        after: str | None = ""
        while after is not None:
            page = await self.driver.list_objects(Scope(BUCKET, prefix), ListRequest(prefix, after=after))
            found.update((one.key[len(prefix) :], (one.size, one.etag)) for one in page.objects)
            after = page.next_after
        return found

    def indexed(self, workspace_id: int) -> dict[str, tuple[int, str]]:
        return {path: (size, etag) for path, (size, _, etag, _) in self.entries(workspace_id).items()}

    def entries(self, workspace_id: int) -> dict[str, tuple[int, int, str, int]]:
        """What the catalogue holds: size, time, etag, stamp by path."""
        self.recorder.commit()
        with self.catalogue.store.reading() as statements:
            paths = [
                row[0]
                for row in statements.rows(
                    "SELECT path FROM catalogue_folders WHERE workspace_id = ?", (workspace_id,)
                )
            ]
        return {
            path + found.name: (found.size, found.modified, found.etag, found.stamp)
            for path in paths
            for found in self.catalogue.listing(workspace_id, path)
        }

    def check(self, workspace_id: int, prefix: str = "") -> None:
        """The index holds what is listed, and times as the files have them."""
        listed = self.listed(prefix)
        entries = self.entries(workspace_id)
        assert {path: (size, etag) for path, (size, _, etag, _) in entries.items()} == listed
        for path, (_, modified, _, _) in entries.items():
            if path and not path.endswith("/"):
                assert modified == os.stat(self.folder / prefix / path).st_mtime_ns // 1000

    def write(self, path: str | bytes, content: bytes = b"x", mode: int = 0o644) -> str:
        whole = os.path.join(os.fsencode(self.folder), os.fsencode(path))
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(content)
        os.chmod(whole, mode)
        return os.fsdecode(whole)

    def close(self) -> None:
        self.recorder.close()
        self.catalogue.close()
        if self.driver is not None:
            run(self.driver.close())
        self.database.dispose()
