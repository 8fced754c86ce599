"""What a subject holds on a server that decides by itself, and which of it the server's policies can say."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from workspacesio.domain.names import ancestors, key_problem

_PATTERN_CHARACTERS = ("*", "?", "${")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


MAX_SPELLED_BYTES = 5_000
"""Of a prefix in a document, where it stands three times; one grant must fit into 18,000 bytes."""


class NotExpressible(ValueError):
    """A name can't be said exactly in the server's policy language; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Reading, or reading and writing, all keys under a prefix, until a moment (aware; None: until taken back).

    `prefix` is whole from the bucket's root: '' or ending in '/'.
    """

    bucket: str
    prefix: str
    writes: bool = False
    expires_at: datetime | None = None

    def dominates(self, other: "Grant") -> bool:
        """Whether this grant gives all that `other` does, for as long."""
        return (
            self.bucket == other.bucket
            and other.prefix.startswith(self.prefix)
            and self.writes >= other.writes
            and _lasts(self.expires_at, other.expires_at)
        )


def check_expressible(prefix: str) -> None:
    """Raise NotExpressible if a grant of `prefix` can't be said exactly in a policy of a MinIO server."""
    if not prefix:
        return
    for characters in _PATTERN_CHARACTERS:
        if characters in prefix:
            raise NotExpressible(
                f"{prefix!r} holds {characters!r}, which the server's policies read as a pattern: rename the "
                "folder, or share one above it."
            )
    if not prefix.endswith("/"):
        raise NotExpressible(f"{prefix!r} is not a folder: it doesn't end in '/'.")
    problem = key_problem(prefix)
    if problem is not None:
        raise NotExpressible(f"{prefix!r} can't be a folder on the server: {problem}.")
    if _spelled_bytes(prefix) > MAX_SPELLED_BYTES:
        raise NotExpressible(f"{prefix[:40]!r}… is too long for the server's policies: share a folder above it.")
    if ".zip/" in prefix:
        raise NotExpressible(
            f"{prefix!r} holds a folder whose name ends in '.zip', and the server would list what is in a ZIP "
            "file of that name beside it: rename the folder, or share one above it."
        )


def _spelled_bytes(prefix: str) -> int:
    """What it takes in a document, where `<`, `>`, `&` and two more become six characters each."""
    return len(json.dumps(prefix, ensure_ascii=False).encode()) + 5 * sum(map(prefix.count, "<>&\u2028\u2029"))


def divide_expressible(grants: Iterable[Grant]) -> tuple[tuple[Grant, ...], tuple[tuple[Grant, str], ...]]:
    """The grants that can be said, and those that can't with the reason; those that another gives are in neither.

    For facts that were true before the server was asked: leaving such a grant out takes a right away, while
    failing would keep a revocation from being written.
    """
    said, unsaid = [], []
    for grant in without_dominated(grants):
        try:
            check_grant(grant)
        except NotExpressible as problem:
            unsaid.append((grant, str(problem)))
        else:
            said.append(grant)
    return tuple(said), tuple(unsaid)


def without_dominated(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The grants that no other one includes, in the order in which documents are filled."""
    by_place: dict[tuple[str, str], list[Grant]] = {}
    for grant in dict.fromkeys(grants):
        by_place.setdefault((grant.bucket, grant.prefix), []).append(grant)
    kept = [
        grant
        for same_place in by_place.values()
        for grant in same_place
        if not any(
            above != grant and above.dominates(grant)
            for prefix in ancestors(grant.prefix)
            for above in by_place.get((grant.bucket, prefix), ())
        )
    ]
    return tuple(sorted(kept, key=_order))


def check_grant(grant: Grant) -> None:
    """Raise NotExpressible if the grant can't be said exactly."""
    if not _BUCKET.fullmatch(grant.bucket):
        raise NotExpressible(f"{grant.bucket!r} is not the name of a bucket.")
    check_expressible(grant.prefix)


def _lasts(longer: datetime | None, shorter: datetime | None) -> bool:
    return longer is None or (shorter is not None and longer >= shorter)


def _order(grant: Grant) -> tuple[bool, float, str, bool, str]:
    """Neighbours share statements: those without expiry first, then by moment, bucket and level."""
    expires = grant.expires_at
    return expires is not None, expires.timestamp() if expires else 0, grant.bucket, grant.writes, grant.prefix
