"""How roots and workspaces may lie to each other in a bucket, in SQL that takes prefixes as data.

A key belongs to the deepest root, and to at most one workspace. So workspaces never overlap, a root never lies
in a workspace, and a workspace never holds a root. Prefixes are '' or end in a slash: `a/` is no part of `ab/`.
"""

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from workspacesio.database.tables import Root, Workspace, WorkspaceRemoval
from workspacesio.domain.errors import Conflict
from workspacesio.domain.names import ancestors

MAX_PREFIX_BYTES = 900
"""Leaves room in a key's 1,024 bytes for names in the workspace."""


def begins_with(column: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    """The column's text begins with `prefix`: no pattern, so that no character has a meaning."""
    return func.substr(column, 1, len(prefix)) == prefix


def overlaps(column: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    """One of the two folders holds the other, or they are the same."""
    return or_(column.in_(ancestors(prefix)), begins_with(column, prefix))


def check_root_fits(session: Session, *, node_id: int, bucket: str, prefix: str) -> None:
    """Raise Conflict if a root here would take keys from a workspace, or if there is one at this very prefix."""
    same = session.scalar(
        select(Root).where(Root.node_id == node_id, Root.bucket == bucket, Root.prefix == prefix)
    )
    if same is not None:
        raise Conflict("There is a root at this very folder already.", code="root_exists")
    here = select(Workspace.id).where(Workspace.node_id == node_id, Workspace.bucket == bucket)
    if session.scalar(here.where(Workspace.prefix.in_(ancestors(prefix))).limit(1)) is not None:
        raise Conflict("A root can't lie in a workspace.", code="inside_workspace")
    taken = (
        here.join(Root, Root.id == Workspace.root_id)
        .where(begins_with(Workspace.prefix, prefix), func.length(Root.prefix) < len(prefix))
        .limit(1)
    )
    if session.scalar(taken) is not None:
        raise Conflict("A root here would take workspaces from the root above it.", code="holds_workspaces")


def workspace_place_problem(session: Session, *, root: Root, prefix: str) -> str | None:
    """Why no workspace of `root` can have this prefix, or None. The sentence names nothing else that is there."""
    if len(prefix.encode()) > MAX_PREFIX_BYTES:
        return "its path is too long"
    there = [Workspace.node_id == root.node_id, Workspace.bucket == root.bucket]
    if session.scalar(select(Workspace.id).where(*there, Workspace.prefix.in_(ancestors(prefix))).limit(1)):
        return "it is or lies in a workspace"
    if session.scalar(select(Workspace.id).where(*there, begins_with(Workspace.prefix, prefix)).limit(1)):
        return "it holds a workspace"
    removed = select(WorkspaceRemoval.id).where(
        WorkspaceRemoval.node_id == root.node_id,
        WorkspaceRemoval.bucket == root.bucket,
        overlaps(WorkspaceRemoval.prefix, prefix),
    )
    if session.scalar(removed.limit(1)):
        return "a workspace there is being deleted"
    others = select(Root.id).where(Root.node_id == root.node_id, Root.bucket == root.bucket, Root.id != root.id)
    if session.scalar(others.where(begins_with(Root.prefix, prefix)).limit(1)):
        return "it holds another root"
    deeper = others.where(Root.prefix.in_(ancestors(prefix)), func.length(Root.prefix) > len(root.prefix))
    if session.scalar(deeper.limit(1)):
        return "it lies in another root"
    return None
