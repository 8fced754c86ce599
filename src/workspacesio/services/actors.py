"""Who is calling, as the token says: the beginning of every request.

A use case gets an `Actor`. It is made in the transaction in which the use case acts, so that a user who was
disabled, or a token that was ended, a moment ago does nothing any more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.facts import load_caller, narrowing_of
from workspacesio.database.tables import ApiKey, SignIn, User
from workspacesio.domain.errors import Refused, Unauthenticated
from workspacesio.domain.facts import UNNARROWED, Caller
from workspacesio.services import tokens


@dataclass(frozen=True, slots=True)
class Actor:
    """A user with the session (`sign_in_id`) or API key that they called with, and when that ends."""

    caller: Caller
    username: str
    sign_in_id: int | None = None
    api_key_id: int | None = None
    expires_at: datetime | None = None

    @property
    def user_id(self) -> int:
        return self.caller.user_id


def identify(session: Session, *, token: str, now: datetime) -> Actor:
    """The actor of a session token or API key. Raises Unauthenticated; says nothing of why beyond that."""
    if len(token) <= tokens.MAX_CHARACTERS:
        if token.startswith(tokens.SESSION):
            return _by_sign_in(session, tokens.token_hash(token), now)
        if token.startswith(tokens.API_KEY):
            return _by_api_key(session, tokens.token_hash(token), now)
    raise _unknown()


def require_session(actor: Actor) -> None:
    """Passwords and API keys are changed by who signed in: an API key makes no longer-lived or wider one."""
    if actor.sign_in_id is None:
        raise Refused("An API key can't do this; sign in with `wio login`.", code="session_needed")


def _by_sign_in(session: Session, token_hash: bytes, now: datetime) -> Actor:
    row = session.scalar(select(SignIn).where(SignIn.token_hash == token_hash, SignIn.expires_at > now))
    if row is None:
        raise _unknown()
    caller, username = _enabled_user(session, row.user_id)
    return Actor(caller, username, sign_in_id=row.id, expires_at=row.expires_at)


def _by_api_key(session: Session, token_hash: bytes, now: datetime) -> Actor:
    row = session.scalar(select(ApiKey).where(ApiKey.token_hash == token_hash, ApiKey.revoked_at.is_(None)))
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        raise _unknown()
    user, username = _enabled_user(session, row.user_id)
    narrowing = narrowing_of(row.narrowed_to, row.read_only)
    caller = Caller(user.user_id, user.enabled, user.administrator, user.groups, narrowing)
    return Actor(caller, username, api_key_id=row.id, expires_at=row.expires_at)


def _enabled_user(session: Session, user_id: int) -> tuple[Caller, str]:
    caller = load_caller(session, user_id, UNNARROWED)
    if caller is None or not caller.enabled:
        raise _unknown()
    return caller, session.get_one(User, user_id).username


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "You are not signed in, or your session has ended; sign in with `wio login`.", code="not_signed_in"
    )
