"""CORS for the configured origin, and for no other."""

from __future__ import annotations

import pytest

from s3.world import BUCKET, ORIGIN, World

PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}


def test_a_preflight_needs_no_signature(world: World) -> None:
    wanted = "authorization,x-amz-date,x-amz-content-sha256,content-type,x-amz-meta-run"
    answer = world.raw(
        "OPTIONS",
        f"/{BUCKET}/ada/x?partNumber=1",
        {**PREFLIGHT, "Access-Control-Request-Headers": wanted},
        sign=False,
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == wanted
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {**PREFLIGHT, "Origin": "https://evil.example.org"},
        {**PREFLIGHT, "Origin": ORIGIN + ".evil.org"},
        {**PREFLIGHT, "Origin": "null"},
        {**PREFLIGHT, "Access-Control-Request-Method": "TRACE"},
        {**PREFLIGHT, "Access-Control-Request-Headers": "a\tb"},
    ],
)
def test_other_preflights_are_refused(world: World, headers: dict[str, str]) -> None:
    answer = world.raw("OPTIONS", f"/{BUCKET}/ada/x", headers, sign=False)
    assert (answer.status, answer.code) == (403, "AccessForbidden")
    assert headers["Origin"] == ORIGIN or "access-control-allow-origin" not in answer.headers


def test_a_preflight_without_its_headers(world: World) -> None:
    assert world.raw("OPTIONS", f"/{BUCKET}", sign=False).status == 400
    assert world.raw("OPTIONS", "*", sign=False).status == 400


def test_answers_and_errors_can_be_read_by_the_web_client(world: World) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
    for answer in (
        world.raw("GET", f"/{BUCKET}/ada/x", {"Origin": ORIGIN}),
        world.raw("GET", f"/{BUCKET}/ada/none", {"Origin": ORIGIN}),
        world.raw("GET", f"/{BUCKET}/ada/x", {"Origin": ORIGIN}, sign=False),
    ):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "etag" in answer.headers["access-control-expose-headers"]


def test_other_origins_get_nothing(world: World) -> None:
    answer = world.raw("GET", f"/{BUCKET}?location", {"Origin": "https://evil.example.org"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"
