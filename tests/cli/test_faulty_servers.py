"""Requests to S3 servers that answer early, answer something else than was asked, or tell no reason."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servers.scripted_server import answering, error, storage, whole
from workspacesio.client import objects
from workspacesio.client.errors import CommandError, Refused
from workspacesio.client.s3_requests import NodeStorage, S3Refused
from workspacesio.client.signature import Request


def test_a_refusal_before_the_body_was_sent_is_heard() -> None:
    with answering(lambda _: whole("403 Forbidden", error("AccessDenied"))) as endpoint:
        begun = time.monotonic()
        with storage(endpoint, []) as node, pytest.raises(S3Refused) as refused:
            node.read(Request("PUT", "bucket", "key", body=bytes(32_000_000)))
        assert refused.value.code == "AccessDenied"
        assert time.monotonic() - begun < 1


def test_an_answer_before_the_body_was_sent_is_no_success() -> None:
    request = Request("PUT", "bucket", "key", body=bytes(32_000_000))
    empty = whole("200 OK", b"")
    with answering(lambda _: empty) as endpoint, storage(endpoint, []) as node, pytest.raises(CommandError):
        node.read(request)


def test_the_whole_object_instead_of_its_rest_is_not_taken() -> None:
    with answering(lambda _: whole("200 OK", b"0123456789")) as endpoint, storage(endpoint, []) as node:
        assert b"".join(objects.content(node, "bucket", "key")) == b"0123456789"
        with pytest.raises(CommandError, match="doesn't give parts"):
            list(objects.content(node, "bucket", "key", begin=5))


def test_reading_goes_on_where_connections_are_reset_all_the_time() -> None:
    body = bytes(range(256)) * 4000

    def answer(head: bytes) -> bytes:
        begin = int(head.partition(b"Range: bytes=")[2].partition(b"-")[0] or 0)
        status = "206 Partial Content" if begin else "200 OK"
        span = [f"Content-Range: bytes {begin}-{len(body) - 1}/{len(body)}"] if begin else []
        return whole(status, body[begin:], 'ETag: "x"', *span)[: 200 + 150_000]

    with answering(answer, resets=True) as endpoint, storage(endpoint, []) as node:
        assert b"".join(objects.content(node, "bucket", "key", patience=1.0)) == body


def test_keys_that_ended_are_renewed_where_no_reason_is_told() -> None:
    def answer(head: bytes) -> bytes:
        if b"x-amz-security-token: 1\r\n" not in head + b"\r\n":
            return whole("416 Requested Range Not Satisfiable" if head.startswith(b"GET") else "200 OK", b"")
        if head.startswith(b"HEAD"):
            return whole("403 Forbidden", b"")
        return whole("403 Forbidden", error("ExpiredToken"))

    asked: list[bool] = []
    with answering(answer) as endpoint, storage(endpoint, asked) as node:
        assert objects.details(node, "bucket", "key").size == 0
    assert asked == [False, True]


def test_keys_are_used_to_their_end_while_there_are_no_new_ones() -> None:
    service: list[Exception] = []
    lives = iter([timedelta(seconds=3), timedelta(hours=1)])

    def issue(_: bool) -> dict[str, Any]:
        if service:
            raise service[0]
        until = (datetime.now(UTC) + next(lives)).isoformat()
        keys = {"access_key_id": "A", "secret_access_key": "s", "session_token": "", "region": "us-east-1"}
        return {**keys, "endpoint": "http://127.0.0.1:9", "expires_at": until}

    with NodeStorage(issue) as node:
        service.append(CommandError("the service is away."))
        time.sleep(2.6)  # less than a fifth of their life is left
        assert node.keys().access_key_id == "A"
        service[0] = Refused("you have no share any more.", status=404)
        node._renew_at = 0
        with pytest.raises(Refused):
            node.keys()


def test_dates_that_are_none() -> None:
    odd = whole("200 OK", b"", "Last-Modified: the day before", "ETag: x")
    with answering(lambda _: odd) as endpoint, storage(endpoint, []) as node:
        assert objects.details(node, "bucket", "key").modified == ""
