"""The bytes of a request as they arrive: counted, bounded in time, read once.

The bytes are counted against the declared length; a body that breaks off is IncompleteBody, and a client that
sends too slowly gets RequestTimeout.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import ClientGone, Exchange


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How long a body may take: never `idle_seconds` without a byte, nor more than `grace_seconds` behind
    `bytes_per_second` on the whole. `drained_bytes` of a body that nobody wants are read for politeness.
    """

    idle_seconds: float = 60.0
    grace_seconds: float = 60.0
    bytes_per_second: int = 1024
    drained_bytes: int = 16 * 1024 * 1024
    drained_seconds: float = 5.0


_AT_ONCE = 64 * 1024
"""Bodies up to this length are taken from the server in one piece."""


class RequestBody:
    """`length` is the declared Content-Length, None with Transfer-Encoding: chunked."""

    __slots__ = ("_arriving", "_begun", "_ended", "_exchange", "_given_up", "_limits", "awaits_continue", "length")

    def __init__(self, exchange: Exchange, headers: Mapping[str, str], limits: BodyLimits) -> None:
        self._exchange = exchange
        self._limits = limits
        self._arriving: AsyncIterator[bytes] | None = None
        self._begun = False
        self._given_up = False
        self.awaits_continue = "expect" in headers
        declared = headers.get("content-length")
        if declared is not None:
            if not (declared.isascii() and declared.isdecimal() and len(declared) < 20):
                raise S3Error(ErrorCode.BadRequest)
            self.length: int | None = int(declared)
        else:
            self.length = None if "transfer-encoding" in headers else 0
        self._ended = self.length == 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes. Raises S3Error IncompleteBody or RequestTimeout. May be iterated once."""
        assert not self._begun, "a body is read once"
        self._begun = True
        if self._ended:
            return
        if self._is_short:
            yield await self._whole()
            return
        received = 0
        async for chunk in self._received():
            received += len(chunk)
            yield chunk
        if self.length is not None and received != self.length:
            raise S3Error(ErrorCode.IncompleteBody)

    async def short(self) -> bytes | None:
        """The whole of a short body, quicker than by `chunks`; None for another one, which `chunks` has."""
        if not self._is_short:
            return None
        assert not self._begun, "a body is read once"
        self._begun = True
        return b"" if self._ended else await self._whole()

    async def read(self, most: int) -> bytes:
        """The whole body. Raises S3Error MaxMessageLengthExceeded when it has more than `most` bytes."""
        if self.length is not None and self.length > most:
            raise S3Error(ErrorCode.MaxMessageLengthExceeded)
        pieces = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > most:
                raise S3Error(ErrorCode.MaxMessageLengthExceeded)
            pieces.append(chunk)
        return b"".join(pieces)

    async def drain(self) -> bool:
        """Read what a refused request goes on sending, so that its client gets to see the answer.

        Whether all of it was read. A client that awaits "100 Continue" has sent nothing and needs no draining.
        """
        if self._ended or self._given_up:
            return self._ended
        left = self._limits.drained_bytes
        if (self.awaits_continue and not self._begun) or (self.length is not None and self.length > left):
            return False
        self._begun = True
        try:
            async with asyncio.timeout(self._limits.drained_seconds):
                while (chunk := await self._next()) is not None and left >= 0:
                    left -= len(chunk)
        except (TimeoutError, ClientGone):
            return False
        return self._ended

    async def _next(self) -> bytes | None:
        """What comes next, or None at the end."""
        if self._arriving is None:
            self._arriving = aiter(self._exchange)
        try:
            return await anext(self._arriving)
        except StopAsyncIteration:
            self._ended = True
            return None

    @property
    def _is_short(self) -> bool:
        return self.length is not None and self.length <= _AT_ONCE

    async def _whole(self) -> bytes:
        try:
            if self._exchange.body_complete:
                whole = await self._exchange()
            else:
                async with asyncio.timeout(self._limits.idle_seconds):
                    whole = await self._exchange()
        except TimeoutError:
            self._given_up = True
            raise S3Error(ErrorCode.RequestTimeout) from None
        except ClientGone:
            self._given_up = True
            raise S3Error(ErrorCode.IncompleteBody) from None
        self._ended = True
        if len(whole) != self.length:
            raise S3Error(ErrorCode.IncompleteBody)
        return whole

    async def _received(self) -> AsyncIterator[bytes]:
        limits = self._limits
        loop = asyncio.get_running_loop()
        begun = loop.time()
        received = 0
        try:
            while True:
                behind = begun + limits.grace_seconds + received / limits.bytes_per_second
                async with asyncio.timeout_at(min(loop.time() + limits.idle_seconds, behind)):
                    chunk = await self._next()
                if chunk is None:
                    return
                received += len(chunk)
                yield chunk
        except TimeoutError:
            self._given_up = True
            raise S3Error(ErrorCode.RequestTimeout) from None
        except ClientGone:
            self._given_up = True
            raise S3Error(ErrorCode.IncompleteBody) from None
