"""What the index worker is asked to do: to build the engine again, and to compare the index with storage.

Whoever asks writes a row; the worker takes it within seconds. Nothing here decides who may.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import IndexRequest

REBUILD = "rebuild"
VERIFY = "verify"

QUEUED = "queued"
RUNNING = "running"
DONE = "done"
FAILED = "failed"


def request_rebuild(session: Session, *, requested_by: int | None, now: datetime) -> IndexRequest:
    """The one that waits or is under way, or a new one."""
    return _request(session, REBUILD, None, requested_by, now)


def request_verify(
    session: Session, *, root_id: int | None, requested_by: int | None, now: datetime
) -> IndexRequest:
    """Of one root, or of all: the one that waits or is under way, or a new one."""
    return _request(session, VERIFY, root_id, requested_by, now)


def _request(
    session: Session, kind: str, root_id: int | None, requested_by: int | None, now: datetime
) -> IndexRequest:
    waiting = session.scalar(
        select(IndexRequest)
        .where(IndexRequest.kind == kind, IndexRequest.state.in_((QUEUED, RUNNING)))
        .where(IndexRequest.root_id.is_(None) if root_id is None else IndexRequest.root_id == root_id)
        .order_by(IndexRequest.id)
    )
    if waiting is not None:
        return waiting
    made = IndexRequest(
        kind=kind, state=QUEUED, root_id=root_id, requested_by=requested_by, created_at=now, entries=0, report={}
    )
    session.add(made)
    session.flush()
    return made
