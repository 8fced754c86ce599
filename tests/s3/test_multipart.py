"""Uploads in parts."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from s3.answers import refusal
from s3.world import BUCKET, World
from workspacesio.domain.authority import ObjectTarget, Principal
from workspacesio.domain.vocabulary import Action, Level
from workspacesio.nodes.folder import completing

MIB = 1024 * 1024
SIZES = (5 * MIB, 5 * MIB + 7, 123)
X = {"Bucket": BUCKET, "Key": "ada/x"}


class Upload:
    """An upload of three parts, under way."""

    def __init__(self, world: World, sizes: tuple[int, ...] = SIZES, **arguments: Any) -> None:
        self.client = world.client()
        self.bodies = [os.urandom(size) for size in sizes]
        self.id = self.client.create_multipart_upload(**X, **arguments)["UploadId"]
        self.place = {**X, "UploadId": self.id}
        given = {"ChecksumAlgorithm": arguments["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in arguments else {}
        self.answers = [
            self.client.upload_part(**self.place, PartNumber=number, Body=body, **given)
            for number, body in enumerate(self.bodies, 1)
        ]

    @property
    def parts(self) -> list[dict[str, Any]]:
        named = []
        for number, answer in enumerate(self.answers, 1):
            part = {"PartNumber": number, "ETag": answer["ETag"]}
            part |= {name: value for name, value in answer.items() if name.startswith("Checksum")}
            named.append(part)
        return named

    def complete(self, **arguments: Any) -> dict[str, Any]:
        arguments.setdefault("MultipartUpload", {"Parts": self.parts})
        return self.client.complete_multipart_upload(**self.place, **arguments)

    def refused(self, **arguments: Any) -> tuple[int, str]:
        arguments.setdefault("MultipartUpload", {"Parts": self.parts})
        return refusal(self.client.complete_multipart_upload, **self.place, **arguments)


def used(world: World) -> int:
    return world.rights.used(world.rights.workspaces[BUCKET, "ada/"])


def test_the_whole_of_it(world: World) -> None:
    upload = Upload(world, Metadata={"a": "1"}, ContentType="image/tiff", Tagging="t=1", CacheControl="no-cache")
    assert not os.path.exists(world.path("ada/x"))
    answer = upload.complete()
    whole = b"".join(upload.bodies)
    digests = b"".join(hashlib.md5(body).digest() for body in upload.bodies)
    etag = f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert (answer["ETag"], answer["Bucket"], answer["Key"]) == (etag, BUCKET, "ada/x")
    assert answer["Location"] == f"{world.url}/{BUCKET}/ada/x"
    assert world.content("ada/x") == whole
    head = upload.client.head_object(**X)
    assert (head["ETag"], head["ContentLength"]) == (etag, len(whole))
    assert (head["Metadata"], head["ContentType"], head["CacheControl"]) == ({"a": "1"}, "image/tiff", "no-cache")
    assert upload.client.get_object_tagging(**X)["TagSet"] == [{"Key": "t", "Value": "1"}]
    (event,) = world.rights.events
    assert event.name == "s3:ObjectCreated:CompleteMultipartUpload"
    assert (event.delta_bytes, event.delta_objects, event.size) == (len(whole), 1, len(whole))
    assert used(world) == len(whole)
    assert not world.rights.reserved


def test_parts_of_the_object_can_be_read(world: World) -> None:
    upload = Upload(world)
    upload.complete()
    first = 0
    for number, body in enumerate(upload.bodies, 1):
        got = upload.client.get_object(**X, PartNumber=number)
        assert got["Body"].read() == body
        assert got["PartsCount"] == 3
        assert got["ContentRange"] == f"bytes {first}-{first + len(body) - 1}/{sum(SIZES)}"
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        head = upload.client.head_object(**X, PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(body), 3)
        first += len(body)
    assert refusal(upload.client.get_object, **X, PartNumber=4) == (416, "InvalidPartNumber")
    assert refusal(upload.client.get_object, **X, PartNumber=0) == (400, "InvalidArgument")
    assert refusal(upload.client.get_object, **X, PartNumber=1, Range="bytes=0-1") == (400, "InvalidRequest")
    upload.client.put_object(Bucket=BUCKET, Key="ada/plain", Body=b"1")
    plain = upload.client.get_object(Bucket=BUCKET, Key="ada/plain", PartNumber=1)
    assert plain["Body"].read() == b"1"
    assert "PartsCount" not in plain
    assert refusal(upload.client.get_object, Bucket=BUCKET, Key="ada/plain", PartNumber=2)[0] == 416


COMPOSITE = ["CRC32", "CRC32C", "SHA1", "SHA256"]
FULL = ["CRC32", "CRC32C", "CRC64NVME"]


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [*((name, "COMPOSITE") for name in COMPOSITE), *((name, "FULL_OBJECT") for name in FULL)],
)
def test_checksums(world: World, algorithm: str, kind: str) -> None:
    upload = Upload(world, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    answer = upload.complete(ChecksumType=kind)
    value = answer[f"Checksum{algorithm}"]
    assert answer["ChecksumType"] == kind
    head = upload.client.head_object(**X, ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (value, kind)
    if kind == "FULL_OBJECT":
        whole = upload.client.put_object(
            Bucket=BUCKET, Key="ada/y", Body=b"".join(upload.bodies), ChecksumAlgorithm=algorithm
        )
        assert whole[f"Checksum{algorithm}"] == value
        assert upload.client.get_object(**X)["Body"].read() == b"".join(upload.bodies)
    else:
        assert value.endswith("-3")
        attributes = upload.client.get_object_attributes(**X, ObjectAttributes=["ObjectParts", "Checksum"])
        parts = attributes["ObjectParts"]
        assert (parts["TotalPartsCount"], parts["IsTruncated"]) == (3, False)
        assert [part["Size"] for part in parts["Parts"]] == list(SIZES)
        assert parts["Parts"][0][f"Checksum{algorithm}"] == upload.answers[0][f"Checksum{algorithm}"]
        page = upload.client.get_object_attributes(
            **X, ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=1
        )["ObjectParts"]
        assert [part["PartNumber"] for part in page["Parts"]] == [2]
        assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 2)


def test_a_declared_checksum_is_compared(world: World) -> None:
    upload = Upload(world, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
    assert upload.refused(ChecksumCRC64NVME="AAAAAAAAAAA=") == (400, "BadDigest")
    assert upload.refused(ChecksumType="COMPOSITE") == (400, "InvalidRequest")
    assert upload.refused(ChecksumCRC32="AAAAAA==") == (400, "InvalidRequest")
    assert upload.refused(MpuObjectSize=5) == (400, "InvalidRequest")
    assert not os.path.exists(world.path("ada/x"))
    upload.complete(MpuObjectSize=sum(SIZES))


def test_a_part_must_have_the_upload_s_checksum(world: World) -> None:
    upload = Upload(world, sizes=(), ChecksumAlgorithm="SHA256")
    wrong = base64.b64encode(bytes(32)).decode()
    assert refusal(upload.client.upload_part, **upload.place, PartNumber=1, Body=b"1", ChecksumSHA256=wrong) == (
        400,
        "BadDigest",
    )
    assert refusal(
        upload.client.upload_part, **upload.place, PartNumber=1, Body=b"1", ChecksumAlgorithm="CRC32"
    ) == (400, "InvalidRequest")
    assert used(world) == 0
    plain = world.raw("PUT", f"/{BUCKET}/ada/x?partNumber=1&uploadId={upload.id}", {}, b"1")
    assert plain.status == 200
    (part,) = upload.client.list_parts(**upload.place)["Parts"]
    assert part["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"1").digest()).decode()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"}, (400, "InvalidRequest")),
        ({"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}, (400, "InvalidRequest")),
        ({"ServerSideEncryption": "AES256"}, (501, "NotImplemented")),
        ({"ACL": "public-read-write"}, (400, "AccessControlListNotSupported")),
        ({"Metadata": {"a": "x" * 3000}}, (400, "MetadataTooLarge")),
    ],
)
def test_uploads_that_are_refused_at_once(world: World, arguments: Any, expected: tuple[int, str]) -> None:
    assert refusal(world.client().create_multipart_upload, **X, **arguments) == expected


# --- the list of parts -------------------------------------------------------------------------------------


def test_a_part_list_must_be_right(world: World) -> None:
    upload = Upload(world)
    one, two, three = upload.parts
    for parts, code in [
        ([two, one, three], "InvalidPartOrder"),
        ([one, one], "InvalidPartOrder"),
        ([one, {**two, "ETag": '"0"'}], "InvalidPart"),
        ([one, {**two, "ETag": one["ETag"]}], "InvalidPart"),
        ([one, {"PartNumber": 9, "ETag": one["ETag"]}], "InvalidPart"),
        ([three, {**two, "PartNumber": 9}], "InvalidPart"),
    ]:
        assert upload.refused(MultipartUpload={"Parts": parts}) == (400, code)
    status, code = upload.refused(MultipartUpload={"Parts": []})
    assert (status, code) in [(400, "MalformedXML"), (400, "InvalidRequest")]
    assert not os.path.exists(world.path("ada/x"))
    upload.complete(MultipartUpload={"Parts": [one, three]})
    assert world.content("ada/x") == upload.bodies[0] + upload.bodies[2]
    assert used(world) == len(upload.bodies[0]) + len(upload.bodies[2]), "the part left out is given back"


def test_only_the_last_part_may_be_small(world: World) -> None:
    upload = Upload(world, sizes=(5 * MIB - 1, 1))
    assert upload.refused() == (400, "EntityTooSmall")
    assert not os.path.exists(world.path("ada/x"))


def test_a_part_sent_again_replaces_the_first(world: World) -> None:
    upload = Upload(world, sizes=(100, 7))
    upload.answers = [upload.client.upload_part(**upload.place, PartNumber=1, Body=b"again")]
    assert used(world) == 5 + 7
    upload.complete()
    assert world.content("ada/x") == b"again"
    assert used(world) == 5


def test_completing_twice_answers_twice(world: World) -> None:
    upload = Upload(world)
    assert upload.complete()["ETag"] == upload.complete()["ETag"]
    assert len(world.rights.events) == 1
    assert used(world) == sum(SIZES)
    assert upload.refused(MultipartUpload={"Parts": upload.parts[:2]}) == (404, "NoSuchUpload")
    upload.client.put_object(**X, Body=b"other")
    assert upload.complete()["ETag"].endswith('-3"'), "it became an object, which is another by now"
    assert world.content("ada/x") == b"other"
    assert used(world) == len(b"other")


def test_an_upload_ends_once_however_many_ask_at_once(world: World) -> None:
    """Completions answer alike, and what was used is counted once; so is what an abortion gives back."""
    upload = Upload(world)
    with ThreadPoolExecutor(4) as threads:
        answers = [done.result() for done in [threads.submit(upload.complete) for _ in range(4)]]
        for answer in answers:
            del answer["ResponseMetadata"]
        assert answers == [answers[0]] * 4
        assert used(world) == sum(SIZES)
        assert len(world.rights.events) == 1
        assert not world.rights.reserved

        other = Upload(world)
        assert used(world) == 2 * sum(SIZES)
        gone = [threads.submit(other.client.abort_multipart_upload, **other.place) for _ in range(4)]
        outcomes = [type(done.exception()).__name__ for done in gone]
    assert sorted(outcomes) == ["NoSuchUpload"] * 3 + ["NoneType"]
    assert used(world) == sum(SIZES)


def test_conditions(world: World) -> None:
    upload = Upload(world, sizes=(3,))
    upload.client.put_object(**X, Body=b"there")
    assert upload.refused(IfNoneMatch="*") == (412, "PreconditionFailed")
    assert upload.refused(IfMatch='"0"') == (412, "PreconditionFailed")
    assert world.content("ada/x") == b"there"
    etag = upload.client.head_object(**X)["ETag"]
    upload.complete(IfMatch=etag)
    assert world.content("ada/x") == upload.bodies[0]
    assert used(world) == 3


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1", ""])
def test_part_numbers(world: World, number: str) -> None:
    upload = Upload(world, sizes=())
    answer = world.raw("PUT", f"/{BUCKET}/ada/x?partNumber={number}&uploadId={upload.id}", {}, b"1")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("upload_id", ["none", "..%2F..%2Fx", "", "%00", "x" * 5000, "%2A"])
def test_uploads_that_are_none(world: World, upload_id: str) -> None:
    answers = [
        world.raw("PUT", f"/{BUCKET}/ada/x?partNumber=1&uploadId={upload_id}", {}, b"1"),
        world.raw("GET", f"/{BUCKET}/ada/x?uploadId={upload_id}"),
        world.raw("DELETE", f"/{BUCKET}/ada/x?uploadId={upload_id}"),
        world.raw(
            "POST",
            f"/{BUCKET}/ada/x?uploadId={upload_id}",
            {},
            b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
            b"5d41402abc4b2a76b9719d911017c592</ETag></Part></CompleteMultipartUpload>",
        ),
    ]
    assert [(answer.status, answer.code) for answer in answers] == [(404, "NoSuchUpload")] * 4


def test_an_upload_belongs_to_its_key(world: World) -> None:
    upload = Upload(world, sizes=(3,))
    other = {"Bucket": BUCKET, "Key": "ada/y", "UploadId": upload.id}
    assert refusal(upload.client.upload_part, **other, PartNumber=1, Body=b"1") == (404, "NoSuchUpload")
    assert refusal(upload.client.list_parts, **other) == (404, "NoSuchUpload")
    assert refusal(upload.client.abort_multipart_upload, **other) == (404, "NoSuchUpload")


@contextmanager
def ended_by_another(world: World, upload: Upload) -> Iterator[None]:
    """Another process has the right to end the upload."""
    folder = os.path.join(world.folder, ".workspacesio", "uploads", upload.id)
    with open(os.path.join(folder, "complete.lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("how", ["completed", "aborted"])
def test_parts_that_arrive_while_their_upload_is_ended_are_given_back(world: World, how: str) -> None:
    upload = Upload(world)
    ending = (
        upload.complete if how == "completed" else partial(upload.client.abort_multipart_upload, **upload.place)
    )
    with ThreadPoolExecutor(1) as threads:
        with ended_by_another(world, upload):
            ended = threads.submit(ending)
            time.sleep(0.5)
            assert not ended.done()
            upload.client.upload_part(**upload.place, PartNumber=4, Body=b"4" * 1000)
            assert used(world) == sum(SIZES) + 1000
        ended.result()
    assert used(world) == (sum(SIZES) if how == "completed" else 0)
    assert not world.rights.reserved


def test_an_upload_that_another_is_ending_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "_PATIENCE_SECONDS", 0.2)
    upload = Upload(world)
    with ended_by_another(world, upload):
        assert refusal(upload.client.abort_multipart_upload, **upload.place) == (409, "OperationAborted")
        # Blanks were sent ahead of it: an error in a 200, which clients take for a 500 and try again.
        assert upload.refused() == (500, "OperationAborted")
    assert used(world) == sum(SIZES)
    upload.complete()
    assert used(world) == sum(SIZES)


def test_abort_gives_everything_back(world: World) -> None:
    upload = Upload(world)
    assert used(world) == sum(SIZES)
    upload.client.abort_multipart_upload(**upload.place)
    assert used(world) == 0
    assert refusal(upload.client.abort_multipart_upload, **upload.place) == (404, "NoSuchUpload")
    assert refusal(upload.client.upload_part, **upload.place, PartNumber=1, Body=b"1") == (404, "NoSuchUpload")
    assert upload.refused() == (404, "NoSuchUpload")


def test_parts_count_against_the_quota(world: World) -> None:
    world.rights.limits[world.rights.workspaces[BUCKET, "ada/"]] = 10
    upload = Upload(world, sizes=(6,))
    assert refusal(upload.client.upload_part, **upload.place, PartNumber=2, Body=b"12345") == (
        403,
        "QuotaExceeded",
    )
    assert refusal(upload.client.put_object, Bucket=BUCKET, Key="ada/y", Body=b"12345") == (403, "QuotaExceeded")
    upload.complete()
    assert used(world) == 6


# --- rights ------------------------------------------------------------------------------------------------


def test_every_step_needs_the_right_to_write(world: World) -> None:
    upload = Upload(world, sizes=(3,))
    for level in (None, Level.READ):
        if level is not None:
            world.rights.share("bob", BUCKET, "ada/", level)
        client = world.client(world.bob)
        denied = (403, "AccessDenied")
        assert refusal(client.create_multipart_upload, **X) == denied
        assert refusal(client.upload_part, **upload.place, PartNumber=1, Body=b"1") == denied
        assert refusal(client.list_parts, **upload.place) == denied
        assert refusal(client.abort_multipart_upload, **upload.place) == denied
        assert (
            refusal(client.complete_multipart_upload, **upload.place, MultipartUpload={"Parts": upload.parts})
            == denied
        )
        for key in ("ada/x", "ada/none"):
            assert refusal(client.list_parts, Bucket=BUCKET, Key=key, UploadId="none") == denied
    upload.complete()


def test_a_right_lost_during_completion_stops_it(world: World) -> None:
    upload = Upload(world, sizes=(3,))
    asked = []

    def lose(principal: Principal, action: Action, target: ObjectTarget) -> None:
        asked.append(target.key)
        if len(asked) == 2:
            world.rights.unshare("ada", BUCKET, "ada/")

    world.rights.on_decide = lose
    assert upload.refused() == (403, "AccessDenied")
    assert not os.path.exists(world.path("ada/x"))
    assert not world.rights.reserved


# --- listings ----------------------------------------------------------------------------------------------


def test_parts_are_listed_in_pages(world: World) -> None:
    upload = Upload(world, sizes=(3, 4, 5, 6))
    pages = list(
        upload.client.get_paginator("list_parts").paginate(**upload.place, PaginationConfig={"PageSize": 3})
    )
    assert [[part["PartNumber"] for part in page["Parts"]] for page in pages] == [[1, 2, 3], [4]]
    assert [part["Size"] for page in pages for part in page["Parts"]] == [3, 4, 5, 6]
    assert [part["ETag"] for page in pages for part in page["Parts"]] == [
        answer["ETag"] for answer in upload.answers
    ]


def create(world: World, *keys: str) -> dict[str, list[str]]:
    client = world.client()
    ids: dict[str, list[str]] = {}
    for key in keys:
        ids.setdefault(key, []).append(client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"])
    return ids


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_uploads_are_listed_in_pages(world: World, size: int) -> None:
    ids = create(world, "ada/b", "ada/a", "ada/b", "ada/a/x", "ada/c")
    paginator = world.client().get_paginator("list_multipart_uploads")
    pages = list(paginator.paginate(Bucket=BUCKET, Prefix="ada/", PaginationConfig={"PageSize": size}))
    listed = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])]
    assert sorted(listed) == sorted((key, upload_id) for key, found in ids.items() for upload_id in found)
    assert [key for key, _ in listed] == sorted(key for key, _ in listed)
    pages = list(
        paginator.paginate(Bucket=BUCKET, Prefix="ada/", Delimiter="/", PaginationConfig={"PageSize": size})
    )
    assert [upload["Key"] for page in pages for upload in page.get("Uploads", [])] == [
        "ada/a",
        "ada/b",
        "ada/b",
        "ada/c",
    ]
    assert [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])] == ["ada/a/"]


def test_a_listing_of_uploads_goes_on_where_its_markers_say(world: World) -> None:
    ids = create(world, "ada/a", "ada/b", "ada/b", "ada/b", "ada/b/x", "ada/c")
    client = world.client()
    first, second, third = ids["ada/b"]

    def listed(key: str, upload_id: str = "", **more: Any) -> list[str]:
        answer = client.list_multipart_uploads(
            Bucket=BUCKET, Prefix="ada/", KeyMarker=key, UploadIdMarker=upload_id, **more
        )
        shown = [upload["UploadId"] for upload in answer.get("Uploads", [])]
        return shown + [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]

    (a,), (x,), (c,) = ids["ada/a"], ids["ada/b/x"], ids["ada/c"]
    assert listed("") == listed("ada/") == listed("", a) == [a, first, second, third, x, c]
    assert listed("ada/a") == listed("ada/aa") == [first, second, third, x, c]
    assert listed("ada/b") == [x, c]
    assert listed("ada/b", first) == [second, third, x, c]
    client.abort_multipart_upload(Bucket=BUCKET, Key="ada/b", UploadId=second)
    assert listed("ada/b", second) == [third, x, c], "a marker may be of an upload that is gone"
    assert listed("ada/", Delimiter="/") == [a, first, third, c, "ada/b/"]
    assert listed("ada/b", third, Delimiter="/") == [c, "ada/b/"]
    assert listed("ada/b/", Delimiter="/") == [c]
    assert listed("zzz") == []


def test_a_page_of_uploads_is_full_though_others_may_not_be_seen(world: World) -> None:
    """Those that lie in another workspace inside are passed over, over more than one page of the node's."""
    create(world, *(f"ada/in/{number}" for number in range(7)), "ada/z1", "ada/z2", "ada/z3")
    world.rights.workspace(BUCKET, "ada/in/")
    uploads = world.driver.uploads

    async def in_twos(*arguments: Any, **more: Any) -> Any:
        return await uploads(*arguments, **{**more, "max_uploads": 2})

    world.driver.uploads = in_twos  # type: ignore[method-assign]
    answer = world.client().list_multipart_uploads(Bucket=BUCKET, Prefix="ada/", MaxUploads=2)
    assert [upload["Key"] for upload in answer["Uploads"]] == ["ada/z1", "ada/z2"]
    assert answer["IsTruncated"]
    rest = world.client().list_multipart_uploads(
        Bucket=BUCKET, Prefix="ada/", KeyMarker="ada/z2", UploadIdMarker=answer["NextUploadIdMarker"]
    )
    assert [upload["Key"] for upload in rest["Uploads"]] == ["ada/z3"]
    assert not rest["IsTruncated"]


