"""inotify(7): hearing from the kernel what happens in single folders, by the functions of the C library.

A watch belongs to a folder's inode, whatever the folder is called later; its number is never used again while the
queue lives. Nothing is told of what lies below, and nothing of what other machines do on a network filesystem.
"""

import ctypes
import errno
import os
import select
import struct
from typing import NamedTuple

ATTRIB = 0x004
CLOSE_WRITE = 0x008
MOVED_FROM = 0x040
MOVED_TO = 0x080
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
OVERFLOW = 0x4000
IGNORED = 0x8000
IS_FOLDER = 0x40000000

_ONLYDIR = 0x01000000
_EXCL_UNLINK = 0x04000000
_ENTRIES = ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
_WATCHED = _ENTRIES | DELETE_SELF | MOVE_SELF | _ONLYDIR | _EXCL_UNLINK

_HEAD = struct.Struct("iIII")
_BUFFER_BYTES = 256 * 1024

_libc = ctypes.CDLL(None, use_errno=True)
_init = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, use_errno=True)(("inotify_init1", _libc))
_add = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32, use_errno=True)(
    ("inotify_add_watch", _libc)
)
_remove = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, use_errno=True)(("inotify_rm_watch", _libc))


class WatchLimit(Exception):
    """The system lets this user watch no more folders, or hold no more queues; says which setting it is."""


class Heard(NamedTuple):
    """`watch` is -1 where the queue overflowed. `name` is b'' where it is about the watched folder itself."""

    watch: int
    mask: int
    name: bytes


class Inotify:
    """One queue of the kernel's, for one thread. Raises WatchLimit, OSError."""

    def __init__(self) -> None:
        self._fd = _init(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            if number in (errno.EMFILE, errno.ENFILE):
                raise WatchLimit(_which("max_user_instances", "max_inotify_instances"))
            raise OSError(number, os.strerror(number))
        self._ready = select.poll()
        self._ready.register(self._fd, select.POLLIN)

    def add(self, folder_fd: int) -> int:
        """Watch the folder that is opened at this descriptor; one that is watched keeps its number."""
        watch: int = _add(self._fd, b"/proc/self/fd/%d" % folder_fd, _WATCHED)
        if watch < 0:
            number = ctypes.get_errno()
            if number == errno.ENOSPC:
                raise WatchLimit(_which("max_user_watches", "max_inotify_watches"))
            raise OSError(number, os.strerror(number))
        return watch

    def remove(self, watch: int) -> None:
        """One that is gone already is no error."""
        _remove(self._fd, watch)

    def read(self, seconds: float) -> list[Heard]:
        """What happened, in its order; waits so long when nothing did."""
        if not self._ready.poll(max(0.0, seconds) * 1_000):
            return []
        try:
            data = os.read(self._fd, _BUFFER_BYTES)
        except BlockingIOError:
            return []
        heard = []
        at, end = 0, len(data)
        while at < end:
            watch, mask, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            heard.append(Heard(watch, mask, data[at - length : at].rstrip(b"\0") if length else b""))
        return heard

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def limit(setting: str) -> int | None:
    """A setting of the system's, such as `fs.inotify.max_queued_events`; None where it can't be read."""
    try:
        with open("/proc/sys/" + setting.replace(".", "/")) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _which(of_user: str, of_namespace: str) -> str:
    """The lower of two limits, spelled: a container may have one of its own (user_namespaces(7))."""
    found = [(limit(name), name) for name in (f"fs.inotify.{of_user}", f"user.{of_namespace}")]
    known = [(value, name) for value, name in found if value is not None]
    if not known:
        return f"fs.inotify.{of_user}"
    value, name = min(known)
    return f"{name} is {value}"
