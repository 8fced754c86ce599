"""The runs of a name's pattern: what is between two `*`, of texts and `?`.

The grams of a run lie at fixed distances, so they are one phrase. It says all of the run if that begins and
ends with text and each of its characters is in a gram. The ends of the name count as characters (`NAME_END`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workspacesio.domain.search_patterns import Wild
from workspacesio.index.tantivy_grams import GRAM, NAME_END, visible


@dataclass(frozen=True, slots=True)
class Run:
    """`characters`: None for any one. `begins`, `ends`: where the name does."""

    parts: tuple[str | Wild, ...]
    characters: tuple[str | None, ...]
    begins: bool
    ends: bool

    @property
    def grams(self) -> list[tuple[int, str]]:
        """With their places."""
        edged = self._edged
        found = [(at, edged[at : at + GRAM]) for at in range(len(edged) - GRAM + 1)]
        return [(at, visible("".join(map(str, gram)))) for at, gram in found if None not in gram]

    @property
    def texts(self) -> list[tuple[str, str, str]]:
        """And `NAME_END` where the name begins, and ends, with them."""
        last = len(self.parts) - 1
        return [
            (part, NAME_END if self.begins and not at else "", NAME_END if self.ends and at == last else "")
            for at, part in enumerate(self.parts)
            if isinstance(part, str)
        ]

    @property
    def is_said(self) -> bool:
        """Whether grams say all of it, or it is a text alone."""
        if len(self.parts) == 1:
            return isinstance(self.parts[0], str)
        edged = self._edged
        said = {place for at, _ in self.grams for place in range(at, at + GRAM)}
        texts = {place for place, character in enumerate(edged) if character is not None}
        return texts == said and {0, len(edged) - 1} <= texts

    def overlaps(self, last: "Run") -> list[str] | None:
        """Names too short for both, which still begin with this run and end with the last one.

        None if there are wildcards in them.
        """
        found = []
        for length in range(1, min(len(self.characters), len(last.characters)) + 1):
            pairs = list(zip(self.characters[-length:], last.characters[:length], strict=True))
            if all(one is None or other is None or one == other for one, other in pairs):
                both = [
                    *self.characters[:-length],
                    *[one or other for one, other in pairs],
                    *last.characters[length:],
                ]
                if None in both:
                    return None
                found.append("".join(map(str, both)))
        return found

    @property
    def _edged(self) -> tuple[str | None, ...]:
        begin, end = (NAME_END,) if self.begins else (), (NAME_END,) if self.ends else ()
        return (*begin, *self.characters, *end)


def runs(parts: Sequence[str | Wild]) -> list[Run]:
    """Of a pattern whose `**` are `*`, none beside another; those that hold something."""
    found: list[list[str | Wild]] = [[]]
    for part in parts:
        if part is Wild.ANY:
            found.append([])
        else:
            found[-1].append(part)
    last = len(found) - 1
    return [
        Run(tuple(run), _characters(run), begins=not at, ends=at == last) for at, run in enumerate(found) if run
    ]


def _characters(parts: Sequence[str | Wild]) -> tuple[str | None, ...]:
    return tuple(character for part in parts for character in ([None] if isinstance(part, Wild) else list(part)))