def test_uploads_are_shown_to_those_who_may_write_them_only(world: World) -> None:
    create(world, "ada/a", "ada/b")
    client = world.client(world.bob)
    assert refusal(client.list_multipart_uploads, Bucket=BUCKET, Prefix="ada/") == (403, "AccessDenied")
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET, Prefix="ada/")
    world.rights.share("bob", BUCKET, "ada/", Level.READWRITE)
    assert len(client.list_multipart_uploads(Bucket=BUCKET, Prefix="ada/")["Uploads"]) == 2
    assert refusal(client.list_multipart_uploads, Bucket=BUCKET) == (403, "AccessDenied")


def test_a_completion_that_takes_long_keeps_the_connection_open(world: World) -> None:
    """Blanks come ahead of the answer; an error after them is in the document, as with S3."""
    import asyncio

    upload = Upload(world, sizes=(3,))
    complete = world.driver.complete_upload

    async def slow(*arguments: Any) -> Any:
        await asyncio.sleep(0.7)
        return await complete(*arguments)

    world.driver.complete_upload = slow  # type: ignore[method-assign]
    wrong = [{**upload.parts[0], "ETag": '"5d41402abc4b2a76b9719d911017c592"'}]
    assert upload.refused(MultipartUpload={"Parts": wrong}) == (400, "InvalidPart"), (
        "what is quick answers as ever"
    )
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{upload.answers[0]['ETag']}</ETag></Part>"
        "</CompleteMultipartUpload>"
    ).encode()
    target = f"/{BUCKET}/ada/x?uploadId={upload.id}"
    world.rights.limits[world.rights.workspaces[BUCKET, "ada/"]] = -100
    refused = world.raw("POST", target, {"If-Match": '"0"'}, body)
    assert refused.status == 200
    assert refused.code == "NoSuchKey"
    assert refused.body.partition(b"?>\n")[2].startswith(b"  ")
    answer = world.raw("POST", target, {}, body)
    assert answer.status == 200
    assert b"<ETag>" in answer.body
    assert world.content("ada/x") == upload.bodies[0]
