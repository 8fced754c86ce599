"""A figure of WorkspacesIO beside the raw server's from the same run: less is better, or more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Beside:
    """`raw`: what the figure is compared with; None where there is no such thing. `ratio`: the highest that is
    good, of the figure to `raw`. `limit`: what the figure itself may not pass, from below where `more` is better.
    """

    title: str
    value: float
    unit: str
    raw: float | None = None
    ratio: float | None = None
    limit: float | None = None
    more: bool = False
    note: str = ""
    in_the_way: str = ""

    @property
    def reached(self) -> bool:
        """Whether the figure is as good as it shall be, or is only there to compare."""
        if self.ratio is not None and self.raw is not None and self.value > self.ratio * self.raw:
            return False
        if self.limit is None:
            return True
        return self.value >= self.limit if self.more else self.value < self.limit

    @property
    def goal(self) -> str:
        """What is to be reached, spelled."""
        words = []
        if self.ratio is not None:
            words.append(f"at most {self.ratio:g}×")
        if self.limit is not None:
            words.append(f"{'at least' if self.more else 'under'} {self.limit:,g} {self.unit}")
        return ", ".join(words)


def table(rows: list[Beside]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| | WorkspacesIO | MinIO itself | ratio | goal | |"
    yield "|---|---:|---:|---:|---|---|"
    for row in rows:
        raw = "" if row.raw is None else f"{_spelled(row.raw)} {row.unit}"
        ratio = "" if row.raw is None else f"{row.value / row.raw:.2f}×"
        missed = "" if row.reached else " (not reached)"
        cells = [row.title, f"{_spelled(row.value)} {row.unit}{missed}", raw, ratio, row.goal, row.note]
        yield f"| {' | '.join(cells)} |"


def in_the_way(rows: list[Beside]) -> Iterator[str]:
    """What was found to stand in the way of goals that are not reached."""
    for row in rows:
        if row.in_the_way and not row.reached:
            yield f"- {row.title}: {row.in_the_way}."


def _spelled(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
