"""A crawled folder and the extraction's task over it, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from index.crawl_world import CrawlWorld
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.extraction.protocol import LIMITS, Limits
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.task import ExtractionTask
from workspacesio.index.packing import Contents, unpack_contents
from workspacesio.index.recording import Recorder
from workspacesio.services.crawl_requests import set_indexing


@dataclass
class Context:
    world: CrawlWorld

    @property
    def database(self) -> object:
        return self.world.database

    @property
    def catalogue(self) -> Catalogue:
        return self.world.catalogue

    @property
    def recorder(self) -> Recorder:
        return self.world.recorder

    def drivers(self, _node_id: int) -> object:
        return self.world.driver

    def stopping(self) -> bool:
        return False


@dataclass
class Extracting:
    """A crawled folder and the task over it. `contents` is what the catalogue holds by path."""

    world: CrawlWorld
    workspace_id: int
    registry: Registry
    limits: Limits = LIMITS

    def __post_init__(self) -> None:
        self.task = self.new_task()

    def new_task(self, registry: Registry | None = None) -> ExtractionTask:
        return ExtractionTask(Context(self.world), registry or self.registry, self.limits, children=2)  # type: ignore[arg-type]

    def level(self, level: IndexLevel, **options: object) -> None:
        with self.world.database.write() as session:
            set_indexing(session, root_id=1, level=level, now=self.world.now, **options)  # type: ignore[arg-type]

    def settle(self, until: Callable[[], bool] | None = None, seconds: float = 20.0) -> None:
        """Steps until it idles (and `until` holds)."""
        self.task._walks._wanted_until = 0.0  # settings are read at once
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.task.step() > 0 and (until is None or until()):
                return
        raise AssertionError("it goes on and on")

    def crawl(self) -> None:
        self.world.crawl()
        self.world.recorder.commit()

    def contents(self) -> dict[str, Contents]:
        with self.world.catalogue.store.reading() as statements:
            rows = statements.rows(
                "SELECT f.path, e.name, c.data FROM catalogue_contents c "
                "JOIN catalogue_entries e ON e.id = c.entry_id JOIN catalogue_folders f ON f.id = e.folder_id",
                (),
            )
        return {path + name: unpack_contents(data) for path, name, data in rows}

    def stamps(self) -> dict[str, str | None]:
        with self.world.catalogue.store.reading() as statements:
            return dict(statements.rows("SELECT name, looked FROM catalogue_entries", ()))
