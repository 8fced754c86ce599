"""Collects the words of a content until there are enough, and the parts of it that are names."""

from collections.abc import Iterable

LISTED = 40
"""So many columns, variables or sheets are named in a fact; the words of all are searched."""


class Text:
    """Pieces of text, joined by newlines, until `most` characters are there."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._pieces: list[str] = []

    @property
    def full(self) -> bool:
        return self._left <= 0

    def add(self, piece: object) -> bool:
        """Returns whether there is room for more."""
        text = str(piece).strip()
        if text and self._left > 0:
            self._pieces.append(text[: self._left])
            self._left -= len(text) + 1
        return self._left > 0

    def __str__(self) -> str:
        return "\n".join(self._pieces)


def listed(names: Iterable[object]) -> str:
    """`a, b, c`, and how many more there are."""
    all_names = [str(name) for name in names]
    more = len(all_names) - LISTED
    return ", ".join(all_names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def present(**facts: object) -> dict[str, str]:
    """Those that say something."""
    return {name: str(value).strip() for name, value in facts.items() if value not in (None, "", b"")}
