"""What is told of single keys is what a listing shows, whatever lies in the folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodes.listed_tree import BUCKET, ListedTree
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.folder.stats import stat_objects
from workspacesio.nodes.stamps import file_stamp
from workspacesio.nodes.values import Scope, StoredObject


@pytest.fixture
def tree(tmp_path: Path) -> ListedTree:
    return ListedTree(str(tmp_path / "data"))


def told(tree: ListedTree, keys: Sequence[str], boundary: str = "") -> dict[str, StoredObject]:
    found = stat_objects(tree.tree, tree.records, Scope(BUCKET, boundary), keys)
    assert [one.key if one else key for one, key in zip(found, keys, strict=True)] == list(keys)
    return {one.key: one for one in found if one is not None}


def agrees(tree: ListedTree, keys: Sequence[str], boundary: str = "") -> set[str]:
    """What is told of these keys, and of all that are listed."""
    page = tree.page(boundary, boundary=boundary)
    shown = {one.key: one for one in page.objects}
    found = told(tree, [*keys, *shown], boundary)
    assert found.keys() == shown.keys()
    for key, one in found.items():
        assert (one.size, one.etag) == (shown[key].size, shown[key].etag)
        assert one.modified // 1000 == int(shown[key].modified * 1000)
    return set(found)


def test_what_is_absent(tree: ListedTree) -> None:
    for key in ("a", "d/closed", "shut/x", ".workspacesio/s", "d/@eaDir/x", "d/deep/e/f"):
        tree.write(key)
    os.chmod(tree.path + "/d/closed", 0o600)
    os.chmod(tree.path + "/shut", 0o700)
    os.mkfifo(tree.path + "/d/pipe")
    tree.write(b"d/\xff")
    asked = [
        "d/closed",
        "shut/x",
        ".workspacesio/s",
        "d/@eaDir/x",
        "d/pipe",
        "d",
        "d/",
        "d/deep",
        "a/",
        "a/b",
        "\udcff",
    ]
    assert agrees(tree, asked) == {"a", "d/deep/e/f"}
    tree.tree.change(cross_filesystems=False, serve_owner_only=True)
    assert agrees(tree, asked) == {"a", "d/deep/e/f", "d/closed", "shut/x"}


def test_links(tree: ListedTree) -> None:
    tree.write("w/real/x", b"1")
    tree.write("outside", b"2")
    tree.link("w/file", "real/x")
    tree.link("w/folder", "real")
    tree.link("w/out", "../outside")
    tree.link("w/nowhere", "missing")
    tree.link("w/real/up", "..")
    tree.link("w/loop", "loop")
    asked = [
        f"w/{name}" for name in ("file", "folder", "folder/", "out", "nowhere", "real/up", "real/up/file", "loop")
    ]
    assert told(tree, asked, "w/").keys() == {"w/file"}
    # Unlike a listing, which goes through links to folders: what is in these is told of where it lies.
    shown = [one.key for one in tree.page("w/", boundary="w/").objects]
    assert shown == ["w/file", "w/folder/x", "w/real/x"]
    assert told(tree, shown, "w/").keys() == {"w/file", "w/real/x"}


def test_nothing_is_told_of_what_lies_outside(tree: ListedTree) -> None:
    tree.write("a/x")
    tree.write("b/x")
    assert told(tree, ["b/x", "a/../b/x", "x", "a/x"], "a/").keys() == {"a/x"}


def test_no_file_is_opened(tree: ListedTree) -> None:
    path = tree.write("a/x")
    os.utime(path, (1, 2))
    os.utime(tree.path + "/a", (1, 2))
    assert told(tree, ["a/x"])["a/x"] == StoredObject(
        "a/x", 1, 2_000_000, tree.page().objects[0].etag, file_stamp(os.stat(path))
    )
    assert os.stat(path).st_atime == 1
    assert os.stat(tree.path + "/a").st_atime == 1


def test_a_stamp_tells_bytes_times_files_and_attributes_apart(tree: ListedTree) -> None:
    path = tree.write("x", b"1")
    seen = [told(tree, ["x"])["x"].stamp]
    for change in (
        lambda: tree.write("x", b"2"),
        lambda: os.utime(path, (5, 5)),
        lambda: (tree.write("y", b"2"), os.utime(tree.path + "/y", (5, 5)), os.rename(tree.path + "/y", path)),
        lambda: os.setxattr(path, "user.workspacesio", b"{}"),
    ):
        os.stat(path)
        _wait_for_the_clock(path)
        change()
        seen.append(told(tree, ["x"])["x"].stamp)
    assert len(set(seen)) == len(seen)


def _wait_for_the_clock(path: str) -> None:
    """The kernel's times move in steps of some milliseconds."""
    before = os.stat(path).st_ctime_ns
    probe = path + "-probe"
    while True:
        with open(probe, "wb"):
            pass
        now = os.stat(probe).st_ctime_ns
        os.unlink(probe)
        if now != before:
            return


def test_a_folder_that_is_gone(tree: ListedTree) -> None:
    os.rename(tree.path, tree.path + "-away")
    with pytest.raises(NodeDown):
        told(tree, ["x"])
