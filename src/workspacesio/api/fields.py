"""Types of fields that requests and answers share: how text, times and references are spelled."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
)

MAX_ID = 2**63 - 1


def _storable(text: str) -> str:
    """What no database and no filesystem takes: NUL, and halves of surrogate pairs."""
    if "\0" in text:
        raise ValueError("it holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    return text


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is out of range") from None


def rfc3339(instant: datetime) -> str:
    """As `2026-11-22T10:00:00Z`; fractions of seconds are cut off."""
    # strftime writes the year 45 with two digits.
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_storable)]
"""A username, or the name of a node, root, group, bucket or workspace. The use case says what is valid."""

Line = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_storable)]
"""A folder, a path, a workspace reference, an email address, a token."""

Password = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_storable)]

Secret = Annotated[SecretStr, Field(min_length=1, max_length=512)]
"""A secret of another server. No answer holds one."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in a request: RFC 3339, with its offset."""

Instant = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
"""A time in an answer: RFC 3339 in UTC."""

MAX_PAGE = 1000
Page = Annotated[
    int, Query(ge=1, le=MAX_PAGE, description="How many at most; so many mean that there may be more.")
]
"""The length of a page of a listing. To go on, ask again with `after` the last one's name or id."""

AfterId = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Go on behind the one of this id.")]

Id = Annotated[int, Path(ge=1, le=MAX_ID)]

LevelWord = Literal["read", "readwrite", "own"]
RootTypeWord = Literal["public", "private", "unmanaged-public", "unmanaged-private"]
Names = Annotated[list[Name], Field(max_length=1000)]


class Body(BaseModel):
    """A request's body: a field that nobody knows is a mistake that the caller wants to hear of."""

    model_config = ConfigDict(extra="forbid")


class EnforcedNow(BaseModel):
    """Whether a change of rights is enforced on a node: `enforced`, or `pending` until the node is reached."""

    node: str
    state: Literal["enforced", "pending"]


class EnforcedAtExpiry(BaseModel):
    """Nothing ends keys of the node before their time: what was taken away lasts until `at` at the latest.

    `denied`: the server was told to refuse keys from before now, which it does soon, and promises no time.
    """

    node: str
    state: Literal["at_expiry"]
    at: Instant
    denied: bool


Enforced = Annotated[EnforcedNow | EnforcedAtExpiry, Field(discriminator="state")]
"""What became of a change of rights on one node."""
