"""A MinIO server's storage, as the service itself needs it. Users go to the server directly.

Listings are MinIO's own: keys in the order of their UTF-8 bytes. It lists uploads under way only by their whole
key, so `uploads` is empty: MinIO clears abandoned uploads itself, and with the workspace's rights goes the right
to complete one.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

from minio import Minio

from workspacesio.nodes.errors import NoSuchBucket
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import Connection, RequestRefused, failures
from workspacesio.nodes.minio.identity import Identity
from workspacesio.nodes.minio.object_stats import MANY, may_read, require_bucket, stat_by_pages, stat_object
from workspacesio.nodes.minio.reach import AT_ONCE
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
    StoredObject,
    UploadInfo,
    UploadMarker,
)

T = TypeVar("T")


class OpenedServer(Protocol):
    """The server's S3 interface, with the keys of the node."""

    @property
    def s3(self) -> Minio: ...

    def close(self) -> None: ...


class ServerStorage:
    """A server's storage, by the node's own keys. With `abilities` it implements `StorageDriver`."""

    abilities: Abilities

    def __init__(self, opened: OpenedServer) -> None:
        self._opened = opened
        # Not the process's own: those of a server that hangs are missed by nobody else.
        self._threads = ThreadPoolExecutor(AT_ONCE // 2, "server storage")

    async def check(self) -> None:
        """The server answers, and does so to the node's keys."""
        await self._in_thread(self.bucket_names)

    async def check_writable(self) -> None:
        """As `check`: whether a write succeeds is known only when it is tried."""
        await self.check()

    async def buckets(self) -> list[BucketInfo]:
        return await self._in_thread(self._buckets)

    async def list_objects(self, scope: Scope, request: ListRequest) -> ListPage:
        return await self._in_thread(self._list, scope.bucket, request)

    async def stat_objects(self, scope: Scope, keys: Sequence[str]) -> list[StoredObject | None]:
        alone = sorted(set(keys))
        found: dict[str, StoredObject | None] = {}
        if len(alone) >= MANY:
            listed, alone = await self._in_thread(stat_by_pages, self._opened.s3, scope.bucket, alone)
            found |= listed
        asked = [self._in_thread(stat_object, self._opened.s3, scope.bucket, key) for key in alone]
        found |= dict(zip(alone, await asyncio.gather(*asked), strict=True))
        if len(found) < len(set(keys)) or None in found.values():
            await self._in_thread(require_bucket, self._opened.s3, scope.bucket)
        return [found.get(key) for key in keys]

    async def delete(
        self, address: ObjectAddress, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> ObjectInfo | None:
        """The server doesn't say what was there. In a bucket with versions the older ones stay."""
        if preconditions != NO_PRECONDITIONS:
            raise ValueError("the server deletes without preconditions")
        await self._in_thread(self._delete, address)
        return None

    async def abort_upload(self, address: ObjectAddress, upload_id: str) -> int:  # noqa: ARG002
        """Never asked for: `uploads` names none."""
        return 0

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
        self.close_now()

    def close_now(self) -> None:
        self._threads.shutdown(wait=False)
        self._opened.close()

    def _in_thread(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    @property
    def s3(self) -> Minio:
        """The S3 interface with the node's own keys, for threads."""
        return self._opened.s3

    def bucket_names(self) -> list[str]:
        return [found.name for found in self._buckets()]

    def may_read(self, bucket: str) -> bool:
        """Whether the node's key may read objects, which only metadata and contents in the index need."""
        return may_read(self._opened.s3, bucket)

    def objects(self, bucket: str, prefix: str, after: str = "") -> Iterator[ObjectSummary]:
        """Every object under the prefix, in order, from a thread. Raises as `list_objects`."""
        with _bucket_failures():
            for found in self._opened.s3.list_objects(
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
            for found in self._opened.s3.list_objects(bucket, prefix=prefix, recursive=False):
                name = (found.object_name or "")[len(prefix) :]
                if found.is_dir and name:
                    folders.append(name.removesuffix("/"))
                elif name:
                    loose.append(name)
        return folders, loose

    def _buckets(self) -> list[BucketInfo]:
        with failures():
            found = self._opened.s3.list_buckets()
        return [BucketInfo(one.name, one.creation_date.timestamp() if one.creation_date else 0.0) for one in found]

    def _list(self, bucket: str, request: ListRequest) -> ListPage:
        if request.delimiter:
            raise ValueError("the service lists this storage without delimiters")
        found = list(itertools.islice(self.objects(bucket, request.prefix, request.after), request.max_keys + 1))
        page = tuple(found[: request.max_keys])
        return ListPage(page, (), page[-1].key if len(found) > request.max_keys else None)

    def _delete(self, address: ObjectAddress) -> None:
        with _bucket_failures():
            self._opened.s3.remove_object(address.bucket, address.key)


class MinioDriver(ServerStorage):
    """One in each process and node; `name_prefix` begins the names of what is ours."""

    abilities = Abilities(
        creates_buckets=False,
        immediate_revocation=True,
        one_credential_for_all=True,
        ends_single_credentials=False,
        lists_uploads=False,
        streams_events=False,
        enforces_quotas=False,
        hides_names=False,
        refuses_uploads_under_way=False,
        shares_any_name=False,
    )

    def __init__(self, connection: Connection, name_prefix: str) -> None:
        super().__init__(connection)
        self.connection = connection
        self.administration = Administration(connection)
        self.identity = Identity(connection)
        self.name_prefix = name_prefix


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
