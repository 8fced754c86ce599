"""What is an object and what is absent; ETags and records of files that others made; folders that come and go."""

import os
import re
import socket
import stat
import struct
from pathlib import Path

import pytest

from nodes.contract import Harness, full_metadata, md5
from nodes.folder_node import BUCKET, FolderNodeUnderTest
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.errors import (
    BucketExists,
    BucketNotEmpty,
    KeyNotPossible,
    NodeRefused,
    NoSuchBucket,
    NoSuchObject,
)
from workspacesio.nodes.folder.file_record import state_of
from workspacesio.nodes.values import ObjectAddress, ObjectMetadata


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


@pytest.mark.timeout(30)
def test_what_is_no_plain_file_does_not_exist_and_nobody_waits_for_it(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(node / "fifo", 0o666)
    os.mknod(node / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    monkeypatch.chdir(node.folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        os.chmod("socket", 0o777)

        async def scenario(h: Harness) -> None:
            for key in ("fifo", "device", "socket"):
                assert not await h.exists(key)
                with pytest.raises(NoSuchObject):
                    await h.get(key)
                assert await h.driver.delete(h.at(key)) is None
                with pytest.raises(KeyNotPossible):
                    await h.put(key, b"x")
                with pytest.raises(KeyNotPossible):
                    await h.put(key + "/below", b"x")
            assert await h.keys() == []

        node.run(scenario)
    assert stat.S_ISFIFO((node / "fifo").stat().st_mode)


def test_names_that_are_not_utf8_are_absent_and_hurt_nobody(node: FolderNodeUnderTest) -> None:
    os.makedirs(os.fsencode(node.folder) + b"/caf\xe9")
    for name in (b"/caf\xe9/in", b"/\xff\xfe", b"/good"):
        with open(os.fsencode(node.folder) + name, "wb") as file:
            file.write(b"x")

    async def scenario(h: Harness) -> None:
        assert await h.keys() == ["good"]
        for key in ("caf\udce9/in", "caf\ufffd/in", "café/in"):
            assert not await h.exists(key)

    node.run(scenario)


def make_closed(node: FolderNodeUnderTest) -> None:
    (node / "secret").mkdir()
    (node / "secret").chmod(0o700)
    (node / "dropbox").mkdir()
    (node / "dropbox").chmod(0o733)
    for name, mode in (("secret/open", 0o644), ("dropbox/open", 0o644), ("key.pem", 0o600), ("open", 0o640)):
        (node / name).write_bytes(b"1")
        (node / name).chmod(mode)


def test_what_only_its_owner_may_read_is_absent_and_not_written(node: FolderNodeUnderTest) -> None:
    make_closed(node)

    async def scenario(h: Harness) -> None:
        assert await h.keys() == ["open"]
        for key in ("secret/open", "dropbox/open", "key.pem", "secret/new"):
            assert not await h.exists(key)
            with pytest.raises(NodeRefused):
                await h.driver.delete(h.at(key))
            with pytest.raises(NodeRefused):
                await h.put(key, b"2")

    node.run(scenario)
    assert (node / "key.pem").read_bytes() == b"1"


def test_what_only_its_owner_may_read_is_served_where_the_operator_said_so(node: FolderNodeUnderTest) -> None:
    make_closed(node)

    async def scenario(h: Harness) -> None:
        assert await h.keys() == ["dropbox/open", "key.pem", "open", "secret/open"]
        await h.put("key.pem", b"2")
        assert await h.get("key.pem") == b"2"
        await h.put("secret/new", b"3")
        assert await h.get("secret/new") == b"3"

    node.run(scenario, serve_owner_only=True)
    assert stat.S_IMODE((node / "key.pem").stat().st_mode) == 0o600


def test_a_node_whose_own_folder_is_closed_serves_what_is_in_it(node: FolderNodeUnderTest) -> None:
    node.folder.chmod(0o700)

    async def scenario(h: Harness) -> None:
        await h.put("a/b", b"x")
        assert await h.get("a/b") == b"x"
        assert await h.keys() == ["a/b"]

    node.run(scenario)
    assert stat.S_IMODE((node / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((node / "a/b").stat().st_mode) == 0o600


def test_a_file_made_by_others_has_an_etag_that_is_no_md5_and_follows_its_content(
    node: FolderNodeUnderTest,
) -> None:
    path = node / "table.csv"
    path.write_bytes(b"a,b")

    async def etag(h: Harness) -> str:
        info = await h.driver.head(h.at("table.csv"))
        assert info.metadata.headers == {"content-type": "text/csv"}
        return info.etag

    first = node.run(etag)
    assert re.fullmatch("[0-9a-f]{32}-0", first)
    assert node.run(etag) == first
    path.write_bytes(b"c,d")
    assert node.run(etag) != first


def test_the_record_is_ignored_once_the_file_was_changed_by_others(node: FolderNodeUnderTest) -> None:
    async def write(h: Harness) -> None:
        await h.put("k", b"content", full_metadata())

    async def look(h: Harness) -> ObjectMetadata:
        return (await h.driver.head(h.at("k"))).metadata

    path = node / "k"

    def edited() -> None:
        with path.open("r+b") as file:
            file.write(b"CONTENT")

    def replaced() -> None:
        (node / "new").write_bytes(b"content")
        for name in os.listxattr(path):
            os.setxattr(node / "new", name, os.getxattr(path, name))
        os.utime(node / "new", ns=(0, path.stat().st_mtime_ns))
        os.rename(node / "new", path)

    for change in (edited, replaced, lambda: os.utime(path), lambda: os.truncate(path, 3)):
        node.run(write)
        assert node.run(look).user == full_metadata().user
        change()
        changed = node.run(look)
        assert changed.user == {}
        assert changed.etag.endswith("-0")


def test_the_record_stays_with_a_file_that_is_renamed_or_chmodded(node: FolderNodeUnderTest) -> None:
    big = ObjectMetadata(user={f"n{i}": "v" * 100 for i in range(200)})

    async def scenario(h: Harness) -> None:
        await h.put("small", b"1", full_metadata())
        await h.put("big", b"2", big)
        for name in ("small", "big"):
            os.rename(node / name, node / f"moved-{name}")
            os.chmod(node / f"moved-{name}", 0o664)
        assert (await h.driver.head(h.at("moved-small"))).metadata.user == full_metadata().user
        assert (await h.driver.head(h.at("moved-big"))).metadata.user == big.user

    node.run(scenario)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"e":1}',
        b'{"x":1}',
        (0, b"x" * 16 + b'{"h":{"a":"b\\r\\nc: d"}}'),
        (0x40, b"x" * 16 + b"\x06a\r\nc: d"),
        (0x80, b"x" * 16),
        (0x20, b"\x03a\r\n"),
        (0x0F, b"x" * 16),
    ],
)
def test_a_record_that_others_wrote_is_not_believed(
    node: FolderNodeUnderTest, value: bytes | tuple[int, bytes]
) -> None:
    path = node / "k"
    path.write_bytes(b"x")
    if isinstance(value, tuple):
        flags, rest = value
        value = struct.pack("<BBQ", 1, flags, state_of(path.stat())) + rest
    os.setxattr(path, "user.workspacesio", value)
    (node / "folder").mkdir()
    os.setxattr(node / "folder", "user.workspacesio", value)

    async def scenario(h: Harness) -> None:
        info = await h.driver.head(h.at("k"))
        assert info.metadata.headers == {"content-type": "binary/octet-stream"}
        assert isinstance(info.etag, str)
        assert await h.get("k") == b"x"
        assert await h.keys() == ["k"]
        await h.put("k", b"y", full_metadata())
        assert (await h.driver.head(h.at("k"))).etag == md5(b"y")

    node.run(scenario)


def test_folders_made_for_objects_go_with_them_and_others_stay(node: FolderNodeUnderTest) -> None:
    (node / "theirs").mkdir()

    async def scenario(h: Harness) -> None:
        await h.put("a/b/c/d", b"x")
        await h.put("a/e", b"x")
        await h.put("theirs/a/b", b"x")
        await h.driver.delete(h.at("a/b/c/d"))
        assert not (node / "a/b").exists()
        await h.driver.delete(h.at("a/e"))
        assert not (node / "a").exists()
        await h.driver.delete(h.at("theirs/a/b"))
        assert os.listdir(node / "theirs") == []

    node.run(scenario)


def test_the_workspaces_own_folder_stays(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        h.boundary = "private/ada/lab/"
        await h.put("a/b", b"x")
        await h.driver.delete(h.at("a/b"))
        assert os.listdir(node / "private/ada/lab") == []

    node.run(scenario)


def test_a_folder_that_is_marked_keeps_its_people_made_nature(node: FolderNodeUnderTest) -> None:
    (node / "theirs").mkdir()

    async def scenario(h: Harness) -> None:
        for key in ("theirs/", "ours/"):
            await h.put(key, b"")
            assert await h.exists(key)
            await h.driver.delete(h.at(key))
            assert not await h.exists(key)

    node.run(scenario)
    assert os.listdir(node.folder) == ["theirs"]


def test_folders_made_for_a_write_that_fails_go_again(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        with pytest.raises(KeyNotPossible):
            await h.put("a/b/" + "x" * 250 + "\N{GRINNING FACE}" * 2, b"x")

    node.run(scenario)
    assert not (node / "a").exists()


def test_nothing_stays_in_the_staging_folder(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        await h.put("a", b"x" * 10)
        await h.put("b", b"x" * (3 << 20))
        upload = await h.begin("c")
        await h.complete(upload, [await h.part(upload, 1, b"1" * (5 << 20)), await h.part(upload, 2, b"2")])
        upload = await h.begin("d")
        await h.part(upload, 1, b"1" * (5 << 20))
        await h.driver.abort_upload(h.at("d"), upload.upload_id)

    node.run(scenario)
    assert [name for name in node.staged() if not name.startswith("completed/")] == []
    assert stat.S_IMODE((node / ".workspacesio").stat().st_mode) == 0o700


def test_objects_are_plain_files(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        await h.put("a/b c/ü.txt", b"hello")

    node.run(scenario)
    assert (node / "a/b c/ü.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("whose", [".workspacesio", ".workspacesio/new", ".workspacesio/uploads"])
@pytest.mark.parametrize("what", ["of another account", "a link", "a file"])
def test_a_staging_folder_that_others_put_there_is_not_used(
    node: FolderNodeUnderTest, tmp_path: Path, whose: str, what: str
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir(mode=0o777)
    (node / whose).parent.mkdir(exist_ok=True, mode=0o700)
    if what == "of another account":
        (node / whose).mkdir(mode=0o777)
        os.chown(node / whose, 4242, 4242)
    elif what == "a link":
        os.symlink(trap, node / whose)
    else:
        (node / whose).write_bytes(b"theirs")

    async def scenario(h: Harness) -> None:
        for begun in (h.put("a", b"x"), h.begin("a")):
            if whose.endswith(("new", "uploads")) and whose.endswith("new") != (begun.__name__ == "put"):
                await begun
                continue
            with pytest.raises(NodeRefused, match="move it away"):
                await begun
        assert await h.driver.clear_abandoned(3600) == 0
        assert whose.endswith("new") or await h.driver.uploads(h.at("").scope, "") == ([], False)

    node.run(scenario)
    assert list(trap.iterdir()) == []
    assert what != "a file" or (node / whose).read_bytes() == b"theirs"


def test_a_staging_folder_that_others_may_enter_is_closed_to_them(node: FolderNodeUnderTest) -> None:
    """What they had put in it before is not touched, and not believed."""
    for name in (".workspacesio", ".workspacesio/new", ".workspacesio/uploads"):
        (node / name).mkdir()
        (node / name).chmod(0o777)
    planted = node / ".workspacesio/new/planted"
    planted.write_bytes(b"theirs")
    os.chown(planted, 4242, 4242)
    folder = node / f".workspacesio/uploads/{'0' * 32}"
    folder.mkdir()
    os.chown(folder, 4242, 4242)

    async def scenario(h: Harness) -> None:
        await h.put("a", b"x")
        upload = await h.begin("b")
        assert await h.driver.uploads(h.at("").scope, "") == ([upload], False)

    node.run(scenario)
    for name in (".workspacesio", ".workspacesio/new", ".workspacesio/uploads"):
        assert (node / name).stat().st_mode & 0o777 == 0o700


def test_side_files_go_with_their_objects_and_half_written_ones_are_cleared(node: FolderNodeUnderTest) -> None:
    big = ObjectMetadata(user={f"n{i}": "v" * 100 for i in range(200)})

    def side_files() -> list[str]:
        return [path.name for path in (node.state / "metadata").rglob("*") if path.is_file()]

    async def scenario(h: Harness) -> None:
        await h.put("a", b"1", big)
        await h.put("a", b"2", big)
        assert len(side_files()) == 1
        half = node.state / "metadata/1/ab/abcd.0123"
        half.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(b"{")
        os.utime(half, (1, 1))
        await h.driver.clear_abandoned(3600)
        assert len(side_files()) == 1
        assert (await h.driver.head(h.at("a"))).metadata.user == big.user
        await h.put("a", b"3")
        assert side_files() == []
        await h.put("b", b"1", big)
        await h.driver.delete(h.at("b"))
        assert side_files() == []

    node.run(scenario)


# --- buckets -----------------------------------------------------------------------------------------------


def test_sub_folders_are_buckets(tmp_path: Path) -> None:
    node = FolderNodeUnderTest(tmp_path, layout=FolderLayout.BUCKETS)
    for name in ("one", "UPPER", ".workspacesio", "closed", "two"):
        (node / name).mkdir()
    (node / "closed").chmod(0o700)
    (node / "file.txt").write_bytes(b"x")
    os.symlink("one", node / "linked")

    async def scenario(h: Harness) -> None:
        assert [bucket.name for bucket in await h.driver.buckets()] == ["one", "two"]
        await h.driver.create_bucket("three")
        assert [bucket.name for bucket in await h.driver.buckets()] == ["one", "three", "two"]
        for name in ("three", "closed", "linked", "file.txt"):
            with pytest.raises(BucketExists):
                await h.driver.create_bucket(name)
        for name in ("UP", "..", "a/b", ".zfs", "", "x" * 64):
            with pytest.raises(KeyNotPossible):
                await h.driver.create_bucket(name)
        h.bucket = "three"
        await h.put("k", b"x")
        with pytest.raises(BucketNotEmpty):
            await h.driver.delete_bucket("three")
        await h.driver.delete(h.at("k"))
        await h.driver.delete_bucket("three")
        for name in ("three", "closed", "linked", "file.txt", "..", ".workspacesio", "", "one/x"):
            with pytest.raises(NoSuchBucket):
                await h.driver.delete_bucket(name)
            with pytest.raises(NoSuchBucket):
                await h.driver.head(ObjectAddress(name, "k", ""))
        with pytest.raises(NoSuchBucket):
            await h.put("k", b"x")

    node.run(scenario)


def test_one_bucket_cannot_be_made_two(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        assert [bucket.name for bucket in await h.driver.buckets()] == [BUCKET]
        assert not h.driver.abilities.creates_buckets
        with pytest.raises(NodeRefused):
            await h.driver.create_bucket("other")
        with pytest.raises(BucketExists):
            await h.driver.create_bucket(BUCKET)
        with pytest.raises(NodeRefused):
            await h.driver.delete_bucket(BUCKET)

    node.run(scenario)
