"""An HTTP proxy in front of one S3 server that writes down every exchange, and cuts connections all the time.

It relays bytes as they are; of the requests and answers it only reads where they begin and end.
"""

from __future__ import annotations

import queue
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from servers.process import free_port

PIECE_BYTES = 1 << 18
SILENT_SECONDS = 4.0


@dataclass
class Exchange:
    """A request that came, and how far it and its answer got; times by `time.monotonic`.

    `access_key_id` is that of its signature. `is_whole`: the whole answer was given to the client.
    """

    method: str
    path: str
    query: dict[str, str]
    access_key_id: str
    begun: float
    sent_bytes: int = 0
    answered_bytes: int = 0
    status: int = 0
    is_whole: bool = False
    ended: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the client may know that it succeeded."""
        return self.is_whole and 200 <= self.status < 300


@dataclass
class CountingProxy:
    """`every`: seconds between two cuts, each of one connection on which bytes are under way; None for none.

    `bytes_per_second`: of all bodies together, both ways. `stalls_after`: the next body of more bytes than these
    goes silent behind them, for `SILENT_SECONDS`.
    """

    target: str
    every: float | None = None
    bytes_per_second: float | None = None
    stalls_after: int | None = None
    stalled: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    cuts: int = 0
    port: int = field(default_factory=free_port)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: dict[socket.socket, socket.socket] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _free_at: float = 0.0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def cut(self) -> None:
        """Cuts one connection after the other, none of them twice at once, until the end."""
        chosen = random.Random(1)
        while not self._stopped.wait(self.every or 0.05):
            if self.every is None:
                continue
            with self._lock:
                if not self._busy:
                    continue
                client = chosen.choice(list(self._busy))
                server = self._busy.pop(client)
                self.cuts += 1
            _break(client)
            _break(server)

    def break_off(self) -> None:
        """Cuts all connections on which bytes are under way."""
        with self._lock:
            busy = dict(self._busy)
            self._busy.clear()
        for one in (*busy, *busy.values()):
            _break(one)

    def stop(self) -> None:
        self._stopped.set()
        self.break_off()

    def _connection(self, client: socket.socket) -> None:
        asked: queue.SimpleQueue[Exchange] = queue.SimpleQueue()
        address = urlsplit(self.target)
        try:
            server = socket.create_connection((address.hostname or "", address.port or 80), 10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with client, server, client.makefile("rb") as requests, server.makefile("rb") as answers:
            answering = threading.Thread(target=self._answers, args=(answers, client, server, asked), daemon=True)
            answering.start()
            with suppress(OSError, ValueError):
                self._requests(requests, client, server, asked)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            answering.join()

    def _requests(
        self,
        requests: BinaryIO,
        client: socket.socket,
        server: socket.socket,
        asked: queue.SimpleQueue[Exchange],
    ) -> None:
        while lines := _head(requests):
            method, target, _ = lines[0].decode("latin-1").split(" ", 2)
            headers = _headers(lines)
            if "://" in target:  # as it is written to a proxy
                target = "/" + target.split("/", 3)[3]
                lines[0] = f"{method} {target} HTTP/1.1\r\n".encode("latin-1")
            path, _, query = target.partition("?")
            found = re.search(r"Credential=([^/]+)/", headers.get("authorization", ""))
            fields = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
            exchange = Exchange(method, unquote(path), fields, found[1] if found else "", time.monotonic())
            with self._lock:
                self.exchanges.append(exchange)
                self._busy[client] = server
            asked.put(exchange)
            server.sendall(b"".join(lines))
            for piece in _body(requests, headers):
                self._wait(len(piece), exchange.sent_bytes)
                server.sendall(piece)
                exchange.sent_bytes += len(piece)

    def _answers(
        self,
        answers: BinaryIO,
        client: socket.socket,
        server: socket.socket,
        asked: queue.SimpleQueue[Exchange],
    ) -> None:
        with suppress(OSError, ValueError):
            while lines := _head(answers):
                status = int(lines[0].split(b" ", 2)[1])
                client.sendall(b"".join(lines))
                if status < 200:
                    continue
                exchange = asked.get_nowait()
                exchange.status = status
                if exchange.method != "HEAD" and status not in (204, 304):
                    for piece in _body(answers, _headers(lines), to_the_end=True):
                        self._wait(len(piece), exchange.answered_bytes)
                        client.sendall(piece)
                        exchange.answered_bytes += len(piece)
                with self._lock:
                    was_cut = client not in self._busy
                    if asked.empty():
                        self._busy.pop(client, None)
                if was_cut:
                    break
                exchange.is_whole, exchange.ended = True, time.monotonic()
        for one in (client, server):  # who waits for more requests is woken
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _wait(self, count: int, before: int) -> None:
        with self._lock:
            stalls = self.stalls_after is not None and before + count > self.stalls_after
            if stalls:
                self.stalls_after, self.stalled = None, self.stalled + 1
        if stalls:
            self._stopped.wait(SILENT_SECONDS)
            raise ConnectionError
        if self.bytes_per_second is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + count / self.bytes_per_second
            pause = self._free_at - time.monotonic()
        self._stopped.wait(max(0.0, pause))


def _break(connection: socket.socket) -> None:
    """What was sent and has not come yet is lost, as where a line goes down."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _head(stream: BinaryIO) -> list[bytes]:
    """The lines before a body, with the empty one; none at the end of the connection."""
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return lines
    return []


def _headers(lines: list[bytes]) -> dict[str, str]:
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:-1])
    return {name.lower(): value.strip() for name, _, value in pairs}


def _body(stream: BinaryIO, headers: dict[str, str], *, to_the_end: bool = False) -> Iterator[bytes]:
    """In pieces, as it is on the wire. Raises OSError where the connection ends before it does."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            line = stream.readline()
            yield line
            size = int(line.partition(b";")[0], 16)
            if not size:
                break
            yield from _exactly(stream, size + 2)
        while line := stream.readline():
            yield line
            if line == b"\r\n":
                return
        raise ConnectionError
    length = headers.get("content-length")
    if length is not None:
        yield from _exactly(stream, int(length))
    elif to_the_end:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def _exactly(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = stream.read1(min(size, PIECE_BYTES))  # type: ignore[attr-defined]
        if not piece:
            raise ConnectionError
        size -= len(piece)
        yield piece


@contextmanager
def counting_proxy(
    target: str, *, every: float | None = None, bytes_per_second: float | None = None
) -> Iterator[CountingProxy]:
    proxy = CountingProxy(target, every, bytes_per_second)
    with socket.create_server(("127.0.0.1", proxy.port), backlog=200) as listener:
        threads = [
            threading.Thread(target=proxy.serve, args=(listener,), daemon=True),
            threading.Thread(target=proxy.cut, daemon=True),
        ]
        for one in threads:
            one.start()
        try:
            yield proxy
        finally:
            proxy.stop()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
