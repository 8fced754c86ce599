"""Listings that may grow without bound come in pages, and all pages together are the whole, each once."""

from __future__ import annotations

from typing import Any

import pytest

from api.plane import Plane


def _pages(plane: Plane, path: str, last: str, **query: Any) -> list[list[Any]]:
    pages: list[list[Any]] = []
    after = None
    while len(pages) < 50:
        asked = {"limit": 3, **query, **({} if after is None else {"after": after})}
        pages.append(plane.do("root", "GET", path, **asked))
        if len(pages[-1]) < 3:
            break
        after = pages[-1][-1][last]
    return pages


@pytest.fixture
def crowded(plane: Plane) -> Plane:
    for name in ("b.c", "b-c", "b_c", "bc", "b0"):
        plane.user(name)
    for who in ("root", "ada", "b.c", "b-c"):
        for name in ("x", "x y", "X", "caf\u00e9", "x-1"):
            plane.workspace(who, name, public=True)
    return plane


@pytest.mark.parametrize(
    ("path", "last", "query"),
    [("/users", "username", {}), ("/workspaces", "reference", {"scope": "public"}), ("/audit", "id", {})],
)
def test_pages_are_the_whole_listing(crowded: Plane, path: str, last: str, query: dict[str, Any]) -> None:
    whole = crowded.do("root", "GET", path, **query)
    pages = _pages(crowded, path, last, **query)
    assert len(pages) > 3
    assert [one[last] for page in pages for one in page] == [one[last] for one in whole]
    assert [one for page in pages for one in page] == whole


def test_pages_of_shares_keys_and_credentials(crowded: Plane) -> None:
    shared = crowded.workspace("root", "shared")
    shares = f"/workspaces/{shared['id']}/shares"
    for number, who in enumerate(("b0", "b.c", "b-c", "everyone", "bc", "ada")):
        # Not in the order of their folders: those are another listing's.
        crowded.do("root", "POST", shares, {"subject": who, "folder": f"{9 - number}/"})
    for number in range(5):
        crowded.do("root", "POST", "/api-keys", {"name": f"key-{number}"})
        crowded.do("root", "POST", "/credentials", {"workspaces": ["shared"]})
    crowded.do("root", "DELETE", f"/api-keys/{crowded.do('root', 'GET', '/api-keys')[1]['id']}")
    for path, many in ((shares, 6), ("/api-keys", 4), ("/credentials", 5)):
        whole = crowded.do("root", "GET", path)
        assert len(whole) == many
        pages = _pages(crowded, path, "id")
        assert [len(page) for page in pages] == [3] * (many // 3) + [many % 3]
        assert [one for page in pages for one in page] == whole
        assert crowded.do("root", "GET", path, after=whole[-1]["id"]) == []


def test_an_api_key_lists_its_own_credentials_in_pages(plane: Plane) -> None:
    plane.workspace("ada", "scans")
    made = plane.do("ada", "POST", "/api-keys", {"name": "script"})
    for who in ("ada", made["token"], "ada", made["token"]):
        plane.do(who, "POST", "/credentials", {"workspaces": ["ada/scans"]})
    assert len(plane.do("ada", "GET", "/credentials")) == 4
    (first,) = plane.do(made["token"], "GET", "/credentials", limit=1)
    (second,) = plane.do(made["token"], "GET", "/credentials", limit=2, after=first["id"])
    assert plane.do(made["token"], "GET", "/credentials") == [first, second]


def test_a_page_is_of_what_the_caller_sees(crowded: Plane) -> None:
    crowded.workspace("ada", "hidden")
    listed = crowded.do("bob", "GET", "/workspaces", limit=2, after="ada/caf\u00e9")
    assert [one["owner"] for one in listed] == ["ada", "ada"]
    assert "hidden" not in {one["name"] for one in crowded.do("bob", "GET", "/workspaces", after="ada/X")}
    # What it goes on behind needn't exist, nor be in sight.
    assert crowded.do("bob", "GET", "/workspaces", after="zzz") == []


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1"])
def test_limits_are_held_to(plane: Plane, limit: str) -> None:
    made = plane.workspace("root", "mine")
    listings = ("/users", "/workspaces", "/audit", "/api-keys", "/credentials", f"/workspaces/{made['id']}/shares")
    for path in listings:
        plane.refused(422, "invalid_request", "root", "GET", path, limit=limit)
