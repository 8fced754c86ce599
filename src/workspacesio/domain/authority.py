"""What the S3 endpoint asks about rights, and of whom: the authority.

The endpoint talks to an authority, and to nothing else, about rights. Everything here is plain data
(strings, numbers, tuples), so that an authority can answer over a network one day: the same endpoint then
runs beside a folder on another machine. Today's implementation reads this server's database
(`services/authority.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from workspacesio.domain.facts import Narrowing
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Action


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed a request: the holder of a credential. The right to do anything is decided per request."""

    user_id: int
    username: str
    node_id: int
    credential_id: int
    access_key_id: str
    expires_at: datetime
    narrowing: Narrowing


@dataclass(frozen=True, slots=True)
class Identified:
    """The secret with which the request must have been signed stays in the endpoint's memory.

    `rights_seen` is for `decide`, as long as the request has waited for nothing since: the generation of the
    rights that the identification read.
    """

    principal: Principal
    secret_access_key: str
    rights_seen: int | None = None

    def __repr__(self) -> str:
        return f"Identified({self.principal.access_key_id})"


@dataclass(frozen=True, slots=True)
class NotIdentified:
    """`reason` is one of `unknown_key`, `bad_token`, `expired`, `revoked`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ObjectTarget:
    """A key, or a listing's prefix, in a bucket of the principal's node."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Permit:
    """The request is allowed, and this is where it may act.

    `prefix` is the workspace's prefix in the bucket ('' or 'a/b/'), or that of the folder in it which is shared
    with the principal: the driver never leaves the folder that it spells.
    """

    node_id: int
    bucket: str
    workspace_id: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room that was set aside for a write until it is committed or released."""

    reservation_id: str
    workspace_id: int
    bytes: int
    objects: int


@dataclass(frozen=True, slots=True)
class QuotaExceeded:
    """`sentence` says which limit, and by how much."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an object. `name` is S3's event name, such as `s3:ObjectCreated:Put`.

    `size` and `etag` are None for removals. `delta_bytes` and `delta_objects` are what usage changes by.
    `sequencer` and `arrival` are there where a node's server told it: what orders events of one key, and what one
    that is told twice is known by.
    """

    name: str
    at: datetime
    node_id: int
    bucket: str
    key: str
    workspace_id: int
    user_id: int
    size: int | None = None
    etag: str | None = None
    delta_bytes: int = 0
    delta_objects: int = 0
    event_id: int = 0
    sequencer: str | None = None
    arrival: bytes | None = None


class Authority(Protocol):
    """The only thing that the endpoint knows about rights. Every call may be awaited on the event loop.

    `decide` and `reserve` read rights that were current after they were called: a right that was taken back
    before the call is never granted by it. If that can't be read, they raise `domain.errors.Unavailable`.
    """

    async def identify(
        self, access_key_id: str, session_token: str | None, now: datetime
    ) -> Identified | NotIdentified: ...

    async def decide(
        self, principal: Principal, action: Action, target: ObjectTarget, rights_seen: int | None = None
    ) -> Permit | Denied:
        """With `rights_seen` the rights were current when the request was identified, or later."""
        ...

    async def buckets(self, principal: Principal) -> tuple[str, ...]:
        """Names of the buckets in which the principal may read something, in order."""
        ...

    async def may_manage_buckets(self, principal: Principal) -> bool:
        """Whether the principal, as operator of a folder of buckets, may create and delete buckets."""
        ...

    async def bucket_created(self, principal: Principal, bucket: str) -> None:
        """Record the new bucket's root and its operator's workspace over all of it."""
        ...

    async def bucket_deleted(self, principal: Principal, bucket: str) -> None:
        """Forget the roots and workspaces of a bucket that is gone."""
        ...

    async def reserve(
        self, permit: Permit, principal: Principal, delta_bytes: int, delta_objects: int
    ) -> Reservation | QuotaExceeded: ...

    async def commit(self, reservation: Reservation, delta_bytes: int, delta_objects: int) -> None:
        """The write is there; `delta_*` is what it came to, which may differ from what was reserved."""
        ...

    async def release(self, reservation: Reservation) -> None: ...

    async def happened(self, event: Event) -> None:
        """Put the event in the journal. Answers at once; a crash may lose it, and a crawl repairs that."""
        ...

    async def events_after(self, cursor: "EventCursor", node_id: int, bucket: str) -> list[Event]:
        """Events that were journalled since the last call with this cursor, none twice, none lost."""
        ...

    def event_cursor(self) -> "EventCursor": ...


class EventCursor(Protocol):
    """Where a listener is in the journal. Made by the authority and meaningful to it alone."""
