"""Parts of a multipart upload: where their bytes go, and the moment at which one is acknowledged."""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Mapping, Sequence

from workspacesio.nodes.driver import Hasher
from workspacesio.nodes.errors import NoSuchUpload
from workspacesio.nodes.folder import upload_folder
from workspacesio.nodes.folder.json_files import create_json
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.receiving import Receiving, write_all
from workspacesio.nodes.folder.staging import StagedFile
from workspacesio.nodes.folder.upload_folder import StoredPart, UploadFolder, opened_upload
from workspacesio.nodes.values import ObjectAddress, PartInfo

_MAX_GRID_BYTES = 15 << 40
"""Below the largest file of ext4 (16 TiB)."""

_CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class StagedPartBody(Receiving):
    """A `StagedPart` of a folder node."""

    def __init__(
        self,
        node: FolderNode,
        address: ObjectAddress,
        upload_id: str,
        number: int,
        *,
        expected_size: int | None,
        hashers: Sequence[Hasher],
    ) -> None:
        super().__init__(node, expected_size=expected_size, hashers=hashers)
        self._address = address
        self._upload_id = upload_id
        self._number = number
        self._published: PartInfo | None = None

    async def publish(self, etag: str, checksums: Mapping[str, str]) -> PartInfo:
        if self._published is None:
            await self.finish()
            info = PartInfo(self._number, self.size, etag, dict(checksums), time.time())
            await self._node.in_thread(self._publish, info)
            self._published = info
        return self._published

    def open_sink(self) -> StagedFile:
        """Where this part's bytes go. Blocking; raises NoSuchUpload."""
        self._node.check_writable()
        with opened_upload(self._node, self._address, self._upload_id) as folder:
            size = self.body.size if self.body.complete else self._expected_size
            return open_part_file(folder, self._number, size)

    def _publish(self, info: PartInfo) -> None:
        node = self._node
        node.check_writable()
        file = self.body.file
        if file is None:
            file = self.open_sink()
            try:
                write_all(file.fd, self.body.content, file.offset)
                self._acknowledge(file, info)
            finally:
                file.discard()
            return
        with file.use():
            self._acknowledge(file, info)
        file.discard()

    def _acknowledge(self, file: StagedFile, info: PartInfo) -> None:
        node = self._node
        if node.durable:
            os.fdatasync(file.fd)
        with opened_upload(node, self._address, self._upload_id) as folder:
            before = folder.part(info.number)
            in_grid = file.name == upload_folder.slot(info.number)
            part = StoredPart(info, "" if in_grid else file.name.decode())
            folder.write_part(part, durable=node.durable)
            file.published()
            if not still_there(node, folder):
                raise NoSuchUpload("The upload was ended meanwhile.")
            if before is not None and before.file:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(before.file, dir_fd=folder.fd)


def still_there(node: FolderNode, folder: UploadFolder) -> bool:
    """Whether the upload's folder is still at its place."""
    try:
        found = os.stat(folder.place, dir_fd=node.tree.root_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return found.st_ino == os.fstat(folder.fd).st_ino


def open_part_file(folder: UploadFolder, number: int, size: int | None) -> StagedFile:
    """The part's slot in the grid if it is free and big enough, else a file of its own."""
    folder_fd = os.dup(folder.fd)
    try:
        if size is not None:
            in_grid = _open_slot(folder, folder_fd, number, size)
            if in_grid is not None:
                return in_grid
        name = b"own-%05d-%s" % (number, secrets.token_hex(8).encode())
        fd = os.open(name, _CREATE | os.O_EXCL, 0o600, dir_fd=folder_fd)
        return StagedFile(folder_fd, name, fd)
    except BaseException:
        os.close(folder_fd)
        raise


def _open_slot(folder: UploadFolder, folder_fd: int, number: int, size: int) -> StagedFile | None:
    width = folder.grid_size()
    if width is None and size >= upload_folder.MIN_PART_BYTES:
        create_json(folder.fd, upload_folder.GRID_SIZE, {"size": size})
        width = folder.grid_size()
    if width is None or size > width or number * width > _MAX_GRID_BYTES:
        return None
    fd = os.open(upload_folder.GRID, _CREATE, 0o600, dir_fd=folder_fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        name = upload_folder.slot(number)
        os.close(os.open(name, _CREATE | os.O_EXCL, 0o600, dir_fd=folder_fd))
    except (BlockingIOError, FileExistsError):
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return StagedFile(folder_fd, name, fd, offset=(number - 1) * width, reserved=width)
