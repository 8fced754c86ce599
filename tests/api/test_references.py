"""What `name/path` and `owner/name/path` mean, and that ambiguity is told, not guessed."""

from __future__ import annotations

from api.plane import Plane


def _meaning(plane: Plane, who: str, reference: str, purpose: str = "read") -> tuple[str, str]:
    found = plane.do(who, "GET", "/workspaces/resolve", reference=reference, purpose=purpose)
    return found["workspace"]["reference"], found["path"]


def test_ones_own_goes_first(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    other = plane.workspace("bob", "scans")
    plane.share("bob", other["id"], "ada", "readwrite")
    assert _meaning(plane, "ada", "scans/a/b.txt") == ("ada/scans", "a/b.txt")
    assert _meaning(plane, "ada", "scans") == ("ada/scans", "")
    assert _meaning(plane, "ada", "bob/scans/a/") == ("bob/scans", "a/")


def test_a_shared_name_is_for_reading_only(plane: Plane) -> None:
    other = plane.workspace("bob", "scans")
    plane.share("bob", other["id"], "ada", "readwrite")
    assert _meaning(plane, "ada", "scans/x") == ("bob/scans", "x")
    error = plane.refused(
        404, "no_such_workspace", "ada", "GET", "/workspaces/resolve", reference="scans/x", purpose="write"
    )
    assert error["message"] == "'scans/x' is no workspace of your own; write bob/scans/x."
    assert _meaning(plane, "ada", "bob/scans/x", "write") == ("bob/scans", "x")


def test_two_shared_ones_are_ambiguous(plane: Plane) -> None:
    for owner in ("bob", "carol"):
        plane.share(owner, plane.workspace(owner, "scans")["id"], "ada")
    error = plane.refused(409, "ambiguous", "ada", "GET", "/workspaces/resolve", reference="scans/x")
    assert error["details"]["candidates"] == ["bob:scans/x", "carol:scans/x"]
    assert error["message"] == "'scans/x' can mean bob:scans/x or carol:scans/x; write one of these."


def test_an_owner_who_is_called_like_a_workspace(plane: Plane) -> None:
    plane.workspace("ada", "bob")
    plane.share("bob", plane.workspace("bob", "scans")["id"], "ada")
    error = plane.refused(409, "ambiguous", "ada", "GET", "/workspaces/resolve", reference="bob/scans/x")
    assert error["details"]["candidates"] == ["ada:bob/scans/x", "bob:scans/x"]
    assert _meaning(plane, "ada", "scans/x") == ("bob/scans", "x")
    assert _meaning(plane, "ada", "ada/bob/scans/x") == ("ada/bob", "scans/x")
    assert _meaning(plane, "ada", "ada:bob/scans/x", "write") == ("ada/bob", "scans/x")
    assert _meaning(plane, "ada", "bob:scans/x") == ("bob/scans", "x")


def test_a_shared_workspace_that_is_called_like_an_owner_takes_nobodys_references(plane: Plane) -> None:
    """Anybody may call a workspace `ada` and share it with everyone: what is written `ada/scans` stays ada's."""
    for name in ("scans", "private"):
        plane.share("ada", plane.workspace("ada", name)["id"], "carol", "readwrite")
    plane.workspace("carol", "own")
    plane.share("bob", plane.workspace("bob", "ada")["id"], "everyone")
    plane.share("bob", plane.workspace("bob", "carol")["id"], "everyone")
    for purpose in ("read", "write"):
        assert _meaning(plane, "carol", "ada/scans/x", purpose) == ("ada/scans", "x")
        assert _meaning(plane, "carol", "carol/own/x", purpose) == ("carol/own", "x")
        assert _meaning(plane, "ada", "ada/scans/x", purpose) == ("ada/scans", "x")
    # Where the owner has no such workspace that is in sight, it is the shared one.
    assert _meaning(plane, "carol", "ada/other/x") == ("bob/ada", "other/x")
    assert _meaning(plane, "carol", "bob/ada/scans/x") == ("bob/ada", "scans/x")


def test_what_is_written_exactly_is_never_ambiguous(plane: Plane) -> None:
    for name in ("ada", "bob"):
        plane.workspace("ada", name)
    error = plane.refused(409, "ambiguous", "ada", "GET", "/workspaces/resolve", reference="ada/bob/x")
    assert error["details"]["candidates"] == ["ada:ada/bob/x", "ada:bob/x"]
    assert _meaning(plane, "ada", "ada:bob/x") == ("ada/bob", "x")
    assert _meaning(plane, "ada", "ada:ada/bob/x") == ("ada/ada", "bob/x")
    assert _meaning(plane, "ada", "ada:bob", "write") == ("ada/bob", "")
    hidden = plane.refused(
        404, "no_such_workspace", "carol", "GET", "/workspaces/resolve", reference="ada:bob/x", purpose="write"
    )
    absent = plane.refused(
        404, "no_such_workspace", "carol", "GET", "/workspaces/resolve", reference="ada:nil/x", purpose="write"
    )
    assert hidden["message"].replace("bob", "nil") == absent["message"]
    for reference in ("ada:", ":bob", "ada:/x", "ada:b:c/x", ":"):
        plane.refused(422, "invalid_reference", "ada", "GET", "/workspaces/resolve", reference=reference)


def test_an_exact_reference_is_taken_wherever_one_is(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    issued = plane.do("ada", "POST", "/credentials", {"workspaces": ["ada:scans"]})
    assert [one["reference"] for one in issued["workspaces"]] == ["ada/scans"]
    assert "/scans/x?" in plane.do("ada", "POST", "/presign", {"reference": "ada:scans/x"})["url"]
    assert plane.do("ada", "POST", "/api-keys", {"name": "k", "workspaces": ["ada:scans"]})["workspaces"]
    assert plane.do("ada", "GET", "/audit", workspace="ada:scans")


def test_ones_own_workspace_that_is_called_like_oneself(plane: Plane) -> None:
    plane.workspace("ada", "ada")
    assert _meaning(plane, "ada", "ada/ada/x") == ("ada/ada", "x")
    assert _meaning(plane, "ada", "ada/x") == ("ada/ada", "x")


def test_what_is_hidden_is_not_found(plane: Plane) -> None:
    plane.workspace("bob", "secret")
    hidden = plane.refused(404, "no_such_workspace", "ada", "GET", "/workspaces/resolve", reference="bob/secret")
    absent = plane.refused(404, "no_such_workspace", "ada", "GET", "/workspaces/resolve", reference="bob/absent")
    assert hidden["message"].replace("secret", "absent") == absent["message"]
    plane.refused(422, "invalid_reference", "ada", "GET", "/workspaces/resolve", reference="/x")


def test_accents_may_be_typed_either_way(plane: Plane) -> None:
    plane.workspace("ada", "caf\u00e9")
    assert _meaning(plane, "ada", "cafe\u0301/x") == ("ada/caf\u00e9", "x")


def test_managers_name_what_they_may_not_read(plane: Plane) -> None:
    plane.workspace("bob", "scans")
    assert _meaning(plane, "root", "bob/scans") == ("bob/scans", "")
    plane.refused(404, "no_such_workspace", "root", "GET", "/workspaces/resolve", reference="scans")
