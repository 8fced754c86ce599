"""Disks that are full, read-only, gone, another than before, mounted inside, or fold names."""

import asyncio
import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.conftest import Mount
from nodes.contract import PART, Harness, full_metadata, md5
from nodes.folder_node import FolderNodeUnderTest
from servers.exfat import exfat as exfat_mounted
from workspacesio.nodes.driver import StagedObject
from workspacesio.nodes.errors import KeyNotPossible, NodeDown, NodeFull, NodeReadOnly, NoSuchObject
from workspacesio.nodes.folder.filesystem import identity_matches, read_identity
from workspacesio.nodes.values import ByteRange, Durability, ObjectInfo, ObjectMetadata

MIB = 1 << 20


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


def on(node: FolderNodeUnderTest, folder: Path) -> FolderNodeUnderTest:
    node.folder = folder
    folder.chmod(0o755)
    return node


@pytest.fixture
def ext4(tmp_path: Path, mount: Mount) -> Path:
    """8 MiB of ext4 with quota-free 1 KiB blocks."""
    image = tmp_path / "ext4.img"
    with image.open("wb") as file:
        file.truncate(8 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", "-m", "0", str(image)], check=True)
    return mount("ext4", "ext4", "-o", "loop", device=str(image))


async def fill(h: Harness) -> None:
    for number in range(20):
        await h.put(f"fill/{number}", b"3" * (MIB // 2))


async def pour(staged: StagedObject, size: int) -> None:
    while staged.size < size:
        await staged.write(b"x" * 65536)


@pytest.mark.parametrize("durability", [Durability.PROCESS, Durability.FULL])
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_disk_refuses_what_does_not_fit_and_keeps_what_is_there(
    node: FolderNodeUnderTest, mount: Mount, request: Any, kind: str, durability: Durability
) -> None:
    if kind == "tmpfs":
        on(node, mount("small", "tmpfs", "-o", "size=8m"))
    else:
        on(node, request.getfixturevalue("ext4"))
    half, whole = b"1" * (3 * MIB), b"2" * (9 * MIB)

    async def scenario(h: Harness) -> None:
        await h.put("a/k", half)
        for announced in (True, False):
            with pytest.raises(NodeFull):
                await h.put("a/k", whole, announced=announced)
            with pytest.raises(NodeFull):
                await h.put("new/k", whole, announced=announced)
        with pytest.raises(NodeFull):
            await fill(h)
        assert await h.get("a/k") == half
        await h.driver.delete(h.at("fill/0"))
        await h.put("small", b"4")
        assert not await h.exists("new/k")

    node.run(scenario, durability=durability)
    assert node.staged() == []
    assert not (node / "new").exists()


def test_an_upload_that_does_not_fit_is_refused_before_its_bytes_are_sent(
    node: FolderNodeUnderTest, ext4: Path
) -> None:
    on(node, ext4)

    async def scenario(h: Harness) -> None:
        staged = await h.driver.stage(h.at("k"), expected_size=100 * MIB, hashers=[])
        with pytest.raises(NodeFull):
            await pour(staged, 100 * MIB)
        await staged.discard()
        assert staged.size <= 3 * MIB

    node.run(scenario)


def test_a_full_disk_during_multipart(node: FolderNodeUnderTest, ext4: Path) -> None:
    on(node, ext4)

    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        one = await h.part(upload, 1, b"1" * PART)
        with pytest.raises(NodeFull):
            await h.part(upload, 2, b"2" * PART)
        two = await h.part(upload, 2, b"2" * 1000)
        await h.complete(upload, [one, two])
        assert await h.get("k") == b"1" * PART + b"2" * 1000

    node.run(scenario)


def writes(h: Harness) -> dict[str, Any]:
    async def stage() -> None:
        await h.put("k", b"new")

    async def copy() -> None:
        staged = await h.driver.stage_copy(h.at("k"), h.at("c"), source_etag=None, hashers=[])
        await staged.publish(ObjectMetadata(etag="e"))

    any_version = ObjectInfo("k", 3, 0.0, full_metadata())
    return {
        "put": stage(),
        "copy": copy(),
        "delete": h.driver.delete(h.at("k")),
        "upload": h.begin("k"),
        "metadata": h.driver.set_metadata(h.at("k"), full_metadata(), expected=any_version),
        "clear": h.driver.clear_abandoned(0),
    }


@pytest.mark.parametrize("how", ["the node is", "the mount is"])
def test_a_read_only_node_reads_and_lists_and_refuses_every_write(
    node: FolderNodeUnderTest, mount: Mount, how: str
) -> None:
    on(node, mount("disk", "tmpfs"))
    (node / "k").write_bytes(b"old")
    read_only = how == "the node is"
    if not read_only:
        subprocess.run(["mount", "-o", "remount,ro", str(node.folder)], check=True)

    async def scenario(h: Harness) -> None:
        assert await h.get("k") == b"old"
        assert await h.keys() == ["k"]
        for attempt in writes(h).values():
            with pytest.raises(NodeReadOnly):
                await attempt
        assert await h.driver.uploads(h.at("k").scope, "") == ([], False)
        await h.driver.check()
        with pytest.raises(NodeReadOnly):
            await h.driver.check_writable()

    node.run(scenario, read_only=read_only)
    assert os.listdir(node.folder) == ["k"]


def refusals(h: Harness) -> list[Any]:
    return [
        h.driver.check(),
        h.get("k"),
        h.driver.head(h.at("k")),
        h.keys(),
        h.driver.buckets(),
        h.driver.uploads(h.at("k").scope, ""),
        *writes(h).values(),
    ]


@pytest.mark.parametrize("how", ["unmounted", "another is mounted", "another is mounted over it", "moved away"])
def test_a_node_whose_filesystem_is_gone_is_down_and_comes_back(
    node: FolderNodeUnderTest, mount: Mount, tmp_path: Path, how: str
) -> None:
    folder = mount("disk", "tmpfs")
    on(node, folder)
    keep = tmp_path / "keep"
    keep.mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(keep)], check=True)

    def vanish() -> None:
        if how == "moved away":
            folder.rename(tmp_path / "elsewhere")
            return
        if how != "another is mounted over it":
            subprocess.run(["umount", "-l", str(folder)], check=True)
        if how != "unmounted":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True)

    def come_back() -> None:
        if how == "moved away":
            (tmp_path / "elsewhere").rename(folder)
            return
        if how != "unmounted":
            subprocess.run(["umount", "-l", str(folder)], check=True)
        if how != "another is mounted over it":
            subprocess.run(["mount", "--bind", str(keep), str(folder)], check=True)

    async def scenario(h: Harness) -> None:
        await h.put("k", b"here")
        staged = await h.driver.stage(h.at("late"), expected_size=None, hashers=[])
        await staged.write(b"x" * (2 * MIB))
        if how == "moved away":
            subprocess.run(["umount", "-l", str(folder)], check=True)
            (folder / "k").write_bytes(b"here")
            h.driver.node.tree._identity = ""  # type: ignore[attr-defined]
            await h.driver.check()
        vanish()
        for attempt in refusals(h):
            with pytest.raises(NodeDown):
                await attempt
        await staged.finish()
        with pytest.raises(NodeDown):
            await staged.publish(ObjectMetadata(etag="e"))
        await staged.discard()
        if how != "moved away":
            assert os.listdir(folder) == []
        come_back()
        assert await h.get("k") == b"here"
        assert not await h.exists("late")

    try:
        asyncio.run(_run(node, scenario))
    finally:
        subprocess.run(["umount", "-l", str(keep)], check=False)


