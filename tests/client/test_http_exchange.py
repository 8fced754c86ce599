"""Answers in every form that HTTP/1.1 has, as a server sends them over a real connection."""

from __future__ import annotations

import http.client
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from workspacesio.client.http_exchange import MOST_HEAD_BYTES, Answer, Exchange


@contextmanager
def answered(*pieces: bytes, reads: int = 1) -> Iterator[tuple[Exchange, list[bytes]]]:
    """A server that reads `reads` times and then sends the pieces, each by itself, and closes."""
    here, there = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        with there, suppress(OSError):  # who asks may have had enough
            heard.extend(there.recv(1 << 20) for _ in range(reads))
            for piece in pieces:
                there.sendall(piece)

    served = threading.Thread(target=serve)
    served.start()
    with here:
        here.settimeout(10)
        yield Exchange(here), heard
    served.join()


def asked(exchange: Exchange, method: str = "GET") -> Answer:
    return exchange.ask(method, "/bucket/key", {"Host": "x"}, b"")


def test_a_request_is_what_was_meant() -> None:
    with answered(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (exchange, heard):
        exchange.ask("PUT", "/b/k?x=1", {"Host": "x", "x-amz-date": "now"}, b"body")
        assert heard == [b"PUT /b/k?x=1 HTTP/1.1\r\nHost: x\r\nx-amz-date: now\r\nContent-Length: 4\r\n\r\nbody"]
    with answered(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (exchange, heard):
        asked(exchange, "DELETE")
        assert heard[0].endswith(b"\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("value", ["a\r\nx-amz-acl: public", "a\nb", "a\rb"])
def test_a_header_never_becomes_two(value: str) -> None:
    with answered(b"", reads=0) as (exchange, _), pytest.raises(http.client.HTTPException, match="end of a line"):
        exchange.ask("GET", "/b/k", {"x-amz-meta-note": value}, b"")


def test_bodies_end_where_they_are_said_to_end() -> None:
    first = b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nETag: "x"\r\nCONTENT-length: 5\r\n\r\n01'
    with answered(first, b"234HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") as (exchange, _):
        answer = asked(exchange)
        assert (answer.status, answer.headers.get("etag"), answer.headers.get("Nope")) == (200, '"x"', "")
        assert not answer.is_read()
        assert answer.read() == b"01234"
        assert answer.is_read()
        assert not answer.is_last


def test_chunks_are_put_together() -> None:
    body = random.Random(1).randbytes(300_000)
    chunks = b"".join(
        b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in (body[:1], body[1:70_000], body[70_000:])
    )
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-trailer: y\r\n\r\n"
    for size in (1000, 65_537):
        pieces = [whole[begin : begin + size] for begin in range(0, len(whole), size)]
        with answered(*pieces) as (exchange, _):
            answer = asked(exchange)
            assert answer.read(10) == body[:10]
            assert answer.read() == body[10:]
            assert answer.is_read()
            assert answer.read() == b""


def test_what_has_no_length_ends_with_the_connection() -> None:
    with answered(b"HTTP/1.1 200 OK\r\n\r\nab", b"c" * 200_000) as (exchange, _):
        answer = asked(exchange)
        assert answer.is_last
        assert answer.read() == b"ab" + b"c" * 200_000


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_the_last_answer_of_a_connection(answer: bytes) -> None:
    with answered(answer) as (exchange, _):
        assert asked(exchange).is_last


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
def test_the_length_in_an_answer_to_head_is_not_that_of_a_body(status: bytes) -> None:
    with answered(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n") as (exchange, _):
        answer = asked(exchange, "HEAD")
        assert (answer.read(), answer.headers.get("Content-Length")) == (b"", "5")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n012",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n012\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlong\r\n012\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\n012\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n01234",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n01234",
        b"HTTP/1.1 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nETag:",
        b"x" * (MOST_HEAD_BYTES + 100_000),
        b"",
    ],
)
def test_answers_that_are_none(answer: bytes) -> None:
    with answered(answer) as (exchange, _), pytest.raises((http.client.HTTPException, OSError)):
        asked(exchange).read()


def test_what_came_before_a_connection_ended_can_be_taken() -> None:
    with answered(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 9\r\n\r\n0123") as (exchange, _):
        answer = asked(exchange)
        assert answer.read_some(10) == b"0123"
        with pytest.raises(http.client.IncompleteRead):
            answer.read_some(10)


def test_a_lie_about_the_length_takes_no_memory() -> None:
    with answered(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\nx") as (exchange, _):
        answer = asked(exchange)
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
