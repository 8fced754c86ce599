"""Groups: create, list, show, delete. Who belongs to one is in `group_members.py`.

Everybody may make a group, and is its first manager. Members see it; managers and administrators run it. Names of
groups are no secret among signed-in users, as usernames are none: whoever can name one can share with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Group, GroupMember, Node, Share, User, Workspace
from workspacesio.database.visible_places import seen_groups
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.names import check_service_name
from workspacesio.domain.vocabulary import Action, Level
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record, record_of_workspace
from workspacesio.services.authorization import find_group, require_service
from workspacesio.services.effect_marks import mark_group, mark_member, mark_shares
from workspacesio.services.share_descent import descendants
from workspacesio.services.sharing import EVERYONE, written_subject


@dataclass(frozen=True, slots=True)
class GroupView:
    """`members` counts all of them, managers too."""

    id: int
    name: str
    members: int
    managers: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeletedGroup:
    """`shares` went with it: those given to it, and those that rested on them. They were on `nodes`: id, name."""

    shares: int
    nodes: dict[int, str]


def list_groups(session: Session, *, actor: Actor, limit: int, after: str | None = None) -> list[GroupView]:
    """The groups that the caller belongs to, or all for an administrator, by name, behind that of `after`."""
    query = select(Group).where(Group.id.in_(seen_groups(actor.caller))).order_by(Group.name).limit(limit)
    rows = session.scalars(query if after is None else query.where(Group.name > after))
    return [view_group(session, group) for group in rows.all()]


def show_group(session: Session, *, actor: Actor, name: str, now: datetime) -> GroupView:
    return view_group(session, find_group(session, actor=actor, name=name, action=Action.SEE_GROUP, now=now))


def view_group(session: Session, group: Group) -> GroupView:
    count = select(func.count()).select_from(GroupMember).where(GroupMember.group_id == group.id)
    managers = (
        select(User.username)
        .join(GroupMember, GroupMember.user_id == User.id)
        .where(GroupMember.group_id == group.id, GroupMember.manager.is_(True))
        .order_by(User.username)
    )
    return GroupView(
        group.id, group.name, session.scalar(count) or 0, tuple(session.scalars(managers)), group.created_at
    )


def create_group(session: Session, *, actor: Actor, name: str, now: datetime) -> GroupView:
    """With the caller as its manager and only member. Raises Refused, Invalid, Conflict."""
    require_service(actor, Action.CREATE_GROUP, now)
    check_service_name(name, "group")
    if name.lower() == EVERYONE:
        raise Invalid("A group can't be called so: `everyone` stands for every user.", code="invalid_name")
    # Names that differ in large and small letters alone would be taken for one another.
    taken = session.scalar(select(Group.name).where(func.lower(Group.name) == name.lower()))
    if taken is not None:
        raise Conflict(f"There is a group {taken!r} already; choose another name.", code="taken")
    group = Group(name=name, created_at=now)
    session.add(group)
    session.flush()
    session.add(GroupMember(group_id=group.id, user_id=actor.user_id, manager=True))
    session.flush()
    mark_member(session, user_id=actor.user_id, takes=False)
    record(session, actor=actor, verb="group.create", target=name, now=now)
    return view_group(session, group)


def delete_group(session: Session, *, actor: Actor, name: str, now: datetime) -> DeletedGroup:
    """With every share that was given to it, and what rests on those. Raises NotFound, Refused."""
    group = find_group(session, actor=actor, name=name, action=Action.CHANGE_GROUP, now=now)
    nodes = nodes_shared_on(session, group_id=group.id)
    given = session.scalars(select(Share).where(Share.group_id == group.id).order_by(Share.id)).all()
    gone = [*given, *descendants(session, given)]
    _tell_owners(session, actor, gone, now)
    mark_group(session, group_id=group.id)
    members = session.scalar(select(func.count()).select_from(GroupMember).where(GroupMember.group_id == group.id))
    # What rests on these goes with them.
    session.execute(delete(Share).where(Share.group_id == group.id))
    session.delete(group)
    session.flush()
    details = {"members": members, "shares": len(gone)}
    record(session, actor=actor, verb="group.delete", target=name, now=now, details=details)
    return DeletedGroup(len(gone), nodes)


def nodes_shared_on(session: Session, *, group_id: int) -> dict[int, str]:
    """Where something is shared with the group: what its members know of nodes through it."""
    query = (
        select(Node.id, Node.name)
        .join(Workspace, Workspace.node_id == Node.id)
        .join(Share, Share.workspace_id == Workspace.id)
        .where(Share.group_id == group_id)
        .distinct()
    )
    return dict(session.execute(query).all())


def _tell_owners(session: Session, actor: Actor, gone: Iterable[Share], now: datetime) -> None:
    """Each owner's audit says what is taken back, and by whom; so do servers hear of it."""
    by_workspace: dict[int, list[Share]] = {}
    for share in gone:
        by_workspace.setdefault(share.workspace_id, []).append(share)
    for workspace_id, shares in sorted(by_workspace.items()):
        workspace = session.get_one(Workspace, workspace_id)
        mark_shares(session, workspace, shares)
        for share in shares:
            details = {
                "subject": written_subject(session, share),
                "folder": share.folder,
                "level": Level(share.level).word,
                "expires_at": share.expires_at.isoformat() if share.expires_at else None,
            }
            record_of_workspace(
                session, actor=actor, verb="share.revoke", workspace=workspace, now=now, details=details
            )
