"""Roots: create, list, show, change, remove. Nothing here touches what is stored in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Node, Root, RootCreator, RootManager, User, Workspace
from workspacesio.database.visible_places import seen_roots
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.names import check_bucket, check_prefix, check_service_name
from workspacesio.domain.vocabulary import Action, CreatePolicy, FolderLayout, RootType
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_node, find_root, require
from workspacesio.services.effect_marks import mark_root
from workspacesio.services.expressible import check_can_be_told
from workspacesio.services.prefixes import MAX_PREFIX_BYTES, check_root_fits
from workspacesio.services.users import user_named


@dataclass(frozen=True, slots=True)
class RootView:
    """A root with the names that its row only has numbers for."""

    root: Root
    node: str
    creators: tuple[str, ...]
    managers: tuple[str, ...]


def list_roots(session: Session, *, actor: Actor) -> list[RootView]:
    """The roots that the caller manages or may create workspaces in, by name."""
    rows = session.scalars(select(Root).where(Root.id.in_(seen_roots(actor.caller))).order_by(Root.name))
    return [view_root(session, root) for root in rows.all()]


def show_root(session: Session, *, actor: Actor, name: str, now: datetime) -> RootView:
    root, _ = find_root(session, actor=actor, name=name, action=Action.SEE_ROOT, now=now)
    return view_root(session, root)


def view_root(session: Session, root: Root) -> RootView:
    creators = select(User.username).join(RootCreator, RootCreator.user_id == User.id)
    managers = select(User.username).join(RootManager, RootManager.user_id == User.id)
    return RootView(
        root,
        session.get_one(Node, root.node_id).name,
        tuple(session.scalars(creators.where(RootCreator.root_id == root.id).order_by(User.username))),
        tuple(session.scalars(managers.where(RootManager.root_id == root.id).order_by(User.username))),
    )


def node_for_new_root(session: Session, *, actor: Actor, node: str, now: datetime) -> Node:
    """The node, if the caller may create roots on it. Raises NotFound, Refused."""
    return find_node(session, actor=actor, name=node, action=Action.CREATE_ROOT, now=now)


def create_root(
    session: Session,
    *,
    actor: Actor,
    node: str,
    bucket: str,
    prefix: str,
    root_type: RootType,
    name: str | None,
    create: CreatePolicy,
    now: datetime,
) -> RootView:
    """Manage a bucket and prefix of a node. The caller has looked whether the bucket is there."""
    row = node_for_new_root(session, actor=actor, node=node, now=now)
    root = insert_root(
        session,
        node=row,
        bucket=bucket,
        prefix=check_prefix(prefix),
        root_type=root_type,
        name=name or default_root_name(bucket, prefix),
        create=create,
        now=now,
    )
    details = {
        "node": node,
        "bucket": bucket,
        "prefix": root.prefix,
        "type": root.type,
        "create": root.create_policy,
    }
    record(session, actor=actor, verb="root.create", target=root.name, now=now, details=details)
    return view_root(session, root)


def default_root_name(bucket: str, prefix: str) -> str:
    """The last folder of the prefix, or the bucket's name."""
    return prefix.strip("/").rpartition("/")[2] or bucket


def insert_root(
    session: Session,
    *,
    node: Node,
    bucket: str,
    prefix: str,
    root_type: RootType,
    name: str,
    create: CreatePolicy,
    now: datetime,
) -> Root:
    """Checks names and how it lies to others, decides nothing; raises Invalid and Conflict."""
    check_service_name(name, "root")
    check_bucket(bucket)
    if node.layout == FolderLayout.BUCKET.value and bucket != node.bucket:
        raise Invalid(f"The node has one bucket, {node.bucket!r}.", code="no_such_bucket")
    if len(prefix.encode()) > MAX_PREFIX_BYTES // 2:
        raise Invalid("The prefix is too long to leave room for workspaces.", code="invalid_folder")
    if session.scalar(select(Root.id).where(Root.name == name)) is not None:
        raise Conflict(f"There is a root {name!r} already; give another name.", code="taken")
    check_can_be_told(node, bucket, prefix, writes=True)
    check_root_fits(session, node_id=node.id, bucket=bucket, prefix=prefix)
    root = Root(
        name=name,
        node_id=node.id,
        bucket=bucket,
        prefix=prefix,
        type=root_type.value,
        create_policy=(create if root_type.is_managed else CreatePolicy.NOBODY).value,
        created_at=now,
    )
    session.add(root)
    session.flush()
    return root


