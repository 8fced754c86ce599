"""Listing the keys of a bucket at several places at once, and reading them in order.

Ranges of keys are listed by some threads, each from its beginning, the first ones first, a few pages ahead of the
reader, so that little is kept in memory whatever their sizes. The threads only ask: pages are read when they are
wanted, so that the server works on the next one meanwhile. A server that doesn't answer is asked again a few times
before the listing fails.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import gt
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

from workspacesio.index.marks import Mark
from workspacesio.nodes.errors import AddressNotAllowed, NodeDown
from workspacesio.nodes.minio.listing_pages import KeyPage, ListedObject

AT_ONCE = 4
PAGES_AHEAD = 16
MAX_EMPTY_PAGES = 1_000
"""One after the other, each with a token for the next; servers give some where much was deleted."""

WAITS = (1.0, 3.0, 9.0)
"""Seconds before a server that is down is asked again."""

_PATIENCE = 0.2
_JUST_BELOW_SLASH = ".\U0010ffff"

T = TypeVar("T")


class Answer(Protocol):
    """`token`: of the next page; `last_key`: of the last object, None where there is none."""

    @property
    def token(self) -> str | None: ...

    @property
    def last_key(self) -> str | None: ...

    def read(self) -> KeyPage:
        """Raises NodeDown."""
        ...


class AskPage(Protocol):
    """One page of a bucket's keys. Blocks, from any thread. Raises NodeErrors."""

    def __call__(
        self, prefix: str, *, start_after: str = "", token: str | None = None, delimiter: str = ""
    ) -> Answer: ...


class KeyRange(NamedTuple):
    """Keys from the folder `low` ('a/b/') to before `high`; None: from where the listing is, to the end."""

    low: str | None
    high: str | None


EVERYTHING = KeyRange(None, None)


@dataclass(frozen=True, slots=True)
class ListedPage:
    """`mark` was taken before it was asked for. Of its objects those in the range count."""

    answer: Answer
    mark: Mark
    wanted: KeyRange

    def objects(self) -> Sequence[ListedObject]:
        """Raises NodeDown."""
        objects = self.answer.read().objects
        _check_order(objects)
        low, high = self.wanted
        if low is not None and objects and objects[0].key < low:
            objects = [one for one in objects if one.key >= low]
        if high is not None and objects and objects[-1].key >= high:
            objects = [one for one in objects if one.key < high]
        return objects


class RangeReader:
    """`token` goes on with the first range, behind the key `last`. Leaving the block ends the threads."""

    def __init__(
        self,
        ask_page: AskPage,
        mark: Callable[[], Mark],
        prefix: str,
        ranges: Sequence[KeyRange],
        *,
        token: str,
        last: str,
    ) -> None:
        self._ask_page = ask_page
        self._mark = mark
        self._prefix = prefix
        self._ranges = ranges
        self._token = token
        self._last = last
        self._queues: list[queue.Queue[ListedPage | BaseException | None]] = [
            queue.Queue(PAGES_AHEAD) for _ in ranges
        ]
        self._turn = threading.Lock()
        self._next = 0
        self._room = threading.Semaphore(2 * AT_ONCE)
        self._left = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="listing", daemon=True)
            for _ in range(min(AT_ONCE, len(ranges)))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()

    def pages(self) -> Iterator[ListedPage | None]:
        """In the order of keys; None now and then while one is waited for. Raises what listing raised."""
        for waiting in self._queues:
            while True:
                try:
                    page = waiting.get(timeout=_PATIENCE)
                except queue.Empty:
                    yield None
                    continue
                if page is None:
                    break
                if isinstance(page, BaseException):
                    raise page
                yield page
            self._room.release()

    def _work(self) -> None:
        while not self._left.is_set():
            if not self._room.acquire(timeout=_PATIENCE):
                continue
            with self._turn:
                number, self._next = self._next, self._next + 1
            if number >= len(self._ranges):
                return
            try:
                for page in self._listed(self._ranges[number], first=number == 0):
                    self._put(number, page)
                self._put(number, None)
            except Exception as error:
                self._put(number, error)
                return

    def _listed(self, wanted: KeyRange, *, first: bool) -> Iterator[ListedPage]:
        token, last = (self._token, self._last) if first else (None, "")
        start = "" if wanted.low is None else wanted.low[:-1] + _JUST_BELOW_SLASH
        more = True
        empty = 0
        while more and not self._left.is_set():
            mark = self._mark()
            answer = patiently(lambda: self._ask_page(self._prefix, start_after=start, token=token), self._left)  # noqa: B023 - asked for at once
            check_progress(answer, last, token)
            empty = 0 if answer.last_key is not None else empty + 1
            if empty > MAX_EMPTY_PAGES:
                raise NodeDown("The server lists page after page without a key, and says that there are more.")
            yield ListedPage(answer, mark, wanted)
            last = answer.last_key or last
            token = answer.token
            more = token is not None and (wanted.high is None or last < wanted.high)

    def _put(self, number: int, page: ListedPage | BaseException | None) -> None:
        while not self._left.is_set():
            try:
                self._queues[number].put(page, timeout=_PATIENCE)
            except queue.Full:
                continue
            return


def check_progress(answer: Answer, last: str, token: str | None) -> None:
    """Its last key comes behind the `last` one, and it has another token: else there may be no end.

    Raises NodeDown. Keys are ordered as bytes: Amazon S3 API Reference, "ListObjectsV2".
    """
    key = answer.last_key
    if (key is not None and _bytes(key) <= _bytes(last)) or answer.token == (token or ""):
        raise _out_of_order()


def _check_order(objects: Sequence[ListedObject]) -> None:
    """Keys rise. Raises NodeDown."""
    keys = [one.key.encode(errors="surrogateescape") for one in objects]
    if any(map(gt, keys, islice(keys, 1, None))):
        raise _out_of_order()


def _bytes(key: str) -> bytes:
    return key.encode(errors="surrogateescape")


def _out_of_order() -> NodeDown:
    return NodeDown("The server lists keys out of order, or again and again the same.")


def patiently(ask: Callable[[], T], left: threading.Event | None = None) -> T:
    """Asks again where the server doesn't answer. Raises NodeDown in the end."""
    for seconds in WAITS:
        try:
            return ask()
        except AddressNotAllowed:
            raise
        except NodeDown:
            if left is None:
                time.sleep(seconds)
            elif left.wait(seconds):
                raise
    return ask()


def thinned(bounds: Sequence[str], most: int) -> list[str]:
    """At most so many of them, evenly."""
    if len(bounds) <= most:
        return list(bounds)
    return [bounds[at * len(bounds) // most] for at in range(most)]
