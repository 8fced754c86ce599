"""What a listing shows of a folder's entries, and whether a folder holds anything that is shown.

Shown are regular files that group or others may read, on the folder's own filesystem, under keys of at most 1,024
bytes; links that lead to such a file or to a folder of the same workspace; and folders that were marked as
objects (`a/b/`). `resolve.NodeTree` has the rules that hold for reading as well; names are sifted by `scan`.

A link into a folder above one that the path already went through is absent (`NodeTree.follow`), so no path is
endless: every link is followed once at most on a path.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from workspacesio.domain.names import MAX_KEY_BYTES
from workspacesio.nodes.folder.metadata import FolderRecord, MetadataStore
from workspacesio.nodes.folder.os_errors import node_error
from workspacesio.nodes.folder.resolve import NodeTree, file_closed, folder_closed, join
from workspacesio.nodes.folder.scan import LINK, spelled_names

_ABSENT = frozenset(
    {
        errno.EACCES,
        errno.EILSEQ,
        errno.EINVAL,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENODEV,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.ESTALE,
        errno.EXDEV,
    }
)
_BROKEN_ENTRY = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.EOVERFLOW})


def left_out(error: OSError) -> None:
    """A folder that can't be read is left out of a listing: it vanished, or may not be entered.

    But a listing without a folder that the storage fails to give, or that this process has no descriptor or memory
    to read, would be a lie, on which `mirror --remove` deletes files: NodeDown then.
    """
    if error.errno not in _ABSENT:
        raise node_error(error) from error


def entry_left_out(error: OSError) -> None:
    """As `left_out`, for what is not a folder: one file that the storage fails to give doesn't spoil the rest."""
    if error.errno not in _BROKEN_ENTRY:
        left_out(error)


def plain_name(spelled: str) -> str:
    return spelled.removesuffix(LINK).removesuffix("/")


def open_folder(tree: NodeTree, place: bytes) -> int:
    """Open a folder for reading its names, without a trace in its access time where the system permits that.

    Only the owner may ask for O_NOATIME (open(2)). Raises OSError.
    """
    try:
        return tree.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        return tree.open_folder(place)


def too_long(key: str) -> bool:
    return len(key) > MAX_KEY_BYTES // 4 and len(key.encode()) > MAX_KEY_BYTES


class Way(NamedTuple):
    """A folder and how it was reached: where it really lies, the prefix of its keys, and the places of the folders
    from which links were followed (see `NodeTree.follow`)."""

    place: bytes
    base: str
    visited: tuple[bytes, ...]

    def down(self, name: str) -> "Way":
        return Way(join(self.place, name.encode()), f"{self.base}{name}/", self.visited)

    def through(self, name: str, target: bytes) -> "Way":
        """Through the link `name` to the folder at the place `target`."""
        return Way(target, f"{self.base}{name}/", (*self.visited, self.place))


class Effort:
    """How many entries a page may still look at without showing them."""

    __slots__ = ("left",)

    FOLDER = 20
    """What opening a folder or following a link counts for."""

    def __init__(self, entries: int) -> None:
        self.left = entries


class Sight:
    """What is shown of one workspace. `boundary` is the place of its folder."""

    def __init__(self, tree: NodeTree, store: MetadataStore, boundary: bytes) -> None:
        self.tree = tree
        self._store = store
        self.boundary = boundary
        self._any_device = tree.cross_filesystems
        self._serves_closed = tree.serves_closed

    def file(self, folder_fd: int, device: int, name: str | bytes) -> os.stat_result | None:
        """The lstat of a file in a folder opened at `folder_fd`, if it is shown."""
        try:
            found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        except OSError as error:
            entry_left_out(error)
            return None
        mode = found.st_mode
        if not stat.S_ISREG(mode) or (file_closed(mode) and not self._serves_closed):
            return None
        if found.st_dev != device and not self._any_device:
            return None
        return found

    def link(self, way: Way, name: str, *, beneath: bool = False) -> tuple[bytes, os.stat_result] | None:
        """Where the link `name` in the folder `way` leads to, and the stat of that file or folder.

        `beneath`: only what lies beneath that folder, and so within every share that holds the link.
        """
        boundary = way.place if beneath else self.boundary
        try:
            target = self.tree.follow(boundary, join(way.place, name.encode()), (*way.visited, way.place))
        except OSError as error:
            entry_left_out(error)
            return None
        if target is None or not (stat.S_ISREG(target[1].st_mode) or stat.S_ISDIR(target[1].st_mode)):
            return None
        return target

    @contextlib.contextmanager
    def linked_file(self, place: bytes) -> Iterator[tuple[int, bytes, os.stat_result] | None]:
        """The folder, opened, name and lstat of the file at a place to which a link led, if it is shown."""
        folder, _, name = place.rpartition(b"/")
        opened = self.folder(folder)
        if opened is None:
            yield None
            return
        fd, folder_stat = opened
        try:
            found = self.file(fd, folder_stat.st_dev, name)
            yield None if found is None else (fd, name, found)
        finally:
            os.close(fd)

    def folder(self, place: bytes) -> tuple[int, os.stat_result] | None:
        """A descriptor of the folder at `place` and its stat, if what is in it may be shown."""
        try:
            fd = open_folder(self.tree, place)
        except OSError as error:
            left_out(error)
            return None
        found = os.fstat(fd)
        if folder_closed(found.st_mode) and not self._serves_closed:
            os.close(fd)
            return None
        return fd, found

    def record(self, fd: int, found: os.stat_result) -> FolderRecord:
        """The record of an opened folder."""
        try:
            return self._store.folder(fd, found)
        except OSError as error:
            entry_left_out(error)
            return FolderRecord()

    def holds_anything(self, way: Way, effort: Effort) -> bool:
        """Whether the folder holds any key that is shown.

        Looks at files before folders and in no order. When the effort is spent the folder counts as holding
        something, rather than keep the caller waiting.
        """
        waiting = [way]
        while waiting:
            way = waiting.pop()
            effort.left -= Effort.FOLDER
            if effort.left <= 0:
                return True
            opened = self.folder(way.place)
            if opened is None:
                continue
            fd, found = opened
            try:
                folders = self._folders_unless_file(fd, found.st_dev, way, effort)
                if folders is None or (not too_long(way.base) and self.record(fd, found).marker is not None):
                    return True
            except OSError as error:
                left_out(error)
                continue
            finally:
                os.close(fd)
            waiting += folders
        return False

    def _folders_unless_file(self, fd: int, device: int, way: Way, effort: Effort) -> list[Way] | None:
        """The ways to the folders in a folder, or None as soon as a shown file was met."""
        folders = []
        may_be_too_long = len(way.base.encode()) + 256 > MAX_KEY_BYTES
        with contextlib.closing(spelled_names(fd)) as names:
            for spelled in names:
                effort.left -= 1
                if effort.left <= 0:
                    return None
                name = plain_name(spelled)
                if may_be_too_long and too_long(way.base + name):
                    continue
                if spelled.endswith(LINK):
                    if spelled.endswith("/" + LINK):
                        continue
                    effort.left -= Effort.FOLDER
                    target = self.link(way, name)
                    if target is None:
                        continue
                    if stat.S_ISDIR(target[1].st_mode):
                        folders.append(way.through(name, target[0]))
                        continue
                    with self.linked_file(target[0]) as shown:
                        if shown is not None:
                            return None
                elif spelled.endswith("/"):
                    folders.append(way.down(name))
                elif self.file(fd, device, name) is not None:
                    return None
        return folders
