"""What answers of the index share: remarks on what may be missing, and times as the index keeps them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from workspacesio.index.notes import Note

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class Remark(BaseModel):
    """`code` is stable and meant for programs, `message` is a sentence for people. `roots`: which it is about."""

    code: str
    message: str
    roots: list[str] = []


class Counted(BaseModel):
    """`total` objects of `bytes` in all, exactly. `notes`: names in the query that mean nothing to the caller.

    `incomplete`: what the index doesn't hold yet, and why; empty where it holds all.
    """

    total: int
    bytes: int
    notes: list[Remark]
    incomplete: list[Remark]


def remarks(notes: Iterable[Note]) -> list[Remark]:
    return [Remark(code=note.code, message=note.sentence, roots=list(note.roots)) for note in notes]


def instant(microseconds: int) -> datetime:
    """A time since 1970 UTC; what no calendar holds becomes the first or last moment of one."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _FIRST if microseconds < 0 else _LAST
