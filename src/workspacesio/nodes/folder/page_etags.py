"""ETags of many files in one folder, as a listing needs them: the answers of `MetadataStore.etag_of`, sooner.

One getxattr(2) per file can't be avoided, since nothing in a file's stat tells whether it has a record. So its
buffer is made once per page, and that there is no record, the usual case in a folder that was imported, costs no
exception: a page of 1,000 takes about a third of the time.
"""

import ctypes
import errno
import os

from workspacesio.nodes.folder.file_record import read_record
from workspacesio.nodes.folder.metadata import ATTRIBUTE, MetadataStore, derived_etag

_BUFFER_BYTES = 1_024

_NO_RECORD = frozenset({errno.ENODATA, errno.ENOTSUP})

_lgetxattr = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, use_errno=True
)(("lgetxattr", ctypes.CDLL(None, use_errno=True)))


class PageEtags:
    """For one page, in one thread."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._side_files = store.looks_for_side_files()
        self._buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        self._address = ctypes.addressof(self._buffer)

    def of(self, folder_fd: int, name: bytes, found: os.stat_result) -> tuple[str, str | None]:
        """ETag and checksum algorithm of a file in the opened folder; `found` is its lstat. Raises OSError."""
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
