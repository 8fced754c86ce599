"""Whoever isn't signed in hears that, and nothing else, from every route that is for signed-in users only."""

from __future__ import annotations

import json

import pytest

from api.plane import Plane

OPEN = {
    ("GET", "/api/v1/service"),
    ("GET", "/api/v1/health"),
    ("POST", "/api/v1/register"),
    ("POST", "/api/v1/sign-in"),
    ("POST", "/api/v1/password-reset"),
    ("POST", "/api/v1/events/minio/{node}"),
}

JSON = {"Content-Type": "application/json"}
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "none": (b"", {}),
    "an empty object": (b"{}", JSON),
    "no JSON": (b"{", JSON),
    "no object": (b"[1]", JSON),
    "unknown fields": (json.dumps({"x": 1, "folders": [], "all": False}).encode(), JSON),
    "a password that is too short": (json.dumps({"current_password": "x", "new_password": "y"}).encode(), JSON),
    "nothing to import": (json.dumps({"all": False}).encode(), JSON),
    "another type": (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
    "too large": (b" " * (1024 * 1024 + 1), JSON),
    "too many fields": (json.dumps({f"f{number}": 1 for number in range(5000)}).encode(), JSON),
}


def _routes(plane: Plane) -> list[tuple[str, str]]:
    described = plane.routes.openapi()["paths"]
    return [(method.upper(), path) for path, methods in described.items() for method in methods]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("token", [None, "wios_unknown"])
def test_a_stranger_is_told_to_sign_in_whatever_they_send(plane: Plane, body: str, token: str | None) -> None:
    content, headers = BODIES[body]
    if token is not None:
        headers = {**headers, "Authorization": f"Bearer {token}"}
    wrong = []
    for method, path in _routes(plane):
        if (method, path) in OPEN:
            continue
        for value in ("1", "no-number"):
            address = path
            for name in ("workspace_id", "api_key_id", "credential_id", "name", "username"):
                address = address.replace(f"{{{name}}}", value)
            response = plane.request(method, f"{address}?limit=x&scope=x", content=content, headers=headers)
            if response.status_code != 401 or response.json()["error"]["code"] != "not_signed_in":
                wrong.append(f"{method} {address}: {response.status_code}")
            assert response.status_code != 401 or response.headers["WWW-Authenticate"] == "Bearer"
    assert wrong == []


def test_open_routes_and_signed_in_callers_hear_what_is_wrong_with_the_body(plane: Plane) -> None:
    token = {"Authorization": f"Bearer {plane.tokens['ada']}"}
    for path, headers in (("/api/v1/register", {}), ("/api/v1/workspaces", token)):
        for body, status in (
            ("no JSON", 422),
            ("an empty object", 422),
            ("another type", 415),
            ("too large", 413),
        ):
            content, sent = BODIES[body]
            response = plane.request("POST", path, content=content, headers={**headers, **sent})
            assert response.status_code == status, (path, body)
    assert plane.request("POST", "/api/v1/nothing", content=b"x", headers=token).status_code == 415
