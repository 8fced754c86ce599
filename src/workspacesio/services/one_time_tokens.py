"""Tokens that work once: the setup token, invitations and password resets."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import OneTimeToken, User
from workspacesio.domain.errors import Refused
from workspacesio.services import tokens


class Purpose(StrEnum):
    """What a one-time token is good for: the first administrator, an account for an address, a new password."""

    SETUP = "setup"
    INVITE = "invite"
    RESET = "reset"


LIFETIMES = {Purpose.SETUP: None, Purpose.INVITE: timedelta(days=14), Purpose.RESET: timedelta(days=1)}


def ensure_setup_token(session: Session, *, now: datetime) -> str | None:
    """A new setup token, which replaces an earlier one; None once there is an administrator.

    Only a hash is stored, so to show the token again is to make another.
    """
    if has_administrator(session):
        return None
    session.execute(delete(OneTimeToken).where(OneTimeToken.purpose == Purpose.SETUP.value))
    return make_one_time_token(session, purpose=Purpose.SETUP, now=now)[0]


def has_administrator(session: Session) -> bool:
    """Whether the service was set up: disabled administrators count, so that nobody sets it up again."""
    return session.scalar(select(User.id).where(User.administrator.is_(True)).limit(1)) is not None


def make_one_time_token(
    session: Session,
    *,
    purpose: Purpose,
    now: datetime,
    email: str | None = None,
    user_id: int | None = None,
    made_by: int | None = None,
) -> tuple[str, datetime | None]:
    """The token and its expiry. An earlier unused one for the same person is replaced."""
    if email is not None or user_id is not None:
        session.execute(
            delete(OneTimeToken).where(
                OneTimeToken.purpose == purpose.value,
                OneTimeToken.email == email if email is not None else OneTimeToken.user_id == user_id,
                OneTimeToken.used_at.is_(None),
            )
        )
    token, token_hash = tokens.new_token(tokens.ONE_TIME)
    lifetime = LIFETIMES[purpose]
    expires_at = None if lifetime is None else now + lifetime
    session.add(
        OneTimeToken(
            purpose=purpose.value,
            token_hash=token_hash,
            email=email,
            user_id=user_id,
            made_by=made_by,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return token, expires_at


def find_one_time_token(session: Session, *, token: str, purpose: Purpose, now: datetime) -> OneTimeToken:
    """The unused row of a token; raises Refused. Whoever acts on it sets `used_at` in the same transaction."""
    row = None
    if len(token) <= tokens.MAX_CHARACTERS:
        row = session.scalar(
            select(OneTimeToken).where(
                OneTimeToken.token_hash == tokens.token_hash(token),
                OneTimeToken.purpose == purpose.value,
                OneTimeToken.used_at.is_(None),
            )
        )
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        raise Refused(
            "That token is unknown, was used before or has expired; ask for a new one.", code="bad_token"
        )
    return row
