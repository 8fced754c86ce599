"""ETags of many files in one folder, as a listing needs them: the answers of `MetadataStore.etag_of`, sooner.

Nothing in a file's stat tells whether it has a record, so one getxattr(2) per file can't be avoided the first
time, and later where nobody remembers (`known_etags`). Its buffer is made once per page, and that there is no
record, the usual case in a folder that was imported, costs no exception: a page of 1,000 takes about a third of
the time. From Linux 6.13 on it is getxattrat(2), which looks the name up in the opened folder; before, the way
there leads through /proc.
"""

import errno
import os

from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.file_record import read_record
from workspacesio.nodes.folder.known_etags import KnownEtags
from workspacesio.nodes.folder.metadata import ATTRIBUTE, MetadataStore, derived_etag

_BUFFER_BYTES = 1_024

_NO_RECORD = frozenset({errno.ENODATA, errno.ENOTSUP})


class PageEtags:
    """For one page, in one thread."""

    def __init__(self, store: MetadataStore, known: KnownEtags | None = None) -> None:
        self._store = store
        self._side_files = store.looks_for_side_files()
        self._known = None if self._side_files else known
        self._begun_ns = 0 if known is None else known.now_ns()
        self._read = syscalls.AttributeReader(ATTRIBUTE, _BUFFER_BYTES).read

    def of(self, folder_fd: int, name: bytes, found: os.stat_result) -> tuple[str, str | None]:
        """ETag and checksum algorithm of a file in the opened folder; `found` is its lstat. Raises OSError."""
        if self._known is None:
            return self._read_of(folder_fd, name, found)
        known = self._known.find(found)
        if known is None:
            known = self._read_of(folder_fd, name, found)
            self._known.keep(found, *known, self._begun_ns)
        return known

    def _read_of(self, folder_fd: int, name: bytes, found: os.stat_result) -> tuple[str, str | None]:
        value = self._read(folder_fd, name)
        if isinstance(value, int):
            if not self._side_files and value in _NO_RECORD:
                return derived_etag(found), None
            return self._store.etag_of(folder_fd, name, found, side_files=self._side_files)
        record = read_record(value, found)
        if record is None:
            return derived_etag(found), None
        return record.etag, record.algorithm
