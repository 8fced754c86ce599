"""Threads that take turns, as long as turns are short.

Threads that make thousands of short system calls side by side spend more on handing the interpreter to each other
than on the work: four threads list 60 pages of 1,000 per second side by side, and 150 in turns. But while one
waits for a slow disk, or sorts a huge folder, the others gain by going on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

LONGEST_TURN = 0.05
"""Seconds after which others don't wait for this turn to end."""


class Turns:
    def __init__(self) -> None:
        self._lock = Lock()
        self._begun = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn that is being taken to end, but no longer than it may last."""
        begun = self._begun
        while not (mine := self._lock.acquire(timeout=LONGEST_TURN)):
            if begun == self._begun:
                break
            begun = self._begun
        try:
            if mine:
                self._begun += 1
            yield
        finally:
            if mine:
                self._lock.release()
