"""Since when nothing has come from the storage that a thread asks.

A call into a filesystem may never return, as on a network mount whose server is gone, and nobody can look into it.
But a thread for which anything comes, be it one entry of a million, uses processor time, and one that waits in a
system call uses none: so the kernel's count tells, and reading an entry costs no more for being looked after.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Silence:
    """One thread asks at a time; another looks at `seconds` again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = 0
        self._asking: tuple[int, int] | None = None
        """The processor clock of the thread that asks, and how often something was asked."""
        self._seen: tuple[int, int, int] | None = None
        self._since = clock()

    def ask(self, storage: Callable[[], T]) -> T:
        """What `storage` returns or raises."""
        self._asked += 1
        self._asking = time.pthread_getcpuclockid(threading.get_ident()), self._asked
        try:
            return storage()
        finally:
            self._asking = None

    def seconds(self) -> float:
        """For how long nothing came, as far as that was looked at; 0 while nothing is asked."""
        seen, now = self._look(), self._clock()
        if seen is None or seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since

    def _look(self) -> tuple[int, int, int] | None:
        asking = self._asking
        if asking is None:
            return None
        try:
            return (*asking, time.clock_gettime_ns(asking[0]))
        except OSError:  # the thread has ended meanwhile
            return None
