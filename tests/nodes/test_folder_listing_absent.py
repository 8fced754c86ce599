"""What a folder may hold and a listing doesn't show: each is absent, the rest is there, and nothing fails."""

from __future__ import annotations

import errno
import os
import resource
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.listed_tree import BUCKET, NOBODY, ListedTree, as_nobody, naive_keys
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.folder.file_record import state_of as state_of_file
from workspacesio.nodes.folder.metadata import ATTRIBUTE, FolderRecord, derived_etag
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.survey import Reason
from workspacesio.nodes.values import ObjectMetadata


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[ListedTree]:
    made = ListedTree(str(tmp_path / "node"))
    made.write("shown/file")
    yield made
    made.close()


def shown(tree: ListedTree) -> list[str]:
    """All keys; a listing by folders must agree on what is there."""
    keys, common = tree.whole(delimiter="/")
    whole = tree.keys()
    assert {key.partition("/")[0] + "/" for key in whole if "/" in key} == set(common)
    assert [key for key in whole if "/" not in key] == keys
    return whole


@pytest.mark.parametrize("folder", [".zfs", ".snapshot", "@eaDir", "#recycle", ".minio.sys", ".workspacesio"])
def test_system_folders_are_absent_at_any_depth(tree: ListedTree, folder: str) -> None:
    tree.write(f"{folder}/file")
    tree.write(f"a/{folder}/file")
    assert shown(tree) == ["shown/file"]
    assert tree.keys(prefix=f"{folder}/") == []
    assert tree.keys(prefix=f"a/{folder}/f") == []


def test_names_that_are_not_utf8_are_absent(tree: ListedTree) -> None:
    tree.write(b"caf\xe9")
    tree.write(b"shown/\xff")
    tree.write(b"\xfe/file")
    assert shown(tree) == ["shown/file"]


def test_keys_over_1024_bytes_are_absent(tree: ListedTree) -> None:
    folder = "/".join(["é" * 100] * 5)
    fits = folder + "/" + "x" * (1024 - len(folder.encode()) - 1)
    tree.write(fits)
    tree.write(fits + "y")
    deep = folder + "/" + "d" * (1024 - len(folder.encode()) - 3)
    tree.write(deep + "/f")
    tree.write(deep + "/ff")
    assert shown(tree) == sorted([fits, deep + "/f", "shown/file"])


def test_a_folder_with_nothing_but_keys_that_are_too_long_has_no_common_prefix(tree: ListedTree) -> None:
    tree.write("/".join(["long" + "x" * 200] * 5) + "/file")
    assert shown(tree) == ["shown/file"]


def test_special_files_are_absent(tree: ListedTree) -> None:
    os.mkfifo(os.path.join(tree.path, "fifo"))
    tree.folder("special")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(os.path.join(tree.path, "special"))
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    assert shown(tree) == ["shown/file"]


def test_what_only_the_owner_may_read_is_absent(tree: ListedTree) -> None:
    os.chmod(tree.write("private-file"), 0o600)
    tree.write("private-folder/file")
    os.chmod(os.path.join(tree.path, "private-folder"), 0o700)
    os.chmod(tree.write("only-private-files/file"), 0o600)
    os.chmod(tree.write("group"), 0o640)
    assert shown(tree) == ["group", "shown/file"]


def test_what_only_the_owner_may_read_is_there_when_asked_for(tmp_path: Path) -> None:
    tree = ListedTree(str(tmp_path / "node"), serve_owner_only=True)
    os.chmod(tree.write("private-file"), 0o600)
    tree.write("private-folder/file")
    os.chmod(os.path.join(tree.path, "private-folder"), 0o700)
    assert shown(tree) == ["private-file", "private-folder/file"]
    tree.close()


def test_folders_that_the_service_may_not_enter_are_absent(tree: ListedTree) -> None:
    tree.write("entered/file")
    closed = os.path.join(tree.path, "entered")
    if os.geteuid() == 0:
        os.chown(closed, NOBODY, 0)
    os.chmod(closed, 0o055)
    with as_nobody():
        assert shown(tree) == ["shown/file"]
    os.chmod(closed, 0o755)
    assert shown(tree) == ["entered/file", "shown/file"]


