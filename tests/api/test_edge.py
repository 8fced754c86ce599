"""One error shape wherever an error can come out, hardened answers, and limits on what comes in."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.plane import PASSWORD, Plane
from workspacesio.api.app import create_app
from workspacesio.api.edge import MAX_BODY_BYTES, SECURITY_HEADERS
from workspacesio.api.error_responses import STATUSES, status_of
from workspacesio.domain import errors
from workspacesio.domain.errors import WorkspacesIOError


def _error(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code
    assert error["message"].endswith(".")
    return error


def test_every_error_class_has_a_status() -> None:
    classes = [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, WorkspacesIOError) and one is not WorkspacesIOError
    ]
    assert len(classes) >= 9
    for one in classes:
        assert status_of(one("x")) != 500, one
    assert set(STATUSES) <= set(classes)
    assert status_of(errors.TooManyAttempts("x")) == 429
    assert status_of(errors.Ambiguous("x")) == 409


def test_addresses_and_methods_that_are_not_there(plane: Plane) -> None:
    _error(plane.request("GET", "/nothing"), 404, "not_found")
    _error(plane.request("GET", "/api/v1/nothing"), 404, "not_found")
    _error(plane.request("GET", "/api/v1/users/"), 404, "not_found")
    response = plane.request("PUT", "/api/v1/sign-in")
    _error(response, 405, "method_not_allowed")
    assert response.headers["allow"]


def test_bodies_that_are_not_what_is_asked(plane: Plane) -> None:
    path = "/api/v1/sign-in"
    json_type = {"content-type": "application/json"}
    _error(plane.request("POST", path, content=b"a=b"), 415, "not_json")
    _error(plane.request("POST", path, data={"email": "x", "password": "y"}), 415, "not_json")
    for body in (b"{", b'"x"', b"[]", b"{}", b"null", b"\xff", b'{"email": 1e999}', b"[" * 100_000, b"9" * 5000):
        response = plane.request("POST", path, content=body, headers=json_type)
        assert response.status_code in (400, 422), (body[:20], response.text)
        assert set(response.json()) == {"error"}
    error = _error(
        plane.request("POST", path, json={"email": "a@example.org", "password": "secret-word", "extra": 1}),
        422,
        "invalid_request",
    )
    assert error["details"] == {"fields": [{"field": "extra", "problem": "Extra inputs are not permitted"}]}


def test_an_invalid_password_is_not_sent_back(plane: Plane) -> None:
    body = {"email": "ada@example.org", "password": "secret-word\0"}
    assert "secret-word" not in plane.request("POST", "/api/v1/sign-in", json=body).text


def test_too_large_bodies(plane: Plane) -> None:
    headers = {"content-type": "application/json"}
    path = "/api/v1/sign-in"
    large = b" " * (MAX_BODY_BYTES + 1)
    _error(plane.request("POST", path, content=large, headers=headers), 413, "too_large")

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * (MAX_BODY_BYTES // 10)

    _error(plane.request("POST", path, content=chunks(), headers=headers), 413, "too_large")
    odd = headers | {"content-length": "many"}
    _error(plane.request("POST", path, content=b"{}", headers=odd), 400, "malformed")


@pytest.mark.parametrize("path", ["/api/v1/service", "/api/v1/me", "/nothing", "/api/v1/openapi.json"])
def test_every_answer_is_hardened(plane: Plane, path: str) -> None:
    response = plane.request("GET", path, headers={"origin": "https://evil.example.org"})
    for name, value in SECURITY_HEADERS.items():
        assert response.headers[name] == value
    assert response.headers["x-request-id"]
    assert not [name for name in response.headers if name.startswith("access-control-")]


def test_an_unforeseen_error_tells_nothing(plane: Plane, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(plane.context)
    routes: FastAPI = app._app  # type: ignore[attr-defined]

    def fails() -> None:
        raise ZeroDivisionError("a secret detail")

    routes.add_api_route("/api/v1/fails", fails)
    plane.app = app
    response = plane.request("GET", "/api/v1/fails")
    error = _error(response, 500, "internal_error")
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text
    assert response.headers["x-request-id"] in error["message"]
    assert response.headers["x-request-id"] in caplog.text
    for name, value in SECURITY_HEADERS.items():
        assert response.headers[name] == value


def test_a_database_that_is_gone_is_a_sentence(plane: Plane) -> None:
    if plane.database.is_sqlite:
        Path(plane.database.engine.url.database or "").unlink()
    else:
        with plane.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE sign_ins RENAME TO gone"))
            connection.execute(text("ALTER TABLE rights RENAME TO away"))
    _error(plane.call("ada", "GET", "/me"), 503, "database_unavailable")
    _error(plane.call(None, "GET", "/health"), 503, "database_unavailable")


def test_the_callers_address_behind_a_proxy(plane: Plane) -> None:
    plane.routes.state.context = replace(
        plane.context, settings=replace(plane.settings, trusted_proxies=("192.0.2.7",))
    )
    guess = {"email": "ada@example.org", "password": "wrong"}
    for _ in range(10):
        plane.request("POST", "/api/v1/sign-in", json=guess, headers={"x-forwarded-for": "203.0.113.1"})
    limited = {"x-forwarded-for": "10.9.9.9, 203.0.113.1"}
    right = {"email": "ada@example.org", "password": PASSWORD}
    assert plane.request("POST", "/api/v1/sign-in", json=right, headers=limited).status_code == 429
    other = {"x-forwarded-for": "203.0.113.1, 203.0.113.2"}
    assert plane.request("POST", "/api/v1/sign-in", json=right, headers=other).status_code == 200
    # Who is no trusted proxy can't choose an address.
    plane.address = "203.0.113.1"
    assert plane.request("POST", "/api/v1/sign-in", json=right, headers=other).status_code == 429


def test_addresses_follow_how_the_caller_reached_the_service(plane: Plane) -> None:
    def addresses(**headers: str) -> tuple[str, str]:
        answer = plane.request("GET", "/api/v1/service", headers=headers).json()
        return answer["public_address"], answer["s3_address"]

    assert addresses() == ("http://files.example.org:8100", "http://files.example.org:8101")
    assert addresses(host="[2001:db8::1]:9000") == ("http://[2001:db8::1]:9000", "http://[2001:db8::1]:8101")
    assert addresses(host="evil.org/x") == ("http://localhost:8100", "http://localhost:8101")
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "nas.example.org"}
    assert addresses(**forwarded) == ("http://files.example.org:8100", "http://files.example.org:8101")
    trusted = replace(plane.settings, trusted_proxies=("192.0.2.7",))
    plane.routes.state.context = replace(plane.context, settings=trusted)
    assert addresses(**forwarded) == ("https://nas.example.org", "https://nas.example.org:8101")
    by_two = {"x-forwarded-proto": "https, http", "x-forwarded-host": "nas.example.org, inner:8100"}
    assert addresses(**by_two) == ("https://nas.example.org", "https://nas.example.org:8101")
    api_alone = replace(plane.settings, public_name="https://a.example.org")
    plane.routes.state.context = replace(plane.context, settings=api_alone)
    assert addresses(host="127.0.0.1:8100") == ("https://a.example.org", "http://a.example.org:8101")
    named = replace(plane.settings, public_name="https://a.example.org", s3_public_name="https://s3.example.org")
    plane.routes.state.context = replace(plane.context, settings=named)
    assert addresses() == ("https://a.example.org", "https://s3.example.org")


def test_health_and_openapi_need_no_sign_in(plane: Plane) -> None:
    assert plane.do(None, "GET", "/health") == {"status": "ok"}
    described = plane.request("GET", "/api/v1/openapi.json").json()
    assert described["info"]["title"] == "WorkspacesIO"
    for path, methods in described["paths"].items():
        assert path.startswith("/api/v1/"), path
        for method, operation in methods.items():
            assert operation["tags"], (method, path)
            assert "default" in operation["responses"], (method, path)
