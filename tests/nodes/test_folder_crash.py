"""SIGKILL at random moments of PUT, copy, multipart completion and delete.

Afterwards every acknowledged object is whole, none is partial, and what was left over is cleared.
"""

import asyncio
import hashlib
import os
import random
import time
from pathlib import Path

import pytest

from nodes.child_processes import Child
from nodes.contract import PART, Harness, md5
from nodes.folder_node import FolderNodeUnderTest, opened_node
from workspacesio.nodes.errors import NoSuchObject, NoSuchUpload
from workspacesio.nodes.values import Durability, ObjectMetadata

WORKERS = 3
SIZES = [0, 700, 300_000, 2 << 20, PART + 4321]


def content(label: str) -> bytes:
    """What the version of this label holds: its size and bytes follow from it."""
    seed = hashlib.sha256(label.encode()).digest()
    size = PART + 4321 if label.startswith("multipart") else SIZES[seed[0] % len(SIZES)]
    return (seed * (size // 32 + 1))[:size]


async def act(h: Harness, key: str, label: str) -> None:
    """Make `key` the version `label`, in the way that the label names."""
    data = content(label)
    described = ObjectMetadata(etag=md5(data), user={"label": label})
    if label.startswith("put"):
        await h.put(key, data, described)
    elif label.startswith("copy"):
        await h.put("source/" + key, data)
        staged = await h.driver.stage_copy(h.at("source/" + key), h.at(key), source_etag=None, hashers=[])
        await staged.publish(described)
        await staged.discard()
    elif label.startswith("multipart"):
        upload = await h.begin(key, ObjectMetadata(user={"label": label}))
        pieces = [data[:PART], data[PART:]]
        await h.complete(upload, [await h.part(upload, n, piece) for n, piece in enumerate(pieces, 1)])
    else:
        await h.driver.delete(h.at(key))


async def work(h: Harness, child: Child, round_number: int, worker: int) -> None:
    choose = random.Random(f"{round_number}-{worker}")
    for number in range(100_000):
        key = f"w{worker}/k{choose.randrange(3)}/o"
        kind = choose.choice(["put", "put", "copy", "multipart", "delete"])
        label = f"{kind}-{round_number}-{worker}-{number}"
        child.say(f"begin {key} {label}")
        await act(h, key, label)
        child.say(f"done {key} {label}")


async def state(h: Harness, key: str) -> str:
    """The label of what is at a key, after checking that it is whole; 'delete' where nothing is."""
    try:
        info = await h.driver.head(h.at(key))
    except NoSuchObject:
        return "delete"
    label = info.metadata.user["label"]
    assert await h.get(key) == content(label), f"{key} is not whole"
    assert info.size == len(content(label))
    return label


@pytest.mark.slow
@pytest.mark.parametrize(("durability", "rounds"), [(Durability.PROCESS, 40), (Durability.FULL, 15)])
def test_killed_at_any_moment(tmp_path: Path, durability: Durability, rounds: int) -> None:
    node = FolderNodeUnderTest(tmp_path, durability=durability)
    allowed: dict[str, set[str]] = {}
    interrupted = 0

    for round_number in range(rounds):

        async def run(child: Child, number: int = round_number) -> None:
            async with opened_node(node.folder, node.state, **node.options) as h:
                await asyncio.gather(*(work(h, child, number, worker) for worker in range(WORKERS)))

        child = Child(run)
        time.sleep(random.uniform(0.02, 0.3))
        for line in child.kill():
            word, key, label = line.split()
            label = "delete" if label.startswith("delete") else label
            if word == "begin":
                allowed.setdefault(key, {"delete"}).add(label)
            else:
                allowed[key] = {label}
        interrupted += sum(len(labels) > 1 for labels in allowed.values())

        async def look(h: Harness) -> None:
            await h.driver.clear_abandoned(3600)
            for key, labels in allowed.items():
                found = await state(h, key)
                assert found in labels, f"{key}: {found} instead of {labels}"
                allowed[key] = {found}
            shown = {key for key in await h.keys() if not key.startswith("source/")}
            assert shown == {key for key, labels in allowed.items() if labels != {"delete"}}

        node.run(look)
        assert [name for name in node.staged() if name.startswith("new/")] == []
    assert interrupted > rounds / 2

    async def clear(h: Harness) -> None:
        await asyncio.sleep(0.05)
        await h.driver.clear_abandoned(0.01)
        assert await h.driver.uploads(h.at("x").scope, "") == ([], False)
        for key in await h.keys():
            await h.driver.delete(h.at(key))

    node.run(clear)
    assert [name for name in node.staged() if not name.startswith("completed/")] == []
    assert sorted(path.name for path in node.folder.rglob("*") if path.is_file()) == [
        os.path.basename(name) for name in node.staged()
    ]


def test_completing_again_after_the_answer_was_lost_in_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the rename that publishes and the end of the upload."""
    node = FolderNodeUnderTest(tmp_path)

    async def begin(h: Harness) -> tuple[object, list[object]]:
        upload = await h.begin("k")
        return upload, [await h.part(upload, 1, b"1" * PART), await h.part(upload, 2, b"2")]

    upload, parts = node.run(begin)

    async def die(child: Child) -> None:
        from workspacesio.nodes.folder import completing

        monkeypatch.setattr(completing, "end_upload", lambda *_: os.kill(os.getpid(), 9))
        async with opened_node(node.folder, node.state, **node.options) as h:
            await h.complete(upload, parts)

    assert Child(die)._end()[0] == -9

    async def again(h: Harness) -> None:
        assert await h.get("k") == b"1" * PART + b"2"
        with pytest.raises(NoSuchUpload):
            await h.complete(upload, parts)
        info = await h.driver.completed_upload(h.at("k"), upload.upload_id, parts)
        assert info.size == PART + 1
        assert (await h.driver.head(h.at("k"))).etag == info.etag
        assert await h.driver.uploads(h.at("k").scope, "") == ([], False)

    node.run(again)
