"""HTTP/1.1 over one kept connection, as far as S3 needs it (RFC 9112): quick where requests are many and small.

The standard library opens the connection, through proxies and with TLS. Its requests and answers take 0.2 ms of
the processor each, most of it for headers as those of e-mails; here it is a fifth of that.
"""

from __future__ import annotations

import http.client
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    Body = bytes | bytearray | memoryview

RECEIVED_BYTES = 1 << 16
SENT_BYTES = 1 << 18
"""At once: the time that a connection may stall counts for each of them, not for a whole body."""
MOST_HEAD_BYTES = 1 << 18
LEAST_BYTES = 1 << 10
"""Of what is waited for as long as a connection may stall: less than that is a stall, too."""
MOST_INTERIM_ANSWERS = 100
"""Such as 100 Continue (RFC 9110, section 15.2)."""
MOST_AT_ONCE_BYTES = 1 << 20
"""Of a body: what an answer says of its length is believed when it has come."""


class Headers(dict[str, str]):
    """By lower-case name; they are asked for in any case."""

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())


class Exchange:
    """Requests over a connection, one after the other: each answer is read to its end before the next one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._waited = 0.0
        self._came = 0
        self._may_trickle = False

    def ask(self, method: str, address: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Sends a request; the head of its answer. Raises OSError, HTTPException, UnicodeError."""
        length = [] if method in ("GET", "HEAD") and not body else [f"Content-Length: {len(body)}"]
        fields = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"{method} {address} HTTP/1.1", *fields, *length, "", ""])
        if head.count("\n") != len(fields) + len(length) + 2 or head.count("\r") != head.count("\n"):
            raise http.client.HTTPException("a header holds the end of a line")
        self._received = b""
        self._waited, self._came = 0.0, 0
        # While parts are put together a server sends a blank now and then, for minutes.
        self._may_trickle = method == "POST"
        try:
            self._send(head.encode("latin-1"), body)
        except (BrokenPipeError, ConnectionResetError):
            # Who refuses may answer, and close, before all of a body has come.
            refusal = self._answer(method)
            if refusal.status < 300:
                raise
            refusal.is_last = True
            return refusal
        return self._answer(method)

    def _send(self, head: bytes, body: Body) -> None:
        if len(body) < SENT_BYTES:
            self._connection.sendall(head + body if body else head)
            return
        self._connection.sendall(head)
        view = memoryview(body)
        for begin in range(0, len(view), SENT_BYTES):
            self._connection.sendall(view[begin : begin + SENT_BYTES])

    def _answer(self, method: str) -> Answer:
        for _ in range(MOST_INTERIM_ANSWERS):
            head = self._head()
            status_line, _, fields = head.partition("\r\n")
            version, _, status = status_line.partition(" ")
            if not version.startswith("HTTP/1.") or not status[:3].isdecimal():
                raise http.client.BadStatusLine(status_line[:100])
            if not status.startswith("1"):
                break
        else:
            raise http.client.HTTPException("the answer is put off again and again")
        headers = Headers()
        for line in fields.split("\r\n") if fields else ():
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise http.client.HTTPException("the head of the answer can't be read")
            name = name.lower()
            value = value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        answer = Answer(self, int(status[:3]), status[4:], headers)
        answer.is_last = version == "HTTP/1.0" or headers.get("connection").lower() == "close"
        length = headers.get("content-length")
        if length and not (length.isdecimal() and length.isascii()):
            raise http.client.HTTPException("the length of the answer is no number")
        if method != "HEAD" and answer.status not in (204, 304):
            answer.begin()
        return answer

    def _head(self) -> str:
        """Without the empty line behind it; what came of the body stays."""
        received = self._received
        while (end := received.find(b"\r\n\r\n")) < 0:
            if len(received) > MOST_HEAD_BYTES:
                raise http.client.HTTPException("the head of the answer has no end")
            asked_at = time.monotonic()
            piece = self._connection.recv(RECEIVED_BYTES)
            self._check_comes(len(piece), time.monotonic() - asked_at)
            if not piece:
                raise http.client.RemoteDisconnected("the connection was closed without an answer")
            received = received + piece if received else piece
        self._received = received[end + 4 :]
        return received[:end].decode("latin-1")

    def receive(self, most: int) -> bytes:
        """What came, none at the end of the connection."""
        if self._received:
            piece = self._received[:most]
            self._received = self._received[most:]
            return piece
        asked_at = time.monotonic()
        piece = self._connection.recv(most)
        self._check_comes(len(piece), time.monotonic() - asked_at)
        return piece

    def _check_comes(self, count: int, waited: float) -> None:
        """Raises TimeoutError where next to nothing comes. The time in which nobody asks doesn't count."""
        self._waited += waited
        self._came += count
        longest = self._connection.gettimeout()
        if longest is None or self._waited < longest:
            return
        if self._came < LEAST_BYTES and not self._may_trickle:
            raise TimeoutError("next to nothing comes")
        self._waited, self._came = 0.0, 0

    def line(self) -> bytes:
        """Of a few bytes, up to and without its end."""
        while (end := self._received.find(b"\r\n")) < 0:
            piece = self._connection.recv(RECEIVED_BYTES) if len(self._received) < RECEIVED_BYTES else b""
            if not piece:
                raise http.client.IncompleteRead(b"")
            self._received += piece
        found = self._received[:end]
        self._received = self._received[end + 2 :]
        return found


