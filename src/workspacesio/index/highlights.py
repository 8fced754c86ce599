"""The pieces of a path or of content in which the words of a query were found, for every engine alike."""

from collections.abc import Iterable

from workspacesio.domain.search_words import word_spans

Piece = tuple[str, tuple[tuple[int, int], ...]]

AROUND = 80
"""Characters of content that are shown on each side."""
MOST_PIECES = 3
"""Of the content of one entry."""


def highlights(phrases: Iterable[tuple[str, ...]], path: str, text: str) -> tuple[Piece, ...]:
    """The path, if it has some of the words, and the first places in the content that have."""
    wanted = list(phrases)
    in_path = _found(wanted, path)
    pieces: list[Piece] = [(path, tuple(in_path))] if in_path else []
    if text:
        pieces += _excerpts(text, _found(wanted, text))
    return tuple(pieces)


def _found(phrases: list[tuple[str, ...]], text: str) -> list[tuple[int, int]]:
    """Where in the text the phrases are, in order, ranges that overlap made one."""
    whole: list[tuple[str, int, int]] = []
    divided: list[tuple[str, int, int]] = []
    end = 0
    for span in word_spans(text):
        # A word comes before its pieces, which lie within it.
        (whole if span[1] >= end else divided).append(span)
        end = max(end, span[2])
    ranges = sorted(
        {
            (spans[at][1], spans[at + len(phrase) - 1][2])
            for spans in (whole, divided)
            for phrase in phrases
            for at in range(len(spans) - len(phrase) + 1)
            if all(spans[at + place][0] == word for place, word in enumerate(phrase))
        }
    )
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _excerpts(text: str, ranges: list[tuple[int, int]]) -> list[Piece]:
    pieces: list[Piece] = []
    done = 0
    for start, stop in ranges:
        if start < done:
            continue
        if len(pieces) == MOST_PIECES:
            break
        begin, done = max(done, start - AROUND), min(len(text), stop + AROUND)
        within = tuple((a - begin, b - begin) for a, b in ranges if begin <= a and b <= done)
        pieces.append((text[begin:done], within))
    return pieces
