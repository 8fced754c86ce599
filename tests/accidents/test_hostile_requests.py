"""Accident: headers, bodies and addresses that are no honest request. None makes a header, a second request or a file
appear, and none brings a server down."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time

import pytest

from accidents.lab import BUCKET, Lab
from accidents.wire import Answer, encoded, everything_back, exchange, send
from servers.service import PASSWORD


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Lab:
    lab.write("ws/file", b"content")
    lab.imported("ws")
    return lab


# --- headers -----------------------------------------------------------------------------------------------


HOSTS = [
    "evil.example.org", "evil.example.org:1", "a@b", "a:b@c", "evil.example.org/path", "evil.example.org?x",
    "evil#x", "\t", "",
    "[::1]", "[::1]:99", "[::1", "a b", "a,b", "-", "..", "a" * 300, "127.0.0.1:99999", "x:y", "%00",
    "<script>", "localhost:",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_no_host_header_puts_more_than_a_name_into_an_address(scene: Lab, host: str) -> None:
    for more in ({}, {"X-Forwarded-Host": "forwarded.example.org", "X-Forwarded-Proto": "gopher"}):
        answer = scene.nobody.call("GET", "/service", headers={"Host": host, **more})
        assert answer.status in (200, 400), answer
        if answer.status != 200:
            continue
        for name in ("s3_address", "public_address"):
            address = answer.json[name]
            assert re.fullmatch(r"http://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", address), (
                address
            )
            assert "forwarded" not in address
            assert "gopher" not in address
        assert answer.json["s3_address"].endswith(f":{scene.service.s3_port}")
    # Another caller's answer is their own.
    assert "evil" not in json.dumps(scene.nobody.done("GET", "/service"))


def test_a_forged_host_signs_no_link_that_works_and_hurts_nobody_else(scene: Lab) -> None:
    answer = scene.ada.call("POST", "/presign", {"reference": "ws/file"}, headers={"Host": "evil.example.org"})
    assert answer.json["url"].startswith(f"http://evil.example.org:{scene.service.s3_port}/")
    target = answer.json["url"].partition(f":{scene.service.s3_port}")[2]
    assert send("127.0.0.1", scene.service.s3_port, "GET", target, {}).status == 403
    assert "evil" not in scene.ada.done("POST", "/presign", {"reference": "ws/file"})["url"]


OVERRIDES = ["response-content-type", "response-content-language", "response-expires", "response-cache-control",
             "response-content-disposition", "response-content-encoding"]  # fmt: skip

INJECTIONS = [
    "a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "\r\n\r\n<html>", "a\0b",
    "\u560d\u560aX-Injected: 1",
    "a\u2028X-Injected: 1", "\u00e9", "\U0001f600", "\x7f", "a\tb", "x" * 9000, "\x85",
    "\u010d\u010aX-Injected: 1",
]  # fmt: skip


@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize("name", OVERRIDES)
def test_no_override_injects_a_header(scene: Lab, name: str, injected: str) -> None:
    keys = scene.ada.keys("ws")
    answer = keys.get(f"/{BUCKET}/ws/file?{name}={encoded(injected)}")
    no_injection(answer)


def no_injection(answer: Answer) -> None:
    assert answer.status in (200, 400), answer
    assert "x-injected" not in answer.headers
    if answer.status == 200:
        assert answer.body == b"content"
        assert answer.headers["content-length"] == "7"


def test_no_metadata_injects_a_header(scene: Lab) -> None:
    keys = scene.ada.keys("ws")
    target = f"/{BUCKET}/ws/meta"
    words = ["=?UTF-8?B?YQ0KWC1JbmplY3RlZDogMQ==?=", "=?UTF-8?Q?a=0D=0AX-Injected:_1?=", "=?utf-8?q?=0a?=",
    "=?UTF-8?B?AA==?=",
             "=?iso-2022-jp?B?GyRC?=", "=?utf-7?Q?+AA0ACg-X-Injected?=", "=?rot13?Q?a?=",
             "=?unicode_escape?Q?=5Cx0d=5Cx0aX?=",
             "=?idna?Q?xn--?=", "=?punycode?Q?a-?=", "=?utf-16?B?DQAKAA==?="]  # fmt: skip
    for word in words:
        for name in (
            "x-amz-meta-a",
            "content-disposition",
            "cache-control",
            "content-language",
            "expires",
            "content-type",
        ):
            put = keys.put(target, b"content", {name: word})
            assert put.status in (200, 400), put
            no_injection(keys.get(target))
    for raw in (b"x-amz-meta-a: a\rX-Injected: 1", b"x-amz-meta-a: a\n X-Injected: 1", b"x-amz-meta-a: a\0b",
    b"x-amz-meta-\xff: 1",
                b"x-amz-meta-a: \xff\xfe", b"x-amz-meta-a b: 1", b"x-amz-meta-a\t: 1",
                b" x-amz-meta-a: 1"):  # fmt: skip
        head = keys.head_of("PUT", target, keys.sign("PUT", target) | {"content-length": "0"})
        answer = exchange(keys.host, keys.port, head.replace(b"\r\n\r\n", b"\r\n" + raw + b"\r\n\r\n"))
        assert answer is None or answer.status in (400, 403), (raw, answer)
        got = keys.get(target)
        assert "x-injected" not in got.headers


def test_no_tag_or_checksum_injects_anything_into_a_document(scene: Lab) -> None:
    keys = scene.ada.keys("ws")
    target = f"/{BUCKET}/ws/file"
    for value in ("</Value></Tag><Injected/>", "&x;", "]]>", "<!--", "\u2028", "%3C"):
        written = value.replace("&", "&amp;").replace("<", "&lt;")
        body = f"<Tagging><TagSet><Tag><Key>k</Key><Value>{written}</Value></Tag></TagSet></Tagging>"
        put = keys.put(f"{target}?tagging", body.encode())
        assert put.status in (200, 400), put
        got = keys.get(f"{target}?tagging")
        assert b"<Injected/>" not in got.body
    for query in ("prefix=%3CInjected/%3E", "marker=%3CInjected/%3E&prefix=ws/",
    "delimiter=%3CInjected/%3E&prefix=ws/",
                  "list-type=2&start-after=%3CInjected/%3E&prefix=ws/", "max-keys=%3CInjected/%3E",
                  "encoding-type=%3CInjected/%3E"):  # fmt: skip
        assert b"<Injected/>" not in keys.get(f"/{BUCKET}?{query}").body, query


def test_every_answer_of_the_api_is_hardened_and_none_opens_another_origin(scene: Lab) -> None:
    answers = [
        scene.bob.call("GET", "/me"),
        scene.nobody.call("GET", "/me"),
        scene.nobody.call("GET", "/service"),
        scene.nobody.call("GET", "/nope"),
        scene.nobody.call("POST", "/sign-in", raw=b"{"),
        scene.nobody.call("POST", "/sign-in", raw=b"x" * 1_048_577),
        scene.nobody.send("OPTIONS", "/api/v1/me"),
    ]
    for origin in (
        "https://evil.example.org",
        "null",
        "http://localhost:8100",
        f"http://127.0.0.1:{scene.service.port}",
    ):
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        answers.append(scene.nobody.send("OPTIONS", "/api/v1/credentials", headers=headers))
        answers.append(scene.bob.call("GET", "/me", headers={"Origin": origin}))
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store", answer
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not [name for name in answer.headers if name.startswith("access-control")], answer
        assert "set-cookie" not in answer.headers
        server = answer.headers.get("server", "")
        assert not re.search(r"\d", server), server


def test_the_endpoint_opens_to_no_origin_that_was_not_named(scene: Lab) -> None:
    keys = scene.ada.keys("ws")
    for origin in ("https://evil.example.org", "null", "*", "http://localhost:8100"):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = send(keys.host, keys.port, "OPTIONS", f"/{BUCKET}/ws/file", preflight)
        assert answer.status == 403, answer
        got = keys.request("GET", f"/{BUCKET}/ws/file", headers={"origin": origin}, unsigned=["origin"])
        for one in (answer, got):
            assert not [name for name in one.headers if name.startswith("access-control")], one


# --- bodies ------------------------------------------------------------------------------------------------


def test_a_form_or_a_text_of_another_site_is_no_request(scene: Lab) -> None:
    body = json.dumps({"email": "bob@example.org", "password": PASSWORD}).encode()
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "", "text/json",
                       "application/xml", "text/plain; application/json"):  # fmt: skip
        answer = scene.nobody.call("POST", "/sign-in", raw=body, headers={"Content-Type": media_type})
        assert answer.status == 415, (media_type, answer)


JSON_BODIES: dict[str, bytes] = {
    "too large": b'{"email": "' + b"a" * 1_100_000 + b'"}',
    "deep lists": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep field": b'{"email":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "many keys": b"{" + b",".join(b'"k%d":1' % number for number in range(80_000)) + b"}",
    "many items": b'{"emails": [' + b",".join([b"1"] * 400_000) + b"]}",
    "many objects": b'{"folders": [' + b",".join([b'{"a":1}'] * 100_000) + b"]}",
    "a long number": b'{"duration_seconds": ' + b"9" * 500_000 + b"}",
    "infinite": b'{"duration_seconds": 1e999}',
    "not a number": b'{"duration_seconds": NaN}',
    "minus nothing": b'{"duration_seconds": -Infinity}',
    "half a pair": b'{"email": "\\ud800", "password": "\\udfff"}',
    "nul": b'{"email": "a\\u0000b@example.org", "password": "xxxxxxxxxxxx"}',
    "not utf-8": b'{"email": "\xff\xfe"}',
    "utf-16": '{"email": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"email": "a@b"}',
    "twice": b'{"email": "bob@example.org", "email": "carol@example.org", "password": "x"}',
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
    "empty": b"",
    "blank": b"   ",
    "half": b'{"email"',
    "two": b'{"email": "a@b", "password": "x"}{}',
    "prototype": b'{"__proto__": {"administrator": true}, "constructor": {}, "__class__": 1}',
    "lists for texts": b'{"email": ["bob@example.org"], "password": {"$ne": null}}',
}


@pytest.mark.parametrize("name", JSON_BODIES)
def test_no_json_brings_the_api_down_or_gets_in(scene: Lab, name: str) -> None:
    began = time.monotonic()
    for method, path in (
        ("POST", "/sign-in"), ("POST", "/register"), ("POST", "/password-reset"), ("POST", "/credentials"),
        ("POST", "/workspaces"), ("POST", "/presign"), ("POST", "/api-keys"), ("PATCH", "/service"), ("POST",
        "/roots/existing/import"),
    ):  # fmt: skip
        try:
            answer = scene.carol.call(method, path, raw=JSON_BODIES[name])
        except ConnectionError:  # refused before all of it was sent
            assert name == "too large"
            continue
        assert answer.status in (400, 401, 403, 404, 413, 415, 422), (path, answer.status, answer.body[:300])
        assert answer.error
        assert len(answer.body) < 20_000, (path, len(answer.body))
    assert time.monotonic() - began < 10
    assert scene.carol.call("GET", "/me").status == 200


XML_BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">%b]>
<%b><Object><Key>&n;</Key></Object></%b>"""


