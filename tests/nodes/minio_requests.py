"""S3 requests that a user sends to a bucket, and what the permission core's decision makes of each.

Each function sends one kind and returns (answered, expected): whether the server let it pass, and whether it
should have.
"""

from __future__ import annotations

import hashlib
import html
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape

from nodes.minio_worlds import World
from servers.signed_connection import Answer, SignedConnection
from workspacesio.domain.vocabulary import Action

Outcome = tuple[bool, bool]


class Unexpected(AssertionError):
    """An answer that is neither a pass nor a refusal."""


@dataclass
class Asking:
    """One user in one world, with real keys."""

    world: World
    user: int
    bucket: str
    other_bucket: str
    connection: SignedConnection
    administrator: SignedConnection
    chance: Random

    def may(self, action: Action, key: str) -> bool:
        return self.world.allows(self.user, action, key)

    def send(
        self, method: str, key: str = "", query: list[tuple[str, str]] | None = None, **more: object
    ) -> Answer:
        path = f"/{self.bucket}/{key}" if key else f"/{self.bucket}"
        return self.connection.send(method, path, query or [], **more)  # type: ignore[arg-type]


def passed(answer: Answer) -> bool:
    """What isn't there is said only to whoever may know."""
    if answer.status in (200, 204, 404):
        return True
    if answer.status == 403 and answer.code in ("AccessDenied", ""):
        return False
    raise Unexpected(answer)


def get(asking: Asking, key: str) -> Outcome:
    return passed(asking.send("GET", key)), asking.may(Action.READ_DATA, key)


def head(asking: Asking, key: str) -> Outcome:
    return passed(asking.send("HEAD", key)), asking.may(Action.READ_DATA, key)


def get_tags(asking: Asking, key: str) -> Outcome:
    """Of a key that is there: of others MinIO says that they aren't before it asks for rights."""
    assert asking.administrator.send("PUT", f"/{asking.bucket}/{key}", body=b"seeded").status == 200
    return passed(asking.send("GET", key, [("tagging", "")])), asking.may(Action.READ_DATA, key)


def put(asking: Asking, key: str) -> Outcome:
    return passed(asking.send("PUT", key, body=b"written")), asking.may(Action.WRITE_DATA, key)


def put_tags(asking: Asking, key: str) -> Outcome:
    body = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    return passed(asking.send("PUT", key, [("tagging", "")], body=body)), asking.may(Action.WRITE_DATA, key)


def delete(asking: Asking, key: str) -> Outcome:
    return passed(asking.send("DELETE", key)), asking.may(Action.WRITE_DATA, key)


def delete_many(asking: Asking, key: str) -> Outcome:
    body = f"<Delete><Object><Key>{escape(key)}</Key></Object></Delete>".encode()
    headers = [("Content-MD5", b64encode(hashlib.md5(body).digest()).decode())]
    answer = asking.send("POST", query=[("delete", "")], body=body, headers=headers)
    if answer.status != 200:
        raise Unexpected(answer)
    if b"<Error>" in answer.body and answer.code != "AccessDenied":
        raise Unexpected(answer)
    return b"<Error>" not in answer.body, asking.may(Action.WRITE_DATA, key)


def copy(asking: Asking, key: str) -> Outcome:
    source = asking.chance.choice([key, key + "2", "k", "r/w/k", "w/x/k"])
    headers = [("x-amz-copy-source", quote(f"/{asking.bucket}/{source}"))]
    answer = asking.send("PUT", key + ".copy", headers=headers)
    return passed(answer), asking.may(Action.WRITE_DATA, key + ".copy") and asking.may(Action.READ_DATA, source)


