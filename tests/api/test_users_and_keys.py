"""Administrators and API keys: the last administrator stays, a key only takes away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.plane import Plane

ROOT = "/users/root"
"""The administrator's address in the API."""


def test_the_last_administrator_stays(plane: Plane) -> None:
    plane.refused(409, "last_administrator", "root", "POST", f"{ROOT}/disable")
    plane.refused(409, "last_administrator", "root", "PATCH", ROOT, {"administrator": False})
    assert plane.do("root", "PATCH", "/users/ada", {"administrator": True})["administrator"] is True
    assert plane.verbs()[-1] == "user.make_administrator"
    plane.do("ada", "PATCH", ROOT, {"administrator": False})
    plane.refused(403, "refused", "root", "GET", "/users")


def test_administrators_see_users(plane: Plane) -> None:
    plane.group("lab", "ada")
    assert [one["username"] for one in plane.do("root", "GET", "/users")] == ["ada", "bob", "carol", "root"]
    shown = plane.do("root", "GET", "/users/ada")
    assert (shown["groups"], shown["email"], shown["enabled"]) == (["lab"], "ada@example.org", True)
    plane.refused(404, "no_such_user", "root", "GET", "/users/nobody")


def test_an_api_key_is_shown_once_and_ends_at_once(plane: Plane) -> None:
    made = plane.do("ada", "POST", "/api-keys", {"name": "backup"})
    assert made["token"].startswith("wiok_")
    (listed,) = plane.do("ada", "GET", "/api-keys")
    assert "token" not in listed
    assert listed["workspaces"] is None
    plane.refused(409, "taken", "ada", "POST", "/api-keys", {"name": "backup"})
    assert plane.do(made["token"], "GET", "/me")["username"] == "ada"
    plane.refused(404, "not_found", "bob", "DELETE", f"/api-keys/{made['id']}")
    plane.do("ada", "DELETE", f"/api-keys/{made['id']}")
    plane.refused(401, "not_signed_in", made["token"], "GET", "/me")
    plane.refused(404, "not_found", "ada", "DELETE", f"/api-keys/{made['id']}")
    assert [verb for verb in plane.verbs() if verb.startswith("api_key")] == ["api_key.make", "api_key.revoke"]


def test_a_key_makes_no_keys(plane: Plane) -> None:
    key = plane.do("ada", "POST", "/api-keys", {"name": "k"})["token"]
    for method, path, body in (
        ("POST", "/api-keys", {"name": "k2"}),
        ("GET", "/api-keys", None),
        ("DELETE", "/api-keys/1", None),
        ("DELETE", "/sign-in", None),
    ):
        plane.refused(403, "session_needed", key, method, path, body)


def test_a_key_of_an_administrator_makes_no_way_in_that_outlives_it(plane: Plane) -> None:
    """A password that it reset, or an administrator whom it made, would go on when the key has ended."""
    key = plane.do("root", "POST", "/api-keys", {"name": "k"})["token"]
    for method, path, body in (
        ("POST", f"{ROOT}/password-reset", None),
        ("POST", "/users/ada/password-reset", None),
        ("PATCH", "/users/ada", {"administrator": True}),
    ):
        plane.refused(403, "session_needed", key, method, path, body)
    assert plane.do(key, "POST", "/users/ada/disable")["enabled"] is False


def test_a_key_expires(plane: Plane) -> None:
    ends = plane.clock.now + timedelta(hours=1)
    made = plane.do("ada", "POST", "/api-keys", {"name": "k", "expires_at": ends.isoformat()})
    assert made["expires_at"] == "2026-11-22T11:00:00Z"
    plane.clock.advance(hours=1)
    plane.refused(401, "not_signed_in", made["token"], "GET", "/me")
    plane.refused(
        422, "invalid_expiry", "ada", "POST", "/api-keys", {"name": "k2", "expires_at": ends.isoformat()}
    )


