"""An object's bytes over several connections at once, given out in their order.

One connection over a long way carries as much as fits between sending and hearing that it came; several carry as
often as much. Where the first block comes fast, more of them only cost: what waits for its turn is in no cache of
the processor any more. A few streams serve the whole process: what is copied beside others comes over one.
"""

from __future__ import annotations

import threading
import time

from workspacesio.client import objects
from workspacesio.client.errors import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from workspacesio.client.places import Place

BLOCK_BYTES = 8 << 20
AHEAD = 1
"""Blocks that wait to be taken, beyond one for each stream."""
MORE_STREAMS = 3
FAST = 100e6
"""Bytes a second, of one connection: then one is enough."""

_more = threading.BoundedSemaphore(MORE_STREAMS)


def content(place: Place, begin: int, size: int, etag: str) -> Generator[bytes, None, None]:
    """The bytes from `begin` on of the object with this ETag and size. Raises as `objects.content`."""
    if size - begin <= 2 * BLOCK_BYTES:
        yield from _over_one(place, begin, size, etag)
        return
    waited, pieces = 0.0, _over_one(place, begin, begin + BLOCK_BYTES, etag)
    while True:
        at = time.monotonic()
        piece = next(pieces, b"")
        waited += time.monotonic() - at
        if not piece:
            break
        yield piece
    begin += BLOCK_BYTES
    wanted = min(MORE_STREAMS, -(-(size - begin) // BLOCK_BYTES) - 1)
    more = 0
    while waited > BLOCK_BYTES / FAST and more < wanted and _more.acquire(blocking=False):
        more += 1
    try:
        if more:
            yield from _Streams(place, begin, size, etag, 1 + more)
        else:
            yield from _over_one(place, begin, size, etag)
    finally:
        for _ in range(more):
            _more.release()


def _over_one(place: Place, begin: int, end: int, etag: str) -> Generator[bytes, None, None]:
    have = begin
    came = objects.content(place.storage, place.bucket, place.key(), begin=begin, first=end, etag=etag)
    for piece in came:
        have += len(piece)
        if have > end:
            came.close()
            break
        yield piece
    if have != end:
        raise CommandError("its bytes did not come as they were asked for; copy it again.")


class _Streams:
    """Threads that fetch blocks, each the next one that nobody has begun, some blocks ahead of who takes them."""

    def __init__(self, place: Place, begin: int, size: int, etag: str, streams: int) -> None:
        self._place = place
        self._begin = begin
        self._size = size
        self._etag = etag
        self._window = streams + AHEAD
        self._count = -(-(size - begin) // BLOCK_BYTES)
        self._begun = self._given = 0
        self._came: dict[int, list[bytes] | BaseException] = {}
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._fetch, name=f"blocks-{number}", daemon=True) for number in range(streams)
        ]

    def __iter__(self) -> Iterator[bytes]:
        for thread in self._threads:
            thread.start()
        try:
            for number in range(self._count):
                with self._changed:
                    self._changed.wait_for(lambda number=number: number in self._came)  # type: ignore[misc]
                    block = self._came.pop(number)
                    self._given += 1
                    self._changed.notify_all()
                if isinstance(block, BaseException):
                    raise block
                yield from block
        finally:
            with self._changed:
                self._count = 0
                self._changed.notify_all()
            for thread in self._threads:
                thread.join()

    def _fetch(self) -> None:
        try:
            while (number := self._next()) is not None:
                block: list[bytes] | BaseException
                try:
                    block = self._block(number)
                except BaseException as error:  # it is raised where the block is taken
                    block = error
                with self._changed:
                    self._came[number] = block
                    self._changed.notify_all()
        finally:
            self._place.storage.disconnect()  # a connection of this thread, which ends

    def _next(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._begun - self._given < self._window or not self._count)
            if self._begun >= self._count:
                return None
            self._begun += 1
            return self._begun - 1

    def _block(self, number: int) -> list[bytes]:
        begin = self._begin + number * BLOCK_BYTES
        end = min(begin + BLOCK_BYTES, self._size)
        pieces = []
        coming = _over_one(self._place, begin, end, self._etag)
        for piece in coming:
            pieces.append(piece)
            if not self._count:  # nobody takes them any more
                coming.close()
                break
        return pieces
