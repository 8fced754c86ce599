"""What commands print: aligned tables for people, JSON for scripts.

Names are other people's choice, so control characters in them are spelled out and can't move a terminal's cursor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from workspacesio.client.times import lasting


def print_json(value: Any) -> None:
    """Indented JSON with the characters that were meant."""
    print(json_text(value))


def json_text(value: Any) -> str:
    """As `print_json` prints it. What could move a terminal's cursor or turn its text is spelled `\\u009b`."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in text
    ).replace("\x7f", "\\u007f")


def safe(text: object) -> str:
    """Text that can be shown on a terminal as it is."""
    if text is None:
        return "-"
    spelled = str(text)
    if spelled.isprintable():
        return spelled
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in spelled)


class Right(str):
    """A cell that stands to the right, such as a size with its unit."""

    __slots__ = ()


def number(count: int | None) -> Right | None:
    """As people read it: 1234567 gives '1,234,567'."""
    return None if count is None else Right(f"{count:,}")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Columns under headings, or the sentence `empty`. Numbers, and what has none, stand to the right."""
    given = [list(row) for row in rows]
    table = [[safe(cell) for cell in row] for row in given]
    if not table:
        print(empty)
        return
    right = [all(isinstance(row[index], int | Right | None) for row in given) for index in range(len(headings))]
    widths = [max(map(columns, column)) for column in zip(headings, *table, strict=True)]
    for row in [list(headings), *table]:
        cells = [
            " " * (width - columns(cell)) + cell if to_right else cell + " " * (width - columns(cell))
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """One `name  value` line for each; what is None is left out."""
    shown = [(safe(name), safe(value)) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}".rstrip())


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def size(count: int | None) -> Right | None:
    """Bytes in the largest binary unit: 1536 gives '1.5 KiB'."""
    if count is None:
        return None
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            return Right(f"{count} B" if unit == "B" else f"{amount:.1f} {unit}")
        amount /= 1024
    return Right(f"{amount:.1f} PiB")


def when(moment: str | None) -> str | None:
    """A time of the API in the reader's own time zone: to the minute, or to the second if it is about to come."""
    if not moment:
        return None
    from datetime import UTC, datetime, timedelta

    try:
        at = datetime.fromisoformat(moment).astimezone()
    except ValueError:
        return moment
    soon = timedelta(0) < at - datetime.now(UTC) < timedelta(minutes=10)
    return at.strftime("%Y-%m-%d %H:%M:%S" if soon else "%Y-%m-%d %H:%M")


def ago(moment: str | None) -> str:
    """How long ago a time of the API was: '3 min ago', '5 d ago'; beyond four weeks, or to come, its date."""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(moment or "").astimezone()
    except (ValueError, OverflowError):
        return safe(moment)
    seconds = (datetime.now(UTC) - at).total_seconds()
    if not 0 <= seconds < 28 * 86400:
        return at.date().isoformat()
    return f"{lasting(seconds)} ago"


def enforcement(answer: Any) -> str:
    """` Enforced.`, or which nodes haven't heard of it yet. The API gives a word, or one for each node."""
    if isinstance(answer, list):
        late = "".join(_at_expiry(one) for one in answer if one.get("state") == "at_expiry")
        answer = [one for one in answer if one.get("state") != "at_expiry"]
        if late:
            return late + (enforcement(answer) if any(one.get("state") != "enforced" for one in answer) else "")
        pending = [safe(one["node"]) for one in answer if one.get("state") != "enforced"]
        if not pending:
            return " Enforced."
        where = f" on {', '.join(pending)}"
    elif answer in ("enforced", True):
        return " Enforced."
    else:
        where = ""
    return f" Pending{where}: not enforced there yet; it will be as soon as the node can be reached."


def _at_expiry(one: Any) -> str:
    at = when(one.get("at"))
    soon = " AWS was told to refuse older keys, which it does within a minute or so." if one.get("denied") else ""
    return f" On {safe(one['node'])} it takes effect at {at} at the latest, when the last keys have run out.{soon}"


def pending(answer: Any) -> str:
    """As `enforcement`, where a command's own words say that it is done: '' unless something is pending."""
    said = enforcement((answer or {}).get("enforced") or "enforced")
    return "" if said == " Enforced." else said
