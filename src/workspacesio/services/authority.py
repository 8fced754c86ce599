"""The authority of this server: answers the endpoint's questions from the database.

See `domain/authority.py` for what each question promises. `Clock` is passed in, so that expiry can be tested.
"""

import asyncio
import itertools
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from workspacesio.database.facts import load_caller, load_node_target
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node
from workspacesio.database.visibility import readable_buckets
from workspacesio.domain.authority import (
    Event,
    EventCursor,
    Identified,
    NotIdentified,
    ObjectTarget,
    Permit,
    Principal,
    QuotaExceeded,
    Reservation,
)
from workspacesio.domain.facts import UNNARROWED, Caller, Narrowing, Target
from workspacesio.domain.names import MAX_KEY_BYTES
from workspacesio.domain.permissions import Denied, decide
from workspacesio.domain.vocabulary import Action, FolderLayout
from workspacesio.services.buckets import forget_bucket, record_bucket
from workspacesio.services.journal import Journal, JournalCursor
from workspacesio.services.keys import Keyring
from workspacesio.services.rights_cache import RightsCache
from workspacesio.services.sealed_tokens import TokenContents, secret_access_key, unseal

Clock = Callable[[], datetime]

MAX_UNSEALED = 10_000


class DatabaseAuthority:
    """Implements `domain.authority.Authority`. One in each process of the endpoint."""

    def __init__(
        self, database: Database, keyring: Keyring, rights: RightsCache, journal: Journal, clock: Clock
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._rights = rights
        self._journal = journal
        self._clock = clock
        self._unsealed: dict[str, tuple[TokenContents, str]] = {}
        self._reservations = itertools.count(1)

    async def identify(
        self, access_key_id: str, session_token: str | None, now: datetime
    ) -> Identified | NotIdentified:
        if not session_token:
            return NotIdentified("unknown_key")
        known = self._unsealed.get(session_token) or self._unseal(session_token)
        if known is None:
            return NotIdentified("bad_token")
        contents, secret = known
        if contents.access_key_id != access_key_id:
            return NotIdentified("bad_token")
        if now >= contents.expires_at:
            return NotIdentified("expired")
        rights = await self._rights.user(contents.user_id, now)
        if rights is None or not rights.caller.enabled or contents.credential_id in rights.revoked:
            return NotIdentified("revoked")
        # A database that was restored from before gives numbers again that are in tokens already.
        if rights.credentials.get(contents.credential_id) != access_key_id and not (
            await self._rights.has_credential(rights, contents.credential_id, access_key_id)
        ):
            return NotIdentified("revoked")
        principal = Principal(
            contents.user_id,
            rights.username,
            contents.node_id,
            contents.credential_id,
            access_key_id,
            contents.expires_at,
            contents.narrowing,
        )
        return Identified(principal, secret, rights.generation)

    def _unseal(self, token: str) -> tuple[TokenContents, str] | None:
        """Unsealing is a pure function of the token, so remembering it grants nothing."""
        opened = unseal(self._keyring, token)
        if opened is None:
            return None
        contents, key_id = opened
        known = (
            contents,
            secret_access_key(self._keyring, contents.node_id, contents.access_key_id, key_id),
        )
        if len(self._unsealed) >= MAX_UNSEALED:
            self._unsealed.clear()
        self._unsealed[token] = known
        return known

    async def decide(
        self, principal: Principal, action: Action, target: ObjectTarget, rights_seen: int | None = None
    ) -> Permit | Denied:
        now = self._clock()
        if now >= principal.expires_at:
            return Denied("credential_expired")
        if _is_no_name(target.bucket) or _is_no_name(target.key):
            return Denied("no_workspace_here")
        located = await self._rights.locate(
            principal.user_id, principal.node_id, target.bucket, target.key, now, seen=rights_seen
        )
        if located is None:
            return Denied("no_such_user")
        rights, place = located
        if principal.credential_id in rights.revoked:
            return Denied("credential_revoked")
        if place is None:
            return Denied("no_workspace_here")
        caller = rights.caller
        if principal.narrowing != UNNARROWED:
            caller = _narrowed(caller, principal.narrowing)
        known = place.target
        full = Target(known.node, known.root, known.workspace, target.key[len(place.prefix) :], known.shares)
        verdict = decide(caller, action, full, now)
        if isinstance(verdict, Denied):
            return verdict
        return Permit(principal.node_id, target.bucket, place.workspace_id, place.prefix + verdict.folder)

    async def buckets(self, principal: Principal) -> tuple[str, ...]:
        if not await self._is_good(principal):
            return ()
        return await asyncio.to_thread(self._load_buckets, principal)

    def _load_buckets(self, principal: Principal) -> tuple[str, ...]:
        with self._database.read() as session:
            caller = load_caller(session, principal.user_id, principal.narrowing)
            if caller is None:
                return ()
            return tuple(session.scalars(readable_buckets(caller, principal.node_id, self._clock())))

    async def may_manage_buckets(self, principal: Principal) -> bool:
        return await self._is_good(principal) and await asyncio.to_thread(self._decide_buckets, principal)

    def _decide_buckets(self, principal: Principal) -> bool:
        with self._database.read() as session:
            caller = load_caller(session, principal.user_id, principal.narrowing)
            node = session.get(Node, principal.node_id)
            if caller is None or node is None or node.layout != FolderLayout.BUCKETS:
                return False
            return bool(decide(caller, Action.MANAGE_BUCKETS, load_node_target(node), self._clock()))

    async def bucket_created(self, principal: Principal, bucket: str) -> None:
        await asyncio.to_thread(self._record_bucket, principal, bucket)

    def _record_bucket(self, principal: Principal, bucket: str) -> None:
        with self._database.write() as session:
            node = session.scalars(select(Node).where(Node.id == principal.node_id)).one()
            record_bucket(session, node=node, bucket=bucket, owner_id=principal.user_id, now=self._clock())

    async def bucket_deleted(self, principal: Principal, bucket: str) -> None:
        await asyncio.to_thread(self._forget_bucket, principal, bucket)

    def _forget_bucket(self, principal: Principal, bucket: str) -> None:
        with self._database.write() as session:
            forget_bucket(
                session,
                node_id=principal.node_id,
                bucket=bucket,
                actor_id=principal.user_id,
                now=self._clock(),
            )

    async def reserve(
        self,
        permit: Permit,
        principal: Principal,  # noqa: ARG002 - a limit on the user will ask for it
        delta_bytes: int,
        delta_objects: int,
    ) -> Reservation | QuotaExceeded:
        """No limits are set yet, so there is room for every write; usage is counted at `happened`."""
        number = next(self._reservations)
        return Reservation(str(number), permit.workspace_id, delta_bytes, delta_objects)

    async def commit(self, reservation: Reservation, delta_bytes: int, delta_objects: int) -> None:
        """Usage is added with the event, in one transaction with it."""

    async def release(self, reservation: Reservation) -> None:
        """Nothing is held that would have to be given back."""

    async def happened(self, event: Event) -> None:
        self._journal.add(event)

    def event_cursor(self) -> EventCursor:
        return JournalCursor()

    async def events_after(self, cursor: EventCursor, node_id: int, bucket: str) -> list[Event]:
        assert isinstance(cursor, JournalCursor)
        return await self._journal.events_after(cursor, node_id, bucket)

    async def _is_good(self, principal: Principal) -> bool:
        """The credential has neither expired nor been revoked."""
        now = self._clock()
        rights = await self._rights.user(principal.user_id, now)
        return rights is not None and now < principal.expires_at and principal.credential_id not in rights.revoked


def _is_no_name(text: str) -> bool:
    """Nothing is called so, and the databases differ in what they say when they are asked for it."""
    try:
        return "\0" in text or len(text.encode()) > MAX_KEY_BYTES
    except UnicodeEncodeError:
        return True


def _narrowed(caller: Caller, narrowing: Narrowing) -> Caller:
    return Caller(caller.user_id, caller.enabled, caller.administrator, caller.groups, narrowing)
