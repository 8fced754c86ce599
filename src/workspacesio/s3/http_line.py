"""The line to a client: what is sent on it, and how a client that is slow holds back what is sent and read."""

import asyncio
from contextlib import suppress

from uvloop.loop import TCPTransport  # type: ignore[attr-defined]  # their stubs leave it out

from workspacesio.s3.exchange import ClientGone
from workspacesio.s3.http_rounds import SMALL_BYTES, Rounds

_WRITE_BUFFER_BYTES = 1 << 20


class HttpLine(asyncio.Protocol):
    """See `http_exchange.Line`. Whoever inherits it sets `gone` when the connection is lost."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, rounds: Rounds) -> None:
        self.gone = False
        self.sends_views = False
        self._loop = loop
        self._rounds = rounds
        self._held: list[bytes] = []
        self._throttles = 0
        self._room: asyncio.Future[None] | None = None

    def opened(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # TLS reads what it encrypts, and asyncio's own transports copy what has to wait.
        self.sends_views = type(transport) is TCPTransport
        self._limit(_WRITE_BUFFER_BYTES)

    def write(self, data: bytes | memoryview) -> None:
        """Send it, at the end of the round if it is little."""
        if isinstance(data, memoryview) or len(data) > SMALL_BYTES:
            self.send_held()
            self._transport.write(data)
            return
        if not self._held:
            self._rounds.add(self)
        self._held.append(data)

    def send_held(self) -> None:
        held, self._held = self._held, []
        if held and not self.gone and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def throttle(self) -> None:
        self._throttles += 1
        if self._throttles == 1 and not self.gone:
            with suppress(RuntimeError):
                self._transport.pause_reading()

    def unthrottle(self) -> None:
        self._throttles -= 1
        if self._throttles == 0:
            self.resume_reading()

    def resume_reading(self) -> None:
        if not self.gone:
            with suppress(RuntimeError):
                self._transport.resume_reading()

    def pause_writing(self) -> None:
        if self._room is None:
            self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    async def drained(self, idle_seconds: float) -> None:
        self.send_held()
        while self._room is not None and not self.gone:
            waiting = self._transport.get_write_buffer_size()
            await asyncio.wait([self._room], timeout=idle_seconds)
            if self._room is not None and self._transport.get_write_buffer_size() == waiting:
                self._transport.abort()
                raise ClientGone
        if self.gone:
            raise ClientGone

    async def copied(self, idle_seconds: float) -> None:
        if not self.gone:
            self._limit(0)
        await self.drained(idle_seconds)
        self._limit(_WRITE_BUFFER_BYTES)

    def _limit(self, waiting_bytes: int) -> None:
        """Hold the writer back from so many bytes on that the system hasn't taken yet."""
        with suppress(RuntimeError):  # it is closed just now
            self._transport.set_write_buffer_limits(high=waiting_bytes)
