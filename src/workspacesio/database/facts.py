"""Loads the facts of decisions from the database: nothing is decided here.

Each function reads in the session it is given, so that all facts of one decision come from one state.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import (
    Credential,
    Group,
    GroupMember,
    Node,
    Root,
    RootCreator,
    RootManager,
    ServiceSetting,
    Share,
    User,
    Workspace,
)
from workspacesio.domain.facts import (
    UNNARROWED,
    Caller,
    GroupFacts,
    Narrowing,
    NodeFacts,
    RootFacts,
    ServiceFacts,
    ShareFacts,
    Target,
    WorkspaceFacts,
)
from workspacesio.domain.names import ancestors
from workspacesio.domain.vocabulary import AddNodePolicy, CreatePolicy, Level, RootType, SubjectKind


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key lies: its root (the deepest), and the workspace there, if any, with its whole prefix."""

    target: Target
    workspace_id: int | None
    prefix: str


def load_caller(session: Session, user_id: int, narrowing: Narrowing = UNNARROWED) -> Caller | None:
    """The user with their groups, or None if there is no such user."""
    user = session.get(User, user_id)
    if user is None:
        return None
    groups = session.scalars(select(GroupMember.group_id).where(GroupMember.user_id == user_id))
    return Caller(user.id, user.enabled, user.administrator, frozenset(groups), narrowing)


def node_facts(node: Node) -> NodeFacts:
    return NodeFacts(node.id, node.operator_id or 0, node.run_by_service, node.read_only)


def load_root(session: Session, root: Root) -> RootFacts:
    managers = session.scalars(select(RootManager.user_id).where(RootManager.root_id == root.id))
    creators = session.scalars(select(RootCreator.user_id).where(RootCreator.root_id == root.id))
    return RootFacts(
        root.id,
        RootType(root.type),
        frozenset(managers),
        CreatePolicy(root.create_policy),
        frozenset(creators),
    )


def load_group_target(session: Session, group: Group) -> Target:
    managers = session.scalars(
        select(GroupMember.user_id).where(GroupMember.group_id == group.id, GroupMember.manager.is_(True))
    )
    return Target(group=GroupFacts(group.id, frozenset(managers)))


ADD_NODES = "add_nodes"
"""The setting that says who adds servers as nodes: JSON, `"everyone"`, `"nobody"` or a list of users' ids."""


def load_service_target(session: Session) -> Target:
    row = session.get(ServiceSetting, ADD_NODES)
    if row is None:
        return Target()
    value = json.loads(row.value)
    if isinstance(value, list):
        return Target(service=ServiceFacts(AddNodePolicy.USERS, frozenset(value)))
    return Target(service=ServiceFacts(AddNodePolicy(value)))


def share_facts(share: Share) -> ShareFacts:
    kind = SubjectKind(share.subject_kind)
    subject = share.user_id if kind is SubjectKind.USER else share.group_id
    return ShareFacts(kind, subject, Level(share.level), share.folder, share.expires_at, share.id)


def load_shares(session: Session, workspace_id: int) -> tuple[ShareFacts, ...]:
    rows = session.scalars(select(Share).where(Share.workspace_id == workspace_id).order_by(Share.id))
    return tuple(share_facts(row) for row in rows)


def load_workspace_target(session: Session, workspace: Workspace, path: str = "") -> Target:
    """Everything that a decision on this workspace needs."""
    root = session.get_one(Root, workspace.root_id)
    node = session.get_one(Node, workspace.node_id)
    return Target(
        node_facts(node),
        load_root(session, root),
        WorkspaceFacts(workspace.id, workspace.owner_id),
        path,
        load_shares(session, workspace.id),
    )


def load_root_target(session: Session, root: Root) -> Target:
    return Target(node_facts(session.get_one(Node, root.node_id)), load_root(session, root))


def load_node_target(node: Node) -> Target:
    return Target(node_facts(node))


def load_place(session: Session, node: Node, bucket: str, key: str) -> Place:
    """Find what owns `key`, a whole key or a listing's prefix. The target's path is relative to the workspace.

    A key belongs to the deepest root, and to a workspace of that root whose prefix it begins with.
    """
    prefixes = ancestors(key)
    root = _deepest(
        session.scalars(
            select(Root).where(Root.node_id == node.id, Root.bucket == bucket, Root.prefix.in_(prefixes))
        )
    )
    if root is None:
        return Place(Target(node_facts(node)), None, "")
    workspace = session.scalar(
        select(Workspace)
        .where(
            Workspace.node_id == node.id,
            Workspace.bucket == bucket,
            Workspace.prefix.in_(prefixes),
            Workspace.root_id == root.id,
        )
        .order_by(func.length(Workspace.prefix).desc())
        .limit(1)
    )
    if workspace is None:
        return Place(Target(node_facts(node), load_root(session, root)), None, root.prefix)
    target = Target(
        node_facts(node),
        load_root(session, root),
        WorkspaceFacts(workspace.id, workspace.owner_id),
        key[len(workspace.prefix) :],
        load_shares(session, workspace.id),
    )
    return Place(target, workspace.id, workspace.prefix)


def _deepest(roots: Iterable[Root]) -> Root | None:
    return max(roots, key=lambda root: len(root.prefix), default=None)


def load_revoked_credentials(session: Session, user_id: int, now: datetime) -> frozenset[int]:
    """Ids of the user's credentials that were revoked before they expired."""
    return frozenset(
        session.scalars(
            select(Credential.id).where(
                Credential.user_id == user_id,
                Credential.revoked_at.is_not(None),
                Credential.expires_at > now,
            )
        )
    )


def narrowing_of(narrowed_to: Sequence[int] | None, read_only: bool) -> Narrowing:  # noqa: FBT001
    return Narrowing(None if narrowed_to is None else frozenset(narrowed_to), read_only)
