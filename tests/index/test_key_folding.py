"""Keys in order, taken up anywhere, become listings that make a catalogue equal to them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspacesio.index import key_folding
from workspacesio.index.crawl_folder import Walked
from workspacesio.index.found import Found, Listing, split_path
from workspacesio.index.key_folding import KeyFolding, hidden_before
from workspacesio.index.key_ranges import thinned
from workspacesio.index.marks import Mark

MARK = Mark(0)
NAMES = ["", "a", "b", "a-", "a-b", "a!", "ab", "b.c", "a-b-c"]

paths = st.lists(st.sampled_from(NAMES[1:]), max_size=3).flatmap(
    lambda parts: st.sampled_from(NAMES).map(lambda name: "".join(f"{part}/" for part in parts) + name)
)
worlds = st.sets(paths.filter(bool), max_size=25)


def apply(index: set[str], walked: Iterable[Walked]) -> None:
    """What the recorder does: within a listing's bounds a folder has what was found, and no other folders."""
    for one in walked:
        if one.listing is not None:
            _apply(index, one.listing)


def _apply(index: set[str], listing: Listing) -> None:
    assert [one.name for one in listing.found] == sorted(one.name for one in listing.found)
    assert list(listing.subfolders) == sorted(listing.subfolders)

    def within(name: str) -> bool:
        first, last = listing.first_name, listing.last_name
        return (first is None or name > first) and (last is None or name <= last)

    found = {one.name for one in listing.found}
    assert all(within(name) for name in found)
    for path in list(index):
        if path.startswith(listing.path):
            name, slash, _ = path[len(listing.path) :].partition("/")
            if within(name) and (name not in listing.subfolders if slash else name not in found):
                index.discard(path)
    index |= {listing.path + name for name in found}


def _objects(keys: Iterable[str]) -> list[tuple[str, Found]]:
    return [(key, Found(split_path(key)[1], 0, 0)) for key in keys]


@settings(max_examples=150, deadline=None)
@given(before=worlds, now=worlds, flushes=st.sets(st.integers(0, 25)), killed=st.integers(0, 30))
@example(before={"a/x", "a-b/y"}, now={"a-b/y"}, flushes={0}, killed=1)
@example(before={"a/x"}, now={"a-b", "b"}, flushes={0}, killed=30)
@example(before={"a-b/"}, now={"a", "a-b-c/", "a/", "a/a"}, flushes={0, 1, 2}, killed=3)
def test_the_catalogue_ends_as_the_keys_are(
    before: set[str], now: set[str], flushes: set[int], killed: int
) -> None:
    """`flushes`: after which keys all is handed on; `killed`: before which it is taken up from the last one."""
    keys = sorted(now)
    index = set(before)
    folding = KeyFolding(1, MARK)
    position: str | None = None
    for number, key in enumerate(keys):
        if number == killed:
            folding = KeyFolding(1, MARK, after=position)
            again = [one for one in keys[:number] if position is None or one > position]
            apply(index, folding.keys(_objects(again), MARK))
        apply(index, folding.keys(_objects([key]), MARK))
        if number in flushes:
            handed_on = list(folding.flush())
            apply(index, handed_on)
            at = handed_on[-1].position
            assert at is not None
            position = at[0] + (at[1] or "")
            assert position == key
    apply(index, folding.end())
    assert index == now


@settings(max_examples=100, deadline=None)
@given(before=worlds, now=worlds)
def test_big_folders_are_handed_on_in_stretches(before: set[str], now: set[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_folding, "STRETCH", 2)
        index = set(before)
        folding = KeyFolding(1, MARK)
        apply(index, folding.keys(_objects(sorted(now)), MARK))
        apply(index, folding.end())
        assert index == now


@given(before=worlds, now=worlds)
def test_one_folder_alone_leaves_the_others(before: set[str], now: set[str]) -> None:
    index = set(before)
    folding = KeyFolding(1, MARK, top="a/")
    inside = {key for key in now if key.startswith("a/")}
    apply(index, folding.keys(_objects(sorted(inside)), MARK))
    apply(index, folding.end())
    assert index == inside | {path for path in before if not path.startswith("a/")}


def test_listings_are_as_old_as_the_oldest_page_that_they_cover() -> None:
    """The range behind may have been asked for before the one in which a folder began."""
    folding = KeyFolding(1, Mark(9))
    walked = [
        *folding.keys(_objects(["a/1", "a/2"]), Mark(7)),
        *folding.keys(_objects(["a/3"]), Mark(3)),
        *folding.keys(_objects(["b/1"]), Mark(8)),
        *folding.end(),
    ]
    since = {one.listing.path: one.listing.since.number for one in walked if one.listing is not None}
    assert since == {"a/": 3, "b/": 3, "": 3}


def test_hidden_before() -> None:
    assert hidden_before("a-b.c") == {"a", "a-b", "a-b.c"}
    assert hidden_before("") == set()


@pytest.mark.parametrize("most", [0, 1, 3, 10, 100])
def test_thinned_bounds_are_even(most: int) -> None:
    bounds = [f"{number:02}" for number in range(20)]
    kept = thinned(bounds, most)
    assert kept == sorted(set(kept))
    assert len(kept) == min(most, 20)
    assert set(kept) <= set(bounds)