def bombs(root: bytes) -> dict[str, bytes]:
    laughs = b"".join(b'<!ENTITY %c "%b">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(13))
    inner = b"<Object><Key>%b</Key></Object>"
    return {
        "laughs": XML_BOMB % (laughs, root, root),
        "external": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><%b><Object><Key>&x;</Key></Object></%b>'
        % (root, root),
        "network": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><%b/>' % root,
        "parameter": b'<!DOCTYPE a [<!ENTITY %% p SYSTEM "http://127.0.0.1:1/">%%p;]><' + root + b"/>",
        "bare doctype": b"<!DOCTYPE a><%b/>" % root,
        "include": b'<%b xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></%b>'
        % (root, root),
        "undefined": b"<%b>" % root + inner % b"&x;" + b"</%b>" % root,
        "utf-16 doctype": f"<!DOCTYPE a><{root.decode()}/>".encode("utf-16"),
        "another encoding": b'<?xml version="1.0" encoding="cp037"?>' + b"<%b/>" % root,
        "unknown encoding": b'<?xml version="1.0" encoding="nope"?>' + b"<%b/>" % root,
        "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-' + root + b"/+AD4-",
        "deep": b"<%b>" % root + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</%b>" % root,
        "wide": b"<%b>" % root + b"<a/>" * 500_000 + b"</%b>" % root,
        "attributes": b"<%b " % root + b" ".join(b'a%d="1"' % n for n in range(600_000)) + b"/>",
        "long name": b"<" + b"a" * 1_000_000 + b"/>",
        "long text": b"<%b>" % root + inner % (b"k" * 1_000_000) + b"</%b>" % root,
        "too long": b"<%b>" % root + b" " * 9_000_000 + b"</%b>" % root,
        "instruction": b"<?php system('id') ?><%b/>" % root,
        "cdata": b"<%b>" % root + inner % b"<![CDATA[../../etc/passwd]]>" + b"</%b>" % root,
        "nul": b"<%b>\0</%b>" % (root, root),
        "half": b"<%b><Object>" % root,
        "two": b"<%b/><%b/>" % (root, root),
        "empty": b"",
        "text": b"hello",
    }


@pytest.mark.parametrize("name", bombs(b"x"))
def test_no_document_defines_an_entity_reads_a_file_or_brings_the_endpoint_down(scene: Lab, name: str) -> None:
    keys = scene.ada.keys("ws")
    before = sum(scene.processes().values())
    began = time.monotonic()
    upload = keys.request("POST", f"/{BUCKET}/ws/bomb?uploads").texts("UploadId")[0]
    for root, method, target in (
        (b"Delete", "POST", f"/{BUCKET}?delete"),
        (b"Tagging", "PUT", f"/{BUCKET}/ws/file?tagging"),
        (b"CompleteMultipartUpload", "POST", f"/{BUCKET}/ws/bomb?uploadId={upload}"),
    ):
        answer = keys.request(method, target, bombs(root)[name])
        allowed = (200, 400) if name in ("cdata", "long text", "instruction") and root == b"Delete" else (400,)
        assert answer.status in allowed, (root, answer.status, answer.body[:300])
        assert b"root:" not in answer.body
        assert b"hahaha" not in answer.body
    assert keys.request("DELETE", f"/{BUCKET}/ws/bomb?uploadId={upload}").status == 204
    assert time.monotonic() - began < 10
    assert sum(scene.processes().values()) - before < 150_000, "KiB more than before"
    assert keys.get(f"/{BUCKET}/ws/file").body == b"content"


# --- requests that are two -----------------------------------------------------------------------------------


def both_servers(lab: Lab) -> list[tuple[int, str]]:
    return [(lab.service.port, "/api/v1/health"), (lab.service.s3_port, "/-/health")]


SMUGGLED = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    b"Content-Length: 0, 44\r\n\r\n",
    b"Content-Length: +0\r\n\r\n",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 0x0\r\n\r\n",
    b"Content-Length: 1e1\r\n\r\n0123456789",
    b"Content-Length: 99999999999999999999\r\n\r\n",
    b"Content-Length : 0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n",
    b"Transfer-Encoding: identity\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 100_000 + b"\r\nx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: " + b"a" * 100_000 + b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
    b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"Expect: something\r\nContent-Length: 0\r\n\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
]


