"""Looking through a folder before it is imported: what will be served, and what will not, and why.

The survey counts exactly what listings will show (`sight`), except files that the service itself may not read,
which are listed and can't be opened. It changes nothing: it opens folders only, without a trace in their access
times where the system permits that, and no file. It holds little in memory, however much lies there.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from workspacesio.domain.names import SYSTEM_FOLDERS
from workspacesio.nodes.errors import KeyNotPossible, NoSuchObject
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.folder.resolve import NodeTree, Obstacle, file_closed, folder_closed, join
from workspacesio.nodes.folder.scan import is_utf8
from workspacesio.nodes.folder.sight import Sight, Way, entry_left_out, open_folder, too_long
from workspacesio.nodes.values import Scope

MAX_EXAMPLES = 20

_STREAMED_LEVELS = 16
_PROGRESS_EVERY = 1_000


class Reason(StrEnum):
    """Why something is not served. Of a folder nothing is looked at, so it counts as one."""

    NOT_UTF8 = "its name is not UTF-8, which S3 can't carry"
    TOO_LONG = "its key is longer than 1,024 bytes"
    SPECIAL = "it is a socket, pipe or device"
    SYSTEM_FOLDER = "it has the name of a system folder"
    OWNER_ONLY = "only its owner may read it"
    UNREADABLE = "the service may not read it"
    OTHER_FILESYSTEM = "another filesystem is mounted there"
    LINK_NOWHERE = "it is a symbolic link that leads nowhere"
    LINK_OUTSIDE = "it is a symbolic link that leads out of the folder"
    LINK_NOT_SERVED = "it is a symbolic link to something that is not served, or to a folder that it lies in"


@dataclass(slots=True)
class NotServed:
    """`examples` are the first paths, from the surveyed folder; bytes that are not UTF-8 as `\\xNN`."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class TopFolder:
    """A folder directly in the surveyed one. `uid` is the number of its owner on this machine."""

    name: str
    uid: int
    objects: int = 0
    bytes: int = 0


@dataclass(slots=True)
class SurveyReport:
    """`uid` owns the surveyed folder itself. `entries` is everything that was looked at."""

    uid: int
    entries: int = 0
    objects: int = 0
    bytes: int = 0
    not_served: dict[Reason, NotServed] = field(default_factory=dict)
    top_folders: list[TopFolder] = field(default_factory=list)


Progress = Callable[[int, int], None]
"""Called now and then with entries and bytes so far. What it raises ends the survey and goes to the caller."""


def survey(
    tree: NodeTree, records: MetadataStore, scope: Scope, progress: Progress = lambda _entries, _bytes: None
) -> SurveyReport:
    """Look through the folder that `scope.boundary` names, as if a workspace lay there.

    Raises NoSuchBucket, NoSuchObject when there is no such folder, KeyNotPossible when it can't be served at all,
    and NodeDown.
    """
    with translated():
        walk = tree.walk(scope, scope.boundary)
        if walk.obstacle is not None:
            reason = Reason.OWNER_ONLY if walk.obstacle is Obstacle.CLOSED else walk.obstacle
            raise KeyNotPossible(f"This folder can't be served: {reason}.")
        if walk.missing or not stat.S_ISDIR(walk.stat.st_mode):
            raise NoSuchObject("There is no such folder.")
        report = SurveyReport(uid=walk.stat.st_uid)
        sight = Sight(tree, records, tree.boundary_place(scope))
        _Survey(sight, report, progress, len(scope.boundary)).look_through(
            Way(walk.place, scope.boundary, walk.visited)
        )
        progress(report.entries, report.bytes)
        return report


