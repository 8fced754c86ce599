"""Groups: named sets of users, run by their managers."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from workspacesio.api.context import ServerContext
from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import MAX_PAGE, Body, Enforced, Instant, Name, Page
from workspacesio.services.group_members import ChangedMember, add_member, list_members, remove_member
from workspacesio.services.groups import GroupView as View
from workspacesio.services.groups import create_group, delete_group, list_groups, show_group
from workspacesio.services.node_effects import Marked, marked

router = APIRouter(prefix="/groups", tags=["groups"])


class GroupRequest(Body):
    name: Name


class MemberRequest(Body):
    """`manager`: whether they run the group; left out, it stays as it is, and who joins is none."""

    username: Name
    manager: bool | None = None


class GroupView(BaseModel):
    """`members` counts all of them, managers too."""

    id: int
    name: str
    members: int
    managers: list[str]
    created_at: Instant


class MemberView(BaseModel):
    username: str
    manager: bool


class MemberSettled(MemberView, Settled):
    """The member, and on which nodes that hold something shared with the group the change is enforced."""


class DeletedGroup(Settled):
    """`shares`: how many went with it, those that rested on them included."""

    shares: int


@router.get("")
def groups(
    call: SignedIn,
    limit: Page = MAX_PAGE,
    after: Annotated[Name | None, Query(description="Go on behind this group's name.")] = None,
) -> list[GroupView]:
    """The groups that the caller belongs to, by name, in pages; all of them for administrators."""
    with call.read() as (session, actor, _):
        return [_view(one) for one in list_groups(session, actor=actor, limit=limit, after=after)]


@router.post("", status_code=201)
def add_group(call: SignedIn, wanted: GroupRequest) -> GroupView:
    """Make a group, with the caller as its manager."""
    with call.write() as (session, actor, now):
        view = _view(create_group(session, actor=actor, name=wanted.name, now=now))
        concerned = marked(session)
    _enforced(call.visit.context, concerned, {})
    return view


@router.get("/{name}")
def group(call: SignedIn, name: Name) -> GroupView:
    """For members and administrators; to anybody else there is no such group."""
    with call.read() as (session, actor, now):
        return _view(show_group(session, actor=actor, name=name, now=now))


@router.delete("/{name}")
def remove_group(call: SignedIn, name: Name) -> DeletedGroup:
    """Delete the group and every share that was given to it, at once, with keys and links issued before."""
    with call.write() as (session, actor, now):
        gone = delete_group(session, actor=actor, name=name, now=now)
        concerned = marked(session)
    return DeletedGroup(shares=gone.shares, enforced=_enforced(call.visit.context, concerned, gone.nodes))


@router.get("/{name}/members")
def members(
    call: SignedIn,
    name: Name,
    limit: Page = MAX_PAGE,
    after: Annotated[Name | None, Query(description="Go on behind this username.")] = None,
) -> list[MemberView]:
    """By username, in pages."""
    with call.read() as (session, actor, now):
        found = list_members(session, actor=actor, name=name, limit=limit, after=after, now=now)
    return [MemberView(username=one.username, manager=one.manager) for one in found]


@router.post("/{name}/members")
def join_group(call: SignedIn, name: Name, wanted: MemberRequest) -> MemberSettled:
    """Take somebody in, or make a member a manager, or no longer one."""
    with call.write() as (session, actor, now):
        changed = add_member(
            session, actor=actor, name=name, username=wanted.username, manager=wanted.manager, now=now
        )
        concerned = marked(session)
    return _settled(call.visit.context, concerned, changed)


@router.delete("/{name}/members/{username}")
def leave_group(call: SignedIn, name: Name, username: Name) -> MemberSettled:
    """Take somebody out, at once, with keys and links issued before. Anybody may leave."""
    with call.write() as (session, actor, now):
        changed = remove_member(session, actor=actor, name=name, username=username, now=now)
        concerned = marked(session)
    return _settled(call.visit.context, concerned, changed)


def _settled(context: ServerContext, concerned: Marked, changed: ChangedMember) -> MemberSettled:
    member = changed.member
    enforced = _enforced(context, concerned, changed.nodes)
    return MemberSettled(username=member.username, manager=member.manager, enforced=enforced)


def _enforced(context: ServerContext, concerned: Marked, nodes: dict[int, str]) -> list[Enforced]:
    """Every server is told. Named are only nodes that the group knows of: others tell where a member has keys."""
    names = set(nodes.values())
    return [one for one in enforced_on(context, concerned, nodes=nodes) if one.node in names]


def _view(view: View) -> GroupView:
    return GroupView(
        id=view.id,
        name=view.name,
        members=view.members,
        managers=list(view.managers),
        created_at=view.created_at,
    )
