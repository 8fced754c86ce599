"""Keys that a node's own server issued: what every kind is asked, their row, and what is answered."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from workspacesio.database.tables import Credential, Node
from workspacesio.domain.facts import Caller
from workspacesio.nodes.minio.sts import Keys
from workspacesio.services.actors import Actor
from workspacesio.services.credentials import Covered, Issued, covered_workspaces
from workspacesio.services.decided_requests import Decided


class Door(Protocol):
    """How the caller's transactions are opened: each identifies the caller anew."""

    def read(self) -> AbstractContextManager[tuple[Session, Actor, datetime]]: ...

    def write(self) -> AbstractContextManager[tuple[Session, Actor, datetime]]: ...


class Scope(Protocol):
    """`credential_scope.CredentialScope` or `ObjectScope`: the node, and the caller narrowed."""

    @property
    def node(self) -> Node: ...

    @property
    def caller(self) -> Caller: ...


ScopeOf = Callable[[Session, Actor, datetime], Scope]


@dataclass(frozen=True, slots=True)
class IssuedThere:
    """Keys with where they are used, and what they reach now. `decided`: see `repeated_issuance.py`."""

    issued: Issued
    endpoint: str
    region: str
    covered: tuple[Covered, ...]
    decided: Decided | None = None


def record_keys(
    session: Session, *, actor: Actor, scope: Scope, keys: Keys, expires_at: datetime, now: datetime
) -> IssuedThere:
    """Write the row of `keys`, which end at `expires_at`. The caller has seen that they may be handed out."""
    node, caller = scope.node, scope.caller
    narrowed = caller.narrowing.workspaces
    row = Credential(
        user_id=caller.user_id,
        node_id=node.id,
        access_key_id=keys.access_key_id,
        narrowed_to=None if narrowed is None else sorted(narrowed),
        read_only=caller.narrowing.read_only,
        issued_at=now,
        expires_at=expires_at,
        sign_in_id=actor.sign_in_id,
        api_key_id=actor.api_key_id,
    )
    session.add(row)
    session.flush()
    issued = Issued(
        row.id,
        keys.access_key_id,
        keys.secret_access_key,
        keys.session_token,
        now,
        expires_at,
        node.id,
        caller.narrowing.read_only,
    )
    covered = covered_workspaces(session, caller=caller, node=node, now=now)
    return IssuedThere(issued, node.public_endpoint or node.endpoint or "", node.region or "", tuple(covered))
