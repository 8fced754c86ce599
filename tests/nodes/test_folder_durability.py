"""The order of syncs and renames: what FULL promises is on the disk before a write is acknowledged."""

import os
from pathlib import Path
from typing import Any

import pytest

from nodes.contract import PART, Harness
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.values import Durability, ObjectMetadata


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was synced, renamed and removed, in order, by path below the data folder."""
    seen: list[str] = []

    def path_of(fd: int, name: bytes = b"") -> str:
        place = os.path.join(os.readlink(f"/proc/self/fd/{fd}"), os.fsdecode(name)).rstrip("/")
        place = os.path.relpath(place, tmp_path / "data")
        if place.startswith(".workspacesio/new/"):
            return "staged"
        return "grid" if place.endswith("/grid") else place

    def noted(module: Any, name: str, describe: Any) -> None:
        original = getattr(module, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            words = describe(*args, **kwargs)
            result = original(*args, **kwargs)
            if ".workspacesio" not in words and "state" not in words:
                seen.append(words)
            return result

        monkeypatch.setattr(module, name, wrapper)

    noted(os, "fsync", lambda fd: f"sync {path_of(fd)}")
    noted(os, "fdatasync", lambda fd: f"sync {path_of(fd)}")
    noted(syscalls, "rename_new", lambda fd, old, to, new: f"rename to {path_of(to, new)}")
    noted(
        os,
        "rename",
        lambda old, new, src_dir_fd=None, dst_dir_fd=None: (
            f"rename to {path_of(dst_dir_fd, new)}" if dst_dir_fd is not None else "state"
        ),
    )
    noted(os, "unlink", lambda name, dir_fd=None: f"unlink {path_of(dir_fd, name)}" if dir_fd else "state")
    noted(os, "rmdir", lambda name, dir_fd=None: f"rmdir {path_of(dir_fd, name)}")
    return seen


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    node = FolderNodeUnderTest(tmp_path, durability=Durability.FULL)

    async def warm(h: Harness) -> None:
        await h.put("first", b"x")

    node.run(warm)
    return node


def test_put(node: FolderNodeUnderTest, calls: list[str]) -> None:
    async def scenario(h: Harness) -> None:
        await h.put("k", b"x")
        await h.put("k", b"y")

    node.run(scenario)
    assert calls == ["sync staged", "rename to k", "sync ."] * 2


def test_a_large_put_is_flushed_before_it_is_decided_again(node: FolderNodeUnderTest, calls: list[str]) -> None:
    async def scenario(h: Harness) -> None:
        staged = await h.driver.stage(h.at("k"), expected_size=2 << 20, hashers=[])
        await staged.write(b"x" * (2 << 20))
        await staged.finish()
        assert calls == ["sync staged"]
        await staged.publish(ObjectMetadata(etag="e"))

    node.run(scenario)
    assert calls[1:] == ["sync staged", "rename to k", "sync ."]


def test_put_into_new_folders(node: FolderNodeUnderTest, calls: list[str]) -> None:
    node.run(lambda h: h.put("a/b/k", b"x"))
    assert calls == ["sync a", "sync .", "sync a/b", "sync a", "sync staged", "rename to a/b/k", "sync a/b"]


def test_delete(node: FolderNodeUnderTest, calls: list[str]) -> None:
    node.run(lambda h: h.put("a/k", b"x"))
    calls.clear()
    node.run(lambda h: h.driver.delete(h.at("a/k")))
    assert calls == ["unlink a/k", "sync a", "rmdir a", "sync ."]


def test_metadata(node: FolderNodeUnderTest, calls: list[str]) -> None:
    async def tag(h: Harness) -> None:
        before = await h.driver.head(h.at("first"))
        await h.driver.set_metadata(h.at("first"), ObjectMetadata(tags={"a": "b"}), expected=before)

    node.run(tag)
    assert calls == ["sync first"]


def test_a_folder_as_an_object(node: FolderNodeUnderTest, calls: list[str]) -> None:
    node.run(lambda h: h.put("a/", b""))
    assert calls == ["sync a", "sync .", "sync a"]


def test_multipart(node: FolderNodeUnderTest, calls: list[str]) -> None:
    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        calls.clear()
        one = await h.part(upload, 1, b"1" * PART)
        assert calls == ["sync grid"]
        await h.complete(upload, [one])
        assert calls[1:4] == ["sync grid", "rename to k", "sync ."]

    node.run(scenario)


def test_process_durability_syncs_nothing(tmp_path: Path, node: FolderNodeUnderTest, calls: list[str]) -> None:
    node.options["durability"] = Durability.PROCESS

    async def scenario(h: Harness) -> None:
        await h.put("a/k", b"x")
        await h.put("a/big", b"x" * (3 << 20))
        await h.driver.delete(h.at("a/k"))

    node.run(scenario)
    assert not [call for call in calls if call.startswith("sync")]
