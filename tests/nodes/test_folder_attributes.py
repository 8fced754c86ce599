"""Owner, group, mode, ACL and foreign attributes: kept by overwriting, taken from the folder by what is new."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.contract import Harness, md5
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.errors import NodeRefused
from workspacesio.nodes.values import ObjectMetadata


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


def put(node: FolderNodeUnderTest, key: str, data: bytes) -> None:
    async def scenario(h: Harness) -> None:
        await h.put(key, data, ObjectMetadata(user={"by": "s3"}))

    node.run(scenario)


def acl(path: Path) -> str:
    command = ["getfacl", "--absolute-names", "--omit-header", "--numeric", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def set_acl(path: Path, *options: str) -> None:
    subprocess.run(["setfacl", *options, str(path)], check=True)


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_overwriting_keeps_owner_group_mode_acl_and_foreign_attributes(
    node: FolderNodeUnderTest, size: int
) -> None:
    path = node / "results.csv"
    path.write_bytes(b"old")
    os.chown(path, 4242, 4343)
    path.chmod(0o640)
    set_acl(path, "-m", "u:4444:rw,g:4545:r")
    os.setxattr(path, "user.DOSATTRIB", b"0x20")
    os.setxattr(path, "trusted.backup", b"yes")
    before = acl(path)
    put(node, "results.csv", b"n" * size)
    assert path.read_bytes() == b"n" * size
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (4242, 4343)
    assert acl(path) == before
    assert os.getxattr(path, "user.DOSATTRIB") == b"0x20"
    assert os.getxattr(path, "trusted.backup") == b"yes"


def test_overwriting_keeps_a_plain_mode(node: FolderNodeUnderTest) -> None:
    path = node / "run.sh"
    path.write_bytes(b"old")
    path.chmod(0o754)
    put(node, "run.sh", b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o754


def test_a_program_that_runs_as_its_owner_does_not_stay_one(node: FolderNodeUnderTest) -> None:
    path = node / "tool"
    path.write_bytes(b"old")
    path.chmod(0o6755)
    put(node, "tool", b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("folder_mode", "file_mode"), [(0o755, 0o644), (0o750, 0o640), (0o2775, 0o664), (0o777, 0o666)]
)
def test_new_files_and_folders_take_group_and_mode_of_their_folder(
    node: FolderNodeUnderTest, folder_mode: int, file_mode: int
) -> None:
    lab = node / "lab"
    lab.mkdir()
    os.chown(lab, 4242, 4343)
    lab.chmod(folder_mode)
    old = os.umask(0o077)
    try:
        put(node, "lab/2026/run/data.bin", b"x")
    finally:
        os.umask(old)
    for folder in (lab / "2026", lab / "2026/run"):
        found = folder.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (folder_mode, 4343)
    found = (lab / "2026/run/data.bin").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (file_mode, 4343)


def test_new_files_and_folders_take_the_default_acl(node: FolderNodeUnderTest) -> None:
    lab = node / "lab"
    lab.mkdir(mode=0o750)
    set_acl(lab, "-d", "-m", "u::rwx,g::rx,o::-,u:4444:rwx,g:4545:rx")
    put(node, "lab/sub/data.bin", b"x")
    (lab / "shell").mkdir()
    (lab / "shell/data.bin").touch(0o666)
    assert acl(lab / "sub") == acl(lab / "shell")
    assert acl(lab / "sub/data.bin") == acl(lab / "shell/data.bin")


def test_a_default_acl_without_named_entries_gives_the_mode(node: FolderNodeUnderTest) -> None:
    lab = node / "lab"
    lab.mkdir(mode=0o755)
    set_acl(lab, "-d", "-m", "u::rwx,g::rx,o::-")
    put(node, "lab/data.bin", b"x")
    assert stat.S_IMODE((lab / "data.bin").stat().st_mode) == 0o640


def as_user(uid: int, gid: int, work: Callable[[], Any]) -> None:
    """Run `work` in a child process of another account; its assertions count."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_an_owner_that_cannot_be_kept_is_a_refusal(node: FolderNodeUnderTest) -> None:
    for parent in (node.folder, *node.folder.parents[:-2]):
        parent.chmod(0o755)
    node.folder.chmod(0o777)
    node.state.chmod(0o777)
    path = node / "theirs"
    path.write_bytes(b"old")
    path.chmod(0o666)
    os.chown(path, 4242, 4343)

    async def scenario(h: Harness) -> None:
        with pytest.raises(NodeRefused):
            await h.put("theirs", b"new")
        await h.put("mine", b"new")
        assert await h.get("mine") == b"new"

    as_user(5000, 5000, lambda: node.run(scenario))
    assert path.read_bytes() == b"old"
    assert (path.stat().st_uid, path.stat().st_gid) == (4242, 4343)
    assert node.staged() == []


