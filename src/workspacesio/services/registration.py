"""How somebody becomes a user: by the setup token, an invitation, or openly.

The first administrator is whoever holds the setup token, never whoever comes first.
"""

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import OneTimeToken, User
from workspacesio.domain.errors import Conflict, Refused
from workspacesio.domain.facts import Caller
from workspacesio.domain.names import check_email, check_username
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.one_time_tokens import Purpose, find_one_time_token, has_administrator
from workspacesio.services.service_settings import Registration, registration
from workspacesio.services.sign_ins import SignedIn, start_sign_in


def check_registration(
    session: Session,
    *,
    email: str,
    username: str,
    setup_token: str | None,
    invitation: str | None,
    now: datetime,
) -> OneTimeToken | None:
    """Whether these may register, and with which token; raises Refused, Conflict and Invalid.

    Asked once before the password is hashed, so that nobody makes the server work for nothing, and again in
    the transaction that makes the user.
    """
    folded = check_email(email)
    check_username(username)
    token = _entitled(session, folded, setup_token, invitation, now)
    taken = session.scalar(select(User.id).where(or_(User.email == folded, User.username == username)).limit(1))
    if taken is not None:
        raise Conflict("That email address or username is taken; choose another or sign in.", code="taken")
    return token


def register_user(
    session: Session,
    *,
    email: str,
    username: str,
    password_hash: str,
    setup_token: str | None,
    invitation: str | None,
    now: datetime,
) -> SignedIn:
    """Make the user, sign them in, and use up the token. Raises as `check_registration`."""
    token = check_registration(
        session, email=email, username=username, setup_token=setup_token, invitation=invitation, now=now
    )
    user = User(
        email=check_email(email),
        username=username,
        password_hash=password_hash,
        enabled=True,
        administrator=setup_token is not None,
        created_at=now,
    )
    session.add(user)
    session.flush()
    if token is not None:
        token.used_at = now
    actor = Actor(Caller(user.id, administrator=user.administrator), user.username)
    details = {"administrator": user.administrator, "invited": invitation is not None}
    record(session, actor=actor, verb="user.register", target=username, now=now, details=details)
    return start_sign_in(session, user=user, now=now)


def _entitled(
    session: Session, email: str, setup_token: str | None, invitation: str | None, now: datetime
) -> OneTimeToken | None:
    if not has_administrator(session):
        if setup_token is None:
            raise Refused(
                "This service has no administrator yet; register with the setup token that `wio serve` printed.",
                code="setup_token_needed",
            )
        return find_one_time_token(session, token=setup_token, purpose=Purpose.SETUP, now=now)
    if setup_token is not None:
        raise Refused("This service has been set up; register without the setup token.", code="bad_token")
    mode = registration(session)
    if mode is Registration.CLOSED:
        raise Refused("Registration is closed; ask an administrator.", code="registration_closed")
    if invitation is None:
        if mode is Registration.OPEN:
            return None
        raise Refused("Registration is by invitation; ask an administrator for one.", code="invitation_needed")
    row = find_one_time_token(session, token=invitation, purpose=Purpose.INVITE, now=now)
    if row.email != email:
        raise Refused("That invitation is for another email address.", code="bad_token")
    return row