async def _run(node: FolderNodeUnderTest, scenario: Any) -> None:
    from nodes.folder_node import opened_node

    async with opened_node(node.folder, node.state) as harness:
        await scenario(harness)


def test_a_node_that_was_never_there_is_down(node: FolderNodeUnderTest, tmp_path: Path) -> None:
    identity = read_identity(str(node.folder))
    node.folder = tmp_path / "nowhere"

    async def scenario(h: Harness) -> None:
        for attempt in refusals(h):
            with pytest.raises(NodeDown):
                await attempt

    node.run(scenario, filesystem_identity=identity)


def test_the_identity_survives_a_new_mount_and_tells_disks_apart(ext4: Path, tmp_path: Path, mount: Mount) -> None:
    first = read_identity(str(ext4))
    subprocess.run(["umount", str(ext4)], check=True)
    image = str(tmp_path / "ext4.img")
    mount("unrelated", "tmpfs")
    subprocess.run(["mount", "-o", "loop", image, str(ext4)], check=True)
    assert identity_matches(first, read_identity(str(ext4)))
    subprocess.run(["umount", str(ext4)], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, str(ext4)], check=True)
    assert not identity_matches(first, read_identity(str(ext4)))
    assert not identity_matches(first, read_identity(str(tmp_path)))
    assert not identity_matches("nonsense", first)


