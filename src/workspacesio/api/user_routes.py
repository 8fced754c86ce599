"""Users, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import MAX_PAGE, Body, Instant, Line, Name, Page
from workspacesio.api.user_views import UserView, view_user
from workspacesio.services.node_effects import marked
from workspacesio.services.users import (
    MAX_INVITATIONS,
    begin_password_reset,
    disable_user,
    enable_user,
    find_user,
    invite,
    list_users,
    set_administrator,
)

router = APIRouter(prefix="/users", tags=["users"])


class Invitations(Body):
    emails: Annotated[list[Line], Field(min_length=1, max_length=MAX_INVITATIONS)]


class Invitation(BaseModel):
    """`command` is what the invited person types; the token is shown this once."""

    email: str
    token: str
    command: str
    expires_at: Instant | None


class PasswordReset(BaseModel):
    """`command` is what the user types; the token is shown this once."""

    token: str
    command: str
    expires_at: Instant | None


class UserChange(Body):
    administrator: bool


class UserSettled(UserView, Settled):
    """The user, and where the change is enforced."""


@router.get("")
def users(
    call: SignedIn,
    limit: Page = MAX_PAGE,
    after: Annotated[Name | None, Query(description="Go on behind this username.")] = None,
) -> list[UserView]:
    """Every user, by username, in pages."""
    with call.read() as (session, actor, now):
        found = list_users(session, actor=actor, limit=limit, after=after, now=now)
        return [view_user(session, user) for user in found]


@router.post("/invitations", status_code=201)
def invite_users(call: SignedIn, wanted: Invitations) -> list[Invitation]:
    """An invitation for each address; an earlier one for the same address ends."""
    with call.write() as (session, actor, now):
        made = invite(session, actor=actor, emails=wanted.emails, now=now)
    address = call.visit.public_address
    return [
        Invitation(
            email=one.email,
            token=one.token,
            command=f"wio register {address} {one.email} USERNAME --invitation {one.token}",
            expires_at=one.expires_at,
        )
        for one in made
    ]


@router.get("/{username}")
def user(call: SignedIn, username: Name) -> UserView:
    """One user, for administrators."""
    with call.read() as (session, actor, now):
        return view_user(session, find_user(session, actor=actor, username=username, now=now))


@router.patch("/{username}")
def change_user(call: SignedIn, username: Name, change: UserChange) -> UserView:
    """Make or unmake an administrator."""
    with call.write() as (session, actor, now):
        found = set_administrator(
            session, actor=actor, username=username, administrator=change.administrator, now=now
        )
        return view_user(session, found)


@router.post("/{username}/disable")
def disable(call: SignedIn, username: Name) -> UserSettled:
    """Refuse everything of the user at once, with sessions, keys and credentials issued before."""
    with call.write() as (session, actor, now):
        view = view_user(session, disable_user(session, actor=actor, username=username, now=now))
        concerned = marked(session)
    return UserSettled(**dict(view), enforced=enforced_on(call.visit.context, concerned))


@router.post("/{username}/enable")
def enable(call: SignedIn, username: Name) -> UserSettled:
    """Undo a user's disabling; sessions, keys and credentials that ended with it stay ended."""
    with call.write() as (session, actor, now):
        view = view_user(session, enable_user(session, actor=actor, username=username, now=now))
        concerned = marked(session)
    return UserSettled(**dict(view), enforced=enforced_on(call.visit.context, concerned))


@router.post("/{username}/password-reset")
def reset_password(call: SignedIn, username: Name) -> PasswordReset:
    """A token with which the user sets a new password."""
    with call.write() as (session, actor, now):
        made = begin_password_reset(session, actor=actor, username=username, now=now)
    command = f"wio passwd {call.visit.public_address} --token {made.token}"
    return PasswordReset(token=made.token, command=command, expires_at=made.expires_at)
