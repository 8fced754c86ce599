"""Search through the API: what is found, counted and summed up, by whom, and from when on no more."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from api.plane import Plane
from workspacesio.api.fields import rfc3339
from workspacesio.api.index_answers import instant
from workspacesio.database.tables import Root, User
from workspacesio.domain.search_types import year_of
from workspacesio.index import level_changes, remembered, status
from workspacesio.index.extraction.protocol import Extractor
from workspacesio.index.extraction.registry import Registry
from workspacesio.nodes.stamps import EARLIEST, LATEST

FILES = {
    "raw/plate-1.csv": 10,
    "raw/deep/plate-2.csv": 20,
    "raw/image.tif": 300,
    "report plate.txt": 4000,
}


@pytest.fixture
def lab(plane: Plane) -> Plane:
    """ada's imported folder `plates` (1), which bob reads and carol the folder `raw` of; root's `hidden` (2)."""
    for path, size in FILES.items():
        plane.write_file(f"plates/{path}", b"x" * size)
    plane.write_file("hidden/plate-9.csv", b"x")
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["plates"], "owner": "ada"})
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["hidden"], "owner": "root"})
    plane.share("ada", 1, "bob")
    plane.share("ada", 1, "carol", folder="raw")
    plane.crawl()
    return plane


def paths(plane: Plane, who: str, q: str = "", **query: Any) -> list[str]:
    return [one["path"] for one in plane.do(who, "GET", "/search", None, q=q, **query)["results"]]


def test_what_is_found_and_what_is_said_of_it(lab: Plane) -> None:
    answer = lab.do("bob", "GET", "/search", None, q="plate ext:csv", sort="path")
    assert (answer["total"], answer["bytes"], answer["next"]) == (2, 30, None)
    assert answer["notes"] == []
    assert answer["incomplete"] == [
        {
            "code": "words_not_indexed",
            "message": "Not indexed, as operators chose: words in contents of root existing.",
            "roots": ["existing"],
        }
    ]
    assert lab.do("bob", "GET", "/search", None, q="ext:csv")["incomplete"] == []
    deep, first = answer["results"]
    assert deep["path"] == "raw/deep/plate-2.csv"
    assert first == {
        "reference": "ada/plates/raw/plate-1.csv",
        "workspace": "plates",
        "owner": "ada",
        "path": "raw/plate-1.csv",
        "size": 10,
        "modified": first["modified"],
        "node": "local",
        "bucket": "data",
        "key": "plates/raw/plate-1.csv",
        "etag": first["etag"],
        "content_type": None,
        "facts": {},
        "tags": {},
        "problem": None,
        "highlights": [],
    }
    assert first["modified"].endswith("Z")
    assert lab.do("bob", "GET", "/search", None, limit=0)["total"] == len(FILES)


@pytest.mark.parametrize(
    ("microseconds", "spelled"),
    [
        (EARLIEST, "0001-01-01T00:00:00Z"),
        (-60_749_654_400_000_001, "0044-12-01T23:59:59Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (LATEST, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_have_four_digits_of_a_year_and_facets_have_the_same(microseconds: int, spelled: str) -> None:
    assert rfc3339(instant(microseconds)) == spelled
    assert year_of(microseconds) == int(spelled[:4])


def test_order(lab: Plane) -> None:
    by_size = sorted(FILES, key=FILES.__getitem__)
    assert paths(lab, "bob", sort="size") == by_size[::-1]
    assert paths(lab, "bob", sort="size", reverse=True) == by_size
    assert paths(lab, "bob", sort="path") == sorted(FILES)
    assert paths(lab, "bob", sort="path", reverse=True) == sorted(FILES)[::-1]
    assert sorted(paths(lab, "bob", sort="modified")) == sorted(FILES)
    lab.refused(422, "invalid_request", "bob", "GET", "/search?sort=colour")


def test_pages(lab: Plane) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = lab.do("bob", "GET", "/search", None, sort="path", limit=1, **({"after": after} if after else {}))
        seen += [one["path"] for one in page["results"]]
        assert page["total"] == len(FILES)
        after = page["next"]
        if after is None:
            break
        # A place in one person's results is none in anybody else's, nor in those of another query.
        lab.refused(422, "invalid_cursor", "ada", "GET", "/search", None, sort="path", limit=1, after=after)
        lab.refused(422, "invalid_cursor", "bob", "GET", "/search", None, sort="size", limit=1, after=after)
    assert seen == sorted(FILES)
    lab.refused(422, "invalid_cursor", "bob", "GET", "/search?after=nonsense")


def test_words_that_were_found_are_marked(lab: Plane) -> None:
    (found,) = lab.do("bob", "GET", "/search", None, q="report", highlight=True)["results"]
    assert found["highlights"] == [{"text": "report plate.txt", "ranges": [[0, 6]]}]


@pytest.mark.parametrize(
    ("q", "at", "length"),
    [("siz:>1GB", 0, 4), ("plate (csv", 6, 1), ("plate or", 6, 2), ("x" * 3000, 2000, 1), ("(" * 50 + "x", 21, 1)],
)
def test_a_wrong_query_says_where(lab: Plane, q: str, at: int, length: int) -> None:
    for path in ("/search", "/aggregate"):
        error = lab.refused(422, "invalid_query", "bob", "GET", path, None, q=q)
        assert (error["details"]["at"], error["details"]["length"]) == (at, length)
        assert error["details"]["hint"]
        assert error["message"].endswith(".")


def test_numbers(lab: Plane) -> None:
    answer = lab.do("bob", "GET", "/aggregate", None, q="plate", by="ext,owner,folder,workspace")
    assert (answer["total"], answer["bytes"]) == (3, 4030)
    assert list(answer["facets"]) == ["ext", "owner", "folder", "workspace"]
    assert answer["facets"]["ext"] == [
        {"key": "csv", "count": 2, "bytes": 30},
        {"key": "txt", "count": 1, "bytes": 4000},
    ]
    assert answer["facets"]["owner"] == [{"key": "ada", "count": 3, "bytes": 4030}]
    assert answer["facets"]["folder"] == [
        {"key": "ada/plates/raw/", "count": 2, "bytes": 30},
        {"key": "", "count": 1, "bytes": 4000},
    ]
    assert answer["others"]["folder"] == {"count": 0, "bytes": 0}
    below = lab.do("bob", "GET", "/aggregate", None, q="in:ada/plates/raw", by="folder")["facets"]["folder"]
    assert [(one["key"], one["count"]) for one in below] == [("", 2), ("ada/plates/raw/deep/", 1)]
    top = lab.do("bob", "GET", "/aggregate", None, by="ext", top=1)
    assert (top["facets"]["ext"], top["others"]["ext"]) == (
        [{"key": "csv", "count": 2, "bytes": 30}],
        {"count": 2, "bytes": 4300},
    )
    assert lab.do("bob", "GET", "/aggregate", None, q="plate")["facets"] == {}
    lab.refused(422, "no_such_facet", "bob", "GET", "/aggregate?by=ext,colour")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/search?query=plate", "There is no parameter 'query' here; did you mean q."),
        ("/search?q=plate&lmit=3", "There is no parameter 'lmit' here; did you mean limit."),
        (
            "/search?q=plate&xyz=3",
            "There is no parameter 'xyz' here; there are q, sort, reverse, limit, after, highlight.",
        ),
        ("/aggregate?limit=3", "There is no parameter 'limit' here; did you mean top."),
        ("/aggregate?facets=ext", "There is no parameter 'facets' here; did you mean by."),
        ("/workspaces/1/sizes?dept=3", "There is no parameter 'dept' here; did you mean depth."),
        ("/crawls?workspce=plates", "There is no parameter 'workspce' here; did you mean workspace."),
        ("/crawls/1?root=existing", "There is no parameter 'root' here; this address takes none."),
        ("/index?root=existing", "There is no parameter 'root' here; this address takes none."),
        ("/search?q=a&q=b", "The parameter 'q' is given twice; give it once."),
    ],
)
def test_a_parameter_that_nobody_knows_is_refused(lab: Plane, address: str, sentence: str) -> None:
    code = "repeated_parameter" if "twice" in sentence else "no_such_parameter"
    assert lab.refused(422, code, "bob", "GET", address)["message"] == sentence
    lab.refused(401, "not_signed_in", None, "GET", address)


def test_who_finds_what(lab: Plane) -> None:
    in_raw = sorted(path for path in FILES if path.startswith("raw/"))
    assert paths(lab, "ada", sort="path") == sorted(FILES)
    assert paths(lab, "bob", sort="path") == sorted(FILES)
    assert paths(lab, "carol", sort="path") == in_raw
    # An administrator sees names of workspaces, not what is in them.
    assert paths(lab, "root") == ["plate-9.csv"]
    totals = {who: lab.do(who, "GET", "/aggregate")["total"] for who in ("ada", "bob", "carol", "root")}
    assert totals == {"ada": 4, "bob": 4, "carol": 3, "root": 1}
    assert lab.do("carol", "GET", "/aggregate?by=folder")["facets"]["folder"] == [
        {"key": "ada/plates/raw/", "count": 3, "bytes": 330}
    ]


def test_what_was_taken_back_is_not_found(lab: Plane) -> None:
    lab.do("ada", "DELETE", "/workspaces/1/shares?subject=bob")
    assert paths(lab, "bob") == []
    assert lab.do("bob", "GET", "/aggregate?by=ext")["facets"]["ext"] == []
    lab.refused(404, "not_found", "bob", "GET", "/workspaces/1/sizes")
    lab.share("ada", 1, "bob", folder="raw/deep", expires_at="2026-11-22T11:00:00Z")
    assert paths(lab, "bob") == ["raw/deep/plate-2.csv"]
    lab.clock.advance(hours=2)
    assert paths(lab, "bob") == []


def test_a_page_of_what_was_taken_back_is_empty(lab: Plane) -> None:
    after = lab.do("bob", "GET", "/search", None, sort="path", limit=1)["next"]
    lab.do("ada", "DELETE", "/workspaces/1/shares?subject=bob")
    page = lab.do("bob", "GET", "/search", None, sort="path", limit=1, after=after)
    assert (page["total"], page["results"]) == (0, [])


def test_labels_are_those_of_now(lab: Plane) -> None:
    lab.do("ada", "PATCH", "/workspaces/1", {"name": "renamed"})
    assert lab.do("bob", "GET", "/search?q=report")["results"][0]["reference"] == "ada/renamed/report plate.txt"
    assert lab.do("bob", "GET", "/search", None, q="in:renamed report")["total"] == 1
    lab.do("ada", "POST", "/workspaces/1/hand-over", {"to": "root"})
    assert lab.do("bob", "GET", "/aggregate?by=owner")["facets"]["owner"][0]["key"] == "root"
    assert paths(lab, "ada") == []


def test_hidden_and_unknown_names_answer_alike(lab: Plane) -> None:
    lab.user("dora")
    for query, name in (("owner:{}", "root"), ("root:{}", "existing"), ("node:{}", "local")):
        hidden, unknown = (
            lab.call("dora", "GET", "/search", None, q=query.format(one)).text.replace(f"'{one}'", "NAME")
            for one in (name, "nobody")
        )
        assert hidden == unknown
        assert '"total":0' in hidden
    hidden, unknown = (
        lab.refused(404, None, "dora", "GET", "/search", None, q=f"in:{name}")
        for name in ("ada/plates", "ada/nonono")
    )
    assert hidden["code"] == unknown["code"]
    assert hidden["message"].replace("ada/plates", "X") == unknown["message"].replace("ada/nonono", "X")


def test_narrowed_keys(lab: Plane) -> None:
    lab.workspace("ada", "mine")
    narrowings: dict[str, dict[str, Any]] = {"read": {"read_only": True}, "mine": {"workspaces": ["mine"]}}
    narrowed = {
        name: lab.do("ada", "POST", "/api-keys", {"name": name, **fields})["token"]
        for name, fields in narrowings.items()
    }
    assert len(paths(lab, narrowed["read"])) == len(FILES)
    assert paths(lab, narrowed["mine"]) == []
    lab.refused(404, "not_found", narrowed["mine"], "GET", "/workspaces/1/sizes")


def test_sizes(lab: Plane) -> None:
    whole = lab.do("bob", "GET", "/workspaces/1/sizes")
    assert (whole["path"], whole["objects"], whole["bytes"], whole["partial"], whole["children"]) == (
        "",
        4,
        4330,
        False,
        [],
    )
    raw = lab.do("bob", "GET", "/workspaces/1/sizes?path=raw&depth=5")
    assert (raw["path"], raw["objects"], raw["bytes"]) == ("raw/", 3, 330)
    assert raw["children"] == [{"path": "raw/deep/", "objects": 1, "bytes": 20}]
    one = lab.do("bob", "GET", "/workspaces/1/sizes?path=raw/image.tif")
    assert (one["path"], one["objects"], one["bytes"]) == ("raw/image.tif", 1, 300)
    shared = lab.do("carol", "GET", "/workspaces/1/sizes?depth=1")
    assert (shared["objects"], shared["bytes"], shared["partial"]) == (3, 330, True)
    assert [child["path"] for child in shared["children"]] == ["raw/"]
    for path in ("report plate.txt", "report%20plate.txt", "nothing", "raw/deep/x"):
        lab.refused(404, "not_found", "carol", "GET", f"/workspaces/1/sizes?path={path}")
    # A manager sees how large workspaces are, and no folder in them.
    managed = lab.do("root", "GET", "/workspaces/1/sizes?depth=3")
    assert (managed["objects"], managed["bytes"], managed["children"]) == (4, 4330, [])
    lab.refused(404, "not_found", "root", "GET", "/workspaces/1/sizes?path=raw")
    lab.refused(422, "invalid_request", "bob", "GET", "/workspaces/1/sizes?depth=21")


def test_what_is_missing_is_said(plane: Plane) -> None:
    def imported(folder: str) -> None:
        plane.write_file(f"{folder}/x")
        plane.call("root", "POST", "/roots/existing/import", {"folders": [folder], "owner": "ada"})

    def found_and_missing() -> tuple[int, list[str]]:
        plane.index.forget()
        answer = plane.do("ada", "GET", "/search")
        return answer["total"], [one["code"] for one in answer["incomplete"]]

    imported("first")
    for path in ("/search", "/aggregate", "/workspaces/1/sizes"):
        error = plane.refused(503, "index_missing", "ada", "GET", path)
        assert error["message"].endswith(".")
    of_index = plane.do("ada", "GET", "/index")
    assert (of_index["state"], of_index["whole"], of_index["roots"]) == ("away", None, [])
    assert [one["code"] for one in of_index["incomplete"]] == ["index_missing"]
    assert plane.do("root", "GET", "/index")["whole"]["entries"] is None
    plane.crawl()
    assert found_and_missing() == (1, [])
    imported("second")
    assert found_and_missing() == (1, ["not_crawled"])
    assert "existing" in plane.do("ada", "GET", "/aggregate")["incomplete"][0]["message"]
    # Who can't read it hears nothing of it.
    assert plane.do("bob", "GET", "/search")["incomplete"] == []
    plane.crawl()
    assert found_and_missing() == (2, [])
    plane.do("root", "PATCH", "/roots/existing", {"indexing": {"level": "none"}})
    plane.crawl()
    assert found_and_missing() == (0, ["not_indexed"])
    for who in ("ada", "root"):
        assert plane.do(who, "GET", "/workspaces/1/sizes")["incomplete"][0]["code"] == "not_indexed"
    assert "existing" in plane.refused(404, "not_found", "ada", "GET", "/workspaces/1/sizes?path=raw")["message"]
    # Who sees nothing of it hears nothing of it, either.
    hidden = plane.refused(404, "not_found", "bob", "GET", "/workspaces/1/sizes?path=raw")
    assert "existing" not in hidden["message"]


def test_the_state_of_the_index(lab: Plane) -> None:
    lab.do("root", "PATCH", "/roots/existing", {"managers": ["carol"]})
    nothing = {"incomplete": [], "notes": [], "whole": None, "roots": []}
    assert lab.do("bob", "GET", "/index") == {"state": "ready", **nothing}
    managed = lab.do("carol", "GET", "/index")
    assert managed["whole"] is None
    (root,) = managed["roots"]
    assert (root["root"], root["level"], root["objects"], root["bytes"]) == ("existing", "names", 5, 4331)
    assert (root["last_crawl"]["state"], root["open_crawl"]) == ("done", None)
    lab.do("carol", "POST", "/crawls", {"root": "existing"})
    assert lab.do("carol", "GET", "/index")["roots"][0]["open_crawl"]["state"] == "queued"
    whole = lab.do("root", "GET", "/index")["whole"]
    assert (whole["engine"], whole["entries"], whole["objects"], whole["bytes"]) == ("tantivy", 5, 5, 4331)
    assert (whole["behind"], whole["events_waiting"], whole["waiting_since"]) == (0, 0, None)
    assert min(whole["engine_bytes_on_disk"], whole["catalogue_bytes_on_disk"]) > 0


def test_a_root_without_workspaces_is_never_behind(lab: Plane) -> None:
    lab.do("root", "POST", "/crawls", {"root": "private"})
    lab.crawl()
    lag = {one["root"]: one["lag_seconds"] for one in lab.do("root", "GET", "/index")["roots"]}
    assert lag["existing"] >= 0
    assert lag["private"] is None


def test_another_level_says_what_becomes_of_it(lab: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Registry([Extractor("pdf", 1, ("application/pdf",), "m:f", ("a_missing_library",))])
    for module in (level_changes, status):
        monkeypatch.setattr(module, "installed", lambda: lacking)

    def said(**indexing: Any) -> list[tuple[str, str]]:
        answer = lab.do("root", "PATCH", "/roots/existing", {"indexing": indexing})
        return [(note["code"], note["message"]) for note in answer["notes"]]

    missing = (
        "Contents of some files stay unread: PDF: `pip install 'workspacesio[extract]'` on the server brings "
        "a_missing_library. Then start the service again."
    )
    assert said(rate=10) == said(level="names") == []
    assert lab.do("root", "GET", "/index")["notes"] == []
    assert said(level="content") == [
        ("to_be_read", "5 objects of 4,331 bytes are to be read; `wio index status` shows how many are left."),
        ("libraries_missing", missing),
    ]
    assert [one["message"] for one in lab.do("root", "GET", "/index")["notes"]] == [missing]
    assert said(level="metadata") == [
        ("found_no_more", "What was read of contents is not found any more, and removed by and by.")
    ]
    assert [code for code, _ in said(level="names")] == ["found_no_more"]
    assert lab.do("root", "PATCH", "/roots/private", {"indexing": {"level": "metadata"}})["notes"] == [
        {"code": "to_be_read", "message": "Nothing is to be read yet; what crawls find is read then.", "roots": []}
    ]


def test_who_rebuilds_and_compares(lab: Plane) -> None:
    lab.do("root", "PATCH", "/roots/existing", {"managers": ["carol"]})
    for who in ("bob", "carol"):
        lab.refused(403, "refused", who, "POST", "/index/rebuild")
        lab.refused(403, "refused", who, "POST", "/index/verify", {})
    lab.refused(404, "not_found", "bob", "POST", "/index/verify", {"root": "existing"})
    lab.refused(403, "refused", "bob", "POST", "/index/verify", {"root": "private"})
    rebuild = lab.do("root", "POST", "/index/rebuild")
    assert (rebuild["kind"], rebuild["state"], rebuild["root"], rebuild["requested_by"]) == (
        "rebuild",
        "queued",
        None,
        "root",
    )
    assert lab.do("root", "POST", "/index/rebuild")["id"] == rebuild["id"]
    verify = lab.do("carol", "POST", "/index/verify", {"root": "existing"})
    assert (verify["kind"], verify["root"]) == ("verify", "existing")
    assert lab.verbs()[-1] == "index.verify"
    assert [one["id"] for one in lab.do("carol", "GET", "/index/requests")] == [verify["id"]]
    assert [one["id"] for one in lab.do("root", "GET", "/index/requests")] == [verify["id"], rebuild["id"]]
    assert lab.do("bob", "GET", "/index/requests") == []
    lab.refused(404, "no_such_request", "carol", "GET", f"/index/requests/{rebuild['id']}")
    assert lab.do("root", "GET", f"/index/requests/{rebuild['id']}")["id"] == rebuild["id"]


def test_a_link_in_a_shared_folder_tells_nothing_of_what_lies_elsewhere(lab: Plane) -> None:
    """Who holds the folder reads nothing through a link that leads out of it, so nobody finds anything there.

    What it leads to is found where it lies, by those who read that.
    """
    (lab.folder / "plates/raw/up.txt").symlink_to("../report plate.txt")
    (lab.folder / "plates/raw/around").symlink_to("..")
    (lab.folder / "plates/raw/aside").symlink_to("../../plates/later")
    lab.write_file("plates/later/elsewhere.csv", b"x" * 7)
    (lab.folder / "plates/raw/beside.csv").symlink_to("plate-1.csv")
    (lab.folder / "plates/raw/below").symlink_to("deep")
    lab.do("ada", "POST", "/crawls", {"workspace": "plates"})
    lab.crawl()
    beneath = {"raw/beside.csv"}  # and nothing through a link to a folder: that is found in the folder
    assert set(paths(lab, "ada")) == {*FILES, *beneath, "later/elsewhere.csv"}
    assert set(paths(lab, "carol")) == {path for path in FILES if path.startswith("raw/")} | beneath
    assert lab.do("carol", "GET", "/aggregate")["bytes"] == 330 + 10
    assert lab.do("carol", "GET", "/workspaces/1/sizes?path=raw")["bytes"] == 330 + 10
    (crawl,) = lab.do("ada", "GET", "/crawls?workspace=plates&limit=1")
    assert sum(crawl["not_indexed"].values()) == 4


def test_searches_beyond_the_few_that_one_user_may_run_are_refused(
    lab: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = lab.context.searches
    monkeypatch.setattr(searches, "_wait_seconds", 0.01)
    with lab.database.read() as session:
        bob = session.scalars(select(User.id).where(User.username == "bob")).one()
    with searches.turn(bob), searches.turn(bob):
        for path in ("/search", "/aggregate"):
            answer = lab.call("bob", "GET", path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
            assert answer.headers["Retry-After"] == "1"
        assert lab.call("ada", "GET", "/search").status_code == 200
    assert lab.call("bob", "GET", "/search").status_code == 200


def test_whoever_holds_a_folder_learns_nothing_of_its_root(lab: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """carol sees neither it nor a whole workspace in it. That what she reads is incomplete she is told."""
    monkeypatch.setattr(remembered, "UNINDEXED_SECONDS", 0.0)
    asked = [
        ("GET", "/search?q=plate%20type:text/plain%20tag:a"),
        ("GET", "/search?q=root:existing"),
        ("GET", "/aggregate?by=type&q=plate"),
        ("GET", "/workspaces/1/sizes?path=raw"),
        ("GET", "/workspaces/1/sizes?path=report"),
        ("GET", "/workspaces"),
        ("GET", "/workspaces?scope=shared"),
        ("GET", "/workspaces/1"),
    ]
    for level in ("names", "metadata", "content", "none"):
        lab.do("root", "PATCH", "/roots/existing", {"indexing": {"level": level}})
        answers = {address: lab.call("carol", method, address) for method, address in asked}
        assert {answer.status_code for answer in answers.values()} <= {200, 404}
        said = {address: answer.text for address, answer in answers.items()}
        said["root"] = said.pop("/search?q=root:existing").replace("whose root is 'existing'", "")
        assert not [address for address, text in said.items() if "existing" in text]
        remarks = lab.do("carol", "GET", asked[0][1])["incomplete"]
        assert remarks
        for remark in remarks:
            assert "omething shared with you" in remark["message"]
            assert remark["roots"] == []
    (seen,) = lab.do("carol", "GET", "/workspaces")
    assert (seen["root"], seen["folders"]) == (None, [{"folder": "raw/", "level": "read"}])
    # bob reads the whole workspace, and ada owns it.
    for who in ("bob", "ada"):
        assert "existing" in lab.call(who, "GET", asked[0][1]).text
        assert lab.do(who, "GET", "/workspaces/1")["root"] == "existing"
        assert lab.do(who, "GET", "/search?q=root:existing")["notes"] == []
    # A root in which somebody may create workspaces is none to hide from them.
    with lab.database.write() as session:
        session.execute(update(Root).values(type="private", create_policy="everyone"))
    assert lab.do("carol", "GET", "/workspaces/1")["root"] == "existing"
    assert "existing" in lab.call("carol", "GET", asked[0][1]).text


def test_what_is_said_of_an_answer_ends_with_the_right_to_it(lab: Plane) -> None:
    """At once, as the answers themselves: nothing that a process remembers for a second is a right."""
    mine = lab.workspace("ada", "mine")["id"]
    lab.group("readers", "carol")
    key = {"name": "mine", "workspaces": ["mine"]}
    tokens = {who: lab.do(who, "POST", "/api-keys", {"name": "all"})["token"] for who in ("bob", "carol")}
    narrowed = lab.do("ada", "POST", "/api-keys", key)["token"]

    def said(who: str) -> list[tuple[str, list[str]]]:
        answers = [lab.do(who, "GET", address, None, q="plate") for address in ("/search", "/aggregate")]
        assert answers[0]["incomplete"] == answers[1]["incomplete"]
        return [(remark["message"], remark["roots"]) for remark in answers[0]["incomplete"]]

    def words(places: str, *roots: str) -> list[tuple[str, list[str]]]:
        return [(f"Not indexed, as operators chose: words in contents of {places}.", list(roots))]

    assert said("ada") == words("roots existing and private", "existing", "private")
    assert said(narrowed) == words("root private", "private")
    assert said("carol") == said(tokens["carol"]) == words("something shared with you")
    assert said("bob") == said(tokens["bob"]) == words("root existing", "existing")
    # From the whole to a folder of it, until it expires.
    lab.do("ada", "DELETE", "/workspaces/1/shares?subject=bob")
    assert said("bob") == said(tokens["bob"]) == []
    lab.share("ada", 1, "bob", folder="raw", expires_at="2026-11-22T11:00:00Z")
    assert said("bob") == said(tokens["bob"]) == words("something shared with you")
    lab.share("ada", mine, "bob", folder="in/it")
    lab.clock.advance(hours=2)
    # In the private root everybody may create workspaces: it is named to whoever reads something there.
    assert said("bob") == said(tokens["bob"]) == words("root private", "private")
    # To a group, and out of it.
    lab.do("ada", "DELETE", "/workspaces/1/shares?subject=carol&folder=raw/")
    assert said("carol") == []
    lab.share("ada", 1, "@readers")
    assert said("carol") == words("root existing", "existing")
    lab.do("root", "DELETE", "/groups/readers/members/carol")
    assert said("carol") == said(tokens["carol"]) == []
    # A user who is disabled is told nothing.
    lab.do("root", "POST", "/users/bob/disable")
    for address in ("/search?q=plate", "/aggregate", "/workspaces/1/sizes", "/index"):
        lab.refused(401, None, tokens["bob"], "GET", address)
        lab.refused(401, None, "bob", "GET", address)
