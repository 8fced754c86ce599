"""Outside one's sight the answer is 403 AccessDenied, the same to the byte whether something is there or not."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

import pytest

from s3.world import BUCKET, Answer, World
from workspacesio.domain.authority import NotIdentified, Permit
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Level
from workspacesio.nodes.values import ObjectInfo

TAGGING = b"<Tagging><TagSet/></Tagging>"
DELETE = b"<Delete><Object><Key>%b</Key></Object></Delete>"
COMPLETE = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>5d41402abc4b2a76b9719d911017c592</ETag></Part>"
    b"</CompleteMultipartUpload>"
)

OBJECT_REQUESTS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", "", {}, b""),
    ("HEAD", "", {}, b""),
    ("GET", "", {"Range": "bytes=0-1"}, b""),
    ("GET", "", {"Range": "bytes=99-"}, b""),
    ("GET", "", {"If-Match": '"0"'}, b""),
    ("GET", "", {"If-None-Match": "*"}, b""),
    ("GET", "?partNumber=1", {}, b""),
    ("GET", "?versionId=1", {}, b""),
    ("GET", "?attributes", {"x-amz-object-attributes": "ETag"}, b""),
    ("GET", "?tagging", {}, b""),
    ("PUT", "?tagging", {}, TAGGING),
    ("DELETE", "?tagging", {}, b""),
    ("PUT", "", {}, b"1"),
    ("PUT", "", {"If-None-Match": "*"}, b"1"),
    ("PUT", "", {"If-Match": '"0"'}, b"1"),
    ("DELETE", "", {}, b""),
    ("DELETE", "", {"If-Match": '"0"'}, b""),
    ("POST", "?uploads", {}, b""),
    ("PUT", "?partNumber=1&uploadId=1", {}, b"1"),
    ("GET", "?uploadId=1", {}, b""),
    ("DELETE", "?uploadId=1", {}, b""),
    ("POST", "?uploadId=1", {}, COMPLETE),
]


def without_names(answer: Answer, *names: str) -> tuple[int, Any, bytes]:
    """The answer but for what the request itself said and what differs each time."""
    body = re.sub(rb"<RequestId>.*?</RequestId>", b"", answer.body)
    for name in names:
        body = body.replace(name.encode(), b"NAME")
    ignored = ("x-amz-request-id", "date", "content-length")
    headers = {name: value for name, value in answer.headers.items() if name not in ignored}
    return answer.status, headers, body


@pytest.mark.parametrize("request_", OBJECT_REQUESTS, ids=lambda row: f"{row[0]}{row[1]}{sorted(row[2])}")
def test_objects(world: World, request_: tuple[str, str, dict[str, str], bytes]) -> None:
    method, query, headers, body = request_
    world.client().put_object(Bucket=BUCKET, Key="ada/there", Body=b"12345")
    answers = []
    for bucket, key in [
        (BUCKET, "ada/there"),
        (BUCKET, "ada/none"),
        (BUCKET, "nobody/none"),
        ("no-such-bucket", "ada/there"),
    ]:
        answer = world.raw(method, f"/{bucket}/{key}{query}", headers, body, keys=world.bob)
        answers.append(without_names(answer, f"/{bucket}/{key}", bucket, key))
    assert answers[0][0] == 403
    assert all(answer == answers[0] for answer in answers)
    assert method == "HEAD" or b"AccessDenied" in answers[0][2]
    assert world.content("ada/there") == b"12345"


def test_sources_of_copies(world: World) -> None:
    world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    world.client().put_object(Bucket=BUCKET, Key="ada/there", Body=b"12345")
    answers = []
    for source in ("data/ada/there", "data/ada/none", "data/nobody/none", "no-such/x"):
        answer = world.raw("PUT", f"/{BUCKET}/bob/x", {"x-amz-copy-source": source}, keys=world.bob)
        answers.append(without_names(answer, source))
    assert answers[0][0] == 403
    assert all(answer == answers[0] for answer in answers)


def test_keys_in_a_list_to_delete(world: World) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/there", Body=b"12345")
    answers = [
        without_names(world.raw("POST", f"/{BUCKET}?delete", {}, DELETE % key, keys=world.bob), key.decode())
        for key in (b"ada/there", b"ada/none", b"nobody/none")
    ]
    assert b"<Code>AccessDenied</Code>" in answers[0][2]
    assert all(answer == answers[0] for answer in answers)


def test_a_reader_is_told_that_writing_is_what_is_missing(world: World) -> None:
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    answer = world.raw("PUT", f"/{BUCKET}/ada/x", {}, b"1", keys=world.bob)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"You may read here, but not write." in answer.body


def test_an_unshared_reader_is_refused_on_the_next_request(world: World) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    client = world.client(world.bob)
    link = client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "ada/x"})
    target = link.removeprefix(world.url)
    assert world.raw("GET", target, sign=False).body == b"1"
    world.rights.unshare("bob", BUCKET, "ada/")
    assert world.raw("GET", target, sign=False).status == 403
    assert world.raw("GET", f"/{BUCKET}/ada/x", keys=world.bob).status == 403


# --- who is asking -----------------------------------------------------------------------------------------


def test_keys_that_end_while_a_body_comes_are_called_so(world: World) -> None:
    decided = world.rights.decide
    asked = []

    async def decide(*given: Any) -> Permit | Denied:
        asked.append(given)
        return await decided(*given) if len(asked) == 1 else Denied("credential_expired")

    world.rights.decide = decide  # type: ignore[method-assign]
    answer = world.raw("PUT", f"/{BUCKET}/ada/x", body=b"1")
    assert (answer.status, answer.code, len(asked)) == (400, "ExpiredToken", 2)
    assert not os.path.exists(world.path("ada/x"))


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("unknown_key", 403, "InvalidAccessKeyId"),
        ("bad_token", 400, "InvalidToken"),
        ("expired", 400, "ExpiredToken"),
        ("revoked", 403, "InvalidAccessKeyId"),
        ("anything_new", 403, "AccessDenied"),
    ],
)
def test_those_who_are_not_identified(world: World, reason: str, status: int, code: str) -> None:
    async def identify(*_: object) -> NotIdentified:
        return NotIdentified(reason)

    world.rights.identify = identify  # type: ignore[method-assign, assignment]
    answer = world.raw("GET", "/")
    assert (answer.status, answer.code) == (status, code)


def test_an_authority_that_cannot_answer_refuses(world: World) -> None:
    world.rights.broken = Unavailable("the database is away at /var/lib/secret")
    answer = world.raw("GET", f"/{BUCKET}/ada/x")
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert b"secret" not in answer.body


def test_a_mistake_of_ours_says_nothing(world: World) -> None:
    world.rights.broken = ValueError("secret")
    answer = world.raw("GET", f"/{BUCKET}/ada/x")
    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert answer.headers["x-amz-request-id"].encode() in answer.body


def store(world: World, **said: Any) -> None:
    """An object whose metadata, as the driver tells it, says what no request could have said."""
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
    head, open_ = world.driver.head, world.driver.open

    def changed(info: ObjectInfo) -> ObjectInfo:
        return replace(info, metadata=replace(info.metadata, **said))

    async def heading(*arguments: Any) -> ObjectInfo:
        return changed(await head(*arguments))

    async def opening(*arguments: Any) -> Any:
        opened = await open_(*arguments)
        opened.info = changed(opened.info)
        return opened

    world.driver.head, world.driver.open = heading, opening  # type: ignore[method-assign]


@pytest.mark.parametrize("value", [5, None, ["a"], {}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_metadata_that_is_no_metadata_breaks_nothing(world: World, method: str, value: object) -> None:
    """Whoever has a shell may write what they like into a file's attributes."""
    store(world, headers={"content-type": value})
    answer = world.raw(method, f"/{BUCKET}/ada/x")
    assert answer.status in (200, 500)
    assert answer.headers["x-amz-request-id"]
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=y", "a\nb", "\x00"])
def test_stored_metadata_cannot_inject_headers(world: World, value: str) -> None:
    store(world, headers={"content-type": value, value: "x"}, user={"a": value, value: "x"})
    answer = world.raw("GET", f"/{BUCKET}/ada/x")
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-amz-request-id"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", f"/{BUCKET}", f"/{BUCKET}/ada/x", "//", "/-/healthy"])
def test_strangers(world: World, method: str, path: str) -> None:
    answer = world.raw(method, path, sign=False)
    assert answer.status == 403
    assert answer.headers["x-amz-request-id"]


def test_health(world: World) -> None:
    assert world.raw("GET", "/-/health", sign=False).body == b"ok\n"
