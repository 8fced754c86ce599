"""What the client needs of a system that not every system has: the only place that looks what there is.

On Windows files have no owner and no mode that matter here: what lies in a user's profile is for that user, for
administrators and for the system itself, by the access list that it takes from its folder.
"""

from __future__ import annotations

import os
import stat
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

NOT_THROUGH_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""For `os.open`; 0 where it can't be asked for."""
BINARY = getattr(os, "O_BINARY", 0)

_moved = allocate_lock()


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """So many bytes of a file from `offset` on, fewer only at its end. For several threads. Raises OSError."""
    if hasattr(os, "pread"):
        found: bytes = os.pread(descriptor, length, offset)
        return found
    with _moved:  # the position is one for all threads
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)


def lock(descriptor: int) -> None:
    """Keep a file, just opened, for this process until it is closed. Raises OSError where another one has it."""
    fcntl = _module("fcntl")
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    msvcrt = _module("msvcrt")
    if msvcrt is not None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # its first byte stands for all of it


def settle(path: str) -> None:
    """A file that was just put there outlasts a crash of the machine, and so does its name. Raises OSError."""
    folder = os.path.dirname(path) or "."
    # Windows takes only what may be written, and no folders: there a name outlasts with its file (NTFS).
    for one in (path,) if os.name == "nt" else (path, folder):
        descriptor = os.open(one, (os.O_RDWR if os.name == "nt" else os.O_RDONLY) | BINARY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def set_time(path: str, at: float) -> None:
    """When a file was last written, in seconds since 1970; for one that nobody has open. Raises OSError."""
    os.utime(path, (at, at), follow_symlinks=os.utime not in os.supports_follow_symlinks)


def is_anothers(status: os.stat_result) -> bool:
    """Whether a file is another user's; never, where files have no owners."""
    return hasattr(os, "geteuid") and status.st_uid != os.geteuid()


def make_private(descriptor: int, status: os.stat_result) -> bool:
    """Take a file's rights from everybody but its owner. False if nobody else had any. Raises OSError."""
    change = getattr(os, "fchmod", None)
    # Newer Pythons have it on Windows, too, where a mode says nothing of who may read.
    if change is None or not hasattr(os, "geteuid") or not status.st_mode & 0o077:
        return False
    change(descriptor, 0o600)
    return True


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a folder, and no link to one, lies there: on Windows links are junctions, too. Raises OSError."""
    return entry.is_dir(follow_symlinks=False) and not (os.name == "nt" and is_junction(entry))


def is_link(path: str) -> bool:
    """Whether a link lies there, or a junction. Raises OSError where there is nothing."""
    status = os.lstat(path)
    return stat.S_ISLNK(status.st_mode) or (os.name == "nt" and _is_mount_point(status))


def is_junction(entry: os.DirEntry[str]) -> bool:
    """As Windows has them beside links."""
    return _is_mount_point(entry.stat(follow_symlinks=False))


def _is_mount_point(status: os.stat_result) -> bool:
    """By its tag (IO_REPARSE_TAG_MOUNT_POINT, "Reparse Point Tags", Microsoft Learn)."""
    return getattr(status, "st_reparse_tag", 0) == 0xA0000003


def takes_escapes(stream: TextIO) -> bool:
    """Whether a terminal moves its cursor and colours by the sequences of ECMA-48; one of Windows is told to."""
    if os.name != "nt":
        return True
    import ctypes
    import msvcrt

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - it exists on Windows only
    handle = getattr(msvcrt, "get_osfhandle")(stream.fileno())  # noqa: B009
    mode = ctypes.c_ulong()
    enable_virtual_terminal_processing = 4
    return bool(
        kernel.GetConsoleMode(handle, ctypes.byref(mode))
        and kernel.SetConsoleMode(handle, mode.value | enable_virtual_terminal_processing)
    )


def _module(name: str) -> Any:
    """A module that isn't everywhere, or None."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        return None
