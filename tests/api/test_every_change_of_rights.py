"""Every change of rights raises the generation and leaves an audit record, in the transaction of the change.

What changes no right raises nothing, so that no process forgets what it remembers for nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from api.plane import PASSWORD, Plane

STEPS: list[tuple[str, str, str, Any, str]] = [
    # who, method, path, body, and the verb in the audit
    (
        "root",
        "POST",
        "/roots",
        {"node": "local", "bucket": "data", "prefix": "lab", "type": "private"},
        "root.create",
    ),
    ("root", "PATCH", "/roots/lab", {"create": ["ada"]}, "root.change"),
    ("root", "PATCH", "/roots/lab", {"managers": ["bob"]}, "root.change"),
    ("root", "PATCH", "/roots/lab", {"type": "public"}, "root.change"),
    ("ada", "POST", "/workspaces", {"name": "scans", "root": "lab"}, "workspace.create"),
    ("ada", "POST", "/workspaces/1/shares", {"subject": "bob", "level": "own"}, "share.give"),
    ("ada", "POST", "/workspaces/1/shares", {"subject": "bob", "level": "read"}, "share.change"),
    ("ada", "DELETE", "/workspaces/1/shares?subject=bob", None, "share.revoke"),
    ("ada", "PATCH", "/workspaces/1", {"name": "brains"}, "workspace.rename"),
    ("ada", "POST", "/workspaces/1/hand-over", {"to": "bob"}, "workspace.hand_over"),
    ("bob", "DELETE", "/workspaces/1", None, "workspace.delete"),
    ("root", "POST", "/roots/existing/import", {"folders": ["there"], "owner": "ada"}, "workspace.import"),
    ("ada", "DELETE", "/credentials/1", None, "credential.revoke"),
    ("ada", "DELETE", "/api-keys/1", None, "api_key.revoke"),
    ("ada", "POST", "/workspaces/2/release", None, "workspace.release"),
    ("root", "DELETE", "/roots/lab", None, "root.remove"),
    ("root", "PATCH", "/users/bob", {"administrator": True}, "user.make_administrator"),
    ("root", "PATCH", "/users/bob", {"administrator": False}, "user.unmake_administrator"),
    ("root", "POST", "/users/bob/disable", None, "user.disable"),
    ("root", "POST", "/users/bob/enable", None, "user.enable"),
    (
        "ada",
        "POST",
        "/me/password",
        {"current_password": PASSWORD, "new_password": PASSWORD},
        "user.change_password",
    ),
    (
        "root",
        "POST",
        "/register",
        {"email": "n@example.org", "username": "new", "password": PASSWORD},
        "user.register",
    ),
    ("root", "DELETE", "/nodes/local", None, "node.remove"),
]


def test_each_change(plane: Plane) -> None:
    plane.write_file("there/x")
    key = plane.do("ada", "POST", "/api-keys", {"name": "k"})["token"]
    prepared = False
    for who, method, path, body, verb in STEPS:
        if path.startswith("/credentials") and not prepared:
            assert plane.do("ada", "POST", "/credentials", {})["id"] == 1
            assert plane.do(key, "POST", "/credentials", {})["id"] == 2
            prepared = True
        before = plane.generation()
        response = plane.call(who, method, path, body)
        assert response.status_code < 300, (path, response.text)
        assert plane.generation() == before + 1, (method, path)
        assert plane.verbs()[-1] == verb
    assert "node.add" in plane.verbs()


@pytest.mark.parametrize(
    ("who", "method", "path", "body"),
    [
        ("ada", "GET", "/workspaces", None),
        ("ada", "POST", "/credentials", {}),
        ("ada", "POST", "/presign", {"reference": "scans/x"}),
        (None, "POST", "/sign-in", {"email": "ada@example.org", "password": PASSWORD}),
        (None, "POST", "/sign-in", {"email": "ada@example.org", "password": "wrong"}),
        ("ada", "POST", "/api-keys", {"name": "k"}),
        ("root", "POST", "/users/invitations", {"emails": ["n@example.org"]}),
        ("root", "PATCH", "/service", {"registration": "closed"}),
        ("ada", "PATCH", "/workspaces/1", {"name": "scans"}),
        ("bob", "PATCH", "/workspaces/1", {"name": "stolen"}),
        ("ada", "POST", "/workspaces/1/shares", {"subject": "nobody"}),
    ],
)
def test_what_changes_no_right(plane: Plane, who: str | None, method: str, path: str, body: Any) -> None:
    plane.workspace("ada", "scans")
    before = plane.generation()
    plane.call(who, method, path, body)
    assert plane.generation() == before


def test_a_refused_change_leaves_no_record(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    before = plane.verbs()
    plane.refused(404, None, "bob", "DELETE", f"/workspaces/{made['id']}")
    plane.refused(409, "is_owner", "ada", "POST", f"/workspaces/{made['id']}/shares", {"subject": "ada"})
    assert plane.verbs() == before
