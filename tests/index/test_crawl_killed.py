"""A crawler killed at random moments, many times, leaves an index that the next one makes equal to storage."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from index.crawl_world import CrawlWorld
from workspacesio.domain.vocabulary import CrawlState

KILLS = 12


def crawl_on(base: str) -> None:
    """In a child process: takes over what the one before left, and crawls on, slowly enough to be hit."""
    from workspacesio.index import crawling

    crawling.STEP_FOLDERS = crawling.STEP_ENTRIES = 3
    crawling.COMMIT_SECONDS = 0.02
    crawling.REPORT_SECONDS = 0.01
    world = CrawlWorld(Path(base), holder=f"child-{os.getpid()}")
    world.queue.take_over()

    def slowly() -> bool:
        time.sleep(0.003)
        return False

    print("begins", flush=True)
    while world.crawler.run_one(slowly):
        pass
    world.close()


def test_killed_at_random_moments_it_ends_equal_to_storage(tmp_path: Path) -> None:
    chance = random.Random(5)
    world = CrawlWorld(tmp_path)
    workspaces = {prefix: world.add_workspace(prefix) for prefix in ("a/", "b/")}
    _fill(world, chance, "first")
    world.crawl()
    shutil.rmtree(world.folder / "a" / "1")
    _fill(world, chance, "second")
    crawl_id = world.request()
    world.close()
    killed = 0
    positions = set()
    for _ in range(KILLS):
        with _child(tmp_path) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.random() * 0.25)
            child.send_signal(signal.SIGKILL)
            child.wait()
        looked = CrawlWorld(tmp_path)
        row = looked.row(crawl_id)
        positions.add(str(row.position["at"]) if row.position else "")
        looked.close()
        if row.state == CrawlState.DONE:
            break
        killed += 1
    with _child(tmp_path) as child:
        child.wait()
        assert child.returncode == 0
    world = CrawlWorld(tmp_path)
    try:
        assert killed >= 3
        assert len(positions) >= 3
        row = world.row(crawl_id)
        assert (row.state, row.problem) == (CrawlState.DONE, None)
        for prefix, workspace in workspaces.items():
            world.check(workspace, prefix)
        assert row.entries == sum(len(world.listed(prefix)) for prefix in workspaces)
    finally:
        world.close()


def _fill(world: CrawlWorld, chance: random.Random, what: str) -> None:
    for prefix in ("a", "b"):
        for folder in range(60):
            for number in range(chance.randrange(12)):
                world.write(f"{prefix}/{folder % 7}/{folder}/{what}-{number}")


def _child(base: Path) -> subprocess.Popen[bytes]:
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r})\n"]
    command[-1] += f"from index.test_crawl_killed import crawl_on\ncrawl_on({str(base)!r})"
    return subprocess.Popen(command, stdout=subprocess.PIPE)
