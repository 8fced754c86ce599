"""Import: folders become workspaces where they lie; nothing on disk changes; what isn't served is told."""

from __future__ import annotations

import getpass
import json
import os
from typing import Any

import pytest

from api.plane import Plane


def _lines(plane: Plane, who: str = "root", root: str = "existing", **body: Any) -> list[dict[str, Any]]:
    response = plane.call(who, "POST", f"/roots/{root}/import", body)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def _report(plane: Plane, **body: Any) -> dict[str, Any]:
    report: dict[str, Any] = _lines(plane, **body)[-1]["report"]
    return report


def _tree(plane: Plane) -> dict[str, tuple[int, ...]]:
    found = {}
    for folder, names, files in os.walk(plane.folder):
        for name in [*names, *files]:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (
                status.st_mode,
                status.st_uid,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
    return found


def test_a_folder_becomes_a_workspace(plane: Plane) -> None:
    plane.write_file("Brain Scans/a.nii", b"1234")
    plane.write_file("Brain Scans/deep/b.nii", b"12")
    before, generation = _tree(plane), plane.generation()
    lines = _lines(plane, folders=["Brain Scans"], owner="ada")
    assert lines[0].keys() == {"progress"}
    report = lines[-1]["report"]
    assert report["workspaces"] == [
        {
            "folder": "Brain Scans/",
            "name": "Brain Scans",
            "owner": "ada",
            "objects": 2,
            "bytes": 6,
            "created": True,
        }
    ]
    assert report["refused"] == []
    (seen,) = plane.do("ada", "GET", "/workspaces")
    assert (seen["prefix"], seen["imported"], seen["objects"], seen["bytes"]) == ("Brain Scans/", True, 2, 6)
    assert _tree(plane) == before
    assert plane.generation() > generation
    assert plane.verbs()[-1] == "workspace.import"
    # Again: it was one already.
    (again,) = _report(plane, folders=["Brain Scans"])["workspaces"]
    assert again == report["workspaces"][0] | {"created": False}


def test_a_dry_run_makes_nothing(plane: Plane) -> None:
    plane.write_file("scans/a.nii")
    generation = plane.generation()
    (one,) = _report(plane, folders=["scans"], dry_run=True)["workspaces"]
    assert (one["name"], one["objects"], one["created"]) == ("scans", 1, False)
    assert plane.generation() == generation
    assert plane.do("root", "GET", "/workspaces") == []


def test_all_folders_but_the_managed_ones(plane: Plane) -> None:
    plane.workspace("ada", "mine")
    plane.write_file("private/ada/mine/x")
    plane.write_file("one/a")
    plane.write_file("two/b")
    (plane.folder / "three").mkdir()
    plane.write_file("loose.txt")
    (plane.folder / "link").symlink_to("one")
    (plane.folder / ".zfs").mkdir()
    report = _report(plane, all=True)
    assert [one["folder"] for one in report["workspaces"]] == ["one/", "three/", "two/"]
    assert [one["folder"] for one in report["refused"]] == ["private/"]
    assert {one["reason"]: (one["count"], one["examples"]) for one in report["not_served"]} == {
        "it is a symbolic link": (1, ["link"]),
        "it lies directly in the root, and a workspace is a folder": (1, ["loose.txt"]),
        "it has the name of a system folder": (1, [".zfs"]),
    }
    assert {one["owner"] for one in report["workspaces"]} == {"root"}


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_folder_of_its_owner_alone_does_not_stop_the_others(plane: Plane, dry_run: bool) -> None:
    plane.write_file("closed/a")
    plane.write_file("open/b")
    (plane.folder / "closed").chmod(0o700)
    report = _report(plane, all=True, dry_run=dry_run)
    assert [(one["folder"], one["objects"]) for one in report["workspaces"]] == [("open/", 1)]
    assert report["refused"] == [
        {"folder": "closed/", "reason": "This folder can't be served: only its owner may read it."}
    ]
    assert [one["name"] for one in plane.do("root", "GET", "/workspaces")] == ([] if dry_run else ["open"])


def test_what_will_not_be_served_is_told(plane: Plane) -> None:
    plane.write_file("scans/fine")
    plane.write_file("scans/closed").chmod(0o600)
    os.mkfifo(plane.folder / "scans/pipe")
    (plane.folder / "scans/out").symlink_to("/etc/hostname")
    with open(os.fsencode(plane.folder) + b"/scans/bad\xff", "wb"):
        pass
    report = _report(plane, folders=["scans"])
    assert report["workspaces"][0]["objects"] == 1
    told = {tuple(one["examples"]): one["count"] for one in report["not_served"]}
    assert told == {
        ("scans/closed",): 1,
        ("scans/pipe",): 1,
        ("scans/out",): 1,
        ("scans/bad\\xff",): 1,
    }


def test_folders_in_and_over_workspaces_are_refused(plane: Plane) -> None:
    plane.write_file("lab/scans/a")
    _report(plane, folders=["lab/scans"])
    report = _report(plane, folders=["lab", "lab/scans/deep", "lab/scans", "missing", "lab/scans/a"])
    assert [one["folder"] for one in report["workspaces"]] == ["lab/scans/"]
    assert {one["folder"] for one in report["refused"]} == {"lab/", "lab/scans/deep/", "missing/", "lab/scans/a/"}


def test_folders_of_one_import_do_not_overlap(plane: Plane) -> None:
    plane.write_file("lab/scans/a")
    report = _report(plane, folders=["lab/scans", "lab"])
    assert [one["folder"] for one in report["workspaces"]] == ["lab/scans/"]
    assert report["refused"] == [{"folder": "lab/", "reason": "it overlaps another folder of this import"}]


def test_links_in_the_way_are_refused(plane: Plane) -> None:
    plane.write_file("real/scans/a")
    (plane.folder / "link").symlink_to("real")
    report = _report(plane, folders=["link", "link/scans"])
    assert report["workspaces"] == []
    assert len(report["refused"]) == 2


@pytest.mark.parametrize("folder", ["../data", "a//b", ".zfs", "a/../b"])
def test_folders_that_climb(plane: Plane, folder: str) -> None:
    plane.refused(422, "invalid_folder", "root", "POST", "/roots/existing/import", {"folders": [folder]})


def test_labels_are_made_from_folders_and_numbered(plane: Plane) -> None:
    plane.write_file("a/scans/x")
    plane.write_file("b/scans/x")
    plane.write_file("c/we$ird*name/x")
    plane.workspace("ada", "scans")
    report = _report(plane, folders=["a/scans", "b/scans", "c/we$ird*name"], owner="ada")
    assert [one["name"] for one in report["workspaces"]] == ["scans-2", "scans-3", "we_ird_name"]


def test_a_name_for_one_folder(plane: Plane) -> None:
    plane.write_file("a/x")
    plane.write_file("b/x")
    assert _report(plane, folders=["a"], name="Alpha")["workspaces"][0]["name"] == "Alpha"
    assert _report(plane, folders=["b"], name="Alpha")["refused"] == [
        {"folder": "b/", "reason": "'root' has a workspace called 'Alpha' already"}
    ]
    plane.refused(
        422, "invalid_request", "root", "POST", "/roots/existing/import", {"folders": ["a", "b"], "name": "x"}
    )


def test_the_unix_owner_becomes_the_owner(plane: Plane) -> None:
    me = getpass.getuser()
    plane.write_file("mine/x")
    plane.write_file("theirs/x")
    os.chown(plane.folder / "theirs", 61_234, 61_234)
    report = _report(plane, all=True, owner_from_unix=True, dry_run=True)
    assert [(one["folder"], one["owner"]) for one in report["workspaces"]] == [("mine/", me)]
    assert report["refused"] == [{"folder": "theirs/", "reason": "There is no user 'uid 61234'."}]


def test_owners_that_cannot_be(plane: Plane) -> None:
    plane.write_file("a/x")
    plane.do("root", "POST", "/users/bob/disable")
    for owner in ("nobody", "bob"):
        assert _report(plane, folders=["a"], owner=owner)["workspaces"] == []


def test_who_imports(plane: Plane) -> None:
    plane.write_file("a/x")
    body = {"folders": ["a"]}
    plane.refused(404, "not_found", "ada", "POST", "/roots/existing/import", body)
    plane.refused(403, "refused", "ada", "POST", "/roots/private/import", body)
    plane.refused(409, "root_is_managed", "root", "POST", "/roots/private/import", body)
    plane.refused(422, "invalid_request", "root", "POST", "/roots/existing/import", {})
    plane.refused(422, "invalid_request", "root", "POST", "/roots/existing/import", body | {"all": True})
    plane.do("root", "PATCH", "/roots/existing", {"managers": ["ada"]})
    assert _lines(plane, who="ada", folders=["a"])[-1]["report"]["workspaces"][0]["owner"] == "ada"


def test_a_whole_root_is_imported(plane: Plane) -> None:
    plane.write_file("a/x")
    for name in ("private", "public"):
        plane.do("root", "DELETE", f"/roots/{name}")
    (one,) = _report(plane, folders=["/"], owner="ada")["workspaces"]
    assert (one["folder"], one["name"], one["objects"]) == ("", "existing", 1)
    assert plane.do("ada", "GET", "/workspaces")[0]["prefix"] == ""


def test_releasing_touches_nothing(plane: Plane) -> None:
    plane.write_file("scans/a")
    _report(plane, folders=["scans"], owner="ada")
    (made,) = plane.do("ada", "GET", "/workspaces")
    plane.share("ada", made["id"], "bob", "own")
    plane.refused(403, "refused", "bob", "POST", f"/workspaces/{made['id']}/release")
    before, generation = _tree(plane), plane.generation()
    plane.do("ada", "POST", f"/workspaces/{made['id']}/release")
    assert _tree(plane) == before
    assert plane.generation() > generation
    assert plane.do("bob", "GET", "/workspaces") == []
    assert plane.verbs()[-1] == "workspace.release"
    assert _report(plane, folders=["scans"])["workspaces"][0]["created"] is True


def test_a_node_that_is_down_says_so_before_anything_is_walked(plane: Plane) -> None:
    plane.write_file("a/x")
    plane.folder.rename(plane.folder.with_name("elsewhere"))
    plane.folder.mkdir()
    plane.refused(503, "node_down", "root", "POST", "/roots/existing/import", {"all": True})
