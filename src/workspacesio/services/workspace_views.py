"""Workspaces as a caller sees them: which, at what level, and what they hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Select, case, literal, select, tuple_
from sqlalchemy.orm import Session

from workspacesio.database.journal_tables import Usage
from workspacesio.database.tables import Node, Root, Share, User, Workspace
from workspacesio.database.visibility import readable_folders, seen_workspaces, share_reaches
from workspacesio.database.visible_places import named_roots, owned_workspaces
from workspacesio.domain.errors import NotFound
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import Level, RootType
from workspacesio.services.actors import Actor

OWNER = "owner"


class Scope(StrEnum):
    """What a listing holds: one's own, what others share, what lies in public roots, or all that one sees."""

    MINE = "mine"
    SHARED = "shared"
    PUBLIC = "public"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class WorkspaceView:
    """`level` is held on the whole workspace (None: not on the whole). `folders` are shared folders beneath it.

    `root` is None where its name may not be known: to whoever sees only folders of it, and not the root.

    `bytes` and `objects` are None where the caller sees only folders of it: no answer depends on what lies
    outside the caller's sight.
    """

    id: int
    name: str
    owner: str
    root: str | None
    root_type: str
    node: str
    bucket: str
    prefix: str
    level: str | None
    folders: tuple[tuple[str, Level], ...]
    objects: int | None
    bytes: int | None
    created_at: datetime
    imported: bool

    @property
    def reference(self) -> str:
        return f"{self.owner}/{self.name}"


def list_workspaces(
    session: Session,
    *,
    actor: Actor,
    scope: Scope,
    limit: int,
    after: tuple[str, str] | None = None,
    now: datetime,
) -> list[WorkspaceView]:
    """The first in order of owner and name, behind the owner and name of `after`."""
    query = (
        select(Workspace.id)
        .join(User, User.id == Workspace.owner_id)
        .where(Workspace.id.in_(_in_scope(actor.caller, scope, now)))
        .order_by(User.username, Workspace.name)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(User.username, Workspace.name) > tuple_(*map(literal, after)))
    return _views(session, actor.caller, query, now)


def show_workspace(session: Session, *, actor: Actor, workspace_id: int, now: datetime) -> WorkspaceView:
    """Raises NotFound for what the caller doesn't see."""
    ids = seen_workspaces(actor.caller, now).subquery()
    found = _views(
        session, actor.caller, select(ids.c.workspace_id).where(ids.c.workspace_id == workspace_id), now
    )
    if not found:
        raise NotFound("There is no such workspace; `wio ls` shows what you can reach.")
    return found[0]


def _in_scope(caller: Caller, scope: Scope, now: datetime) -> Select[int]:
    seen = seen_workspaces(caller, now).subquery()
    ids = select(seen.c.workspace_id).join(Workspace, Workspace.id == seen.c.workspace_id)
    match scope:
        case Scope.ALL:
            return ids
        case Scope.MINE:
            return owned_workspaces(caller)
        case Scope.PUBLIC:
            public = [kind.value for kind in RootType if kind.is_public]
            return ids.join(Root, Root.id == Workspace.root_id).where(Root.type.in_(public))
        case Scope.SHARED:
            return ids.join(Share, Share.workspace_id == Workspace.id).where(
                share_reaches(caller, now), Workspace.owner_id != caller.user_id
            )


def _views(session: Session, caller: Caller, ids: Select[int], now: datetime) -> list[WorkspaceView]:
    rows = session.execute(
        select(
            Workspace,
            User.username,
            case((Root.id.in_(named_roots(caller, now)), Root.name)),
            Root.type,
            Node.name,
            Usage.objects,
            Usage.bytes,
        )
        .join(User, User.id == Workspace.owner_id)
        .join(Root, Root.id == Workspace.root_id)
        .join(Node, Node.id == Workspace.node_id)
        .outerjoin(Usage, Usage.workspace_id == Workspace.id)
        .where(Workspace.id.in_(ids))
        .order_by(User.username, Workspace.name)
    ).all()
    held = _held_folders(session, caller, ids, now)
    views = []
    for workspace, owner, root, root_type, node, objects, size in rows:
        folders = held.get(workspace.id, {})
        whole = folders.pop("", None)
        level = None if whole is None else whole.word
        if workspace.owner_id == caller.user_id and not caller.narrowing.read_only:
            level = OWNER
        sees_sizes = level is not None or not folders
        views.append(
            WorkspaceView(
                id=workspace.id,
                name=workspace.name,
                owner=owner,
                root=root,
                root_type=root_type,
                node=node,
                bucket=workspace.bucket,
                prefix=workspace.prefix,
                level=level,
                folders=tuple(sorted((folder, held) for folder, held in folders.items() if held > (whole or 0))),
                objects=(objects or 0) if sees_sizes else None,
                bytes=(size or 0) if sees_sizes else None,
                created_at=workspace.created_at,
                imported=workspace.imported,
            )
        )
    return views


def _held_folders(
    session: Session, caller: Caller, ids: Select[int], now: datetime
) -> dict[int, dict[str, Level]]:
    """The highest level on each folder that is shared with the caller; '' is the whole workspace."""
    readable = readable_folders(caller, now).subquery()
    rows: Iterable[tuple[int, str, int]] = session.execute(
        select(readable.c.workspace_id, readable.c.folder, readable.c.level).where(
            readable.c.workspace_id.in_(ids)
        )
    )
    held: dict[int, dict[str, Level]] = {}
    for workspace_id, folder, number in rows:
        level = Level.READ if caller.narrowing.read_only else Level(number)
        folders = held.setdefault(workspace_id, {})
        folders[folder] = max(level, folders.get(folder, level))
    return held
