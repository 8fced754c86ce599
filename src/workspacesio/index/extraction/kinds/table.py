"""CSV and TSV: the columns, of which kind each is, and how many rows there are."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice

from workspacesio.index.extraction.kinds.gathering import Text, listed, present
from workspacesio.index.extraction.kinds.plain_text import decoded
from workspacesio.index.extraction.protocol import MEBIBYTE, Extracted, GivenFile

SAMPLE_CHARACTERS = 256 << 10
SAMPLE_ROWS = 1000
SAMPLE_TEXT = 20_000
MOST_COLUMNS = 10_000
COUNTED_BYTES = 32 * MEBIBYTE
"""Lines of larger files are not counted."""

_INTEGER = re.compile(r"[+-]?\d{1,30}")
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,4})?|nan|inf|NA|NaN")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_TRUTH = re.compile(r"true|false|yes|no", re.IGNORECASE)
_KINDS = (("integer", _INTEGER), ("number", _NUMBER), ("date", _DATE), ("boolean", _TRUTH))


def extract(file: GivenFile) -> Extracted:
    sample = decoded(file, SAMPLE_CHARACTERS)
    delimiter = _delimiter(file, sample)
    rows = _rows(sample, delimiter)
    if not rows:
        return Extracted()
    header = _has_header(rows)
    width = len(rows[0])
    columns = rows[0][:MOST_COLUMNS] if header else [f"column {n + 1}" for n in range(min(width, MOST_COLUMNS))]
    body = rows[1:] if header else rows
    kinds = [_kind([row[place] for row in body if place < len(row)]) for place in range(len(columns))]
    text = Text(min(SAMPLE_TEXT, file.text_characters))
    if header:
        text.add(" ".join(columns))
    text.add(sample[:SAMPLE_TEXT])
    lines = _lines(file)
    facts = present(
        columns=listed(f"{name} ({kind})" for name, kind in zip(columns, kinds, strict=True)),
        column_count=width,
        rows=None if lines is None else max(0, lines - header),
        delimiter={"\t": "tab", ";": "semicolon", "|": "bar", ",": None}.get(delimiter),
    )
    return Extracted(facts, str(text))


def _rows(sample: str, delimiter: str) -> list[list[str]]:
    csv.field_size_limit(SAMPLE_CHARACTERS + 1)
    reader = csv.reader(io.StringIO(sample), delimiter=delimiter)
    rows = [row for row in islice(reader, SAMPLE_ROWS + 1) if row]
    return rows[:-1] if len(sample) >= SAMPLE_CHARACTERS and len(rows) > 1 else rows


def _delimiter(file: GivenFile, sample: str) -> str:
    if file.content_type == "text/tab-separated-values":
        return "\t"
    first = sample.lstrip("\r\n").partition("\n")[0]
    return max(",;\t|", key=first.count)


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Names don't look like numbers, dates or nothing."""
    return all(name.strip() and _kind([name]) == "text" for name in rows[0])


def _kind(values: Sequence[str]) -> str:
    given = [value.strip() for value in values if value.strip()]
    if not given:
        return "empty"
    return next((kind for kind, form in _KINDS if all(form.fullmatch(value) for value in given)), "text")


def _lines(file: GivenFile) -> int | None:
    """Rows that span several lines count as several."""
    if file.size > COUNTED_BYTES:
        return None
    count, last = 0, b"\n"
    with file.open() as stream:
        while piece := stream.read(MEBIBYTE):
            count += piece.count(b"\n")
            last = piece[-1:]
    return count + (last != b"\n")
