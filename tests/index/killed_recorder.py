"""Kills a process that records, many times at random moments, and looks at what it left. Run by test_recording.py.

    python killed_recorder.py FOLDER LIVES SEED

This process has no threads and no engine open, so it may fork: each life is a child that records random changes
into the catalogue and tantivy, until SIGKILL; then another child opens what is left, and compares.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))

from index.held import check_engine
from index.recorded import Clock, Model, Random, catalogued, check_sums, open_recorder, settle
from workspacesio.database.sessions import sqlite_url
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.opening import Engines
from workspacesio.settings import Settings

STEPS = 10_000
LONGEST_LIFE = 0.25


def record(folder: Path, seed: int, acknowledge: Callable[[int], None]) -> None:
    """Says 0 when it begins, then the number of each step after which a commit has returned."""
    catalogue = Catalogue(sqlite_url(folder / "index" / "catalogue.sqlite"))
    recorder, upkeep = open_recorder(catalogue, Engines(Settings(state_dir=folder), 1), Clock())
    model = pickle.loads((folder / "model").read_bytes())
    changing = Random(seed, recorder=recorder, model=model)
    acknowledge(0)
    for step in range(1, STEPS):
        changing.change()
        if step % 9 == 0:
            upkeep.step()
        if step % 13 == 0:
            upkeep.rebuild()
        if step % 4 == 0:
            (recorder.commit_beside if step % 8 else recorder.commit)()
            acknowledge(step)


def look(folder: Path, seed: int, last: int) -> None:
    """The catalogue is as it was after the last acknowledged step, or a little later; the engine equals it."""
    catalogue = Catalogue(sqlite_url(folder / "index" / "catalogue.sqlite"))
    assert catalogue.store.problem() is None
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(Settings(state_dir=folder), 1), clock)
    found = catalogued(catalogue)
    model: Model = pickle.loads((folder / "model").read_bytes())
    changing = Random(seed, recorder=None, model=model)
    for _ in range(last):
        changing.change()
    for _ in range(4):
        if found == model:
            break
        changing.change()
    assert found == model, f"neither what was recorded by step {last} nor by one of the next four"
    settle(recorder, upkeep, clock)
    assert catalogued(catalogue) == found
    check_sums(catalogue, found)
    check_engine(recorder)
    recorder.close()
    (folder / "model").write_bytes(pickle.dumps(found))


def forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def live_and_die(folder: Path, seed: int, seconds: float) -> int:
    """The last step that was acknowledged before the kill."""
    reading, writing = os.pipe()
    child = forked(lambda: record(folder, seed, lambda step: os.write(writing, step.to_bytes(4, "big")) and None))
    os.close(writing)
    said = os.read(reading, 4)
    assert said, "the recorder died by itself"
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the recorder died by itself"
    while more := os.read(reading, 4096):
        said += more
    os.close(reading)
    return int.from_bytes(said[-4:], "big")


def main() -> int:
    folder, lives, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    (folder / "model").write_bytes(pickle.dumps({}))
    catalogue = Catalogue(sqlite_url(folder / "index" / "catalogue.sqlite"))
    catalogue.store.make(1, 0, 1)
    catalogue.close()
    steps = 0
    for life in range(lives):
        last = live_and_die(folder, seed * 1000 + life, moments.uniform(0, LONGEST_LIFE))
        steps += last
        checking = forked(lambda last=last, life=life: look(folder, seed * 1000 + life, last))  # type: ignore[misc]
        if os.waitstatus_to_exitcode(os.waitpid(checking, 0)[1]) != 0:
            print(f"life {life} left what is wrong", file=sys.stderr)
            return 1
    assert steps, "nothing was ever acknowledged"
    print(f"{lives} lives, {steps} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
