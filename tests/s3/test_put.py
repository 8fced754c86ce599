"""PutObject: what arrives is what is stored, or nothing is."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import pytest

from s3.answers import refusal
from s3.world import BUCKET, World


def test_an_object_is_a_file(world: World) -> None:
    answer = world.client().put_object(Bucket=BUCKET, Key="ada/deep/er/x.txt", Body=b"hello")
    assert answer["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert world.content("ada/deep/er/x.txt") == b"hello"


ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 3, 3_000_000])
def test_checksums_that_clients_compute(world: World, algorithm: str, size: int) -> None:
    client = world.client()
    body = os.urandom(size)
    put = client.put_object(Bucket=BUCKET, Key="ada/x", Body=body, ChecksumAlgorithm=algorithm)
    value = put[f"Checksum{algorithm}"]
    got = client.get_object(Bucket=BUCKET, Key="ada/x", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert got[f"Checksum{algorithm}"] == value
    named = {f"Checksum{algorithm}": value}
    assert client.put_object(Bucket=BUCKET, Key="ada/y", Body=body, **named)[f"Checksum{algorithm}"] == value
    wrong = {f"Checksum{algorithm}": base64.b64encode(bytes(len(base64.b64decode(value)))).decode()}
    if size:
        assert refusal(client.put_object, Bucket=BUCKET, Key="ada/z", Body=body, **wrong) == (400, "BadDigest")
        assert not os.path.exists(world.path("ada/z"))


@pytest.mark.parametrize("name", ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"])
def test_newer_checksums_in_a_header(world: World, name: str) -> None:
    from workspacesio.s3.checksums import ChecksumAlgorithm, encode, new_hasher

    hasher = new_hasher(ChecksumAlgorithm(name))
    hasher.update(b"hello")
    header = f"x-amz-checksum-{name.lower()}"
    right = encode(hasher.digest())
    assert world.raw("PUT", f"/{BUCKET}/ada/x", {header: right}, b"hello").headers[header] == right
    answer = world.raw("GET", f"/{BUCKET}/ada/x", {"x-amz-checksum-mode": "ENABLED"})
    assert answer.headers[header] == right
    assert world.raw("PUT", f"/{BUCKET}/ada/y", {header: right}, b"hullo").code == "BadDigest"
    assert world.raw("PUT", f"/{BUCKET}/ada/y", {header: "x"}, b"hello").code == "InvalidRequest"
    assert not os.path.exists(world.path("ada/y"))


def test_a_body_other_than_the_signed_one_is_refused(world: World) -> None:
    headers = world.signed("PUT", f"/{BUCKET}/ada/x", {}, b"right")
    answer = world.raw("PUT", f"/{BUCKET}/ada/x", headers, b"wrong", sign=False)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert not os.path.exists(world.path("ada/x"))


def test_content_md5(world: World) -> None:
    client = world.client()
    right = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"hullo").digest()).decode()
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"hello", ContentMD5=right)
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/x", Body=b"other", ContentMD5=wrong) == (
        400,
        "BadDigest",
    )
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/x", Body=b"x", ContentMD5="!") == (
        400,
        "InvalidDigest",
    )
    assert world.content("ada/x") == b"hello"


# --- conditions --------------------------------------------------------------------------------------------


def test_if_none_match_creates_only(world: World) -> None:
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"1", IfNoneMatch="*")
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/x", Body=b"2", IfNoneMatch="*") == (
        412,
        "PreconditionFailed",
    )
    assert world.content("ada/x") == b"1"


def test_if_match_replaces_only_what_was_seen(world: World) -> None:
    client = world.client()
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/x", Body=b"1", IfMatch='"0"') == (
        404,
        "NoSuchKey",
    )
    first = client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")["ETag"]
    second = client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"2", IfMatch=first)["ETag"]
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/x", Body=b"3", IfMatch=first) == (
        412,
        "PreconditionFailed",
    )
    assert client.head_object(Bucket=BUCKET, Key="ada/x")["ETag"] == second
    assert not world.rights.reserved


def test_other_conditions_are_refused(world: World) -> None:
    client = world.client()
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/x", Body=b"1", IfNoneMatch='"abc"') == (
        501,
        "NotImplemented",
    )
    assert not os.path.exists(world.path("ada/x"))


# --- metadata ----------------------------------------------------------------------------------------------


def test_user_metadata_has_a_limit(world: World) -> None:
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/x", Metadata={"a": "x" * 2047})
    assert client.head_object(Bucket=BUCKET, Key="ada/x")["Metadata"] == {"a": "x" * 2047}
    assert refusal(client.put_object, Bucket=BUCKET, Key="ada/y", Metadata={"a": "x" * 2048}) == (
        400,
        "MetadataTooLarge",
    )


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("=?UTF-8?B?w6k=?=", "=?UTF-8?B?w6k=?="),
        ("=?utf-8?Q?=C3=A9_x?=", "=?UTF-8?B?w6kgeA==?="),
        ("=?ISO-8859-1?Q?=E9?=", "=?UTF-8?B?w6k=?="),
        ("=?nope?B?w6k=?=", "=?nope?B?w6k=?="),
        ("=?UTF-8?Q?a=0D=0ASet-Cookie:_x?=", "=?UTF-8?Q?a=0D=0ASet-Cookie:_x?="),
        ("=?UTF-8?B?!?=", "=?UTF-8?B?!?="),
        ("a  b\tc", "a  b\tc"),
    ],
)
def test_metadata_that_is_not_ascii_travels_as_rfc_2047(world: World, sent: str, shown: str) -> None:
    assert world.raw("PUT", f"/{BUCKET}/ada/x", {"x-amz-meta-note": sent}).status == 200
    assert world.raw("GET", f"/{BUCKET}/ada/x").headers["x-amz-meta-note"] == shown


def test_a_header_that_is_not_ascii_is_refused_not_lost(world: World) -> None:
    """Signed or not: a value that isn't ASCII is handed over to nobody."""
    answer = world.raw("PUT", f"/{BUCKET}/ada/x", {"x-amz-meta-note": "é"}, b"1")
    assert answer.status in (400, 403)
    headers = world.signed("PUT", f"/{BUCKET}/ada/x", {}, b"1")
    answer = world.raw("PUT", f"/{BUCKET}/ada/x", {**headers, "content-disposition": "é"}, b"1", sign=False)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert not os.path.exists(world.path("ada/x"))


