"""DeleteObject and DeleteObjects."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from s3.answers import refusal
from s3.world import BUCKET, World
from workspacesio.domain.vocabulary import Level


def put(world: World, *keys: str) -> None:
    for key in keys:
        world.client().put_object(Bucket=BUCKET, Key=key, Body=b"12345")


def test_gone_is_gone_twice(world: World) -> None:
    put(world, "ada/x")
    client = world.client()
    assert client.delete_object(Bucket=BUCKET, Key="ada/x")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.delete_object(Bucket=BUCKET, Key="ada/x")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert not os.path.exists(world.path("ada/x"))
    created, removed = world.rights.events
    assert (removed.name, removed.delta_bytes, removed.delta_objects) == ("s3:ObjectRemoved:Delete", -5, -1)
    assert world.rights.used(created.workspace_id) == 0


def test_conditions_and_versions(world: World) -> None:
    put(world, "ada/x")
    client = world.client()
    etag = client.head_object(Bucket=BUCKET, Key="ada/x")["ETag"]
    assert refusal(client.delete_object, Bucket=BUCKET, Key="ada/x", IfMatch='"0"') == (412, "PreconditionFailed")
    assert refusal(client.delete_object, Bucket=BUCKET, Key="ada/none", IfMatch=etag) == (404, "NoSuchKey")
    assert refusal(client.delete_object, Bucket=BUCKET, Key="ada/x", VersionId="v" * 32) == (404, "NoSuchVersion")
    assert refusal(client.delete_object, Bucket=BUCKET, Key="ada/x", IfMatchSize=5) == (501, "NotImplemented")
    client.delete_object(Bucket=BUCKET, Key="ada/x", IfMatch=etag, VersionId="null")
    assert not os.path.exists(world.path("ada/x"))


def test_who_may_not_write_may_not_delete(world: World) -> None:
    put(world, "ada/x")
    for key in ("ada/x", "ada/none"):
        assert refusal(world.client(world.bob).delete_object, Bucket=BUCKET, Key=key) == (403, "AccessDenied")
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    assert refusal(world.client(world.bob).delete_object, Bucket=BUCKET, Key="ada/x") == (403, "AccessDenied")
    assert world.content("ada/x") == b"12345"


def test_whoever_is_over_the_quota_may_delete(world: World) -> None:
    put(world, "ada/x")
    world.rights.limits[world.rights.workspaces[BUCKET, "ada/"]] = 1
    world.client().delete_object(Bucket=BUCKET, Key="ada/x")
    assert not os.path.exists(world.path("ada/x"))


def test_what_only_its_owner_may_read_is_not_called_deleted(world: World) -> None:
    put(world, "ada/open", "ada/closed/x")
    os.chmod(world.path("ada/closed"), 0o700)
    client = world.client()
    refused = (403, "AccessDenied")
    assert refusal(client.delete_object, Bucket=BUCKET, Key="ada/closed/x") == refused
    named = {"Objects": [{"Key": "ada/closed/x"}, {"Key": "ada/open"}]}
    answer = client.delete_objects(Bucket=BUCKET, Delete=named)
    assert [entry["Key"] for entry in answer["Deleted"]] == ["ada/open"]
    (error,) = answer["Errors"]
    assert (error["Key"], error["Code"]) == ("ada/closed/x", "AccessDenied")
    assert "its owner only" in error["Message"]
    assert world.content("ada/closed/x") == b"12345"


# --- many at once ------------------------------------------------------------------------------------------


def objects(*keys: str) -> dict:
    return {"Objects": [{"Key": key} for key in keys]}


def test_each_key_is_decided_for_itself(world: World) -> None:
    world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    put(world, "ada/x", "ada/y z&<é>")
    world.client(world.bob).put_object(Bucket=BUCKET, Key="bob/x", Body=b"1")
    answer = world.client().delete_objects(
        Bucket=BUCKET, Delete=objects("ada/x", "bob/x", "bob/none", "ada/y z&<é>", "ada/none", "ada/../bob/x")
    )
    assert [entry["Key"] for entry in answer["Deleted"]][:3] == ["ada/x", "ada/y z&<é>", "ada/none"]
    assert [(error["Key"], error["Code"]) for error in answer["Errors"]][:2] == [
        ("bob/x", "AccessDenied"),
        ("bob/none", "AccessDenied"),
    ]
    assert os.listdir(world.path("bob")) == ["x"]
    assert world.rights.used(world.rights.workspaces[BUCKET, "ada/"]) == 0


def test_a_thousand_quietly(world: World) -> None:
    keys = [f"ada/{n:04}" for n in range(1000)]
    os.makedirs(world.path("ada"))
    for key in keys:
        with open(world.path(key), "w"):
            pass
    client = world.client()
    answer = client.delete_objects(Bucket=BUCKET, Delete={**objects(*keys), "Quiet": True})
    assert "Deleted" not in answer
    assert "Errors" not in answer
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="ada/")["KeyCount"] == 0
    assert len(world.rights.events) == 1000


def test_versions_and_conditions_of_single_keys(world: World) -> None:
    put(world, "ada/a", "ada/b", "ada/c")
    etag = world.client().head_object(Bucket=BUCKET, Key="ada/c")["ETag"]
    answer = world.client().delete_objects(
        Bucket=BUCKET,
        Delete={
            "Objects": [
                {"Key": "ada/a", "VersionId": "null"},
                {"Key": "ada/b", "VersionId": "v" * 32},
                {"Key": "ada/b", "ETag": '"0"'},
                {"Key": "ada/c", "ETag": etag},
            ]
        },
    )
    assert [entry["Key"] for entry in answer["Deleted"]] == ["ada/a", "ada/c"]
    assert [error["Code"] for error in answer["Errors"]] == ["NoSuchVersion", "PreconditionFailed"]


def _post(world: World, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    answer = world.raw("POST", f"/{BUCKET}?delete", headers, body)
    return answer.status, answer.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete/>",
        b"<Delete><Object><VersionId>1</VersionId></Object></Delete>",
        b"<Delete>" + b"<Object><Key>ada/x</Key></Object>" * 1001 + b"</Delete>",
        b"<!DOCTYPE x [<!ENTITY k 'ada/x'>]><Delete><Object><Key>&k;</Key></Object></Delete>",
        b"<Other><Object><Key>ada/x</Key></Object></Other>",
        b"{}",
    ],
)
def test_documents_that_are_none(world: World, body: bytes) -> None:
    put(world, "ada/x")
    assert _post(world, body) == (400, "MalformedXML")
    assert os.path.exists(world.path("ada/x"))


def test_a_document_is_compared_with_its_checksum(world: World) -> None:
    put(world, "ada/x")
    body = b"<Delete><Object><Key>ada/x</Key></Object></Delete>"
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert _post(world, body, {"Content-MD5": wrong}) == (400, "BadDigest")
    assert _post(world, body, {"x-amz-checksum-crc32": "AAAAAA=="}) == (400, "BadDigest")
    assert os.path.exists(world.path("ada/x"))
    right = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert _post(world, body, {"Content-MD5": right}) == (200, "")
    assert not os.path.exists(world.path("ada/x"))


def test_a_document_without_end_is_refused(world: World) -> None:
    assert _post(world, b"<Delete>" + b" " * 9_000_000 + b"</Delete>") == (400, "MaxMessageLengthExceeded")
