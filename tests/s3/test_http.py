"""HTTP itself, byte by byte: what clients may send, what none should, and how connections end."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from s3.certificates import self_signed
from s3.world import served_handler
from workspacesio.s3 import http_connection
from workspacesio.s3.exchange import ClientGone, Exchange, Head

Handler = Callable[[Head, Exchange], Awaitable[None]]


async def echo(head: Head, exchange: Exchange) -> None:
    """Answers with what was asked and the hash of the body; `/late` after a while, `/ignored` without reading."""
    if head.path == "/ignored":
        exchange.is_last()
        exchange.respond(403, [], b"no")
        return
    body = b"".join([piece async for piece in exchange])
    if head.path == "/late":
        await asyncio.sleep(0.2)
    text = f"{head.method} {head.path}?{head.query_string} {len(body)} {hashlib.sha256(body).hexdigest()[:8]}\n"
    exchange.respond(200, [("x-names", ",".join(name for name, _ in head.headers))], text.encode())


@contextmanager
def line(handler: Handler = echo) -> Iterator[socket.socket]:
    with served_handler(handler) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """Everything that comes; a reset ends it as well."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def some(connection: socket.socket, wanted: bytes) -> bytes:
    """What comes up to `wanted`."""
    received = b""
    while wanted not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def taken(connection: socket.socket, data: bytes) -> int:
    """How many of the bytes the connection took: 0 where it takes no more, or none in time."""
    try:
        return connection.send(data)
    except (ConnectionError, TimeoutError):
        return 0


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(self_signed(tmp_path), tmp_path / "key.pem")
    return context


SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
LAST = "Connection: close\r\n"


def request(target: str, headers: str = "", body: bytes = b"", method: str = "GET") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {target} HTTP/1.1\r\nHost: h\r\n{headers}{length}\r\n".encode() + body


def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    with line() as connection:
        targets = ["/late" if number % 7 == 0 else f"/{number}" for number in range(1, 30)]
        many = [request(target, body=b"x" * number) for number, target in enumerate(targets, 1)]
        connection.sendall(b"".join([*many, request("/last", LAST)]))
        answered = until_closed(connection)
    paths = [text.split(b"?")[0].decode() for text in answered.split(b"GET ")[1:]]
    assert paths == [*targets, "/last"]


def test_a_head_may_come_in_single_bytes() -> None:
    with line() as connection:
        for byte in request("/a?b=c", "X-One: 1\r\n" + LAST):
            connection.sendall(bytes([byte]))
        answered = until_closed(connection)
    assert b"GET /a?b=c 0 " in answered
    assert b"x-names: host,x-one,connection\r\n" in answered


