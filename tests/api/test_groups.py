"""Groups through the API, on a folder node: who makes, sees and runs them, and what a membership gives at once."""

from __future__ import annotations

from typing import Any

import pytest

from api.plane import Plane


@pytest.fixture
def lab(plane: Plane) -> int:
    """The group `lab`, which ada manages and bob belongs to; ada's workspace `scans` is shared with it."""
    plane.do("ada", "POST", "/groups", {"name": "lab"})
    plane.do("ada", "POST", "/groups/lab/members", {"username": "bob"})
    made: int = plane.workspace("ada", "scans")["id"]
    plane.write_file("private/ada/scans/x", b"data")
    plane.share("ada", made, "@lab")
    return made


HERE = [("local", "enforced")]


def told(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """On which nodes a change is enforced or pending."""
    return [(one["node"], one["state"]) for one in answer["enforced"]]


def reached(plane: Plane, who: str) -> list[str]:
    return [one["name"] for one in plane.do(who, "GET", "/workspaces")]


def names(plane: Plane, who: str) -> list[str]:
    return [one["name"] for one in plane.do(who, "GET", "/groups")]


def members(plane: Plane, who: str, group: str) -> dict[str, bool]:
    return {one["username"]: one["manager"] for one in plane.do(who, "GET", f"/groups/{group}/members")}


def test_whoever_makes_a_group_manages_it(plane: Plane) -> None:
    made = plane.do("ada", "POST", "/groups", {"name": "lab"})
    assert (made["name"], made["members"], made["managers"]) == ("lab", 1, ["ada"])
    assert members(plane, "ada", "lab") == {"ada": True}
    assert plane.do("ada", "GET", "/me")["groups"] == ["lab"]
    for taken in ("lab", "LAB", "Lab"):
        plane.refused(409, "taken", "bob", "POST", "/groups", {"name": taken})
    for invalid in ("", "a b", "../x", "@lab", "everyone", "Everyone", "x" * 64, "a..b", "lab/", "läb"):
        plane.refused(422, None, "bob", "POST", "/groups", {"name": invalid})


def test_a_member_reads_from_the_next_request_on_and_no_longer(plane: Plane, lab: int) -> None:
    assert (reached(plane, "bob"), reached(plane, "carol")) == (["scans"], [])
    joined = plane.do("ada", "POST", "/groups/lab/members", {"username": "carol"})
    assert (joined["username"], joined["manager"], told(joined)) == ("carol", False, HERE)
    assert reached(plane, "carol") == ["scans"]
    left = plane.do("ada", "DELETE", "/groups/lab/members/carol")
    assert told(left) == HERE
    assert reached(plane, "carol") == []
    plane.refused(404, None, "carol", "GET", f"/workspaces/{lab}")
    # Whoever wants to may leave.
    plane.do("bob", "DELETE", "/groups/lab/members/bob")
    assert reached(plane, "bob") == []
    plane.refused(404, "no_such_group", "bob", "GET", "/groups/lab")


def test_who_sees_a_group(plane: Plane, lab: int) -> None:
    assert (names(plane, "ada"), names(plane, "bob"), names(plane, "carol")) == (["lab"], ["lab"], [])
    assert names(plane, "root") == ["lab"]
    assert members(plane, "bob", "lab") == members(plane, "root", "lab") == {"ada": True, "bob": False}
    absent = plane.call("carol", "GET", "/groups/missing")
    for path in ("/groups/lab", "/groups/lab/members"):
        hidden = plane.call("carol", "GET", path)
        assert (hidden.status_code, hidden.json()) == (absent.status_code, absent.json())
    for method, path, body in (
        ("DELETE", "/groups/lab", None),
        ("POST", "/groups/lab/members", {"username": "carol"}),
        ("DELETE", "/groups/lab/members/bob", None),
        ("DELETE", "/groups/lab/members/carol", None),
    ):
        hidden = plane.call("carol", method, path, body)
        absent = plane.call("carol", method, path.replace("lab", "missing"), body)
        assert (hidden.status_code, hidden.json()) == (absent.status_code, absent.json()) == (404, absent.json())


def test_who_runs_a_group(plane: Plane, lab: int) -> None:
    for method, path, body in (
        ("DELETE", "/groups/lab", None),
        ("POST", "/groups/lab/members", {"username": "carol"}),
        ("POST", "/groups/lab/members", {"username": "bob", "manager": True}),
        ("DELETE", "/groups/lab/members/ada", None),
    ):
        plane.refused(403, "refused", "bob", method, path, body)
    plane.do("ada", "POST", "/groups/lab/members", {"username": "bob", "manager": True})
    plane.do("bob", "POST", "/groups/lab/members", {"username": "carol"})
    # What isn't said stays.
    plane.do("ada", "POST", "/groups/lab/members", {"username": "bob"})
    assert members(plane, "carol", "lab") == {"ada": True, "bob": True, "carol": False}
    plane.do("bob", "POST", "/groups/lab/members", {"username": "ada", "manager": False})
    plane.refused(403, "refused", "ada", "POST", "/groups/lab/members", {"username": "ada", "manager": True})
    plane.refused(404, "no_such_user", "bob", "POST", "/groups/lab/members", {"username": "nobody"})
    plane.refused(404, "no_such_user", "bob", "DELETE", "/groups/lab/members/nobody")
    plane.do("bob", "DELETE", "/groups/lab/members/carol")
    plane.refused(404, "no_such_member", "bob", "DELETE", "/groups/lab/members/carol")


def test_a_group_keeps_a_manager_unless_an_administrator_runs_it(plane: Plane, lab: int) -> None:
    plane.refused(409, "last_manager", "ada", "DELETE", "/groups/lab/members/ada")
    plane.refused(409, "last_manager", "ada", "POST", "/groups/lab/members", {"username": "ada", "manager": False})
    plane.do("root", "DELETE", "/groups/lab/members/ada")
    assert members(plane, "bob", "lab") == {"bob": False}
    plane.do("root", "POST", "/groups/lab/members", {"username": "bob", "manager": True})
    assert plane.do("bob", "GET", "/groups/lab")["managers"] == ["bob"]
    # An administrator who runs a group reads nothing through it.
    plane.refused(403, "not_shared", "root", "POST", "/credentials", {"workspaces": ["ada/scans"]})


def test_a_group_goes_with_its_shares_and_what_rests_on_them(plane: Plane, lab: int) -> None:
    plane.share("ada", lab, "@lab", "own")
    plane.share("bob", lab, "carol", "readwrite")
    other = plane.workspace("ada", "other")["id"]
    plane.share("ada", other, "@lab", folder="sub")
    plane.share("ada", other, "carol", folder="kept")
    before = plane.generation()
    gone = plane.do("ada", "DELETE", "/groups/lab")
    assert (gone["shares"], told(gone)) == (3, HERE)
    assert plane.generation() == before + 1
    assert plane.verbs()[-4:] == ["share.revoke", "share.revoke", "share.revoke", "group.delete"]
    assert (reached(plane, "bob"), reached(plane, "carol")) == ([], ["other"])
    assert plane.do("ada", "GET", f"/workspaces/{lab}/shares") == []
    plane.refused(404, "no_such_group", "ada", "POST", f"/workspaces/{other}/shares", {"subject": "@lab"})
    # A new group of that name has nothing of the old one.
    plane.do("carol", "POST", "/groups", {"name": "lab"})
    assert reached(plane, "carol") == ["other"]


def test_what_each_change_leaves_behind(plane: Plane) -> None:
    steps: list[tuple[str, str, Any, str]] = [
        ("POST", "/groups", {"name": "lab"}, "group.create"),
        ("POST", "/groups/lab/members", {"username": "bob"}, "group.add_member"),
        ("POST", "/groups/lab/members", {"username": "bob", "manager": True}, "group.make_manager"),
        ("POST", "/groups/lab/members", {"username": "bob", "manager": False}, "group.unmake_manager"),
        ("DELETE", "/groups/lab/members/bob", None, "group.remove_member"),
        ("DELETE", "/groups/lab", None, "group.delete"),
    ]
    for method, path, body, verb in steps:
        before = plane.generation()
        plane.do("ada", method, path, body)
        assert (plane.generation(), plane.verbs()[-1]) == (before + 1, verb)
    for who, method, path, body in (
        ("ada", "GET", "/groups", None),
        ("ada", "POST", "/groups/lab/members", {"username": "bob"}),
        ("bob", "POST", "/groups", {"name": "a b"}),
    ):
        generation, verbs = plane.generation(), plane.verbs()
        plane.call(who, method, path, body)
        assert (plane.generation(), plane.verbs()) == (generation, verbs)


def test_anybody_shares_with_a_group_that_they_can_name(plane: Plane, lab: int) -> None:
    """And sees who reaches their workspace through it, as with every share."""
    made = plane.workspace("carol", "results")["id"]
    plane.share("carol", made, "@lab", "readwrite")
    assert set(reached(plane, "bob")) == {"results", "scans"}
    through = [(one["subject"], one["user"]) for one in plane.do("carol", "GET", f"/workspaces/{made}/access")]
    assert ("@lab", "bob") in through
    plane.refused(404, "no_such_group", "carol", "POST", f"/workspaces/{made}/shares", {"subject": "@missing"})
    assert names(plane, "carol") == []


def test_a_key_for_reading_or_for_some_workspaces_changes_no_group(plane: Plane, lab: int) -> None:
    for fields, status in (({"read_only": True}, 403), ({"workspaces": ["scans"]}, 404)):
        key = plane.do("ada", "POST", "/api-keys", {"name": f"k{status}", **fields})["token"]
        plane.refused(403, "refused", key, "POST", "/groups", {"name": "new"})
        plane.refused(status, None, key, "POST", "/groups/lab/members", {"username": "carol"})
        plane.refused(status, None, key, "DELETE", "/groups/lab/members/ada")
        assert plane.call(key, "GET", "/groups/lab").status_code == (200 if status == 403 else 404)
    assert members(plane, "ada", "lab") == {"ada": True, "bob": False}


def test_groups_and_members_come_in_pages(plane: Plane) -> None:
    for name in ("a", "b", "c"):
        plane.do("ada", "POST", "/groups", {"name": name})
    plane.do("ada", "POST", "/groups/b/members", {"username": "bob"})
    assert [one["name"] for one in plane.do("ada", "GET", "/groups", limit=2)] == ["a", "b"]
    assert [one["name"] for one in plane.do("ada", "GET", "/groups", limit=2, after="b")] == ["c"]
    assert [one["username"] for one in plane.do("ada", "GET", "/groups/b/members", after="ada")] == ["bob"]
