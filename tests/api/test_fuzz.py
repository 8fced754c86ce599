"""Requests made at random from the API's own description, right and wrong ones: never a 5xx, always the one shape.

Transactions are rolled back at their end, so that every request meets a service full of things to hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from api.plane import Plane
from api.rehearsal import Rehearsal, build_world
from database.kinds import url_fixture
from workspacesio.api.edge import SECURITY_HEADERS

pytestmark = pytest.mark.slow

KNOWN = {
    "username": ["reader", "disabled", "admin"],
    "name": ["local", "private", "existing"],
    "workspace_id": [1, 2, 3],
    "api_key_id": [1, 2],
    "credential_id": [1],
    "crawl_id": [1],
    "request_id": [1],
}
"""What the described parameters may be called so that something is there."""

CALLERS = ["admin", "owner", "sharer", "otherkey", "readkey", None]

database_url = url_fixture()


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[Plane]:
    plane = Plane(database_url, tmp_path, Rehearsal)
    with plane.running():
        build_world(plane)
        yield plane


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_gets_a_server_error(world: Plane, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(world.routes.openapi())
    seen = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        strategies: Any = operation.as_strategy(generation_mode=mode)

        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=strategies, data=st.data())
        def send(case: Case, data: st.DataObject) -> None:
            nonlocal seen
            seen += 1
            _check(world, *_send(world, case, data))

        try:
            send()
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__:  # nothing about it can be wrong
                raise
    assert seen > 300


def _send(world: Plane, case: Case, data: st.DataObject) -> tuple[str, Any]:
    for name, known in KNOWN.items():
        if case.path_parameters and name in case.path_parameters and data.draw(st.booleans()):
            case.path_parameters[name] = data.draw(st.sampled_from(known))
    who = data.draw(st.sampled_from(CALLERS))
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://files.example.org:8100")).prepare()
    headers = {name: value for name, value in prepared.headers.items() if name.lower() != "authorization"}
    if who is not None:
        headers["Authorization"] = f"Bearer {world.tokens[who]}"
    sent = f"{who}: {prepared.method} {prepared.url} {prepared.body!r}"
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return sent, world.request(str(prepared.method), str(prepared.url), content=body, headers=headers)


def _check(world: Plane, sent: str, response: Any) -> None:
    assert response.status_code < 500, (sent, response.text)
    for name, value in SECURITY_HEADERS.items():
        assert response.headers[name] == value
    if response.status_code >= 400:
        assert set(response.json()) == {"error"}, (sent, response.text)
        assert "Traceback" not in response.text


ODD = [
    "a\0b",
    "\ud800",
    "../../etc/passwd",
    "${aws:username}",
    "%",
    "*",
    "a" * 3000,
    "\u202e",
    "e\u0301",
    "'; DROP TABLE users; --",
    "\n",
    " ",
    "9" * 400,
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_text_in_every_place(world: Plane, odd: str) -> None:
    """NUL and half surrogates, which databases refuse; patterns; what is too long."""
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/register", {"email": odd, "username": odd, "password": odd, "invitation": odd}),
        ("POST", "/sign-in", {"email": odd, "password": odd}),
        ("POST", "/password-reset", {"token": odd, "password": odd}),
        ("POST", "/me/password", {"current_password": odd, "new_password": odd}),
        ("POST", "/api-keys", {"name": odd, "workspaces": [odd]}),
        ("POST", "/users/invitations", {"emails": [odd]}),
        ("POST", "/nodes", {"kind": "folder", "name": odd, "path": odd, "bucket": odd}),
        ("POST", "/nodes", {"kind": "folder", "name": "x", "path": str(world.folder.parent) + "/" + odd}),
        ("POST", "/roots", {"node": odd, "bucket": odd, "prefix": odd, "type": "private", "name": odd}),
        ("POST", "/roots", {"node": "local", "bucket": "data", "prefix": odd, "type": "private"}),
        ("PATCH", "/roots/private", {"managers": [odd], "create": [odd]}),
        ("PATCH", "/roots/private", {"indexing": {"level": odd, "exclusions": [odd]}}),
        ("PATCH", "/roots/private", {"indexing": {"exclusions": [odd, odd + "/", f"**/{odd}"]}}),
        ("POST", "/crawls", {"root": odd}),
        ("POST", "/index/verify", {"root": odd}),
        ("POST", "/crawls", {"workspace": odd}),
        ("POST", "/roots/existing/import", {"folders": [odd], "owner": odd, "name": odd}),
        ("POST", "/roots/existing/import", {"folders": [odd]}),
        ("POST", "/workspaces", {"name": odd, "root": odd}),
        ("POST", "/workspaces", {"name": odd}),
        ("PATCH", "/workspaces/1", {"name": odd}),
        ("POST", "/workspaces/1/hand-over", {"to": odd}),
        ("POST", "/workspaces/1/shares", {"subject": odd, "folder": odd}),
        ("POST", "/workspaces/1/shares", {"subject": "everyone", "folder": odd}),
        ("POST", "/workspaces/1/shares", {"subject": "@" + odd, "expires_at": odd}),
        ("POST", "/credentials", {"workspaces": [odd], "node": odd}),
        ("POST", "/presign", {"reference": f"owner/scans/{odd}"}),
    ]
    for who in ("admin", "owner"):
        for method, path, body in bodies:
            _check(world, f"{method} {path} {odd!r}", world.call(who, method, path, body))
        written = quote(odd, safe="", errors="surrogatepass")
        for path in (
            f"/users/{written}",
            f"/nodes/{written}",
            f"/roots/{written}",
            f"/workspaces/{written}",
            f"/api-keys/{written}",
            f"/workspaces/resolve?reference={written}",
            f"/workspaces/1/shares?subject={written}&folder={written}",
            f"/audit?workspace={written}&limit={written}",
            f"/search?q={written}",
            f"/search?q=in:{written}",
            f"/search?q=%22{written}%22&after={written}&sort=path",
            f"/search?q=name:{written}%20or%20tag:{written}={written}&highlight=true",
            f"/aggregate?q={written}",
            f"/aggregate?q=path:{written}&by={written}",
            f"/aggregate?q=owner:{written}%20node:{written}%20root:{written}&by=ext,type,owner,workspace,folder,year",
            f"/workspaces/1/sizes?path={written}",
            f"/index/requests/{written}",
            f"/crawls?workspace={written}",
            f"/crawls?root={written}",
            f"/crawls/{written}",
        ):
            for method in ("GET", "DELETE"):
                _check(world, f"{method} {path}", world.call(who, method, path))


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59Z",
        "2026-11-22",
        1e308,
        -1,
        2**70,
        "2026-11-22T10:00:00",
    ],
)
def test_odd_times(world: Plane, moment: object) -> None:
    for path, body in (
        ("/workspaces/1/shares", {"subject": "everyone", "expires_at": moment}),
        ("/api-keys", {"name": "new", "expires_at": moment}),
    ):
        _check(world, f"{path} {moment}", world.call("owner", "POST", path, body))


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63 - 1, 2**63, 2**200])
def test_odd_numbers(world: Plane, number: int) -> None:
    for path in (
        f"/workspaces/{number}",
        f"/workspaces/{number}/shares",
        f"/audit?limit={number}",
        f"/crawls/{number}",
        f"/crawls?limit={number}&after={number}",
        f"/search?limit={number}&q=size:>{number}",
        f"/search?q=modified:>{number}d",
        f"/aggregate?top={number}&depth={number}&by=folder",
        f"/workspaces/1/sizes?depth={number}",
        f"/index/requests/{number}",
    ):
        _check(world, path, world.call("owner", "GET", path))
    _check(world, f"rate {number}", world.call("owner", "POST", "/crawls", {"workspace": "scans", "rate": number}))
    for indexing in ({"rate": number}, {"crawl_every_seconds": number}, {"content_allowed_bytes": number}):
        _check(world, f"{indexing}", world.call("admin", "PATCH", "/roots/private", {"indexing": indexing}))
    for body in ({"duration_seconds": number}, {"reference": "scans/x", "expires_seconds": number}):
        path = "/credentials" if "duration_seconds" in body else "/presign"
        _check(world, f"{path} {number}", world.call("owner", "POST", path, body))
