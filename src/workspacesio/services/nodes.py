"""Nodes: add, list, show, remove. Nothing here touches what is stored on them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from workspacesio.database.facts import load_service_target
from workspacesio.database.tables import Node, Root, Workspace, WorkspaceRemoval
from workspacesio.database.visible_places import seen_nodes
from workspacesio.domain.errors import Conflict
from workspacesio.domain.names import check_bucket, check_service_name
from workspacesio.domain.vocabulary import Action, FolderLayout, NodeKind
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_node, require, require_service
from workspacesio.services.crawl_requests import request_crawls_of_node
from workspacesio.services.node_folders import CheckedFolder, check_no_overlap
from workspacesio.services.sign_in_limits import begin_node_attempt


def list_nodes(session: Session, *, actor: Actor) -> Sequence[Node]:
    """The nodes that the caller operates, by name."""
    return session.scalars(select(Node).where(Node.id.in_(seen_nodes(actor.caller))).order_by(Node.name)).all()


def show_node(session: Session, *, actor: Actor, name: str, now: datetime) -> Node:
    return find_node(session, actor=actor, name=name, action=Action.SEE_NODE, now=now)


def root_names(session: Session, *, node_id: int) -> list[str]:
    return list(session.scalars(select(Root.name).where(Root.node_id == node_id).order_by(Root.name)))


def node_name(session: Session, *, node_id: int) -> str:
    return session.get_one(Node, node_id).name


def may_add_folder(actor: Actor, *, now: datetime) -> None:
    """Raises Refused: only administrators, as a folder of the server is the service's own business."""
    require_service(actor, Action.ADD_FOLDER, now)


def may_add_node(session: Session, actor: Actor, *, now: datetime) -> None:
    """On a server. Raises Refused: administrators, and whom they let (`service_settings.py`)."""
    require(actor, Action.ADD_NODE, load_service_target(session), now)


def begin_adding(session: Session, *, actor: Actor, now: datetime) -> bool:
    """Before a server is asked for somebody; returns whether for an administrator.

    Raises Refused as above, and TooManyAttempts where somebody else has too many servers asked.
    """
    may_add_node(session, actor, now=now)
    if not actor.caller.administrator:
        begin_node_attempt(session, user_id=actor.user_id, now=now)
    return actor.caller.administrator


def add_folder_node(
    session: Session,
    *,
    actor: Actor,
    name: str,
    folder: CheckedFolder,
    layout: FolderLayout,
    bucket: str | None,
    read_only: bool,
    serve_owner_only: bool,
    cross_filesystems: bool,
    now: datetime,
) -> Node:
    """A node over a folder that `check_node_folder` let pass. Administrators operate it too."""
    may_add_folder(actor, now=now)
    node = insert_folder_node(
        session,
        name=name,
        folder=folder,
        layout=layout,
        bucket=bucket,
        read_only=read_only,
        serve_owner_only=serve_owner_only,
        cross_filesystems=cross_filesystems,
        operator_id=actor.user_id,
        now=now,
    )
    record(
        session,
        actor=actor,
        verb="node.add",
        target=name,
        now=now,
        details={"kind": node.kind, "path": node.path, "layout": node.layout, "read_only": read_only},
    )
    return node


def insert_folder_node(
    session: Session,
    *,
    name: str,
    folder: CheckedFolder,
    layout: FolderLayout,
    bucket: str | None,
    read_only: bool,
    serve_owner_only: bool,
    cross_filesystems: bool,
    operator_id: int | None,
    now: datetime,
) -> Node:
    """Checks names and overlaps, decides nothing; raises Invalid and Conflict."""
    check_service_name(name, "node")
    if layout is FolderLayout.BUCKET:
        check_bucket(bucket or "")
    if session.scalar(select(Node.id).where(Node.name == name)) is not None:
        raise Conflict(f"There is a node {name!r} already.", code="taken")
    check_no_overlap(folder.path, [path for path in session.scalars(select(Node.path)) if path])
    node = Node(
        name=name,
        kind=NodeKind.FOLDER.value,
        operator_id=operator_id,
        run_by_service=True,
        read_only=read_only,
        path=folder.path,
        layout=layout.value,
        bucket=bucket if layout is FolderLayout.BUCKET else None,
        serve_owner_only=serve_owner_only,
        cross_filesystems=cross_filesystems,
        filesystem_identity=folder.filesystem_identity,
        created_at=now,
    )
    session.add(node)
    session.flush()
    return node


def change_folder_node(
    session: Session,
    *,
    actor: Actor,
    name: str,
    read_only: bool | None = None,
    serve_owner_only: bool | None = None,
    cross_filesystems: bool | None = None,
    now: datetime,
) -> None:
    """Replace what is given; it holds for every request that begins once this is committed (`drivers.py`).

    Raises NotFound, Refused, and Conflict for a node that is no folder.
    """
    node = find_node(session, actor=actor, name=name, action=Action.CHANGE_NODE, now=now)
    if node.kind != NodeKind.FOLDER:
        raise Conflict(f"The node {name} is no folder; change its keys or addresses.", code="node_kind")
    shown_before = node.serve_owner_only, node.cross_filesystems
    if read_only is not None:
        node.read_only = read_only
    if serve_owner_only is not None:
        node.serve_owner_only = serve_owner_only
    if cross_filesystems is not None:
        node.cross_filesystems = cross_filesystems
    if (node.serve_owner_only, node.cross_filesystems) != shown_before:
        request_crawls_of_node(session, node_id=node.id, now=now)
    details = {
        "read_only": node.read_only,
        "serve_owner_only": node.serve_owner_only,
        "cross_filesystems": node.cross_filesystems,
    }
    record(session, actor=actor, verb="node.change", target=name, now=now, details=details)


def require_removable(session: Session, *, actor: Actor, name: str, force: bool, now: datetime) -> Node:
    """The node, if the caller may remove it now. Raises NotFound, Refused, Conflict."""
    node = find_node(session, actor=actor, name=name, action=Action.CHANGE_NODE, now=now)
    count = session.scalar(select(func.count()).select_from(Workspace).where(Workspace.node_id == node.id))
    if count and not force:
        raise Conflict(
            f"The node has {count} workspace(s); delete or release them first, or add --force to forget "
            "them while their files stay.",
            code="node_not_empty",
            details={"workspaces": count},
        )
    pending = select(func.count()).select_from(WorkspaceRemoval).where(WorkspaceRemoval.node_id == node.id)
    if session.scalar(pending) and not force:
        raise Conflict("Objects of a deleted workspace are still being deleted there; try again later.")
    return node


def remove_node(session: Session, *, actor: Actor, name: str, force: bool, now: datetime) -> None:
    """Forget the node and its roots; every file stays. `force` forgets its workspaces too.

    For a node on a server: `minio_removal.remove_minio_node`, which clears the server and then comes here.
    """
    node = require_removable(session, actor=actor, name=name, force=force, now=now)
    workspaces = session.scalars(select(Workspace).where(Workspace.node_id == node.id)).all()
    for workspace in workspaces:
        record(
            session,
            actor=actor,
            verb="workspace.forget",
            target=workspace.name,
            workspace_id=workspace.id,
            now=now,
            details={"bucket": workspace.bucket, "prefix": workspace.prefix},
        )
    for table in (WorkspaceRemoval, Workspace, Root):
        session.execute(delete(table).where(table.node_id == node.id))
    session.delete(node)
    record(session, actor=actor, verb="node.remove", target=name, now=now, details={"path": node.path})
