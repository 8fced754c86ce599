"""The one visibility rule in SQL: the twin of `domain.permissions.decide` for listings.

    readable_folders(caller, now)    (workspace_id, folder, level): what the caller may read, and the level held
    seen_workspaces(caller, now)     ids of the workspaces whose name, owner and size the caller may see

Both take the whole caller, so that a narrowing can't be forgotten. Every listing, count and search that names
workspaces joins with one of them and filters nothing afterwards. A property test holds them to the decision on
random worlds, on SQLite and PostgreSQL.
"""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    false,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
)

from workspacesio.database.number_sets import one_of
from workspacesio.database.tables import Node, Root, RootManager, Share, Workspace
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import Level, RootType, SubjectKind

_PUBLIC_TYPES = [kind.value for kind in RootType if kind.is_public]


def readable_folders(caller: Caller, now: datetime) -> CompoundSelect[tuple[int, str, int]]:
    """Rows may overlap: a folder is held at the highest level of the rows that cover it."""
    owned = select(
        Workspace.id.label("workspace_id"),
        literal("").label("folder"),
        _held(caller, literal(int(Level.OWN))).label("level"),
    ).where(Workspace.owner_id == caller.user_id, _within(caller))
    public = (
        select(Workspace.id, literal(""), literal(int(Level.READ)))
        .join(Root, Root.id == Workspace.root_id)
        .where(Root.type.in_(_PUBLIC_TYPES), _within(caller))
    )
    shared = (
        select(Workspace.id, Share.folder, _held(caller, Share.level.expression))
        .join(Share, Share.workspace_id == Workspace.id)
        .where(share_reaches(caller, now), _within(caller))
    )
    return union_all(owned, public, shared)


def seen_workspaces(caller: Caller, now: datetime) -> CompoundSelect[tuple[int]]:
    """Readable ones, and those in roots that the caller manages, operates or administers."""
    owned = select(Workspace.id.label("workspace_id")).where(Workspace.owner_id == caller.user_id, _within(caller))
    public = (
        select(Workspace.id)
        .join(Root, Root.id == Workspace.root_id)
        .where(Root.type.in_(_PUBLIC_TYPES), _within(caller))
    )
    shared = select(Share.workspace_id).join(Workspace, Workspace.id == Share.workspace_id)
    shared = shared.where(share_reaches(caller, now), _within(caller))
    managed = (
        select(Workspace.id)
        .join(Node, Node.id == Workspace.node_id)
        .where(
            _within(caller),
            or_(
                operates(caller),
                Workspace.root_id.in_(select(RootManager.root_id).where(RootManager.user_id == caller.user_id)),
            ),
        )
    )
    return union(owned, public, shared, managed)


def share_reaches(caller: Caller, now: datetime) -> ColumnElement[bool]:
    """The share names the caller, one of their groups or everyone, and has not expired."""
    subject = or_(
        Share.subject_kind == SubjectKind.EVERYONE.value,
        and_(Share.subject_kind == SubjectKind.USER.value, Share.user_id == caller.user_id),
        and_(Share.subject_kind == SubjectKind.GROUP.value, one_of(Share.group_id, caller.groups)),
    )
    return and_(subject, or_(Share.expires_at.is_(None), Share.expires_at > now))


def operates(caller: Caller) -> ColumnElement[bool]:
    """The caller is the node's operator, or an administrator of a node that the service itself runs."""
    as_administrator = Node.run_by_service.is_(true()) if caller.administrator else false()
    return or_(Node.operator_id == caller.user_id, as_administrator)


def _held(caller: Caller, level: ColumnElement[int]) -> ColumnElement[int]:
    """A key that was narrowed to reading holds every folder at `read`."""
    return literal(int(Level.READ)) if caller.narrowing.read_only else level


def _within(caller: Caller) -> ColumnElement[bool]:
    if not caller.enabled:
        return false()
    if caller.narrowing.workspaces is None:
        return true()
    return one_of(Workspace.id, caller.narrowing.workspaces)


def readable_buckets(caller: Caller, node_id: int, now: datetime) -> Select[str]:
    """Names of the buckets of a node in which the caller may read something."""
    readable = readable_folders(caller, now).subquery()
    return (
        select(Workspace.bucket)
        .where(Workspace.node_id == node_id, Workspace.id.in_(select(readable.c.workspace_id)))
        .distinct()
        .order_by(Workspace.bucket)
    )
