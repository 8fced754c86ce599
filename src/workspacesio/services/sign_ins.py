"""Sessions: signing in with a password, and out.

Signing in has three steps, so that no transaction stays open while the password is hashed:
`begin_sign_in` (counts the attempt), `passwords.verify_password`, `finish_sign_in`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import ApiKey, SignIn, User
from workspacesio.domain.errors import Invalid, Refused, Unauthenticated
from workspacesio.domain.names import check_email
from workspacesio.services import tokens
from workspacesio.services.actors import Actor, require_session
from workspacesio.services.credentials import revoke_credentials_of
from workspacesio.services.sign_in_limits import Attempt, begin_attempt, check_attempt, forgive_attempt

LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as its holder gets it, once."""

    user: User
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PasswordToVerify:
    """What `begin_sign_in` found: the stored hash, or None for an account that doesn't exist."""

    attempt: Attempt
    user_id: int | None
    password_hash: str | None = field(repr=False)


def check_sign_in(session: Session, *, email: str, address: str, now: datetime) -> None:
    """Raise TooManyAttempts where no further attempt is allowed; asked before anything is written."""
    account, _ = _account(session, email)
    check_attempt(session, account=account, address=address, now=now)


def begin_sign_in(session: Session, *, email: str, address: str, now: datetime) -> PasswordToVerify:
    """Count the attempt and look up what to verify. Raises TooManyAttempts, the same for unknown accounts.

    `email` may be a username too, which is what others know of somebody; both count as one account.
    """
    account, user = _account(session, email)
    attempt = begin_attempt(session, account=account, address=address, now=now)
    if user is None:
        return PasswordToVerify(attempt, None, None)
    return PasswordToVerify(attempt, user.id, user.password_hash)


def _account(session: Session, email: str) -> tuple[str, User | None]:
    """The name under which attempts are counted, and the user, if there is one."""
    try:
        folded = check_email(email)
    except Invalid:
        folded = email
    user = session.scalar(select(User).where((User.email if "@" in folded else User.username) == folded))
    return folded if user is None else user.email, user


def finish_sign_in(session: Session, *, verified: PasswordToVerify, now: datetime) -> SignedIn:
    """Sign in whose password was right. Raises Unauthenticated when it changed meanwhile, Refused if disabled."""
    user = session.get(User, verified.user_id) if verified.user_id is not None else None
    if user is None or user.password_hash != verified.password_hash:
        raise wrong_password()
    forgive_attempt(session, verified.attempt)
    if not user.enabled:
        raise Refused("This account is disabled; ask an administrator.", code="user_disabled")
    return start_sign_in(session, user=user, now=now)


def wrong_password() -> Unauthenticated:
    return Unauthenticated("Email address or password is wrong.", code="wrong_password")


def start_sign_in(session: Session, *, user: User, now: datetime) -> SignedIn:
    """A new session of the user."""
    token, token_hash = tokens.new_token(tokens.SESSION)
    expires_at = now + LIFETIME
    session.add(SignIn(user_id=user.id, token_hash=token_hash, created_at=now, expires_at=expires_at))
    session.flush()
    return SignedIn(user, token, expires_at)


def sign_out(session: Session, *, actor: Actor, now: datetime) -> None:
    """End the session and the credentials that were issued with it."""
    require_session(actor)
    revoke_credentials_of(session, sign_in_id=actor.sign_in_id, now=now)
    session.execute(delete(SignIn).where(SignIn.id == actor.sign_in_id))


def end_all_access(session: Session, *, user_id: int, now: datetime, except_sign_in: int | None = None) -> None:
    """End every session (but one), API key and credential of the user."""
    kept = [SignIn.id != except_sign_in] if except_sign_in is not None else []
    session.execute(delete(SignIn).where(SignIn.user_id == user_id, *kept))
    for key in session.scalars(select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))):
        key.revoked_at = now
    revoke_credentials_of(session, user_id=user_id, now=now)