def test_links_that_leave_the_workspace_or_lead_nowhere_are_absent(tree: ListedTree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    tree.link("absolute-file", str(tmp_path / "outside" / "secret"))
    tree.link("absolute-folder", str(tmp_path / "outside"))
    tree.link("relative", "../outside")
    tree.link("shown/relative", "../../outside/secret")
    tree.link("nowhere", "gone")
    tree.link("itself", "itself")
    tree.link("device", "/dev/null")
    tree.link("proc", "/proc/self/cwd")
    tree.link("only-links/relative", "../../outside")
    assert shown(tree) == ["shown/file"]


def test_links_inside_the_workspace_are_followed(tree: ListedTree) -> None:
    tree.link("file-link", "shown/file")
    tree.link("folder-link", "shown")
    tree.link("link-to-link", "folder-link/file")
    tree.link("absolute", os.path.join(tree.path, "shown", "file"))
    tree.write("folder-link-", b"x")
    assert shown(tree) == [
        "absolute",
        "file-link",
        "folder-link-",
        "folder-link/file",
        "link-to-link",
        "shown/file",
    ]
    assert tree.keys(prefix="folder-link/") == ["folder-link/file"]
    assert tree.page(prefix="folder-link", delimiter="/").common_prefixes == ("folder-link/",)


def test_links_out_of_a_workspace_into_another_are_absent(tree: ListedTree) -> None:
    tree.write("ada/project/data")
    tree.write("bob/project/secret")
    tree.link("ada/project/theirs", "../../bob/project")
    tree.link("ada/project/their-file", "../../bob/project/secret")
    tree.link("ada/project/own", "data")
    assert tree.keys("ada/project/", boundary="ada/project/") == ["ada/project/data", "ada/project/own"]


def test_a_link_that_becomes_a_folder_moves_to_the_place_of_a_folder(tree: ListedTree) -> None:
    """The change leaves no trace in the folder that the link is in."""
    for index in range(300):
        tree.write(f"many/file-{index:03}")
    tree.write("target")
    tree.link("many/link", "../target")
    tree.write("many/link-", b"x")
    os.utime(os.path.join(tree.path, "many"), (1, 1))
    assert tree.keys("many/link") == ["many/link", "many/link-"]
    os.remove(os.path.join(tree.path, "target"))
    tree.write("target/below")
    assert tree.keys("many/link") == ["many/link-", "many/link/below"]


def test_links_to_folders_above_end(tree: ListedTree) -> None:
    tree.link("shown/up", "..")
    tree.link("shown/self", ".")
    tree.write("a/x")
    tree.write("b/y")
    tree.link("a/b", "../b")
    tree.link("b/a", "../a")
    assert shown(tree) == ["a/b/y", "a/x", "b/a/x", "b/y", "shown/file"]
    assert shown(tree) == naive_keys(tree.path)


def test_a_maze_of_links_keeps_nobody_waiting(tree: ListedTree) -> None:
    """Two links per level double the paths: 2^40 of them hold nothing."""
    for level in range(40):
        tree.folder(f"maze/{level:02}")
        tree.link(f"maze/{level:02}/a", f"../{level + 1:02}")
        tree.link(f"maze/{level:02}/b", f"../{level + 1:02}")
    tree.folder("maze/40")
    tree.write("z")
    page = tree.page("maze/00/")
    assert page.objects == ()
    assert page.next_after is not None
    assert page.next_after.startswith("maze/00/")
    following = tree.page("maze/00/", after=page.next_after)
    assert following.next_after is not None
    assert following.next_after > page.next_after
    assert tree.page("", delimiter="/").common_prefixes[-1:] == ("shown/",)


@pytest.mark.parametrize("crossed", [False, True])
def test_other_filesystems_are_entered_only_if_told_so(tmp_path: Path, *, crossed: bool) -> None:
    """Every Linux machine has one below /dev."""
    tree = ListedTree(str(tmp_path / "node"))
    tree.tree = NodeTree("/dev", FolderLayout.BUCKET, BUCKET, cross_filesystems=crossed)
    tree.tree.check()
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="listing-") as file:
        os.fchmod(file.fileno(), 0o644)
        key = file.name.removeprefix("/dev/")
        assert os.stat("/dev").st_dev != os.stat("/dev/shm").st_dev
        assert (key in tree.keys("shm/")) is crossed
        assert ("shm/" in tree.page(delimiter="/").common_prefixes) is crossed
        noted = tree.survey().not_served.get(Reason.OTHER_FILESYSTEM)
        assert ("shm/" in (noted.examples if noted else [])) is not crossed
    tree.close()


def test_marked_folders_are_objects(tree: ListedTree) -> None:
    for key in ("marked", "shown"):
        path = tree.folder(key)
        fd = os.open(path, os.O_RDONLY)
        marker = ObjectMetadata(etag="d41d8cd98f00b204e9800998ecf8427e", checksums={"CRC32": "AAAAAA=="})
        tree.records.write_folder(fd, os.fstat(fd).st_ino, FolderRecord(True, marker, 1234.5), durable=False)
        os.close(fd)
    assert tree.keys() == ["marked/", "shown/", "shown/file"]
    summary = tree.page("marked/").objects[0]
    assert (summary.key, summary.size, summary.modified) == ("marked/", 0, 1234.5)
    assert (summary.etag, summary.checksum_algorithm) == ("d41d8cd98f00b204e9800998ecf8427e", "CRC32")
    assert tree.page(delimiter="/").common_prefixes == ("marked/", "shown/")
    assert [item.key for item in tree.page("marked/", delimiter="/").objects] == ["marked/"]
    assert tree.page("shown/", after="shown/").objects[0].key == "shown/file"
    assert tree.whole(max_keys=1)[0] == ["marked/", "shown/", "shown/file"]


