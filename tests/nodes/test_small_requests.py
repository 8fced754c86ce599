"""Small requests to a server have the pool's limits: of addresses, of time, of bytes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_sts
from minio.time import to_amz_date

from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import AddressNotAllowed, NodeDown
from workspacesio.nodes.minio import small_requests
from workspacesio.nodes.minio.failures import Unanswered
from workspacesio.nodes.minio.pool import ServerPool
from workspacesio.nodes.minio.reach import Reach
from workspacesio.nodes.minio.small_requests import SmallRequests
from workspacesio.nodes.minio.sts_signature import sts_headers

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@contextmanager
def answering(*answers: bytes, pause: float = 0, ends: bool = False) -> Iterator[tuple[str, list[int]]]:
    """A server that gives one answer after another, whatever is asked; and how many requests each connection had.

    `ends`: it closes the connection after each answer without saying so.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[int] = []
    left = list(answers)

    def serve() -> None:
        while left:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            connections.append(0)
            with connected:
                while left and _hears(connected):
                    connections[-1] += 1
                    if not _says(connected, left.pop(0), pause) or ends:
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", connections
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _says(connected: socket.socket, answer: bytes, pause: float) -> bool:
    """The whole answer at once, or a byte after each pause; False where nobody listens any more."""
    try:
        for piece in [answer] if not pause else [bytes([byte]) for byte in answer]:
            time.sleep(pause)
            connected.sendall(piece)
    except OSError:
        return False
    return True


def _hears(connected: socket.socket) -> bytes:
    try:
        return connected.recv(65536)
    except OSError:
        return b""


@contextmanager
def requests(endpoint: str, *allowed: str) -> Iterator[SmallRequests]:
    reach = Reach()
    pool = ServerPool(AllowedAddresses.of(allowed or ("127.0.0.1",)), reach)
    small = SmallRequests(pool, endpoint, reach)
    yield small
    small.close()
    pool.clear()


def test_a_connection_is_kept() -> None:
    chunked = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with answering(OK, chunked, OK) as (endpoint, connections), requests(endpoint) as small:
        assert small.post({"Host": "x"}, b"a=b") == (200, b"hi")
        assert small.post({"Host": "x"}, b"a=b") == (403, b"abc")
        assert small.post({"Host": "x"}, b"a=b") == (200, b"hi")
    assert connections == [3]


def test_one_that_the_server_ended_is_not_used_again() -> None:
    with answering(OK, OK, ends=True) as (endpoint, connections), requests(endpoint) as small:
        assert small.post({}, b"") == (200, b"hi")
        time.sleep(0.05)
        assert small.post({}, b"") == (200, b"hi")
    assert connections == [1, 1]


def test_only_allowed_addresses_are_asked() -> None:
    with answering(OK) as (endpoint, connections):
        with requests(endpoint, "10.0.0.0/8") as small, pytest.raises(AddressNotAllowed):
            small.post({}, b"")
        with requests(endpoint, "127.0.0.1") as small:
            assert small.post({}, b"") == (200, b"hi")
    assert sum(connections) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000,
    ],
)
def test_what_is_no_answer_is_a_node_that_is_down(answer: bytes) -> None:
    with answering(answer, ends=True) as (endpoint, _), requests(endpoint) as small, pytest.raises(NodeDown):
        small.post({}, b"")


def test_a_slow_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_requests, "REQUEST_SECONDS", 0.3)
    begun = time.monotonic()
    with answering(OK, pause=0.05) as (endpoint, _), requests(endpoint) as small, pytest.raises(Unanswered):
        small.post({}, b"")
    assert time.monotonic() - begun < 3


def test_the_signature_is_the_packages() -> None:
    now = datetime.now(UTC)
    body = b"Action=AssumeRole&Version=2011-06-15&Policy=%7B%7D"
    mine = sts_headers(
        host="s3.example.org:9000", region="eu-west-1", user="ada", secret="s" * 40, body=body, now=now
    )
    theirs = sign_v4_sts(
        method="POST",
        url=urlsplit("http://s3.example.org:9000"),
        region="eu-west-1",
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Host": "s3.example.org:9000",
            "X-Amz-Date": to_amz_date(now),
        },
        credentials=Credentials("ada", "s" * 40),
        content_sha256=sha256(body).hexdigest(),
        date=now,
    )
    assert mine == theirs