def test_tags(world: World) -> None:
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/x", Tagging="a=1&b=%C3%A9%20x&c=")
    assert client.get_object_tagging(Bucket=BUCKET, Key="ada/x")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "é x"},
        {"Key": "c", "Value": ""},
    ]
    for tags, code in [
        ("&".join(f"k{n}=v" for n in range(11)), "BadRequest"),
        ("a=1&a=2", "InvalidTag"),
        ("=1", "InvalidTag"),
        ("a=" + "x" * 257, "InvalidTag"),
        ("x" * 129 + "=", "InvalidTag"),
        ("aws:a=1", "InvalidTag"),
        ("a=%FF", "InvalidArgument"),
    ]:
        assert refusal(client.put_object, Bucket=BUCKET, Key="ada/y", Tagging=tags) == (400, code)
    assert not os.path.exists(world.path("ada/y"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"ServerSideEncryption": "AES256"}, (501, "NotImplemented")),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}, (501, "NotImplemented")),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, (501, "NotImplemented")),
        ({"ACL": "public-read"}, (400, "AccessControlListNotSupported")),
        ({"GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'}, (501, "NotImplemented")),
        ({"StorageClass": "GLACIER"}, (400, "InvalidStorageClass")),
        ({"ObjectLockMode": "GOVERNANCE"}, (501, "NotImplemented")),
        ({"ObjectLockLegalHoldStatus": "ON"}, (501, "NotImplemented")),
        ({"WriteOffsetBytes": 5}, (501, "NotImplemented")),
        ({"ExpectedBucketOwner": "111122223333"}, (403, "AccessDenied")),
    ],
)
def test_what_is_not_done_is_refused_not_pretended(
    world: World, arguments: dict[str, Any], expected: tuple[int, str]
) -> None:
    if "SSECustomerKey" in arguments:
        headers = {
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": "k",
        }
        answer = world.raw("PUT", f"/{BUCKET}/ada/x", headers, b"1")
        assert (answer.status, answer.code) == expected
    else:
        assert refusal(world.client().put_object, Bucket=BUCKET, Key="ada/x", Body=b"1", **arguments) == expected
    assert not os.path.exists(world.path("ada/x"))


