"""Completing a multipart upload: once, whatever dies in between, with the same answer for who asks again.

Order: assemble; write `completing.json`, which names the inode that is about to become the object; publish; write
`completed/UPLOAD_ID.json`; remove the upload. Who finds a `completing.json` whose inode has left the folder knows
that the object was published, and does the rest.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from workspacesio.nodes.driver import Buffer, StagedObject
from workspacesio.nodes.errors import FolderTakesNoContent, NodeError, UploadBusy
from workspacesio.nodes.folder import upload_folder
from workspacesio.nodes.folder.assembling import Plan, assemble, listed_parts, plan
from workspacesio.nodes.folder.json_files import read_json, write_json
from workspacesio.nodes.folder.metadata import details_of
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.parts import still_there
from workspacesio.nodes.folder.publishing import Publication
from workspacesio.nodes.folder.staged import current_size
from workspacesio.nodes.folder.staging import COMPLETED
from workspacesio.nodes.folder.upload_folder import COMPLETE_LOCK, COMPLETING, UploadFolder
from workspacesio.nodes.values import (
    NO_PRECONDITIONS,
    ObjectAddress,
    ObjectMetadata,
    PartInfo,
    Preconditions,
    Published,
    RequestedPart,
    UploadInfo,
)

_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 120.0

PartList = list[list[Any]]

T = TypeVar("T")


def multipart_etag(parts: Sequence[PartInfo]) -> str:
    """MD5 of the parts' MD5s, and their number: what S3 clients compute too."""
    try:
        digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    except ValueError:
        digests = "".join(part.etag for part in parts).encode()
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


class Completion:
    """The right to complete one upload, and its folder. `close` gives it back; publishing ends the upload."""

    def __init__(self, folder: UploadFolder, lock_fd: int) -> None:
        self.folder = folder
        self._lock_fd = lock_fd

    def close(self) -> None:
        lock_fd, self._lock_fd = self._lock_fd, -1
        if lock_fd >= 0:
            os.close(lock_fd)
            self.folder.close()

    def __del__(self) -> None:
        self.close()


