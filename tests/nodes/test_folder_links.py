"""Symbolic links: followed inside the workspace, absent otherwise, and never a way out, not even when swapped."""

import asyncio
import contextlib
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nodes.contract import Harness
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.errors import KeyNotPossible, NodeError, NoSuchObject
from workspacesio.nodes.values import ObjectMetadata


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    """A workspace `ws/` with a file and a folder, a neighbour, and a secret outside of the node."""
    node = FolderNodeUnderTest(tmp_path)
    for folder in ("ws/real", "wsx", "ws/a"):
        (node / folder).mkdir(parents=True)
    (node / "ws/real/file").write_bytes(b"inside")
    (node / "wsx/file").write_bytes(b"neighbour")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"secret")
    return node


def run(node: FolderNodeUnderTest, scenario: Any) -> Any:
    return node.run(lambda h: scenario(replace(h, boundary="ws/")))


@pytest.mark.parametrize("kind", ["relative", "absolute", "through another", "out and in again"])
def test_links_inside_the_workspace_are_followed(node: FolderNodeUnderTest, kind: str) -> None:
    target = {
        "relative": "../real",
        "absolute": str(node / "ws/real"),
        "through another": "second",
        "out and in again": "../../ws/real",
    }[kind]
    os.symlink("../real", node / "ws/a/second")
    os.symlink(target, node / "ws/a/folder")
    os.symlink(target + "/file", node / "ws/a/file")

    async def scenario(h: Harness) -> None:
        assert await h.get("a/file") == b"inside"
        assert await h.get("a/folder/file") == b"inside"
        assert "a/file" in await h.keys()
        assert "a/folder/file" in await h.keys()

    run(node, scenario)


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "../../wsx/file",
        "../../../outside/file",
        "nowhere",
        "loop",
        "/proc/self/environ",
        os.path.join("/proc/self/root", "etc/passwd"),
        "../../../outside",
        "/",
        "..",
        "../..",
        ".",
    ],
)
def test_links_that_lead_out_do_not_exist(node: FolderNodeUnderTest, target: str) -> None:
    os.symlink(target, node / "ws/a/link")
    os.symlink("loop", node / "ws/a/loop")

    async def scenario(h: Harness) -> None:
        for key in ("a/link", "a/link/file", "a/link/outside/file", "a/link/a/link/file", "a/link/etc/passwd"):
            with pytest.raises(NoSuchObject):
                await h.get(key)
            assert await h.driver.delete(h.at(key)) is None
            with pytest.raises(KeyNotPossible):
                await h.put(key, b"x")
        assert await h.keys() == ["real/file"]

    run(node, scenario)
    assert (node / "wsx/file").read_bytes() == b"neighbour"
    assert (node / "ws/a/link").is_symlink()


def test_a_link_into_the_staging_folder_does_not_exist(tmp_path: Path) -> None:
    node = FolderNodeUnderTest(tmp_path)

    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        os.symlink(f".workspacesio/uploads/{upload.upload_id}/upload.json", node / "link")
        os.symlink(".workspacesio", node / "folder")
        for key in ("link", f"folder/uploads/{upload.upload_id}/upload.json"):
            with pytest.raises(NoSuchObject):
                await h.get(key)

    node.run(scenario)


def test_endless_keys_do_not_exist(node: FolderNodeUnderTest) -> None:
    os.symlink("..", node / "ws/a/up")
    os.symlink("../b", node / "ws/a/x")
    (node / "ws/b").mkdir()
    os.symlink("../a", node / "ws/b/y")

    async def scenario(h: Harness) -> None:
        for key in ("a/up/real/file", "a/x/y/x/y", "a/x/y/up/real/file"):
            assert not await h.exists(key)
        assert await h.keys() == ["real/file"]

    run(node, scenario)


def test_writing_through_a_link_replaces_the_file_it_leads_to(node: FolderNodeUnderTest) -> None:
    os.symlink("../real/file", node / "ws/a/link")

    async def scenario(h: Harness) -> None:
        published = await h.put("a/link", b"new content")
        assert published.replaced_size == 6
        assert await h.get("real/file") == b"new content"
        await h.driver.set_metadata(h.at("a/link"), ObjectMetadata(tags={"t": "1"}), expected=published.info)
        assert (await h.driver.head(h.at("real/file"))).metadata.tags == {"t": "1"}

    run(node, scenario)
    assert (node / "ws/a/link").is_symlink()
    assert (node / "ws/real/file").read_bytes() == b"new content"


def test_deleting_a_link_leaves_the_file_it_leads_to(node: FolderNodeUnderTest) -> None:
    os.symlink("../real/file", node / "ws/a/link")

    async def scenario(h: Harness) -> None:
        assert await h.driver.delete(h.at("a/link")) is not None
        assert await h.keys() == ["real/file"]

    run(node, scenario)


def test_a_workspace_that_is_a_link_does_not_exist(node: FolderNodeUnderTest) -> None:
    os.symlink("wsx", node / "linked")

    async def scenario(h: Harness) -> None:
        linked = replace(h, boundary="linked/")
        with pytest.raises(NoSuchObject):
            await linked.get("file")
        with pytest.raises(KeyNotPossible):
            await linked.put("new", b"x")
        assert await linked.keys() == []

    node.run(scenario)


def test_links_swapped_while_they_are_used_never_lead_out(node: FolderNodeUnderTest, tmp_path: Path) -> None:
    """A shell swaps a folder, the link's target and a file for links that lead out, as fast as it can."""
    (node / "ws/good").mkdir()
    (node / "ws/good/file").write_bytes(b"inside")
    (node / "ws/flip").mkdir()
    (node / "ws/flip/file").write_bytes(b"inside")
    stop = threading.Event()

    def swap() -> None:
        base = str(node / "ws")
        os.symlink(str(tmp_path / "outside"), base + "/evil")
        os.symlink("good", base + "/kind")
        steps = ["flip away", "evil flip", "flip evil", "kind flip", "flip kind", "away flip"]
        while not stop.is_set():
            for step in steps:
                old, new = step.split()
                with contextlib.suppress(OSError):
                    os.rename(f"{base}/{old}", f"{base}/{new}")

    async def scenario(h: Harness) -> None:
        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            outcomes = set()
            for number in range(1500):
                try:
                    data = await h.get("flip/file")
                except NodeError as error:
                    outcomes.add(type(error).__name__)
                else:
                    assert data in (b"inside", b"n")
                    outcomes.add("read")
                if number % 5 == 0:
                    try:
                        await h.put("flip/file", b"n")
                        outcomes.add("written")
                    except NodeError as error:
                        outcomes.add(type(error).__name__)
                await asyncio.sleep(0)
            assert "read" in outcomes
        finally:
            stop.set()
            swapper.join()

    run(node, scenario)
    assert (tmp_path / "outside/file").read_bytes() == b"secret"
    assert os.listdir(tmp_path / "outside") == ["file"]
