"""A workspace that can't be read holds up no other one, and nothing of it is dropped."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crawl_world import BUCKET, CrawlWorld
from workspacesio.domain import crawl_reasons
from workspacesio.domain.vocabulary import CrawlState
from workspacesio.index import crawl_folder, crawl_sources
from workspacesio.index.crawl_subtree import sync_subtree
from workspacesio.index.exclusions import Exclusions
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.walk import Obstacle, Walk


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CrawlWorld]:
    made = CrawlWorld(tmp_path)
    yield made
    made.close()


def _refuse(monkeypatch: pytest.MonkeyPatch, *places: bytes, code: int = errno.EACCES) -> None:
    """As for a folder of a group that the service isn't in; tests that run as root are refused nothing."""
    real = crawl_folder.open_folder

    def refused(tree: object, place: bytes) -> int:
        if place in places:
            raise OSError(code, os.strerror(code))
        return real(tree, place)  # type: ignore[arg-type]

    monkeypatch.setattr(crawl_folder, "open_folder", refused)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE])
def test_the_others_of_the_root_are_crawled(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    first, closed, last = (world.add_workspace(f"{name}/") for name in "abc")
    for name in "abc":
        world.write(f"{name}/x")
    world.crawl()
    for name in "abc":
        world.write(f"{name}/new")
    _refuse(monkeypatch, b"b", code=code)
    row = world.crawl()
    assert (row.state, row.problem, row.new) == (CrawlState.DONE, None, 2)
    assert row.problems == {crawl_reasons.WORKSPACE_KEPT: {"count": 1, "examples": ["b/"]}}
    assert world.indexed(first).keys() == world.indexed(last).keys() == {"x", "new"}
    assert world.indexed(closed).keys() == {"x"}


def test_a_crawl_of_it_alone_fails_and_says_why(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = world.add_workspace("b/")
    world.write("b/x")
    world.crawl()
    _refuse(monkeypatch, b"b")
    row = world.crawl(workspace_id=closed)
    assert (row.state, row.problem) == (CrawlState.FAILED, "The workspace's folder can't be read.")
    assert world.indexed(closed).keys() == {"x"}


def test_a_folder_on_the_way_that_may_not_be_entered_drops_nothing(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, other = world.add_workspace("group/b/"), world.add_workspace("z/")
    world.write("group/b/x/y")
    world.write("z/x")
    world.crawl()
    assert isinstance(world.driver, FolderDriver)
    tree = world.driver.node.tree
    real = type(tree).walk

    def walk(self: object, scope: object, key: str) -> Walk:
        if key.startswith("group/b"):
            return Walk(b"group", os.stat(world.folder / "group"), (b"b",), Obstacle.UNREADABLE)
        return real(self, scope, key)  # type: ignore[arg-type]

    monkeypatch.setattr(type(tree), "walk", walk)
    world.write("z/new")
    row = world.crawl()
    assert (row.state, row.gone) == (CrawlState.DONE, 0)
    assert list(row.problems) == [crawl_reasons.WORKSPACE_KEPT]
    assert world.indexed(closed).keys() == {"x/y"}
    assert world.indexed(other).keys() == {"x", "new"}
    place = crawl_sources.Place(closed, BUCKET, "group/b/", "")
    assert sync_subtree(world.driver, world.recorder, place, "x/", exclusions=Exclusions(())).gone == 0
    with pytest.raises(crawl_folder.WorkspaceUnreadable):
        sync_subtree(world.driver, world.recorder, place, "", exclusions=Exclusions(()))
    assert world.indexed(closed).keys() == {"x/y"}


def test_a_root_that_can_not_be_read_fails(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    root = world.add_root("nas", "nas/")
    workspace = world.add_workspace("nas/", root_id=root)
    world.write("nas/x")
    world.crawl(root_id=root)
    _refuse(monkeypatch, b"nas")
    row = world.crawl(root_id=root)
    assert (row.state, row.problem) == (CrawlState.FAILED, "The workspace's folder can't be read.")
    assert world.indexed(workspace).keys() == {"x"}


def test_a_root_that_may_not_be_entered_fails(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    root = world.add_root("nas", "nas/")
    workspaces = [world.add_workspace(f"nas/{name}/", root_id=root) for name in "ab"]
    world.write("nas/a/x")
    world.write("nas/b/x")
    world.crawl(root_id=root)
    _refuse(monkeypatch, b"nas/a", b"nas/b")
    real = os.stat

    def refused(path: object, **options: object) -> os.stat_result:
        if path == b"nas/.":
            raise PermissionError(errno.EACCES, "refused")
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(crawl_sources.os, "stat", refused)
    row = world.crawl(root_id=root)
    assert (row.state, row.problem) == (CrawlState.FAILED, "The root's folder can't be entered.")
    for workspace in workspaces:
        assert world.indexed(workspace).keys() == {"x"}
