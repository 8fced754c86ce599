"""What text is to a search: folded, and in words. The one tokenizer.

Engines are fed words made here, as tokens between spaces, and are asked for words made here; so that every engine
and the reference agree to the letter. Nothing here knows a language.

    fold      NFC, case folded, NFC again: `ÅNGSTRÖM` is `ångström`, `Straße` is `strasse`. Accents count.
    word      letters and digits next to one another, with the marks on them; everything else separates. Of a
              longer word the first 64 characters count. In scripts that are written without spaces (Han, Kana,
              Thai, Lao, Khmer, Myanmar, Tibetan) every character is a word.
    pieces    `SampleReads2024` is also `sample reads 2024`: a word is divided where lower case becomes upper,
              before the last capital of several (`HTMLPage`), and between letters and digits; unless a piece would
              be a single character, so that `r1`, `mp3` and names of random characters stay whole.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

MAX_WORD_CHARACTERS = 64
"""A SHA-256 in hexadecimal. Lucene and tantivy have limits of their own beyond."""

GROUP = "|"
"""Stands between groups of words in indexed text: no word, so that no phrase goes across."""

_ASCII_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ASCII = range(128)
_ASCII_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 0x20 for code in _ASCII).ljust(256)
_ASCII_RUNS = bytes(code if chr(code).isalnum() else 0x20 for code in _ASCII).ljust(256)
_ASCII_KINDS = bytes(
    ord("0" if chr(code).isdigit() else "A" if chr(code).isupper() else "a" if chr(code).islower() else " ")
    for code in _ASCII
).ljust(256)
"""Tables of bytes are several times as quick as expressions."""
_SLASH = ord("/")
_WORDS_OF_NAMES = _ASCII_WORDS[:_SLASH] + b"/" + _ASCII_WORDS[_SLASH + 1 :]
_KINDS_OF_NAMES = _ASCII_KINDS[:_SLASH] + b"/" + _ASCII_KINDS[_SLASH + 1 :]
_SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3031, 0x3035),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAA60, 0xAA7F),  # Myanmar Extended-A
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)


def fold(text: str) -> str:
    """How text is compared: what differs only in case or in the spelling of an accent is equal."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    # A few marks fold to letters (U+0345), which their letter must meet in one order.
    return unicodedata.normalize("NFC", folded.casefold())


def words(text: str) -> list[str]:
    """The words of a query, in order."""
    if text.isascii():
        found = text.encode().translate(_ASCII_WORDS).decode().split()
        return found if len(text) <= MAX_WORD_CHARACTERS else [word[:MAX_WORD_CHARACTERS] for word in found]
    return [fold(text[start:end])[:MAX_WORD_CHARACTERS] for start, end in _runs(text)]


def word_spans(text: str) -> list[tuple[str, int, int]]:
    """(word, start, end) of the words and their pieces in `text` as it is spelled, for highlights."""
    spans = []
    for start, end in _runs(text):
        spans.append((fold(text[start:end])[:MAX_WORD_CHARACTERS], start, end))
        for piece_start, piece_end in _pieces(text, start, end):
            piece = fold(text[piece_start:piece_end])[:MAX_WORD_CHARACTERS]
            spans.append((piece, piece_start, piece_end))
    return spans


def word_groups(text: str) -> list[list[str]]:
    """What is found in a path or in content: its words in order, then the pieces of each word that has any.

    A phrase is found where its words follow one another in one group.
    """
    if text.isascii():
        return [words(text), *_ascii_pieces(text)]
    groups: list[list[str]] = [[]]
    for start, end in _runs(text):
        groups[0].append(fold(text[start:end])[:MAX_WORD_CHARACTERS])
        pieces = [fold(text[begin:stop])[:MAX_WORD_CHARACTERS] for begin, stop in _pieces(text, start, end)]
        if pieces:
            groups.append(pieces)
    return groups


