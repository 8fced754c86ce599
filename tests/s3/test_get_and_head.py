"""GetObject, HeadObject and GetObjectAttributes."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import Any

import pytest

from s3.answers import refusal
from s3.world import BUCKET, World

BODY = bytes(range(256)) * 40


@pytest.fixture
def stored(world: World) -> dict[str, Any]:
    """An object with everything that headers can say of one."""
    return world.client().put_object(
        Bucket=BUCKET,
        Key="ada/x",
        Body=BODY,
        ContentType="image/tiff",
        CacheControl="max-age=5",
        ContentDisposition='attachment; filename="x.tif"',
        ContentEncoding="gzip",
        ContentLanguage="de",
        Expires="Thu, 01 Dec 2033 16:00:00 GMT",
        Metadata={"instrument": "krios", "run": "7"},
        Tagging="a=1&b=2",
        ChecksumAlgorithm="CRC32C",
    )


def test_headers_and_body_come_back(world: World, stored: dict[str, Any]) -> None:
    client = world.client()
    got = client.get_object(Bucket=BUCKET, Key="ada/x")
    head = client.head_object(Bucket=BUCKET, Key="ada/x", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY
    for answer in (got, head):
        assert answer["ETag"] == stored["ETag"]
        assert answer["ContentLength"] == len(BODY)
        assert answer["ContentType"] == "image/tiff"
        assert answer["CacheControl"] == "max-age=5"
        assert answer["ContentDisposition"] == 'attachment; filename="x.tif"'
        assert answer["ContentEncoding"] == "gzip"
        assert answer["ContentLanguage"] == "de"
        assert answer["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Thu, 01 Dec 2033 16:00:00 GMT"
        assert answer["Metadata"] == {"instrument": "krios", "run": "7"}
        assert answer["AcceptRanges"] == "bytes"
        assert answer["ChecksumCRC32C"] == stored["ChecksumCRC32C"]
        assert answer["ChecksumType"] == "FULL_OBJECT"
        assert abs(answer["LastModified"].timestamp() - time.time()) < 60
    assert got["TagCount"] == 2
    assert "ChecksumCRC32C" not in client.head_object(Bucket=BUCKET, Key="ada/x")


def test_each_header_is_sent_once(world: World, stored: dict[str, Any]) -> None:
    for method in ("GET", "HEAD"):
        raw = raw_answer(world, method, f"/{BUCKET}/ada/x")
        names = [line.partition(b":")[0].lower() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
        assert len(names) == len(set(names))
        assert b"content-length" in names
        assert b"x-amz-request-id" in names


def raw_answer(world: World, method: str, target: str) -> bytes:
    import socket

    headers = world.signed(method, target)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\n{head}Connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", world.port), timeout=10) as connection:
        connection.sendall(request.encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_a_file_that_was_there_before_is_an_object(world: World) -> None:
    os.makedirs(world.path("ada"))
    with open(world.path("ada/old"), "w") as file:
        file.write("from before")
    client = world.client()
    got = client.get_object(Bucket=BUCKET, Key="ada/old")
    assert got["Body"].read() == b"from before"
    etag = got["ETag"].strip('"')
    assert not (len(etag) == 32 and set(etag) <= set("0123456789abcdef")), "looks like an MD5 and is none"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_003, 9_000_001])
def test_bodies_of_any_size(world: World, size: int) -> None:
    body = os.urandom(size)
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=body)
    got = client.get_object(Bucket=BUCKET, Key="ada/x")
    assert got["ContentLength"] == size
    assert got["Body"].read() == body
    assert world.content("ada/x") == body


# --- ranges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=100-", 100, len(BODY) - 1),
        ("bytes=-10", len(BODY) - 10, len(BODY) - 1),
        (f"bytes=-{len(BODY) * 2}", 0, len(BODY) - 1),
        (f"bytes=5-{len(BODY) * 2}", 5, len(BODY) - 1),
        (f"bytes={len(BODY) - 1}-", len(BODY) - 1, len(BODY) - 1),
        (f"bytes=0-{len(BODY) - 1}", 0, len(BODY) - 1),
    ],
)
def test_a_range(world: World, stored: dict[str, Any], header: str, first: int, last: int) -> None:
    for answer in (
        world.raw("GET", f"/{BUCKET}/ada/x", {"Range": header}),
        world.raw("HEAD", f"/{BUCKET}/ada/x", {"Range": header}),
    ):
        assert answer.status == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(BODY)}"
        assert answer.headers["content-length"] == str(last - first + 1)
    got = world.client().get_object(Bucket=BUCKET, Key="ada/x", Range=header)
    assert got["Body"].read() == BODY[first : last + 1]
    assert "ChecksumCRC32C" not in got, "the whole's checksum is not the range's"


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "bytes=9-5", "bytes=x-y", "chunks=0-1"])
def test_several_ranges_or_none_give_the_whole(world: World, stored: dict[str, Any], header: str) -> None:
    answer = world.raw("GET", f"/{BUCKET}/ada/x", {"Range": header})
    assert (answer.status, answer.body) == (200, BODY)
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("header", [f"bytes={len(BODY)}-", "bytes=-0", f"bytes={len(BODY)}-{len(BODY) + 5}"])
def test_a_range_that_is_not_there(world: World, stored: dict[str, Any], header: str) -> None:
    answer = world.raw("GET", f"/{BUCKET}/ada/x", {"Range": header})
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.headers["content-range"] == f"bytes */{len(BODY)}"
    assert f"<ActualObjectSize>{len(BODY)}<".encode() in answer.body
    answer = world.raw("HEAD", f"/{BUCKET}/ada/x", {"Range": header})
    assert (answer.status, answer.body) == (416, b"")


def test_if_range(world: World, stored: dict[str, Any]) -> None:
    head = world.client().head_object(Bucket=BUCKET, Key="ada/x")
    modified = head["ResponseMetadata"]["HTTPHeaders"]["last-modified"]
    for value, status in [
        (stored["ETag"], 206),
        (modified, 206),
        ('"other"', 200),
        (f"W/{stored['ETag']}", 200),
        (formatdate(0, usegmt=True), 200),
    ]:
        answer = world.raw("GET", f"/{BUCKET}/ada/x", {"Range": "bytes=0-1", "If-Range": value})
        assert answer.status == status


# --- conditions --------------------------------------------------------------------------------------------


def test_conditions(world: World, stored: dict[str, Any]) -> None:
    client = world.client()
    etag, other = stored["ETag"], '"0"'
    modified = client.head_object(Bucket=BUCKET, Key="ada/x")["LastModified"]
    past = modified.replace(year=2020)
    for call in (client.get_object, client.head_object):
        said = "PreconditionFailed" if call == client.get_object else "412"
        assert call(Bucket=BUCKET, Key="ada/x", IfMatch=etag)["ETag"] == etag
        assert call(Bucket=BUCKET, Key="ada/x", IfNoneMatch=other)["ETag"] == etag
        assert call(Bucket=BUCKET, Key="ada/x", IfModifiedSince=past)["ETag"] == etag
        assert call(Bucket=BUCKET, Key="ada/x", IfUnmodifiedSince=modified)["ETag"] == etag
        assert call(Bucket=BUCKET, Key="ada/x", IfMatch=etag, IfUnmodifiedSince=past)["ETag"] == etag
        assert refusal(call, Bucket=BUCKET, Key="ada/x", IfMatch=other) == (412, said)
        assert refusal(call, Bucket=BUCKET, Key="ada/x", IfUnmodifiedSince=past) == (412, said)
        assert refusal(call, Bucket=BUCKET, Key="ada/x", IfNoneMatch=etag) == (304, "304")
        assert refusal(call, Bucket=BUCKET, Key="ada/x", IfModifiedSince=modified) == (304, "304")


def test_an_unmodified_answer_has_the_validators_and_no_body(world: World, stored: dict[str, Any]) -> None:
    answer = world.raw("GET", f"/{BUCKET}/ada/x", {"If-None-Match": stored["ETag"]})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == stored["ETag"]
    assert answer.headers["cache-control"] == "max-age=5"
    assert "last-modified" in answer.headers


def test_conditions_come_before_the_range(world: World, stored: dict[str, Any]) -> None:
    beyond = {"Range": f"bytes={len(BODY)}-"}
    for headers, status in [
        ({"If-None-Match": stored["ETag"]}, 304),
        ({"If-Match": '"0"'}, 412),
        ({"If-Match": stored["ETag"]}, 416),
    ]:
        assert world.raw("GET", f"/{BUCKET}/ada/x", {**beyond, **headers}).status == status
        assert world.raw("HEAD", f"/{BUCKET}/ada/x", {**beyond, **headers}).status == status


# --- overrides, versions, what isn't there -----------------------------------------------------------------


def test_response_headers_can_be_overridden(world: World, stored: dict[str, Any]) -> None:
    got = world.client().get_object(
        Bucket=BUCKET,
        Key="ada/x",
        ResponseContentType="text/plain",
        ResponseContentDisposition='inline; filename="é.txt"',
        ResponseCacheControl="no-store",
        ResponseContentEncoding="identity",
        ResponseContentLanguage="en",
    )
    assert got["ContentType"] == "text/plain"
    assert got["CacheControl"] == "no-store"
    assert got["ContentEncoding"] == "identity"
    assert got["ContentLanguage"] == "en"
    assert got["ContentDisposition"].encode("latin-1").decode() == 'inline; filename="é.txt"'


@pytest.mark.parametrize("value", ["a%0D%0ASet-Cookie%3A%20x%3Dy", "%0A", "%00", "%7F"])
def test_overrides_cannot_inject_headers(world: World, stored: dict[str, Any], value: str) -> None:
    answer = world.raw("GET", f"/{BUCKET}/ada/x?response-content-type={value}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert "set-cookie" not in answer.headers


def test_null_is_the_only_version(world: World, stored: dict[str, Any]) -> None:
    client = world.client()
    for call in (client.get_object, client.head_object, client.get_object_tagging):
        assert call(Bucket=BUCKET, Key="ada/x", VersionId="null")
    for call in (client.get_object, client.get_object_tagging):
        assert refusal(call, Bucket=BUCKET, Key="ada/x", VersionId="1") == (400, "InvalidArgument")
        assert refusal(call, Bucket=BUCKET, Key="ada/x", VersionId="v" * 32) == (404, "NoSuchVersion")
    assert refusal(client.head_object, Bucket=BUCKET, Key="ada/x", VersionId="v" * 32) == (404, "404")


def test_what_is_not_there(world: World) -> None:
    client = world.client()
    assert refusal(client.get_object, Bucket=BUCKET, Key="ada/none") == (404, "NoSuchKey")
    assert refusal(client.head_object, Bucket=BUCKET, Key="ada/none") == (404, "404")
    answer = world.raw("HEAD", f"/{BUCKET}/ada/none")
    assert answer.body == b""
    assert "x-amz-request-id" in answer.headers


@pytest.mark.parametrize("key", ["ada/../ada/x", "ada/./x", "ada//x", "ada/x/", "ada/x%00", "ada/x/y", "ada/X"])
def test_only_the_exact_name_is_the_object(world: World, stored: dict[str, Any], key: str) -> None:
    answer = world.raw("GET", f"/{BUCKET}/{key}")
    assert answer.status in (400, 404)
    assert BODY not in answer.body


# --- attributes --------------------------------------------------------------------------------------------


def test_attributes(world: World, stored: dict[str, Any]) -> None:
    client = world.client()
    got = client.get_object_attributes(
        Bucket=BUCKET,
        Key="ada/x",
        ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"],
    )
    assert got["ETag"] == stored["ETag"].strip('"')
    assert got["Checksum"] == {"ChecksumCRC32C": stored["ChecksumCRC32C"], "ChecksumType": "FULL_OBJECT"}
    assert (got["StorageClass"], got["ObjectSize"]) == ("STANDARD", len(BODY))
    assert "ObjectParts" not in got
    assert abs(got["LastModified"].timestamp() - time.time()) < 60
    only = client.get_object_attributes(Bucket=BUCKET, Key="ada/x", ObjectAttributes=["ObjectSize"])
    assert set(only) - {"ResponseMetadata", "LastModified"} == {"ObjectSize"}
    assert refusal(client.get_object_attributes, Bucket=BUCKET, Key="ada/x", ObjectAttributes=["Colour"]) == (
        400,
        "InvalidArgument",
    )
    assert refusal(client.get_object_attributes, Bucket=BUCKET, Key="ada/none", ObjectAttributes=["ETag"]) == (
        404,
        "NoSuchKey",
    )