def test_objects_carry_size_time_etag_and_checksum_algorithm(tree: ListedTree) -> None:
    plain = tree.write("plain", b"four")
    kept = tree.write("kept", b"four")
    metadata = ObjectMetadata(etag="0" * 32, checksums={"CRC64NVME": "AAAAAAAAAAA="})
    fd = os.open(kept, os.O_RDONLY)
    tree.records.write(fd, os.fstat(fd), metadata, durable=False)
    os.close(fd)
    objects = {item.key: item for item in tree.page().objects}
    found = os.stat(plain)
    assert objects["plain"].size == 4
    assert objects["plain"].modified == found.st_mtime
    assert objects["plain"].etag == derived_etag(found)
    assert objects["plain"].checksum_algorithm is None
    assert (objects["kept"].etag, objects["kept"].checksum_algorithm) == ("0" * 32, "CRC64NVME")
    with open(kept, "ab") as file:
        file.write(b"edited in place")
    (edited,) = tree.page("kept").objects
    assert edited.etag == derived_etag(os.stat(kept))
    assert edited.checksum_algorithm is None


@pytest.mark.parametrize(
    ("flags", "rest"),
    [
        (0, b"\0" * 15),
        (0x20, b"\x05"),
        (0x20, b"\x17a\r\nx-amz-injected: 1234"),
        (0x20, b'\x03a"b'),
        (0x0F, b"\0" * 16),
        (0, b"\0" * 16 + b'{"c":{"<&":""}}'),
        (0, b"\0" * 16 + b"{"),
    ],
)
def test_forged_records_harm_nobody(tree: ListedTree, flags: int, rest: bytes) -> None:
    path = os.path.join(tree.path, "shown/file")
    os.setxattr(path, ATTRIBUTE, struct.pack("<BBQ", 1, flags, state_of_file(os.stat(path))) + rest)
    (summary,) = tree.page().objects
    assert summary.etag in ("0" * 32, derived_etag(os.stat(path)))
    assert summary.checksum_algorithm is None


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff\xfe", b'"x"', b"1" * 2000])
def test_attributes_that_are_no_record_harm_nobody(tree: ListedTree, value: bytes) -> None:
    path = os.path.join(tree.path, "shown/file")
    os.setxattr(path, ATTRIBUTE, value)
    assert tree.page().objects[0].etag == derived_etag(os.stat(path))


def test_without_descriptors_the_node_is_down_rather_than_empty(tree: ListedTree) -> None:
    """A mirror that removes would take an empty listing at its word."""
    tree.write("a/b/c/d/file")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest_free)
    for spare in range(1, 5):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + spare, hard))
        try:
            with pytest.raises(NodeDown):
                tree.keys()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert shown(tree) == ["a/b/c/d/file", "shown/file"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT])
def test_a_folder_that_the_storage_fails_to_give_is_not_left_out(
    tree: ListedTree, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tree.write("fails/file")
    opened = tree.tree.open

    def fail(place: bytes, flags: int) -> int:
        if place == b"fails":
            raise OSError(number, "the disk is gone")
        return opened(place, flags)

    monkeypatch.setattr(tree.tree, "open", fail)
    with pytest.raises(NodeDown):
        tree.keys()
    with pytest.raises(NodeDown):
        tree.page(delimiter="/")
    assert tree.keys("shown/") == ["shown/file"]


def test_a_file_that_the_storage_fails_to_give_is_left_out(
    tree: ListedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write("shown/broken")
    look = os.stat

    def fail(path: Any, **how: Any) -> os.stat_result:
        if path == "broken":
            raise OSError(errno.EIO, "a bad sector")
        return look(path, **how)

    monkeypatch.setattr(os, "stat", fail)
    assert tree.keys() == ["shown/file"]


def state_of(paths: list[str]) -> dict[str, tuple[object, ...]]:
    found = {}
    for path in paths:
        stat = os.lstat(path)
        found[path] = (*stat, stat.st_atime_ns, stat.st_mtime_ns, stat.st_ctime_ns, *os.listxattr(path))
    return found


def test_listing_and_survey_leave_no_trace(tree: ListedTree) -> None:
    for key in ("a/b/c", "a/d", "e"):
        tree.write(key)
    paths = [tree.path]
    for folder, folders, files in os.walk(tree.path):
        paths += [os.path.join(folder, name) for name in folders + files]
    for path in paths:
        os.utime(path, (1_000_000_000, 1_100_000_000))
    before = state_of(paths)
    tree.keys()
    tree.whole(delimiter="/")
    tree.survey()
    assert state_of(paths) == before
