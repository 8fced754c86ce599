"""Whether a server is worth asking now, so that one that is away or hangs ties up few threads, for a short time.

    reached: any number of requests, AT_ONCE at a time; the others wait for their turn
    hung:    a request is unanswered for PATIENCE_SECONDS; none is begun until one is answered or given up
    away:    a request was given up; for AWAY_SECONDS every other is refused at once, then one alone is let through

What is refused here was not sent. An answer of any kind, also a refusal, says that the server is reached.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from workspacesio.nodes.errors import AddressNotAllowed, NodeDown

AT_ONCE = 16
PATIENCE_SECONDS = 3.0
AWAY_SECONDS = 2.0


class KnownAway(NodeDown):
    """Not asked: the server did not answer others just now."""


class Reach:
    """One for each connection of a process with a server. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun: dict[int, float] = {}
        self._number = 0
        self._problem: str | None = None
        self._away_until = 0.0
        self.connections = 0
        """How many were made so far: each may lead to another server."""

    def problem(self) -> str | None:
        """Why a request would be refused now, or None."""
        with self._changed:
            return self._refusal(time.monotonic())

    def look_again(self) -> None:
        """The next request is let through, unless another is under way: somebody waits for nothing else."""
        with self._changed:
            self._away_until = 0.0

    def connected(self) -> None:
        with self._changed:
            self.connections += 1

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around one request with its answer. Raises KnownAway at once, or when it waited in vain for its turn."""
        number = self._begin()
        problem: str | None = None
        try:
            yield
        except AddressNotAllowed:
            raise
        except NodeDown as error:
            problem = str(error)
            raise
        finally:
            self._end(number, problem)

    def _begin(self) -> int:
        with self._changed:
            while (refusal := self._refusal(time.monotonic())) is None and len(self._begun) >= AT_ONCE:
                self._changed.wait(0.1 + max(0.0, self._hangs_at() - time.monotonic()))
            if refusal is not None:
                raise KnownAway(refusal)
            self._number += 1
            self._begun[self._number] = time.monotonic()
            return self._number

    def _end(self, number: int, problem: str | None) -> None:
        with self._changed:
            del self._begun[number]
            self._problem = problem
            if problem is not None:
                self._away_until = time.monotonic() + AWAY_SECONDS
            self._changed.notify_all()

    def _refusal(self, now: float) -> str | None:
        if self._problem is not None:
            return self._problem if self._begun or now < self._away_until else None
        return "The server did not answer in time." if now > self._hangs_at() else None

    def _hangs_at(self) -> float:
        return min(self._begun.values(), default=float("inf")) + PATIENCE_SECONDS
