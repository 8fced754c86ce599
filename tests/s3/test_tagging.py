"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from s3.answers import refusal
from s3.world import BUCKET, World
from workspacesio.domain.vocabulary import Level
from workspacesio.nodes.values import ObjectAddress, ObjectInfo, ObjectMetadata

X = {"Bucket": BUCKET, "Key": "ada/x"}


def tag_set(**tags: str) -> dict:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_tags_come_and_go_without_touching_the_object(world: World) -> None:
    client = world.client()
    client.put_object(Body=b"12345", Metadata={"a": "1"}, ContentType="text/x", **X)
    before = client.head_object(**X)
    assert client.get_object_tagging(**X)["TagSet"] == []
    client.put_object_tagging(Tagging=tag_set(a="1", b="é & <x>"), **X)
    assert client.get_object_tagging(**X)["TagSet"] == tag_set(a="1", b="é & <x>")["TagSet"]
    client.put_object_tagging(Tagging=tag_set(c="3"), **X)
    assert client.get_object_tagging(**X)["TagSet"] == tag_set(c="3")["TagSet"]
    assert client.get_object(**X)["TagCount"] == 1
    client.delete_object_tagging(**X)
    assert client.get_object_tagging(**X)["TagSet"] == []
    after = client.head_object(**X)
    for name in ("ETag", "Metadata", "ContentType", "LastModified", "ContentLength"):
        assert after[name] == before[name]
    assert [event.name for event in world.rights.events[1:]] == [
        "s3:ObjectTagging:Put",
        "s3:ObjectTagging:Put",
        "s3:ObjectTagging:Delete",
    ]


def test_a_file_that_was_there_before_can_be_tagged(world: World) -> None:
    os.makedirs(world.path("ada"))
    with open(world.path("ada/x"), "w") as file:
        file.write("old")
    client = world.client()
    client.put_object_tagging(Tagging=tag_set(a="1"), **X)
    assert client.get_object_tagging(**X)["TagSet"] == tag_set(a="1")["TagSet"]
    assert world.content("ada/x") == b"old"


def test_tags_and_a_copy_onto_itself_at_once_keep_each_other(world: World) -> None:
    """The copy changes metadata between the moment at which the tags' request looked and that of its writing."""
    client = world.client()
    client.put_object(Body=b"1", Metadata={"a": "old"}, **X)
    set_metadata = world.driver.set_metadata
    waiting = ["new"]

    async def later(address: ObjectAddress, metadata: ObjectMetadata, **expected: Any) -> ObjectInfo:
        if waiting:
            before = await world.driver.head(address)
            copied = replace(before.metadata, user={"a": waiting.pop()})
            await set_metadata(address, copied, expected=before)
        return await set_metadata(address, metadata, **expected)

    world.driver.set_metadata = later  # type: ignore[method-assign]
    client.put_object_tagging(Tagging=tag_set(t="1"), **X)
    assert client.head_object(**X)["Metadata"] == {"a": "new"}
    assert client.get_object_tagging(**X)["TagSet"] == tag_set(t="1")["TagSet"]

    waiting.append("meanwhile")
    copy = {"CopySource": X, "MetadataDirective": "REPLACE", "Metadata": {"a": "newer"}}
    assert refusal(client.copy_object, **copy, **X)[0] == 503, "clients try again"
    client.copy_object(**copy, **X)
    assert client.head_object(**X)["Metadata"] == {"a": "newer"}
    assert client.get_object_tagging(**X)["TagSet"] == tag_set(t="1")["TagSet"]


def test_limits(world: World) -> None:
    client = world.client()
    client.put_object(Body=b"1", **X)
    eleven = {f"k{n}": "v" for n in range(11)}
    assert refusal(client.put_object_tagging, Tagging=tag_set(**eleven), **X) == (400, "BadRequest")
    assert refusal(client.put_object_tagging, Tagging=tag_set(a="x" * 257), **X) == (400, "InvalidTag")
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    assert refusal(client.put_object_tagging, Tagging=twice, **X) == (400, "InvalidTag")
    assert client.get_object_tagging(**X)["TagSet"] == []


@pytest.mark.parametrize(
    "body", [b"", b"<Tagging/>", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"]
)
def test_documents_that_are_none(world: World, body: bytes) -> None:
    world.client().put_object(Body=b"1", **X)
    answer = world.raw("PUT", f"/{BUCKET}/ada/x?tagging", {}, body)
    assert (answer.status, answer.code) == (400, "MalformedXML")


def test_reading_and_writing_tags_need_their_rights(world: World) -> None:
    world.client().put_object(Body=b"1", **X)
    client = world.client(world.bob)
    for key in ("ada/x", "ada/none"):
        place = {"Bucket": BUCKET, "Key": key}
        assert refusal(client.get_object_tagging, **place) == (403, "AccessDenied")
        assert refusal(client.put_object_tagging, Tagging=tag_set(a="1"), **place) == (403, "AccessDenied")
        assert refusal(client.delete_object_tagging, **place) == (403, "AccessDenied")
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    assert client.get_object_tagging(**X)["TagSet"] == []
    assert refusal(client.put_object_tagging, Tagging=tag_set(a="1"), **X) == (403, "AccessDenied")
    assert refusal(client.get_object_tagging, Bucket=BUCKET, Key="ada/none") == (404, "NoSuchKey")
