"""Where a crawl reads: the same questions to a folder node and to a server."""

import os
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from workspacesio.domain.crawl_reasons import ROOT_MISSING
from workspacesio.domain.errors import NotSupported
from workspacesio.index.crawl_folder import FolderWalk, Known, Walked, WorkspaceUnreadable
from workspacesio.index.crawl_server import ServerWalk
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Listing
from workspacesio.index.progress import Position
from workspacesio.index.recording import ListingSink
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.sight import open_folder
from workspacesio.nodes.folder.walk import Obstacle, join
from workspacesio.nodes.minio.driver import ServerStorage
from workspacesio.nodes.minio.listing_pages import ask_page
from workspacesio.nodes.values import Scope


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace, and the prefix of its root."""

    workspace_id: int
    bucket: str
    prefix: str
    root_prefix: str

    @property
    def scope(self) -> Scope:
        return Scope(self.bucket, self.prefix)


class Source(Protocol):
    """One node. Raises NodeDown, WorkspaceUnreadable where only this workspace fails, and other NodeErrors."""

    def check(self) -> None:
        """One cheap look whether the storage is there, now and then."""
        ...

    def walk(self, place: Place, start: str = "", resume: Position | None = None) -> Generator[Walked, None, None]:
        """What lies in a workspace, or below a folder of it, behind `resume`."""
        ...


def source_of(
    driver: StorageDriver,
    sink: ListingSink,
    *,
    exclusions: Exclusions,
    cross_filesystems: bool = False,
    expected_entries: int | None = None,
    scratch: str | None = None,
) -> Source:
    """`expected_entries`: about how many there are, where that is known.

    Raises NotSupported for a kind of node that can't be crawled.
    """
    if isinstance(driver, FolderDriver):
        return FolderSource(driver, sink, exclusions, one_filesystem=not cross_filesystems, scratch=scratch)
    if isinstance(driver, ServerStorage):
        return ServerSource(driver, sink, exclusions, expected_entries)
    raise NotSupported("This kind of node can't be crawled.")


class FolderSource:
    def __init__(
        self,
        driver: FolderDriver,
        sink: ListingSink,
        exclusions: Exclusions,
        *,
        one_filesystem: bool,
        scratch: str | None = None,
    ) -> None:
        self._tree = driver.node.tree
        self._records = driver.node.records
        self._known = Known(sink.mark, sink.stamps)
        self._exclusions = exclusions
        self._one_filesystem = one_filesystem
        self._scratch = scratch

    def check(self) -> None:
        self._tree.check()

    def walk(self, place: Place, start: str = "", resume: Position | None = None) -> Generator[Walked, None, None]:
        self._tree.check()
        missing = self._missing(place)
        if missing is not None:
            yield missing
            return
        walk = FolderWalk(
            self._tree,
            self._records,
            place.scope,
            place.workspace_id,
            self._known,
            exclusions=self._exclusions,
            one_filesystem=self._one_filesystem,
            scratch=self._scratch,
        )
        at = resume.folder if resume is not None else None
        after = resume.name if resume is not None else None
        try:
            yield from walk.walk(start, resume=at, after=after)
        except WorkspaceUnreadable:
            self._enter_root(place)
            raise

    def _enter_root(self, place: Place) -> None:
        """Raises NodeDown where all of the root is out of reach."""
        root = self._tree.walk(Scope(place.bucket, place.root_prefix), place.root_prefix)
        try:
            os.stat(join(root.place, b"."), dir_fd=self._tree.root_fd)
        except OSError as error:
            raise NodeDown("The root's folder can't be entered.") from error

    def _missing(self, place: Place) -> Walked | None:
        """A workspace whose folder is gone holds nothing, but only if what it lay in is there for certain.

        An empty root looks like a filesystem that isn't mounted.
        """
        scope = place.scope
        found = self._tree.walk(scope, scope.boundary)
        if not found.missing or found.obstacle is Obstacle.UNREADABLE:
            return None
        since = self._known.mark()
        root = self._tree.walk(Scope(place.bucket, place.root_prefix), place.root_prefix)
        if root.found:
            fd = open_folder(self._tree, root.place)
            try:
                with os.scandir(fd) as entries:
                    holds_anything = next(entries, None) is not None
            finally:
                os.close(fd)
            if holds_anything or not place.root_prefix:
                return Walked(Listing(place.workspace_id, "", [], [], since), 1)
        return Walked(None, 1, [(ROOT_MISSING, "")])


class ServerSource:
    """What can't be listed raises: nothing is taken for gone that the server didn't say."""

    def __init__(
        self, storage: ServerStorage, sink: ListingSink, exclusions: Exclusions, expected_entries: int | None
    ) -> None:
        self._storage = storage
        self._known = Known(sink.mark, sink.stamps)
        self._exclusions = exclusions
        self._expected = expected_entries

    def check(self) -> None:
        """Each page is a look."""

    def walk(self, place: Place, start: str = "", resume: Position | None = None) -> Generator[Walked, None, None]:
        walk = ServerWalk(
            partial(ask_page, self._storage.s3, place.bucket),
            place.prefix,
            place.workspace_id,
            self._known,
            exclusions=self._exclusions,
            expected=self._expected,
        )
        after = None
        if resume is not None and resume.folder is not None:
            after = resume.folder + (resume.name or "")
        yield from walk.walk(start, after=after)
