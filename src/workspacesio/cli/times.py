"""Durations and ends as they are typed: `30s 15m 2h 7d 4w`, or a date."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def duration(text: str) -> int:
    """Seconds; raises argparse.ArgumentTypeError, which argparse turns into wrong usage."""
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdecimal() or unit not in _SECONDS or int(number) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration: write a number and s, m, h, d or w, such as 15m or 7d"
        )
    return int(number) * _SECONDS[unit]


def end(text: str, *, now: datetime | None = None) -> str:
    """When something typed as `7d`, `2027-01-31` or `2027-01-31T12:00:00Z` ends, as RFC 3339 in UTC.

    A date holds until its end in the caller's time zone, as a person means it. Raises as `duration`.
    """
    moment = now or datetime.now(UTC)
    if text[:4].isdecimal() and text[4:5] == "-":
        try:
            ends = datetime.fromisoformat(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no date: write it like 2027-01-31") from error
        if len(text) == 10:
            ends = ends + timedelta(days=1) - timedelta(seconds=1)
        ends = ends.astimezone(UTC)
    else:
        try:
            ends = moment + timedelta(seconds=duration(text))
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"{error}, or a date such as 2027-01-31") from error
        except OverflowError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is too long; write a date") from error
    if ends <= moment:
        raise argparse.ArgumentTypeError(f"{text!r} is over already")
    return ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
