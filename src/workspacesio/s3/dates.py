"""Times as S3 writes and reads them: whole seconds, in UTC.

A stored object's time has fractions, and S3 shows none: everything that is shown or compared is rounded
down, so that a client that sends back what it was shown finds it equal.
"""

import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

_LATEST = 253_402_300_799
"""9999-12-31T23:59:59Z: files can have later times than a date of four digits can say."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def whole_seconds(moment: float) -> int:
    """POSIX seconds, rounded down and held to the years that dates of four digits can say."""
    seconds = int(moment // 1)
    return seconds if 0 <= seconds <= _LATEST else min(max(seconds, 0), _LATEST)


def xml_date(moment: float) -> str:
    """ISO 8601 as in S3's documents: `2026-11-22T16:40:34.000Z`."""
    return _xml_date(whole_seconds(moment))


def http_date(moment: float) -> str:
    """IMF-fixdate, RFC 9110 5.6.7: `Sun, 22 Nov 2026 16:40:34 GMT`."""
    return _http_date(whole_seconds(moment))


@lru_cache(maxsize=4096)
def _xml_date(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> str:
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_http_date(text: str) -> int | None:
    """POSIX seconds of an HTTP date, or None for what is none (RFC 9110 says to ignore the header then)."""
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() // 1)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
