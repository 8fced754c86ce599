"""A file that is edited in place while it is read: one whole version, or ObjectChanged."""

import asyncio
import os
import re
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nodes.contract import Harness
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.errors import ObjectChanged
from workspacesio.nodes.folder import reading
from workspacesio.nodes.folder.reading import mapped
from workspacesio.nodes.values import ByteRange

MIB = 1 << 20


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


def old_file(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, (1, 1))


async def read_letters(chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        assert set(chunk) == {ord("a")}


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("change", ["write", "append", "truncate", "write and set the time back"])
def test_a_download_breaks_off_when_the_file_is_changed(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch, in_memory: bool, change: str
) -> None:
    path = node / "big"
    old_file(path, b"a" * (8 * MIB))
    if not in_memory:
        monkeypatch.setattr(reading, "read_cached", lambda *_: None)

    async def scenario(h: Harness) -> None:
        opened = await h.driver.open(h.at("big"))
        chunks = opened.chunks()
        assert set(await anext(chunks)) == {ord("a")}
        times = path.stat()
        if change == "append":
            with path.open("ab") as file:
                file.write(b"b")
        elif change == "truncate":
            os.truncate(path, 7 * MIB)
        else:
            with path.open("r+b") as file:
                file.seek(7 * MIB)
                file.write(b"b")
            if change != "write":
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(ObjectChanged):
            await read_letters(chunks)
        await opened.close()

    node.run(scenario)


@pytest.mark.parametrize("size", [4 * MIB, 7 * MIB + 5])
def test_views_give_every_byte_and_what_comes_last_is_none(node: FolderNodeUnderTest, size: int) -> None:
    data = os.urandom(size)
    old_file(node / "big", data)

    async def scenario(h: Harness) -> None:
        for first in (0, 4097):
            opened = await h.driver.open(h.at("big"), ByteRange(first, None))
            pieces = [(type(piece), bytes(piece)) async for piece in opened.views()]
            await opened.close()
            assert b"".join(piece for _, piece in pieces) == data[first:]
            assert pieces[0][0] is memoryview
            assert pieces[-1][0] is bytes

    node.run(scenario)


@pytest.mark.parametrize("change", ["write", "append", "truncate", "write and set the time back"])
def test_views_break_off_when_the_file_is_changed(node: FolderNodeUnderTest, change: str) -> None:
    """What was changed is what was copied last: there is no more to come than what is verified."""
    path = node / "big"
    old_file(path, b"a" * (4 * MIB + 1))

    async def scenario(h: Harness) -> None:
        opened = await h.driver.open(h.at("big"))
        views = opened.views()
        assert len(await anext(views)) == 2 * MIB
        assert isinstance(await anext(views), memoryview)
        times = path.stat()
        if change == "append":
            with path.open("ab") as file:
                file.write(b"b")
        elif change == "truncate":
            os.truncate(path, MIB)
        else:
            with path.open("r+b") as file:
                file.write(b"b")
            if change != "write":
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(ObjectChanged):
            await anext(views)
        await opened.close()

    node.run(scenario)


def test_where_the_system_maps_nothing_a_body_is_read(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(5 * MIB)
    path = node / "big"
    old_file(path, data)
    with path.open("rb") as file:
        assert mapped(file.fileno(), 0, 6 * MIB) is None
    monkeypatch.setattr(reading, "mapped", lambda *_: None)

    async def scenario(h: Harness) -> None:
        opened = await h.driver.open(h.at("big"))
        assert b"".join([bytes(piece) async for piece in opened.views()]) == data
        await opened.close()

    node.run(scenario)


@pytest.mark.parametrize("size", [1000, 200_000])
def test_small_reads_beside_a_shell_that_writes_in_place_see_one_write(
    node: FolderNodeUnderTest, size: int
) -> None:
    """Each write(2) fills the whole file with one letter."""
    path = node / "k"
    path.write_bytes(b"a" * size)
    stop = threading.Event()

    def edit() -> None:
        fd = os.open(path, os.O_WRONLY)
        number = 0
        while not stop.is_set():
            number += 1
            os.pwrite(fd, bytes([97 + number % 26]) * size, 0)
            time.sleep(0.03 if number % 3 else 0.001)
        os.close(fd)

    async def scenario(h: Harness) -> None:
        editor = threading.Thread(target=edit)
        editor.start()
        try:
            seen: set[bytes] = set()
            end = time.monotonic() + 10
            while len(seen) < 20 and time.monotonic() < end:
                await asyncio.sleep(0.002)
                try:
                    data = await h.get("k")
                except ObjectChanged:
                    continue
                assert len(set(data)) == 1
                seen.add(data[:1])
            assert len(seen) == 20
        finally:
            stop.set()
            editor.join()

    node.run(scenario)


def test_a_file_that_is_never_left_alone_does_not_hold_up_its_reader(node: FolderNodeUnderTest) -> None:
    path = node / "log"
    path.write_bytes(b"x")
    stop = threading.Event()

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"line\n")
                time.sleep(0.001)

    async def scenario(h: Harness) -> None:
        writer = threading.Thread(target=append)
        writer.start()
        refused = 0
        try:
            for _ in range(3):
                begin = time.monotonic()
                try:
                    data = await h.get("log")
                except ObjectChanged:
                    refused += 1
                else:
                    assert re.fullmatch(b"x(line\n)*", data)
                assert time.monotonic() - begin < 3
        finally:
            stop.set()
            writer.join()
        assert refused
        assert await h.get("log") == path.read_bytes()

    node.run(scenario)


def test_what_was_just_published_is_read_without_waiting(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        slowest = 0.0
        for number in range(20):
            await h.put("k", b"%d" % number)
            begin = time.monotonic()
            assert await h.get("k") == b"%d" % number
            slowest = max(slowest, time.monotonic() - begin) if number else 0.0
        assert slowest < 0.015

    node.run(scenario)


def test_metadata_may_change_during_a_download_only_with_an_error(node: FolderNodeUnderTest) -> None:
    """A changed ctime can hide an edit whose mtime was set back, so it ends the download too."""
    path = node / "big"
    old_file(path, b"a" * (4 * MIB))

    async def scenario(h: Harness) -> None:
        opened = await h.driver.open(h.at("big"))
        chunks = opened.chunks()
        await anext(chunks)
        path.chmod(0o664)
        with pytest.raises(ObjectChanged):
            async for _ in chunks:
                pass
        await opened.close()

    node.run(scenario)


def test_a_download_given_up_in_the_middle_leaves_nothing_open(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` checks the descriptors."""
    old_file(node / "big", b"a" * (8 * MIB))
    monkeypatch.setattr(reading, "read_cached", lambda *_: None)

    async def scenario(h: Harness) -> None:
        async def download() -> None:
            opened = await h.driver.open(h.at("big"))
            try:
                async for _ in opened.chunks():
                    await asyncio.sleep(0.001)
            finally:
                await opened.close()

        for delay in (0, 0.0005, 0.002, 0.005):
            task = asyncio.create_task(download())
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    node.run(scenario)
