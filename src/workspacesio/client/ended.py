"""Whether what went wrong with one object will go wrong with all the others, too: then nothing more is tried."""

from __future__ import annotations

from workspacesio.client.errors import CommandError, NotAllowed, Refused
from workspacesio.client.places import Place
from workspacesio.client.s3_requests import S3Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.copy_plan import Copy


def why(error: CommandError, step: Copy) -> str:
    """In a sentence; "" where others may go well.

    A session that has ended, and a clock that is wrong. Of an object that isn't reached, the server that issues
    the keys is asked: it tells a right that has ended from one that doesn't reach as far as this object.
    """
    if isinstance(error, Refused):
        return str(error) if error.status < 500 else ""
    cause = error.__cause__
    if isinstance(cause, S3Refused) and cause.code == "RequestTimeTooSkewed":
        return str(cause)
    if not isinstance(error, NotAllowed):
        return ""
    ends = ((step.source, False), (step.target, True))
    return str(error) if any(_is_lost(end, writes=writes) for end, writes in ends) else ""


def _is_lost(end: str | Place, *, writes: bool) -> bool:
    """Whether nothing in the workspace is reached, or nothing for writing."""
    if isinstance(end, str):
        return False
    try:
        end.storage.renew()
    except Refused as refused:
        return refused.status < 500
    except CommandError:  # it can't be asked
        return False
    levels: set[str | None] = set()
    for one in end.storage.reached:
        if one["id"] == end.workspace["id"]:
            levels |= {one["level"], *(folder["level"] for folder in one["folders"])}
    return not levels - ({None, "read"} if writes else {None})
