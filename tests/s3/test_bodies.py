"""Bodies as they really arrive: short, long, slow, broken off, in chunks, and refused before they are sent."""

from __future__ import annotations

import base64
import os
import re
import time
import zlib

import pytest

from s3.sockets import connected, head_of, received, signed_chunks, signed_head
from s3.world import BUCKET, World
from workspacesio.domain.vocabulary import Action, Level

TARGET = f"/{BUCKET}/ada/x"


def nothing_there(world: World) -> bool:
    """No object, nothing staged, nothing reserved, no event."""
    staged = [
        name
        for folder, _, names in os.walk(world.folder)
        for name in names
        if "ada" in folder or ".workspacesio" in folder
    ]
    return not staged and not world.rights.reserved and not world.rights.events


def wait_for(condition: object, seconds: float = 5) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# --- length ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 500_000])
def test_a_connection_that_drops_leaves_nothing(world: World, size: int) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=size)
    with connected(world) as connection:
        connection.sendall(head + b"x" * (size // 2))
        time.sleep(0.1)
    wait_for(lambda: ("commit", "") not in world.rights.asked and nothing_there(world))
    time.sleep(0.2)
    assert nothing_there(world)
    assert world.raw("GET", TARGET).status == 404


def test_a_dropped_overwrite_leaves_the_old_object(world: World) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"old")
    head, _ = signed_head(world, "PUT", TARGET, length=300_000)
    with connected(world) as connection:
        connection.sendall(head + b"x" * 200_000)
        time.sleep(0.1)
    time.sleep(0.3)
    assert world.content("ada/x") == b"old"


def test_bytes_behind_the_declared_length_are_another_request(world: World) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=3)
    with connected(world) as connection:
        connection.sendall(head + b"abcDELETE /data/ada/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = b""
        while piece := connection.recv(65536):
            answers += piece
    assert re.findall(rb"HTTP/1.1 ([0-9]+) ", answers) == [b"200", b"403"]
    assert world.content("ada/x") == b"abc"


def test_a_length_is_needed(world: World) -> None:
    _, headers = signed_head(world, "PUT", TARGET, length=0)
    del headers["Content-Length"]
    headers["Transfer-Encoding"] = "chunked"
    with connected(world) as connection:
        connection.sendall(head_of(world, "PUT", TARGET, headers) + b"3\r\nabc\r\n0\r\n\r\n")
        answer = received(connection)
    assert answer is not None
    assert (answer.status, answer.code) == (411, "MissingContentLength")
    assert nothing_there(world)


# --- time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [10, 200_000])
def test_a_body_that_stops_coming_is_given_up(world: World, length: int) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=length)
    with connected(world) as connection:
        connection.sendall(head + b"x" * 5)
        begun = time.monotonic()
        answer = received(connection)
    assert answer is not None
    assert (answer.status, answer.code) == (400, "RequestTimeout")
    assert time.monotonic() - begun < 9
    assert nothing_there(world)


def test_a_body_that_drips_is_given_up(world: World) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=200_000)
    begun = time.monotonic()
    with connected(world) as connection:
        connection.sendall(head)
        try:
            while time.monotonic() - begun < 10:
                connection.sendall(b"x")
                time.sleep(0.1)
        except ConnectionError:
            pass
    assert time.monotonic() - begun < 9.5
    assert nothing_there(world)


# --- before the body ---------------------------------------------------------------------------------------


def test_a_refused_upload_is_refused_before_its_body(world: World) -> None:
    head, _ = signed_head(
        world, "PUT", TARGET, length=10_000_000, headers={"Expect": "100-continue"}, keys=world.bob
    )
    with connected(world) as connection:
        connection.sendall(head)
        answer = received(connection)
        assert answer is not None
        assert (answer.status, answer.code) == (403, "AccessDenied")
        assert connection.recv(1) == b"", "the connection is not used for the body that was never sent"


def test_an_allowed_upload_is_told_to_go_on(world: World) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=5, headers={"Expect": "100-continue"})
    with connected(world) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        answer = received(connection)
    assert answer is not None
    assert answer.status == 200
    assert world.content("ada/x") == b"hello"


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_a_client_that_sends_without_asking_sees_the_refusal(world: World, size: int) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=size, keys=world.bob)
    with connected(world) as connection:
        connection.sendall(head + b"x" * size)
        answer = received(connection)
        assert answer is not None
        assert answer.status == 403
        connection.sendall(head_of(world, "GET", "/-/health", {}))
        following = received(connection)
        assert following is not None
        assert following.status == 200, "the connection can be used on"


def test_an_endless_refused_body_is_not_read_to_its_end(world: World) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=10**12, keys=world.bob)
    sent = 0
    with connected(world) as connection:
        connection.sendall(head)
        try:
            while sent < 200_000_000:
                connection.sendall(b"x" * 1_000_000)
                sent += 1_000_000
        except (ConnectionError, TimeoutError):
            pass
    assert sent < 100_000_000


