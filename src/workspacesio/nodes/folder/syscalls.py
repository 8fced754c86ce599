"""The Linux calls that Python's `os` doesn't have: openat2(2), renameat2(2), statfs(2), cachestat(2) and others.

Each raises OSError as `os` does. Numbers and structures are those of the 64-bit kernel interfaces (man-pages
section 2, linux/openat2.h, linux/fs.h); openat2 and renameat2 have the same numbers on x86-64 and arm64 from
the generic table on, except where noted.
"""

import ctypes
import errno
import fcntl
import os
import platform
import struct
from typing import NamedTuple

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_CACHED = 0x20

RENAME_NOREPLACE = 1

_SYS_OPENAT2 = 437
_SYS_CACHESTAT = 451
_SYS_GETXATTRAT = ctypes.c_long(464)
_XATTR_ARGS_BYTES = ctypes.c_size_t(16)
_AT_SYMLINK_NOFOLLOW = 0x100
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SYS_RENAMEAT2 = 316 if platform.machine() == "x86_64" else 276
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
_SYNC_FILE_RANGE_WRITE = 2
_FICLONE = 0x40049409
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_GETFSUUID = 0x80111500
_FS_CASEFOLD_FL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


# Threads of the event loop and of pools call these at once, so nothing here is shared between calls but `_hows`.


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_openat2 = ctypes.CFUNCTYPE(
    ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, use_errno=True
)(("syscall", _libc))
_cachestat = ctypes.CFUNCTYPE(
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_uint,
    use_errno=True,
)(("syscall", _libc))
_lgetxattr = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, use_errno=True
)(("lgetxattr", _libc))
_getxattrat = ctypes.CDLL(None, use_errno=True).syscall
_getxattrat.restype = ctypes.c_long
"""Called for every file of a crawl or a listing: to convert each argument by its type would take two thirds as
long as the call. So C longs are given as such; of other numbers only 32 bits count."""
_renameat2 = ctypes.CFUNCTYPE(
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_uint,
    use_errno=True,
)(("syscall", _libc))
_fallocate = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64, use_errno=True
)(("fallocate64", _libc))
_sync_file_range = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint, use_errno=True
)(("sync_file_range", _libc))
_fstatfs = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, use_errno=True)(("fstatfs64", _libc))

_hows: dict[tuple[int, int], _OpenHow] = {}


def _raise() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def openat2(folder_fd: int, path: bytes, flags: int, resolve: int) -> int:
    """openat2(2): open `path` (b'' is the folder itself) under `folder_fd` by the RESOLVE_ rules."""
    if b"\0" in path:
        raise ValueError("embedded null byte")
    how = _hows.get((flags, resolve))
    if how is None:
        how = _hows.setdefault((flags, resolve), _OpenHow(flags | os.O_CLOEXEC, 0, resolve))
    fd: int = _openat2(_SYS_OPENAT2, folder_fd, path or b".", ctypes.addressof(how), 24)
    if fd < 0:
        raise _raise()
    return fd


def rename_new(old_fd: int, old: bytes, new_fd: int, new: bytes) -> None:
    """renameat2(2) with RENAME_NOREPLACE: FileExistsError when `new` exists; EINVAL where it's unsupported."""
    if _renameat2(_SYS_RENAMEAT2, old_fd, old, new_fd, new, RENAME_NOREPLACE) != 0:
        raise _raise()


def preallocate(fd: int, offset: int, size: int, *, keep_size: bool) -> None:
    """fallocate(2), so that a full disk shows before the bytes come."""
    if size > 0 and _fallocate(fd, _FALLOC_FL_KEEP_SIZE if keep_size else 0, offset, size) != 0:
        raise _raise()


def give_back(fd: int, offset: int, size: int) -> None:
    """fallocate(2) with FALLOC_FL_PUNCH_HOLE: free these bytes' blocks. Only a saving: errors are ignored."""
    if size > 0:
        _fallocate(fd, _FALLOC_FL_KEEP_SIZE | _FALLOC_FL_PUNCH_HOLE, offset, size)


