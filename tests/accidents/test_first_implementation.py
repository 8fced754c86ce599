"""The mistakes of the first implementation of this idea, one test each where it applies here."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accidents.api import Api
from accidents.lab import BUCKET, Lab
from accidents.wire import encoded
from servers.service import PASSWORD, Person


@dataclass
class Scene:
    lab: Lab
    bob: Person


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    """bob with a shell, signed in; ada's workspace `shared`, which he reads."""
    lab.write("shared/file", b"content")
    lab.ada.share(lab.imported("shared"), "bob", "read")
    bob = lab.shell("bob", lab.bob)
    del bob.environment["WIO_TOKEN"]  # what is cached belongs to a sign-in
    bob.wio("login", lab.service.api_url, bob.email, "--password-stdin", stdin=f"{PASSWORD}\n")
    return Scene(lab, bob)


def test_a_folder_named_like_a_user_gives_that_user_nothing(scene: Scene) -> None:
    """A workspace named `x/carol` gave carol everything in a private bucket."""
    lab = scene.lab
    assert lab.bob.call("POST", "/workspaces", {"name": "x/carol"}).status == 422
    made = lab.bob.create("carol")
    lab.write(f"{made['prefix']}secret", b"of bob")
    for folder in ("carol", "x/carol", "private-like/carol/x", "public-like/carol"):
        lab.write(f"existing-{folder}/secret" if not folder.startswith("x") else f"{folder}/secret", b"of ada")
    lab.imported("x")
    carol = lab.carol.keys()
    for path in (f"{made['prefix']}secret", "x/carol/secret", "existing-carol/secret"):
        assert carol.get(f"/{BUCKET}/{path}").status == 403, path
    for prefix in ("", "x/", "x/carol/", "private/bob/carol/", "private/"):
        assert carol.list(BUCKET, prefix).status == 403, prefix
    assert lab.carol.done("GET", "/workspaces") == []


def test_a_key_for_one_workspace_is_not_for_all_of_its_owner(scene: Scene) -> None:
    one, other = scene.lab.bob.create("one"), scene.lab.bob.create("other")
    keys = scene.lab.bob.keys("one")
    assert keys.put(f"/{BUCKET}/{one['prefix']}x", b"x").status == 200
    for ask in (
        keys.get(f"/{BUCKET}/{other['prefix']}x"),
        keys.put(f"/{BUCKET}/{other['prefix']}x", b"x"),
        keys.get(f"/{BUCKET}/shared/file"),
    ):
        assert ask.status == 403
    issued = scene.lab.bob.issue("one")
    assert [covered["reference"] for covered in issued["workspaces"]] == ["bob/one"]


def test_a_cached_key_for_reading_does_not_block_a_new_workspace(scene: Scene) -> None:
    assert "file" in scene.bob.wio("mc", "ls", "ada/shared")
    assert "content" in scene.bob.wio("mc", "cat", "ada/shared/file")
    scene.bob.wio("token", "ada/shared", "--read-only")
    scene.bob.wio("create", "brand-new")
    scene.bob.wio("mc", "cp", "ada/shared/file", "brand-new/file")
    assert "content" in scene.bob.wio("mc", "cat", "brand-new/file")
    assert "content" in scene.bob.wio("mc", "cat", "bob/brand-new/file")


def test_a_share_that_has_expired_issues_no_key(scene: Scene) -> None:
    lab = scene.lab
    lab.write("expiring/file", b"content")
    workspace = lab.imported("expiring")
    ends = datetime.now(UTC) + timedelta(seconds=2)
    lab.ada.share(workspace, "bob", "own", expires_at=ends.isoformat())
    assert lab.bob.issue("ada/expiring")
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() + 0.05))
    for path, body in (
        ("/credentials", {"workspaces": ["ada/expiring"]}),
        ("/presign", {"reference": "ada/expiring/file"}),
        (f"/workspaces/{workspace}/shares", {"subject": "carol"}),
        ("/api-keys", {"name": "k", "workspaces": ["ada/expiring"]}),
    ):
        assert lab.bob.call("POST", path, body).status == 404, path
    assert "ada/expiring" not in [one["reference"] for one in lab.bob.issue()["workspaces"]]
    scene.bob.refused("token", "ada/expiring")
    scene.bob.refused("share", "ada/expiring", "carol")


def test_nobody_deletes_others_workspaces_or_adds_roots_to_others_nodes(scene: Scene) -> None:
    lab = scene.lab
    shared = lab.ada.workspace("shared")["id"]
    made = lab.bob.create("of-bob-alone")
    lab.write(f"{made['prefix']}file", b"x")
    for caller, workspace, status in (
        (lab.bob, shared, 403),
        (lab.carol, shared, 404),
        (lab.carol, made["id"], 404),
        (lab.ada, made["id"], 403),
    ):
        for query in ("", "?delete_objects=true"):
            assert caller.call("DELETE", f"/workspaces/{workspace}{query}").status == status
    assert os.path.exists(lab.path("shared/file"))
    assert os.path.exists(lab.path(made["prefix"], "file"))
    for name in ("local", "another"):
        wanted = {"node": name, "bucket": BUCKET, "prefix": "private/ada", "type": "public"}
        assert lab.bob.call("POST", "/roots", wanted).status == 404
    assert lab.bob.call("DELETE", "/nodes/local?force=true").status == 404
    assert lab.bob.call("DELETE", "/roots/private").status == 403
    # By accident neither: a workspace that holds objects goes only with an explicit word.
    assert lab.bob.call("DELETE", f"/workspaces/{made['id']}").error == "workspace_not_empty"


