"""API keys: long-lived keys of a user for programs, which may be narrowed. Shown once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import ApiKey
from workspacesio.domain.errors import Conflict, Invalid, NotFound
from workspacesio.domain.names import check_service_name
from workspacesio.services import tokens
from workspacesio.services.actors import Actor, require_session
from workspacesio.services.audit import record
from workspacesio.services.credentials import revoke_credentials_of

MAX_KEYS = 100


@dataclass(frozen=True, slots=True)
class MadeKey:
    row: ApiKey
    token: str = field(repr=False)


def list_api_keys(session: Session, *, actor: Actor, limit: int, after: int | None = None) -> Sequence[ApiKey]:
    """The caller's own keys that were not revoked: the first by id, behind that of `after`."""
    require_session(actor)
    query = select(ApiKey).where(ApiKey.user_id == actor.user_id, ApiKey.revoked_at.is_(None))
    if after is not None:
        query = query.where(ApiKey.id > after)
    return session.scalars(query.order_by(ApiKey.id).limit(limit)).all()


def make_api_key(
    session: Session,
    *,
    actor: Actor,
    name: str,
    workspaces: Sequence[int] | None,
    read_only: bool,
    expires_at: datetime | None,
    now: datetime,
) -> MadeKey:
    """A key of the caller. `workspaces` (ids that the caller reads now) and `read_only` narrow it for good."""
    require_session(actor)
    check_service_name(name, "key")
    if expires_at is not None and expires_at <= now:
        raise Invalid("The key would have expired already.", code="invalid_expiry")
    active = (
        select(func.count())
        .select_from(ApiKey)
        .where(ApiKey.user_id == actor.user_id, ApiKey.revoked_at.is_(None))
    )
    if (session.scalar(active) or 0) >= MAX_KEYS:
        raise Conflict(f"You have {MAX_KEYS} API keys; end some first.", code="too_many_keys")
    if session.scalar(active.where(ApiKey.name == name)):
        raise Conflict(f"You have an API key {name!r} already.", code="taken")
    token, token_hash = tokens.new_token(tokens.API_KEY)
    row = ApiKey(
        user_id=actor.user_id,
        name=name,
        token_hash=token_hash,
        narrowed_to=None if workspaces is None else sorted(set(workspaces)),
        read_only=read_only,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    details = {"workspaces": row.narrowed_to, "read_only": read_only}
    record(session, actor=actor, verb="api_key.make", target=name, now=now, details=details)
    return MadeKey(row, token)


def revoke_api_key(session: Session, *, actor: Actor, api_key_id: int, now: datetime) -> None:
    """End the key and the credentials that were issued with it, at once."""
    require_session(actor)
    row = session.get(ApiKey, api_key_id)
    if row is None or row.user_id != actor.user_id or row.revoked_at is not None:
        raise NotFound("You have no such API key.")
    row.revoked_at = now
    revoke_credentials_of(session, api_key_id=row.id, now=now)
    record(session, actor=actor, verb="api_key.revoke", target=row.name, now=now)