class Answer:
    """Status and headers, and a body that is taken as it comes. `is_last`: the connection can't be used again."""

    __slots__ = ("_exchange", "_is_chunked", "_left", "headers", "is_last", "reason", "status")

    def __init__(self, exchange: Exchange, status: int, reason: str, headers: Headers) -> None:
        self._exchange = exchange
        self.status = status
        self.reason = reason
        self.headers = headers
        self.is_last = False
        self._is_chunked = False
        self._left: int | None = 0
        """Bytes of the body, or of this chunk of it; None where the end of the connection is its end."""

    def begin(self) -> None:
        """There is a body (RFC 9112, section 6.3). Raises OSError, HTTPException."""
        if self.headers.get("transfer-encoding").lower() == "chunked":
            self._is_chunked = True
            self._next_chunk()
            return
        length = self.headers.get("content-length")
        if not length:
            self._left = None
            self.is_last = True
        else:
            self._left = int(length)

    def is_read(self) -> bool:
        """Whether all of the body was taken."""
        return self._left == 0

    def read_some(self, most: int) -> bytes:
        """What has come, at least a byte; none behind the end. Raises OSError, HTTPException before the end."""
        if self._left == 0:
            return b""
        piece = self._exchange.receive(most if self._left is None else min(most, self._left))
        if self._left is None:
            if not piece:
                self._left = 0
            return piece
        if not piece:
            raise http.client.IncompleteRead(b"", self._left)
        self._left -= len(piece)
        if not self._left and self._is_chunked:
            self._exchange.line()
            self._next_chunk()
        return piece

    def read(self, size: int | None = None) -> bytes:
        """So many bytes, less at the end; without a number all that is left. Raises as `read_some`."""
        pieces = []
        while size is None or size > 0:
            piece = self.read_some(RECEIVED_BYTES if size is None else min(size, MOST_AT_ONCE_BYTES))
            if not piece:
                break
            pieces.append(piece)
            if size is not None:
                size -= len(piece)
            if self._left == 0:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next_chunk(self) -> None:
        length = self._exchange.line().partition(b";")[0].strip()
        if not length or length.strip(b"0123456789abcdefABCDEF"):
            raise http.client.HTTPException("a chunk of the answer has no length")
        self._left = int(length, 16)
        if not self._left:
            self._is_chunked = False
            while self._exchange.line():  # trailers
                pass