def indexed_text(text: str) -> str:
    """The words of a path or of content as an engine is fed: tokens between single spaces, groups apart by `|`."""
    if text.isascii() and not _is_cut(text.encode().translate(_ASCII_KINDS).decode()):
        return " ".join(words(text))
    return f" {GROUP} ".join([" ".join(group) for group in word_groups(text)])


def indexed_names(names: Sequence[str]) -> list[str]:
    """`indexed_text` of each, none of which has a slash: joined by it, plain ones take a third of the time."""
    joined = "/".join(names)
    if not names or not joined.isascii():
        return list(map(indexed_text, names))
    raw = joined.encode()
    plain = [" ".join(found.split()) for found in raw.translate(_WORDS_OF_NAMES).decode().split("/")]
    kinds = raw.translate(_KINDS_OF_NAMES).decode()
    if not _is_cut(kinds) and max(map(len, plain)) <= MAX_WORD_CHARACTERS:
        return plain
    return [
        indexed_text(name) if len(name) > MAX_WORD_CHARACTERS or _is_cut(kind) else found
        for name, found, kind in zip(names, plain, kinds.split("/"), strict=True)
    ]


def has_phrase(indexed: str, phrase: tuple[str, ...]) -> bool:
    """Whether the words follow one another in `indexed_text`."""
    return f" {' '.join(phrase)} " in f" {indexed} "


def _ascii_pieces(text: str) -> Iterator[list[str]]:
    raw = text.encode()
    kinds = raw.translate(_ASCII_KINDS).decode()
    if not _is_cut(kinds):
        return
    for run, of_run in zip(raw.translate(_ASCII_RUNS).decode().split(), kinds.split(), strict=True):
        pieces = _ASCII_PIECE.findall(run) if _is_cut(of_run) else ()
        if len(pieces) > 1 and min(map(len, pieces)) > 1:
            yield [piece[:MAX_WORD_CHARACTERS].lower() for piece in pieces]


def _is_cut(kinds: str) -> bool:
    """Whether a word is divided somewhere, by the kinds of its characters."""
    digits = "0" in kinds and ("a0" in kinds or "0a" in kinds or "A0" in kinds or "0A" in kinds)
    return digits or ("A" in kinds and ("aA" in kinds or "AAa" in kinds))


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each word."""
    start = -1
    spaceless = False
    for position, character in enumerate(text):
        if character.isalnum():
            alone = _is_spaceless(character)
            if start >= 0 and (spaceless or alone):
                yield start, position
                start = -1
            if start < 0:
                start = position
            spaceless = alone
        elif start >= 0 and not unicodedata.category(character).startswith("M"):
            yield start, position
            start = -1
    if start >= 0:
        yield start, len(text)


def _is_spaceless(character: str) -> bool:
    code = ord(character)
    return code >= 0x0E00 and any(first <= code <= last for first, last in _SPACELESS)


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Start and end of the pieces of one word; none if it is not divided."""
    kinds = [_kind(text[position]) for position in range(start, end)]
    cuts = [0]
    last = kinds[0]
    for position in range(1, len(kinds)):
        kind = kinds[position]
        if kind == "mark":
            continue
        if kind != last and not (last == "upper" and kind == "lower"):
            cuts.append(position)
        elif kind != last and position - cuts[-1] > 1:
            before = _last_base(kinds, position)
            if before > cuts[-1]:
                cuts.append(before)
        last = kind
    spans = list(zip(cuts, [*cuts[1:], len(kinds)], strict=True))
    if len(spans) < 2 or any(sum(kind != "mark" for kind in kinds[a:b]) < 2 for a, b in spans):
        return []
    return [(start + a, start + b) for a, b in spans]


def _last_base(kinds: list[str], position: int) -> int:
    """The place of the last character before `position` that is no mark."""
    position -= 1
    while kinds[position] == "mark":
        position -= 1
    return position


def _kind(character: str) -> str:
    if character.isalpha():
        return "upper" if character.isupper() or character.istitle() else "lower"
    return "digit" if character.isalnum() else "mark"
