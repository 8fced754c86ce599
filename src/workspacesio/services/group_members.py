"""Who belongs to a group. Managers are members who may change it; administrators change every group.

Each change holds at once: folders look memberships up at each request, and servers are told of the user
(`effect_marks.py`). Somebody may always leave; the last manager names another before.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Group, GroupMember, User
from workspacesio.domain.errors import Conflict, NotFound
from workspacesio.domain.vocabulary import Action
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_group
from workspacesio.services.effect_marks import mark_member
from workspacesio.services.groups import nodes_shared_on
from workspacesio.services.users import user_named


@dataclass(frozen=True, slots=True)
class Member:
    username: str
    manager: bool


@dataclass(frozen=True, slots=True)
class ChangedMember:
    """`nodes` (id, name) are those on which something is shared with the group."""

    member: Member
    nodes: dict[int, str]


def list_members(
    session: Session, *, actor: Actor, name: str, limit: int, after: str | None = None, now: datetime
) -> list[Member]:
    """By username, behind that of `after`. Raises NotFound."""
    group = find_group(session, actor=actor, name=name, action=Action.SEE_GROUP, now=now)
    query = (
        select(User.username, GroupMember.manager)
        .join(GroupMember, GroupMember.user_id == User.id)
        .where(GroupMember.group_id == group.id)
        .order_by(User.username)
        .limit(limit)
    )
    rows = session.execute(query if after is None else query.where(User.username > after))
    return [Member(username, manager) for username, manager in rows]


def add_member(
    session: Session, *, actor: Actor, name: str, username: str, manager: bool | None, now: datetime
) -> ChangedMember:
    """Somebody joins, or a member becomes a manager, or no longer is one; None leaves that as it is.

    Raises NotFound, Refused, Conflict.
    """
    group = find_group(session, actor=actor, name=name, action=Action.CHANGE_GROUP, now=now)
    user = user_named(session, username)
    row = session.get(GroupMember, (group.id, user.id))
    if row is None:
        row = GroupMember(group_id=group.id, user_id=user.id, manager=bool(manager))
        session.add(row)
        session.flush()
        details = {"user": username, "manager": row.manager}
        record(session, actor=actor, verb="group.add_member", target=name, now=now, details=details)
    elif manager is not None and row.manager != manager:
        if not manager:
            _require_another_manager(session, actor, group, user)
        row.manager = manager
        session.flush()
        verb = "group.make_manager" if manager else "group.unmake_manager"
        record(session, actor=actor, verb=verb, target=name, now=now, details={"user": username})
    # Also where nothing changed: the answer says whether servers have heard of it.
    mark_member(session, user_id=user.id, takes=False)
    return ChangedMember(Member(username, row.manager), nodes_shared_on(session, group_id=group.id))


def remove_member(session: Session, *, actor: Actor, name: str, username: str, now: datetime) -> ChangedMember:
    """Somebody is taken out, or leaves. Raises NotFound, Refused, Conflict."""
    action = Action.LEAVE_GROUP if username == actor.username else Action.CHANGE_GROUP
    group = find_group(session, actor=actor, name=name, action=action, now=now)
    user = user_named(session, username)
    row = session.get(GroupMember, (group.id, user.id))
    if row is None:
        raise NotFound(f"{username!r} is no member; `wio group show {name}` lists them.", code="no_such_member")
    if row.manager:
        _require_another_manager(session, actor, group, user)
    member = Member(username, row.manager)
    session.delete(row)
    session.flush()
    mark_member(session, user_id=user.id)
    record(session, actor=actor, verb="group.remove_member", target=name, now=now, details={"user": username})
    return ChangedMember(member, nodes_shared_on(session, group_id=group.id))


def _require_another_manager(session: Session, actor: Actor, group: Group, user: User) -> None:
    """Administrators run a group that has none."""
    if actor.caller.administrator:
        return
    others = (
        select(func.count())
        .select_from(GroupMember)
        .where(GroupMember.group_id == group.id, GroupMember.manager.is_(True), GroupMember.user_id != user.id)
    )
    if not session.scalar(others):
        raise Conflict(
            f"{user.username!r} is the last manager; delete the group, or name another before with "
            f"`wio group add {group.name} USER --manager`.",
            code="last_manager",
        )
