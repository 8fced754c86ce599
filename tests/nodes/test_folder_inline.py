"""Which writes are done on the event loop: small ones that wait for no disk, as long as the disk is quick."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nodes.contract import Harness
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.folder import inline
from workspacesio.nodes.folder.publishing import Publication
from workspacesio.nodes.values import Durability


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> Iterator[list[bool]]:
    """For each publication, whether it was done on the event loop's thread. Each takes `seconds` longer."""
    on_loop: list[bool] = []
    publish = Publication.publish

    def watching(publication: Publication) -> Any:
        on_loop.append(threading.current_thread() is threading.main_thread())
        time.sleep(seconds)
        return publish(publication)

    monkeypatch.setattr(Publication, "publish", watching)
    yield on_loop


def test_a_small_write_stays_on_the_loop_and_a_bigger_one_does_not(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(h: Harness) -> None:
        await h.put("warm", b"x")
        with watched(monkeypatch) as on_loop:
            await h.put("small", b"x" * inline.INLINE_BYTES)
            await h.put("bigger", b"x" * (inline.INLINE_BYTES + 1))
            await h.put("large", b"x" * (3 << 20))
        assert on_loop == [True, False, False]
        assert await h.get("small") == b"x" * inline.INLINE_BYTES

    monkeypatch.setattr(inline, "_LONG_SECONDS", 60.0)
    node.run(scenario)


def test_a_write_that_is_synced_never_holds_up_the_loop(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(h: Harness) -> None:
        await h.put("warm", b"x")
        with watched(monkeypatch) as on_loop:
            await h.put("small", b"x")
        assert on_loop == [False]

    node.run(scenario, durability=Durability.FULL)


def test_after_a_slow_write_threads_take_over_for_a_while(
    node: FolderNodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(h: Harness) -> None:
        await h.put("warm", b"x")
        with watched(monkeypatch, seconds=0.3) as on_loop:
            await h.put("one", b"x")
            await h.put("two", b"x")
            time.sleep(1.2)
            await h.put("three", b"x")
        assert on_loop == [True, False, True]

    monkeypatch.setattr(inline, "_LONG_SECONDS", 0.2)
    monkeypatch.setattr(inline, "_REST_SECONDS", 1.0)
    node.run(scenario)


def test_a_write_that_waited_for_a_processor_was_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads would only make a busy machine busier. A disk that is waited for is another matter."""
    monkeypatch.setattr(inline, "_LONG_SECONDS", 0.2)
    cpu = min(os.sched_getaffinity(0))
    busy = f"import os; os.sched_setaffinity(0, [{cpu}]); print(flush=True)\nwhile True: pass"
    command = [sys.executable, "-c", busy]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    quick: list[bool] = []

    def spin() -> None:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pass

    def write() -> None:
        os.sched_setaffinity(0, [cpu])  # of this thread
        writes = inline.Inline()
        writes.run(spin)
        quick.append(writes.quick)
        writes.run(time.sleep, 0.3)
        quick.append(writes.quick)

    try:
        for other in others:
            assert other.stdout is not None
            other.stdout.readline()
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    finally:
        for other in others:
            with other:
                other.kill()
    assert quick == [True, False]