def multipart(asking: Asking, key: str) -> Outcome:
    """Begin, send and list parts, end; where that is refused, so are the steps with the id of another upload."""
    key += ".parts"  # a folder's own entry can't be uploaded in parts
    writes = asking.may(Action.WRITE_DATA, key)
    begun = asking.send("POST", key, [("uploads", "")])
    if passed(begun):
        upload = html.unescape(re.search(r"<UploadId>(.*?)</UploadId>", begun.body.decode())[1])  # type: ignore[index]
        named = [("uploadId", upload)]
        steps = (
            asking.send("PUT", key, [("partNumber", "1"), *named], body=b"part"),
            asking.send("GET", key, named),
            asking.send("DELETE", key, named),
        )
        return all(passed(step) for step in steps), writes
    steps = (
        asking.send("GET", key, [("uploadId", "bm9uZQ")]),
        asking.send("DELETE", key, [("uploadId", "bm9uZQ")]),
        asking.send("PUT", key, [("partNumber", "1"), ("uploadId", "bm9uZQ")], body=b"part"),
    )
    return any(passed(step) for step in steps), writes


LISTINGS = {
    (("list-type", "2"),): "start-after",
    (("list-type", "2"), ("metadata", "true")): "start-after",
    (): "marker",
    (("versions", ""),): "key-marker",
}


def listing(asking: Asking, key: str) -> Outcome:
    """Of any kind; whatever is named begins with the prefix that was asked for."""
    chance = asking.chance
    prefix = chance.choice(["", key, key, key, key.rpartition("/")[0] + "/"])
    kind = chance.choice(list(LISTINGS))
    query = [*kind, ("encoding-type", "url")]
    if prefix or chance.random() < 0.5:
        query.append(("prefix", prefix))
    if chance.random() < 0.5:
        query.append(("delimiter", "/"))
    if chance.random() < 0.2:
        query.append((LISTINGS[kind], prefix + "a"))
    answer = asking.send("GET", query=query)
    for named in re.findall(rb"<(?:Key|CommonPrefixes><Prefix)>(.*?)</", answer.body):
        if answer.status == 200 and not unquote_plus(html.unescape(named.decode())).startswith(prefix):
            raise Unexpected(answer)
    return passed(answer), asking.may(Action.LIST_DATA, prefix)


def head_bucket(asking: Asking, _key: str) -> Outcome:
    return passed(asking.send("HEAD")), asking.world.reaches(asking.user)


def location(asking: Asking, _key: str) -> Outcome:
    return passed(asking.send("GET", query=[("location", "")])), asking.world.reaches(asking.user)


def list_buckets(asking: Asking, _key: str) -> Outcome:
    answer = asking.connection.send("GET", "/")
    if answer.status == 200 and f"<Name>{asking.other_bucket}</Name>".encode() in answer.body:
        raise Unexpected(answer)
    return f"<Name>{asking.bucket}</Name>".encode() in answer.body, asking.world.reaches(asking.user)


def other_bucket(asking: Asking, key: str) -> Outcome:
    """A bucket in which nobody of this world holds anything."""
    path = asking.chance.choice([f"/{asking.other_bucket}", f"/{asking.other_bucket}/{key}"])
    query = [("prefix", key)] if path.count("/") == 1 else []
    return passed(asking.connection.send("GET", path, query)), False


def uploads(asking: Asking, key: str) -> Outcome:
    """Can't be bound to a prefix there: never granted."""
    prefix = asking.chance.choice([[], [("prefix", key)]])
    return passed(asking.send("GET", query=[("uploads", ""), *prefix])), False


def events(asking: Asking, key: str) -> Outcome:
    """Can't be bound to a prefix there: never granted. A stream that were begun would never end."""
    return passed(asking.send("GET", query=[("events", "s3:ObjectCreated:*"), ("prefix", key)])), False


REQUESTS: dict[Callable[[Asking, str], Outcome], int] = {
    get: 24,
    head: 10,
    put: 12,
    delete: 8,
    listing: 24,
    get_tags: 2,
    put_tags: 2,
    delete_many: 3,
    copy: 3,
    multipart: 2,
    head_bucket: 3,
    location: 3,
    list_buckets: 2,
    other_bucket: 2,
    uploads: 2,
    events: 2,
}
"""How often each is sent, relative to the others."""
