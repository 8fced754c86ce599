"""Whether what went wrong with one object will go wrong with all the others, too: then nothing more is tried."""

from __future__ import annotations

from workspacesio.client.errors import Away, CommandError, NotAllowed, Refused
from workspacesio.client.places import Place
from workspacesio.client.s3_requests import S3Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.copy_plan import Copy


def why(error: CommandError, step: Copy) -> str:
    """In a sentence; "" where others may go well.

    A session that has ended, a server that is away, and a clock that is wrong. Of an object that isn't reached,
    who issues the keys is asked: it tells a right that has ended from one that doesn't reach so far.
    """
    if isinstance(error, Refused):
        return str(error) if error.status < 500 else ""
    cause = error.__cause__
    for one in (error, cause):
        if isinstance(one, Away):
            return str(one)
    if isinstance(cause, S3Refused) and cause.code == "RequestTimeTooSkewed":
        return str(cause)
    if not isinstance(error, NotAllowed):
        return ""
    for end, writes in ((step.source, False), (step.target, True)):
        if isinstance(end, Place):
            try:
                if _is_lost(end, writes=writes):
                    return str(error)
            except Refused as refused:  # 404: what isn't shared is as if it weren't there
                if refused.status < 500:
                    return str(error if refused.status == 404 else refused)
            except CommandError:  # it can't be asked
                return ""
    return ""


def _is_lost(place: Place, *, writes: bool) -> bool:
    """Whether nothing in the workspace is reached, or nothing for writing. Raises Refused, CommandError."""
    place.storage.renew()
    levels: set[str | None] = set()
    for one in place.storage.reached:
        if one["id"] == place.workspace["id"]:
            levels |= {one["level"], *(folder["level"] for folder in one["folders"])}
    return not levels - ({None, "read"} if writes else {None})