def start_writeback(fd: int, offset: int, size: int) -> None:
    """sync_file_range(2): begin writing dirty pages out, without waiting. Only a hint: errors are for fsync."""
    _sync_file_range(fd, offset, size, _SYNC_FILE_RANGE_WRITE)


def is_cached(fd: int, offset: int, size: int) -> bool:
    """cachestat(2), Linux 6.5 and newer: whether the kernel has these bytes of a file in memory. Else False."""
    counts = ctypes.create_string_buffer(40)
    if _cachestat(_SYS_CACHESTAT, fd, struct.pack("QQ", offset, size), counts, 0) != 0:
        return False
    pages = (offset + size - 1) // _PAGE_BYTES - offset // _PAGE_BYTES + 1
    return bool(struct.unpack_from("Q", counts)[0] >= pages)


def clone(source_fd: int, target_fd: int) -> None:
    """FICLONE of ioctl_ficlonerange(2): the target shares the source's blocks."""
    fcntl.ioctl(target_fd, _FICLONE, source_fd)


def folds_case(folder_fd: int) -> bool:
    """Whether a folder of ext4, f2fs or tmpfs has the casefold flag (FS_CASEFOLD_FL of ioctl_iflags(2))."""
    try:
        raw = fcntl.ioctl(folder_fd, _FS_IOC_GETFLAGS, b"\0" * 8)
    except OSError:
        return False
    return bool(struct.unpack_from("I", raw)[0] & _FS_CASEFOLD_FL)


def filesystem_uuid(fd: int) -> str | None:
    """The filesystem's UUID as hex (FS_IOC_GETFSUUID, Linux 6.9 and newer), or None."""
    try:
        raw = fcntl.ioctl(fd, _FS_IOC_GETFSUUID, b"\0" * 17)
    except OSError:
        return None
    length = raw[0]
    uuid = raw[1 : 1 + length]
    return uuid.hex() if 0 < length <= 16 and any(uuid) else None


class FilesystemFacts(NamedTuple):
    kind: int
    """f_type of statfs(2)."""
    identifier: str
    """f_fsid as hex; all zeros where the filesystem has none."""


def statfs(fd: int) -> FilesystemFacts:
    """fstatfs(2). The structure of 64-bit Linux: seven longs, then f_fsid as two ints."""
    raw = ctypes.create_string_buffer(256)
    if _fstatfs(fd, ctypes.addressof(raw)) != 0:
        raise _raise()
    kind = struct.unpack_from("q", raw.raw)[0]
    return FilesystemFacts(kind, raw.raw[56:64].hex())


def _knows_getxattrat() -> bool:
    size = _getxattrat(_SYS_GETXATTRAT, -1, b"/", _AT_SYMLINK_NOFOLLOW, b"user.none", bytes(16), _XATTR_ARGS_BYTES)
    return bool(size >= 0 or ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM))


HAS_GETXATTRAT = _knows_getxattrat()


class AttributeReader:
    """Reads one extended attribute of many files, without following links, into one buffer: for one thread.

    By getxattrat(2), Linux 6.13 and newer, which looks names up in the opened folder; before, the way there leads
    through /proc.
    """

    def __init__(self, attribute: bytes, longest: int) -> None:
        self._attribute = attribute
        self._longest = longest
        self._buffer = ctypes.create_string_buffer(longest)
        self._address = ctypes.addressof(self._buffer)
        # struct xattr_args of linux/xattr.h: address and size of the buffer, no flags.
        self._arguments = struct.pack("QII", self._address, longest, 0)

    def read(self, folder_fd: int, name: bytes) -> bytes | int:
        """The value, or the error's number: that there is none is usual, and an exception would cost time."""
        if HAS_GETXATTRAT:
            size = _getxattrat(
                _SYS_GETXATTRAT,
                folder_fd,
                name,
                _AT_SYMLINK_NOFOLLOW,
                self._attribute,
                self._arguments,
                _XATTR_ARGS_BYTES,
            )
        else:
            path = b"/proc/self/fd/%d/%b" % (folder_fd, name)
            size = _lgetxattr(path, self._attribute, self._address, self._longest)
        return ctypes.string_at(self._address, size) if size >= 0 else ctypes.get_errno()
