"""How fast a crawl reads: its rate, its rests, its place behind other readers of the disk."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.crawl_world import CrawlWorld
from workspacesio.domain.vocabulary import CrawlReason, CrawlState
from workspacesio.index import crawling
from workspacesio.index.crawl_folder import Walked
from workspacesio.index.crawl_queue import CrawlQueue
from workspacesio.index.pace import Pace, io_priority, paced


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def _walk(clock: Clock, steps: int, *, seconds: float, entries: int) -> Generator[Walked, None, None]:
    for _ in range(steps):
        clock.now += seconds
        yield Walked(None, entries)


def _run(pace: Pace, *, seconds: float, entries: int = 100) -> tuple[Clock, int]:
    clock = Clock()
    walk = _walk(clock, 50, seconds=seconds, entries=entries)
    found = [walked for walked in paced(walk, pace, clock=clock, sleep=clock.sleep) if walked is not None]
    return clock, len(found)


def test_without_a_limit_nothing_waits() -> None:
    clock, found = _run(Pace(), seconds=0.1)
    assert (clock.slept, found) == (0.0, 50)


def test_a_rate_holds() -> None:
    clock, found = _run(Pace(rate=1000), seconds=0.01)
    assert found == 50
    assert abs(50 * 100 / clock.now - 1000) < 10


def test_a_rate_above_what_the_disk_gives_costs_nothing() -> None:
    clock, _ = _run(Pace(rate=1000), seconds=0.2)
    assert clock.slept == 0.0


def test_a_gentle_walk_rests_as_long_as_it_reads() -> None:
    for seconds in (0.002, 0.05, 0.5):
        clock, _ = _run(Pace(gentle=True), seconds=seconds)
        assert 0.85 < clock.slept / (50 * seconds) <= 1.01


def test_a_very_slow_disk_does_not_stop_a_gentle_walk() -> None:
    clock, _ = _run(Pace(gentle=True), seconds=10.0)
    assert clock.slept < 51


def test_the_kernel_is_asked_to_serve_others_first_while_reading_only() -> None:
    """ioprio_get(2); read in another thread than the test's, whose own stays as it is."""
    seen: list[int] = []

    def priority() -> int:
        number = 252 if platform.machine() == "x86_64" else 31
        return int(ctypes.CDLL(None).syscall(number, 1, 0)) >> 13

    def walk() -> Generator[Walked, None, None]:
        seen.append(priority())
        yield Walked(None, 1)

    def run() -> None:
        seen.extend(priority() for _ in paced(walk(), Pace(gentle=True), sleep=lambda _: None))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert io_priority(0)
    assert seen == [3, 0], os.uname().release


def test_a_crawl_that_is_not_to_be_fast_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever asks for one entry a second keeps everybody else waiting for days."""
    monkeypatch.setattr(crawling, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(crawling, "WAY_SECONDS", 0.3)
    world = CrawlWorld(tmp_path)
    world.queue = CrawlQueue(world.database, "worker", lambda: datetime.now(UTC))
    world.crawler = world.crawler_with()
    roots = {name: world.add_root(name, f"{name}/") for name in ("slow", "other")}
    for name, root in roots.items():
        for number in range(6):
            world.write(f"{name}/w/{number}/file")
        world.add_workspace(f"{name}/w/", root_id=root)
    slow = world.request(root_id=roots["slow"], rate=6)
    began = time.monotonic()
    taken = world.queue.take()
    assert taken is not None
    assert not world.queue.is_more_urgent(taken, rests=True), "nobody waits"
    world.queue.put_back(slow, taken.progress)
    other = world.request(root_id=roots["other"], reason=CrawlReason.SCHEDULE)
    assert world.crawler.run_one(lambda: False)
    assert (world.row(slow).state, world.row(other).state) == (CrawlState.QUEUED, CrawlState.QUEUED)
    assert world.crawler.run_one(lambda: False)
    assert world.row(other).state == CrawlState.DONE, "before the one that somebody asked for, which rests"
    assert world.row(slow).state == CrawlState.QUEUED
    while world.row(slow).state != CrawlState.DONE:
        world.crawler.run_one(lambda: False)
    assert world.row(slow).entries == 6
    assert time.monotonic() - began > 1.0, "its rate holds"
    assert world.indexed(1) == world.listed("slow/w/")
    world.close()
