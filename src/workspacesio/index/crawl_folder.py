"""Walking a workspace on a folder node: every folder once, in order, with what a listing would show of it.

A folder comes before what it holds, and folders by the parts of their paths, so a path says how far the walk is:
it is taken up behind it, and of the folders before it none is opened but those on the way. Links to folders are
not followed, so there is one path to each.

Nothing is dropped for being out of reach. A folder that can't be read is named by the one that it lies in and not
listed, so the recorder leaves it as it was; an empty listing is handed on only for what is certainly not shown.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from workspacesio.domain.crawl_reasons import KEPT, NOT_MOUNTED
from workspacesio.index.big_folder import Seen
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.folder_reading import FolderReader, Opened
from workspacesio.index.found import Found, Listing
from workspacesio.index.marks import Mark
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.os_errors import node_error
from workspacesio.nodes.folder.resolve import NodeTree, folder_closed
from workspacesio.nodes.folder.scan import LINK
from workspacesio.nodes.folder.sight import Sight, Way, open_folder
from workspacesio.nodes.folder.survey import Reason
from workspacesio.nodes.folder.walk import Obstacle
from workspacesio.nodes.values import Scope

_MARK_EVERY = 5_000
_FOLDER = 20
"""As many entries as a folder counts for."""

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_OUT_OF_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class WorkspaceUnreadable(NodeError):
    """The workspace's own folder can't be read, and the node is there. Nothing of it is dropped."""


@dataclass(slots=True)
class Walked:
    """A folder, or a stretch of a big one, or nothing, so that the caller's clocks run.

    `looked` entries were met; `problems` are pairs of reason and path. `position`: folder, and name in it or None
    for all of it, behind which the walk may be taken up when this and all before it was recorded.
    """

    listing: Listing | None
    looked: int
    problems: list[tuple[str, str]] = field(default_factory=list)
    position: tuple[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a walk asks of the recorder: a mark of now; the stamps in a folder, or between two names of it."""

    mark: Callable[[], Mark]
    stamps: Callable[[int, str, str | None, str | None], Mapping[str, int]]


@dataclass(slots=True)
class _Level:
    """A folder below which the walk goes on; `names` of its folders are still to come, the last one first."""

    way: Way
    names: list[str]

    def next(self) -> Way:
        return self.way.down(self.names.pop())


