"""Shares: given up to what the giver holds, gone with what they rest on, and never wider than asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.plane import Plane


@pytest.fixture
def scans(plane: Plane) -> int:
    workspace_id: int = plane.workspace("ada", "scans")["id"]
    return workspace_id


def _subjects(plane: Plane, who: str, workspace_id: int) -> list[str]:
    shares = plane.do(who, "GET", f"/workspaces/{workspace_id}/shares")
    return [f"{one['subject']}:{one['folder']}:{one['level']}" for one in shares]


def test_a_share_with_everyone_names_nobody_in_the_line_to_type(plane: Plane, scans: int) -> None:
    everyone = plane.do("ada", "POST", f"/workspaces/{scans}/shares", {"subject": "everyone"})
    assert everyone["sign_in_command"] == "wio login http://files.example.org:8100 EMAIL"


def test_a_share_opens_and_unsharing_closes(plane: Plane, scans: int) -> None:
    before = plane.generation()
    answer = plane.call("ada", "POST", f"/workspaces/{scans}/shares", {"subject": "bob"})
    assert answer.status_code == 201
    given = answer.json()
    assert (given["subject"], given["level"], given["folder"], given["enforced"]) == (
        "bob",
        "read",
        "",
        "enforced",
    )
    assert given["sign_in_command"] == "wio login http://files.example.org:8100 bob"
    (seen,) = plane.do("bob", "GET", "/workspaces", scope="shared")
    assert (seen["reference"], seen["level"], seen["folders"]) == ("ada/scans", "read", [])
    middle = plane.generation()
    assert middle > before
    gone = plane.do("ada", "DELETE", f"/workspaces/{scans}/shares", subject="bob")
    assert [one["subject"] for one in gone["revoked"]] == ["bob"]
    assert gone["enforced"] == [{"node": "local", "state": "enforced"}]
    assert plane.generation() > middle
    assert plane.do("bob", "GET", "/workspaces") == []
    plane.refused(404, "not_found", "bob", "GET", f"/workspaces/{scans}")
    assert plane.verbs()[-2:] == ["share.give", "share.revoke"]


def test_sharing_again_replaces(plane: Plane, scans: int) -> None:
    plane.share("ada", scans, "bob", "readwrite")
    answer = plane.call("ada", "POST", f"/workspaces/{scans}/shares", {"subject": "bob", "level": "read"})
    assert answer.status_code == 200
    assert _subjects(plane, "ada", scans) == ["bob::read"]
    assert plane.do("bob", "GET", f"/workspaces/{scans}")["level"] == "read"


def test_a_folder_share_shows_the_folder_and_no_sizes(plane: Plane, scans: int) -> None:
    plane.share("ada", scans, "bob", "readwrite", folder="/2026/mri")
    seen = plane.do("bob", "GET", f"/workspaces/{scans}")
    assert (seen["level"], seen["folders"]) == (None, [{"folder": "2026/mri/", "level": "readwrite"}])
    assert (seen["objects"], seen["bytes"]) == (None, None)


def test_groups_and_everyone(plane: Plane, scans: int) -> None:
    plane.group("lab", "bob")
    plane.share("ada", scans, "@lab", "readwrite")
    plane.share("ada", scans, "everyone")
    assert plane.do("bob", "GET", f"/workspaces/{scans}")["level"] == "readwrite"
    assert plane.do("carol", "GET", f"/workspaces/{scans}")["level"] == "read"
    plane.leave("lab", "bob")
    assert plane.do("bob", "GET", f"/workspaces/{scans}")["level"] == "read"
    plane.do("ada", "DELETE", f"/workspaces/{scans}/shares", subject="everyone")
    plane.refused(404, None, "bob", "GET", f"/workspaces/{scans}")


def test_subjects_that_do_not_exist(plane: Plane, scans: int) -> None:
    path = f"/workspaces/{scans}/shares"
    plane.refused(404, "no_such_user", "ada", "POST", path, {"subject": "nobody"})
    plane.refused(404, "no_such_group", "ada", "POST", path, {"subject": "@nobody"})
    plane.refused(404, "no_such_share", "ada", "DELETE", path, subject="bob")
    plane.refused(409, "is_owner", "ada", "POST", path, {"subject": "ada"})


@pytest.mark.parametrize("folder", ["../up", "a//b", "a/../b", ".", "a\n/..", ".zfs", "x" * 300])
def test_folders_that_climb_are_refused(plane: Plane, scans: int, folder: str) -> None:
    plane.refused(422, None, "ada", "POST", f"/workspaces/{scans}/shares", {"subject": "bob", "folder": folder})


def test_a_share_expires_by_itself(plane: Plane, scans: int) -> None:
    ends = plane.clock.now + timedelta(minutes=30)
    plane.share("ada", scans, "bob", expires_at=ends.isoformat())
    assert plane.call("bob", "GET", f"/workspaces/{scans}").status_code == 200
    plane.clock.advance(minutes=30)
    plane.refused(404, None, "bob", "GET", f"/workspaces/{scans}")
    path = f"/workspaces/{scans}/shares"
    past = {"subject": "carol", "expires_at": ends.isoformat()}
    plane.refused(422, "invalid_expiry", "ada", "POST", path, past)


def test_an_expired_share_stands_in_nobodys_way(plane: Plane, scans: int) -> None:
    ends = plane.clock.now + timedelta(minutes=30)
    plane.share("ada", scans, "bob", "own")
    plane.share("ada", scans, "carol", expires_at=ends.isoformat())
    plane.clock.advance(hours=1)
    assert _subjects(plane, "ada", scans) == ["bob::own"]
    plane.refused(404, "no_such_share", "ada", "DELETE", f"/workspaces/{scans}/shares", subject="carol")
    plane.share("bob", scans, "carol", "readwrite")
    assert _subjects(plane, "ada", scans) == ["bob::own", "carol::readwrite"]


def test_readers_and_writers_may_not_share(plane: Plane, scans: int) -> None:
    for level in ("read", "readwrite"):
        plane.share("ada", scans, "bob", level)
        plane.refused(403, "refused", "bob", "POST", f"/workspaces/{scans}/shares", {"subject": "carol"})
    plane.refused(404, "not_found", "carol", "POST", f"/workspaces/{scans}/shares", {"subject": "carol"})


def test_own_gives_on_within_its_folder(plane: Plane, scans: int) -> None:
    plane.share("ada", scans, "bob", "own", folder="mri")
    path = f"/workspaces/{scans}/shares"
    plane.refused(403, "refused", "bob", "POST", path, {"subject": "carol"})
    plane.refused(403, "refused", "bob", "POST", path, {"subject": "carol", "folder": "mri2"})
    plane.share("bob", scans, "carol", "own", folder="mri/2026")
    plane.refused(403, "own_share", "bob", "POST", path, {"subject": "bob", "folder": "mri/x", "level": "own"})
    assert _subjects(plane, "bob", scans) == ["bob:mri/:own", "carol:mri/2026/:own"]
    assert _subjects(plane, "carol", scans) == ["carol:mri/2026/:own"]


def test_what_was_given_on_goes_with_what_it_rests_on(plane: Plane, scans: int) -> None:
    plane.user("dan")
    plane.share("ada", scans, "bob", "own")
    plane.share("bob", scans, "carol", "own")
    plane.share("carol", scans, "dan")
    gone = plane.do("ada", "DELETE", f"/workspaces/{scans}/shares", subject="bob")
    assert [one["subject"] for one in gone["revoked"]] == ["bob", "carol", "dan"]
    for username in ("bob", "carol", "dan"):
        plane.refused(404, None, username, "GET", f"/workspaces/{scans}")
    assert plane.verbs()[-3:] == ["share.revoke"] * 3


def test_lowering_below_own_takes_what_rested_on_it(plane: Plane, scans: int) -> None:
    plane.share("ada", scans, "bob", "own")
    plane.share("bob", scans, "carol")
    plane.share("ada", scans, "bob", "readwrite")
    assert _subjects(plane, "ada", scans) == ["bob::readwrite"]


def test_nobody_gives_for_longer_than_they_hold(plane: Plane, scans: int) -> None:
    ends = plane.clock.now + timedelta(days=1)
    later = plane.clock.now + timedelta(days=2)
    plane.share("ada", scans, "bob", "own", expires_at=ends.isoformat())
    path = f"/workspaces/{scans}/shares"
    plane.refused(
        403, "beyond_own_share", "bob", "POST", path, {"subject": "carol", "expires_at": later.isoformat()}
    )
    assert plane.share("bob", scans, "carol")["expires_at"] == "2026-11-23T10:00:00Z"
    sooner = plane.clock.now + timedelta(hours=1)
    plane.share("ada", scans, "bob", "own", expires_at=sooner.isoformat())
    ends_now = {one["subject"]: one["expires_at"] for one in plane.do("ada", "GET", path)}
    assert ends_now == {"bob": "2026-11-22T11:00:00Z", "carol": "2026-11-22T11:00:00Z"}


def test_holders_of_own_change_only_what_they_gave_or_what_rests_on_it(plane: Plane, scans: int) -> None:
    plane.user("dan")
    plane.share("ada", scans, "bob", "own")
    plane.share("ada", scans, "carol", "own")
    path = f"/workspaces/{scans}/shares"
    plane.refused(403, "not_your_share", "bob", "POST", path, {"subject": "carol", "level": "read"})
    plane.refused(403, "not_your_share", "bob", "DELETE", path, subject="carol")
    plane.do("ada", "DELETE", path, subject="carol")
    plane.share("bob", scans, "carol", "own")
    plane.share("carol", scans, "dan", "readwrite")
    plane.share("bob", scans, "dan", "read")
    plane.do("bob", "DELETE", path, subject="dan")
    assert _subjects(plane, "ada", scans) == ["bob::own", "carol::own"]


def test_a_share_never_rests_on_itself(plane: Plane, scans: int) -> None:
    """Two holders of `own` give each other shares; when what both rest on goes, both are gone."""
    plane.group("lab", "bob", "carol")
    plane.share("ada", scans, "@lab", "own")
    plane.share("bob", scans, "carol", "own", folder="mri")
    plane.share("carol", scans, "bob", "own", folder="mri")
    plane.share("bob", scans, "carol", "own", folder="mri")
    plane.do("ada", "DELETE", f"/workspaces/{scans}/shares", subject="@lab")
    assert _subjects(plane, "ada", scans) == []
    plane.refused(404, None, "bob", "GET", f"/workspaces/{scans}")


def test_anybody_leaves(plane: Plane, scans: int) -> None:
    plane.share("ada", scans, "bob")
    plane.do("bob", "DELETE", f"/workspaces/{scans}/shares", subject="bob")
    plane.refused(404, None, "bob", "GET", f"/workspaces/{scans}")


def test_others_shares_are_not_told(plane: Plane, scans: int) -> None:
    plane.share("ada", scans, "bob")
    plane.share("ada", scans, "carol")
    assert _subjects(plane, "bob", scans) == ["bob::read"]
    plane.refused(404, "no_such_share", "bob", "DELETE", f"/workspaces/{scans}/shares", subject="carol")


def test_who_has_access_and_through_what(plane: Plane, scans: int) -> None:
    plane.group("lab", "bob", "carol")
    plane.share("ada", scans, "@lab", "readwrite", folder="mri")
    plane.share("ada", scans, "bob", "own")
    plane.share("ada", scans, "everyone")
    found = plane.do("ada", "GET", f"/workspaces/{scans}/access")
    lines = {(one["subject"], one["user"], one["folder"], one["level"], one["through"]) for one in found}
    assert lines == {
        ("ada", "ada", "", "owner", "owner"),
        ("bob", "bob", "", "own", "share"),
        ("everyone", None, "", "read", "share with everyone"),
        ("@lab", "bob", "mri/", "readwrite", "group @lab"),
        ("@lab", "carol", "mri/", "readwrite", "group @lab"),
        ("root", "root", "", "manages", "administrator"),
    }
    assert plane.do("bob", "GET", f"/workspaces/{scans}/access") == found
    plane.refused(403, "refused", "carol", "GET", f"/workspaces/{scans}/access")
    plane.do("root", "POST", "/users/bob/disable")
    found = plane.do("ada", "GET", f"/workspaces/{scans}/access")
    assert "bob" not in {one["user"] for one in found}


def test_a_share_of_a_folder_where_nothing_is_says_so(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    assert plane.share("ada", made["id"], "bob")["empty"] is True
    plane.write_file("private/ada/scans/here/x.txt")
    assert plane.share("ada", made["id"], "bob")["empty"] is False
    assert plane.share("ada", made["id"], "bob", folder="here")["empty"] is False
    assert plane.share("ada", made["id"], "bob", folder="her")["empty"] is True
    # What isn't served, as only its owner may read it, is as good as not there.
    hidden = plane.write_file("private/ada/scans/closed/x.txt")
    hidden.chmod(0o600)
    assert plane.share("ada", made["id"], "bob", folder="closed")["empty"] is True


def test_a_share_is_given_though_the_node_is_down(plane: Plane) -> None:
    made = plane.workspace("ada", "scans")
    plane.folder.rename(plane.folder.with_name("away"))
    answer = plane.share("ada", made["id"], "bob")
    assert (answer["enforced"], answer["empty"]) == ("enforced", None)
