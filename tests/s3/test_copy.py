"""CopyObject and UploadPartCopy: both ends decided, before and after."""

from __future__ import annotations

import os
from typing import Any

import pytest

from s3.answers import refusal
from s3.world import BUCKET, World
from workspacesio.domain.authority import ObjectTarget, Principal
from workspacesio.domain.vocabulary import Action, Level

BODY = b"0123456789" * 1000


@pytest.fixture
def source(world: World) -> dict[str, Any]:
    return world.client().put_object(
        Bucket=BUCKET,
        Key="ada/src",
        Body=BODY,
        ContentType="image/tiff",
        CacheControl="no-cache",
        WebsiteRedirectLocation="/elsewhere",
        Metadata={"a": "1"},
        Tagging="t=1",
        ChecksumAlgorithm="SHA256",
    )


FROM = {"Bucket": BUCKET, "CopySource": {"Bucket": BUCKET, "Key": "ada/src"}}


def test_a_copy_has_bytes_metadata_tags_and_checksum_of_its_source(world: World, source: dict[str, Any]) -> None:
    client = world.client()
    result = client.copy_object(Key="ada/to/dst", **FROM)["CopyObjectResult"]
    got = client.get_object(Bucket=BUCKET, Key="ada/to/dst", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY == world.content("ada/to/dst")
    assert result["ETag"] == got["ETag"] == source["ETag"]
    assert result["ChecksumSHA256"] == got["ChecksumSHA256"] == source["ChecksumSHA256"]
    assert (got["ContentType"], got["CacheControl"]) == ("image/tiff", "no-cache")
    assert "WebsiteRedirectLocation" not in got
    assert got["Metadata"] == {"a": "1"}
    assert client.get_object_tagging(Bucket=BUCKET, Key="ada/to/dst")["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_directives(world: World, source: dict[str, Any]) -> None:
    client = world.client()
    client.copy_object(
        Key="ada/dst", MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="text/plain", **FROM
    )
    head = client.head_object(Bucket=BUCKET, Key="ada/dst")
    assert (head["Metadata"], head["ContentType"]) == ({"b": "2"}, "text/plain")
    assert "CacheControl" not in head
    assert client.get_object_tagging(Bucket=BUCKET, Key="ada/dst")["TagSet"] == [{"Key": "t", "Value": "1"}]
    client.copy_object(Key="ada/dst", TaggingDirective="REPLACE", Tagging="u=2", **FROM)
    assert client.head_object(Bucket=BUCKET, Key="ada/dst")["Metadata"] == {"a": "1"}
    assert client.get_object_tagging(Bucket=BUCKET, Key="ada/dst")["TagSet"] == [{"Key": "u", "Value": "2"}]
    answer = world.raw(
        "PUT", f"/{BUCKET}/ada/dst", {"x-amz-copy-source": "data/ada/src", "x-amz-metadata-directive": "MOVE"}
    )
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_checksum_can_be_asked_for(world: World, source: dict[str, Any]) -> None:
    client = world.client()
    result = client.copy_object(Key="ada/dst", ChecksumAlgorithm="CRC64NVME", **FROM)["CopyObjectResult"]
    put = client.put_object(Bucket=BUCKET, Key="ada/other", Body=BODY, ChecksumAlgorithm="CRC64NVME")
    assert result["ChecksumCRC64NVME"] == put["ChecksumCRC64NVME"]
    assert "ChecksumSHA256" not in result


def test_a_file_that_was_there_before_can_be_copied(world: World) -> None:
    os.makedirs(world.path("ada"))
    with open(world.path("ada/src"), "wb") as file:
        file.write(BODY)
    client = world.client()
    etag = client.copy_object(Key="ada/dst", **FROM)["CopyObjectResult"]["ETag"]
    assert world.content("ada/dst") == BODY
    assert client.head_object(Bucket=BUCKET, Key="ada/dst")["ETag"] == etag


def test_onto_itself_only_with_something_to_change(world: World, source: dict[str, Any]) -> None:
    client = world.client()
    assert refusal(client.copy_object, Key="ada/src", **FROM) == (400, "InvalidRequest")
    before = os.stat(world.path("ada/src"))
    answer = client.copy_object(Key="ada/src", MetadataDirective="REPLACE", Metadata={"b": "2"}, **FROM)
    after = os.stat(world.path("ada/src"))
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size), "bytes are not touched"
    head = client.head_object(Bucket=BUCKET, Key="ada/src")
    assert head["Metadata"] == {"b": "2"}
    assert head["ETag"] == source["ETag"] == answer["CopyObjectResult"]["ETag"]
    assert client.get_object(Bucket=BUCKET, Key="ada/src")["Body"].read() == BODY
    assert world.rights.used(world.rights.workspaces[BUCKET, "ada/"]) == len(BODY)


def test_conditions_on_the_source(world: World, source: dict[str, Any]) -> None:
    client = world.client()
    modified = client.head_object(Bucket=BUCKET, Key="ada/src")["LastModified"]
    past = modified.replace(year=2020)
    client.copy_object(Key="ada/dst", CopySourceIfMatch=source["ETag"], **FROM)
    client.copy_object(Key="ada/dst", CopySourceIfNoneMatch='"0"', **FROM)
    client.copy_object(Key="ada/dst", CopySourceIfModifiedSince=past, **FROM)
    client.copy_object(Key="ada/dst", CopySourceIfUnmodifiedSince=modified, **FROM)
    client.copy_object(Key="ada/dst", CopySourceIfMatch=source["ETag"], CopySourceIfUnmodifiedSince=past, **FROM)
    for condition in (
        {"CopySourceIfMatch": '"0"'},
        {"CopySourceIfNoneMatch": source["ETag"]},
        {"CopySourceIfModifiedSince": modified},
        {"CopySourceIfUnmodifiedSince": past},
        {"CopySourceIfNoneMatch": source["ETag"], "CopySourceIfModifiedSince": past},
    ):
        assert refusal(client.copy_object, Key="ada/not", **condition, **FROM) == (412, "PreconditionFailed")
    assert refusal(client.copy_object, Key="ada/dst", IfNoneMatch="*", **FROM) == (412, "PreconditionFailed")
    assert not os.path.exists(world.path("ada/not"))


@pytest.mark.parametrize(
    "named", ["data/ada/src", "/data/ada/src", "%2Fdata%2Fada%2Fsrc", "data/ada/src?versionId=null"]
)
def test_ways_to_name_the_source(world: World, source: dict[str, Any], named: str) -> None:
    assert world.raw("PUT", f"/{BUCKET}/ada/dst", {"x-amz-copy-source": named}).status == 200


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", (400, "InvalidArgument")),
        ("data", (400, "InvalidArgument")),
        ("data/", (400, "InvalidArgument")),
        ("/%FF/x", (400, "InvalidArgument")),
        ("data/ada/none", (404, "NoSuchKey")),
        ("data/ada/src?versionId=7", (404, "NoSuchVersion")),
        ("data/bob/x", (403, "AccessDenied")),
        ("other/ada/src", (403, "AccessDenied")),
        ("arn:aws:s3:us-east-1:1:accesspoint/x/object/y", (403, "AccessDenied")),
    ],
)
def test_sources_that_are_none(
    world: World, source: dict[str, Any], named: str, expected: tuple[int, str]
) -> None:
    answer = world.raw("PUT", f"/{BUCKET}/ada/dst", {"x-amz-copy-source": named})
    assert (answer.status, answer.code) == expected
    assert not os.path.exists(world.path("ada/dst"))


