"""The audit."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.fields import AfterId, Instant, Line
from workspacesio.services.audit import MAX_RECORDS, list_records
from workspacesio.services.references import ReadOrWrite, resolve_reference

router = APIRouter(tags=["audit"])


class AuditAnswer(BaseModel):
    id: int
    at: Instant
    actor: str
    verb: str
    target: str
    details: dict[str, object]


@router.get("/audit")
def audit(
    call: SignedIn,
    workspace: Annotated[Line | None, Query(description="A workspace reference.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_RECORDS)] = 100,
    after: AfterId = None,
) -> list[AuditAnswer]:
    """The newest records first: all for administrators, for others those of their own workspaces."""
    with call.read() as (session, actor, now):
        workspace_id = None
        if workspace is not None:
            workspace_id = resolve_reference(
                session, actor=actor, reference=workspace, purpose=ReadOrWrite.READ, now=now
            ).workspace_id
        rows = list_records(session, actor=actor, workspace_id=workspace_id, limit=limit, after=after, now=now)
        return [
            AuditAnswer(
                id=row.id, at=row.at, actor=row.actor, verb=row.verb, target=row.target, details=row.details
            )
            for row in rows
        ]