class _Survey:
    def __init__(self, sight: Sight, report: SurveyReport, progress: Progress, shown_from: int) -> None:
        self._sight = sight
        self._tree = sight.tree
        self._report = report
        self._progress = progress
        self._shown_from = shown_from
        self._levels: list[Iterator[Way]] = []

    def look_through(self, way: Way) -> None:
        """Depth first. The upper levels are read as they are needed, so that wide folders fill no memory."""
        self._go_down(way)
        try:
            while self._levels:
                following = next(self._levels[-1], None)
                if following is None:
                    self._levels.pop()
                else:
                    self._go_down(following)
        finally:
            for level in self._levels:
                getattr(level, "close", lambda: None)()

    def _go_down(self, way: Way) -> None:
        try:
            fd = open_folder(self._tree, way.place)
        except OSError as error:
            entry_left_out(error)
            self._not_served(_reason_of(error), way.base)
            return
        found = os.fstat(fd)
        if self._levels and folder_closed(found.st_mode) and not self._tree.serves_closed:
            os.close(fd)
            self._not_served(Reason.OWNER_ONLY, way.base)
            return
        if len(self._levels) == 1:
            self._report.top_folders.append(TopFolder(way.base[self._shown_from : -1], found.st_uid))
        if way.base and self._sight.record(fd, found).marker is not None:
            self._served(way.base, 0)
        folders = self._folders(fd, found.st_dev, way)
        if len(self._levels) < _STREAMED_LEVELS:
            self._levels.append(folders)
        else:
            self._levels.append(iter(list(folders)))

    def _folders(self, fd: int, device: int, way: Way) -> Iterator[Way]:
        """Count the files of a folder that was opened, and give the folders in it."""
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._count_entry()
                    below = self._look_at(entry, fd, device, way)
                    if below is not None:
                        yield below
        except OSError as error:
            entry_left_out(error)
            self._not_served(_reason_of(error), way.base)
        finally:
            os.close(fd)

    def _look_at(self, entry: "os.DirEntry[str]", fd: int, device: int, way: Way) -> Way | None:
        name, path = entry.name, way.base + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if name in SYSTEM_FOLDERS:
            self._not_served(Reason.SYSTEM_FOLDER, path)
        elif not is_utf8(name):
            self._not_served(Reason.NOT_UTF8, path)
        elif too_long(path + "/" if is_folder else path):
            self._not_served(Reason.TOO_LONG, path)
        elif is_folder:
            return way.down(name)
        elif entry.is_symlink():
            return self._look_at_link(way, name)
        else:
            self._look_at_file(fd, device, name, path)
        return None

    def _look_at_file(self, fd: int, device: int, name: str | bytes, path: str) -> None:
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            readable = os.access(name, os.R_OK, dir_fd=fd, effective_ids=True)
        except OSError as error:
            entry_left_out(error)
            if error.errno != errno.ENOENT:
                self._not_served(_reason_of(error), path)
            return
        if not stat.S_ISREG(found.st_mode):
            self._not_served(Reason.SPECIAL, path)
        elif found.st_dev != device and not self._tree.cross_filesystems:
            self._not_served(Reason.OTHER_FILESYSTEM, path)
        elif file_closed(found.st_mode) and not self._tree.serves_closed:
            self._not_served(Reason.OWNER_ONLY, path)
        elif not readable:
            self._not_served(Reason.UNREADABLE, path)
        else:
            self._served(path, found.st_size)

    def _look_at_link(self, way: Way, name: str) -> Way | None:
        path = way.base + name
        target = self._sight.link(way, name)
        if target is None:
            self._not_served(self._why_not_followed(way, name), path)
        elif not stat.S_ISDIR(target[1].st_mode):
            with self._sight.linked_file(target[0]) as shown:
                if shown is None:
                    self._not_served(Reason.LINK_NOT_SERVED, path)
                else:
                    fd, last, _ = shown
                    self._look_at_file(fd, os.fstat(fd).st_dev, last, path)
        elif too_long(path + "/"):
            self._not_served(Reason.TOO_LONG, path)
        else:
            return way.through(name, target[0])
        return None

    def _why_not_followed(self, way: Way, name: str) -> Reason:
        root = os.path.realpath(os.fsencode(self._tree.path)).rstrip(b"/") + b"/"
        try:
            real = os.path.realpath(root + join(way.place, name.encode()), strict=True)
        except (OSError, ValueError):
            return Reason.LINK_NOWHERE
        boundary = root + self._sight.boundary
        inside = (real + b"/").startswith(boundary.rstrip(b"/") + b"/")
        return Reason.LINK_NOT_SERVED if inside else Reason.LINK_OUTSIDE

    # --- counting -------------------------------------------------------------------------------------------

    def _count_entry(self) -> None:
        self._report.entries += 1
        if self._report.entries % _PROGRESS_EVERY == 0:
            self._progress(self._report.entries, self._report.bytes)

    def _served(self, path: str, size: int) -> None:
        self._report.objects += 1
        self._report.bytes += size
        if path.find("/", self._shown_from) >= 0:
            top = self._report.top_folders[-1]
            top.objects += 1
            top.bytes += size

    def _not_served(self, reason: Reason, path: str) -> None:
        noted = self._report.not_served.setdefault(reason, NotServed())
        noted.count += 1
        if len(noted.examples) < MAX_EXAMPLES:
            shown = os.fsencode(path[self._shown_from :])
            noted.examples.append(shown.decode("utf-8", "backslashreplace"))


def _reason_of(error: OSError) -> Reason:
    return Reason.OTHER_FILESYSTEM if error.errno == errno.EXDEV else Reason.UNREADABLE
