"""An authority over a database, with a clock that tests turn, and principals as `identify` makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from database.worlds import NOW
from workspacesio.database.facts import load_caller
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node
from workspacesio.domain.authority import Principal
from workspacesio.domain.facts import UNNARROWED, Narrowing
from workspacesio.services.authority import DatabaseAuthority
from workspacesio.services.credentials import Issued, issue_credential
from workspacesio.services.generation import generation_reader
from workspacesio.services.journal import Journal
from workspacesio.services.keys import Keyring
from workspacesio.services.rights_cache import RightsCache

KEYRING = Keyring("a secret for the tests")


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Server:
    """One process of the endpoint, with memory of its own."""

    database: Database
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.rights = RightsCache(self.database, generation_reader(self.database))
        self.journal = Journal(self.database)
        self.authority = DatabaseAuthority(self.database, KEYRING, self.rights, self.journal, self.clock)


def principal(
    user: int = 1,
    node: int = 1,
    *,
    narrowing: Narrowing = UNNARROWED,
    credential: int = 1,
    expires_at: datetime = NOW + timedelta(hours=1),
) -> Principal:
    return Principal(user, f"user{user}", node, credential, f"WIO{credential}", expires_at, narrowing)


def issue(
    database: Database,
    user: int = 1,
    node: int = 1,
    *,
    narrowing: Narrowing = UNNARROWED,
    seconds: float = 3600,
    now: datetime = NOW,
    latest_expiry: datetime | None = None,
) -> Issued:
    with database.write() as session:
        caller = load_caller(session, user, narrowing)
        assert caller is not None
        return issue_credential(
            session,
            keyring=KEYRING,
            caller=caller,
            node=session.get_one(Node, node),
            duration=timedelta(seconds=seconds),
            longest=timedelta(hours=12),
            now=now,
            latest_expiry=latest_expiry,
        )
