"""Eight processes and a shell on the same keys: each read is one whole version, each condition holds."""

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nodes.child_processes import Child
from nodes.contract import PART, Harness, md5
from nodes.folder_node import FolderNodeUnderTest, opened_node
from workspacesio.nodes.errors import NoSuchObject, ObjectChanged, PreconditionFailed
from workspacesio.nodes.values import Preconditions

PROCESSES = 8


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


def start(node: FolderNodeUnderTest, work: Callable[[Harness, Child, int], Awaitable[None]]) -> list[Child]:
    def begin(number: int) -> Child:
        async def whole(child: Child) -> None:
            async with opened_node(node.folder, node.state, **node.options) as h:
                await work(h, child, number)

        return Child(whole)

    return [begin(number) for number in range(PROCESSES)]


@pytest.mark.slow
def test_no_update_under_if_match_is_lost(node: FolderNodeUnderTest) -> None:
    rounds = 25

    async def count(h: Harness, child: Child, number: int) -> None:
        for _ in range(rounds):
            while True:
                value = await h.get("n")
                try:
                    await h.put("n", b"%d" % (int(value) + 1), preconditions=Preconditions(if_match=md5(value)))
                except PreconditionFailed:
                    await asyncio.sleep(random.uniform(0, 0.002))
                    continue
                break

    node.run(lambda h: h.put("n", b"0"))
    for child in start(node, count):
        child.join()
    assert (node / "n").read_bytes() == b"%d" % (PROCESSES * rounds)


@pytest.mark.slow
def test_one_creator_wins_even_against_a_shell(node: FolderNodeUnderTest) -> None:
    """The shell's noclobber `>` opens with O_EXCL, so it and If-None-Match exclude each other."""
    rounds = 60
    shell = subprocess.Popen(
        ["bash", "-c", f"set -C; for ((i=0; i<{rounds}; i++)); do (echo -n s > r$i) 2>/dev/null && echo $i; done"],
        cwd=node.folder,
        stdout=subprocess.PIPE,
        text=True,
    )

    async def create(h: Harness, child: Child, number: int) -> None:
        for key in range(rounds):
            try:
                await h.put(f"r{key}", b"%d" % number, preconditions=Preconditions(if_none_match=True))
            except PreconditionFailed:
                continue
            child.say(str(key))

    children = start(node, create)
    said = {str(number): child.join() for number, child in enumerate(children)}
    said["s"] = shell.communicate()[0].split()
    winners = [key for keys in said.values() for key in keys]
    assert sorted(winners, key=int) == [str(key) for key in range(rounds)]
    for letter, keys in said.items():
        for key in keys:
            assert (node / f"r{key}").read_text() == letter


@pytest.mark.slow
def test_every_read_is_one_whole_version(node: FolderNodeUnderTest, tmp_path: Path) -> None:
    """Four processes write and delete, four read, and a shell edits the same files in place, one write(2) each."""
    sizes = {"small": 3000, "middle": 200_000, "big": 3 << 20}
    for name, size in sizes.items():
        (tmp_path / f"edit-{name}").write_bytes(b"~" * size)
    script = " ".join(
        f"dd if={tmp_path}/edit-{name} of={name} bs={size} count=1 conv=notrunc,nocreat status=none 2>/dev/null;"
        for name, size in sizes.items()
    )
    shell = subprocess.Popen(["bash", "-c", f"while :; do {script} sleep 0.05; done"], cwd=node.folder)

    async def write_or_read(h: Harness, child: Child, number: int) -> None:
        end = time.monotonic() + 6
        reads = changed = 0
        while time.monotonic() < end:
            name = random.choice(list(sizes))
            if number < 4:
                letter = bytes([97 + number])
                if random.random() < 0.15:
                    await h.driver.delete(h.at(name))
                else:
                    await h.put(name, letter * sizes[name])
                await asyncio.sleep(random.uniform(0, 0.05))
                continue
            opened = None
            try:
                opened = await h.driver.open(h.at(name))
                data = b"".join([chunk async for chunk in opened.chunks()])
            except NoSuchObject:
                continue
            except ObjectChanged:
                changed += 1
                continue
            finally:
                if opened is not None:
                    await opened.close()
            reads += 1
            assert len(data) == sizes[name]
            assert len(set(data)) == 1, f"{name} is of two versions"
            etag = opened.info.etag
            assert etag == md5(data) or etag.endswith("-0")
            if data[:1] == b"~":
                assert etag.endswith("-0"), "an edited file has the ETag of what was there before"
            child.say(data[:1].decode())
        if number >= 4:
            assert reads > 5

    children = start(node, write_or_read)
    try:
        seen = {letter for child in children for letter in child.join()}
    finally:
        shell.kill()
        shell.wait()
    assert seen == {"a", "b", "c", "d", "~"}


@pytest.mark.slow
def test_folders_come_and_go_under_many_processes(node: FolderNodeUnderTest) -> None:
    """Each writes and deletes its own key in folders that all share and that go with their last object."""

    async def come_and_go(h: Harness, child: Child, number: int) -> None:
        for turn in range(60):
            key = f"a/b/c/{number}"
            await h.put(key, b"%d" % turn)
            assert await h.get(key) == b"%d" % turn
            assert await h.driver.delete(h.at(key)) is not None

    for child in start(node, come_and_go):
        child.join()
    assert os.listdir(node.folder) in ([".workspacesio"], [".workspacesio", "a"])

    async def last(h: Harness) -> None:
        assert await h.keys() == []
        await h.put("a/b/c/last", b"x")
        await h.driver.delete(h.at("a/b/c/last"))

    node.run(last)
    assert not (node / "a").exists()


@pytest.mark.slow
def test_parts_and_completions_from_many_processes(node: FolderNodeUnderTest) -> None:
    """Every process sends every part, then all complete: one object, of one version of each part."""
    upload = node.run(lambda h: h.begin("k"))
    pieces = [os.urandom(PART), os.urandom(PART), os.urandom(PART), os.urandom(99)]

    async def send(h: Harness, child: Child, number: int) -> None:
        order = list(range(1, 5))
        random.shuffle(order)
        parts = [await h.part(upload, n, pieces[n - 1]) for n in order]
        published = await h.complete(upload, sorted(parts, key=lambda part: part.number))
        child.say(str(published.replaced_size))

    def first(h: Harness) -> Awaitable[object]:
        return h.part(upload, 2, pieces[1])

    node.run(first)
    finished = []
    for child in start(node, send):
        status, lines = child._end()
        finished.append((status, lines))
    assert [lines for status, lines in finished if status == 0].count(["None"]) == 1
    assert node.run(lambda h: h.get("k")) == b"".join(pieces)
