"""A caller's credentials that are still valid: list them, end one.

A session sees and ends all of its user's; an API key only those that were issued with it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Credential, Node
from workspacesio.domain.errors import NotFound
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.credentials import active_credentials, revoke_credential


def list_credentials(
    session: Session, *, actor: Actor, limit: int, after: int | None = None, now: datetime
) -> Sequence[tuple[Credential, str]]:
    """The first by id, behind that of `after`; each with the name of its node."""
    names = dict(session.execute(select(Node.id, Node.name)).all())
    rows = active_credentials(
        session, user_id=actor.user_id, now=now, api_key_id=actor.api_key_id, limit=limit, after=after
    )
    return [(row, names[row.node_id]) for row in rows]


def end_credential(session: Session, *, actor: Actor, credential_id: int, now: datetime) -> str:
    """End it at once; returns the name of its node. Raises NotFound for what isn't the caller's."""
    row = session.get(Credential, credential_id)
    if row is None or row.user_id != actor.user_id or not _concerns(actor, row):
        raise NotFound("There is no such credential of yours; `wio credential ls` shows them.")
    revoke_credential(session, user_id=actor.user_id, credential_id=credential_id, now=now)
    record(session, actor=actor, verb="credential.revoke", target=row.access_key_id, now=now)
    return session.get_one(Node, row.node_id).name


def _concerns(actor: Actor, row: Credential) -> bool:
    return actor.api_key_id is None or row.api_key_id == actor.api_key_id
