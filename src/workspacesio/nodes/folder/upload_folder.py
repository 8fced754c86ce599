"""Where a multipart upload is kept: `.workspacesio/uploads/UPLOAD_ID/` on the target's filesystem.

- `upload.json`: bucket, key, beginning, initiator, metadata.
- `grid` and `grid.json`: the grid is one file in which part N lies at (N - 1) * P, P being the size of the first
  part of at least 5 MiB to arrive (`{"size": P}`). So parts of equal size make up the object without another copy.
- `slot-NNNNN`: somebody writes or wrote part N in the grid; never a second time after that was acknowledged.
- `own-NNNNN-…`: a part in a file of its own: sent again, of another size, or the first was still being written.
- `part-NNNNN.json`: an acknowledged part, and in which of these files it lies. Renamed into place as a whole.
- `complete.lock`: locked by flock(2) by the one who completes. Writers of the grid hold a shared lock on it, who
  completes needs an exclusive one to make it the object; so nobody has it open for writing afterwards.
- `completing.json`: what is about to be published, and from which inode. When that inode isn't here any more,
  it was. `.workspacesio/completed/UPLOAD_ID.json` keeps it for those who ask again.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workspacesio.nodes.errors import NoSuchUpload
from workspacesio.nodes.folder.json_files import read_json, write_json
from workspacesio.nodes.folder.metadata import details_of, metadata_of
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.resolve import join
from workspacesio.nodes.folder.staging import STAGING, UPLOADS
from workspacesio.nodes.values import ObjectAddress, PartInfo, UploadInfo

UPLOAD = b"upload.json"
GRID = b"grid"
GRID_SIZE = b"grid.json"
COMPLETE_LOCK = b"complete.lock"
COMPLETING = b"completing.json"

MIN_PART_BYTES = 5 << 20
"""Amazon S3 User Guide, "Amazon S3 multipart upload limits"; the last part may be smaller."""

_REMOVALS = 100
_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"part-([0-9]{5})\.json")
_OWN = re.compile(r"own-[0-9]{5}-[0-9a-f]{16}")


def new_upload_id() -> str:
    """Begins with the time, so that ids order as uploads were begun: markers of listings are ids."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def part_record(number: int) -> bytes:
    return b"part-%05d.json" % number


def slot(number: int) -> bytes:
    return b"slot-%05d" % number


@dataclass(frozen=True, slots=True)
class StoredPart:
    """`file` is the name of its own file, or '' when it lies in the grid."""

    info: PartInfo
    file: str


@dataclass(frozen=True, slots=True)
class UploadFolder:
    """An opened upload. `place` is that of its folder, `fd` its descriptor."""

    upload: UploadInfo
    device_root: bytes
    fd: int

    @property
    def place(self) -> bytes:
        return upload_place(self.device_root, self.upload.upload_id)

    def close(self) -> None:
        os.close(self.fd)

    def grid_size(self) -> int | None:
        try:
            size = read_json(self.fd, GRID_SIZE)["size"]
        except FileNotFoundError:
            return None
        return size if isinstance(size, int) else None

    def part_numbers(self) -> list[int]:
        found = (_PART.fullmatch(name) for name in os.listdir(self.fd))
        return sorted(int(match[1]) for match in found if match)

    def part(self, number: int) -> StoredPart | None:
        try:
            raw = read_json(self.fd, part_record(number))
        except FileNotFoundError:
            return None
        if raw["file"] and not _OWN.fullmatch(raw["file"]):
            # Never a path: what is read here ends up in an object.
            return None
        info = PartInfo(number, raw["size"], raw["etag"], raw["checksums"], raw["modified"])
        return StoredPart(info, raw["file"])

    def write_part(self, part: StoredPart, *, durable: bool) -> None:
        """Make `part` the acknowledged one of its number."""
        info = part.info
        content = {
            "size": info.size,
            "etag": info.etag,
            "checksums": dict(info.checksums),
            "modified": info.modified,
            "file": part.file,
        }
        write_json(self.fd, part_record(info.number), content, durable=durable)


def upload_place(device_root: bytes, upload_id: str) -> bytes:
    return join(join(join(device_root, STAGING), UPLOADS), upload_id.encode())


