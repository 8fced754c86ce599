"""Objects that come over several connections, from servers that give something else than they said."""

from __future__ import annotations

import os
import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workspacesio.client import blocks, downloads
from workspacesio.client.checksums import spelled
from workspacesio.client.errors import CommandError
from workspacesio.client.places import Place
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage

BODY = random.Random(7).randbytes(5 * blocks.BLOCK_BYTES + 4321)
ETAG = f'"{"a" * 32}-3"'
Given = Callable[[int, int], bytes | int]
"""What is given of the bytes from one number to another: bytes, or a status."""


def as_stored(begin: int, end: int) -> bytes:
    return BODY[begin:end]


@contextmanager
def stored(given: Given, *, asked: list[int] | None = None) -> Iterator[Place]:
    """One object at a server, of the ETag and the CRC-32 of BODY."""

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self._describe()

        def do_GET(self) -> None:
            begin, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            if asked is not None:
                asked.append(int(begin))
            body = given(int(begin), int(last) + 1 if last else len(BODY))
            content = b"" if isinstance(body, int) else body
            self.send_response(body if isinstance(body, int) else 206)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Range", f"bytes {begin}-{int(begin) + len(content) - 1}/{len(BODY)}")
            self._describe()
            self.wfile.write(content)

        def _describe(self) -> None:
            self.send_header("ETag", ETAG)
            self.send_header("x-amz-checksum-crc32", spelled(zlib.crc32(BODY)))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    issued = {
        "endpoint": f"http://127.0.0.1:{server.server_port}",
        "access_key_id": "A",
        "secret_access_key": "s",
        "session_token": "",
        "region": "us-east-1",
        "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    try:
        with NodeStorage(lambda _: issued, patience=0.5) as storage:
            workspace = {"bucket": "b", "prefix": "p/", "node": "n", "level": "read", "owner": "ada", "name": "w"}
            yield Place(Located(workspace, "w", "big"), storage)
    finally:
        server.shutdown()
        server.server_close()


def download(place: Place, target: str) -> str:
    return downloads.download(place, target, size=len(BODY), etag=ETAG, told=lambda *_, **__: None)


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("blocks")]


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server were far away."""
    monkeypatch.setattr(blocks, "FAST", float("inf"))


def test_one_connection_is_enough_where_it_is_fast(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "FAST", 1.0)
    asked = list[int]()
    with stored(as_stored, asked=asked) as place:
        download(place, os.path.join(tmp_path, "big"))
    assert asked == [0, blocks.BLOCK_BYTES]


def test_blocks_come_in_their_order(tmp_path: os.PathLike[str]) -> None:
    def slow(begin: int, end: int) -> bytes:
        time.sleep(random.Random(begin).uniform(0, 0.1))
        return as_stored(begin, end)

    target, asked = os.path.join(tmp_path, "big"), list[int]()
    with stored(slow, asked=asked) as place:
        assert download(place, target) == ETAG
    with open(target, "rb") as file:
        assert file.read() == BODY
    assert sorted(asked) == [number * blocks.BLOCK_BYTES for number in range(6)]
    assert running() == []


def test_what_had_come_is_not_asked_for_again(tmp_path: os.PathLike[str]) -> None:
    target, asked = os.path.join(tmp_path, "big"), list[int]()
    with stored(as_stored, asked=asked) as place:
        have = 2 * blocks.BLOCK_BYTES + 17
        with open(downloads.part_path(place, target, len(BODY), ETAG), "wb") as file:
            file.write(BODY[:have])
        download(place, target)
        assert min(asked) == have
    with open(target, "rb") as file:
        assert file.read() == BODY


def test_a_bit_that_turned_on_its_way_is_noticed(tmp_path: os.PathLike[str]) -> None:
    def damaged(begin: int, end: int) -> bytes:
        content = bytearray(BODY[begin:end])
        if begin == 3 * blocks.BLOCK_BYTES:
            content[5] ^= 1
        return bytes(content)

    with stored(damaged) as place, pytest.raises(CommandError, match="did not come as it is stored"):
        download(place, os.path.join(tmp_path, "big"))
    (part,) = os.listdir(tmp_path)
    assert os.path.getsize(os.path.join(tmp_path, part)) == 0


@pytest.mark.parametrize("answer", [403, 404, 412, b"short"])
def test_a_block_that_does_not_come_ends_it_and_keeps_the_others(
    tmp_path: os.PathLike[str], answer: int | bytes
) -> None:
    def given(begin: int, end: int) -> bytes | int:
        return answer if begin == 2 * blocks.BLOCK_BYTES else as_stored(begin, end)

    with stored(given) as place, pytest.raises(CommandError):
        download(place, os.path.join(tmp_path, "big"))
    assert running() == []
    (part,) = os.listdir(tmp_path)
    with open(os.path.join(tmp_path, part), "rb") as file:
        assert file.read() == BODY[: 2 * blocks.BLOCK_BYTES]


def test_streams_are_given_back(tmp_path: os.PathLike[str]) -> None:
    with stored(as_stored) as place:
        for number in range(2):
            download(place, os.path.join(tmp_path, str(number)))
            taken = blocks.content(place, 0, len(BODY), ETAG)
            have = 0
            while have < 2 * blocks.BLOCK_BYTES:
                have += len(next(taken))
            assert running() != []
            taken.close()
    assert blocks._more._value == blocks.MORE_STREAMS
    assert running() == []
