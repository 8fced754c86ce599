"""A MinIO server's storage, as the service itself needs it. Users go to the server directly.

Listings are MinIO's own: keys in the order of their UTF-8 bytes. It lists uploads under way only by their whole
key, so `uploads` is empty: MinIO clears abandoned uploads itself, and with the workspace's rights goes the right
to complete one.
"""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from workspacesio.nodes.errors import NoSuchBucket
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import Connection, RequestRefused, failures
from workspacesio.nodes.values import (
    FIRST_UPLOAD,
    NO_PRECONDITIONS,
    Abilities,
    BucketInfo,
    ListPage,
    ListRequest,
    ObjectAddress,
    ObjectInfo,
    ObjectSummary,
    Preconditions,
    Scope,
    UploadInfo,
    UploadMarker,
)


class MinioDriver:
    """Implements `StorageDriver`. One in each process and node; `name_prefix` begins the names of what is ours."""

    abilities = Abilities(
        creates_buckets=False,
        immediate_revocation=True,
        one_credential_for_all=True,
        ends_single_credentials=False,
        lists_uploads=False,
        streams_events=False,
    )

    def __init__(self, connection: Connection, name_prefix: str) -> None:
        self.connection = connection
        self.administration = Administration(connection)
        self.name_prefix = name_prefix

    async def check(self) -> None:
        """The server answers, and does so to the node's keys."""
        await asyncio.to_thread(self.bucket_names)

    async def check_writable(self) -> None:
        """As `check`: whether a write succeeds is known only when it is tried."""
        await self.check()

    async def buckets(self) -> list[BucketInfo]:
        return await asyncio.to_thread(self._buckets)

    async def list_objects(self, scope: Scope, request: ListRequest) -> ListPage:
        return await asyncio.to_thread(self._list, scope.bucket, request)

    async def delete(
        self, address: ObjectAddress, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> ObjectInfo | None:
        """The server doesn't say what was there. In a bucket with versions the older ones stay."""
        if preconditions != NO_PRECONDITIONS:
            raise ValueError("the server deletes without preconditions")
        await asyncio.to_thread(self._delete, address)
        return None

    async def abort_upload(self, address: ObjectAddress, upload_id: str) -> None:
        """Never asked for: `uploads` names none."""

    async def uploads(
        self,
        scope: Scope,  # noqa: ARG002
        prefix: str,  # noqa: ARG002
        *,
        after: UploadMarker = FIRST_UPLOAD,  # noqa: ARG002
        max_uploads: int = 1000,  # noqa: ARG002
    ) -> tuple[list[UploadInfo], bool]:
        return [], False

    async def close(self) -> None:
        self.connection.close()

    def bucket_names(self) -> list[str]:
        return [found.name for found in self._buckets()]

    def objects(self, bucket: str, prefix: str, after: str = "") -> Iterator[ObjectSummary]:
        """Every object under the prefix, in order, from a thread. Raises as `list_objects`."""
        with _bucket_failures():
            for found in self.connection.s3.list_objects(
                bucket, prefix=prefix, recursive=True, start_after=after or None
            ):
                if found.object_name is not None:
                    modified = found.last_modified.timestamp() if found.last_modified else 0.0
                    yield ObjectSummary(
                        found.object_name, found.size or 0, modified, (found.etag or "").strip('"')
                    )

    def folders(self, bucket: str, prefix: str) -> tuple[list[str], list[str]]:
        """Names of the folders directly under the prefix, and keys that lie directly in it."""
        folders: list[str] = []
        loose: list[str] = []
        with _bucket_failures():
            for found in self.connection.s3.list_objects(bucket, prefix=prefix, recursive=False):
                name = (found.object_name or "")[len(prefix) :]
                if found.is_dir and name:
                    folders.append(name.removesuffix("/"))
                elif name:
                    loose.append(name)
        return folders, loose

    def _buckets(self) -> list[BucketInfo]:
        with failures():
            found = self.connection.s3.list_buckets()
        return [BucketInfo(one.name, one.creation_date.timestamp() if one.creation_date else 0.0) for one in found]

    def _list(self, bucket: str, request: ListRequest) -> ListPage:
        if request.delimiter:
            raise ValueError("the service lists this storage without delimiters")
        found = list(itertools.islice(self.objects(bucket, request.prefix, request.after), request.max_keys + 1))
        page = tuple(found[: request.max_keys])
        return ListPage(page, (), page[-1].key if len(found) > request.max_keys else None)

    def _delete(self, address: ObjectAddress) -> None:
        with _bucket_failures():
            self.connection.s3.remove_object(address.bucket, address.key)


@contextmanager
def _bucket_failures() -> Iterator[None]:
    """As `failures`, and a bucket that is not there is NoSuchBucket."""
    try:
        with failures():
            yield
    except RequestRefused as error:
        if error.code == "NoSuchBucket":
            raise NoSuchBucket("There is no such bucket.") from error
        raise
