"""Credentials and links as the API gives them: for what the caller reaches, never longer than the token."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from api.plane import Plane


def test_one_credential_for_all_that_is_reached(plane: Plane) -> None:
    mine = plane.workspace("ada", "scans")
    other = plane.workspace("bob", "mri")
    plane.share("bob", other["id"], "ada", "readwrite", folder="2026")
    plane.workspace("carol", "hidden")
    issued = plane.do("ada", "POST", "/credentials", {})
    assert issued["endpoint"] == "http://files.example.org:8101"
    assert (issued["node"], issued["read_only"], issued["expires_at"]) == ("local", False, "2026-11-22T11:00:00Z")
    assert issued["access_key_id"]
    assert issued["secret_access_key"]
    assert issued["session_token"]
    assert issued["workspaces"] == [
        {
            "id": mine["id"],
            "owner": "ada",
            "name": "scans",
            "reference": "ada/scans",
            "bucket": "data",
            "prefix": "private/ada/scans/",
            "level": "own",
            "folders": [],
        },
        {
            "id": other["id"],
            "owner": "bob",
            "name": "mri",
            "reference": "bob/mri",
            "bucket": "data",
            "prefix": "private/bob/mri/",
            "level": None,
            "folders": [{"folder": "2026/", "level": "readwrite"}],
        },
    ]


def test_narrowed_to_workspaces_and_to_reading(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    plane.workspace("ada", "other")
    issued = plane.do(
        "ada", "POST", "/credentials", {"workspaces": ["scans"], "read_only": True, "duration_seconds": 900}
    )
    assert [(one["reference"], one["level"]) for one in issued["workspaces"]] == [("ada/scans", "read")]
    assert issued["expires_at"] == "2026-11-22T10:15:00Z"
    (listed,) = plane.do("ada", "GET", "/credentials")
    assert (listed["workspaces"], listed["read_only"], listed["node"]) == (["ada/scans"], True, "local")
    assert "secret_access_key" not in listed


def test_what_is_not_readable_gives_no_credential(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    plane.refused(404, "no_such_workspace", "bob", "POST", "/credentials", {"workspaces": ["ada/scans"]})
    # The administrator sees it, and still may not read it.
    plane.refused(403, "not_shared", "root", "POST", "/credentials", {"workspaces": ["ada/scans"]})
    plane.refused(404, "no_such_node", "ada", "POST", "/credentials", {"node": "nowhere"})


@pytest.mark.parametrize("seconds", [1, 12 * 3600 + 1])
def test_durations_out_of_range(plane: Plane, seconds: int) -> None:
    plane.refused(422, "invalid_duration", "ada", "POST", "/credentials", {"duration_seconds": seconds})


def test_a_credential_ends_with_the_key_that_asked_for_it(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    ends = plane.clock.now + timedelta(minutes=10)
    key = plane.do("ada", "POST", "/api-keys", {"name": "k", "expires_at": ends.isoformat()})
    issued = plane.do(key["token"], "POST", "/credentials", {})
    assert issued["expires_at"] == "2026-11-22T10:10:00Z"
    assert [one["id"] for one in plane.do(key["token"], "GET", "/credentials")] == [issued["id"]]
    plane.do("ada", "DELETE", f"/api-keys/{key['id']}")
    assert plane.do("ada", "GET", "/credentials") == []


def test_ending_a_credential(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    issued = plane.do("ada", "POST", "/credentials", {})
    key = plane.do("ada", "POST", "/api-keys", {"name": "k"})["token"]
    plane.refused(404, "not_found", "bob", "DELETE", f"/credentials/{issued['id']}")
    plane.refused(404, "not_found", key, "DELETE", f"/credentials/{issued['id']}")
    before = plane.generation()
    answer = plane.do("ada", "DELETE", f"/credentials/{issued['id']}")
    assert answer == {"alone": True, "enforced": [{"node": "local", "state": "enforced"}]}
    assert plane.generation() > before
    assert plane.do("ada", "GET", "/credentials") == []
    assert plane.verbs()[-1] == "credential.revoke"


def test_several_nodes_must_be_named(plane: Plane) -> None:
    other = plane.folder.with_name("other")
    other.mkdir()
    plane.do("root", "POST", "/nodes", {"kind": "folder", "name": "second", "path": str(other)})
    plane.do("root", "POST", "/roots", {"node": "second", "bucket": "other", "type": "private", "name": "there"})
    plane.workspace("ada", "here", root="private")
    plane.workspace("ada", "far", root="there")
    error = plane.refused(409, "ambiguous", "ada", "POST", "/credentials", {})
    assert error["details"]["candidates"] == ["local", "second"]
    assert plane.do("ada", "POST", "/credentials", {"node": "second"})["node"] == "second"
    assert plane.do("ada", "POST", "/credentials", {"workspaces": ["far"]})["node"] == "second"
    plane.refused(422, "several_nodes", "ada", "POST", "/credentials", {"workspaces": ["far", "here"]})
    plane.refused(422, "several_nodes", "ada", "POST", "/credentials", {"workspaces": ["far"], "node": "local"})


def test_nobody_says_how_long_where_little_is_allowed(database_url: str, tmp_path: Path) -> None:
    """Then they live as long as is allowed, and are not refused for an hour that nobody asked for."""
    plane = Plane(database_url, tmp_path, credential_max_seconds=600)
    with plane.running():
        plane.start()
        plane.user("root", administrator=True)
        plane.user("ada")
        plane.workspace("ada", "scans")
        link = {"reference": "scans/x"}
        for route, body in (("/credentials", {}), ("/presign", link)):
            assert plane.do("ada", "POST", route, body)["expires_at"] == "2026-11-22T10:10:00Z"
        plane.refused(422, "invalid_duration", "ada", "POST", "/presign", link | {"expires_seconds": 601})


def test_a_link_to_one_object(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    plane.share("ada", made["id"], "bob", "read")
    body = {"reference": "ada/scans/a b/ü.txt", "expires_seconds": 600}
    link = plane.do("bob", "POST", "/presign", body)
    assert link["expires_at"] == "2026-11-22T10:10:00Z"
    parts = urlsplit(link["url"])
    assert f"{parts.scheme}://{parts.netloc}" == "http://files.example.org:8101"
    assert parts.path == "/data/private/ada/scans/a%20b/%C3%BC.txt"
    assert parse_qs(parts.query)["X-Amz-Expires"] == ["600"]
    plane.refused(403, "refused", "bob", "POST", "/presign", body | {"method": "PUT"})
    plane.refused(404, "no_such_workspace", "carol", "POST", "/presign", body)
    plane.refused(403, "refused", "root", "POST", "/presign", body)
    for reference in ("scans", "scans/", "scans/../x", "scans/a//b", "scans/.zfs/x"):
        plane.refused(422, "invalid_reference", "ada", "POST", "/presign", {"reference": reference})