class FolderWalk:
    """One workspace, in one thread.

    `one_filesystem`: what lies on others is left as it is, though the node serves it. `scratch`: a folder for what
    doesn't fit in memory. Raises NodeDown when the storage can't be used, WorkspaceUnreadable, and NoSuchBucket.
    """

    def __init__(
        self,
        tree: NodeTree,
        records: MetadataStore,
        scope: Scope,
        workspace_id: int,
        known: Known,
        *,
        exclusions: Exclusions,
        one_filesystem: bool,
        scratch: str | None = None,
    ) -> None:
        self._tree = tree
        self._scope = scope
        self._workspace_id = workspace_id
        self._known = known
        self._one_filesystem = one_filesystem
        sight = Sight(tree, records, tree.boundary_place(scope))
        self._reader = FolderReader(sight, records, exclusions, scratch=scratch)
        self._above = len(scope.boundary)
        self._device = -1
        self._mark = known.mark()
        self._since_mark = 0

    def walk(
        self, start: str = "", *, resume: str | None = None, after: str | None = None
    ) -> Generator[Walked, None, None]:
        """From the workspace's folder, or the one at `start` ('a/b/'), down.

        `resume` is the folder that was recorded last: the whole of it, or names up to `after`.
        """
        way = self._top(start)
        if way is None or isinstance(way, Walked):
            yield way or Walked(self._listing(start, [], []), 0)
            return
        levels: list[_Level] = []
        while way is not None:
            path = way.base[self._above :]
            if resume is not None and not resume.startswith(path):
                resume = None
            recorded = resume is not None and (path != resume or after is None)
            below = yield from self._folder(way, path, recorded=recorded, after=after if path == resume else None)
            if below is not None:
                if resume is not None and path != resume:
                    following = resume[len(path) : resume.index("/", len(path))]
                    below.names = [name for name in below.names if name >= following]
                below.names.reverse()
                levels.append(below)
            while levels and not levels[-1].names:
                levels.pop()
            way = levels[-1].next() if levels else None

    def _top(self, start: str) -> Way | Walked | None:
        """Where the walk begins, None when nothing is shown there, or what is told where that isn't known."""
        found = self._tree.walk(self._scope, self._scope.boundary + start)
        if found.obstacle is Obstacle.UNREADABLE:
            return self._kept(start)
        if not found.found or not stat.S_ISDIR(found.stat.st_mode):
            return None
        if found.visited:
            return None  # by a link, through which nothing is indexed
        self._device = found.stat.st_dev
        return Way(found.place, self._scope.boundary + start, ())

    def _folder(
        self, way: Way, path: str, *, recorded: bool, after: str | None
    ) -> Generator[Walked, None, _Level | None]:
        """`recorded`: only what lies below it is wanted. `after`: names up to that one are recorded."""
        try:
            fd = open_folder(self._tree, way.place)
        except OSError as error:
            if not recorded and self._is_closed(way, error):
                yield Walked(self._listing(path, [], []), 1, [(Reason.OWNER_ONLY, path)])
            elif not recorded:
                yield self._not_opened(path, error)
            return None
        try:
            folder = Opened(fd, os.fstat(fd), way, path)
            if folder_closed(folder.status.st_mode) and not self._tree.serves_closed:
                yield Walked(self._listing(path, [], []), 1, [(Reason.OWNER_ONLY, path)])
                return None
            if self._one_filesystem and folder.status.st_dev != self._device:
                yield Walked(None, 1, [(Reason.OTHER_FILESYSTEM, path)])
                return None
            seen: Seen | None = None
            if recorded:
                seen = self._reader.read(folder, {}, folders_only=True)
            elif after is None:
                seen = self._reader.read(folder, self._known.stamps(self._workspace_id, path, None, None))
                if seen is not None and not seen.looked and not path and self._tree.cross_filesystems:
                    yield Walked(None, 1, [(NOT_MOUNTED, path)])
                elif seen is not None:
                    listing = self._listing(path, seen.found, seen.folders)
                    yield Walked(listing, seen.looked, seen.problems, (path, None))
            if seen is None:
                seen = yield from self._big_folder(folder, recorded=recorded, after=after)
            return _Level(way, list(seen.folders)) if seen.folders else None
        except OSError as error:
            yield self._not_opened(path, error)
            return None
        finally:
            os.close(fd)

    def _big_folder(self, folder: Opened, *, recorded: bool, after: str | None) -> Generator[Walked, None, Seen]:
        self._mark = since = self._known.mark()  # all its stretches are as old as its names
        with self._reader.sorted_names(folder) as big:
            if recorded:
                return big.seen
            first, problems = after, big.seen.problems
            stretches = big.stretches(after)
            names = next(stretches, [])
            more = True
            while more:
                following = next(stretches, None)
                more = following is not None
                last = names[-1].removesuffix(LINK) if more else None
                known = self._known.stamps(self._workspace_id, folder.path, first, last)
                seen = self._reader.stretch(folder, names, known, first=first is None)
                below = big.folders_between(first, last)
                listing = Listing(self._workspace_id, folder.path, seen.found, below, since, first, last)
                yield Walked(listing, seen.looked, problems + seen.problems, (folder.path, last))
                first, problems, names = last, [], following or []
            self._mark, self._since_mark = self._known.mark(), 0
            return big.seen

    def _is_closed(self, way: Way, error: OSError) -> bool:
        """Whether it wasn't opened since its mode lets nobody but its owner, so that nothing in it is served."""
        if error.errno not in _REFUSED or self._tree.serves_closed:
            return False
        try:
            found = os.stat(way.place or b".", dir_fd=self._tree.root_fd, follow_symlinks=False)
        except OSError:
            return False
        return folder_closed(found.st_mode)

    def _not_opened(self, path: str, error: OSError) -> Walked:
        """Certainly gone: an empty listing. Anything else: left as it was, unless the whole node is down."""
        if error.errno in _OUT_OF_MEANS:
            raise node_error(error) from error
        self._tree.check()
        if error.errno in _GONE:
            return Walked(self._listing(path, [], []), 1)
        if error.errno == errno.EXDEV:
            return Walked(self._listing(path, [], []), 1, [(Reason.OTHER_FILESYSTEM, path)])
        return self._kept(path)

    def _kept(self, path: str) -> Walked:
        if not path:
            raise WorkspaceUnreadable("The workspace's folder can't be read.")
        return Walked(None, 1, [(KEPT, path)])

    def _listing(self, path: str, found: list[Found], folders: list[str]) -> Listing:
        """Several folders share a mark: each is remembered as long as a listing holds it."""
        made = Listing(self._workspace_id, path, found, folders, self._mark)
        self._since_mark += len(found) + _FOLDER
        if self._since_mark > _MARK_EVERY:
            self._mark, self._since_mark = self._known.mark(), 0
        return made
