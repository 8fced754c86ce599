"""Listings of random trees are those of a naive listing, whatever is asked; pages together give the whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.listed_tree import ListedTree, naive_keys, naive_page

NAMES = st.sampled_from(
    ["a", "ab", "a-b", "a0", "a b", "a.b", "-", "b", "B", "é", "e\u0301", "\uff00", "\U0001f600", "a\x01", "%2F"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TREES = st.lists(
    st.one_of(
        st.tuples(st.just("file"), PATHS, st.just("")),
        st.tuples(st.just("folder"), PATHS, st.just("")),
        st.tuples(st.just("link"), PATHS, PATHS),
    ),
    max_size=25,
)
DELIMITERS = st.one_of(st.sampled_from(["", "/", "-", "/a", "b/", "a/a", "é"]), st.text("a/-b0", max_size=3))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, int]:
    def piece() -> str:
        path = draw(PATHS)
        return draw(
            st.sampled_from(["", path, path + "/", path[: draw(st.integers(0, len(path)))], path + "\U0010ffff"])
        )

    return piece(), draw(DELIMITERS), piece(), draw(st.sampled_from([0, 1, 2, 3, 1000]))


def build(tree: ListedTree, plan: list[tuple[str, str, str]]) -> None:
    for kind, path, target in plan:
        try:
            if kind == "file":
                tree.write(path)
            elif kind == "folder":
                tree.folder(path)
            else:
                up = "../" * path.count("/")
                tree.link(path, up + target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            continue
        except OSError as error:
            if error.errno != 40:  # ELOOP: a link made earlier leads to itself
                raise


NAMES_FROM = ["memory", "snapshot", "scan"]


@pytest.mark.parametrize("names_from", NAMES_FROM)
@given(plan=TREES, asked=st.lists(requests(), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_pages_of_random_trees_are_those_of_the_naive_listing(
    names_from: str, plan: list[tuple[str, str, str]], asked: list[tuple[str, str, str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = ListedTree(os.path.join(os.path.realpath(folder), "node"), names_from=names_from)
        build(tree, plan)
        keys = naive_keys(tree.path)
        for prefix, delimiter, after, max_keys in asked:
            page = tree.page(prefix, delimiter, after, max_keys)
            expected = naive_page(keys, prefix, delimiter, after, max_keys)
            if max_keys == 0:
                expected = naive_page([], prefix, delimiter, after, max_keys)
            shown = [item.key for item in page.objects]
            assert shown == [item.key for item in expected.objects]
            assert page.common_prefixes == expected.common_prefixes
            assert page.next_after == expected.next_after
        tree.close()


@pytest.mark.parametrize("names_from", NAMES_FROM)
@given(plan=TREES, prefix=st.one_of(st.just(""), PATHS), delimiter=DELIMITERS, max_keys=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_pages_together_give_the_whole(
    names_from: str, plan: list[tuple[str, str, str]], prefix: str, delimiter: str, max_keys: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = ListedTree(os.path.join(os.path.realpath(folder), "node"), names_from=names_from)
        build(tree, plan)
        expected = naive_page(naive_keys(tree.path), prefix, delimiter, "", 1_000_000)
        keys, common = tree.whole(prefix, delimiter, max_keys)
        assert keys == [item.key for item in expected.objects]
        assert common == list(expected.common_prefixes)
        tree.close()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[ListedTree]:
    made = ListedTree(str(tmp_path / "node"))
    yield made
    made.close()
    shutil.rmtree(tmp_path)


def test_the_order_is_that_of_whole_keys_not_of_path_components(tree: ListedTree) -> None:
    for key in ("a0", "a/b", "a-b", "a/b/c".replace("b/c", "c"), "Z", "é", "\uff00", "\U0001f600"):
        tree.write(key)
    assert tree.keys() == ["Z", "a-b", "a/b", "a/c", "a0", "é", "\uff00", "\U0001f600"]


def test_a_folder_without_shown_keys_has_no_common_prefix(tree: ListedTree) -> None:
    tree.folder("empty/below/below")
    os.mkfifo(os.path.join(tree.path, "empty/below/fifo"))
    tree.write("full/below/below/file")
    page = tree.page(delimiter="/")
    assert page.common_prefixes == ("full/",)
    assert page.next_after is None


def test_a_page_that_ended_with_a_common_prefix_goes_on_behind_all_of_it(tree: ListedTree) -> None:
    for key in ("a/1", "a/2", "a/b/3", "b"):
        tree.write(key)
    page = tree.page(delimiter="/", max_keys=1)
    assert (page.common_prefixes, page.next_after) == (("a/",), "a/")
    page = tree.page(delimiter="/", after="a/", max_keys=1)
    assert [item.key for item in page.objects] == ["b"]
    assert page.next_after is None


def test_after_inside_a_common_prefix_still_rolls_up_what_follows(tree: ListedTree) -> None:
    for key in ("a/1", "a/2", "b"):
        tree.write(key)
    assert tree.page(delimiter="/", after="a/1").common_prefixes == ("a/",)
    assert tree.page(delimiter="/", after="a/2").common_prefixes == ()


def test_a_full_last_page_says_that_nothing_follows(tree: ListedTree) -> None:
    for key in ("a", "b", "empty/below/x"):
        tree.write(key)
    os.remove(os.path.join(tree.path, "empty/below/x"))
    assert tree.page(max_keys=2).next_after is None
    assert tree.page(max_keys=1).next_after == "a"
    assert tree.page(max_keys=0).objects == ()
    assert tree.page(max_keys=0).next_after is None