def test_filesystems_mounted_inside_are_entered_only_if_told(node: FolderNodeUnderTest, mount: Mount) -> None:
    inner = mount("data/lab/inner", "tmpfs")
    inner.chmod(0o755)
    (inner / "file").write_bytes(b"inside")

    async def closed(h: Harness) -> None:
        assert await h.keys() == []
        assert not await h.exists("lab/inner/file")
        with pytest.raises(KeyNotPossible):
            await h.put("lab/inner/new", b"x")

    node.run(closed)
    assert os.listdir(inner) == ["file"]

    async def crossed(h: Harness) -> None:
        assert await h.keys() == ["lab/inner/file"]
        assert await h.get("lab/inner/file") == b"inside"
        await h.put("lab/inner/a/big", b"b" * (2 * MIB))
        await h.put("lab/outer", b"o")
        staged = await h.driver.stage_copy(h.at("lab/inner/a/big"), h.at("lab/copy"), source_etag=None, hashers=[])
        await staged.publish(ObjectMetadata(etag="e"))
        await staged.discard()
        assert await h.get("lab/copy") == b"b" * (2 * MIB)
        upload = await h.begin("lab/inner/parts")
        assert await h.driver.uploads(h.at("x").scope, "") == ([upload], False)
        parts = [await h.part(upload, 1, b"1" * PART), await h.part(upload, 2, b"2")]
        assert (inner / ".workspacesio/uploads").exists()
        await h.complete(upload, parts)
        assert await h.get("lab/inner/parts") == b"1" * PART + b"2"
        assert "lab/inner/.workspacesio" not in "".join(await h.keys())

    node.run(crossed, cross_filesystems=True)


# --- a filesystem that folds case, has no links, no attributes and no owners ------------------------------


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[Path]:
    with exfat_mounted(str(tmp_path)) as point:
        yield Path(point)


def test_a_name_in_another_spelling_does_not_exist_and_is_not_made(node: FolderNodeUnderTest, exfat: Path) -> None:
    node.folder = exfat

    async def scenario(h: Harness) -> None:
        await h.put("Data/Results.csv", b"first", full_metadata())
        assert (exfat / "dATA/rESULTS.CSV").read_bytes() == b"first"
        for key in ("data/Results.csv", "Data/results.csv", "DATA/RESULTS.CSV"):
            assert not await h.exists(key)
            with pytest.raises(NoSuchObject):
                await h.get(key)
            assert await h.driver.delete(h.at(key)) is None
            with pytest.raises(KeyNotPossible):
                await h.put(key, b"second")
            with pytest.raises(KeyNotPossible):
                await h.begin(key)
        with pytest.raises(KeyNotPossible):
            await h.put("data/other", b"x")
        assert await h.keys() == ["Data/Results.csv"]
        assert await h.get("Data/Results.csv") == b"first"
        assert (await h.driver.head(h.at("Data/Results.csv"))).metadata.user == full_metadata().user
        await h.put("Data/Results.csv", b"third")
        assert await h.get("Data/Results.csv") == b"third"
        await h.driver.delete(h.at("Data/Results.csv"))
        await h.put("Data/results.csv", b"now it may")
        assert await h.keys() == ["Data/results.csv"]

    node.run(scenario)


def test_two_spellings_made_at_once_give_one_object(node: FolderNodeUnderTest, exfat: Path) -> None:
    node.folder = exfat

    async def scenario(h: Harness) -> None:
        async def create(key: str) -> bool:
            try:
                await h.put(key, key.encode())
            except KeyNotPossible:
                return False
            return True

        for number in range(10):
            keys = [f"name{number}", f"NAME{number}", f"Name{number}"]
            made = await asyncio.gather(*map(create, keys))
            assert made.count(True) == 1
            assert await h.get(keys[made.index(True)]) == keys[made.index(True)].encode()

    node.run(scenario)


def test_names_that_the_filesystem_does_not_take(node: FolderNodeUnderTest, exfat: Path) -> None:
    node.folder = exfat

    async def scenario(h: Harness) -> None:
        for key in ("a:b", 'quote"', "star*", "back\\slash", "a" * 256):
            with pytest.raises(KeyNotPossible):
                await h.put(key, b"x")
            assert not await h.exists(key)

    node.run(scenario)


# --- a disk without the means of Linux ---------------------------------------------------------------------


def test_reading_in_threads_where_the_event_loop_must_not_wait(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network filesystem: nothing of an operation runs on the event loop's own thread."""
    monkeypatch.setattr("workspacesio.nodes.folder.filesystem.is_local", lambda _: False)
    loop_thread = threading.get_ident()
    from workspacesio.nodes.folder.resolve import NodeTree

    original = NodeTree.check

    def checked(tree: NodeTree) -> None:
        assert threading.get_ident() != loop_thread
        original(tree)

    monkeypatch.setattr(NodeTree, "check", checked)

    async def scenario(h: Harness) -> None:
        data = os.urandom(2 * MIB)
        await h.put("big", data)
        assert await h.get("big") == data
        assert await h.get("big", ByteRange(5, 9)) == data[5:10]
        assert (await h.driver.head(h.at("big"))).etag == md5(data)
        hasher = hashlib.md5()
        staged = await h.driver.stage_copy(h.at("big"), h.at("copy"), source_etag=None, hashers=[hasher])
        assert await staged.current_size() is None
        await staged.publish(ObjectMetadata(etag=hasher.hexdigest()))
        await staged.discard()
        assert await h.get("copy") == data

    node.run(scenario)
