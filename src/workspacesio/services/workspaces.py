"""Workspaces: create, rename, hand over, release. Labels change here, bytes never.

Creating has two steps, as storage is looked at in between: `place_workspace` says where it would lie, the caller
looks whether that place is free, `create_workspace` decides again and makes it there.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from workspacesio.database.facts import load_root_target
from workspacesio.database.journal_tables import Usage
from workspacesio.database.tables import Node, Root, Share, User, Workspace
from workspacesio.database.visible_places import seen_roots
from workspacesio.domain.errors import Ambiguous, Conflict, Invalid, NotFound
from workspacesio.domain.names import check_workspace_name, numbered_name
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action, RootType, SubjectKind
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record_of_workspace
from workspacesio.services.authorization import find_root, find_workspace
from workspacesio.services.effect_marks import mark, mark_workspace
from workspacesio.services.expressible import check_can_be_told
from workspacesio.services.prefixes import workspace_place_problem
from workspacesio.services.users import user_named


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new workspace would lie."""

    root_id: int
    node_id: int
    bucket: str
    prefix: str


def place_workspace(
    session: Session, *, actor: Actor, name: str, public: bool, root: str | None, now: datetime
) -> Place:
    """Where a workspace of the caller called `name` would lie. Raises NotFound, Refused, Invalid, Conflict."""
    chosen = _choose_root(session, actor=actor, name=root, public=public, now=now)
    check_workspace_name(name)
    _require_free_label(session, owner_id=actor.user_id, name=name)
    node = session.get_one(Node, chosen.node_id)
    if node.read_only:
        raise Conflict("The node of this root takes no writes.", code="node_is_read_only")
    folder = f"{actor.username}/{name}/" if RootType(chosen.type).is_managed else f"{name}/"
    place = Place(chosen.id, chosen.node_id, chosen.bucket, chosen.prefix + folder)
    check_can_be_told(node, place.bucket, place.prefix, writes=True)
    problem = workspace_place_problem(session, root=chosen, prefix=place.prefix)
    if problem is not None:
        raise Conflict(
            f"A workspace can't be made at {place.prefix!r}: {problem}; choose another name.", code="place_taken"
        )
    return place


def node_of_place(session: Session, *, place: Place) -> Node:
    return session.get_one(Node, place.node_id)


def place_holds_objects(place: Place) -> Conflict:
    """What the caller raises when storage is not free there."""
    return Conflict(
        f"There are files at {place.prefix!r} already, and a workspace is never made over them; choose another "
        "name, or import the folder.",
        code="place_holds_objects",
    )


def create_workspace(
    session: Session, *, actor: Actor, name: str, public: bool, root: str | None, place: Place, now: datetime
) -> Workspace:
    """Make the workspace at `place`, which storage says is free. Raises as `place_workspace`."""
    if place_workspace(session, actor=actor, name=name, public=public, root=root, now=now) != place:
        raise Conflict("Roots were changed at the same time; try again.")
    workspace = insert_workspace(
        session,
        name=name,
        owner_id=actor.user_id,
        root=session.get_one(Root, place.root_id),
        prefix=place.prefix,
        imported=False,
        now=now,
    )
    details = {"bucket": place.bucket, "prefix": place.prefix}
    record_of_workspace(
        session, actor=actor, verb="workspace.create", workspace=workspace, now=now, details=details
    )
    return workspace


def insert_workspace(
    session: Session, *, name: str, owner_id: int, root: Root, prefix: str, imported: bool, now: datetime
) -> Workspace:
    """The row and its usage; checks and decides nothing."""
    workspace = Workspace(
        name=name,
        owner_id=owner_id,
        root_id=root.id,
        node_id=root.node_id,
        bucket=root.bucket,
        prefix=prefix,
        imported=imported,
        created_at=now,
    )
    session.add(workspace)
    session.flush()
    session.add(Usage(workspace_id=workspace.id, bytes=0, objects=0, exact=not imported))
    session.flush()
    mark_workspace(session, workspace, takes=False)
    return workspace


def rename_workspace(session: Session, *, actor: Actor, workspace_id: int, name: str, now: datetime) -> None:
    """Give another label; no byte moves and the prefix stays."""
    workspace, _ = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.RENAME_WORKSPACE, now=now
    )
    check_workspace_name(name)
    if name == workspace.name:
        return
    _require_free_label(session, owner_id=workspace.owner_id, name=name)
    details = {"from": workspace.name, "to": name}
    workspace.name = name
    record_of_workspace(
        session, actor=actor, verb="workspace.rename", workspace=workspace, now=now, details=details
    )


