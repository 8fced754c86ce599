"""One client's connection: bytes in, requests out in their order, one answered after the other.

llhttp (Node's parser, by httptools) reads HTTP; what it refuses ends the connection. A client that sends several
requests at once is read no further until the first ones are answered. RFC 9112.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import cast

import httptools

from workspacesio.s3.exchange import ClientGone
from workspacesio.s3.http_exchange import HttpExchange
from workspacesio.s3.http_head import Refused, RequestHead, check_head, read_target
from workspacesio.s3.http_line import HttpLine
from workspacesio.s3.http_rounds import Rounds

MAX_HEAD_BYTES = 64 << 10
HEAD_SECONDS = 30.0
"""For the head of a request, from its first byte on or, for a connection's first one, from its beginning."""
IDLE_SECONDS = 180.0
"""Between two requests."""
MAX_AHEAD = 64
"""Requests that a client may send before the first of them is answered."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 32 << 20
"""How long a client that still sends is listened to after its last answer: a reset would destroy that one."""

logger = logging.getLogger(__name__)

Handle = Callable[[RequestHead, HttpExchange], Awaitable[None]]


class HttpConnection(HttpLine):
    """`living` holds it as long as it is open or answers something.

    `deadline`: by the loop's clock, when it is to be cut; a request that is being answered has none here.
    """

    def __init__(
        self,
        handle: Handle,
        loop: asyncio.AbstractEventLoop,
        living: set["HttpConnection"],
        rounds: Rounds,
        *,
        scheme: str,
    ) -> None:
        super().__init__(loop, rounds)
        self.deadline = inf
        self._handle = handle
        self._living = living
        self._scheme = scheme
        self._client = ""
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._head = RequestHead("", scheme)
        self._head_bytes = 0
        """Of a head, of trailers or of what stands before a chunk: what the parser may be keeping."""
        self._unreadable: list[str] = []
        self._receiving: HttpExchange | None = None
        self._current: HttpExchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._next: deque[HttpExchange] = deque()
        self._in_head = False
        self._closing = False
        self._lingered_bytes = 0

    # --- asyncio.Protocol ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.opened(cast(asyncio.Transport, transport))  # uvloop's are none by inheritance
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._client = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        self.deadline = self._loop.time() + HEAD_SECONDS
        self._living.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.gone = True
        self._next.clear()
        if self._task is None:
            self._living.discard(self)
        for exchange in (self._receiving, self._current):
            if exchange is not None and not exchange.body_complete:
                exchange.broke_off()
        self.resume_writing()

    def eof_received(self) -> bool:
        """A client that ends in the middle of a body is told so. Any other has gone."""
        self.send_held()
        last = self._last()
        if self._closing or last is None or self._receiving is None:
            return False
        self._receiving.broke_off()
        last.is_last()
        return self._scheme == "http"  # TLS knows no half of a connection

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > LINGER_BYTES:
                self._transport.abort()
            return
        if self._receiving is None and not self._in_head:
            self._in_head = True
            self._head_bytes = 0
            if self._current is None:
                self.deadline = self._loop.time() + HEAD_SECONDS
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stop_reading()
        except httptools.HttpParserCallbackError as error:
            reason = error.__context__
            if not isinstance(reason, Refused):
                logger.exception("a request could not be taken in")
            self._refuse(reason.status if isinstance(reason, Refused) else 500)
        except httptools.HttpParserError:
            self._refuse(400)
        else:
            if self._head_bytes > MAX_HEAD_BYTES and (self._in_head or self._receiving is not None):
                self._refuse(431)

    # --- what the parser says -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if len(self._next) >= MAX_AHEAD:
            raise Refused(429)
        self._in_head = True
        self._url = b""
        self._head = RequestHead(self._client, self._scheme)
        self._unreadable = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: nothing that is believed comes so late
        lower = name.decode("ascii").lower()
        if value.isascii():
            self._head.headers.append((lower, value.decode("ascii")))
        else:
            self._unreadable.append(lower)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        head, parser = self._head, self._parser
        head.method = parser.get_method().decode("ascii")
        head.http_version = parser.get_http_version()
        head.unreadable = frozenset(self._unreadable)
        check_head(head, upgrades=parser.should_upgrade())
        read_target(head, self._url)
        awaits = head.http_version == "1.1" and any(
            name == "expect" and value.lower() == "100-continue" for name, value in head.headers
        )
        exchange = HttpExchange(
            self, head, self._loop, keep_alive=parser.should_keep_alive(), awaits_continue=awaits
        )
        self._receiving = exchange
        if self._current is None:
            self._begin(exchange)
        else:
            self._next.append(exchange)
            if len(self._next) == 1:
                self.throttle()

    def on_chunk_header(self) -> None:
        self._head_bytes = 0

    def on_body(self, data: bytes) -> None:
        self._head_bytes = 0
        if self._receiving is not None:
            self._receiving.arrived(data)

    def on_message_complete(self) -> None:
        exchange, self._receiving = self._receiving, None
        if exchange is not None:
            exchange.complete()

    # --- requests, one after the other --------------------------------------------------------------------------

    def _begin(self, exchange: HttpExchange) -> None:
        self._current = exchange
        self.deadline = inf
        self._task = self._loop.create_task(self._answer(exchange))

    async def _answer(self, exchange: HttpExchange) -> None:
        try:
            await self._handle(exchange.head, exchange)
            if self._room is not None and exchange.answered:
                await self.drained(IDLE_SECONDS)
        except ClientGone:
            exchange.answered = False
        finally:
            self._answered(exchange)

    def _answered(self, exchange: HttpExchange) -> None:
        self._current = self._task = None
        exchange.let_go()
        if self.gone:
            self._living.discard(self)
            return
        if not exchange.answered:
            # Whatever was sent is less than was announced: only a connection that breaks off says so.
            self._transport.abort()
        elif not exchange.keep_alive or not exchange.body_complete:
            self._close(lingering=not exchange.body_complete)
        elif self._next:
            following = self._next.popleft()
            if not self._next:
                self.unthrottle()
            self._begin(following)
        else:
            self.deadline = self._loop.time() + (HEAD_SECONDS if self._in_head else IDLE_SECONDS)

    def close_when_idle(self) -> None:
        """End after the answer that is under way, at once if there is none."""
        for exchange in (self._current, *self._next):
            if exchange is not None:
                exchange.keep_alive = False
        if self._current is None:
            self._close(lingering=False)

    def abort(self) -> None:
        """End at once, whatever is under way."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()

    def _close(self, *, lingering: bool) -> None:
        if self._closing:
            return
        self._closing = True
        self.send_held()
        if lingering and self._transport.can_write_eof():
            self._transport.write_eof()
            self.deadline = self._loop.time() + LINGER_SECONDS
            self.resume_reading()
        else:
            self.deadline = self._loop.time() + IDLE_SECONDS
            self._transport.close()

    def _refuse(self, status: int) -> None:
        """What was sent is no HTTP. Answers that are due are still given."""
        if self._receiving is not None:
            self._receiving.broke_off()
        if self._current is not None:
            self._stop_reading()
            return
        refusal = HttpExchange(
            self, RequestHead(self._client, self._scheme), self._loop, keep_alive=False, awaits_continue=False
        )
        refusal.respond(status, [])
        self._close(lingering=True)

    def _stop_reading(self) -> None:
        """The request that is being answered is the last one."""
        last = self._last()
        if last is None:
            self._close(lingering=True)
        else:
            last.is_last()
            self.throttle()

    def _last(self) -> HttpExchange | None:
        return self._next[-1] if self._next else self._current