def test_find_du_tree_and_mirror_of_one_s_own_workspace_work(scene: Scene, tmp_path: Any) -> None:
    scene.bob.wio("create", "walked")
    for name in ("a", "b/c", "b/d/e"):
        scene.bob.wio("mc", "pipe", f"walked/{name}", stdin=name)
    assert "b/d/e" in scene.bob.wio("mc", "find", "walked")
    assert "b/d/e" in scene.bob.wio("mc", "ls", "--recursive", "walked")
    assert "3 objects" in scene.bob.wio("mc", "du", "walked")
    assert "e" in scene.bob.wio("mc", "tree", "--files", "walked")
    scene.bob.wio("mc", "mirror", "walked", str(tmp_path / "mirrored"))
    assert sorted(
        str(path.relative_to(tmp_path / "mirrored"))
        for path in (tmp_path / "mirrored").rglob("*")
        if path.is_file()
    ) == ["a", "b/c", "b/d/e"]


@pytest.mark.parametrize("page", [1, 7, 100, 101, 999, 1000])
def test_no_object_is_lost_at_the_end_of_a_page_and_none_comes_twice(scene: Scene, page: int) -> None:
    """The crawl lost every 101st object and kept deleted ones."""
    lab = scene.lab
    if not os.path.exists(lab.path("paged")):
        for number in range(2_030):
            lab.write(f"paged/{number // 203}/{number:05}")
        lab.imported("paged")
    keys = lab.ada.keys("paged")
    assert keys.request("DELETE", f"/{BUCKET}/paged/3/00650").status == 204
    if page == 1:
        page, prefix = 1, "paged/9/"
    else:
        prefix = "paged/"
    expected = sorted(
        os.path.relpath(os.path.join(folder, name), lab.folder)
        for folder, _, names in os.walk(lab.path(prefix))
        for name in names
    )
    for kind, marker in (("list-type=2&", "continuation-token"), ("", "marker"), ("versions&", "key-marker")):
        seen: list[str] = []
        after = ""
        while True:
            more = f"&{marker}={encoded(after)}" if after else ""
            answer = keys.get(f"/{BUCKET}?{kind}prefix={prefix}&max-keys={page}{more}")
            assert answer.status == 200
            found = answer.texts("Key")
            assert len(found) <= page
            seen += found
            if answer.texts("IsTruncated") == ["false"]:
                break
            after = (
                answer.texts("NextContinuationToken")
                or answer.texts("NextMarker")
                or answer.texts("NextKeyMarker")
            )[0]
        assert seen == expected
    lab.write("paged/3/00650")


def test_a_request_with_an_api_key_costs_no_slow_hash(scene: Scene) -> None:
    """Every API-key request cost 223 ms of bcrypt. A key is long and random, so it costs what a session costs."""
    made = scene.lab.bob.done("POST", "/api-keys", {"name": "fast"})
    program = Api(scene.lab.bob.host, scene.lab.bob.port, made["token"])

    def median(caller: Api) -> float:
        taken = []
        for _ in range(30):
            began = time.monotonic()
            assert caller.call("GET", "/me").status == 200
            taken.append(time.monotonic() - began)
        return statistics.median(taken)

    assert median(program) < 3 * median(scene.lab.bob) + 0.02


def test_an_error_leaves_no_key_issued(scene: Scene) -> None:
    bob = scene.lab.bob
    before = bob.done("GET", "/credentials"), bob.done("GET", "/api-keys")
    for path, body in (
        ("/credentials", {"workspaces": ["of-nobody"]}),
        ("/credentials", {"workspaces": ["one", "of-nobody"]}),
        ("/credentials", {"duration_seconds": 1}),
        ("/credentials", {"duration_seconds": 40_000_000}),
        ("/credentials", {"duration_seconds": 10_000_000}),
        ("/credentials", {"node": "nowhere"}),
        ("/presign", {"reference": "one/../x"}),
        ("/presign", {"reference": "one"}),
        ("/presign", {"reference": "ada/shared/file", "method": "PUT"}),
        ("/presign", {"reference": "one/x", "expires_seconds": 10_000_000}),
        ("/api-keys", {"name": "../x"}),
        ("/api-keys", {"name": "fine", "expires_at": "2020-01-01T00:00:00Z"}),
        ("/api-keys", {"name": "fine", "workspaces": ["of-nobody"]}),
    ):
        assert bob.call("POST", path, body).status in (403, 404, 409, 422), body
    assert (bob.done("GET", "/credentials"), bob.done("GET", "/api-keys")) == before