def hand_over_workspace(session: Session, *, actor: Actor, workspace_id: int, to: str, now: datetime) -> None:
    """Make another user the owner. The owner before holds nothing any more; other people's shares stay.

    Where the new owner has a workspace of that name already, this one gets a number behind its name: to refuse
    would tell what they have.
    """
    workspace, _ = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.HAND_OVER_WORKSPACE, now=now
    )
    user = user_named(session, to)
    if not user.enabled:
        raise Conflict(f"The account of {to!r} is disabled.", code="user_disabled")
    if user.id == workspace.owner_id:
        raise Conflict(f"{to!r} is the owner already.", code="is_owner")
    taken = set(session.scalars(select(Workspace.name).where(Workspace.owner_id == user.id)))
    both = [(SubjectKind.USER, workspace.owner_id), (SubjectKind.USER, user.id)]
    mark(session, workspace.node_id, both, workspace=workspace)
    _absorb_shares(session, workspace_id=workspace.id, user_id=user.id)
    details = {"from": workspace.owner_id, "to": user.id, "to_username": to}
    record_of_workspace(
        session, actor=actor, verb="workspace.hand_over", workspace=workspace, now=now, details=details
    )
    workspace.name = numbered_name(workspace.name, taken)
    workspace.owner_id = user.id


def release_workspace(session: Session, *, actor: Actor, workspace_id: int, now: datetime) -> None:
    """Let go of an imported workspace: its row and shares go, nothing on disk is touched."""
    workspace, target = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.RELEASE_WORKSPACE, now=now
    )
    if not workspace.imported:
        raise Conflict(
            "Only a workspace that was imported can be released; this one can be deleted.", code="not_imported"
        )
    details = {
        "from": workspace.owner_id,
        "bucket": workspace.bucket,
        "prefix": workspace.prefix,
        "shares": len(target.shares),
    }
    record_of_workspace(
        session, actor=actor, verb="workspace.release", workspace=workspace, now=now, details=details
    )
    mark_workspace(session, workspace)
    session.delete(workspace)


def _choose_root(session: Session, *, actor: Actor, name: str | None, public: bool, now: datetime) -> Root:
    if name is not None:
        root, _ = find_root(session, actor=actor, name=name, action=Action.CREATE_WORKSPACE, now=now)
        if public and not RootType(root.type).is_public:
            raise Invalid(f"{name!r} is not a public root.", code="not_public")
        return root
    wanted = RootType.PUBLIC if public else RootType.PRIVATE
    query = (
        select(Root)
        .join(Node, Node.id == Root.node_id)
        .where(Root.id.in_(seen_roots(actor.caller)), Root.type == wanted.value, _is_chosen_unasked(actor))
    )
    roots = [
        root
        for root in session.scalars(query.order_by(Root.id))
        if decide(actor.caller, Action.CREATE_WORKSPACE, load_root_target(session, root), now)
    ]
    if not roots:
        raise NotFound(
            f"There is no {wanted.value} root in which you may create workspaces without naming it; `wio root ls` "
            "shows the roots.",
            code="no_root",
        )
    named = [root for root in roots if root.name == wanted.value]
    if len(roots) > 1 and not named:
        raise Ambiguous(
            "You may create workspaces in several roots; name one.",
            details={"candidates": [root.name for root in roots]},
        )
    return (named or roots)[0]


def _is_chosen_unasked(actor: Actor) -> ColumnElement[bool]:
    """Nobody's data goes to another user's node without its name: only to the service's, an administrator's or
    their own."""
    administrators = select(User.id).where(User.administrator.is_(True))
    return or_(
        Node.run_by_service.is_(True), Node.operator_id == actor.user_id, Node.operator_id.in_(administrators)
    )


def _require_free_label(session: Session, *, owner_id: int, name: str) -> None:
    taken = select(Workspace.id).where(Workspace.owner_id == owner_id, Workspace.name == name)
    if session.scalar(taken) is not None:
        raise Conflict(f"The owner has a workspace called {name!r} already; choose another name.", code="taken")


def _absorb_shares(session: Session, *, workspace_id: int, user_id: int) -> None:
    """An owner needs no share: the new owner's go, and what rests on them rests on the owner from now on."""
    theirs = select(Share.id).where(Share.workspace_id == workspace_id, Share.user_id == user_id)
    session.execute(update(Share).where(Share.rests_on.in_(theirs)).values(rests_on=None))
    session.execute(delete(Share).where(Share.workspace_id == workspace_id, Share.user_id == user_id))
