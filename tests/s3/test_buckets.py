"""Buckets: ListBuckets, HeadBucket, GetBucketLocation, GetBucketVersioning, CreateBucket, DeleteBucket."""

from __future__ import annotations

import os

import pytest
from botocore.exceptions import ClientError

from s3.world import BUCKET, World


def _code(raised: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    error = raised.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]


def _names(answer: dict) -> list[str]:
    return [bucket["Name"] for bucket in answer["Buckets"]]


def test_only_reached_buckets_are_listed(world: World) -> None:
    os.makedirs(os.path.join(world.folder, "other"))
    assert _names(world.client().list_buckets()) == [BUCKET]
    assert _names(world.client(world.bob).list_buckets()) == []
    world.rights.share("bob", "other", "x/")
    assert _names(world.client(world.bob).list_buckets()) == ["other"]


def test_listing_buckets_goes_on(world: World) -> None:
    names = [f"bucket-{n}" for n in range(7)]
    for name in names:
        os.makedirs(os.path.join(world.folder, name))
        world.rights.share("ada", name, "x/")
    client = world.client()
    pages = list(client.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Buckets"]) for page in pages] == [2, 2, 2, 2]
    assert [name for page in pages for name in _names(page)] == sorted([*names, BUCKET])
    assert _names(client.list_buckets(Prefix="bucket-")) == names
    assert client.list_buckets(MaxBuckets=1)["Buckets"][0]["BucketRegion"] == "us-east-1"


def test_a_reached_bucket_answers(world: World) -> None:
    client = world.client()
    assert client.head_bucket(Bucket=BUCKET)["BucketRegion"] == "us-east-1"
    assert client.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    assert "Status" not in client.get_bucket_versioning(Bucket=BUCKET)


@pytest.mark.parametrize("bucket", [BUCKET, "no-such-bucket"])
def test_any_other_bucket_is_denied_whether_it_exists_or_not(world: World, bucket: str) -> None:
    client = world.client(world.bob)
    for call in (client.get_bucket_location, client.get_bucket_versioning, client.list_objects_v2):
        with pytest.raises(ClientError) as raised:
            call(Bucket=bucket)
        assert _code(raised) == (403, "AccessDenied")
    with pytest.raises(ClientError) as raised:
        client.head_bucket(Bucket=bucket)
    assert _code(raised) == (403, "403")
    answers = [world.raw("GET", f"/{bucket}?location", keys=world.bob).body.partition(b"<Resource>")[0]]
    assert answers == [world.raw("GET", "/never-was?location", keys=world.bob).body.partition(b"<Resource>")[0]]


def test_an_operator_makes_and_removes_buckets(world: World) -> None:
    world.rights.operators.add("ada")
    client = world.client()
    assert client.create_bucket(Bucket="new-bucket")["Location"] == "/new-bucket"
    assert os.path.isdir(os.path.join(world.folder, "new-bucket"))
    client.put_object(Bucket="new-bucket", Key="a", Body=b"1")
    with pytest.raises(ClientError) as raised:
        client.create_bucket(Bucket="new-bucket")
    assert _code(raised) == (409, "BucketAlreadyOwnedByYou")
    with pytest.raises(ClientError) as raised:
        client.delete_bucket(Bucket="new-bucket")
    assert _code(raised) == (409, "BucketNotEmpty")
    client.delete_object(Bucket="new-bucket", Key="a")
    client.delete_bucket(Bucket="new-bucket")
    assert not os.path.exists(os.path.join(world.folder, "new-bucket"))
    with pytest.raises(ClientError) as raised:
        client.delete_bucket(Bucket="new-bucket")
    assert _code(raised) == (404, "NoSuchBucket")


def test_a_location_constraint_is_accepted(world: World) -> None:
    world.rights.operators.add("ada")
    world.client().create_bucket(
        Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    assert os.path.isdir(os.path.join(world.folder, "elsewhere"))


def test_nobody_else_makes_or_removes_buckets(world: World) -> None:
    os.makedirs(os.path.join(world.folder, "empty"))
    client = world.client()
    for bucket in ("new-bucket", "empty"):
        with pytest.raises(ClientError) as raised:
            client.create_bucket(Bucket=bucket)
        assert _code(raised) == (403, "AccessDenied")
    with pytest.raises(ClientError) as raised:
        client.create_bucket(Bucket=BUCKET)
    assert _code(raised) == (409, "BucketAlreadyOwnedByYou"), "what rclone asks before every upload"
    for bucket in ("empty", "no-such"):
        with pytest.raises(ClientError) as raised:
            client.delete_bucket(Bucket=bucket)
        assert _code(raised) == (403, "AccessDenied")
    assert sorted(os.listdir(world.folder)) == [BUCKET, "empty"]


@pytest.mark.parametrize("name", ["UPPER", "a", "..", "x" * 64, "under_score", "a..b"])
def test_names_that_are_no_bucket_names_are_refused(world: World, name: str) -> None:
    world.rights.operators.add("ada")
    answer = world.raw("PUT", f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


def test_object_locks_are_not_pretended(world: World) -> None:
    world.rights.operators.add("ada")
    with pytest.raises(ClientError) as raised:
        world.client().create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    assert _code(raised) == (501, "NotImplemented")


def test_a_bucket_that_could_not_be_recorded_is_not_left_behind(world: World) -> None:
    world.rights.operators.add("ada")

    async def fails(*_: object) -> None:
        raise RuntimeError("the database is gone")

    world.rights.bucket_created = fails  # type: ignore[method-assign]
    with pytest.raises(ClientError) as raised:
        world.client().create_bucket(Bucket="lost")
    assert _code(raised) == (500, "InternalError")
    assert os.listdir(world.folder) == [BUCKET]
