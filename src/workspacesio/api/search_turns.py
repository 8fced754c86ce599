"""How many searches of one user run at a time, so that nobody takes all threads of a process with theirs.

What one search may cost has limits of its own (`domain/search_parsing.py`, `index/tantivy_queries.py`); they still
leave seconds where there are millions of objects.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from workspacesio.domain.errors import Unavailable

AT_ONCE = 2
MOST_WAITING = 4
"""A thread waits, too, and a process has forty."""

WAIT_SECONDS = 5.0


class SearchTurns:
    """One in each process; safe in threads."""

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._running: Counter[int] = Counter()
        self._waiting: Counter[int] = Counter()

    @contextmanager
    def turn(self, user_id: int) -> Iterator[None]:
        """Waits for one, in no transaction. Raises Unavailable where that takes long or too many wait."""
        self._begin(user_id)
        try:
            yield
        finally:
            with self._changed:
                self._running -= Counter([user_id])  # forgets who has none
                self._changed.notify_all()

    def _begin(self, user_id: int) -> None:
        with self._changed:
            if self._waiting[user_id] >= MOST_WAITING:
                raise _busy()
            self._waiting[user_id] += 1
            free = self._changed.wait_for(lambda: self._running[user_id] < AT_ONCE, self._wait_seconds)
            self._waiting -= Counter([user_id])
            if not free:
                raise _busy()
            self._running[user_id] += 1


def _busy() -> Unavailable:
    return Unavailable(
        f"Your other searches are not done yet, and {AT_ONCE} of one user run at a time; try again in a moment.",
        code="busy",
        details={"retry_after_seconds": 1},
    )
