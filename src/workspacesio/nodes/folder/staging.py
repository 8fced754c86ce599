"""The staging folder: where bytes wait, on the target's filesystem, until they become an object.

`.workspacesio/` lies at the node's root, and at the root of every filesystem mounted inside where the node crosses
filesystems, with mode 0700. In it:

- `new/`: files being written. Each is locked by flock(2) as long as its writer lives; one that can be locked is
  left over from a process that died.
- `uploads/`, `completed/`: multipart uploads, see `upload_folder.py`.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workspacesio.domain.names import STAGING_FOLDER
from workspacesio.nodes.errors import NodeRefused
from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.resolve import NodeTree, join

STAGING = STAGING_FOLDER.encode()
NEW = b"new"
UPLOADS = b"uploads"
COMPLETED = b"completed"
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


_UNTRUSTED = (
    f"The folder {STAGING_FOLDER} at the root of this node {{}}, so nothing is written here; "
    "the node's operator has to move it away."
)


class StagedFile:
    """A file that disappears unless it is published (or `kept`). Jobs in threads hold it by `use`.

    Bytes go to `fd` from `offset` on. `name` is what is removed from the folder `folder_fd`. Where the file holds
    more than this one's bytes, `reserved` is how many are this one's, to be given back. (They are allocated with
    the file's size: ext4 gives nothing back beyond it.)
    `discard` may be called at any time, from any thread: the file goes when the last job has let go of it.
    """

    def __init__(
        self,
        folder_fd: int,
        name: bytes,
        fd: int,
        *,
        offset: int = 0,
        reserved: int = 0,
        kept: bool = False,
    ) -> None:
        self.reserved = reserved
        self.folder_fd = folder_fd
        self.name = name
        self.fd = fd
        self.offset = offset
        self._published = kept
        self._users = 1
        self._discarded = False
        self._lock = threading.Lock()

    @contextmanager
    def use(self) -> Iterator[int]:
        """The descriptor, safe from being closed. Raises ValueError after `discard`."""
        with self._lock:
            if self._discarded:
                raise ValueError("the staged file was discarded")
            self._users += 1
        try:
            yield self.fd
        finally:
            self._release()

    def truncate(self, size: int) -> None:
        """Cut to `size`, and give back what was allocated beyond it."""
        os.ftruncate(self.fd, size)

    def published(self) -> None:
        """The file has its own name now; only the descriptors are left to be closed."""
        self._published = True

    def discard(self) -> None:
        with self._lock:
            if self._discarded:
                return
            self._discarded = True
        self._release()

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
        if not self._published:
            syscalls.give_back(self.fd, self.offset, self.reserved)
            with contextlib.suppress(OSError):
                os.unlink(self.name, dir_fd=self.folder_fd)
        os.close(self.fd)
        os.close(self.folder_fd)

    def __del__(self) -> None:
        self.discard()


class Staging:
    """The staging folders of one node. Methods raise OSError and are safe in threads and processes."""

    def __init__(self, tree: NodeTree) -> None:
        self._tree = tree

    def open_folder(self, device_root: bytes, name: bytes) -> int:
        """A descriptor of the sub-folder `name` of the staging folder at `device_root`, made when missing."""
        try:
            return self._open_private(device_root, name)
        except FileNotFoundError:
            self._make(device_root, name)
            return self._open_private(device_root, name)

    def find_folder(self, device_root: bytes, name: bytes) -> int | None:
        """As `open_folder` for who only looks: None where there is no such folder, or none to be trusted."""
        try:
            return self._open_private(device_root, name)
        except (OSError, NodeRefused):
            return None

    def _open_private(self, device_root: bytes, name: bytes) -> int:
        """Both are looked at each time: whoever may write in the first can put another in the second's place."""
        staging = join(device_root, STAGING)
        if not _is_private(os.stat(staging, dir_fd=self._tree.root_fd, follow_symlinks=False)):
            os.close(self._checked(staging))
        return self._checked(join(staging, name))

    def _checked(self, place: bytes) -> int:
        """A descriptor of the folder, which nobody else may enter from now on. Raises NodeRefused."""
        try:
            fd = self._tree.open_folder(place)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise NodeRefused(_UNTRUSTED.format("is no folder")) from error
            raise
        try:
            _take_private(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _make(self, device_root: bytes, name: bytes) -> None:
        root = self._tree.open_folder(device_root)
        try:
            _make_private(root, STAGING)
            staging = self._checked(join(device_root, STAGING))
            try:
                _make_private(staging, name)
                os.fsync(staging)
            finally:
                os.close(staging)
            os.fsync(root)
        finally:
            os.close(root)

    def create(self, device_root: bytes) -> StagedFile:
        """An empty file that its process has locked."""
        folder_fd = self.open_folder(device_root, NEW)
        try:
            while True:
                name = secrets.token_hex(12).encode()
                fd = os.open(name, _CREATE, 0o600, dir_fd=folder_fd)
                fcntl.flock(fd, fcntl.LOCK_EX)
                if os.fstat(fd).st_nlink:
                    return StagedFile(folder_fd, name, fd)
                os.close(fd)
        except BaseException:
            os.close(folder_fd)
            raise

    def device_root(self, folder: bytes) -> bytes:
        """The highest folder above the place `folder` from which files can be renamed into it.

        A folder that vanished meanwhile is made again where its parent lies.
        """
        device: tuple[int, int] | None = None
        root = folder
        while True:
            try:
                found = self._device(folder)
            except FileNotFoundError:
                found = None
            if found == (self._tree.root_stat.st_dev, 0):
                return b""
            if device is not None and found != device:
                return root
            if found is not None:
                device, root = found, folder
            if not folder:
                return root
            folder = folder.rpartition(b"/")[0]

    def _device(self, place: bytes) -> tuple[int, int]:
        """st_dev (which btrfs gives each subvolume), and the mount's number where mounts are crossed."""
        if not self._tree.cross_filesystems:
            found = os.stat(place or b".", dir_fd=self._tree.root_fd, follow_symlinks=False)
            return found.st_dev, 0
        fd = self._tree.open_folder(place)
        try:
            return os.fstat(fd).st_dev, mount_number(fd)
        finally:
            os.close(fd)

    def device_roots(self) -> list[bytes]:
        """Every place where this node may have a staging folder: its root and the mounts below it."""
        roots = [b""]
        if not self._tree.cross_filesystems:
            return roots
        base = os.path.realpath(os.fsencode(self._tree.path)).rstrip(b"/") + b"/"
        with open("/proc/self/mountinfo", "rb") as file:
            for line in file:
                point = _unescaped(line.split(b" ")[4])
                if point.startswith(base):
                    roots.append(point[len(base) :])
        return roots

    def clear_new(self) -> int:
        """Remove the files of writers that died; returns how many."""
        cleared = 0
        for device_root in self.device_roots():
            folder_fd = self.find_folder(device_root, NEW)
            if folder_fd is None:
                continue
            try:
                cleared += sum(_clear_if_dead(folder_fd, name) for name in os.listdir(folder_fd))
            finally:
                os.close(folder_fd)
        return cleared


def mount_number(fd: int) -> int:
    """`mnt_id` of proc_pid_fdinfo(5)."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
        for line in file:
            if line.startswith(b"mnt_id:"):
                return int(line.split()[1])
    return 0


def _make_private(parent_fd: int, name: bytes) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent_fd)


def _is_private(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _take_private(fd: int) -> None:
    """Take everybody else's permissions from a staging folder of ours. Raises NodeRefused.

    On filesystems that keep no modes, chmod(2) is refused or changes nothing, and whoever may write there may
    write the objects as well.
    """
    found = os.fstat(fd)
    if found.st_uid != os.geteuid():
        raise NodeRefused(_UNTRUSTED.format("belongs to another account"))
    if not _is_private(found):
        with contextlib.suppress(PermissionError):
            os.fchmod(fd, 0o700)


def _clear_if_dead(folder_fd: int, name: str) -> bool:
    try:
        fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder_fd)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _unescaped(field: bytes) -> bytes:
    r"""proc_pid_mountinfo(5) writes space, tab, newline and backslash as \ooo."""
    for code in (b"\\040", b"\\011", b"\\012", b"\\134"):
        field = field.replace(code, bytes([int(code[1:], 8)]))
    return field
