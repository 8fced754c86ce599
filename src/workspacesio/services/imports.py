"""Import: folders that are there become workspaces where they lie. Nothing on disk is read but names and sizes.

Steps, so that no transaction stays open while a tree is walked: `root_to_import` (may the caller?), then folders
are found on disk; `plan_import` (which become workspaces, called what and whose, which are refused and why); then
each is surveyed; `import_folders` plans again and makes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.journal_tables import Usage
from workspacesio.database.tables import Node, Root, User, Workspace
from workspacesio.domain.errors import Conflict, Invalid, WorkspacesIOError
from workspacesio.domain.names import check_workspace_name, numbered_name, workspace_name_from_folder
from workspacesio.domain.vocabulary import Action, CrawlReason, RootType
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_root
from workspacesio.services.crawl_requests import request_crawl
from workspacesio.services.expressible import check_stays, untellable
from workspacesio.services.prefixes import workspace_place_problem
from workspacesio.services.users import user_named
from workspacesio.services.workspaces import insert_workspace

MAX_FOLDERS = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A folder to import, relative to its root ('' or 'a/b/'), and whose it shall be.

    `problem`: why it can't be imported, as the disk says.
    """

    folder: str
    owner: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What an import makes of a folder. `workspace_id`: it was imported before."""

    folder: str
    prefix: str
    name: str
    owner: str
    owner_id: int
    workspace_id: int | None


@dataclass(frozen=True, slots=True)
class RefusedFolder:
    folder: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    planned: tuple[Planned, ...]
    refused: tuple[RefusedFolder, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a survey found in a folder."""

    objects: int
    bytes: int


def root_to_import(session: Session, *, actor: Actor, name: str, now: datetime) -> tuple[Root, Node]:
    """The root and its node, if the caller may import there. Raises NotFound, Refused, Conflict."""
    root, _ = find_root(session, actor=actor, name=name, action=Action.IMPORT_WORKSPACE, now=now)
    if RootType(root.type).is_managed:
        raise Conflict(
            "Folders are imported in unmanaged roots; in this one workspaces are created.", code="root_is_managed"
        )
    node = session.get_one(Node, root.node_id)
    check_stays(node)
    return root, node


def plan_import(
    session: Session, *, actor: Actor, root: str, wanted: Sequence[Wanted], name: str | None, now: datetime
) -> Plan:
    """What would become of each folder. Raises as `root_to_import`, and Invalid for what is wrong with all."""
    row, _ = root_to_import(session, actor=actor, name=root, now=now)
    if not 1 <= len(wanted) <= MAX_FOLDERS:
        raise Invalid(f"Between 1 and {MAX_FOLDERS} folders are imported at a time.", code="too_many_folders")
    if name is not None:
        check_workspace_name(name)
        if len(wanted) != 1:
            raise Invalid("A name goes with one folder.", code="invalid_request")
    labels = _Labels(session)
    planned: list[Planned] = []
    refused: list[RefusedFolder] = []
    for one in wanted:
        outcome = _plan(session, row, one, name, labels, [other.prefix for other in planned])
        if isinstance(outcome, Planned):
            planned.append(outcome)
        else:
            refused.append(outcome)
    return Plan(tuple(planned), tuple(refused))


def import_folders(
    session: Session,
    *,
    actor: Actor,
    root: str,
    wanted: Sequence[Wanted],
    name: str | None,
    counted: Mapping[str, Counted],
    now: datetime,
) -> Plan:
    """Make the workspaces, with what was counted in each folder. Raises Conflict if one wasn't counted."""
    plan = plan_import(session, actor=actor, root=root, wanted=wanted, name=name, now=now)
    row, _ = root_to_import(session, actor=actor, name=root, now=now)
    for one in plan.planned:
        if one.workspace_id is not None:
            continue
        if one.folder not in counted:
            raise Conflict("Workspaces were changed while the folders were walked; import again.")
        workspace = insert_workspace(
            session, name=one.name, owner_id=one.owner_id, root=row, prefix=one.prefix, imported=True, now=now
        )
        request_crawl(
            session,
            root_id=row.id,
            workspace_id=workspace.id,
            reason=CrawlReason.IMPORT,
            requested_by=actor.user_id,
            now=now,
        )
        usage = session.get_one(Usage, workspace.id)
        found = counted[one.folder]
        usage.objects, usage.bytes, usage.exact = found.objects, found.bytes, True
        record(
            session,
            actor=actor,
            verb="workspace.import",
            target=one.name,
            workspace_id=workspace.id,
            now=now,
            details={"root": root, "bucket": row.bucket, "prefix": one.prefix, "owner": one.owner},
        )
    return plan


def _plan(  # noqa: PLR0917 - one folder of one plan
    session: Session, root: Root, wanted: Wanted, name: str | None, labels: "_Labels", others: Sequence[str]
) -> Planned | RefusedFolder:
    if wanted.problem is not None:
        return RefusedFolder(wanted.folder, wanted.problem)
    try:
        owner = user_named(session, wanted.owner)
    except WorkspacesIOError as error:
        return RefusedFolder(wanted.folder, str(error))
    prefix = root.prefix + wanted.folder
    before = session.scalar(
        select(Workspace).where(
            Workspace.node_id == root.node_id, Workspace.bucket == root.bucket, Workspace.prefix == prefix
        )
    )
    if before is not None and before.root_id == root.id:
        username = session.get_one(User, before.owner_id).username
        return Planned(wanted.folder, prefix, before.name, username, before.owner_id, before.id)
    problem = workspace_place_problem(session, root=root, prefix=prefix)
    if problem is None:
        problem = untellable(session.get_one(Node, root.node_id), root.bucket, prefix, writes=True)
    if problem is None and any(prefix.startswith(other) or other.startswith(prefix) for other in others):
        problem = "it overlaps another folder of this import"
    if problem is None and not owner.enabled:
        problem = f"the account of {wanted.owner!r} is disabled"
    label = labels.take(owner.id, name, wanted.folder or root.name) if problem is None else None
    if problem is None and label is None:
        problem = f"{wanted.owner!r} has a workspace called {name!r} already"
    if problem is not None or label is None:
        return RefusedFolder(wanted.folder, problem or "it has no name")
    return Planned(wanted.folder, prefix, label, wanted.owner, owner.id, None)


class _Labels:
    """Names of workspaces that are still free, by owner, as a plan goes on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._taken: dict[int, set[str]] = {}

    def take(self, owner_id: int, wanted: str | None, folder: str) -> str | None:
        """`wanted` if it is free, else None; without one, a name made from the folder with -2, -3 and so on."""
        if owner_id not in self._taken:
            names = self._session.scalars(select(Workspace.name).where(Workspace.owner_id == owner_id))
            self._taken[owner_id] = set(names)
        taken = self._taken[owner_id]
        label = wanted or numbered_name(workspace_name_from_folder(folder), taken)
        if label in taken:
            return None
        taken.add(label)
        return label
