"""A listing of a tree that changes has every key that is there all the time once, and what was written before."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nodes.listed_tree import ListedTree
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.folder.sorted_names import NamesInMemory

CLOCK_TICK = 0.015
"""Longer than the step by which kernels count the time that they give to files."""


@contextmanager
def others_at_work(tree: ListedTree, folders: list[str]) -> Iterator[None]:
    """Two threads that make, rename, replace and remove files, folders and links beside the stable ones."""
    stop = threading.Event()
    troubles: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            path = os.path.join(tree.path, chance.choice(folders), f"passing-{seed}-{chance.randrange(50):02}")
            try:
                act(chance, path)
            except (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
                continue
            except BaseException as error:
                troubles.append(error)
                raise

    def act(chance: random.Random, path: str) -> None:
        action = chance.randrange(5)
        if action == 0:
            with open(path, "wb") as file:
                file.write(b"passing")
        elif action == 1:
            os.mkdir(path)
        elif action == 2:
            os.symlink("stable-000", path)
        elif action == 3:
            os.rename(path, path + "-renamed")
        elif os.path.isdir(path):
            os.rmdir(path)
        else:
            os.remove(path)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert troubles == []


@pytest.mark.parametrize("names_from", ["memory", "snapshot", "scan"])
def test_stable_keys_come_exactly_once(tmp_path: Path, names_from: str) -> None:
    tree = ListedTree(str(tmp_path / "node"), names_from=names_from)
    folders = ["flat", "nested/a", "nested/b/c"]
    stable = sorted(f"{folder}/stable-{index:03}" for folder in folders for index in range(60))
    for key in stable:
        tree.write(key)
    with others_at_work(tree, folders):
        for max_keys in (1000, 7, 50, 3):
            for _ in range(3):
                keys = tree.keys() if max_keys == 1000 else tree.whole(max_keys=max_keys)[0]
                assert [key for key in keys if "/stable-" in key] == stable
                assert keys == sorted(set(keys))
            common = tree.whole("nested/", "/", max_keys=1)[1]
            assert common == ["nested/a/", "nested/b/"]
    tree.close()


def test_replaced_files_are_never_missed(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"))
    stable = sorted(f"file-{index:03}" for index in range(400))
    for key in stable:
        tree.write(key)
    stop = threading.Event()

    def replace() -> None:
        new = str(tmp_path / "new")
        while not stop.is_set():
            with open(new, "wb") as file:
                file.write(b"new")
            os.rename(new, os.path.join(tree.path, random.choice(stable)))

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(20):
            assert tree.whole(max_keys=90)[0] == stable
    finally:
        stop.set()
        thread.join()
        tree.close()


@pytest.mark.parametrize("names_from", ["memory", "snapshot", "scan"])
def test_what_was_written_before_a_page_is_in_it(tmp_path: Path, names_from: str) -> None:
    """Also where the page before was answered from a snapshot or from memory, and in a second process' view.

    The trees' clock is ahead, so that folders count as quiet; a pause makes up for what that leaves out.
    """
    tree = ListedTree(str(tmp_path / "node"), names_from=names_from)
    second = Snapshots(os.path.join(tree.state, "listings", "1"), small=2, chunk=2)
    for index in range(300):
        tree.write(f"folder/file-{index:03}")
    os.utime(os.path.join(tree.path, "folder"), (1, 1))
    first = tree.page("folder/", max_keys=10)
    assert first.next_after == "folder/file-009"
    for index in range(20):
        key = f"folder/file-{index + 100:03}-new"
        time.sleep(CLOCK_TICK)
        tree.write(key)
        assert [item.key for item in tree.page(key).objects] == [key]
        tree.snapshots, second = second, tree.snapshots
        assert key in tree.keys("folder/")
        time.sleep(CLOCK_TICK)
        os.remove(os.path.join(tree.path, key))
        assert tree.page(key).objects == ()
        assert len(tree.keys("folder/")) == 300
    tree.close()


def test_a_folder_swapped_for_a_link_between_pages_shows_nothing_from_outside(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"))
    (tmp_path / "outside").mkdir()
    for index in range(10):
        tree.write(f"folder/file-{index}")
        (tmp_path / "outside" / f"file-{index}").write_text("secret")
    page = tree.page(max_keys=3)
    os.rename(os.path.join(tree.path, "folder"), tmp_path / "moved")
    tree.link("folder", "../outside")
    assert tree.page(after=page.next_after or "").objects == ()
    tree.close()


class NamesTwice(Snapshots):
    """A filesystem may give a name twice when the folder changes while it is read."""

    def names(self, fd: int) -> NamesInMemory:
        names, _ = super().names(fd).from_name(fd, "")
        return NamesInMemory(sorted(names * 2))


def test_names_that_the_filesystem_gives_twice_come_once(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"))
    for key in ("a/b", "a/c", "d", "e"):
        tree.write(key)
    tree.link("f", "d")
    tree.snapshots = NamesTwice(os.path.join(tree.state, "listings", "1"))
    assert tree.keys() == ["a/b", "a/c", "d", "e", "f"]
    assert tree.whole(delimiter="/") == (["d", "e", "f"], ["a/"])
    tree.close()
