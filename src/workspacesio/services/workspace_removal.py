"""Deleting a workspace.

A workspace that holds objects is deleted only with an explicit word. Then its row goes first, and with it every
right: whatever is decided from then on is refused. A `workspace_removals` row remembers what is left to do, keeps
others from making anything over the prefix, and survives a crash; the objects are deleted after it, page by page,
by whoever took the request and else by the worker.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, Node, User, Workspace, WorkspaceRemoval
from workspacesio.domain.errors import Conflict, WorkspacesIOError
from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record_of_workspace
from workspacesio.services.authorization import find_workspace
from workspacesio.services.effect_marks import mark_workspace
from workspacesio.services.storage import Deleted, Storage, Wait

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ToRemove:
    """Where to look whether the workspace holds objects."""

    node_id: int
    bucket: str
    prefix: str


def find_workspace_to_remove(session: Session, *, actor: Actor, workspace_id: int, now: datetime) -> ToRemove:
    """Raises NotFound, Refused."""
    workspace, _ = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.DELETE_WORKSPACE, now=now
    )
    return ToRemove(workspace.node_id, workspace.bucket, workspace.prefix)


def remove_workspace(
    session: Session,
    *,
    actor: Actor,
    workspace_id: int,
    holds_objects: bool,
    delete_objects: bool,
    now: datetime,
) -> int | None:
    """Take the workspace and all rights in it away. Returns the id of the removal still to be done, or None.

    `holds_objects` is what storage said just before. Raises Conflict `workspace_not_empty` without the word.
    """
    workspace, _ = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.DELETE_WORKSPACE, now=now
    )
    if holds_objects and not delete_objects:
        other = " To let go of it and keep its files, release it." if workspace.imported else ""
        raise Conflict(
            f"The workspace holds objects; say delete_objects to delete them with it.{other}",
            code="workspace_not_empty",
        )
    if holds_objects and session.get_one(Node, workspace.node_id).read_only:
        raise Conflict("The node takes no writes, so its objects can't be deleted.", code="node_is_read_only")
    removal_id = None
    if delete_objects:
        removal_id = _remember(session, workspace, actor, now)
    details = {"bucket": workspace.bucket, "prefix": workspace.prefix, "delete_objects": delete_objects}
    record_of_workspace(
        session, actor=actor, verb="workspace.delete", workspace=workspace, now=now, details=details
    )
    mark_workspace(session, workspace)
    session.delete(workspace)
    return removal_id


def continue_removal(
    database: Database, storage: Storage, *, removal_id: int, seconds: float, now: datetime
) -> Deleted:
    """Delete objects for at most `seconds`, outside of any transaction; forget the removal when nothing is left.

    May be called by several at once and at any later time. Raises Unavailable when the node is down.
    """
    with database.read() as session:
        removal = session.get(WorkspaceRemoval, removal_id)
    if removal is None:
        return Deleted(0, 0, finished=True)
    deadline = time.monotonic() + seconds
    deleted = storage.delete_objects(removal.bucket, removal.prefix, stop=lambda: time.monotonic() > deadline)
    if deleted.finished:
        with database.journal() as session:
            _finish(session, removal_id, deleted, now)
    return deleted


def pending_removals(session: Session) -> list[tuple[int, int]]:
    """(removal id, node id) of everything that is still to be deleted."""
    rows = session.execute(select(WorkspaceRemoval.id, WorkspaceRemoval.node_id).order_by(WorkspaceRemoval.id))
    return [(removal_id, node_id) for removal_id, node_id in rows]


def continue_removals(
    database: Database,
    drivers: Callable[[int], StorageDriver],
    wait: Wait,
    *,
    seconds: float,
    clock: Callable[[], datetime],
) -> int:
    """What the worker does, in a thread: go on with each removal for a while. Returns how many are left."""
    with database.read() as session:
        pending = pending_removals(session)
    left = 0
    for removal_id, node_id in pending:
        try:
            storage = Storage(drivers(node_id), wait)
            deleted = continue_removal(database, storage, removal_id=removal_id, seconds=seconds, now=clock())
        except WorkspacesIOError as error:
            logger.warning("objects of a deleted workspace are still there: %s", error)
            left += 1
        else:
            left += not deleted.finished
    return left


def _remember(session: Session, workspace: Workspace, actor: Actor, now: datetime) -> int:
    owner = session.get_one(User, workspace.owner_id).username
    removal = WorkspaceRemoval(
        workspace_id=workspace.id,
        reference=f"{owner}/{workspace.name}",
        node_id=workspace.node_id,
        bucket=workspace.bucket,
        prefix=workspace.prefix,
        removed_by=actor.user_id,
        created_at=now,
    )
    session.add(removal)
    session.flush()
    return removal.id


def _finish(session: Session, removal_id: int, deleted: Deleted, now: datetime) -> None:
    removal = session.get(WorkspaceRemoval, removal_id)
    if removal is None:
        return
    session.add(
        AuditRecord(
            at=now,
            actor_id=removal.removed_by,
            actor="service",
            verb="workspace.objects_deleted",
            workspace_id=removal.workspace_id,
            target=removal.reference,
            details={"objects": deleted.objects, "bytes": deleted.bytes},
        )
    )
    session.delete(removal)
