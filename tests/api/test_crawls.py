"""Crawls as they are asked for: who may, what is seen of them, what a root's managers set. Nothing walks here."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from api.plane import Plane
from workspacesio.database.index_tables import Crawl, RootIndexing
from workspacesio.domain import crawl_reasons


@pytest.fixture
def lab(plane: Plane) -> Plane:
    """ada's imported folder `plates`, which bob reads; carol manages the root `existing`."""
    plane.write_file("plates/raw/a", b"12345")
    plane.write_file("other/x", b"1")
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["plates"], "owner": "ada"})
    plane.do("root", "PATCH", "/roots/existing", {"managers": ["carol"]})
    plane.share("ada", 1, "bob")
    with plane.database.write() as session:
        for crawl in session.scalars(select(Crawl)):  # that of the import
            session.delete(crawl)
    return plane


def started(plane: Plane, who: str, **body: Any) -> dict[str, Any]:
    crawl: dict[str, Any] = plane.do(who, "POST", "/crawls", body)
    return crawl


def test_an_import_queues_a_crawl(plane: Plane) -> None:
    plane.write_file("plates/raw/a", b"12345")
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["plates"], "owner": "ada", "dry_run": True})
    assert plane.do("root", "GET", "/crawls") == []
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["plates"], "owner": "ada"})
    (crawl,) = plane.do("ada", "GET", "/crawls")
    assert (crawl["state"], crawl["reason"], crawl["workspace"]) == ("queued", "import", "ada/plates")
    assert crawl["requested_by"] in (None, "root")


def test_an_owner_crawls_a_workspace(lab: Plane) -> None:
    crawl = started(lab, "ada", workspace="plates")
    assert (crawl["root"], crawl["workspace"], crawl["state"]) == ("existing", "ada/plates", "queued")
    assert (crawl["reason"], crawl["requested_by"], crawl["rate"]) == ("request", "ada", None)
    assert (crawl["entries"], crawl["bytes"], crawl["not_indexed"], crawl["problem"]) == (0, 0, {}, None)
    assert lab.verbs()[-1] == "crawl.start"
    # What waits already stands for it.
    assert started(lab, "ada", workspace="ada/plates")["id"] == crawl["id"]
    number = f"/crawls/{crawl['id']}"
    assert lab.do("ada", "POST", f"{number}/pause")["state"] == "paused"
    lab.refused(409, "crawl_not_running", "ada", "POST", f"{number}/pause")
    assert lab.do("ada", "POST", f"{number}/resume")["state"] == "queued"
    lab.refused(409, "crawl_not_paused", "ada", "POST", f"{number}/resume")
    assert lab.verbs()[-2:] == ["crawl.pause", "crawl.resume"]
    assert [one["verb"] for one in lab.do("ada", "GET", "/audit?workspace=plates")][:3] == [
        "crawl.resume",
        "crawl.pause",
        "crawl.start",
    ]


def test_who_sees_and_starts_crawls(lab: Plane) -> None:
    of_workspace = started(lab, "ada", workspace="plates")["id"]
    of_root = started(lab, "carol", root="existing")["id"]
    assert of_root != of_workspace
    seen = {who: [one["id"] for one in lab.do(who, "GET", "/crawls")] for who in ("root", "carol", "ada", "bob")}
    both = [of_root, of_workspace]
    assert seen == {"root": both, "carol": both, "ada": [of_workspace], "bob": []}
    for who, crawl, status in (
        ("ada", of_root, 404),
        ("bob", of_root, 404),
        ("bob", of_workspace, 404),
        ("ada", 99, 404),
    ):
        lab.refused(status, "no_such_crawl", who, "GET", f"/crawls/{crawl}")
        lab.refused(status, "no_such_crawl", who, "POST", f"/crawls/{crawl}/pause")
        lab.refused(status, "no_such_crawl", who, "POST", f"/crawls/{crawl}/resume")
    lab.refused(403, "refused", "bob", "POST", "/crawls", {"workspace": "ada/plates"})
    lab.refused(404, "no_such_workspace", "bob", "POST", "/crawls", {"workspace": "ada/hidden"})
    lab.refused(404, "not_found", "ada", "POST", "/crawls", {"root": "existing"})
    lab.refused(403, "refused", "ada", "POST", "/crawls", {"root": "private"})
    for body in ({}, {"root": "existing", "workspace": "ada/plates"}, {"workspace": "ada/plates/raw"}):
        lab.refused(422, "invalid_request", "carol", "POST", "/crawls", body)
    assert [one["id"] for one in lab.do("root", "GET", "/crawls?root=existing")] == both
    assert lab.do("ada", "GET", "/crawls?root=private") == []
    assert [one["id"] for one in lab.do("root", "GET", "/crawls?workspace=ada/plates")] == [of_workspace]
    lab.refused(404, "not_found", "bob", "GET", "/crawls?root=existing")
    assert [one["id"] for one in lab.do("root", "GET", "/crawls?limit=1")] == [of_root]
    assert [one["id"] for one in lab.do("root", "GET", f"/crawls?after={of_root}")] == [of_workspace]


def test_an_owner_has_no_hand_in_the_crawl_of_the_root(lab: Plane) -> None:
    """It counts what others have, and its rate is the managers' business."""
    of_root = started(lab, "carol", root="existing", rate=100)
    own = started(lab, "ada", workspace="plates", rate=5000)
    assert (own["id"] != of_root["id"], own["workspace"]) == (True, "ada/plates")
    assert lab.do("carol", "GET", f"/crawls/{of_root['id']}") == of_root


