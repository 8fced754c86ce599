"""A listing never leaves the boundary, whatever prefix and position are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.listed_tree import BUCKET, ListedTree
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.errors import NodeDown, NoSuchBucket
from workspacesio.nodes.folder.listing import list_folder
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.survey import Reason, survey
from workspacesio.nodes.values import ListRequest, Scope


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListedTree]:
    made = ListedTree(str(tmp_path_factory.mktemp("boundary") / "node"))
    for key in ("a/inside/x", "a/inside/y/z", "ab/neighbour", "a/b-neighbour", "a.file", "b/other"):
        made.write(key)
    yield made
    made.close()


INSIDE = {"a/inside/x", "a/inside/y/z"}


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/insid", "a/inside", "ab/", "b/", "../"])
def test_a_prefix_outside_the_boundary_is_the_callers_mistake(tree: ListedTree, prefix: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        tree.page(prefix, boundary="a/inside/")


@pytest.mark.parametrize(
    "rest",
    ["../", "../b-", "..", "./", ".", "/", "//", "y//", "y/../x", "y/../../", "../../ab/", "\0", "y/\0", "x\0"],
)
def test_prefixes_that_try_to_climb_give_nothing(tree: ListedTree, rest: str) -> None:
    for delimiter in ("", "/"):
        page = tree.page("a/inside/" + rest, delimiter, boundary="a/inside/")
        assert page.objects == ()
        assert page.common_prefixes == ()
        assert page.next_after is None


TRICKS = st.lists(
    st.sampled_from(["a", "ab", "a/", "inside", "/", "..", ".", "\0", "x", "y/", "b", "\udcff", "\U0010ffff", "-"])
).map("".join)


@given(rest=TRICKS, delimiter=TRICKS, after=TRICKS, max_keys=st.integers(-1, 3))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_outside_is_ever_named(
    tree: ListedTree, rest: str, delimiter: str, after: str, max_keys: int
) -> None:
    for start in ("", "a/inside/"):
        page = tree.page("a/inside/" + rest, delimiter, start + after, max_keys, boundary="a/inside/")
        assert {item.key for item in page.objects} <= INSIDE
        assert all(any(key.startswith(common) for key in INSIDE) for common in page.common_prefixes)
        assert all(common.startswith("a/inside/" + rest) for common in page.common_prefixes)


def test_a_boundary_whose_folder_is_not_there_yet_is_empty(tree: ListedTree) -> None:
    assert tree.keys("private/ada/new/", boundary="private/ada/new/") == []


def test_a_boundary_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"))
    tree.write("secret/file")
    tree.link("workspace", "secret")
    assert tree.keys("workspace/", boundary="workspace/") == []
    tree.close()


def test_other_buckets_are_none(tree: ListedTree) -> None:
    with pytest.raises(NoSuchBucket):
        list_folder(tree.tree, tree.records, tree.snapshots, Scope("other", ""), ListRequest(""))


def test_a_node_that_is_gone_is_down_and_not_empty(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"))
    tree.write("file")
    tree.tree.close()
    with pytest.raises(NodeDown):
        list_folder(tree.tree, tree.records, tree.snapshots, Scope(BUCKET, ""), ListRequest(""))


def test_in_a_folder_of_buckets_each_bucket_is_on_its_own(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"))
    for key in ("photos/ada/x", "photos/ada-/y", "films/secret"):
        tree.write(key)
    tree.link("photos/ada/film", "../../films/secret")
    tree.link("photos/ada/neighbour", "../ada-/y")
    tree.tree = NodeTree(tree.path, FolderLayout.BUCKETS, "")
    tree.tree.check()

    def keys(scope: Scope) -> list[str]:
        request = ListRequest(scope.boundary)
        return [item.key for item in list_folder(tree.tree, tree.records, tree.snapshots, scope, request).objects]

    assert keys(Scope("photos", "")) == ["ada-/y", "ada/neighbour", "ada/x"]
    assert keys(Scope("photos", "ada/")) == ["ada/x"]
    noted = survey(tree.tree, tree.records, Scope("photos", "ada/")).not_served
    assert noted[Reason.LINK_OUTSIDE].examples in (["film", "neighbour"], ["neighbour", "film"])
    for bucket in ("", ".", "..", "photos/ada", "music"):
        with pytest.raises(NoSuchBucket):
            keys(Scope(bucket, ""))
    tree.close()
