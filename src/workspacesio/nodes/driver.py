"""The interface that every kind of node offers to the S3 endpoint, and what it promises.

A driver knows bytes, keys and metadata. It knows nothing of users and rights: whoever calls it has asked the
authority first, and passes the workspace's prefix as the boundary that the driver must not leave.

Contract, proven for every driver by one suite (`tests/nodes/contract.py`):

- A key is visible with its old content, its new content, or not at all: never half of either.
- `StagedObject.publish` is the only moment at which a key changes. What was staged and not published leaves
  nothing behind, whenever the process dies.
- Preconditions hold against every other writer that uses a driver on the same node, in any process.
- After `publish` or `delete` returned, the change survives a crash, as far as the node's durability says.
- `OpenedObject` gives one whole version, or breaks off with `ObjectChanged`.
- Listings are in the order of the keys' UTF-8 bytes, and hold each key that was there all the time once.
- Nothing outside `ObjectAddress.boundary` is read, written or named, whatever links the folder holds.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from workspacesio.nodes.values import (
    FIRST_UPLOAD,
    NO_PRECONDITIONS,
    Abilities,
    BucketInfo,
    ByteRange,
    ListPage,
    ListRequest,
    ObjectAddress,
    ObjectInfo,
    ObjectMetadata,
    PartInfo,
    Preconditions,
    Published,
    RequestedPart,
    Scope,
    StoredObject,
    UploadInfo,
    UploadMarker,
)

Buffer = bytes | bytearray | memoryview


class Hasher(Protocol):
    """Anything that is fed the bytes of a body as they are stored: MD5, a checksum, a signature's SHA-256."""

    def update(self, data: Buffer, /) -> None: ...


class OpenedObject(Protocol):
    """One version of an object, opened. `size_to_send` and `first_byte` follow from the range asked for."""

    info: ObjectInfo
    first_byte: int
    size_to_send: int

    def small(self) -> bytes | None:
        """The whole body if the driver already has it in memory, else None (then iterate `chunks`)."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises ObjectChanged rather than give the end of another version."""
        ...

    def views(self) -> AsyncIterator[bytes | memoryview]:
        """The body for who has the system copy each piece, and looks at none, before the next is asked for.

        Raises ObjectChanged rather than give the last piece, where those before may be of two versions.
        """
        ...

    async def close(self) -> None: ...