def test_a_key_for_reading_only_reads(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    key = plane.do("ada", "POST", "/api-keys", {"name": "k", "read_only": True})["token"]
    path = f"/workspaces/{made['id']}"
    assert plane.do(key, "GET", path)["level"] == "read"
    plane.refused(403, "refused", key, "PATCH", path, {"name": "x"})
    plane.refused(403, "refused", key, "POST", f"{path}/shares", {"subject": "bob"})
    plane.refused(403, "refused", key, "DELETE", path)
    plane.refused(403, None, key, "POST", "/workspaces", {"name": "y", "root": "private"})
    assert plane.do(key, "POST", "/credentials", {})["read_only"] is True
    plane.refused(403, "refused", key, "POST", "/presign", {"reference": "scans/a", "method": "PUT"})


def test_a_reader_with_a_reading_key_may_not_leave(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    plane.share("ada", made["id"], "bob")
    key = plane.do("bob", "POST", "/api-keys", {"name": "k", "read_only": True})["token"]
    plane.refused(403, "refused", key, "DELETE", f"/workspaces/{made['id']}/shares", subject="bob")


def test_a_key_for_one_workspace_knows_no_other(plane: Plane) -> None:
    mine = plane.workspace("ada", "scans")
    other = plane.workspace("ada", "other")
    made = plane.do("ada", "POST", "/api-keys", {"name": "k", "workspaces": ["scans"]})
    assert made["workspaces"] == ["ada/scans"]
    key = made["token"]
    assert [one["id"] for one in plane.do(key, "GET", "/workspaces")] == [mine["id"]]
    plane.refused(404, "not_found", key, "GET", f"/workspaces/{other['id']}")
    plane.refused(404, "no_such_workspace", key, "GET", "/workspaces/resolve", reference="other/x")
    plane.refused(404, "no_such_workspace", key, "POST", "/credentials", {"workspaces": ["other"]})
    issued = plane.do(key, "POST", "/credentials", {})
    assert [one["reference"] for one in issued["workspaces"]] == ["ada/scans"]
    plane.refused(404, None, key, "POST", "/workspaces", {"name": "new"})
    assert plane.do(key, "GET", "/roots") == []
    assert plane.do(key, "GET", "/audit") == [
        one for one in plane.do("ada", "GET", "/audit") if one["target"] == "scans"
    ]
    plane.refused(404, "no_such_workspace", "ada", "POST", "/api-keys", {"name": "k2", "workspaces": ["bob/x"]})


def test_an_administrators_narrowed_key_administers_nothing(plane: Plane) -> None:
    plane.workspace("root", "mine")
    for fields in ({"read_only": True}, {"workspaces": ["mine"]}):
        key = plane.do("root", "POST", "/api-keys", {"name": f"k{len(fields)}-{next(iter(fields))[0]}", **fields})[
            "token"
        ]
        plane.refused(403, "refused", key, "POST", "/users/ada/disable")
        plane.refused(403, "refused", key, "PATCH", "/service", {"registration": "closed"})
        plane.refused(403, "refused", key, "GET", "/users")
        assert plane.call(key, "DELETE", "/nodes/local").status_code in (403, 404)


@pytest.mark.parametrize("who", ["ada", "bob"])
def test_the_audit_is_for_administrators_and_owners(plane: Plane, who: str) -> None:
    made = plane.workspace("ada", "scans")
    plane.share("ada", made["id"], "bob", "own")
    everything = plane.do("root", "GET", "/audit")
    assert {one["verb"] for one in everything} >= {"node.add", "workspace.create", "share.give"}
    verbs = [one["verb"] for one in plane.do(who, "GET", "/audit")]
    if who == "ada":
        assert verbs == ["share.give", "workspace.create"]
        assert [one["verb"] for one in plane.do("ada", "GET", "/audit", workspace="scans", limit=1)] == [
            "share.give"
        ]
    else:
        assert verbs == []
        plane.refused(403, "refused", "bob", "GET", "/audit", workspace="ada/scans")
    plane.refused(404, "no_such_workspace", "carol", "GET", "/audit", workspace="ada/scans")