def change_root(
    session: Session,
    *,
    actor: Actor,
    name: str,
    create: CreatePolicy | None,
    creators: Sequence[str] | None,
    managers: Sequence[str] | None,
    root_type: RootType | None,
    now: datetime,
) -> RootView:
    """Change who creates, who manages, or public to private and back. `creators` go with CreatePolicy.USERS."""
    root, _ = find_root(session, actor=actor, name=name, action=Action.CHANGE_ROOT, now=now)
    details: dict[str, object] = {}
    if root_type is not None:
        if root_type.is_managed != RootType(root.type).is_managed:
            raise Conflict("A managed root can't become unmanaged, nor the reverse.", code="root_type")
        if root_type.is_public and not RootType(root.type).is_public:
            _require_no_others_workspaces(session, actor, root)
        if root_type.is_public != RootType(root.type).is_public:
            _tell_owners(session, actor, root, opened=root_type.is_public, now=now)
        details["type"] = {"from": root.type, "to": root_type.value}
        mark_root(session, root, takes=not root_type.is_public)
        root.type = root_type.value
    if create is not None:
        if not RootType(root.type).is_managed:
            raise Conflict("In an unmanaged root only managers create workspaces.", code="root_is_unmanaged")
        root.create_policy = create.value
        named = sorted(set(creators or ())) if create is CreatePolicy.USERS else []
        ids = [user_named(session, username).id for username in named]
        session.execute(delete(RootCreator).where(RootCreator.root_id == root.id))
        session.add_all(RootCreator(root_id=root.id, user_id=user_id) for user_id in ids)
        details["create"] = named if create is CreatePolicy.USERS else create.value
    if managers is not None:
        details["managers"] = sorted(set(managers))
        ids = [user_named(session, username).id for username in sorted(set(managers))]
        session.execute(delete(RootManager).where(RootManager.root_id == root.id))
        session.add_all(RootManager(root_id=root.id, user_id=user_id) for user_id in ids)
    session.flush()
    record(session, actor=actor, verb="root.change", target=name, now=now, details=details)
    return view_root(session, root)


def _require_no_others_workspaces(session: Session, actor: Actor, root: Root) -> None:
    """A manager sees no contents, and so can't open other people's workspaces to everybody."""
    others = select(Workspace.id).where(Workspace.root_id == root.id, Workspace.owner_id != actor.user_id)
    if session.scalar(others.limit(1)) is not None:
        raise Conflict(
            "The root holds other people's workspaces, which all would then read; make a public root for them.",
            code="root_not_empty",
        )


def _tell_owners(session: Session, actor: Actor, root: Root, *, opened: bool, now: datetime) -> None:
    """A record for each workspace in the root: its owner doesn't see what is recorded of the root."""
    inside = select(Workspace.id, Workspace.name).where(Workspace.root_id == root.id).order_by(Workspace.id)
    verb = "workspace.made_public" if opened else "workspace.made_private"
    for workspace_id, name in session.execute(inside).all():
        record(
            session,
            actor=actor,
            verb=verb,
            target=name,
            workspace_id=workspace_id,
            now=now,
            details={"root": root.name},
        )


def remove_root(session: Session, *, actor: Actor, name: str, now: datetime) -> None:
    """Stop managing; every file stays. Raises Conflict while workspaces are in it."""
    root, target = find_root(session, actor=actor, name=name, action=Action.CHANGE_ROOT, now=now)
    require(actor, Action.CREATE_ROOT, target, now)
    count = session.scalar(select(func.count()).select_from(Workspace).where(Workspace.root_id == root.id)) or 0
    if count:
        raise Conflict(
            f"The root has {count} workspace(s); delete or release them first.",
            code="root_not_empty",
            details={"workspaces": count},
        )
    session.delete(root)
    details = {"bucket": root.bucket, "prefix": root.prefix, "type": root.type}
    record(session, actor=actor, verb="root.remove", target=name, now=now, details=details)