@pytest.mark.parametrize("tail", SMUGGLED)
def test_no_request_hides_another_one(scene: Lab, tail: bytes) -> None:
    """Behind a proxy that reads the lengths otherwise, the rest would be taken for somebody else's request."""
    hidden = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for port, path in both_servers(scene):
        data = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode() + tail + hidden
        received = everything_back("127.0.0.1", port, data)
        answers = received.count(b"HTTP/1.1 ") - received.count(b"HTTP/1.1 100")
        conflicting = b"Content-Length" in tail and (
            b"Transfer-Encoding" in tail or tail.count(b"Content-Length") > 1
        )
        assert answers <= (1 if conflicting and b"chunked" not in tail else 2), (tail, received)
        assert b"HTTP/1.1 5" not in received.replace(b"HTTP/1.1 501", b""), received
        assert exchange("127.0.0.1", port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status == 200  # type: ignore[union-attr]


HEADS = [
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /?" + b"a=b&" * 30_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5_000)) + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"a" * 300_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 20_000 + b"\r\n\r\n",
    b"A" * 100_000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET\r\n\r\n",
    b"\r\n\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=" + b"0-1," * 30_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: " + b"9" * 50_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: repr(head[:40]))
def test_no_head_brings_a_server_down(scene: Lab, head: bytes) -> None:
    for port, path in both_servers(scene):
        answer = exchange("127.0.0.1", port, head, timeout=2)
        assert answer is None or answer.status < 500 or answer.status == 501, answer
        assert answer is None or b"Traceback" not in answer.body
        health = exchange("127.0.0.1", port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert health is not None
        assert health.status == 200


def test_many_idle_connections_shut_nobody_out(scene: Lab) -> None:
    for port, path in both_servers(scene):
        idle = []
        try:
            for number in range(300):
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"")
                idle.append(connection)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            for connection in idle:
                connection.close()
