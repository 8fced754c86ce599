"""A node on a server, of whatever kind: what is said of it; and adding one, with its sealed secret and record."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Conflict
from workspacesio.domain.names import check_service_name
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.keys import Keyring
from workspacesio.services.node_effects import PendingEffect
from workspacesio.services.node_secrets import seal_secret
from workspacesio.services.nodes import may_add_node

OpenWrite = Callable[[], AbstractContextManager[tuple[Session, Actor, datetime]]]
"""How a use case's transaction is opened: it gives (session, actor, now)."""


@dataclass(frozen=True, slots=True)
class ServerNodeState:
    """`problems` empty: the node can be used. `pending`: whose rights the server hasn't been told yet."""

    version: str | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    pending: tuple[PendingEffect, ...]


@dataclass(frozen=True, slots=True)
class RemovedServerNode:
    """`left_on_server`: what could not be removed there, in one sentence."""

    left_on_server: str | None


def add_server_node(
    session: Session,
    *,
    actor: Actor,
    keyring: Keyring,
    node: Node,
    secret: str,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> Node:
    """Add `node`, whose server was found fit. Its operator is the caller. Raises Refused, Conflict.

    `details`: what the audit says of this kind besides.
    """
    may_add_node(session, actor, now=now)
    check_service_name(node.name, "node")
    if session.scalar(select(Node.id).where(Node.name == node.name)) is not None:
        raise Conflict(f"There is a node {node.name!r} already.", code="taken")
    node.operator_id, node.run_by_service, node.created_at = actor.user_id, False, now
    session.add(node)
    session.flush()
    node.sealed_secret = seal_secret(keyring, node.id, secret)
    session.flush()
    said = {
        "kind": node.kind,
        "endpoint": node.endpoint,
        "access_key": node.access_key,
        "read_only": node.read_only,
    }
    record(session, actor=actor, verb="node.add", target=node.name, now=now, details=said | (details or {}))
    return node
