"""Accident: signatures. What a correct client sends is taken as it was meant, and whatever was changed after
signing, or never signed, is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import boto3
import botocore.config
import pytest

from accidents.lab import BUCKET, Lab
from accidents.wire import Answer, Keys, encoded, from_every_worker, key_path, read_answer, send

HELD = b"what the file holds"


@dataclass
class Scene:
    lab: Lab
    keys: Keys

    @property
    def target(self) -> str:
        return f"/{BUCKET}/s/file"


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    lab.write("s/file", HELD)
    lab.imported("s")
    return Scene(lab, lab.ada.keys("s"))


KEYS = [
    "a b", "a+b", "a%20b", "a%2Bb", "a%2Fb", "a%252Fb", "a&b=c", "a=b", "a;b", "a:b", "a@b", "a,b", "a?b",
    "a#b", "a~b",
    "a'b", 'a"b', "a(b)", "a*b", "a!b", "$a", "[a]", "{a}", "a|b", "a\\b", "a^b", "a`b", "\u00e9", "e\u0301",
    "\u65e5\u672c",
    "\U0001f600", "a ", " a", "a.", "%", "%%", "%zz", "a\tb", "a\nb", "\u2028", "x" * 200, "-", "_", "a/b c/d+e",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_the_one_that_was_signed(scene: Scene, key: str) -> None:
    target = key_path(BUCKET, f"s/keys/{key}")
    assert scene.keys.put(target, key.encode()).status == 200
    with open(scene.lab.path("s/keys", key), "rb") as file:
        assert file.read() == key.encode()
    assert scene.keys.get(target).body == key.encode()
    link = scene.keys.presign("GET", target)
    assert send(scene.keys.host, scene.keys.port, "GET", link, {}).body == key.encode()
    listed = scene.keys.list(BUCKET, f"s/keys/{key}", encoding_type="url")
    assert encoded(f"s/keys/{key}", "/") in listed.texts("Key")
    assert scene.keys.request("DELETE", target).status == 204
    assert scene.keys.get(target).status == 404


def test_a_slash_is_a_slash_however_it_is_written(scene: Scene) -> None:
    for target in (f"/{BUCKET}%2Fs/file", f"/{BUCKET}/s%2Ffile", f"/{BUCKET}/s%2ffile", f"/{BUCKET}/%73/file"):
        assert scene.keys.get(target).body == HELD, target


def test_a_plus_in_a_query_is_a_space_and_so_is_percent_20(scene: Scene) -> None:
    scene.lab.write("s/sp ace/x", b"x")
    scene.lab.write("s/sp+ace/y", b"y")
    for written, key in (
        ("s/sp%20ace/", "s/sp ace/x"),
        ("s/sp+ace/", "s/sp ace/x"),
        ("s/sp%2Bace/", "s/sp+ace/y"),
    ):
        listed = scene.keys.get(f"/{BUCKET}?list-type=2&prefix={written}")
        assert listed.texts("Key") == [key], written


@pytest.mark.parametrize(
    "query",
    [
        "list-type=2&prefix=s/&prefix=",
        "prefix=s/&&&",
        "prefix=s/&delimiter=",
        "prefix=s/&x",
        "prefix=s/&x=",
        "prefix=s/&=",
        "prefix=s/&=y",
        "prefix=s/&a=b=c",
        "prefix=s/&max-keys=",
        "&prefix=s/",
        "prefix=s%2F",
        "prefix=s/&B=1&a=2&b=3&A=4",
        "prefix=s/&events-like=1&x=2&x=1&x=3",
    ],
)
def test_repeated_and_empty_parameters_are_covered_by_the_signature(scene: Scene, query: str) -> None:
    target = f"/{BUCKET}?{query}"
    assert scene.keys.get(target).status == 200
    headers = scene.keys.sign("GET", target)
    for other in (
        f"{target}&prefix=",
        f"{target}&max-keys=0",
        f"/{BUCKET}?",
        target.replace("s/", "t/").replace("%2F", "%2f%2f"),
    ):
        if other != target and other not in (f"{target}&",):
            assert scene.keys.send("GET", other, headers).code == "SignatureDoesNotMatch", other


def test_the_first_of_two_prefixes_decides_and_is_listed(scene: Scene) -> None:
    scene.lab.write("t/other", b"x")
    scene.lab.imported("t", owner="bob")
    for query in ("prefix=s/&prefix=t/", "prefix=t/&prefix=s/", "prefix=s/&Prefix=t/", "prefix=s/&prefix%00=t/"):
        answer = scene.keys.get(f"/{BUCKET}?{query}")
        assert b"other" not in answer.body, query
        assert answer.status == (403 if query.startswith("prefix=t") else 200), query


def another_second(date: str) -> str:
    return date[:-3] + ("01Z" if date.endswith("00Z") else "00Z")


TAMPERED: dict[str, Callable[[Scene, dict[str, str]], tuple[str, str, dict[str, str], bytes]]] = {
    "method": lambda s, h: ("DELETE", s.target, h, b""),
    "path": lambda s, h: ("GET", s.target + "x", h, b""),
    "path case": lambda s, h: ("GET", s.target.replace("file", "File"), h, b""),
    "query": lambda s, h: ("GET", s.target + "?versionId=null", h, b""),
    "host": lambda s, h: ("GET", s.target, h | {"host": "another.example.org"}, b""),
    "date": lambda s, h: ("GET", s.target, h | {"x-amz-date": another_second(h["x-amz-date"])}, b""),
    "token": lambda s, h: ("GET", s.target, h | {"x-amz-security-token": s.lab.bob.issue()["session_token"]}, b""),
    "token away": lambda s, h: ("GET", s.target, without(h, "x-amz-security-token"), b""),
    "payload hash": lambda s, h: ("GET", s.target, h | {"x-amz-content-sha256": "0" * 64}, b""),
    "header added": lambda s, h: ("GET", s.target, h | {"x-amz-checksum-mode": "ENABLED"}, b""),
    "copy source added": lambda s, h: ("GET", s.target, h | {"x-amz-copy-source": s.target}, b""),
    "acl added": lambda s, h: ("GET", s.target, h | {"x-amz-acl": "public-read"}, b""),
    "signature": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"][:-1] + "z"}, b""),
    "signature upper": lambda s, h: ("GET", s.target, h | {"authorization": upper(h["authorization"])}, b""),
    "access key": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"].replace("=WIO",
    "=WIP")}, b""),
    "region": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"].replace("us-east-1",
    "us-west-2")}, b""),
    "service": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"].replace("/s3/",
    "/sts/")}, b""),
    "scope date": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"].replace("/20",
    "/19")}, b""),
    "signed less": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"].replace("host;",
    "")}, b""),
    "signed twice": lambda s, h: ("GET", s.target, h | {"authorization": h["authorization"].replace("host;",
    "host;host;")}, b""),
    "empty": lambda s, h: ("GET", s.target, h | {"authorization": ""}, b""),
    "basic": lambda s, h: ("GET", s.target, h | {"authorization": "Basic YTpi"}, b""),
    "bearer": lambda s, h: ("GET", s.target, h | {"authorization": f"Bearer {s.lab.ada.token}"}, b""),
    "version 2": lambda s, h: ("GET", s.target, h | {"authorization": "AWS WIOX:c2lnbmF0dXJl"}, b""),
    "two ways": lambda s, h: ("GET", s.keys.presign("GET", s.target), h, b""),
    "none": lambda s, h: ("GET", s.target, {}, b""),
    "no host signed": lambda s, h: ("GET", s.target, s.keys.sign("GET", s.target, unsigned=["host"]), b""),
    "token unsigned": lambda s, h: ("GET", s.target, s.keys.sign("GET",
    s.target, unsigned=["x-amz-security-token"]), b""),
    "no secret": lambda s, h: ("GET", s.target, replace(s.keys, secret="").sign("GET", s.target), b""),
    "no token": lambda s, h: ("GET", s.target, replace(s.keys, token=None).sign("GET", s.target), b""),
}  # fmt: skip


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def upper(authorization: str) -> str:
    head, _, signature = authorization.rpartition("Signature=")
    return f"{head}Signature={signature.upper()}"


@pytest.mark.parametrize("name", TAMPERED)
def test_whatever_was_changed_after_signing_is_refused(scene: Scene, name: str) -> None:
    headers = scene.keys.sign("GET", scene.target)
    assert scene.keys.send("GET", scene.target, headers).body == HELD
    method, target, sent, body = TAMPERED[name](scene, headers)
    for answer in from_every_worker(lambda: scene.keys.send(method, target, sent, body)):
        assert answer.status in (400, 403), answer
        assert HELD not in answer.body
        assert scene.keys.secret.encode() not in answer.body
        assert (scene.keys.token or "").encode() not in answer.body
        assert (scene.lab.ada.token or "").encode() not in answer.body
    assert scene.keys.get(scene.target).body == HELD


def test_unsigned_headers_that_matter_are_refused_and_others_do_no_harm(scene: Scene) -> None:
    for name, value in (
        ("x-amz-copy-source", scene.target),
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-a", "b"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-decoded-content-length", "1"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
    ):
        answer = scene.keys.request("PUT", f"{scene.target}-2", b"no", {name: value}, unsigned=[name])
        assert (answer.status, answer.code) == (403, "AccessDenied"), (name, answer)
    assert scene.keys.get(f"{scene.target}-2").status == 404
    ranged = scene.keys.request("GET", scene.target, headers={"range": "bytes=0-2"}, unsigned=["range"])
    assert (ranged.status, ranged.body) == (206, HELD[:3])


def test_white_space_in_signed_headers_is_folded_as_it_was_signed(scene: Scene) -> None:
    for value in ("a", " a ", "a   b", "\ta\t", "a \t b", ""):
        headers = {"x-amz-meta-note": value} if value else {}
        put = scene.keys.request("PUT", f"{scene.target}-ws", b"x", headers)
        assert put.status == 200, (value, put)
    kept = scene.keys.request("PUT", f"{scene.target}-ws", b"x", {"x-amz-meta-note": "a   b"})
    assert kept.status == 200
    assert scene.keys.request("HEAD", f"{scene.target}-ws").headers["x-amz-meta-note"] == "a   b"


@pytest.mark.parametrize(
    ("minutes", "allowed"),
    [(0, True), (-14, True), (14, True), (-16, False), (16, False), (-600, False), (600, False)],
)
def test_a_clock_that_is_a_quarter_of_an_hour_off_is_refused(scene: Scene, minutes: int, allowed: bool) -> None:
    answer = scene.keys.request("GET", scene.target, at=time.time() + minutes * 60)
    assert (answer.status, answer.code) == ((200, "") if allowed else (403, "RequestTimeTooSkewed"))


@pytest.mark.parametrize(
    ("expires", "age", "status"),
    [
        (1, 0, 200), (3600, 0, 200), (604_800, 0, 200), (604_801, 0, 400), (0, 0, 400), (-1, 0, 400),
        (10**12, 0, 400),
        (60, 59, 200), (60, 62, 403), (604_800, 604_790, 200), (604_800, 604_802, 403), (3600, -600, 200),
        (3600, -1000, 403),
    ],
)  # fmt: skip
def test_links_live_as_long_as_they_say_and_a_week_at_most(
    scene: Scene, expires: int, age: int, status: int
) -> None:
    link = scene.keys.presign("GET", scene.target, expires=expires, at=time.time() - age)
    answer = send(scene.keys.host, scene.keys.port, "GET", link, {})
    assert answer.status == status, answer
    assert (HELD in answer.body) is (status == 200)


def test_a_link_outlives_neither_its_credential_nor_its_words(scene: Scene) -> None:
    link = scene.keys.presign("GET", scene.target)
    for other in (
        link.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        link.replace("X-Amz-Date=2", "X-Amz-Date=3"),
        link.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bx-amz-acl"),
        link.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        link.replace("AWS4-HMAC-SHA256", "none"),
        link.replace("X-Amz-Signature=", "X-Amz-Signature=&x="),
        link + "&X-Amz-Signature=" + "0" * 64,
        link + "&X-Amz-Expires=600000",
        link.rpartition("&")[0],
        link + "&response-content-type=text/html",
        link + "&versionId=null",
    ):
        answer = send(scene.keys.host, scene.keys.port, "GET", other, {})
        assert answer.status in (400, 403), other
        assert HELD not in answer.body
    for name, value in (("x-amz-meta-a", "b"), ("x-amz-copy-source", scene.target), ("x-amz-security-token", "x")):
        assert send(scene.keys.host, scene.keys.port, "GET", link, {name: value}).status in (400, 403), name
    assert send(scene.keys.host, scene.keys.port, "GET", link, {"host": "other.example.org"}).status == 403


CRCS = {
    "x-amz-checksum-crc32": lambda data: base64.b64encode(struct.pack(">I", zlib.crc32(data))).decode(),
    "x-amz-checksum-sha1": lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode(),
    "x-amz-checksum-sha256": lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode(),
}


@pytest.mark.parametrize("name", CRCS)
@pytest.mark.parametrize("size", [0, 1, 8192, 300_000])
def test_unsigned_chunks_with_a_trailer_are_stored_with_their_checksum(scene: Scene, name: str, size: int) -> None:
    data = b"d" * size
    chunk = b"%x\r\n%b\r\n" % (size, data) if size else b""
    body = chunk + f"0\r\n{name}:{CRCS[name](data)}\r\n\r\n".encode()
    given = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(size), "x-amz-trailer": name}
    target = f"{scene.target}-chunks"
    headers = scene.keys.sign("PUT", target, given, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    answer = scene.keys.send("PUT", target, headers, body)
    assert answer.status == 200, answer
    got = scene.keys.get(target, {"x-amz-checksum-mode": "ENABLED"})
    assert got.body == data
    assert got.headers[name] == CRCS[name](data)
    assert "content-encoding" not in got.headers


def test_signed_chunks_with_a_signed_trailer_are_taken_and_forged_ones_are_not(scene: Scene) -> None:
    name = "x-amz-checksum-crc32"
    target = f"{scene.target}-signed"
    given = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "3", "x-amz-trailer": name}
    for forged in ("", "trailer", "signature", "checksum"):
        headers = scene.keys.sign("PUT", target, given, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
        body = scene.keys.signed_chunks(headers, [b"new"])[: -len(b"\r\n")]
        previous = body[-66:-2].decode()
        value = CRCS[name](b"other" if forged == "checksum" else b"new")
        stamp = headers["x-amz-date"]
        hashed = hashlib.sha256(f"{name}:{value}\n".encode()).hexdigest()
        scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{previous}\n{hashed}"
        signature = hmac.digest(scene.keys.signing_key(stamp[:8]), to_sign.encode(), "sha256").hex()
        if forged == "trailer":
            value = CRCS[name](b"forged")
        if forged == "signature":
            signature = "0" * 64
        body += f"{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
        answer = scene.keys.send("PUT", target, headers, body)
        assert answer.status == (403 if forged in ("trailer", "signature") else 400 if forged else 200), (
            forged,
            answer,
        )
        assert scene.keys.get(target).body == b"new"


def test_a_request_that_was_captured_is_refused_with_any_other_body(scene: Scene) -> None:
    headers = scene.keys.sign("PUT", f"{scene.target}-cap", payload=hashlib.sha256(b"mine").hexdigest())
    assert scene.keys.send("PUT", f"{scene.target}-cap", headers, b"mine").status == 200
    for body in (b"yours", b"", b"mine2", b"MINE"):
        assert scene.keys.send("PUT", f"{scene.target}-cap", headers, body).status == 400
    assert scene.keys.get(f"{scene.target}-cap").body == b"mine"
    document = scene.keys.sign("POST", f"/{BUCKET}?delete", payload=hashlib.sha256(b"<Delete/>").hexdigest())
    forged = b"<Delete><Object><Key>s/file</Key></Object></Delete>"
    assert scene.keys.send("POST", f"/{BUCKET}?delete", document, forged).status == 400
    assert scene.keys.get(scene.target).body == HELD


def test_headers_given_twice_are_signed_as_both(scene: Scene) -> None:
    """A second `range`, `x-amz-date` or `host` doesn't slip by beside the signed one."""
    headers = scene.keys.sign("GET", scene.target)
    for name, value in (
        ("x-amz-date", "20200101T000000Z"),
        ("x-amz-security-token", "x"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("host", "other.example.org"),
        ("authorization", headers["authorization"]),
    ):
        raw = scene.keys.head_of("GET", scene.target, headers).replace(
            b"\r\n\r\n", f"\r\n{name}: {value}\r\n\r\n".encode()
        )
        with scene.keys.connect() as connection:
            connection.sendall(raw)
            answer = read_answer(connection)
        assert answer is not None
        assert answer.status in (400, 403), (name, answer)


@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
@pytest.mark.parametrize("algorithm", [None, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_what_a_current_sdk_sends_by_default_is_stored_and_comes_back(
    scene: Scene, checksums: str, algorithm: str | None
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{scene.keys.host}:{scene.keys.port}",
        region_name="eu-central-1",
        aws_access_key_id=scene.keys.access_key,
        aws_secret_access_key=scene.keys.secret,
        aws_session_token=scene.keys.token,
        config=botocore.config.Config(
            s3={"addressing_style": "path"}, request_checksum_calculation=checksums, retries={"max_attempts": 1}
        ),
    )
    more = {} if algorithm is None else {"ChecksumAlgorithm": algorithm}
    for body in (b"", b"x", b"y" * 300_000):
        client.put_object(Bucket=BUCKET, Key="s/sdk + %20 \u00e9", Body=body, **more)
        assert client.get_object(Bucket=BUCKET, Key="s/sdk + %20 \u00e9")["Body"].read() == body


def answers_of(ask: Callable[[], Answer]) -> set[int]:
    return {answer.status for answer in from_every_worker(ask)}


def test_keys_of_one_user_sign_nothing_with_the_token_of_another(scene: Scene) -> None:
    bob = scene.lab.bob.keys()
    for mixed in (replace(scene.keys, token=bob.token), replace(bob, token=scene.keys.token)):
        assert answers_of(lambda mixed=mixed: mixed.get(scene.target)) == {400}
    for mixed in (replace(scene.keys, secret=bob.secret), replace(bob, access_key=scene.keys.access_key)):
        assert answers_of(lambda mixed=mixed: mixed.get(scene.target)) <= {400, 403}
    token = scene.keys.token or ""
    for forged in (
        token[:-1],
        token + "A",
        token + "=",
        token.swapcase(),
        "A" * len(token),
        "A" * 5000,
        token[:10],
        ".",
    ):
        assert answers_of(lambda forged=forged: replace(scene.keys, token=forged).get(scene.target)) == {400}, (
            forged
        )