def test_a_folder_that_may_not_be_written_is_a_refusal(node: FolderNodeUnderTest) -> None:
    for parent in (node.folder, *node.folder.parents[:-2]):
        parent.chmod(0o755)
    node.state.chmod(0o777)
    (node / "file").write_bytes(b"old")

    async def scenario(h: Harness) -> None:
        assert await h.get("file") == b"old"
        for attempt in (h.put("new", b"x"), h.put("file", b"x"), h.driver.delete(h.at("file"))):
            with pytest.raises(NodeRefused):
                await attempt

    as_user(5000, 5000, lambda: node.run(scenario))
    assert os.listdir(node.folder) == ["file"]


@pytest.mark.parametrize("mode", [0o750, 0o700])
def test_what_lies_in_a_folder_that_may_not_be_entered_is_not_called_deleted(
    node: FolderNodeUnderTest, mode: int
) -> None:
    for parent in (node.folder, *node.folder.parents[:-2]):
        parent.chmod(0o755)
    node.folder.chmod(0o777)
    node.state.chmod(0o777)
    closed = node / "closed"
    closed.mkdir()
    (closed / "file").write_bytes(b"kept")
    closed.chmod(mode)

    async def scenario(h: Harness) -> None:
        for key in ("closed/file", "closed/none", "closed/sub/"):
            with pytest.raises(NodeRefused, match="can't be used here"):
                await h.driver.delete(h.at(key))
        assert await h.driver.delete(h.at("none")) is None

    as_user(5000, 5000, lambda: node.run(scenario))
    assert (closed / "file").read_bytes() == b"kept"


def test_reading_and_listing_change_nothing(node: FolderNodeUnderTest) -> None:
    (node / "a/b").mkdir(parents=True)
    for name in ("a/b/c.csv", "a/d", "e"):
        (node / name).write_bytes(name.encode())
    os.setxattr(node / "e", "user.mine", b"1")
    os.symlink("d", node / "a/link")

    for path in node.folder.rglob("*"):
        os.utime(path, (1, 2), follow_symlinks=False)

    def picture() -> dict[str, Any]:
        seen = {}
        for path in [node.folder, *sorted(node.folder.rglob("*"))]:
            found = path.lstat()
            kept = [getattr(found, name) for name in ("st_mode", "st_uid", "st_gid", "st_size", "st_nlink")]
            names = os.listxattr(path, follow_symlinks=False)
            times = [found.st_mtime_ns, found.st_ctime_ns]
            if stat.S_ISREG(found.st_mode):
                times.append(found.st_atime_ns)
            seen[str(path)] = [*kept, *times, {n: os.getxattr(path, n, follow_symlinks=False) for n in names}]
        return seen

    before = picture()

    async def scenario(h: Harness) -> None:
        for key in await h.keys():
            await h.driver.head(h.at(key))
            assert md5(await h.get(key))
        await h.driver.check()
        await h.driver.buckets()

    node.run(scenario)
    assert picture() == before
