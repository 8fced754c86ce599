"""Filesystems that take two spellings for one name: whether this one does, and how a file is really spelled.

Where a filesystem folds case (`A` is `a`) or Unicode (`é` in one or two code points), opening a name says
nothing about its spelling. There a name is looked up in the folder's own list of names. What isn't known yet is
treated as folding: right, only slower.

ext4, f2fs and tmpfs fold by a flag of single folders, which can be changed only while a folder is empty, so it is
remembered by device and inode. Others fold as a whole (xfs with version=ci, zfs with casesensitivity or
normalization, vfat, CIFS): asked once, by looking for a name that exists under another spelling of it.
"""

import os
import time
import unicodedata
from collections.abc import Callable

from workspacesio.nodes.folder import filesystem, syscalls

_REMEMBERED_FOLDERS = 65536
_REMEMBERED_LISTS = 16
_SETTLED_NS = 2_000_000_000
"""A list of names is remembered only if the folder's mtime is older than this: coarse clocks hide changes.

And on filesystems of Linux's own only: others may have folders that no mtime belongs to.
"""


class Folding:
    """What is known about one node. Safe in threads: values are replaced, never changed."""

    def __init__(self, kind: int) -> None:
        self.kind = kind & 0xFFFFFFFF
        self.never = self.kind in filesystem.NEVER_FOLDING_KINDS
        self._flags: dict[tuple[int, int], bool] = {}
        self._case: bool | None = None
        self._unicode: bool | None = None
        self._names: dict[tuple[int, int, int], frozenset[bytes]] = {}

    def known_exact(self, folder_stat: os.stat_result) -> bool:
        """Whether it is known already that this folder folds nothing. Costs no system call."""
        return self.never or self._flags.get((folder_stat.st_dev, folder_stat.st_ino)) is False

    def misspelled(self, root_fd: int, folder: bytes, folder_stat: os.stat_result, name: bytes) -> bool:
        """Whether `name`, which can be opened in `folder`, is stored under another spelling."""
        if self.never or not self._folds(root_fd, folder, folder_stat, name):
            return False
        return name not in self._stored_names(root_fd, folder, folder_stat)

    def _folds(self, root_fd: int, folder: bytes, folder_stat: os.stat_result, name: bytes) -> bool:
        if self.kind in filesystem.CASEFOLD_FLAG_KINDS:
            return self._has_flag(root_fd, folder, folder_stat)
        if self._case is None:
            self._case = probe_case(root_fd)
        if not name.isascii() and self._unicode is None:
            self._unicode = probe_unicode(root_fd)
        if self._case is not False:
            return True
        return self._unicode is not False and not name.isascii()

    def _has_flag(self, root_fd: int, folder: bytes, folder_stat: os.stat_result) -> bool:
        identity = (folder_stat.st_dev, folder_stat.st_ino)
        known = self._flags.get(identity)
        if known is None:
            fd = os.open(folder or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root_fd)
            try:
                known = syscalls.folds_case(fd)
            finally:
                os.close(fd)
            if len(self._flags) >= _REMEMBERED_FOLDERS:
                self._flags = {}
            self._flags[identity] = known
        return known

    def _stored_names(self, root_fd: int, folder: bytes, folder_stat: os.stat_result) -> frozenset[bytes]:
        identity = (folder_stat.st_dev, folder_stat.st_ino, folder_stat.st_mtime_ns)
        names = self._names.get(identity)
        if names is None:
            names = frozenset(list_names(root_fd, folder))
            local = self.kind in filesystem.LOCAL_KINDS
            if local and time.time_ns() - folder_stat.st_mtime_ns > _SETTLED_NS:
                kept = dict(list(self._names.items())[-_REMEMBERED_LISTS:])
                self._names = {**kept, identity: names}
        return names


def list_names(root_fd: int, folder: bytes) -> list[bytes]:
    """The names in the folder at a place, as they are stored. Raises OSError."""
    fd = os.open(folder or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root_fd)
    try:
        return [os.fsencode(name) for name in os.listdir(fd)]
    finally:
        os.close(fd)


def probe_case(root_fd: int) -> bool | None:
    """Whether the filesystem folds ASCII case; None when no name was there to tell."""
    return _probe(root_fd, _other_case)


def probe_unicode(root_fd: int) -> bool | None:
    """Whether the filesystem folds Unicode normal forms; None when no name was there to tell."""
    return _probe(root_fd, _other_form)


def _probe(root_fd: int, respell: Callable[[bytes], bytes | None]) -> bool | None:
    names = list_names(root_fd, b"")
    stored = frozenset(names)
    for name in names[:1000]:
        other = respell(name)
        if other is None or other == name or other in stored:
            continue
        try:
            os.stat(other, dir_fd=root_fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            continue
        return True
    return None


def _other_case(name: bytes) -> bytes | None:
    return name.swapcase()


def _other_form(name: bytes) -> bytes | None:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return None
    for other in (unicodedata.normalize("NFC", text).encode(), unicodedata.normalize("NFD", text).encode()):
        if other != name:
            return other
    return None
