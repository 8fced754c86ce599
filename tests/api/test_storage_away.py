"""Answers about a root whose storage is away say so, and since when: to whoever sees something in it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from api.plane import Plane
from workspacesio.index import remembered

ASKED = ("/search?q=a", "/aggregate?by=ext", "/workspaces/1/sizes")


@pytest.fixture
def lab(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> Plane:
    """ada's imported folder `plates` (1), of which bob reads `raw`; root's `other` (2)."""
    monkeypatch.setattr(remembered, "UNINDEXED_SECONDS", 0.0)
    plane.write_file("plates/raw/a.csv", b"x")
    plane.write_file("other/a.csv", b"x")
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["plates"], "owner": "ada"})
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["other"], "owner": "root"})
    plane.share("ada", 1, "bob", folder="raw")
    plane.crawl()
    return plane


def notes(plane: Plane, who: str, address: str) -> list[dict[str, Any]]:
    told = plane.do(who, "GET", address)["incomplete"]
    return [one for one in told if one["code"] == "storage_away"]


def test_who_is_told_of_a_root_that_is_away(lab: Plane) -> None:
    assert not [one for address in ASKED for one in notes(lab, "ada", address)]
    (crawled,) = {one["started_at"] for one in lab.do("root", "GET", "/crawls?root=existing&limit=1")}
    since = str(crawled)[:19].replace("T", " ")
    os.rename(lab.folder, f"{lab.folder}.away")
    lab.do("root", "POST", "/crawls", {"root": "existing"})
    lab.crawl()
    sentence = f"can't be read at the moment; what changed there since {since} UTC is not found"
    named = f"Root existing {sentence} (1 of the workspaces that you can read)."
    unnamed = f"Something shared with you {sentence} (1 of the workspaces that you can read)."
    for address in ASKED:
        asked_of_bob = f"{address}?path=raw" if "sizes" in address else address
        assert notes(lab, "ada", address) == [{"code": "storage_away", "message": named, "roots": ["existing"]}]
        assert notes(lab, "bob", asked_of_bob) == [{"code": "storage_away", "message": unnamed, "roots": []}]
    assert [notes(lab, "carol", address) for address in ASKED[:2]] == [[], []], "she sees nothing there"
    assert notes(lab, "ada", "/search?q=in:plates")
    lab.do("root", "POST", "/crawls", {"root": "existing"})
    assert notes(lab, "ada", ASKED[0]), "a crawl that waits brings nothing yet"
    os.rename(f"{lab.folder}.away", lab.folder)
    lab.crawl()
    assert not [one for address in ASKED for one in notes(lab, "ada", address)]