def check_upload_id(upload_id: str) -> None:
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise NoSuchUpload("There is no such upload.")


def open_upload(node: FolderNode, address: ObjectAddress, upload_id: str) -> UploadFolder:
    """The upload of this very key. Blocking. Raises NoSuchUpload; whoever calls closes it."""
    check_upload_id(upload_id)
    for device_root in device_roots(node, address):
        found = open_upload_at(node, device_root, upload_id)
        if found is None:
            continue
        folder, bucket = found
        if bucket == address.bucket and folder.upload.key == address.key:
            return folder
        folder.close()
    raise NoSuchUpload("There is no such upload.")


def open_upload_at(node: FolderNode, device_root: bytes, upload_id: str) -> tuple[UploadFolder, str] | None:
    """The upload and its bucket, or None. What another account put there is no upload."""
    try:
        fd = node.tree.open_folder(upload_place(device_root, upload_id))
    except OSError:
        return None
    if os.fstat(fd).st_uid != os.geteuid():
        os.close(fd)
        return None
    try:
        raw = read_json(fd, UPLOAD)
        metadata = metadata_of({"e": "", **raw["metadata"]})
        assert metadata is not None
        upload = UploadInfo(
            upload_id,
            raw["key"],
            raw["initiated"],
            raw["initiator"],
            metadata,
            raw["checksum_algorithm"],
            raw["checksum_type"],
        )
    except (OSError, ValueError, KeyError, AssertionError):
        os.close(fd)
        return None
    return UploadFolder(upload, device_root, fd), raw["bucket"]


def describe(upload: UploadInfo, bucket: str) -> dict[str, object]:
    return {
        "bucket": bucket,
        "key": upload.key,
        "initiated": upload.initiated,
        "initiator": upload.initiator_id,
        "metadata": details_of(upload.metadata),
        "checksum_algorithm": upload.checksum_algorithm,
        "checksum_type": upload.checksum_type,
    }


@contextmanager
def opened_upload(node: FolderNode, address: ObjectAddress, upload_id: str) -> Iterator[UploadFolder]:
    """`open_upload` for a while; what vanishes meanwhile means that the upload was ended."""
    folder = open_upload(node, address, upload_id)
    try:
        yield folder
    except FileNotFoundError as error:
        raise NoSuchUpload("The upload was ended meanwhile.") from error
    finally:
        folder.close()


def device_roots(node: FolderNode, address: ObjectAddress) -> list[bytes]:
    """Where the upload's staging folder may be, the likeliest first."""
    node.tree.check()
    return list(dict.fromkeys([staging_root(node, address), *node.staging.device_roots()]))


def staging_root(node: FolderNode, address: ObjectAddress) -> bytes:
    """Whose staging folder is on the filesystem where the key lies or will lie."""
    walk = node.tree.address_walk(address)
    folder = walk.place if stat.S_ISDIR(walk.stat.st_mode) else walk.place.rpartition(b"/")[0]
    return node.staging.device_root(folder)


def remove_upload(node: FolderNode, folder: UploadFolder) -> int:
    """End an upload: it is gone at once by a rename, then its files are removed. Returns its parts' bytes.

    These are summed up once it is gone: no part is acknowledged after that.
    """
    parent_place, _, name = folder.place.rpartition(b"/")
    parent = node.tree.open_folder(parent_place)
    gone = b"gone-" + name + b"-" + secrets.token_hex(4).encode()
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, gone, src_dir_fd=parent, dst_dir_fd=parent)
            node.sync(parent)
        stored = [folder.part(number) for number in folder.part_numbers()]
        remove_folder(gone, folder.fd, parent)
        return sum(part.info.size for part in stored if part is not None)
    finally:
        os.close(parent)


def remove_folder(name: bytes, fd: int, parent: int) -> None:
    """Remove the folder `name` in `parent`, opened as `fd`, and its files.

    Who opened it before it got this name may put files into it until it is gone: a few at most.
    """
    for _ in range(_REMOVALS):
        _empty_folder(fd)
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                continue
        break


def _empty_folder(fd: int) -> None:
    for name in os.listdir(fd):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=fd)