class AssembledObject:
    """A `StagedObject` made of parts.

    `upload` and `parts` are there for who makes the metadata. Publishing fills in what that leaves empty: the
    multipart ETag, the parts, and the headers, user metadata and tags that were given when the upload began.
    """

    def __init__(
        self, node: FolderNode, address: ObjectAddress, completion: Completion, planned: Plan, parts: PartList
    ) -> None:
        self.size = planned.size
        self.upload: UploadInfo = completion.folder.upload
        self.parts = tuple(PartInfo(*part) for part in parts)
        self._node = node
        self._address = address
        self._completion = completion
        self._plan = planned
        self._published: Published | None = None
        self._discarded = False

    async def write(self, data: Buffer) -> None:  # noqa: ARG002
        raise NodeError("An assembled object takes no more bytes.")

    async def finish(self) -> None:
        return None

    async def current_size(self) -> int | None:
        return await current_size(self._node, self._address)

    async def publish(
        self, metadata: ObjectMetadata, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Published:
        if self._published is None:
            if self._discarded:
                raise NodeError("This object was discarded.")
            self._published = await self._node.in_thread(self._publish, metadata, preconditions)
        return self._published

    async def discard(self) -> None:
        self._discarded = True
        self._plan.target.discard()
        self._completion.close()

    def _filled_in(self, metadata: ObjectMetadata) -> ObjectMetadata:
        begun = self.upload.metadata
        return replace(
            metadata,
            etag=metadata.etag or multipart_etag(self.parts),
            headers=metadata.headers or begun.headers,
            user=metadata.user or begun.user,
            tags=metadata.tags or begun.tags,
            parts=metadata.parts or tuple(replace(part, modified=0.0) for part in self.parts),
        )

    def _publish(self, metadata: ObjectMetadata, preconditions: Preconditions) -> Published:
        node, completion, target = self._node, self._completion, self._plan.target
        node.check_writable()
        metadata = self._filled_in(metadata)
        folder = completion.folder
        with target.use() as fd:
            inode = os.fstat(fd).st_ino
            note = _note(self._address, self.parts, metadata, self.size)
            note |= {"file": target.name.decode(), "inode": inode}
            write_json(folder.fd, COMPLETING, note, durable=node.durable)
            try:
                published = Publication(node, self._address, target, metadata, preconditions).publish()
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(COMPLETING, dir_fd=folder.fd)
                raise
        parts_bytes = end_upload(node, folder, note, published.info.modified)
        target.discard()
        completion.close()
        return replace(published, parts_bytes=parts_bytes)


def _note(
    address: ObjectAddress, parts: Sequence[PartInfo], metadata: ObjectMetadata, size: int
) -> dict[str, Any]:
    return {
        "bucket": address.bucket,
        "key": address.key,
        "list": [[part.number, part.etag] for part in parts],
        "size": size,
        "metadata": {"e": metadata.etag, **details_of(metadata)},
    }


def end_upload(node: FolderNode, folder: UploadFolder, note: Mapping[str, Any], modified: float) -> int:
    """Keep the answer for those who ask again, and remove the upload; returns its parts' bytes."""
    completed = node.staging.open_folder(folder.device_root, COMPLETED)
    try:
        name = folder.upload.upload_id.encode() + b".json"
        write_json(completed, name, {**note, "modified": modified}, durable=node.durable)
    finally:
        os.close(completed)
    return upload_folder.remove_upload(node, folder)


_Begun = tuple[Completion, Plan, PartList]


async def complete(
    node: FolderNode, address: ObjectAddress, upload_id: str, requested: Sequence[RequestedPart]
) -> StagedObject:
    """Assemble the listed parts. Raises NoSuchUpload, also when another completes or aborts the upload first, and
    UploadBusy when another has been about it for `_PATIENCE_SECONDS`."""
    if address.key.endswith("/"):
        raise FolderTakesNoContent("A key that ends with '/' is a folder here and can't have content.")

    async def attempt() -> _Begun | None:
        return await node.acquire(_let_go, _begin, node, address, upload_id, requested)

    completion, planned, parts = await _patiently(attempt)
    staged = AssembledObject(node, address, completion, planned, parts)
    try:
        await assemble(node, completion.folder, planned)
    except BaseException:
        await staged.discard()
        raise
    return staged


async def abort(node: FolderNode, address: ObjectAddress, upload_id: str) -> int:
    """End the upload, once nobody is completing it; returns its parts' bytes. Raises as `complete`."""

    async def attempt() -> int | None:
        return await node.in_thread(_abort, node, address, upload_id)

    return await _patiently(attempt)


async def _patiently(attempt: Callable[[], Awaitable[T | None]]) -> T:
    """What `attempt` gives, made again while it gives None. Raises UploadBusy when that takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (result := await attempt()) is None:
        if time.monotonic() > deadline:
            raise UploadBusy("Another request is ending this upload; try again when it has.")
        await asyncio.sleep(_POLL_SECONDS)
    return result


def _let_go(begun: _Begun | None) -> None:
    if begun is not None:
        begun[1].target.discard()
        begun[0].close()


def _begin(
    node: FolderNode, address: ObjectAddress, upload_id: str, requested: Sequence[RequestedPart]
) -> _Begun | None:
    """None when another is ending the upload just now."""
    completion = _exclusive(node, address, upload_id)
    if completion is None:
        return None
    try:
        parts = listed_parts(completion.folder, requested)
        planned = plan(completion.folder, parts)
    except BaseException:
        completion.close()
        raise
    infos = [part.info for part in parts]
    return completion, planned, [[i.number, i.size, i.etag, i.checksums, i.modified] for i in infos]


def _abort(node: FolderNode, address: ObjectAddress, upload_id: str) -> int | None:
    completion = _exclusive(node, address, upload_id)
    if completion is None:
        return None
    try:
        return upload_folder.remove_upload(node, completion.folder)
    finally:
        completion.close()


def _exclusive(node: FolderNode, address: ObjectAddress, upload_id: str) -> Completion | None:
    """The right to end the upload. None when another has it just now or ended it: then look again.

    Raises NoSuchUpload, NodeReadOnly.
    """
    node.check_writable()
    folder = upload_folder.open_upload(node, address, upload_id)
    completion = lock(folder)
    if completion is not None and (not still_there(node, folder) or recover(node, folder)):
        completion.close()
        return None
    return completion


def lock(folder: UploadFolder) -> Completion | None:
    """The right to end the upload, or None when another has it. Closes the folder then."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock_fd = -1
    try:
        lock_fd = os.open(COMPLETE_LOCK, flags, 0o600, dir_fd=folder.fd)
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        if lock_fd >= 0:
            os.close(lock_fd)
        folder.close()
        return None
    return Completion(folder, lock_fd)


def recover(node: FolderNode, folder: UploadFolder) -> bool:
    """Finish what a process that died had published; False when the upload is still to be completed."""
    try:
        note = read_json(folder.fd, COMPLETING)
    except FileNotFoundError:
        return False
    with contextlib.suppress(FileNotFoundError):
        if os.stat(note["file"], dir_fd=folder.fd, follow_symlinks=False).st_ino == note["inode"]:
            os.unlink(COMPLETING, dir_fd=folder.fd)
            return False
    end_upload(node, folder, note, time.time())
    return True
