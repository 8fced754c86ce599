"""Anything whatever, for a while, to both servers: no status of 500 and more but those that are declared, no
trace of what is inside, no process that ends, and no memory that grows without bound."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from accidents.api import Api
from accidents.lab import BUCKET, Lab
from accidents.wire import Answer, Keys, encoded, exchange, send
from workspacesio.s3.operations import SUBRESOURCES

SECONDS = 12.0
AT_ONCE = 4
MAX_GROWTH = 250_000
"""KiB that all processes together may grow by."""

DECLARED = {501, 503, 505, 507}

METHODS = ["GET", "GET", "HEAD", "PUT", "PUT", "POST", "POST", "DELETE", "OPTIONS", "PATCH"]
PATHS = [
    "/",
    f"/{BUCKET}",
    f"/{BUCKET}/",
    f"/{BUCKET}/ws/file",
    f"/{BUCKET}/ws/",
    f"/{BUCKET}/ws/a/b",
    f"/{BUCKET}/other/x",
    "/no",
    "//",
]
PARAMETERS = [*sorted(SUBRESOURCES), "list-type", "prefix", "delimiter", "marker", "max-keys",
              "encoding-type", "partNumber",
              "versionId", "continuation-token", "start-after", "response-content-type", "key-marker",
              "upload-id-marker",
              "max-parts", "part-number-marker", "x-id", "ping", "suffix", "X-Amz-Expires"]  # fmt: skip
HEADERS = ["range", "if-match", "if-none-match", "if-modified-since", "if-range", "content-md5",
           "x-amz-copy-source", "expect",
           "x-amz-copy-source-range", "x-amz-checksum-crc32", "x-amz-checksum-algorithm",
           "x-amz-checksum-type", "x-amz-trailer",
           "x-amz-sdk-checksum-algorithm", "x-amz-tagging", "x-amz-meta-a", "x-amz-object-attributes",
           "x-amz-metadata-directive",
           "x-amz-acl", "x-amz-storage-class", "content-type", "content-encoding", "expires",
           "x-amz-decoded-content-length",
           "x-amz-mp-object-size", "x-amz-max-parts", "origin", "x-amz-expected-bucket-owner",
           "x-amz-checksum-mode", "te",
           "x-amz-part-number-marker", "accept-encoding", "x-amz-tagging-directive",
           "x-amz-bucket-object-lock-enabled"]  # fmt: skip
VALUES = ["", "0", "1", "-1", "2", "99999999999999999999", "*", '"', '""', "bytes=0-", "bytes=-1",
          "bytes=5-2", "bytes=0-0,1-1",
          f"{BUCKET}/ws/file", f"/{BUCKET}/ws/file?versionId=", f"{BUCKET}/other/x", "url", "null", "COPY",
          "REPLACE", "CRC32",
          "SHA256", "AAAAAA==", "ETag,ObjectParts,ObjectSize", "Sun, 22 Nov 2026 16:40:34 GMT",
          "Sun, 99 Nov 0000 99:99:99 GMT",
          "aws-chunked", "s3:*", "x-amz-checksum-crc32", "FULL_OBJECT", "COMPOSITE", "ws/", "ws/file", "..",
          "%", "a" * 3000,
          "\u00e9", "100-continue", "a=b&c=d", "=?UTF-8?B?////?=", "0" * 32, "ws/\U0010ffff", "1e9",
          "\u0661"]  # fmt: skip
BODIES = [b"", b"x", b"<", b"<Delete><Object><Key>ws/x</Key></Object></Delete>", b"<Tagging><TagSet/></Tagging>",
          b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
          b"<CreateBucketConfiguration/>", b"<!DOCTYPE a><a/>", b"\0" * 100, b"0\r\n\r\n",
          b"3\r\nabc\r\n0\r\n\r\n",
          b"<Delete>" + b"<Object><Key>ws/x</Key></Object>" * 1001 + b"</Delete>", b"x" * 100_000]  # fmt: skip
PAYLOADS = ["UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "0" * 64]  # fmt: skip


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Lab:
    lab.write("ws/file", b"content")
    lab.write("other/x", b"x")
    workspace = lab.imported("ws")
    lab.imported("other")
    lab.ada.share(workspace, "bob", "own")
    return lab


@pytest.fixture
def unharmed(scene: Lab) -> Iterator[None]:
    before = scene.processes()
    log = len(scene.service.log())
    yield
    after = scene.processes()
    assert after.keys() == before.keys(), "a process ended"
    assert sum(after.values()) - sum(before.values()) < MAX_GROWTH
    said = scene.service.log()[log:]
    assert "Traceback" not in said, said[said.index("Traceback") - 500 : said.index("Traceback") + 3000]
    assert scene.bob.call("GET", "/me").status == 200
    assert scene.ada.keys("ws").list(BUCKET, "ws/").status == 200


def fuzz(one: Callable[[random.Random], tuple[Any, Answer | None]]) -> None:
    """Call `one` from several threads until the time is over; it returns what it sent, and what came back."""
    deadline = time.monotonic() + SECONDS
    seed = random.SystemRandom().randrange(1 << 32)

    def run(number: int) -> int:
        chance = random.Random(seed + number)
        sent = 0
        while time.monotonic() < deadline:
            asked, answer = one(chance)
            sent += 1
            if answer is None:
                continue
            context = (seed, asked, answer)
            assert answer.status < 500 or answer.status in DECLARED, context
            assert b"Traceback" not in answer.body, context
            assert b'File "/' not in answer.body, context
        return sent

    with ThreadPoolExecutor(AT_ONCE) as pool:
        total = sum(pool.map(run, range(AT_ONCE)))
    assert total > 100


def some(chance: random.Random, choices: list[str], values: list[str], most: int) -> list[tuple[str, str]]:
    return [(chance.choice(choices), odd_text(chance, values)) for _ in range(chance.randrange(most))]


def odd_text(chance: random.Random, values: list[str]) -> str:
    if chance.random() < 0.8:
        return chance.choice(values)
    return "".join(
        chr(chance.choice([chance.randrange(32, 127), chance.randrange(1, 0x3000)]))
        for _ in range(chance.randrange(8))
    )


def test_the_endpoint_under_signed_requests_of_any_kind(scene: Lab, unharmed: None) -> None:
    callers = [scene.ada.keys(), scene.bob.keys("ada/ws"), scene.carol.keys()]

    def one(chance: random.Random) -> tuple[Any, Answer | None]:
        keys = chance.choice(callers)
        method, path = chance.choice(METHODS), chance.choice(PATHS)
        if chance.random() < 0.3:
            path = f"/{BUCKET}/ws/" + "".join(
                f"%{chance.randrange(256):02X}" for _ in range(chance.randrange(1, 6))
            )
        query = "&".join(
            f"{encoded(name)}={encoded(value.encode(errors='replace'))}"
            if chance.random() < 0.9
            else encoded(name)
            for name, value in some(chance, PARAMETERS, VALUES, 4)
            if name != "events"
        )
        target = f"{path}?{query}" if query else path
        headers = {
            name: value
            for name, value in some(chance, HEADERS, VALUES, 4)
            if value.isascii() and value.isprintable() and name != "expect"
        }
        body = chance.choice(BODIES)
        payload = chance.choice(PAYLOADS)
        signed = keys.sign(method, target, headers, payload=payload)
        asked = (method, target, headers, payload, body[:50])
        try:
            return asked, send(keys.host, keys.port, method, target, signed, body)
        except (ConnectionError, OSError, ValueError):
            return asked, None

    fuzz(one)


def mutated(chance: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(found) or 1)
        kind = chance.randrange(5)
        if kind == 0 and found:
            found[place] = chance.randrange(256)
        elif kind == 1:
            del found[place : place + chance.randrange(1, 20)]
        elif kind == 2:
            found[place:place] = chance.choice(
                [b"\r\n", b"\0", b"%", b"%zz", b"\xff", b":", b" ", b"?", b"&", b"=", b"\r\n\r\n", b";"]
            )
        elif kind == 3:
            found[place:place] = bytes(found[place : place + 30])
        else:
            found[place:place] = chance.randbytes(chance.randrange(200))
    return bytes(found)


def test_both_servers_under_bytes_that_are_hardly_requests(scene: Lab, unharmed: None) -> None:
    keys: Keys = scene.ada.keys("ws")
    token = scene.carol.token

    def one(chance: random.Random) -> tuple[Any, Answer | None]:
        if chance.random() < 0.5:
            method, target = chance.choice(METHODS), chance.choice(PATHS)
            head = keys.head_of(
                method, target, keys.sign(method, target) | {"content-length": chance.choice(["0", "1", "5"])}
            )
            port = keys.port
        else:
            body = b'{"name": "fuzz"}'
            path = chance.choice(
                ["me", "workspaces", "credentials", "presign", "sign-in", "service", "users", "roots/x"]
            )
            head = (
                f"{chance.choice(METHODS)} /api/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body
            port = scene.service.port
        data = mutated(chance, head)
        try:
            return data, exchange(keys.host, port, data, timeout=0.5)
        except (ConnectionError, OSError):
            return data, None

    fuzz(one)


def odd_json(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.choice([0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 1.5, 1e308])
    if kind in (2, 3, 4, 5):
        return odd_text(chance, NAMES)
    if kind == 6:
        return [odd_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(FIELDS): odd_json(chance, depth + 1) for _ in range(chance.randrange(5))}


FIELDS = ["name", "email", "username", "password", "workspaces", "reference", "method", "node", "bucket",
          "prefix", "type", "create",
          "managers", "folders", "all", "owner", "subject", "level", "folder", "expires_at",
          "duration_seconds", "read_only",
          "to", "kind", "path", "layout", "registration", "administrator", "token", "emails",
          "expires_seconds", "dry_run"]  # fmt: skip
NAMES = ["", "ws", "ada/ws", "ada/ws/file", "bob", "ada", "carol", "everyone", "@team", "local", "existing",
         "private", "public", BUCKET,
         "..", "../..", "a/b", "\0", "\ud800", "x" * 300, "x" * 3000, "GET", "PUT", "own", "read",
         "readwrite", "folder", "bucket",
         "unmanaged-public", "2026-11-22T16:40:34Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59",
         "2026-11-22", "%", "*",
         "'; DROP TABLE users --", "\u202e", "open", "-1", "1", "wios_x", "name/../x", "e\u0301"]  # fmt: skip


QUERY = [*FIELDS, "scope", "limit", "purpose", "force", "delete_objects", "workspace"]


def odd_part(chance: random.Random) -> str:
    """An odd text, encoded as part of an address."""
    return encoded(odd_text(chance, NAMES).encode(errors="replace"))


def test_the_api_under_requests_of_any_kind(scene: Lab, unharmed: None) -> None:
    described = scene.nobody.done("GET", "/openapi.json")["paths"]
    routes = [(method.upper(), path) for path, methods in described.items() for method in methods]
    # ada keeps what she has, or later requests would prove nothing; nobody's password is hashed over and over.
    routes = [one for one in routes if one not in {("DELETE", "/api/v1/sign-in"), ("POST", "/api/v1/me/password")}]
    callers = [scene.nobody, scene.bob, scene.carol, scene.ada]

    def one(chance: random.Random) -> tuple[Any, Answer | None]:
        caller: Api = chance.choice(callers)
        method, path = chance.choice(routes)
        if caller is scene.ada and (
            "users" in path
            or method in ("DELETE", "PATCH")
            or "nodes" in path
            or "hand-over" in path
            or "release" in path
        ):
            caller = scene.carol
        path = re.sub(
            r"\{(\w+)\}",
            lambda found: (
                chance.choice(["1", "2", "0", "-1", "x", str(2**64)])
                if found[1].endswith("id")
                else odd_part(chance)
            ),
            path,
        )
        query = "&".join(f"{name}={odd_part(chance)}" for name in chance.sample(QUERY, chance.randrange(3)))
        raw = None
        if method in ("POST", "PATCH"):
            text = json.dumps(
                odd_json(chance)
                if chance.random() < 0.3
                else {name: odd_json(chance, 3) for name in chance.sample(FIELDS, 4)}
            )
            raw = mutated(chance, text.encode()) if chance.random() < 0.1 else text.encode()
        address = f"{path}?{query}" if query else path
        try:
            return (method, address, raw), caller.send(method, address, raw=raw)
        except (ConnectionError, OSError, ValueError):
            return (method, address, raw), None

    fuzz(one)
