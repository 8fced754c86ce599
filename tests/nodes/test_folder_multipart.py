"""Multipart uploads in a folder: no second copy of the whole, nothing lost by restarts or failed completions."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from nodes.contract import PART, Harness, md5
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.errors import InvalidPart, NodeError, NoSuchUpload, PreconditionFailed
from workspacesio.nodes.values import Preconditions, RequestedPart, Scope


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


def grid_inode(node: FolderNodeUnderTest, upload: Any) -> int:
    return (node / f".workspacesio/uploads/{upload.upload_id}/grid").stat().st_ino


@pytest.mark.parametrize("again", [[], [1], [2, 3], [1, 1]])
def test_parts_of_equal_size_become_the_object_without_another_copy(
    node: FolderNodeUnderTest, again: list[int]
) -> None:
    """Also when some were sent twice: only those are copied."""
    pieces = [os.urandom(PART), os.urandom(PART), os.urandom(1000)]

    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        for number in (3, 1, 2, 3):
            await h.part(upload, number, pieces[number - 1])
        for number in again:
            await h.part(upload, number, pieces[number - 1])
        inode = grid_inode(node, upload)
        parts = [RequestedPart(number, md5(piece)) for number, piece in enumerate(pieces, 1)]
        await h.complete(upload, parts)
        assert (node / "k").stat().st_ino == inode
        assert await h.get("k") == b"".join(pieces)

    node.run(scenario)


def test_a_part_sent_again_after_a_failed_attempt_uses_the_grid(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        one = await h.part(upload, 1, b"1" * PART)
        failed = await h.driver.stage_part(h.at("k"), upload.upload_id, 2, expected_size=PART, hashers=[])
        await failed.write(b"x" * (2 << 20))
        await failed.discard()
        two = await h.part(upload, 2, b"2" * PART)
        inode = grid_inode(node, upload)
        await h.complete(upload, [one, two])
        assert (node / "k").stat().st_ino == inode
        assert await h.get("k") == b"1" * PART + b"2" * PART

    node.run(scenario)


def test_parts_that_arrive_while_their_upload_is_aborted_leave_nothing(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        for _ in range(60):
            upload = await h.begin("k")
            parts = (h.part(upload, number, b"x" * 1000) for number in range(1, 9))
            aborted = h.driver.abort_upload(h.at("k"), upload.upload_id)
            answers = await asyncio.gather(*parts, aborted, return_exceptions=True)
            assert all(isinstance(answer, RequestedPart | NoSuchUpload | int) for answer in answers), answers
        assert os.listdir(node / ".workspacesio/uploads") == []

    node.run(scenario)


def test_an_upload_goes_on_after_a_restart(node: FolderNodeUnderTest) -> None:
    pieces = [os.urandom(PART), os.urandom(PART), os.urandom(7)]
    upload = node.run(lambda h: h.begin("a/k"))
    parts = [node.run(lambda h, n=number, p=piece: h.part(upload, n, p)) for number, piece in enumerate(pieces, 1)]

    async def finish(h: Harness) -> None:
        assert await h.driver.upload(h.at("a/k"), upload.upload_id) == upload
        published = await h.complete(upload, parts)
        assert published.info.metadata.headers == {"content-type": "text/x-part"}
        assert await h.get("a/k") == b"".join(pieces)

    node.run(finish)


def test_a_completion_that_fails_loses_no_part(node: FolderNodeUnderTest) -> None:
    """Not even those that its list left out."""
    pieces = [os.urandom(PART) for _ in range(4)]

    async def scenario(h: Harness) -> None:
        await h.put("k", b"there")
        upload = await h.begin("k")
        parts = [await h.part(upload, number, piece) for number, piece in enumerate(pieces, 1)]
        for listed in (parts[:2], parts[1:], parts[:1], parts):
            with pytest.raises(PreconditionFailed):
                await h.complete(upload, listed, Preconditions(if_none_match=True))
        await h.complete(upload, parts)
        assert await h.get("k") == b"".join(pieces)

    node.run(scenario)


def test_the_owner_and_mode_are_kept_by_a_completion_too(node: FolderNodeUnderTest) -> None:
    path = node / "k"
    path.write_bytes(b"old")
    os.chown(path, 4242, 4343)
    path.chmod(0o664)

    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        await h.complete(upload, [await h.part(upload, 1, b"1" * PART)])

    node.run(scenario)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (4242, 4343, 0o664)


def test_memory_does_not_grow_with_the_body(node: FolderNodeUnderTest) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def scenario(h: Harness) -> None:
        chunk = os.urandom(1 << 18)
        staged = await h.driver.stage(h.at("k"), expected_size=None, hashers=[])
        await staged.write(chunk * 8)
        before = resident()
        for _ in range(1200):
            await staged.write(bytes(memoryview(chunk)))
        assert resident() - before < 24 << 20
        await staged.discard()

    node.run(scenario)


def forge_part(node: FolderNodeUnderTest, upload: Any, file: str, size: int) -> None:
    """What somebody writes who got at the staging folder: a part that lies in a file of their choice."""
    record = {"size": size, "etag": md5(b"x"), "checksums": {}, "modified": 0.0, "file": file}
    (node / f".workspacesio/uploads/{upload.upload_id}/part-00001.json").write_text(json.dumps(record))


@pytest.mark.parametrize("file", ["../../../../secret", "{base}/secret", "upload.json", "own-00001-..", "..", "."])
def test_a_part_lies_in_a_file_of_its_upload(node: FolderNodeUnderTest, tmp_path: Path, file: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")

    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        await h.part(upload, 1, b"x")
        forge_part(node, upload, file.format(base=tmp_path), 6)
        with pytest.raises(InvalidPart):
            await h.complete(upload, [RequestedPart(1, md5(b"x"))])
        assert await h.keys() == []

    node.run(scenario)


def test_an_upload_that_another_account_made_is_none(node: FolderNodeUnderTest) -> None:
    """Whoever may write in the node's folder may put another staging folder in the place of ours."""

    async def scenario(h: Harness) -> None:
        upload = await h.begin("k")
        part = await h.part(upload, 1, b"x")
        os.chown(node / f".workspacesio/uploads/{upload.upload_id}", 4242, 4343)
        assert await h.driver.uploads(Scope(h.bucket, ""), "") == ([], False)
        with pytest.raises(NoSuchUpload):
            await h.complete(upload, [part])
        with pytest.raises(NodeError):
            await h.part(upload, 2, b"x")
        assert await h.keys() == []
        os.chown(node / f".workspacesio/uploads/{upload.upload_id}", os.geteuid(), os.getegid())
        await h.complete(upload, [part])

    node.run(scenario)