class StagedObject(Protocol):
    """Bytes on their way to become an object: write*, finish, then publish or discard (both may be repeated)."""

    size: int

    async def write(self, data: Buffer) -> None:
        """Append. The buffer may be reused by the caller after this returned."""
        ...

    async def finish(self) -> None:
        """All bytes are there, and every hasher has seen all of them."""
        ...

    async def current_size(self) -> int | None:
        """The size of what publishing would replace now, or None: for the reservation."""
        ...

    async def publish(
        self, metadata: ObjectMetadata, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Published: ...

    async def discard(self) -> None: ...


class StagedPart(Protocol):
    """Bytes on their way to become a part of a multipart upload."""

    size: int

    async def write(self, data: Buffer) -> None: ...

    async def finish(self) -> None: ...

    async def publish(self, etag: str, checksums: Mapping[str, str]) -> PartInfo: ...

    async def discard(self) -> None: ...


class StorageDriver(Protocol):
    """What the service itself needs of a node's storage, whoever serves its users.

    Contract for every kind: `check` and the rest raise NodeDown when the node can't be used; listings are as
    `NodeDriver` promises; what `list_objects` shows can be deleted; deleting again is no error.
    """

    abilities: Abilities

    async def check(self) -> None:
        """Raises NodeDown with the reason when the node can't be used now."""
        ...

    async def check_writable(self) -> None:
        """`check`, and raises NodeReadOnly where no write can succeed."""
        ...

    async def buckets(self) -> list[BucketInfo]: ...

    async def list_objects(self, scope: Scope, request: ListRequest) -> ListPage: ...

    async def stat_objects(self, scope: Scope, keys: Sequence[str]) -> list[StoredObject | None]:
        """What is at each of these keys now, as `list_objects` would show it; None where that is nothing.

        No object is opened. Keys begin with the boundary. Raises NoSuchBucket.
        """
        ...

    async def delete(
        self, address: ObjectAddress, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> ObjectInfo | None:
        """What was deleted, or None when there was nothing (which is no error) or when the server doesn't say."""
        ...

    async def abort_upload(self, address: ObjectAddress, upload_id: str) -> int:
        """End an upload; returns how many bytes its parts had, 0 where the node can't say.

        Waits for another who completes it. Raises NoSuchUpload, also for all but one who end it at once, by
        whatever way; UploadBusy when waiting takes too long.
        """
        ...

    async def uploads(
        self, scope: Scope, prefix: str, *, after: UploadMarker = FIRST_UPLOAD, max_uploads: int = 1000
    ) -> tuple[list[UploadInfo], bool]:
        """Uploads under way whose key begins with `prefix`, behind `after`, and whether more follow.

        Ordered by the key's bytes, then by upload id, which is the order in which they were begun.
        """
        ...

    async def close(self) -> None: ...


class NodeDriver(StorageDriver, Protocol):
    """What the endpoint needs to serve a node's users."""

    async def create_bucket(self, bucket: str) -> None: ...

    async def delete_bucket(self, bucket: str) -> None: ...

    async def head(self, address: ObjectAddress) -> ObjectInfo: ...

    async def open(self, address: ObjectAddress, byte_range: ByteRange | None = None) -> OpenedObject: ...

    async def stage(
        self, address: ObjectAddress, *, expected_size: int | None, hashers: Sequence[Hasher]
    ) -> StagedObject: ...

    async def stage_copy(
        self,
        source: ObjectAddress,
        target: ObjectAddress,
        *,
        source_etag: str | None,
        hashers: Sequence[Hasher],
    ) -> StagedObject:
        """A copy inside the node, by the filesystem's own means where no hasher has to see the bytes.

        `source_etag` is the version that the caller decided on; raises ObjectChanged when it is gone.
        """
        ...

    async def set_metadata(
        self, address: ObjectAddress, metadata: ObjectMetadata, *, expected: ObjectInfo
    ) -> ObjectInfo:
        """Replace metadata (a copy onto itself, tags) without touching bytes.

        `expected` is the object as the caller read it. Raises ObjectChanged when anything about it is different by
        now, its metadata included: the ETag alone would let one such change undo another.
        """
        ...

    async def create_upload(
        self,
        address: ObjectAddress,
        metadata: ObjectMetadata,
        *,
        initiator_id: int,
        checksum_algorithm: str | None,
        checksum_type: str | None,
    ) -> UploadInfo: ...

    async def upload(self, address: ObjectAddress, upload_id: str) -> UploadInfo:
        """Raises NoSuchUpload unless the upload is of this very key."""
        ...

    async def stage_part(
        self,
        address: ObjectAddress,
        upload_id: str,
        number: int,
        *,
        expected_size: int | None,
        hashers: Sequence[Hasher],
    ) -> StagedPart: ...

    async def stage_part_copy(
        self,
        source: ObjectAddress,
        target: ObjectAddress,
        upload_id: str,
        number: int,
        byte_range: ByteRange | None,
        *,
        source_etag: str | None,
        hashers: Sequence[Hasher],
    ) -> StagedPart: ...

    async def parts(
        self, address: ObjectAddress, upload_id: str, *, after: int = 0, max_parts: int = 1000
    ) -> tuple[list[PartInfo], bool]:
        """Parts with a number above `after`, in order, and whether more follow."""
        ...

    async def complete_upload(
        self, address: ObjectAddress, upload_id: str, parts: Sequence[RequestedPart]
    ) -> StagedObject:
        """Assemble; publishing ends the upload. `StagedObject` then holds the listed parts in order.

        Waits for another who completes it. Raises NoSuchUpload when that one did: see `completed_upload`;
        UploadBusy when it takes too long.
        """
        ...

    async def completed_upload(
        self, address: ObjectAddress, upload_id: str, parts: Sequence[RequestedPart]
    ) -> ObjectInfo:
        """What an upload became when it was completed from this very list, for who asks again.

        Raises NoSuchUpload.
        """
        ...

    async def clear_abandoned(self, older_than_seconds: float) -> int:
        """Remove staged files and uploads that nobody finished; returns how many. Safe beside writers."""
        ...
