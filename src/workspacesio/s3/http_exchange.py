"""HTTP/1.1 as RFC 9112 has it: one request of a connection, its body as it arrives, and its answer as bytes."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol

from workspacesio.s3.exchange import ClientGone, Headers
from workspacesio.s3.http_head import RequestHead

MAX_WAITING_BYTES = 512 << 10
"""Of a body that nobody reads at the moment, before its client is made to wait."""

_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_BODY = frozenset({204, 304})
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\n" for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Line(Protocol):
    """The connection, as an exchange uses it."""

    gone: bool
    sends_views: bool
    """Whether a memoryview that is written is looked at by the system only."""

    def write(self, data: bytes | memoryview) -> None: ...

    def throttle(self) -> None:
        """Read nothing until `unthrottle`."""
        ...

    def unthrottle(self) -> None: ...

    async def drained(self, idle_seconds: float) -> None:
        """Return when there is room to write. Raises ClientGone."""
        ...

    async def copied(self, idle_seconds: float) -> None:
        """Return when the system has taken all that was written. Raises ClientGone."""
        ...


class HttpExchange:
    """See `exchange.Exchange`. `answered`: the answer is whole. `keep_alive`: another request may follow."""

    __slots__ = (
        "_arrived",
        "_arrived_bytes",
        "_awaits_continue",
        "_broken",
        "_loop",
        "_throttled",
        "_waiter",
        "answered",
        "body_complete",
        "head",
        "keep_alive",
        "line",
    )

    def __init__(
        self,
        line: Line,
        head: RequestHead,
        loop: asyncio.AbstractEventLoop,
        *,
        keep_alive: bool,
        awaits_continue: bool,
    ) -> None:
        self.line = line
        self.head = head
        self.keep_alive = keep_alive
        self.answered = False
        self.body_complete = False
        self._loop = loop
        self._arrived: deque[bytes] = deque()
        self._arrived_bytes = 0
        self._awaits_continue = awaits_continue
        self._broken = False
        self._throttled = False
        self._waiter: asyncio.Future[None] | None = None

    # --- what the connection says -------------------------------------------------------------------------------

    def arrived(self, data: bytes) -> None:
        """More of the body."""
        self._arrived.append(data)
        self._arrived_bytes += len(data)
        if self._arrived_bytes > MAX_WAITING_BYTES and not self._throttled:
            self._throttled = True
            self.line.throttle()
        self._wake()

    def complete(self) -> None:
        """All of the body has arrived."""
        self.body_complete = True
        self._wake()

    def broke_off(self) -> None:
        """No more of the body will arrive, or none that can be understood."""
        self._broken = True
        self._wake()

    def let_go(self) -> None:
        """It was answered: what nobody read of its body holds nobody back."""
        self._take()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- the body -----------------------------------------------------------------------------------------------

    async def __call__(self) -> bytes:
        while not self.body_complete:
            await self._more(len(self._arrived))
        if len(self._arrived) == 1:
            return self._arrived.popleft()
        return self._take()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._arrived:
                yield self._take()
            elif self.body_complete:
                return
            else:
                await self._more(0)

    def _take(self) -> bytes:
        """All that has arrived."""
        data = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        self._arrived.clear()
        self._arrived_bytes = 0
        if self._throttled:
            self._throttled = False
            self.line.unthrottle()
        return data

    async def _more(self, known: int) -> None:
        """Return when more than `known` pieces have arrived, or the body is complete. Raises ClientGone."""
        if self._awaits_continue:
            self._awaits_continue = False
            if not self._arrived and not self.line.gone:
                self.line.write(_CONTINUE)
        while len(self._arrived) <= known and not self.body_complete:
            if self._broken or self.line.gone:
                raise ClientGone
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    # --- the answer ---------------------------------------------------------------------------------------------

    def is_last(self) -> None:
        self.keep_alive = False

    def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        head = self._head(status, headers)
        if status not in _NO_BODY and "\r\ncontent-length: " not in head:
            head += f"content-length: {len(body)}\r\n"
        if self.line.gone:
            raise ClientGone
        content = b"" if self.head.method == "HEAD" or status in _NO_BODY else body
        self.line.write(head.encode() + b"\r\n" + content)
        self.answered = True

    def respond_in_pieces(self, status: int, headers: Headers, idle_seconds: float) -> "HttpBodyStream":
        declared = next((int(value) for name, value in headers if name == "content-length"), None)
        chunked = declared is None and self.head.http_version == "1.1"
        if declared is None and not chunked:
            self.keep_alive = False
        head = self._head(status, headers)
        if chunked:
            head += "transfer-encoding: chunked\r\n"
        if self.line.gone:
            raise ClientGone
        self.line.write(head.encode() + b"\r\n")
        return HttpBodyStream(self, declared, idle_seconds, chunked=chunked)

    def _head(self, status: int, headers: Headers) -> str:
        """The head of an answer but for its last, empty line. Raises ValueError."""
        lines = "".join([f"{name}: {value}\n" for name, value in headers])
        if lines.count("\n") != len(headers) or _NOT_IN_A_HEADER.search(lines):
            raise ValueError("a header of the answer holds what no header may hold")
        line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \n"
        if not self.keep_alive:
            lines += "connection: close\n"
        elif self.head.http_version == "1.0":
            lines += "connection: keep-alive\n"
        return f"{line}{lines}date: {_date(self._loop.time())}\n".replace("\n", "\r\n")


class HttpBodyStream:
    """See `exchange.BodyStream`. `declared`: bytes of the body, if known."""

    __slots__ = ("_chunked", "_exchange", "_idle_seconds", "_left", "takes_views")

    def __init__(
        self, exchange: HttpExchange, declared: int | None, idle_seconds: float, *, chunked: bool
    ) -> None:
        self._exchange = exchange
        self._left = declared
        self._idle_seconds = idle_seconds
        self._chunked = chunked
        self.takes_views = exchange.line.sends_views and not chunked

    async def send(self, data: bytes | memoryview) -> None:
        line = self._exchange.line
        if line.gone:
            raise ClientGone
        if not data:
            return
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("the body is longer than was declared")
        line.write(b"%x\r\n%b\r\n" % (len(data), bytes(data)) if self._chunked else data)
        if isinstance(data, memoryview):
            await line.copied(self._idle_seconds)
        else:
            await line.drained(self._idle_seconds)

    def end(self) -> None:
        if self._chunked and not self._exchange.line.gone:
            self._exchange.line.write(b"0\r\n\r\n")
        self._exchange.answered = not self._left


_dated = ("", -1)


def _date(now: float) -> str:
    """RFC 9110 5.6.7, made once a second. `now`: the loop's clock, which costs nothing."""
    global _dated  # noqa: PLW0603 - one for all connections of a process
    second = int(now)
    if _dated[1] != second:
        _dated = (formatdate(usegmt=True), second)
    return _dated[0]
