"""Events that the servers of nodes tell: from a message to rows of the journal, before it is answered.

A server forgets what was answered with 200, so the answer comes after the commit. It repeats what was not, so a
message is taken twice without harm. What lies in no workspace is nobody's to see and is not kept.
"""

import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from workspacesio.database.journal_tables import EventSource
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.authority import Event
from workspacesio.domain.errors import Invalid, Refused
from workspacesio.domain.names import ancestors
from workspacesio.nodes.minio.names import subject_of
from workspacesio.nodes.minio.notifications import MalformedNotification, Notified, read_notification
from workspacesio.services.event_tokens import is_event_token
from workspacesio.services.journal import append_arrivals
from workspacesio.services.keys import Keyring

HEARD_EVERY = timedelta(minutes=1)
NO_NODE = 0
NOBODY = 0
"""The user of events that nobody caused with keys of ours."""

_USER = re.compile(r"u([0-9]{1,18})\Z")

logger = logging.getLogger(__name__)


class IntakeContext(Protocol):
    @property
    def database(self) -> Database: ...
    @property
    def keyring(self) -> Keyring: ...


def greet_source(context: IntakeContext, *, node: str, token: str) -> None:
    """The server asks whether it is at the right address. Raises Refused."""
    with context.database.read() as session:
        _source(session, context.keyring, node, token)


def take_notification(context: IntakeContext, *, node: str, token: str, body: bytes, now: datetime) -> None:
    """Commit what the message tells. Raises Refused, Invalid and Unavailable; then nothing of it was kept."""
    with context.database.read() as session:
        _source(session, context.keyring, node, token)
    try:
        notification = read_notification(body)
    except MalformedNotification as error:
        raise Invalid(str(error), code="malformed_event") from None
    if notification.unnameable:
        logger.warning("node %s: %d events name what can't be served", node, notification.unnameable)
    with context.database.journal(durable=True) as session:
        source = _source(session, context.keyring, node, token)
        if source.heard_at is None or now - source.heard_at >= HEARD_EVERY:
            session.execute(update(EventSource).where(EventSource.node_id == source.node_id).values(heard_at=now))
        events = _events(session, source.node_id, notification.records, now)
        append_arrivals(session, events, is_sqlite=context.database.is_sqlite)


def _source(session: Session, keyring: Keyring, node: str, token: str) -> EventSource:
    """Raises Refused, in the same words and after the same steps, for an unknown node and for a wrong token."""
    found = session.scalar(
        select(EventSource).join(Node, Node.id == EventSource.node_id).where(Node.name == _looked_up(node))
    )
    node_id, number = (found.node_id, found.token_number) if found is not None else (NO_NODE, 0)
    if not is_event_token(keyring, node_id, number, token) or found is None:
        raise Refused(
            "That is no token of a node that tells of events here; `wio node events NODE` prints its settings.",
            code="wrong_event_token",
        )
    return found


def _looked_up(name: str) -> str:
    """No node is called so, where a database could not be asked for it."""
    return name if len(name) <= 255 and name.isprintable() else ""


def _events(session: Session, node_id: int, records: Iterable[Notified], now: datetime) -> list[Event]:
    prefix = session.get_one(Node, node_id).name_prefix or ""
    events = []
    for one in records:
        workspace_id = _workspace(session, node_id, one.bucket, one.key)
        if workspace_id is not None:
            events.append(
                Event(
                    one.name,
                    min(one.at, now),
                    node_id,
                    one.bucket,
                    one.key,
                    workspace_id,
                    _user(prefix, one.principal),
                    size=one.size,
                    etag=one.etag,
                    sequencer=one.sequencer,
                    arrival=_arrival(node_id, one.digest),
                )
            )
    return events


def _workspace(session: Session, node_id: int, bucket: str, key: str) -> int | None:
    """The workspace that the key lies in. Workspaces never hold one another, nor a root (`prefixes.py`)."""
    return session.scalar(
        select(Workspace.id)
        .where(Workspace.node_id == node_id, Workspace.bucket == bucket, Workspace.prefix.in_(ancestors(key)))
        .order_by(func.length(Workspace.prefix).desc())
        .limit(1)
    )


def _user(prefix: str, principal: str) -> int:
    """The server names the user who did it, or the parent of the keys; ours are called after their numbers."""
    if not prefix or not principal.startswith(prefix):
        return NOBODY
    found = _USER.match(subject_of(prefix, principal))
    return int(found[1]) if found else NOBODY


def _arrival(node_id: int, digest: bytes) -> bytes:
    """Two nodes may be the same server, and each is told."""
    return node_id.to_bytes(8, "big") + digest[:24]