# --- chunks ------------------------------------------------------------------------------------------------

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def put_chunks(world: World, chunks: list[bytes], *, decoded: int | None = None, spoil: bool = False) -> object:
    total = sum(map(len, chunks))
    headers = {
        "X-Amz-Decoded-Content-Length": str(total if decoded is None else decoded),
        "Content-Encoding": "aws-chunked,gzip",
    }
    _, signed = signed_head(world, "PUT", TARGET, length=0, headers=headers, payload=SIGNED)
    body = signed_chunks(world, signed, chunks)
    if spoil:
        body = body.replace(b"BBBB", b"BBBC")
    signed["Content-Length"] = str(len(body))
    with connected(world) as connection:
        connection.sendall(head_of(world, "PUT", TARGET, signed) + body)
        return received(connection)


def test_signed_chunks(world: World) -> None:
    answer = put_chunks(world, [b"A" * 70_000, b"BBBB" * 20_000, b"C"])
    assert answer is not None
    assert answer.status == 200  # type: ignore[attr-defined]
    assert world.content("ada/x") == b"A" * 70_000 + b"BBBB" * 20_000 + b"C"
    assert world.client().head_object(Bucket=BUCKET, Key="ada/x")["ContentEncoding"] == "gzip"


def test_a_chunk_that_was_changed_on_the_way(world: World) -> None:
    answer = put_chunks(world, [b"A" * 70_000, b"BBBB" * 20_000, b"C"], spoil=True)
    assert answer.code == "SignatureDoesNotMatch"  # type: ignore[attr-defined]
    assert nothing_there(world)


@pytest.mark.parametrize("decoded", [9, 11])
def test_chunks_of_another_length_than_declared(world: World, decoded: int) -> None:
    answer = put_chunks(world, [b"0123456789"], decoded=decoded)
    assert answer.code == "IncompleteBody"  # type: ignore[attr-defined]
    assert nothing_there(world)


@pytest.mark.parametrize("right", [True, False])
def test_an_unsigned_trailer_with_a_checksum(world: World, right: bool) -> None:
    content = b"hello world" * 1000
    value = base64.b64encode(zlib.crc32(content if right else b"other").to_bytes(4, "big")).decode()
    body = f"{len(content):x}\r\n".encode() + content + f"\r\n0\r\nx-amz-checksum-crc32:{value}\r\n\r\n".encode()
    headers = {
        "X-Amz-Decoded-Content-Length": str(len(content)),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
        "Content-Encoding": "aws-chunked",
    }
    head, _ = signed_head(world, "PUT", TARGET, length=len(body), headers=headers, payload=UNSIGNED_TRAILER)
    with connected(world) as connection:
        connection.sendall(head + body)
        answer = received(connection)
    assert answer is not None
    if not right:
        assert (answer.status, answer.code) == (400, "BadDigest")
        assert nothing_there(world)
        return
    assert answer.headers["x-amz-checksum-crc32"] == value
    head_answer = world.client().head_object(Bucket=BUCKET, Key="ada/x", ChecksumMode="ENABLED")
    assert head_answer["ChecksumCRC32"] == value
    assert "ContentEncoding" not in head_answer
    assert world.content("ada/x") == content


# --- rights and room while a body arrives ------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, Level.READ])
def test_an_upload_begun_before_and_ended_after_the_revocation_is_refused(
    world: World, level: Level | None
) -> None:
    head, _ = signed_head(world, "PUT", TARGET, length=10)
    with connected(world) as connection:
        connection.sendall(head + b"01234")
        wait_for(lambda: (Action.WRITE_DATA.value, "ada/x") in world.rights.asked)
        if level is None:
            world.rights.unshare("ada", BUCKET, "ada/")
        else:
            world.rights.share("ada", BUCKET, "ada/", level)
        connection.sendall(b"56789")
        answer = received(connection)
    assert answer is not None
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert nothing_there(world)


def test_an_upload_over_the_quota_is_refused(world: World) -> None:
    number = world.rights.workspaces[BUCKET, "ada/"]
    world.rights.limits[number] = 10
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"0123456789")
    answer = world.raw("PUT", f"/{BUCKET}/ada/y", {}, b"1")
    assert (answer.status, answer.code) == (403, "QuotaExceeded")
    assert b"The workspace may hold 10 bytes." in answer.body
    assert not os.path.exists(world.path("ada/y"))
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"9876543210")
    client.delete_object(Bucket=BUCKET, Key="ada/x")
    client.put_object(Bucket=BUCKET, Key="ada/y", Body=b"1")
    assert world.rights.used(number) == 1
    assert not world.rights.reserved


def test_the_order_of_a_write(world: World) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"12345")
    assert world.rights.asked == [
        ("data.write", "ada/x"),
        ("data.write", "ada/x"),
        ("reserve", "5"),
        ("commit", "5"),
        ("happened", "s3:ObjectCreated:Put"),
    ]


def test_an_object_that_is_there_is_acknowledged_even_if_it_cannot_be_recorded(world: World) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("the database is gone")

    world.rights.commit = fails  # type: ignore[method-assign]
    world.rights.happened = fails  # type: ignore[method-assign]
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
    assert world.content("ada/x") == b"1"
