"""Quick pages are made one after the other; a slow one holds nobody up for long."""

from __future__ import annotations

import threading
import time

from workspacesio.nodes.folder.turns import LONGEST_TURN, Turns


def test_short_turns_never_overlap_however_many_wait() -> None:
    turns = Turns()
    at_work: list[int] = []
    most: list[int] = []

    def take() -> None:
        for _ in range(5):
            with turns.turn():
                at_work.append(1)
                most.append(len(at_work))
                time.sleep(0.004)
                at_work.pop()

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 60
    assert max(most) == 1


def test_a_long_turn_is_not_waited_for() -> None:
    turns = Turns()
    release = threading.Event()
    holds = threading.Event()

    def hold() -> None:
        with turns.turn():
            holds.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait(5)
    began = time.monotonic()
    with turns.turn():
        waited = time.monotonic() - began
    release.set()
    thread.join()
    assert LONGEST_TURN <= waited < 5
    with turns.turn():
        pass
