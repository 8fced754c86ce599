"""Users, as administrators see and change them, and as users see and change themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Group, GroupMember, User
from workspacesio.domain.errors import Conflict, Invalid, NotFound
from workspacesio.domain.names import check_email
from workspacesio.domain.vocabulary import Action
from workspacesio.services.actors import Actor, require_session
from workspacesio.services.audit import record
from workspacesio.services.authorization import require_service
from workspacesio.services.effect_marks import mark_keys_ended
from workspacesio.services.one_time_tokens import Purpose, find_one_time_token, make_one_time_token
from workspacesio.services.sign_ins import end_all_access

MAX_INVITATIONS = 500


@dataclass(frozen=True, slots=True)
class OneTime:
    """A token for a person, shown once."""

    email: str
    token: str = field(repr=False)
    expires_at: datetime | None


def group_names(session: Session, *, user_id: int) -> list[str]:
    """The groups of a user, in order."""
    query = select(Group.name).join(GroupMember, GroupMember.group_id == Group.id)
    return list(session.scalars(query.where(GroupMember.user_id == user_id).order_by(Group.name)))


def show_me(session: Session, *, actor: Actor) -> User:
    return session.get_one(User, actor.user_id)


def list_users(
    session: Session, *, actor: Actor, limit: int, after: str | None = None, now: datetime
) -> Sequence[User]:
    """The first users by username, behind that of `after`. Administrators only."""
    require_service(actor, Action.MANAGE_USERS, now)
    query = select(User).order_by(User.username).limit(limit)
    return session.scalars(query if after is None else query.where(User.username > after)).all()


def find_user(session: Session, *, actor: Actor, username: str, now: datetime) -> User:
    """For administrators. Raises Refused, NotFound."""
    require_service(actor, Action.MANAGE_USERS, now)
    return user_named(session, username)


def user_named(session: Session, username: str) -> User:
    """Raises NotFound. Usernames are no secret among signed-in users."""
    user = session.scalar(select(User).where(User.username == username))
    if user is None:
        raise NotFound(f"There is no user {username!r}.", code="no_such_user")
    return user


def invite(session: Session, *, actor: Actor, emails: Sequence[str], now: datetime) -> list[OneTime]:
    """An invitation for each address. Raises Conflict, naming them, when some have accounts."""
    require_service(actor, Action.MANAGE_USERS, now)
    folded = list(dict.fromkeys(check_email(email) for email in emails))
    if not 1 <= len(folded) <= MAX_INVITATIONS:
        raise Invalid(f"Invite between 1 and {MAX_INVITATIONS} people at a time.")
    known = session.scalars(select(User.email).where(User.email.in_(folded)).order_by(User.email)).all()
    if known:
        raise Conflict(
            "Some of these people have accounts already; leave them out.",
            code="taken",
            details={"emails": list(known)},
        )
    made = []
    for email in folded:
        token, expires_at = make_one_time_token(
            session, purpose=Purpose.INVITE, email=email, made_by=actor.user_id, now=now
        )
        made.append(OneTime(email, token, expires_at))
        record(session, actor=actor, verb="user.invite", target=email, now=now)
    return made


def disable_user(session: Session, *, actor: Actor, username: str, now: datetime) -> User:
    """Refuse everything of the user from now on, and end their sessions, API keys and credentials."""
    user = find_user(session, actor=actor, username=username, now=now)
    if user.enabled:
        _require_another_administrator(session, user)
        user.enabled = False
        end_all_access(session, user_id=user.id, now=now)
        record(session, actor=actor, verb="user.disable", target=username, now=now)
    else:
        mark_keys_ended(session, user_id=user.id)
    return user


def enable_user(session: Session, *, actor: Actor, username: str, now: datetime) -> User:
    """Let the user sign in again. What was ended stays ended; shares count again."""
    user = find_user(session, actor=actor, username=username, now=now)
    if not user.enabled:
        user.enabled = True
        record(session, actor=actor, verb="user.enable", target=username, now=now)
    return user


def set_administrator(
    session: Session, *, actor: Actor, username: str, administrator: bool, now: datetime
) -> User:
    """Make or unmake an administrator; the last enabled one stays. An API key makes none that would outlive it."""
    user = find_user(session, actor=actor, username=username, now=now)
    if administrator:
        require_session(actor)
    if user.administrator != administrator:
        if not administrator:
            _require_another_administrator(session, user)
        user.administrator = administrator
        verb = "user.make_administrator" if administrator else "user.unmake_administrator"
        record(session, actor=actor, verb=verb, target=username, now=now)
    return user


def begin_password_reset(session: Session, *, actor: Actor, username: str, now: datetime) -> OneTime:
    """A token with which the user sets a new password; until then the old one goes on.

    For who signed in: with it an API key would make itself a session.
    """
    user = find_user(session, actor=actor, username=username, now=now)
    require_session(actor)
    token, expires_at = make_one_time_token(
        session, purpose=Purpose.RESET, user_id=user.id, made_by=actor.user_id, now=now
    )
    record(session, actor=actor, verb="user.begin_password_reset", target=username, now=now)
    return OneTime(user.email, token, expires_at)


def reset_password(session: Session, *, token: str, password_hash: str, now: datetime) -> None:
    """Set the password of the token's user and end all their access. Raises Refused for a bad token."""
    row = find_one_time_token(session, token=token, purpose=Purpose.RESET, now=now)
    user = session.get_one(User, row.user_id)
    row.used_at = now
    user.password_hash = password_hash
    end_all_access(session, user_id=user.id, now=now)
    record(session, actor=None, verb="user.reset_password", target=user.username, now=now)


def change_password(
    session: Session, *, actor: Actor, verified_hash: str | None, password_hash: str, now: datetime
) -> None:
    """Set the caller's password, and end their other sessions, API keys and all credentials.

    `verified_hash` is the stored hash that the current password was verified against.
    """
    require_session(actor)
    user = session.get_one(User, actor.user_id)
    if user.password_hash != verified_hash:
        raise Conflict("The password was changed at the same time; try again.")
    user.password_hash = password_hash
    end_all_access(session, user_id=user.id, now=now, except_sign_in=actor.sign_in_id)
    record(session, actor=actor, verb="user.change_password", target=user.username, now=now)


def _require_another_administrator(session: Session, user: User) -> None:
    if not user.administrator or not user.enabled:
        return
    others = (
        select(func.count())
        .select_from(User)
        .where(User.administrator.is_(True), User.enabled.is_(True), User.id != user.id)
    )
    if not session.scalar(others):
        raise Conflict("This is the last administrator; make another first.", code="last_administrator")
