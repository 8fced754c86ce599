"""Workspaces: who makes, sees and changes them, and that bytes stay where they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.plane import Plane


def test_a_workspace_lies_under_its_owners_name(plane: Plane) -> None:
    before = plane.generation()
    made = plane.workspace("ada", "scans")
    assert made["reference"] == "ada/scans"
    assert made["prefix"] == "private/ada/scans/"
    assert (made["level"], made["objects"], made["bytes"], made["imported"]) == ("owner", 0, 0, False)
    assert made["created_at"] == "2026-11-22T10:00:00Z"
    assert [one["reference"] for one in plane.do("ada", "GET", "/workspaces")] == ["ada/scans"]
    assert plane.do("bob", "GET", "/workspaces") == []
    assert plane.verbs()[-1] == "workspace.create"
    assert plane.generation() > before


def test_a_public_workspace_is_read_by_everybody(plane: Plane) -> None:
    made = plane.workspace("ada", "open", public=True)
    assert made["prefix"] == "public/ada/open/"
    (seen,) = plane.do("bob", "GET", "/workspaces", scope="public")
    assert (seen["reference"], seen["level"]) == ("ada/open", "read")
    assert plane.do("bob", "GET", "/workspaces", scope="shared") == []
    assert plane.do("bob", "GET", "/workspaces", scope="mine") == []


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "*", "${aws:username}", "a\nb", "x" * 129, "e\u0301", ".hidden", "~"]
)
def test_names_that_widen_or_climb_are_refused(plane: Plane, name: str) -> None:
    plane.refused(422, None, "ada", "POST", "/workspaces", {"name": name})
    assert plane.do("ada", "GET", "/workspaces") == []


def test_a_workspace_is_never_made_over_what_is_there(plane: Plane) -> None:
    plane.write_file("private/ada/old/report.txt")
    plane.refused(409, "place_holds_objects", "ada", "POST", "/workspaces", {"name": "old"})
    hidden = plane.write_file("private/ada/closed/secret.txt")
    hidden.chmod(0o600)
    plane.refused(409, "place_holds_objects", "ada", "POST", "/workspaces", {"name": "closed"})
    (plane.folder / "private/ada/link").symlink_to(plane.folder / "private/ada/old")
    plane.refused(409, "place_holds_objects", "ada", "POST", "/workspaces", {"name": "link"})
    (plane.folder / "private/ada/empty/deeper").mkdir(parents=True)
    assert plane.workspace("ada", "empty")["prefix"] == "private/ada/empty/"


def test_a_label_is_used_once_by_an_owner(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    plane.refused(409, "taken", "ada", "POST", "/workspaces", {"name": "scans"})
    plane.workspace("bob", "scans")


def test_who_may_create_is_the_roots_setting(plane: Plane) -> None:
    plane.do("root", "PATCH", "/roots/private", {"create": ["bob"]})
    plane.refused(404, "no_root", "ada", "POST", "/workspaces", {"name": "x"})
    plane.refused(404, "not_found", "ada", "POST", "/workspaces", {"name": "x", "root": "private"})
    plane.workspace("bob", "x")
    plane.do("root", "PATCH", "/roots/private", {"create": "nobody"})
    plane.refused(404, None, "bob", "POST", "/workspaces", {"name": "y", "root": "private"})
    plane.workspace("root", "y", root="private")


def test_only_managers_create_in_unmanaged_roots(plane: Plane) -> None:
    plane.refused(404, "not_found", "ada", "POST", "/workspaces", {"name": "x", "root": "existing"})
    assert plane.workspace("root", "x", root="existing")["prefix"] == "x/"
    plane.refused(409, "place_taken", "root", "POST", "/workspaces", {"name": "private", "root": "existing"})


def test_renaming_changes_the_label_only(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    other = plane.workspace("ada", "other")
    plane.share("ada", made["id"], "bob", "own")
    before = plane.generation()
    renamed = plane.do("ada", "PATCH", f"/workspaces/{made['id']}", {"name": "brains"})
    assert (renamed["name"], renamed["prefix"], renamed["id"]) == ("brains", "private/ada/scans/", made["id"])
    assert plane.generation() > before
    assert plane.verbs()[-1] == "workspace.rename"
    plane.refused(409, "taken", "ada", "PATCH", f"/workspaces/{other['id']}", {"name": "brains"})
    plane.refused(403, "refused", "bob", "PATCH", f"/workspaces/{made['id']}", {"name": "mine"})
    plane.refused(404, "not_found", "carol", "PATCH", f"/workspaces/{made['id']}", {"name": "mine"})
    # The place is still the first workspace's.
    plane.refused(409, "place_taken", "ada", "POST", "/workspaces", {"name": "scans"})


def test_handing_over_takes_everything_from_the_owner_before(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    path = f"/workspaces/{made['id']}"
    plane.share("ada", made["id"], "bob", "own")
    plane.share("bob", made["id"], "carol", "read")
    plane.do("ada", "POST", f"{path}/hand-over", {"to": "bob"})
    plane.refused(404, "not_found", "ada", "GET", path)
    seen = plane.do("bob", "GET", path)
    assert (seen["level"], seen["reference"], seen["prefix"]) == ("owner", "bob/scans", "private/ada/scans/")
    # What bob gave on rests on the owner now; bob's own share is gone.
    assert [one["subject"] for one in plane.do("bob", "GET", f"{path}/shares")] == ["carol"]
    assert plane.verbs()[-1] == "workspace.hand_over"
    plane.workspace("ada", "again", root="private")


def test_handing_over_does_not_tell_what_the_receiver_has(plane: Plane) -> None:
    plane.workspace("bob", "scans")
    answers = []
    for name in ("scans", "other"):
        made = plane.workspace("ada", name)
        answers.append(plane.do("ada", "POST", f"/workspaces/{made['id']}/hand-over", {"to": "bob"}))
    assert answers[0] == answers[1]
    assert {one["name"] for one in plane.do("bob", "GET", "/workspaces", scope="mine")} == {
        "scans",
        "scans-2",
        "other",
    }


def test_handing_over_needs_a_known_user(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    path = f"/workspaces/{made['id']}/hand-over"
    plane.refused(404, "no_such_user", "ada", "POST", path, {"to": "nobody"})
    plane.refused(409, "is_owner", "ada", "POST", path, {"to": "ada"})
    plane.do("root", "POST", "/users/carol/disable")
    plane.refused(409, "user_disabled", "ada", "POST", path, {"to": "carol"})


def test_an_administrator_hands_over_but_reads_nothing(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    seen = plane.do("root", "GET", f"/workspaces/{made['id']}")
    assert (seen["level"], seen["objects"]) == (None, 0)
    plane.refused(403, "refused", "root", "POST", f"/workspaces/{made['id']}/shares", {"subject": "root"})
    plane.refused(403, "refused", "root", "PATCH", f"/workspaces/{made['id']}", {"name": "x"})
    plane.refused(403, "refused", "root", "DELETE", f"/workspaces/{made['id']}")
    plane.do("root", "POST", f"/workspaces/{made['id']}/hand-over", {"to": "carol"})


def test_only_imported_workspaces_are_released(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    plane.refused(409, "not_imported", "ada", "POST", f"/workspaces/{made['id']}/release")


def test_an_empty_workspace_is_deleted(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    plane.share("ada", made["id"], "bob")
    before = plane.generation()
    answer = plane.do("ada", "DELETE", f"/workspaces/{made['id']}")
    assert answer == {
        "enforced": [{"node": "local", "state": "enforced"}],
        "objects": 0,
        "bytes": 0,
        "finished": True,
    }
    assert plane.generation() > before
    plane.refused(404, "not_found", "ada", "GET", f"/workspaces/{made['id']}")
    assert plane.do("bob", "GET", "/workspaces") == []
    assert plane.verbs()[-1] == "workspace.delete"


def test_a_workspace_with_objects_is_deleted_only_with_the_word(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    neighbour = plane.write_file("private/ada/scans-of-bob/keep.txt")
    plane.write_file("private/ada/scans/a.txt", b"four")
    plane.write_file("private/ada/scans/deep/b.txt", b"four")
    plane.refused(409, "workspace_not_empty", "ada", "DELETE", f"/workspaces/{made['id']}")
    assert plane.do("ada", "GET", f"/workspaces/{made['id']}")["name"] == "scans"
    answer = plane.do("ada", "DELETE", f"/workspaces/{made['id']}", delete_objects=True)
    assert (answer["objects"], answer["bytes"], answer["finished"]) == (2, 8, True)
    assert not (plane.folder / "private/ada/scans/a.txt").exists()
    assert neighbour.exists()
    assert plane.verbs()[-2:] == ["workspace.delete", "workspace.objects_deleted"]
    assert plane.workspace("ada", "scans")["id"] != made["id"]


def test_identities_are_never_reused(plane: Plane) -> None:
    first = plane.workspace("ada", "scans")["id"]
    plane.do("ada", "DELETE", f"/workspaces/{first}")
    assert plane.workspace("ada", "scans")["id"] > first


def test_a_read_only_service_makes_and_deletes_nothing(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    kept = plane.write_file("private/ada/scans/a.txt")
    plane.routes.state.context = replace(plane.context, settings=replace(plane.settings, read_only=True))
    path = f"/workspaces/{made['id']}"
    plane.refused(409, "node_is_read_only", "ada", "POST", "/workspaces", {"name": "new"})
    plane.refused(409, "node_is_read_only", "ada", "DELETE", path, delete_objects=True)
    assert plane.do("ada", "GET", path)["name"] == "scans"
    assert kept.exists()


def test_an_unmounted_node_takes_no_new_workspace(plane: Plane) -> None:
    """The folder at the node's path is another one than was added."""
    plane.folder.rename(plane.folder.with_name("elsewhere"))
    plane.folder.mkdir()
    plane.refused(503, "node_down", "ada", "POST", "/workspaces", {"name": "scans"})
    (node,) = plane.do("root", "GET", "/nodes")
    assert node["state"] == "down"
    assert node["reason"]
