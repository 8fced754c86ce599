"""The pieces of a path or of content in which the words of a query were found, for every engine alike."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from workspacesio.domain.search_words import word_spans

Piece = tuple[str, tuple[tuple[int, int], ...]]

AROUND = 80
"""Characters of content that are shown on each side."""
MOST_PIECES = 3
"""Of the content of one entry."""
FIRST_CHARACTERS = 2_000
MOST_CHARACTERS = 20_000
"""Of the content of one entry are looked at, at 1 µs each, from where the first word is met."""


def highlights(phrases: Iterable[tuple[str, ...]], path: str, text: str) -> tuple[Piece, ...]:
    """The path, if it has some of the words, and the first places in the content that have."""
    wanted = _Wanted(phrases)
    in_path = _found(wanted, path)
    pieces: list[Piece] = [(path, tuple(in_path))] if in_path else []
    text = text[wanted.begin(text) :]
    for end in (FIRST_CHARACTERS, MOST_CHARACTERS):
        within = text[:end]
        excerpts = _excerpts(within, _found(wanted, within))
        if len(excerpts) == MOST_PIECES or len(text) <= end:
            break
    return (*pieces, *excerpts)


class _Wanted:
    """Phrases, found in time that hardly grows with their number."""

    def __init__(self, phrases: Iterable[tuple[str, ...]]) -> None:
        self._phrases = frozenset(phrases)
        self._lengths: defaultdict[str, set[int]] = defaultdict(set)
        for phrase in self._phrases:
            self._lengths[phrase[0]].add(len(phrase))

    def begin(self, text: str) -> int:
        """Before it there is nothing to be found, if `text` is spelled plainly."""
        lower = text.lower()
        if len(lower) != len(text):
            return 0
        places = [place for word in self._lengths if (place := lower.find(word)) >= 0]
        return max(0, min(places, default=0) - AROUND)

    def found(self, words: list[str]) -> Iterator[tuple[int, int]]:
        """Where they begin and how many words they have."""
        for at, word in enumerate(words):
            if word in self._lengths:
                for length in self._lengths[word]:
                    if tuple(words[at : at + length]) in self._phrases:
                        yield at, length


def _found(phrases: "_Wanted", text: str) -> list[tuple[int, int]]:
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
            (spans[at][1], spans[at + length - 1][2])
            for spans in (whole, divided)
            for at, length in phrases.found([word for word, _, _ in spans])
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
