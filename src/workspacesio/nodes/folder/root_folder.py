"""The node's own folder, held open: whether it is still the one that was added, and on what filesystem it lies."""

import os
import threading
import time
from collections import deque

from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.folder import filesystem, syscalls
from workspacesio.nodes.folder.folding import Folding
from workspacesio.nodes.folder.walk import folder_closed

_RETIRED_SECONDS = 60.0


class RootFolder:
    """`root_fd` is its descriptor; `local` and `folding` are known after the first `check`. Safe in threads."""

    def __init__(
        self,
        path: str,
        layout: FolderLayout,
        bucket_name: str,
        *,
        cross_filesystems: bool = False,
        serve_owner_only: bool = False,
        filesystem_identity: str = "",
    ) -> None:
        self.path = path
        self.layout = layout
        self.bucket_name = bucket_name
        self.cross_filesystems = cross_filesystems
        self.local = False
        self.kind = 0
        self.folding = Folding(0)
        self.serves_closed = serve_owner_only
        self.root_stat: os.stat_result
        self._root_fd = -1
        self._serve_owner_only = serve_owner_only
        self._identity = filesystem_identity
        self._real_path = b""
        self._opening = threading.Lock()
        self._retired: deque[tuple[float, int]] = deque()
        self._resolve, self._resolve_cached = _resolve_flags(cross_filesystems=cross_filesystems)

    def change(self, *, cross_filesystems: bool, serve_owner_only: bool) -> None:
        """From now on; what a thread has begun may still go by what was before."""
        with self._opening:
            self.cross_filesystems = cross_filesystems
            self._resolve, self._resolve_cached = _resolve_flags(cross_filesystems=cross_filesystems)
            self._serve_owner_only = serve_owner_only
            opened = self._root_fd >= 0
            self.serves_closed = serve_owner_only or (opened and folder_closed(self.root_stat.st_mode))

    def check(self) -> None:
        """Raise NodeDown unless the folder at the path is the one that was added. One system call if it is."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            with self._opening:
                self._retire()
            raise NodeDown("The node's folder is missing or can't be reached.") from error
        if self._root_fd >= 0 and _same_folder(found, self.root_stat):
            return
        with self._opening:
            if self._root_fd < 0 or not _same_folder(found, self.root_stat):
                self._retire()
            if self._root_fd < 0:
                self._open_root()

    def _open_root(self) -> None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NodeDown("The node's folder can't be opened.") from error
        try:
            if not os.access(".", os.R_OK | os.X_OK, dir_fd=fd, effective_ids=True):
                raise NodeDown("The node's folder can't be opened.")
            if not filesystem.identity_matches(self._identity, filesystem.identity_of(fd)):
                raise NodeDown("Another filesystem is at the node's path than the one that was added.")
            self.kind = syscalls.statfs(fd).kind & 0xFFFFFFFF
            self.local = filesystem.is_local(self.kind)
            self.folding = Folding(self.kind)
            self._real_path = os.path.realpath(os.fsencode(self.path))
            self.root_stat = os.fstat(fd)
            self.serves_closed = self._serve_owner_only or folder_closed(self.root_stat.st_mode)
        except BaseException:
            os.close(fd)
            raise
        self._root_fd = fd

    def _retire(self) -> None:
        """Let go of the folder. Threads may be using the descriptor, so its number stays taken a while."""
        fd, self._root_fd = self._root_fd, -1
        now = time.monotonic()
        if fd >= 0:
            self._retired.append((now, fd))
        while self._retired and now - self._retired[0][0] > _RETIRED_SECONDS:
            os.close(self._retired.popleft()[1])

    def close(self) -> None:
        self._retire()
        while self._retired:
            os.close(self._retired.popleft()[1])

    @property
    def root_fd(self) -> int:
        """Raises NodeDown when the folder is gone."""
        if self._root_fd < 0:
            raise NodeDown("The node's folder is missing or can't be reached.")
        return self._root_fd


def _resolve_flags(*, cross_filesystems: bool) -> tuple[int, int]:
    """How places are opened (openat2(2)): in general, and only from the kernel's caches."""
    flags = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS | syscalls.RESOLVE_NO_SYMLINKS
    if not cross_filesystems:
        flags |= syscalls.RESOLVE_NO_XDEV
    return flags, flags | syscalls.RESOLVE_CACHED


def _same_folder(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether it is the same folder with the same owner and mode, so that what was permitted still is."""
    return _permissions_of(one) == _permissions_of(other)


def _permissions_of(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_dev, found.st_mode, found.st_uid, found.st_gid
