"""Beginning, looking at and clearing multipart uploads. All blocking."""

import contextlib
import os
import time
from collections.abc import Sequence

from workspacesio.nodes.errors import FolderTakesNoContent, NoSuchUpload
from workspacesio.nodes.folder import upload_folder
from workspacesio.nodes.folder.completing import lock, recover
from workspacesio.nodes.folder.json_files import read_json, write_json
from workspacesio.nodes.folder.metadata import metadata_of
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.placing import locate
from workspacesio.nodes.folder.resolve import join
from workspacesio.nodes.folder.staging import COMPLETED, STAGING, UPLOADS
from workspacesio.nodes.folder.upload_folder import COMPLETING, UPLOAD, UploadFolder, opened_upload
from workspacesio.nodes.values import (
    ObjectAddress,
    ObjectInfo,
    ObjectMetadata,
    PartInfo,
    RequestedPart,
    UploadInfo,
)

_HALF_WRITTEN_SECONDS = 600.0
_COMPLETED_SECONDS = 24 * 3600.0
"""How long completing an upload again gets the answer of the first time."""


def create_upload(
    node: FolderNode,
    address: ObjectAddress,
    metadata: ObjectMetadata,
    *,
    initiator_id: int,
    checksum_algorithm: str | None,
    checksum_type: str | None,
) -> UploadInfo:
    """Begin an upload. Raises KeyNotPossible, NodeRefused where publishing would."""
    node.check_writable()
    if address.key.endswith("/"):
        raise FolderTakesNoContent("A key that ends with '/' is a folder here and can't have content.")
    device_root = node.staging.device_root(locate(node, address).folder)
    upload = UploadInfo(
        upload_folder.new_upload_id(),
        address.key,
        time.time(),
        initiator_id,
        metadata,
        checksum_algorithm,
        checksum_type,
    )
    name = upload.upload_id.encode()
    uploads_fd = node.staging.open_folder(device_root, UPLOADS)
    try:
        os.mkdir(name, 0o700, dir_fd=uploads_fd)
        fd = node.tree.open_folder(upload_folder.upload_place(device_root, upload.upload_id))
        try:
            description = upload_folder.describe(upload, address.bucket)
            write_json(fd, UPLOAD, description, durable=node.durable)
        finally:
            os.close(fd)
        node.sync(uploads_fd)
    finally:
        os.close(uploads_fd)
    return upload


def find_upload(node: FolderNode, address: ObjectAddress, upload_id: str) -> UploadInfo:
    """Raises NoSuchUpload unless the upload is of this very key."""
    with opened_upload(node, address, upload_id) as folder:
        return folder.upload


def list_parts(
    node: FolderNode, address: ObjectAddress, upload_id: str, after: int, max_parts: int
) -> tuple[list[PartInfo], bool]:
    """The acknowledged parts behind number `after`, and whether more follow. Raises NoSuchUpload."""
    with opened_upload(node, address, upload_id) as folder:
        numbers = [number for number in folder.part_numbers() if number > after]
        found = (folder.part(number) for number in numbers[:max_parts])
        return [part.info for part in found if part is not None], len(numbers) > max_parts


def completed_before(
    node: FolderNode, address: ObjectAddress, upload_id: str, requested: Sequence[RequestedPart]
) -> ObjectInfo:
    """What the upload became, for the same key and list. Blocking; raises NoSuchUpload."""
    upload_folder.check_upload_id(upload_id)
    asked = [[part.number, part.etag.strip('"')] for part in requested]
    for device_root in upload_folder.device_roots(node, address):
        fd = node.staging.find_folder(device_root, COMPLETED)
        if fd is None:
            continue
        try:
            note = read_json(fd, upload_id.encode() + b".json")
        except FileNotFoundError:
            continue
        finally:
            os.close(fd)
        metadata = metadata_of(note["metadata"])
        same = note["bucket"] == address.bucket and note["key"] == address.key
        if same and note["list"] == asked and metadata is not None:
            return ObjectInfo(address.key, note["size"], note["modified"], metadata)
    raise NoSuchUpload("There is no such upload.")


def _names(node: FolderNode, device_root: bytes, folder: bytes) -> list[str]:
    fd = node.staging.find_folder(device_root, folder)
    if fd is None:
        return []
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def clear_abandoned(node: FolderNode, older_than_seconds: float) -> int:
    """Remove what dead writers left, and uploads that nobody touched for so long; returns how many."""
    node.check_writable()
    cleared = node.staging.clear_new()
    now = time.time()
    node.records.clear_temporary(now - _HALF_WRITTEN_SECONDS)
    for device_root in node.staging.device_roots():
        uploads = join(join(device_root, STAGING), UPLOADS)
        for name in _names(node, device_root, UPLOADS):
            if name.startswith("gone-"):
                _remove_gone(node, uploads, name)
                continue
            found = upload_folder.open_upload_at(node, device_root, name)
            if found is not None:
                cleared += _clear_upload(node, found[0], now - older_than_seconds)
            elif _untouched_since(node, join(uploads, name.encode()), now - older_than_seconds):
                _remove_gone(node, uploads, name)
        _clear_answers(node, device_root, now - _COMPLETED_SECONDS)
    return cleared


def _clear_upload(node: FolderNode, folder: UploadFolder, before: float) -> bool:
    """Finish or remove one upload, unless somebody is completing it just now. Closes the folder."""
    touched = max(folder.upload.initiated, os.fstat(folder.fd).st_mtime)
    published = os.access(COMPLETING, os.F_OK, dir_fd=folder.fd)
    if touched >= before and not published:
        folder.close()
        return False
    completion = lock(folder)
    if completion is None:
        return False
    try:
        if published and recover(node, folder):
            return True
        if touched < before:
            upload_folder.remove_upload(node, folder)
            return True
        return False
    finally:
        completion.close()


def _untouched_since(node: FolderNode, place: bytes, before: float) -> bool:
    with contextlib.suppress(OSError):
        return os.stat(place, dir_fd=node.tree.root_fd, follow_symlinks=False).st_mtime < before
    return False


def _remove_gone(node: FolderNode, uploads: bytes, name: str) -> None:
    with contextlib.suppress(OSError):
        parent = node.tree.open_folder(uploads)
        try:
            fd = node.tree.open_folder(join(uploads, name.encode()))
            try:
                upload_folder.remove_folder(name.encode(), fd, parent)
            finally:
                os.close(fd)
        finally:
            os.close(parent)


def _clear_answers(node: FolderNode, device_root: bytes, before: float) -> None:
    fd = node.staging.find_folder(device_root, COMPLETED)
    if fd is None:
        return
    with contextlib.suppress(OSError):
        try:
            for name in os.listdir(fd):
                if os.stat(name, dir_fd=fd, follow_symlinks=False).st_mtime < before:
                    os.unlink(name, dir_fd=fd)
        finally:
            os.close(fd)
