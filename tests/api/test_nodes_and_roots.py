"""Nodes and roots: where they may lie, who changes them, and that nothing on disk is touched."""

from __future__ import annotations

from typing import Any

import pytest

from api.plane import Plane


def test_a_fresh_service_has_a_node_and_three_roots(plane: Plane) -> None:
    (node,) = plane.do("root", "GET", "/nodes")
    assert node["name"] == "local"
    assert (node["bucket"], node["layout"], node["state"], node["reason"]) == ("data", "bucket", "up", None)
    assert node["roots"] == ["existing", "private", "public"]
    assert node["abilities"]["immediate_revocation"] is True
    assert plane.do("ada", "GET", "/nodes") == []
    roots = {one["name"]: one for one in plane.do("root", "GET", "/roots")}
    assert {name: (one["prefix"], one["type"], one["create"]) for name, one in roots.items()} == {
        "private": ("private/", "private", "everyone"),
        "public": ("public/", "public", "everyone"),
        "existing": ("", "unmanaged-private", "nobody"),
    }
    assert [one["name"] for one in plane.do("ada", "GET", "/roots")] == ["private", "public"]
    assert list(plane.folder.iterdir()) == []


def test_a_folder_node_is_added_and_removed(plane: Plane) -> None:
    other = plane.folder.with_name("Other Data")
    (other / "x").mkdir(parents=True)
    body = {"kind": "folder", "name": "other", "path": str(other)}
    plane.refused(403, "refused", "ada", "POST", "/nodes", body)
    node = plane.do("root", "POST", "/nodes", body)
    assert (node["bucket"], node["path"], node["state"]) == ("other-data", str(other), "up")
    assert plane.verbs()[-1] == "node.add"
    root = plane.do(
        "root", "POST", "/roots", {"node": "other", "bucket": "other-data", "type": "unmanaged-private"}
    )
    assert root["name"] == "other-data"
    plane.do("root", "DELETE", "/nodes/other")
    plane.refused(404, "not_found", "root", "GET", "/nodes/other")
    plane.refused(404, "not_found", "root", "GET", "/roots/other-data")
    assert (other / "x").is_dir()
    assert plane.verbs()[-1] == "node.remove"


