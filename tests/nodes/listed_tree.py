"""A folder node for tests of listings, and a naive listing to compare with."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from workspacesio.domain.names import SYSTEM_FOLDERS
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.folder.known_etags import KnownEtags
from workspacesio.nodes.folder.listing import list_folder
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.folder.survey import Progress, SurveyReport, survey
from workspacesio.nodes.values import ListPage, ListRequest, Scope

BUCKET = "data"
NOBODY = 65534


@dataclass
class ListedTree:
    """The node whose folder is `path`, as one bucket; state goes beside it."""

    path: str
    serve_owner_only: bool = False
    names_from: str = "memory"
    """`snapshot` and `scan`: as if three names were a huge folder, quiet or being changed."""
    tree: NodeTree = field(init=False)

    def __post_init__(self) -> None:
        os.makedirs(self.path, exist_ok=True)
        os.chmod(self.path, 0o755)
        self.tree = NodeTree(self.path, FolderLayout.BUCKET, BUCKET, serve_owner_only=self.serve_owner_only)
        self.tree.check()
        self.state = self.path + "-state"
        self.records = MetadataStore(self.state, 1)
        directory = os.path.join(self.state, "listings", "1")
        self.known_etags = KnownEtags(now_ns=lambda: time.time_ns() + 60_000_000_000)
        if self.names_from == "memory":
            self.snapshots = Snapshots(directory)
        else:
            age_ns = 60_000_000_000 if self.names_from == "snapshot" else 0
            self.snapshots = Snapshots(directory, small=2, chunk=2, now_ns=lambda: time.time_ns() + age_ns)

    def write(self, key: str | bytes, content: bytes = b"x") -> str:
        path = os.path.join(self.path, os.fsdecode(key))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def folder(self, key: str) -> str:
        path = os.path.join(self.path, key)
        os.makedirs(path, exist_ok=True)
        return path

    def link(self, key: str, target: str) -> None:
        path = os.path.join(self.path, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)

    def page(
        self,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        max_keys: int = 1000,
        boundary: str = "",
    ) -> ListPage:
        scope = Scope(BUCKET, boundary)
        request = ListRequest(prefix, delimiter, after, max_keys)
        return list_folder(self.tree, self.records, self.snapshots, scope, request, known=self.known_etags)

    def keys(self, prefix: str = "", boundary: str = "") -> list[str]:
        return self.whole(prefix, boundary=boundary)[0]

    def whole(
        self, prefix: str = "", delimiter: str = "", max_keys: int = 1000, boundary: str = ""
    ) -> tuple[list[str], list[str]]:
        """Keys and common prefixes of all pages, one after the other."""
        keys: list[str] = []
        common: list[str] = []
        after = ""
        while True:
            page = self.page(prefix, delimiter, after, max_keys, boundary)
            keys += [item.key for item in page.objects]
            common += page.common_prefixes
            if page.next_after is None:
                return keys, common
            assert page.next_after > after
            after = page.next_after

    def survey(self, boundary: str = "", progress: Progress | None = None) -> SurveyReport:
        if progress is None:
            return survey(self.tree, self.records, Scope(BUCKET, boundary))
        return survey(self.tree, self.records, Scope(BUCKET, boundary), progress)

    def close(self) -> None:
        self.tree.close()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so leave that behind for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def naive_keys(root: str) -> list[str]:
    """Every key under `root` that is served, in order: the rules of the listing, spelled out without any wit."""
    found: list[str] = []

    def go(folder: str, base: str, visited: tuple[str, ...]) -> None:
        for name in os.listdir(folder):
            if name in SYSTEM_FOLDERS:
                continue
            path, went = os.path.join(folder, name), visited
            if os.path.islink(path):
                went = (*visited, folder)
                if os.readlink(path).startswith("/") and not os.path.realpath(path).startswith(root + "/"):
                    continue
                path = os.path.realpath(path)
                if not os.path.exists(path) or not path.startswith(root + "/"):
                    continue
                if os.path.isdir(path) and any((there + "/").startswith(path + "/") for there in went):
                    continue
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                go(path, base + name + "/", went)
            elif stat.S_ISREG(mode):
                found.append(base + name)

    go(root, "", ())
    return sorted(found, key=lambda key: key.encode())


def naive_page(keys: list[str], prefix: str, delimiter: str, after: str, max_keys: int) -> ListPage:
    """The page as the contract of `driver` has it. The objects' other fields are left empty."""
    from workspacesio.nodes.values import ObjectSummary

    objects: list[ObjectSummary] = []
    common: list[str] = []
    last: str | None = None
    for key in keys:
        if not key.startswith(prefix) or key <= after:
            continue
        end = key.find(delimiter, len(prefix)) + len(delimiter) if delimiter else 0
        rolled = key[:end] if delimiter and key.find(delimiter, len(prefix)) >= 0 else None
        if rolled is not None and (after == rolled or rolled in common):
            continue
        if len(objects) + len(common) == max_keys:
            return ListPage(tuple(objects), tuple(common), last)
        last = rolled or key
        if rolled is None:
            objects.append(ObjectSummary(key, 0, 0, ""))
        else:
            common.append(rolled)
    return ListPage(tuple(objects), tuple(common), None)
