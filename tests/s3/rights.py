"""An authority over a dictionary: a test sets who may do what, and what the endpoint asked is written down."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from workspacesio.domain.authority import (
    Event,
    Identified,
    NotIdentified,
    ObjectTarget,
    Permit,
    Principal,
    QuotaExceeded,
    Reservation,
)
from workspacesio.domain.facts import Narrowing
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Action, Level

NODE_ID = 7


@dataclass
class Keys:
    """A credential as its holder has it."""

    username: str
    access_key: str
    secret_key: str
    token: str
    principal: Principal


@dataclass
class Cursor:
    position: int | None = None


@dataclass
class Rights:
    """Implements `domain.authority.Authority`. Every workspace is a prefix in a bucket; levels are set by hand."""

    workspaces: dict[tuple[str, str], int] = field(default_factory=dict)
    levels: dict[tuple[str, int], Level] = field(default_factory=dict)
    operators: set[str] = field(default_factory=set)
    credentials: dict[str, Keys] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    limits: dict[int, int] = field(default_factory=dict)
    committed: dict[int, list[int]] = field(default_factory=dict)
    reserved: dict[str, Reservation] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    on_decide: Callable[[Principal, Action, ObjectTarget], None] | None = None
    broken: Exception | None = None

    # --- what a test sets -----------------------------------------------------------------------------------

    def workspace(self, bucket: str, prefix: str) -> int:
        return self.workspaces.setdefault((bucket, prefix), len(self.workspaces) + 1)

    def share(self, username: str, bucket: str, prefix: str, level: Level = Level.READWRITE) -> int:
        number = self.workspace(bucket, prefix)
        self.levels[username, number] = level
        return number

    def unshare(self, username: str, bucket: str, prefix: str) -> None:
        del self.levels[username, self.workspaces[bucket, prefix]]

    def issue(self, username: str, seconds: float = 3600) -> Keys:
        number = len(self.credentials) + 1
        access_key = f"WIO{number:05}{secrets.token_hex(6).upper()}"
        principal = Principal(
            user_id=sum(username.encode()),
            username=username,
            node_id=NODE_ID,
            credential_id=number,
            access_key_id=access_key,
            expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
            narrowing=Narrowing(),
        )
        keys = Keys(username, access_key, secrets.token_urlsafe(30), secrets.token_urlsafe(60), principal)
        self.credentials[access_key] = keys
        return keys

    # --- what the endpoint asks -----------------------------------------------------------------------------

    async def identify(
        self, access_key_id: str, session_token: str | None, now: datetime
    ) -> Identified | NotIdentified:
        if self.broken is not None:
            raise self.broken
        keys = self.credentials.get(access_key_id)
        if keys is None:
            return NotIdentified("unknown_key")
        if session_token != keys.token:
            return NotIdentified("bad_token")
        if now >= keys.principal.expires_at:
            return NotIdentified("expired")
        if keys.principal.credential_id in self.revoked:
            return NotIdentified("revoked")
        return Identified(keys.principal, keys.secret_key)

    async def decide(
        self, principal: Principal, action: Action, target: ObjectTarget, rights_seen: int | None = None
    ) -> Permit | Denied:
        self.asked.append((action.value, target.key))
        if self.on_decide is not None:
            self.on_decide(principal, action, target)
        if principal.credential_id in self.revoked:
            return Denied("credential_revoked")
        owning = [
            prefix
            for bucket, prefix in self.workspaces
            if bucket == target.bucket and target.key.startswith(prefix)
        ]
        if not owning:
            return Denied("no_workspace_here")
        prefix = max(owning, key=len)
        number = self.workspaces[target.bucket, prefix]
        level = self.levels.get((principal.username, number))
        if level is None:
            return Denied("not_shared")
        if action is Action.WRITE_DATA and level < Level.READWRITE:
            return Denied("level_too_low")
        return Permit(principal.node_id, target.bucket, number, prefix)

    async def buckets(self, principal: Principal) -> tuple[str, ...]:
        held = {number for username, number in self.levels if username == principal.username}
        return tuple(sorted({bucket for (bucket, _), number in self.workspaces.items() if number in held}))

    async def may_manage_buckets(self, principal: Principal) -> bool:
        return principal.username in self.operators

    async def bucket_created(self, principal: Principal, bucket: str) -> None:
        self.share(principal.username, bucket, "", Level.OWN)

    async def bucket_deleted(self, principal: Principal, bucket: str) -> None:
        for place in [place for place in self.workspaces if place[0] == bucket]:
            del self.workspaces[place]

    # --- room -----------------------------------------------------------------------------------------------

    def used(self, workspace_id: int) -> int:
        """Bytes that were committed for the workspace."""
        return sum(self.committed.get(workspace_id, []))

    async def reserve(
        self, permit: Permit, principal: Principal, delta_bytes: int, delta_objects: int
    ) -> Reservation | QuotaExceeded:
        self.asked.append(("reserve", str(delta_bytes)))
        limit = self.limits.get(permit.workspace_id)
        held = sum(held.bytes for held in self.reserved.values() if held.workspace_id == permit.workspace_id)
        if limit is not None and delta_bytes > 0 and self.used(permit.workspace_id) + held + delta_bytes > limit:
            return QuotaExceeded(f"The workspace may hold {limit} bytes.")
        reservation = Reservation(secrets.token_hex(8), permit.workspace_id, delta_bytes, delta_objects)
        self.reserved[reservation.reservation_id] = reservation
        return reservation

    async def commit(self, reservation: Reservation, delta_bytes: int, delta_objects: int) -> None:
        self.asked.append(("commit", str(delta_bytes)))
        del self.reserved[reservation.reservation_id]
        self.committed.setdefault(reservation.workspace_id, []).append(delta_bytes)

    async def release(self, reservation: Reservation) -> None:
        self.asked.append(("release", str(reservation.bytes)))
        del self.reserved[reservation.reservation_id]

    # --- events ---------------------------------------------------------------------------------------------

    async def happened(self, event: Event) -> None:
        self.asked.append(("happened", event.name))
        self.events.append(event)

    def event_cursor(self) -> Cursor:
        return Cursor()

    async def events_after(self, cursor: Cursor, node_id: int, bucket: str) -> list[Event]:
        if cursor.position is None:
            cursor.position = len(self.events)
        fresh = self.events[cursor.position :]
        cursor.position += len(fresh)
        return [event for event in fresh if event.node_id == node_id and bucket in ("", event.bucket)]