def test_what_a_folder_takes_and_serves_is_changed(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    plane.refused(404, "not_found", "ada", "PATCH", "/nodes/local", {"read_only": True})
    before = plane.generation()
    node = plane.do("root", "PATCH", "/nodes/local", {"read_only": True, "serve_owner_only": True})
    assert plane.generation() > before
    assert (node["read_only"], node["serve_owner_only"], node["cross_filesystems"]) == (True, True, False)
    assert plane.verbs()[-1] == "node.change"
    plane.refused(409, "node_is_read_only", "ada", "POST", "/workspaces", {"name": "more"})
    node = plane.do("root", "PATCH", "/nodes/local", {"read_only": False, "cross_filesystems": True})
    assert (node["read_only"], node["serve_owner_only"], node["cross_filesystems"]) == (False, True, True)
    plane.workspace("ada", "more")
    foreign = {"read_only": True, "access_key": "KEY", "secret_key": "a secret for tests"}
    plane.refused(409, "node_kind", "root", "PATCH", "/nodes/local", foreign)
    assert plane.do("root", "GET", "/nodes/local")["read_only"] is False


def test_where_a_node_may_lie(plane: Plane) -> None:
    def refusal(path: object) -> str:
        body = {"kind": "folder", "name": "other", "path": str(path)}
        response = plane.call("root", "POST", "/nodes", body)
        assert response.status_code in (409, 422)
        code: str = response.json()["error"]["code"]
        return code

    base = plane.folder.parent
    (plane.folder / "sub").mkdir()
    (base / "file").write_text("x")
    (base / "link").symlink_to("/etc")
    (base / "inner").symlink_to(plane.folder / "sub")
    assert refusal("relative") == "invalid_path"
    assert refusal("/etc") == "path_not_allowed"
    assert refusal(base / "link") == "path_not_allowed"
    assert refusal(base / "data" / ".." / ".." / "..") == "path_not_allowed"
    assert refusal(base / "missing") == "no_such_folder"
    assert refusal(base / "file") == "no_such_folder"
    assert refusal(plane.folder) == "overlaps_node"
    assert refusal(plane.folder / "sub") == "overlaps_node"
    assert refusal(base / "inner") == "overlaps_node"
    assert refusal(plane.state) == "overlaps_state"
    (plane.state / "deep").mkdir()
    assert refusal(plane.state / "deep") == "overlaps_state"
    assert refusal(base) in ("overlaps_state", "overlaps_node")


def test_a_node_with_workspaces_is_removed_only_by_force(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    kept = plane.write_file("private/ada/scans/a.txt")
    error = plane.refused(409, "node_not_empty", "root", "DELETE", "/nodes/local")
    assert error["details"] == {"workspaces": 1}
    before = plane.generation()
    plane.do("root", "DELETE", "/nodes/local", force=True)
    assert plane.generation() > before
    plane.refused(404, None, "ada", "GET", f"/workspaces/{made['id']}")
    assert kept.exists()
    assert plane.verbs()[-2:] == ["workspace.forget", "node.remove"]


def test_buckets_of_a_folder_of_buckets(plane: Plane) -> None:
    other = plane.folder.with_name("buckets")
    (other / "first").mkdir(parents=True)
    body = {"kind": "folder", "name": "many", "path": str(other), "layout": "buckets"}
    plane.refused(422, "invalid_bucket", "root", "POST", "/nodes", body | {"bucket": "x-bucket"})
    assert plane.do("root", "POST", "/nodes", body)["bucket"] is None
    root = {"node": "many", "type": "private"}
    error = plane.refused(404, "no_such_bucket", "root", "POST", "/roots", root | {"bucket": "second"})
    assert error["message"] == "There is no bucket 'second' on node many; there is 'first'."
    plane.do("root", "POST", "/roots", root | {"bucket": "first", "prefix": "users"})
    made = plane.workspace("ada", "scans", root="users")
    assert (made["bucket"], made["prefix"]) == ("first", "users/ada/scans/")


def test_who_makes_roots(plane: Plane) -> None:
    body = {"node": "local", "bucket": "data", "prefix": "lab", "type": "private"}
    plane.refused(404, "not_found", "ada", "POST", "/roots", body)
    error = plane.refused(404, "no_such_bucket", "root", "POST", "/roots", body | {"bucket": "other"})
    assert error["message"] == "There is no bucket 'other' on node local; there is 'data'."
    made = plane.do("root", "POST", "/roots", body | {"create": ["ada", "bob"]})
    assert (made["name"], made["prefix"], made["create"], made["creators"]) == (
        "lab",
        "lab/",
        "users",
        ["ada", "bob"],
    )
    plane.refused(409, "taken", "root", "POST", "/roots", body)
    plane.refused(409, "root_exists", "root", "POST", "/roots", body | {"name": "lab2"})
    assert "lab" in [one["name"] for one in plane.do("ada", "GET", "/roots")]
    assert "lab" not in [one["name"] for one in plane.do("carol", "GET", "/roots")]
    plane.refused(404, "no_such_user", "root", "PATCH", "/roots/lab", {"create": ["nobody"]})


@pytest.mark.parametrize("prefix", ["../x", "a//b", "a/./b", ".zfs", "a/.workspacesio/b"])
def test_prefixes_that_climb_are_refused(plane: Plane, prefix: str) -> None:
    body = {"node": "local", "bucket": "data", "prefix": prefix, "type": "private"}
    plane.refused(422, "invalid_folder", "root", "POST", "/roots", body)


def test_roots_never_take_a_workspaces_keys(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    body = {"node": "local", "bucket": "data", "type": "private", "name": "new"}
    for prefix in ("private/ada/scans", "private/ada/scans/deep"):
        plane.refused(409, "inside_workspace", "root", "POST", "/roots", body | {"prefix": prefix})
    plane.refused(409, "holds_workspaces", "root", "POST", "/roots", body | {"prefix": "private/ada"})
    # A sibling whose name begins alike is no part of it.
    plane.do("root", "POST", "/roots", body | {"prefix": "private/ada/scans2"})
    plane.refused(409, "place_taken", "ada", "POST", "/workspaces", {"name": "scans2", "root": "private"})


def test_a_root_above_workspaces_in_deeper_roots_is_fine(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    plane.do("root", "DELETE", "/roots/existing")
    body = {"node": "local", "bucket": "data", "prefix": "", "type": "unmanaged-private", "name": "again"}
    plane.do("root", "POST", "/roots", body)
    assert plane.verbs()[-1] == "root.create"


def test_root_managers(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    before = plane.generation()
    plane.do("root", "PATCH", "/roots/private", {"managers": ["bob"]})
    assert plane.generation() > before
    assert plane.verbs()[-1] == "root.change"
    seen = plane.do("bob", "GET", f"/workspaces/{made['id']}")
    assert seen["level"] is None
    plane.do("bob", "PATCH", "/roots/private", {"create": "nobody"})
    plane.refused(403, "refused", "bob", "DELETE", "/roots/private")
    plane.refused(403, "refused", "ada", "PATCH", "/roots/public", {"create": "nobody"})
    plane.do("bob", "POST", f"/workspaces/{made['id']}/hand-over", {"to": "carol"})


def test_private_becomes_public_and_managed_stays_managed(plane: Plane) -> None:
    made = plane.workspace("root", "scans")
    plane.refused(404, None, "carol", "GET", f"/workspaces/{made['id']}")
    before = plane.generation()
    plane.do("root", "PATCH", "/roots/private", {"type": "public"})
    assert plane.generation() > before
    assert plane.do("carol", "GET", f"/workspaces/{made['id']}")["level"] == "read"
    plane.refused(409, "root_type", "root", "PATCH", "/roots/private", {"type": "unmanaged-private"})
    plane.refused(409, "root_is_unmanaged", "root", "PATCH", "/roots/existing", {"create": "everyone"})


def test_nobody_opens_other_peoples_workspaces_to_everybody(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    plane.refused(409, "root_not_empty", "root", "PATCH", "/roots/private", {"type": "public"})
    plane.refused(404, None, "carol", "GET", f"/workspaces/{made['id']}")
    opened = plane.workspace("ada", "open", public=True)
    plane.do("root", "PATCH", "/roots/public", {"type": "private"})
    plane.refused(404, None, "carol", "GET", f"/workspaces/{opened['id']}")


def test_owners_see_in_the_audit_that_everybody_may_read_or_no_more(plane: Plane) -> None:
    opened = [plane.workspace(who, name, public=True)["id"] for who, name in (("ada", "a"), ("ada", "b"))]
    others = plane.workspace("bob", "c", public=True)["id"]
    apart = plane.workspace("ada", "apart")["id"]
    mine = plane.workspace("root", "mine", public=True)["id"]
    plane.do("root", "PATCH", "/roots/public", {"type": "private"})

    def told(who: str, workspace_id: int) -> list[dict[str, Any]]:
        found = plane.do(who, "GET", f"/workspaces/{workspace_id}")["reference"]
        records = plane.do(who, "GET", "/audit", workspace=found)
        return [one for one in records if one["verb"].startswith("workspace.made_")]

    for who, workspace_id in (("ada", opened[0]), ("ada", opened[1]), ("bob", others), ("root", mine)):
        (one,) = told(who, workspace_id)
        assert (one["actor"], one["verb"], one["details"]) == (
            "root",
            "workspace.made_private",
            {"root": "public"},
        )
    assert told("ada", apart) == []
    assert [one["target"] for one in plane.do("bob", "GET", "/audit") if "made" in one["verb"]] == ["c"]
    for who, workspace_id in (("ada", opened[0]), ("ada", opened[1]), ("bob", others)):
        plane.do(who, "DELETE", f"/workspaces/{workspace_id}")
    plane.do("root", "PATCH", "/roots/public", {"type": "public"})
    assert [one["verb"] for one in told("root", mine)] == ["workspace.made_public", "workspace.made_private"]
    # Nothing else that changes in a root is told so.
    plane.do("root", "PATCH", "/roots/public", {"type": "public", "create": "nobody"})
    assert len(told("root", mine)) == 2


def test_a_root_with_workspaces_stays(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    error = plane.refused(409, "root_not_empty", "root", "DELETE", "/roots/private")
    assert error["details"] == {"workspaces": 1}
    plane.do("root", "DELETE", "/roots/public")
    assert plane.verbs()[-1] == "root.remove"


def test_a_read_only_node_takes_no_workspaces(plane: Plane) -> None:
    other = plane.folder.with_name("archive")
    other.mkdir()
    body = {"kind": "folder", "name": "archive", "path": str(other), "read_only": True}
    plane.do("root", "POST", "/nodes", body)
    plane.do("root", "POST", "/roots", {"node": "archive", "bucket": "archive", "type": "private"})
    plane.refused(409, "node_is_read_only", "ada", "POST", "/workspaces", {"name": "x", "root": "archive"})