def test_names_in_a_source_are_names(world: World) -> None:
    client = world.client()
    for name in ("a b", "a+b", "a%20b", "é", "a?versionId=null"):
        client.put_object(Bucket=BUCKET, Key=f"ada/{name}", Body=name.encode())
        client.copy_object(Bucket=BUCKET, Key="ada/dst", CopySource={"Bucket": BUCKET, "Key": f"ada/{name}"})
        assert world.content("ada/dst") == name.encode()


# --- rights ------------------------------------------------------------------------------------------------


def test_between_workspaces_with_a_right_at_each_end(world: World, source: dict[str, Any]) -> None:
    world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    client = world.client(world.bob)
    assert refusal(client.copy_object, Key="bob/dst", **FROM) == (403, "AccessDenied")
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    client.copy_object(Key="bob/dst", **FROM)
    assert world.content("bob/dst") == BODY
    assert refusal(client.copy_object, Key="ada/dst", **FROM) == (403, "AccessDenied")
    event = world.rights.events[-1]
    assert (event.name, event.key, event.delta_bytes) == ("s3:ObjectCreated:Copy", "bob/dst", len(BODY))
    assert event.workspace_id == world.rights.workspaces[BUCKET, "bob/"]


@pytest.mark.parametrize("lost", ["ada/", "bob/"])
def test_a_right_lost_while_copying_stops_the_copy(world: World, source: dict[str, Any], lost: str) -> None:
    world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    asked = []

    def lose(principal: Principal, action: Action, target: ObjectTarget) -> None:
        asked.append(target.key)
        if len(asked) == 3:
            world.rights.unshare("bob", BUCKET, lost)

    world.rights.on_decide = lose
    assert refusal(world.client(world.bob).copy_object, Key="bob/dst", **FROM) == (403, "AccessDenied")
    assert asked[:2] == ["bob/dst", "ada/src"]
    assert not os.path.exists(world.path("bob/dst"))
    assert not world.rights.reserved


