"""The record that is kept with an object: how it is written, where, and when it is believed.

It is the extended attribute `user.workspacesio` of the file (see `file_record.py`) or folder (see `record.py`), or
the same in a side file in the state folder where the attribute doesn't fit or isn't supported:

- `STATE/metadata/NODE/xx/HASH`, HASH being the SHA-256 of 'INODE:SIZE:MTIME' (a folder's: 'INODE/') and xx its
  first two digits. So it follows a file that is renamed. Written under another name, then renamed.
- A file whose record didn't fit has a short one as its attribute, without headers and the like, marked as such.
- A file that could not even take that has none. Looking for side files of such files is switched on by the
  file `STATE/metadata/NODE/without-attributes`.
"""

import contextlib
import errno
import hashlib
import os
import secrets

import orjson

from workspacesio.nodes.folder.file_record import Record, read_record, short_record, told_by, written_record
from workspacesio.nodes.folder.record import (
    EMPTY_MD5,
    PLAIN_FOLDER,
    FolderRecord,
    derived_etag,
    details_of,
    folder_record,
    metadata_of,
    parsed,
    raw_folder_record,
)
from workspacesio.nodes.values import ObjectMetadata

__all__ = [
    "ATTRIBUTE",
    "EMPTY_MD5",
    "FolderRecord",
    "MetadataStore",
    "derived_etag",
    "details_of",
    "metadata_of",
    "told_by",
]

ATTRIBUTE = b"user.workspacesio"

_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_TOO_BIG = frozenset({errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EDQUOT})
_NONE_THERE = _UNSUPPORTED | {errno.ENODATA, errno.ENOENT}


class MetadataStore:
    """Reads and writes records of one node. Methods raise OSError and are safe in threads and processes."""

    def __init__(self, state_dir: str, node_id: int | str) -> None:
        self._folder = os.path.join(state_dir, "metadata", str(node_id))
        self._switch = os.path.join(self._folder, "without-attributes")

    # --- reading --------------------------------------------------------------------------------------------

    def read(self, fd: int, found: os.stat_result, key: str) -> ObjectMetadata:
        """The metadata of an opened file; `found` is its fstat."""
        return told_by(self.record(fd, found), found, key)

    def record(self, where: int | bytes, found: os.stat_result) -> Record | None:
        """The whole record of a file, or None where there is none that describes it.

        `where` is a descriptor, or a path whose last component is not followed. One that still has a side file is
        one whose side file was lost: only its etag holds.
        """
        value = self._attribute(where)
        if value is None:
            value = self._side(_file_identity(found)) if self.looks_for_side_files() else None
        record = None if value is None else read_record(value, found)
        if record is not None and record.has_side_file:
            whole = self._side(_file_identity(found))
            record = (None if whole is None else read_record(whole, found)) or record
        return record

    def etag_of(
        self, folder_fd: int, name: bytes, found: os.stat_result, *, side_files: bool
    ) -> tuple[str, str | None]:
        """ETag and checksum algorithm for a listing, without opening the file; `found` is its lstat.

        `side_files` is what `looks_for_side_files` said when the page was begun.
        """
        value = self._attribute(b"/proc/self/fd/%d/%b" % (folder_fd, name))
        if value is None and side_files:
            value = self._side(_file_identity(found))
        record = None if value is None else read_record(value, found)
        return (derived_etag(found), None) if record is None else (record.etag, record.algorithm)

    def looks_for_side_files(self) -> bool:
        """Whether there may be files with a record and no attribute. One system call."""
        return os.access(self._switch, os.F_OK)

    def folder(self, where: int | bytes, found: os.stat_result) -> FolderRecord:
        """The record of a folder; `where` as in `record`, `found` its stat."""
        value = self._attribute(where)
        raw = None if value is None else parsed(value)
        if "x" in raw if raw is not None else self.looks_for_side_files():
            value = self._side(_folder_identity(found.st_ino))
            raw = None if value is None else parsed(value)
        return PLAIN_FOLDER if raw is None else folder_record(raw, found)

    def _attribute(self, where: int | bytes) -> bytes | None:
        try:
            return os.getxattr(where, ATTRIBUTE, follow_symlinks=isinstance(where, int))
        except OSError as error:
            if error.errno in _NONE_THERE or error.errno in (errno.EACCES, errno.EPERM):
                return None
            raise

    def _side(self, identity: bytes) -> bytes | None:
        try:
            with open(self._side_path(identity), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    # --- writing --------------------------------------------------------------------------------------------

    def write(self, fd: int, found: os.stat_result, metadata: ObjectMetadata, *, durable: bool) -> bool:
        """Keep `metadata` for the opened file; `found` is its fstat, which the record describes.

        Returns whether a side file was needed.
        """
        value = written_record(found, metadata)
        if not self._set_attribute(fd, value):
            self._write_beside(fd, _file_identity(found), value, short_record(found, metadata), durable=durable)
            return True
        return False

    def write_folder(self, fd: int, inode: int, record: FolderRecord, *, durable: bool) -> None:
        """Keep a folder's record; a plain folder has none."""
        if record == PLAIN_FOLDER:
            self._remove_attribute(fd)
            self._forget(_folder_identity(inode))
            return
        value = orjson.dumps(raw_folder_record(inode, record))
        if not self._set_attribute(fd, value):
            short = orjson.dumps({"i": inode, "x": 1})
            self._write_beside(fd, _folder_identity(inode), value, short, durable=durable)

    def _set_attribute(self, fd: int, value: bytes) -> bool:
        """False where it doesn't fit or isn't supported."""
        try:
            os.setxattr(fd, ATTRIBUTE, value)
        except OSError as error:
            if error.errno not in _UNSUPPORTED | _TOO_BIG:
                raise
            return False
        return True

    def _write_beside(self, fd: int, identity: bytes, value: bytes, short: bytes, *, durable: bool) -> None:
        path = self._side_path(identity)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_file(path, value, durable=durable)
        if not self._set_attribute(fd, short):
            self._remove_attribute(fd)
            self._switch_on(durable=durable)

    def _switch_on(self, *, durable: bool) -> None:
        if not os.path.exists(self._switch):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            os.close(os.open(self._switch, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if durable:
                sync_folder(self._folder)

    def _remove_attribute(self, fd: int) -> None:
        try:
            os.removexattr(fd, ATTRIBUTE)
        except OSError as error:
            if error.errno not in _NONE_THERE:
                raise

    def forget(self, found: os.stat_result) -> None:
        """Remove the side file of a file that is gone, if it had one; `found` is its last stat."""
        self._forget(_file_identity(found))

    def forget_folder(self, found: os.stat_result) -> None:
        self._forget(_folder_identity(found.st_ino))

    def _forget(self, identity: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._side_path(identity))

    def clear_temporary(self, before: float) -> None:
        """Remove what writers of side files left half written before this time (POSIX seconds)."""
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    if "." in name and os.stat(path).st_mtime < before:
                        os.unlink(path)

    def _side_path(self, identity: bytes) -> str:
        name = hashlib.sha256(identity).hexdigest()
        return os.path.join(self._folder, name[:2], name)


def _file_identity(found: os.stat_result) -> bytes:
    return b"%d:%d:%d" % (found.st_ino, found.st_size, found.st_mtime_ns)


def _folder_identity(inode: int) -> bytes:
    return b"%d/" % inode


def write_file(path: str, content: bytes, *, durable: bool) -> None:
    """Replace a small file as a whole."""
    temporary = f"{path}.{secrets.token_hex(6)}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