def test_what_managers_set_limits_owners(lab: Plane) -> None:
    lab.do("carol", "PATCH", "/roots/existing", {"indexing": {"rate": 200}})
    assert started(lab, "ada", workspace="plates", rate=5000)["rate"] == 200
    assert started(lab, "ada", workspace="plates", rate=50)["rate"] == 50
    assert started(lab, "carol", root="existing", rate=5000)["rate"] == 5000


def test_narrowed_keys(lab: Plane) -> None:
    lab.workspace("ada", "mine")
    crawl = started(lab, "ada", workspace="plates")["id"]
    narrowings: dict[str, dict[str, Any]] = {
        "reading": {"read_only": True},
        "other": {"workspaces": ["mine"]},
        "this": {"workspaces": ["plates"]},
    }
    keys = {
        name: lab.do("ada", "POST", "/api-keys", {"name": name, **fields})["token"]
        for name, fields in narrowings.items()
    }
    lab.refused(403, "refused", keys["reading"], "POST", "/crawls", {"workspace": "plates"})
    lab.refused(403, "refused", keys["reading"], "POST", f"/crawls/{crawl}/pause")
    assert lab.do(keys["reading"], "GET", f"/crawls/{crawl}")["id"] == crawl
    lab.refused(404, "no_such_workspace", keys["other"], "POST", "/crawls", {"workspace": "plates"})
    lab.refused(404, "no_such_crawl", keys["other"], "GET", f"/crawls/{crawl}")
    assert started(lab, keys["this"], workspace="plates")["id"] == crawl
    carol = lab.do("carol", "POST", "/api-keys", {"name": "one", "workspaces": ["ada/plates"]})["token"]
    of_root = started(lab, "carol", root="existing")["id"]
    assert [one["id"] for one in lab.do(carol, "GET", "/crawls")] == [crawl]
    lab.refused(404, "no_such_crawl", carol, "POST", f"/crawls/{of_root}/pause")
    assert lab.do(carol, "POST", f"/crawls/{crawl}/pause")["state"] == "paused"


def test_reasons_are_counted_and_no_name_is_told(lab: Plane) -> None:
    crawl = started(lab, "ada", workspace="plates")["id"]
    with lab.database.write() as session:
        session.get_one(Crawl, crawl).problems = {
            "not_utf8": {"count": 3, "examples": ["raw/secret-\\xff"]},
            "too_long": 2,
            crawl_reasons.KEPT: {"count": 1, "examples": ["raw/secret/"]},
        }
    text = lab.call("carol", "GET", f"/crawls/{crawl}").text
    assert lab.do("carol", "GET", f"/crawls/{crawl}")["not_indexed"] == {"not_utf8": 3, "too_long": 2}
    assert lab.do("carol", "GET", f"/crawls/{crawl}")["kept"] == {crawl_reasons.KEPT: 1}
    assert "secret" not in text


def test_what_of_a_root_is_indexed(lab: Plane) -> None:
    defaults: dict[str, Any] = {
        "level": "names",
        "rate": None,
        "crawl_every_seconds": 86_400,
        "exclusions": [],
        "cross_filesystems": False,
        "content_allowed_bytes": None,
        "content_read_bytes": 0,
    }
    assert lab.do("carol", "GET", "/roots/existing")["indexing"] == defaults
    # Whoever may only create there sees no settings: exclusions are names.
    assert lab.do("ada", "GET", "/roots/private")["indexing"] is None
    assert {one["indexing"] is None for one in lab.do("ada", "GET", "/roots")} == {True}
    wanted = {"level": "metadata", "exclusions": ["*.tmp", "cache/"], "rate": 1000}
    changed = lab.do("carol", "PATCH", "/roots/existing", {"indexing": wanted})
    assert changed["indexing"] == {**defaults, **wanted}
    assert lab.verbs()[-1] == "root.index"
    (crawl,) = lab.do("carol", "GET", "/crawls?root=existing")
    assert (crawl["reason"], crawl["workspace"]) == ("settings", None)
    # What is left out stays; None takes a limit or the schedule away.
    changed = lab.do(
        "carol", "PATCH", "/roots/existing", {"indexing": {"rate": None, "crawl_every_seconds": None}}
    )
    assert changed["indexing"] == {**defaults, **wanted, "rate": None, "crawl_every_seconds": None}
    assert len(lab.do("carol", "GET", "/crawls?root=existing")) == 1
    for who, status in (("ada", 404), ("bob", 404)):
        lab.refused(status, None, who, "PATCH", "/roots/existing", {"indexing": {"level": "none"}})
    lab.refused(403, "refused", "ada", "PATCH", "/roots/private", {"indexing": {"level": "none"}})
    with lab.database.read() as session:
        assert session.scalars(select(RootIndexing.level)).all() == ["metadata"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": "all"},
        {"rate": 0},
        {"rate": 10**30},
        {"crawl_every_seconds": 5},
        {"crawl_every_seconds": -1},
        {"exclusions": ["/"]},
        {"exclusions": ["a"] * 201},
        {"exclusions": ["x" * 1025]},
        {"content_allowed_bytes": -1},
        {"content_allowed_bytes": 2**63},
        {"colour": "red"},
    ],
)
def test_settings_that_make_no_sense(lab: Plane, wrong: dict[str, Any]) -> None:
    lab.refused(422, None, "carol", "PATCH", "/roots/existing", {"indexing": wrong})


def test_a_manager_who_leaves_with_the_same_request(lab: Plane) -> None:
    changed = lab.do("carol", "PATCH", "/roots/existing", {"managers": [], "indexing": {"level": "none"}})
    assert changed["managers"] == []
    lab.refused(404, "not_found", "carol", "GET", "/roots/existing")