def test_no_copy_past_the_quota(world: World, source: dict[str, Any]) -> None:
    number = world.rights.workspaces[BUCKET, "ada/"]
    world.rights.limits[number] = len(BODY) * 2 - 1
    assert refusal(world.client().copy_object, Key="ada/dst", **FROM) == (403, "QuotaExceeded")
    world.rights.limits[number] = len(BODY) * 2
    world.client().copy_object(Key="ada/dst", **FROM)
    assert world.rights.used(number) == len(BODY) * 2


# --- parts -------------------------------------------------------------------------------------------------


def test_parts_can_be_copied(world: World) -> None:
    client = world.client()
    body = os.urandom(6 * 1024 * 1024)
    client.put_object(Bucket=BUCKET, Key="ada/src", Body=body)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="ada/dst", ChecksumAlgorithm="CRC32")["UploadId"]
    first = client.upload_part_copy(Key="ada/dst", UploadId=upload, PartNumber=1, **FROM)["CopyPartResult"]
    second = client.upload_part_copy(
        Key="ada/dst", UploadId=upload, PartNumber=2, CopySourceRange="bytes=10-19", **FROM
    )["CopyPartResult"]
    assert "ChecksumCRC32" in first
    parts = [
        {"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
        for number, part in enumerate((first, second), 1)
    ]
    client.complete_multipart_upload(
        Bucket=BUCKET, Key="ada/dst", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert world.content("ada/dst") == body + body[10:20]
    number = world.rights.workspaces[BUCKET, "ada/"]
    assert world.rights.used(number) == 2 * len(body) + 10


def test_ranges_of_parts_must_be_in_the_source(world: World, source: dict[str, Any]) -> None:
    client = world.client()
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="ada/dst")["UploadId"]
    arguments = {"Key": "ada/dst", "UploadId": upload, "PartNumber": 1, **FROM}
    assert refusal(client.upload_part_copy, CopySourceRange="bytes=0-10000", **arguments) == (416, "InvalidRange")
    assert refusal(client.upload_part_copy, CopySourceRange="bytes=5-", **arguments) == (400, "InvalidArgument")
    assert refusal(client.upload_part_copy, **{**arguments, "UploadId": "none"}) == (404, "NoSuchUpload")
    assert refusal(client.upload_part_copy, **{**arguments, "CopySource": "data/bob/x"}) == (403, "AccessDenied")
    assert client.list_parts(Bucket=BUCKET, Key="ada/dst", UploadId=upload).get("Parts", []) == []


def test_a_copy_to_a_folders_key_loses_nothing(world: World, source: dict[str, Any]) -> None:
    """`mv x folder/` deletes its source once the copy was answered: a copy without the bytes must be refused."""
    answer = world.raw("PUT", f"/{BUCKET}/ada/folder/", {"x-amz-copy-source": "data/ada/src"})
    assert (answer.status, answer.code) == (400, "DirectoryObjectContainsData")
    assert not os.path.exists(world.path("ada/folder"))
