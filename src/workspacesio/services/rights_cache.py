"""What a process remembers of rights, for as long as the generation stays the same.

For each user: whether they are enabled, their groups, their revoked credentials and those that were found in the
table; and the workspaces they have touched, each with the shares that concern them. A workspace is found from a
key by trying the key's ancestors: workspaces never hold one another, and no root lies inside one (`prefixes.py`
sees to it), so any workspace prefix that a key begins with is the key's own. Times are never remembered as
verdicts: expiry is decided per request.

What is loaded is read with its generation in one state of the database, and kept only under that generation. So a
group left and a share made a moment later never add up to a right that nobody had.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.facts import load_caller, load_place, load_revoked_credentials
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Credential, Node, Rights, User
from workspacesio.domain.facts import Caller, Target
from workspacesio.domain.names import ancestors
from workspacesio.services.generation import GenerationReader

MAX_USERS = 10_000
MAX_PLACES = 20_000
"""Places of all users together; beyond either number everything is forgotten. About 20 MB."""

MAX_CREDENTIALS = 1_000
"""Of each user; beyond it their numbers are forgotten."""

Folder = tuple[int, str, str]
"""Node, bucket, prefix."""


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A workspace as one user meets it: its prefix, and a target whose path is still to be filled in."""

    workspace_id: int
    prefix: str
    target: Target


@dataclass(slots=True)
class UserRights:
    """One user's facts under one generation. `places`: workspaces by their folder; `nowhere`: folders in none.

    `credentials`: the access key ids of credentials that the table has, by their numbers; filled as they are met.
    """

    generation: int
    caller: Caller
    username: str
    revoked: frozenset[int]
    places: dict[Folder, KnownPlace] = field(default_factory=dict)
    nowhere: set[Folder] = field(default_factory=set)
    credentials: dict[int, str] = field(default_factory=dict)


class RightsCache:
    """Facts that were current after the call began, from memory where the generation says so."""

    def __init__(self, database: Database, generation: GenerationReader) -> None:
        self._database = database
        self._reader = generation
        self._generation = -1
        self._users: dict[int, UserRights] = {}
        self._places = 0

    async def user(self, user_id: int, now: datetime, seen: int | None = None) -> UserRights | None:
        """None if there is no such user. Raises Unavailable.

        `seen`: a generation that was read for this request already. If it is the one that is remembered, that is
        as good as reading it.
        """
        if seen is None or seen != self._generation:
            generation = await self._reader.current()
            if generation != self._generation:
                self._forget(generation)
        found = self._users.get(user_id)
        if found is None:
            found = await asyncio.to_thread(self._load_user, user_id, now)
            if found is not None and found.generation == self._generation:
                if len(self._users) >= MAX_USERS:
                    self._forget(self._generation)
                self._users[user_id] = found
        return found

    async def has_credential(self, rights: UserRights, credential_id: int, access_key_id: str) -> bool:
        """Whether the table has this credential of the user's, revoked or not. One query for each and generation.

        What a row says of this never changes, so it may be read later than `rights`.
        """
        known = rights.credentials.get(credential_id)
        if known is None:
            known = await asyncio.to_thread(self._load_credential, rights.caller.user_id, credential_id)
            if known is None:
                return False
            if len(rights.credentials) >= MAX_CREDENTIALS:
                rights.credentials.clear()
            rights.credentials[credential_id] = known
        return known == access_key_id

    async def locate(
        self, user_id: int, node_id: int, bucket: str, key: str, now: datetime, *, seen: int | None = None
    ) -> tuple[UserRights, KnownPlace | None] | None:
        """The user, and the workspace that `key` lies in; both from one state of them. `seen` as in `user`."""
        rights = await self.user(user_id, now, seen)
        if rights is None:
            return None
        prefixes = ancestors(key)
        for prefix in prefixes:
            known = rights.places.get((node_id, bucket, prefix))
            if known is not None:
                return rights, known
        folder = (node_id, bucket, prefixes[0])
        if folder in rights.nowhere:
            return rights, None
        loaded = await asyncio.to_thread(self._load_with_place, user_id, node_id, bucket, key, now)
        if loaded is None:
            return None
        fresh, place = loaded
        if fresh.generation == rights.generation:
            self._remember(rights, folder, place)
        return loaded

    def _remember(self, rights: UserRights, folder: Folder, place: KnownPlace | None) -> None:
        if self._places >= MAX_PLACES:
            self._forget(self._generation)
            return
        self._places += 1
        if place is None:
            rights.nowhere.add(folder)
        else:
            rights.places[folder[0], folder[1], place.prefix] = place

    def _forget(self, generation: int) -> None:
        self._generation = generation
        self._users = {}
        self._places = 0

    def _load_user(self, user_id: int, now: datetime) -> UserRights | None:
        with self._database.read() as session:
            return _user_rights(session, user_id, now)

    def _load_credential(self, user_id: int, credential_id: int) -> str | None:
        with self._database.read() as session:
            return session.scalar(
                select(Credential.access_key_id).where(
                    Credential.id == credential_id, Credential.user_id == user_id
                )
            )

    def _load_with_place(
        self, user_id: int, node_id: int, bucket: str, key: str, now: datetime
    ) -> tuple[UserRights, KnownPlace | None] | None:
        with self._database.read() as session:
            rights = _user_rights(session, user_id, now)
            if rights is None:
                return None
            return rights, _known_place(session, rights.caller, node_id, bucket, key)


def _user_rights(session: Session, user_id: int, now: datetime) -> UserRights | None:
    caller = load_caller(session, user_id)
    if caller is None:
        return None
    generation = session.scalars(select(Rights.generation)).one()
    username = session.get_one(User, user_id).username
    return UserRights(generation, caller, username, load_revoked_credentials(session, user_id, now))


def _known_place(session: Session, caller: Caller, node_id: int, bucket: str, key: str) -> KnownPlace | None:
    node = session.get(Node, node_id)
    if node is None:
        return None
    place = load_place(session, node, bucket, key)
    if place.workspace_id is None:
        return None
    shares = tuple(share for share in place.target.shares if share.concerns(caller))
    return KnownPlace(place.workspace_id, place.prefix, replace(place.target, path="", shares=shares))
