"""What use cases ask of a node's storage, from threads, outside of transactions.

Storage is looked at before a transaction and never in it: check, act, and the transaction checks its own facts
again. Everything raised by a driver becomes one of the errors that callers understand.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from workspacesio.domain.errors import Conflict, NotFound, Unavailable
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeDown, NodeError, NodeReadOnly, NodeRefused, NoSuchBucket, NoSuchUpload
from workspacesio.nodes.values import FIRST_UPLOAD, ListRequest, ObjectAddress, ObjectSummary, Scope, UploadMarker

PAGE = 1000
AT_ONCE = 16

T = TypeVar("T")


class Wait(Protocol):
    """Runs a coroutine on the event loop on which drivers live, from a thread, and waits for its result."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


def wait_on(loop: asyncio.AbstractEventLoop) -> Wait:
    """Waits for coroutines that run on `loop`; never called from the loop itself."""

    def wait(coroutine: Coroutine[Any, Any, T], /) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    return wait


@dataclass(frozen=True, slots=True)
class Deleted:
    """What `delete_objects` came to. `finished`: nothing was left when it looked again."""

    objects: int
    bytes: int
    finished: bool


class Storage:
    """One node's storage. Raises Unavailable when the node is down."""

    def __init__(self, driver: StorageDriver, wait: Wait) -> None:
        self._driver = driver
        self._wait = wait

    def require_up(self) -> None:
        with node_errors():
            self._wait(self._driver.check())

    def require_writable(self) -> None:
        """Raises Conflict where no write can succeed: a node that takes none, or a mount that doesn't."""
        with node_errors():
            self._wait(self._driver.check_writable())

    def buckets(self) -> list[str]:
        """Their names, in order."""
        with node_errors():
            return sorted(found.name for found in self._wait(self._driver.buckets()))

    def holds_objects(self, bucket: str, prefix: str) -> bool:
        """Whether an object is stored under the prefix."""
        with node_errors(bucket):
            page = self._wait(self._driver.list_objects(Scope(bucket, prefix), ListRequest(prefix, max_keys=1)))
        return bool(page.objects)

    def delete_objects(self, bucket: str, prefix: str, *, stop: Callable[[], bool]) -> Deleted:
        """Delete what is stored under the prefix, page by page, until nothing is left or `stop()` says so.

        Objects that the operating system doesn't let go are passed over, and then it is not finished. MinIO lists
        `a/b` only when there is no object `a` any more, so it looks again after what it deleted.
        """
        objects = size = before = 0
        passed_over = False
        after = ""
        with node_errors(bucket):
            self._wait(self._abort_uploads(Scope(bucket, prefix)))
            while not stop():
                request = ListRequest(prefix, after=after, max_keys=PAGE)
                page = self._wait(self._driver.list_objects(Scope(bucket, prefix), request))
                gone = self._wait(self._delete_page(bucket, prefix, page.objects))
                objects += len(gone)
                size += sum(one.size for one in gone)
                passed_over = passed_over or len(gone) < len(page.objects)
                if page.next_after is not None:
                    after = page.next_after
                elif passed_over or objects == before:
                    return Deleted(objects, size, not passed_over)
                else:
                    after, before = "", objects
        return Deleted(objects, size, finished=False)

    async def _abort_uploads(self, scope: Scope) -> None:
        more = True
        after = FIRST_UPLOAD
        while more:
            uploads, more = await self._driver.uploads(scope, scope.boundary, after=after)
            for upload in uploads:
                after = UploadMarker(upload.key, upload.upload_id)
                with suppress(NoSuchUpload):
                    address = ObjectAddress(scope.bucket, upload.key, scope.boundary)
                    await self._driver.abort_upload(address, upload.upload_id)

    async def _delete_page(
        self, bucket: str, prefix: str, objects: tuple[ObjectSummary, ...]
    ) -> list[ObjectSummary]:
        """Deepest names first, so that a folder's own entry goes after what it holds."""
        gone: list[ObjectSummary] = []
        waiting = sorted(objects, key=lambda one: one.key, reverse=True)
        for first in range(0, len(waiting), AT_ONCE):
            batch = waiting[first : first + AT_ONCE]
            results = await asyncio.gather(
                *(self._driver.delete(ObjectAddress(bucket, one.key, prefix)) for one in batch),
                return_exceptions=True,
            )
            for one, result in zip(batch, results, strict=True):
                if isinstance(result, NodeRefused):
                    continue
                if isinstance(result, BaseException):
                    raise result
                gone.append(one)
        return gone


@contextmanager
def node_errors(bucket: str | None = None) -> Iterator[None]:
    """Turn what a driver raises into errors that callers understand. `bucket`: which one is asked for."""
    try:
        yield
    except NodeDown as error:
        raise Unavailable(f"The node can't be used at the moment: {error}", code="node_down") from error
    except NoSuchBucket as error:
        which = "such bucket" if bucket is None else f"bucket {bucket!r}"
        raise NotFound(f"There is no {which} on the node.", code="no_such_bucket") from error
    except NodeReadOnly as error:
        raise Conflict(str(error), code="node_is_read_only") from error
    except NodeError as error:
        raise Conflict(str(error), code="node_refused") from error
