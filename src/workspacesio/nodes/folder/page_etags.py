"""ETags of many files in one folder, as a listing needs them: the answers of `MetadataStore.etag_of`, sooner.

One getxattr(2) per file can't be avoided, since nothing in a file's stat tells whether it has a record. So its
buffer is made once per page, and that there is no record, the usual case in a folder that was imported, costs no
exception: a page of 1,000 takes about a third of the time. From Linux 6.13 on it is getxattrat(2), which looks the
name up in the opened folder; before, the way there leads through /proc.
"""

import ctypes
import errno
import os
import struct

from workspacesio.nodes.folder.file_record import read_record
from workspacesio.nodes.folder.metadata import ATTRIBUTE, MetadataStore, derived_etag

_BUFFER_BYTES = 1_024

_NO_RECORD = frozenset({errno.ENODATA, errno.ENOTSUP})

_SYS_GETXATTRAT = 464
_AT_SYMLINK_NOFOLLOW = 0x100

_libc = ctypes.CDLL(None, use_errno=True)
_lgetxattr = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, use_errno=True
)(("lgetxattr", _libc))
_getxattrat = ctypes.CFUNCTYPE(
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_uint,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
    use_errno=True,
)(("syscall", _libc))


def _knows_getxattrat() -> bool:
    size = _getxattrat(_SYS_GETXATTRAT, -1, b"/", _AT_SYMLINK_NOFOLLOW, ATTRIBUTE, bytes(16), 16)
    return bool(size >= 0 or ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM))


_HAS_GETXATTRAT = _knows_getxattrat()


class PageEtags:
    """For one page, in one thread."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._side_files = store.looks_for_side_files()
        self._buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        self._address = ctypes.addressof(self._buffer)
        # struct xattr_args of linux/xattr.h: address and size of the buffer, no flags.
        self._arguments = struct.pack("QII", self._address, _BUFFER_BYTES, 0)

    def of(self, folder_fd: int, name: bytes, found: os.stat_result) -> tuple[str, str | None]:
        """ETag and checksum algorithm of a file in the opened folder; `found` is its lstat. Raises OSError."""
        if _HAS_GETXATTRAT:
            size = _getxattrat(
                _SYS_GETXATTRAT, folder_fd, name, _AT_SYMLINK_NOFOLLOW, ATTRIBUTE, self._arguments, 16
            )
        else:
            path = b"/proc/self/fd/%d/%b" % (folder_fd, name)
            size = _lgetxattr(path, ATTRIBUTE, self._address, _BUFFER_BYTES)
        if size < 0:
            if not self._side_files and ctypes.get_errno() in _NO_RECORD:
                return derived_etag(found), None
            return self._store.etag_of(folder_fd, name, found, side_files=self._side_files)
        record = read_record(ctypes.string_at(self._address, size), found)
        if record is None:
            return derived_etag(found), None
        return record.etag, record.algorithm