@pytest.mark.parametrize(
    "arguments", [{"ACL": "private"}, {"ACL": "bucket-owner-full-control"}, {"StorageClass": "STANDARD"}]
)
def test_what_clients_send_by_default_is_accepted(world: World, arguments: dict[str, str]) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1", **arguments)
    assert world.content("ada/x") == b"1"


# --- keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["x y", "x+y", "x%2Fy", "x%41", "é", "e\u0301", "☃", "a&b<c>\"'", "~!@$^*()_-=[]{};:,.|?", "\u202e", "x\n"],
)
def test_keys_come_back_as_they_were(world: World, key: str) -> None:
    client = world.client()
    key = f"ada/{key}"
    client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    assert world.content(key) == key.encode()
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]] == [key]
    client.delete_object(Bucket=BUCKET, Key=key)
    assert not os.path.exists(world.path(key))


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("ada/../bob/x", "InvalidArgument"),
        ("ada/./x", "InvalidArgument"),
        ("ada//x", "InvalidArgument"),
        ("ada/" + "x" * 256, "KeyTooLongError"),
        ("ada/" + "%C3%A9" * 128, "KeyTooLongError"),
        ("ada/" + "x/" * 600, "KeyTooLongError"),
        ("ada/x%00y", "InvalidArgument"),
        ("ada/.workspacesio/x", "InvalidArgument"),
    ],
)
def test_keys_that_no_folder_can_hold(world: World, key: str, code: str) -> None:
    for answer in (
        world.raw("PUT", f"/{BUCKET}/{key}", {}, b"1"),
        world.raw("POST", f"/{BUCKET}/{key}?uploads"),
    ):
        assert (answer.status, answer.code) == (400, code)
    assert not os.path.exists(world.path("ada"))
    assert not os.path.exists(world.path("bob"))


def test_a_key_under_a_file_and_a_file_over_keys(world: World) -> None:
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/file", Body=b"1")
    client.put_object(Bucket=BUCKET, Key="ada/folder/x", Body=b"1")
    for key, code in (("ada/file/x", "ObjectParentIsFile"), ("ada/folder", "ExistingObjectIsDirectory")):
        place = {"Bucket": BUCKET, "Key": key}
        assert refusal(client.put_object, **place, Body=b"2") == (409, code)
        assert refusal(client.copy_object, **place, CopySource=f"{BUCKET}/ada/file") == (409, code)
        assert refusal(client.create_multipart_upload, **place) == (409, code)
    content = {"Bucket": BUCKET, "Key": "ada/folder/", "Body": b"2"}
    assert refusal(client.put_object, **content) == (400, "DirectoryObjectContainsData")
    assert world.content("ada/file") == b"1"
    assert world.content("ada/folder/x") == b"1"


def test_presigned_links(world: World) -> None:
    import urllib.request

    client = world.client()
    link = client.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "ada/p"}, ExpiresIn=60)
    request = urllib.request.Request(link, data=b"by link", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    link = client.generate_presigned_url(
        "get_object", {"Bucket": BUCKET, "Key": "ada/p", "ResponseContentType": "text/x"}, ExpiresIn=60
    )
    with urllib.request.urlopen(link) as answer:
        assert (answer.read(), answer.headers["content-type"]) == (b"by link", "text/x")


def test_events_and_room(world: World) -> None:
    client = world.client()
    number = world.rights.workspaces[BUCKET, "ada/"]
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"12345")
    client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"123")
    first, second = world.rights.events
    assert (first.name, first.key, first.size) == ("s3:ObjectCreated:Put", "ada/x", 5)
    assert (first.delta_bytes, first.delta_objects) == (5, 1)
    assert (second.delta_bytes, second.delta_objects) == (-2, 0)
    assert world.rights.used(number) == 3
    assert not world.rights.reserved
