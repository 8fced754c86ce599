"""Any request whatever: never a 5xx but 501 and what a test asked for, never a trace, and the server lives on."""

from __future__ import annotations

import logging
import random
import socket
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3.sockets import connected, received
from s3.world import BUCKET, Answer, World
from workspacesio.s3.operations import SUBRESOURCES

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
_KEYS = [
    *sorted(SUBRESOURCES),
    "list-type",
    "prefix",
    "delimiter",
    "marker",
    "max-keys",
    "encoding-type",
    "partNumber",
]
_KEYS += [
    "versionId",
    "continuation-token",
    "start-after",
    "response-content-type",
    "key-marker",
    "max-parts",
    "x-id",
]
_HEADERS = [
    "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Range", "Content-MD5", "x-amz-copy-source",
    "x-amz-copy-source-range", "x-amz-checksum-crc32", "x-amz-checksum-algorithm", "x-amz-checksum-type",
    "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-tagging", "x-amz-meta-a", "x-amz-object-attributes",
    "x-amz-metadata-directive", "x-amz-acl", "x-amz-storage-class", "Content-Type", "Content-Encoding", "Expires",
    "x-amz-decoded-content-length", "x-amz-mp-object-size", "x-amz-max-parts", "Origin",
    "x-amz-expected-bucket-owner",
    "x-amz-checksum-mode", "x-amz-part-number-marker", "Accept-Encoding",
]  # fmt: skip
_VALUES = [
    "", "0", "1", "-1", "2", "99999999999999999999", "*", '"', '""', "bytes=0-", "bytes=-1", "a=b", "data/ada/x",
    "/data/ada/x?versionId=", "url", "null", "COPY", "REPLACE", "CRC32", "SHA256", "AAAAAA==", "ETag,ObjectParts",
    "Sun, 22 Nov 2026 16:40:34 GMT", "aws-chunked", "s3:ObjectRemoved:Delete", "x-amz-checksum-crc32",
    "FULL_OBJECT",
    "ada/", "ada/x", "..", "%", "a" * 3000,
]  # fmt: skip
_PATHS = [
    "/",
    f"/{BUCKET}",
    f"/{BUCKET}/",
    f"/{BUCKET}/ada/x",
    f"/{BUCKET}/ada/",
    f"/{BUCKET}/ada/y/z",
    "/no-such",
    "//",
]
_BODIES = [
    b"", b"x", b"<", b"<Delete><Object><Key>ada/x</Key></Object></Delete>", b"<Tagging><TagSet/></Tagging>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    b"<!DOCTYPE a><a/>", b"\x00" * 100, b"0\r\n\r\n",
]  # fmt: skip

_quoted = st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from("-_.~"), max_size=8)
_percent = st.binary(max_size=4).map(lambda raw: "".join(f"%{byte:02X}" for byte in raw))
_plain_value = st.sampled_from([value for value in _VALUES if value.isalnum() or value == ""]) | _quoted | _percent


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.ERROR)
    return caplog


def check(answer: Answer, context: object) -> None:
    assert answer.status < 500 or answer.status == 501, (answer, context)
    assert b"Traceback" not in answer.body, context
    assert "x-amz-request-id" in answer.headers, (answer, context)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(METHODS),
    path=st.sampled_from(_PATHS) | _percent.map(lambda text: f"/{BUCKET}/ada/{text}"),
    query=st.lists(st.tuples(st.sampled_from(_KEYS) | _quoted, _plain_value), max_size=3),
    headers=st.dictionaries(st.sampled_from(_HEADERS), st.sampled_from(_VALUES), max_size=3),
    body=st.sampled_from(_BODIES),
    sign=st.sampled_from([True, True, True, False]),
)
def test_requests_that_are_signed_well(
    world: World,
    quiet: pytest.LogCaptureFixture,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    sign: bool,
) -> None:
    if any(name == "events" for name, _ in query):
        query = [pair for pair in query if pair[0] != "events"]
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
    answer = world.raw(method, target, headers, body, sign=sign)
    check(answer, (method, target, headers, body))
    assert not quiet.records, quiet.text
    assert sign or answer.status in (200, 400, 403), answer


def test_bytes_that_are_hardly_requests(world: World, quiet: pytest.LogCaptureFixture) -> None:
    chance = random.Random(20261122)
    for _ in range(300):
        data = _mutated(world, chance)
        with connected(world) as connection:
            connection.settimeout(3)
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                answer = received(connection)
            except (ConnectionError, TimeoutError):
                answer = None
        if answer is not None and answer.status not in (400, 414, 431, 501, 505):
            check(answer, data)
        assert answer is None or answer.status < 500 or answer.status in (501, 505), (answer, data)
    assert not quiet.records, quiet.text
    assert world.raw("GET", "/-/health", sign=False).status == 200
    assert world.client().list_buckets()["Buckets"]


def _mutated(world: World, chance: random.Random) -> bytes:
    """A sound request with something changed, at the level of bytes."""
    method = chance.choice(METHODS)
    target = chance.choice(_PATHS)
    headers = world.signed(method, target, {chance.choice(_HEADERS): chance.choice(string.ascii_letters)})
    lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{world.port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {chance.choice(['0', '1', '5', '-1', 'x', '99999999999999999999'])}")
    data = bytearray("\r\n".join(lines).encode() + b"\r\n\r\n" + chance.randbytes(chance.randrange(6)))
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[place] = chance.randrange(256)
        elif kind == 1:
            del data[place : place + chance.randrange(1, 20)]
        elif kind == 2:
            data[place:place] = chance.choice(
                [b"\r\n", b"\x00", b"%", b"%zz", b"\xff", b":", b" ", b"?", b"&", b"="]
            )
        else:
            data[place:place] = bytes(data[place : place + 30])
    return bytes(data)