def test_a_body_in_chunks_and_its_trailers() -> None:
    chunks = b"".join(b"%x;name=value\r\n%b\r\n" % (size, b"y" * size) for size in (1, 70_000, 3))
    with line() as connection:
        head = f"PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{LAST}\r\n".encode()
        connection.sendall(head + chunks + b"0\r\nX-Late: not believed\r\n\r\n")
        answered = until_closed(connection)
    assert b"PUT /k? 70004 " + hashlib.sha256(b"y" * 70_004).hexdigest()[:8].encode() in answered
    assert b"x-late" not in answered


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
        b"GET /a HTTP/1.1\r\nA: b\nB: c\x00\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
        b"PUT /a HTTP/1.1\r\nTransfer-Encoding: gzip, chunked, gzip\r\n\r\n" + SMUGGLED,
        b"PUT /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nContent-Length: 1x\r\n\r\n1",
        b"BREW /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \xff, chunked\r\n\r\n" + SMUGGLED,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_is_refused_once_and_ends_the_connection(sent: bytes) -> None:
    with line() as connection:
        connection.sendall(sent)
        answered = until_closed(connection)
    assert answered.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answered.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answered


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", b"505"),
        (b"DELETE /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", b"501"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + SMUGGLED, b"501"),
        (b"PUT /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED, b"501"),
        (
            b"PUT /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
            b"501",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_not_begun(sent: bytes, status: bytes) -> None:
    begun = []

    async def noting(head: Head, exchange: Exchange) -> None:
        begun.append(head.method)
        exchange.respond(200, [])

    with line(noting) as connection:
        connection.sendall(sent)
        answered = until_closed(connection)
    assert answered.startswith(b"HTTP/1.1 " + status)
    assert begun == []


@pytest.mark.parametrize("endless", [b"0\r\nX-T: ", b"5;name="])
def test_what_stands_around_the_chunks_does_not_grow_without_end(endless: bytes) -> None:
    with line() as connection:
        connection.sendall(b"PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + endless)
        sent = 0
        while sent < 64 << 20 and (more := taken(connection, b"a" * (1 << 20))):
            sent += more
    assert sent < 40 << 20


def test_who_sends_too_far_ahead_is_answered_so_far() -> None:
    with line() as connection:
        connection.sendall(request("/late") + request("/quick") * 5000)
        answered = until_closed(connection)
    assert 2 <= answered.count(b"HTTP/1.1 200 ") <= http_connection.MAX_AHEAD + 2


def test_more_connections_than_there_may_be_wait() -> None:
    with served_handler(echo, most=2) as port:
        first, second, third = (socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3))
        for connection in (first, second, third):
            connection.sendall(request("/"))
        assert some(first, b"\n")
        assert some(second, b"\n")
        third.settimeout(0.5)
        with pytest.raises(TimeoutError):
            third.recv(1)
        first.close()
        third.settimeout(10)
        assert b"200 OK" in some(third, b"\n")
        second.close()
        third.close()


def test_stopping_waits_for_nobody_who_says_nothing(tls: ssl.SSLContext) -> None:
    with served_handler(echo, tls) as port:
        silent = socket.create_connection(("127.0.0.1", port), timeout=10)
        time.sleep(0.2)
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
    silent.close()


def test_no_request_follows_one_that_was_not_understood() -> None:
    with line() as connection:
        connection.sendall(request("/late") + b"nonsense\r\n\r\n" + request("/after"))
        answered = until_closed(connection)
    assert b"GET /late" in answered
    assert b"/after" not in answered


@pytest.mark.parametrize("part", ["target", "header", "headers", "unfinished"])
def test_a_head_that_is_too_big_is_refused(part: str) -> None:
    big = 1 << 20
    sent = {
        "target": request("/" + "a" * big),
        "header": request("/", f"X: {'a' * big}\r\n"),
        "headers": request("/", "".join(f"X-{number}: {number}\r\n" for number in range(big // 16))),
        "unfinished": b"GET / HTTP/1.1\r\nX: " + b"a" * big,
    }[part]
    with line() as connection:
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(sent)
        answered = until_closed(connection)
    assert answered == b"" or answered.startswith(b"HTTP/1.1 431 ")


def test_a_head_that_does_not_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HEAD_SECONDS", 0.5)
    with line() as connection:
        begun = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\n")
        cut = False
        while not cut and time.monotonic() - begun < 8:
            cut = not taken(connection, b"X-Slow: 1\r\n")
            time.sleep(0.1)
        assert cut
        assert time.monotonic() - begun < 4


def test_a_connection_that_is_silent_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.5)
    with line() as connection:
        connection.sendall(request("/"))
        some(connection, b"GET /? 0 ")
        begun = time.monotonic()
        until_closed(connection)
        assert 0.3 < time.monotonic() - begun < 4


def test_a_client_is_told_to_go_on_when_its_body_is_wanted() -> None:
    expecting = "Expect: 100-continue\r\nContent-Length: 5\r\n"
    with line() as connection:
        connection.sendall(request("/k", expecting, method="PUT"))
        assert some(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"12345")
        assert b"PUT /k? 5 " in some(connection, b"\n")
    with line() as connection:
        connection.sendall(request("/ignored", expecting, method="PUT"))
        assert until_closed(connection).startswith(b"HTTP/1.1 403 ")


def test_a_client_that_is_still_sending_gets_to_see_its_refusal() -> None:
    with line() as connection:
        connection.sendall(request("/ignored", "Content-Length: 8000000\r\n", method="PUT"))
        for _ in range(8):
            connection.sendall(b"z" * 1_000_000)
        answered = until_closed(connection)
    assert answered.startswith(b"HTTP/1.1 403 ")
    assert answered.endswith(b"no")


def test_a_body_that_nobody_read_holds_up_no_request() -> None:
    async def careless(head: Head, exchange: Exchange) -> None:
        if head.path == "/big":
            await asyncio.sleep(0.3)  # all of it is there by then
        exchange.respond(200, [], head.path.encode())

    with line(careless) as connection:
        connection.sendall(request("/big", body=b"x" * 540_000))
        assert some(connection, b"/big")
        connection.sendall(request("/next", LAST))
        assert until_closed(connection).endswith(b"/next")


def test_a_body_that_breaks_off_is_noticed() -> None:
    seen = []

    async def reading(head: Head, exchange: Exchange) -> None:
        try:
            async for _ in exchange:
                pass
        except ClientGone:
            seen.append(head.path)
            raise

    with line(reading) as connection:
        connection.sendall(request("/half", "Content-Length: 10\r\n", method="PUT") + b"12345")
        time.sleep(0.1)
        connection.close()
        deadline = time.monotonic() + 5
        while not seen:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert seen == ["/half"]


def test_nobody_reads_faster_than_the_handler() -> None:
    """A body that isn't read holds its sender back."""
    go_on = threading.Event()

    async def waiting(head: Head, exchange: Exchange) -> None:
        await asyncio.to_thread(go_on.wait)
        body = b"".join([piece async for piece in exchange])
        exchange.respond(200, [], b"%d" % len(body))

    size, sent = 64 << 20, 0
    with line(waiting) as connection:
        connection.sendall(request("/", f"{LAST}Content-Length: {size}\r\n", method="PUT"))
        connection.settimeout(0.5)
        while sent < size and (more := taken(connection, b"x" * min(1 << 20, size - sent))):
            sent += more
        assert sent < 32 << 20
        connection.settimeout(10)
        go_on.set()
        while sent < size:
            sent += connection.send(b"x" * min(1 << 20, size - sent))
        assert until_closed(connection).endswith(b"%d" % size)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_of_unknown_length(version: str) -> None:
    async def pouring(head: Head, exchange: Exchange) -> None:
        stream = exchange.respond_in_pieces(200, [], 5)
        for number in range(3):
            await stream.send(b"%d" % number)
        stream.end()

    with line(pouring) as connection:
        connection.sendall(f"GET / HTTP/{version}\r\nHost: h\r\n{LAST}\r\n".encode())
        answered = until_closed(connection)
    body = answered.partition(b"\r\n\r\n")[2]
    assert body == (b"1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\n" if version == "1.1" else b"012")


@pytest.mark.parametrize("length", ["4", None])
def test_an_answer_that_breaks_off_looks_broken(length: str | None) -> None:
    async def failing(head: Head, exchange: Exchange) -> None:
        headers = [("content-length", length)] if length else []
        stream = exchange.respond_in_pieces(200, headers, 5)
        await stream.send(b"abc")

    with line(failing) as connection:
        connection.sendall(request("/"))
        answered = until_closed(connection)
    assert not answered.endswith((b"0\r\n\r\n", b"abcd"))


@pytest.mark.parametrize("name", ["x-a", "x-a\r\nx-injected"])
@pytest.mark.parametrize("value", ["1\r\nx-injected: 1", "1\nx-injected: 1", "1\x00", "\x7f"])
def test_no_header_of_an_answer_holds_another(name: str, value: str) -> None:
    async def injecting(head: Head, exchange: Exchange) -> None:
        with pytest.raises(ValueError, match="header"):
            exchange.respond(200, [(name, value)])
        exchange.respond(200, [], b"kept")

    with line(injecting) as connection:
        connection.sendall(request("/", LAST))
        answered = until_closed(connection)
    assert answered.endswith(b"kept")
    assert b"injected" not in answered


def test_a_whole_address_as_a_target() -> None:
    async def telling(head: Head, exchange: Exchange) -> None:
        exchange.respond(200, [], f"{head.authority} {head.path} {head.query_string}".encode())

    with line(telling) as connection:
        head = b"GET http://other:81/a%20b?c=%20d HTTP/1.1\r\nHost: other:81\r\n"
        connection.sendall(head + LAST.encode() + b"\r\n")
        assert until_closed(connection).endswith(b"other:81 /a b c=%20d")


def test_other_protocols_are_not_taken_up() -> None:
    with line() as connection:
        upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        connection.sendall(request("/", upgrade))
        answered = until_closed(connection)
    assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"GET /? 0 " in answered


def test_a_failure_of_the_handler_ends_the_connection() -> None:
    async def failing(head: Head, exchange: Exchange) -> None:
        raise ClientGone

    with line(failing) as connection:
        connection.sendall(request("/"))
        assert until_closed(connection) == b""
