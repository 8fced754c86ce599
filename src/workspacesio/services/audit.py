"""The audit: who did what to what, written in the transaction of the deed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, false, or_, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import AuditRecord, Workspace
from workspacesio.database.visible_places import owned_workspaces
from workspacesio.domain.errors import Refused
from workspacesio.domain.facts import Target
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action
from workspacesio.services.actors import Actor

MAX_RECORDS = 1000

_TAKES_AWAY = ("workspace.hand_over", "workspace.release")
"""Verbs of records whose details name the owner before as `from`."""


def record(
    session: Session,
    *,
    actor: Actor | None,
    verb: str,
    target: str,
    now: datetime,
    workspace_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a record. Without an actor the service itself did it. `details` never holds a secret."""
    session.add(
        AuditRecord(
            at=now,
            actor_id=actor.user_id if actor else None,
            actor=actor.username if actor else "service",
            verb=verb,
            workspace_id=workspace_id,
            target=target,
            details=dict(details or {}),
        )
    )


def record_of_workspace(
    session: Session, *, actor: Actor, verb: str, workspace: Workspace, now: datetime, details: Mapping[str, Any]
) -> None:
    """Add a record that concerns a workspace, under its name of now."""
    record(
        session,
        actor=actor,
        verb=verb,
        target=workspace.name,
        workspace_id=workspace.id,
        now=now,
        details=details,
    )


def list_records(
    session: Session,
    *,
    actor: Actor,
    workspace_id: int | None,
    limit: int,
    after: int | None = None,
    now: datetime,
) -> Sequence[AuditRecord]:
    """The newest records first: all of them for administrators, else those of workspaces that the caller owns, and
    those that tell how the caller came to own one no more. `after`: only those older than that record.

    `workspace_id` was resolved for the caller before. Raises Refused when it is another's workspace.
    """
    query = select(AuditRecord).order_by(AuditRecord.id.desc()).limit(min(limit, MAX_RECORDS))
    if after is not None:
        query = query.where(AuditRecord.id < after)
    if workspace_id is not None:
        query = query.where(AuditRecord.workspace_id == workspace_id)
    if not decide(actor.caller, Action.SEE_AUDIT, Target(), now):
        owned = owned_workspaces(actor.caller)
        if workspace_id is not None and session.scalar(owned.where(Workspace.id == workspace_id)) is None:
            raise Refused("Only the owner of the workspace and administrators see its audit.")
        query = query.where(or_(AuditRecord.workspace_id.in_(owned), _taken_from(actor)))
    return session.scalars(query).all()


def _taken_from(actor: Actor) -> ColumnElement[bool]:
    """Whoever owned a workspace until it was handed over or released sees that it was, and by whom."""
    if actor.caller.narrowing.workspaces is not None:
        return false()
    # As text: the same detail of other records is no number.
    owner_before = cast(AuditRecord.details["from"].as_string(), String)
    return and_(AuditRecord.verb.in_(_TAKES_AWAY), owner_before == str(actor.user_id))
