"""How far a crawl is: what it met and what that changed, and the place from which it would go on.

Counts that a position is stored with are those at the position, so that what is listed again after a kill isn't
counted twice.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from workspacesio.database.index_tables import Crawl
from workspacesio.index.found import MOST_BYTES, Counts

MAX_EXAMPLES = 20
_MAX_EXAMPLE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Position:
    """All before it is recorded. `workspace_id` is being crawled, those with smaller numbers were.

    `folder` ('' or 'a/b/') is the last one recorded, folders before those in them; None: none yet. `name`: of a
    folder that is read in stretches, the last name recorded. On servers `folder` + `name` is the last key.
    """

    workspace_id: int
    folder: str | None = None
    name: str | None = None


@dataclass(slots=True)
class Problems:
    """Why entries that are there are not indexed: by reason how many, and the first of them."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, reason: str, path: str) -> None:
        noted = self.found.setdefault(reason, {"count": 0, "examples": []})
        noted["count"] += 1
        if len(noted["examples"]) < MAX_EXAMPLES:
            shown = path.encode(errors="surrogateescape").decode("utf-8", "backslashreplace")
            noted["examples"].append(shown[:_MAX_EXAMPLE_CHARACTERS])

    def add(self, noted: Iterable[tuple[str, str]]) -> None:
        for reason, path in noted:
            self.note(reason, path)

    def copied(self) -> dict[str, dict[str, Any]]:
        return {
            reason: {"count": noted["count"], "examples": list(noted["examples"])}
            for reason, noted in self.found.items()
        }


@dataclass(slots=True)
class Progress:
    """`committed`: a position before which everything was committed, and what had been counted there."""

    counts: Counts = field(default_factory=Counts)
    entries: int = 0
    seconds: float = 0.0
    problems: Problems = field(default_factory=Problems)
    position: Position | None = None
    expected_entries: int | None = None
    committed: dict[str, Any] | None = None
    _reached: dict[str, Any] | None = None
    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=10))

    @classmethod
    def of_row(cls, crawl: Crawl) -> "Progress":
        """As of the position that was stored; from the beginning where there is none."""
        stored = crawl.position
        if not stored:
            return cls(expected_entries=crawl.expected_entries)
        return cls(
            counts=Counts(*stored["counts"]),
            entries=stored["entries"],
            seconds=crawl.seconds,
            problems=Problems(Problems(stored["problems"]).copied()),
            position=Position(*stored["at"]),
            expected_entries=crawl.expected_entries,
            committed=stored,
        )

    def took(self, entries: int, counts: Counts, position: Position | None) -> None:
        """More was recorded; all up to `position`, if that moved."""
        self.entries += entries
        self.counts = self.counts.plus(counts)
        if position is not None:
            self.move(position)

    def move(self, position: Position) -> None:
        """All up to there was recorded, and nothing else."""
        self.position = position
        self._reached = {
            "at": [position.workspace_id, position.folder, position.name],
            "entries": self.entries,
            "counts": list(self.counts),
            "problems": self.problems.copied(),
        }

    def commit(self) -> None:
        """What was recorded so far survives a crash from now on."""
        if self._reached is not None:
            self.committed = self._reached

    def sample(self) -> None:
        """To be called about once a second."""
        self._samples.append((self.seconds, self.entries))

    @property
    def rate(self) -> float | None:
        """Entries a second, of late."""
        if len(self._samples) < 2:
            return self.entries / self.seconds if self.seconds > 0.5 else None
        (since, before), (now, entries) = self._samples[0], self._samples[-1]
        return (entries - before) / (now - since) if now > since else None

    @property
    def seconds_left(self) -> float | None:
        rate = self.rate
        if not rate or self.expected_entries is None or self.expected_entries <= self.entries:
            return None
        return (self.expected_entries - self.entries) / rate

    def row(self) -> dict[str, Any]:
        """Columns of `Crawl`."""
        return {
            "entries": self.entries,
            "bytes": min(self.counts.bytes, MOST_BYTES),
            "new": self.counts.new,
            "changed": self.counts.changed,
            "unchanged": self.counts.unchanged,
            "gone": self.counts.gone,
            "seconds": self.seconds,
            "entries_per_second": self.rate,
            "seconds_left": self.seconds_left,
            "problems": self.problems.copied(),
            "position": self.committed,
        }
