"""Sizes and times in queries: `>1GB`, `10..20MiB`, `>=2026-01`, `<30d`, as inclusive bounds.

A size counts in bytes: K, M, G, T, P (with or without B) are powers of 1000, Ki to Pi (with or without B) of 1024.

A date is a span: a year, a month, a day, a minute or a second, in UTC unless it says an offset. `>` begins after
the span, `>=` with it, `<` ends before it, `<=` with it; alone it is all of the span. An age (`30d`) is a moment;
`<` is younger, `>` older.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from workspacesio.domain.search_query import AnyOf, ModifiedBetween, Query, SizeBetween
from workspacesio.domain.search_term import Term

MOST = 2**63 - 1
"""The largest number that the engines hold."""

_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s?([kmgtp]?)(i?)b?", re.ASCII | re.IGNORECASE)
_AGE = re.compile(r"(\d{1,9})\s?([smhdwy])", re.ASCII | re.IGNORECASE)
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_COMPARED = re.compile(r"(>=|<=|=>|=<|>|<|=|)(.*)", re.DOTALL)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_DAYS = {"today": 0, "yesterday": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 86_400_000_000

_SIZE_HINT = "write a number with B, KB, MB, GB, TB, PB or KiB … PiB, such as size:>1.5GB or size:10MB..2GB"
_TIME_HINT = "write a date or an age in s, m, h, d, w or y, such as modified:>=2026-01-31 or modified:<30d"

Span = tuple[int, int]


def size_query(term: Term, now: int) -> Query:  # noqa: ARG001
    """Raises Invalid for what is no size."""

    def span(text: str) -> Span:
        found = _SIZE.fullmatch(text.strip())
        if found is None or (found[3] and not found[2]):
            raise term.wrong(f"{term.shown!r} is no size", _SIZE_HINT)
        power = " kmgtp".index(found[2].lower() or " ")
        exact = Fraction(found[1]) * (1024 if found[3] else 1000) ** power
        if exact > MOST:
            raise term.wrong("Nothing is as large as that", _SIZE_HINT)
        # Between two bytes lies no size: 0.5 begins at 1 and ends at 0.
        return -(-exact.numerator // exact.denominator), exact.numerator // exact.denominator

    least, most = _bounds(term, span, _SIZE_HINT)
    if (least or 0) > (MOST if most is None else most):
        return AnyOf(())
    return SizeBetween(least, most)


def modified_query(term: Term, now: int) -> Query:
    """`now`: microseconds since 1970. Raises Invalid for what is no date and no age."""
    operator, rest = _compared(term.value)
    first, _, second = rest.partition("..")
    if _AGE.fullmatch(first.strip()):
        return _age_query(term, operator, first.strip(), second.strip(), now, has_range=".." in rest)
    earliest, latest = _bounds(term, lambda text: _date_span(term, text.strip(), now), _TIME_HINT)
    if earliest is not None and latest is not None and latest < earliest:
        return AnyOf(())
    return ModifiedBetween(earliest, latest)


def _age_query(term: Term, operator: str, first: str, second: str, now: int, *, has_range: bool) -> Query:
    moment = _moment(first, now)
    if has_range:
        if operator or not _AGE.fullmatch(second):
            raise term.wrong(f"{term.shown!r} is no range of ages", "write it like modified:7d..30d")
        other = _moment(second, now)
        return ModifiedBetween(min(moment, other), max(moment, other))
    match operator:
        case "<":
            return ModifiedBetween(moment + 1, None)
        case "<=":
            return ModifiedBetween(moment, None)
        case ">":
            return ModifiedBetween(None, moment - 1)
        case ">=":
            return ModifiedBetween(None, moment)
    raise term.wrong(
        f"{term.shown!r} is an age alone",
        f"write modified:<{first} for newer, modified:>{first} for older",
    )


def _moment(age: str, now: int) -> int:
    return max(now - int(age[:-1]) * _SECONDS[age[-1].lower()] * 1_000_000, -MOST)


def _compared(text: str) -> tuple[str, str]:
    found = _COMPARED.fullmatch(text)
    assert found is not None, "it fits anything"
    return {"=>": ">=", "=<": "<=", "=": ""}.get(found[1], found[1]), found[2]


def _bounds(term: Term, span: Callable[[str], Span], hint: str) -> tuple[int | None, int | None]:
    """Inclusive. `span` gives the first and the last of what is written."""
    operator, text = _compared(term.value)
    if ".." in text:
        low, _, high = text.partition("..")
        if operator or not (low.strip() or high.strip()):
            raise term.wrong(f"{term.shown!r} is no range", hint)
        return span(low)[0] if low.strip() else None, span(high)[1] if high.strip() else None
    first, last = span(text)
    match operator:
        case ">":
            return last + 1, None
        case ">=":
            return first, None
        case "<":
            return None, first - 1
        case "<=":
            return None, last
    return first, last


def _date_span(term: Term, text: str, now: int) -> Span:
    """Microseconds since 1970 of the first and the last moment."""
    ago = _DAYS.get(text.lower())
    if ago is not None:
        midnight = (now // _DAY - ago) * _DAY
        return midnight, midnight + _DAY - 1
    found = _DATE.fullmatch(text)
    if found is None:
        raise term.wrong(f"{term.shown!r} is no date", _TIME_HINT)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    spelled = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
    spelled += f"{fraction or ''}{(offset or 'Z').upper()}"
    try:
        start = datetime.fromisoformat(spelled)
        first = (start - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise term.wrong(f"{term.shown!r} is a date that the calendar doesn't have", _TIME_HINT) from None
    return first, first + _length(start, found) - 1


def _length(start: datetime, found: re.Match[str]) -> int:
    """Of the span that is written, in microseconds."""
    _, month, day, hour, _, second, fraction, _ = found.groups()
    if fraction:
        return int(10 ** (7 - len(fraction)))
    if second:
        return 1_000_000
    if hour:
        return 60_000_000
    if day:
        return _DAY
    if month:
        return monthrange(start.year, start.month)[1] * _DAY
    return (366 if isleap(start.year) else 365) * _DAY
