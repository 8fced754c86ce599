"""Short-lived S3 keys: issue, list, end. The secret exists only in the answer; a row remembers the issuance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from workspacesio.database.tables import Credential, Node, User, Workspace
from workspacesio.database.visibility import readable_folders
from workspacesio.domain.errors import Invalid, NotFound
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import Level, NodeKind
from workspacesio.services.effect_marks import mark_keys_ended, mark_keys_ended_before, mark_keys_left
from workspacesio.services.keys import Keyring
from workspacesio.services.sealed_tokens import (
    MAX_NARROWED_WORKSPACES,
    TokenContents,
    new_access_key_id,
    seal,
    secret_access_key,
)

MIN_SECONDS = 15
CLOCKS_DIFFER = timedelta(minutes=1)
"""A server whose clock is behind lets its keys live longer than their rows say."""

DEFAULT_SECONDS = 3600
REGION = "local"
"""Clients want one; the endpoint has no regions. At us-east-1 boto3 and aws make links of an older signature."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential as its holder gets it, once."""

    credential_id: int
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime
    node_id: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class Covered:
    """A workspace that a credential reaches, with the folders of it and the level on each."""

    workspace_id: int
    name: str
    owner: str
    bucket: str
    prefix: str
    folders: tuple[tuple[str, Level], ...]


def issue_credential(
    session: Session,
    *,
    keyring: Keyring,
    caller: Caller,
    node: Node,
    duration: timedelta,
    longest: timedelta,
    now: datetime,
    latest_expiry: datetime | None = None,
    sign_in_id: int | None = None,
    api_key_id: int | None = None,
) -> Issued:
    """Keys of `caller` on `node`, as narrow as `caller.narrowing`. They live no longer than `latest_expiry`.

    Raises Invalid for a duration that is too short or too long, and for too many workspaces to be named.
    """
    expires_at = expiry_of(caller, duration=duration, longest=longest, latest_expiry=latest_expiry, now=now)
    narrowed = caller.narrowing.workspaces
    access_key_id = new_access_key_id()
    row = Credential(
        user_id=caller.user_id,
        node_id=node.id,
        access_key_id=access_key_id,
        narrowed_to=None if narrowed is None else sorted(narrowed),
        read_only=caller.narrowing.read_only,
        issued_at=now,
        expires_at=expires_at,
        sign_in_id=sign_in_id,
        api_key_id=api_key_id,
    )
    session.add(row)
    session.flush()
    contents = TokenContents(row.id, caller.user_id, node.id, access_key_id, expires_at, caller.narrowing)
    return Issued(
        row.id,
        access_key_id,
        secret_access_key(keyring, node.id, access_key_id),
        seal(keyring, contents),
        now,
        expires_at,
        node.id,
        caller.narrowing.read_only,
    )


def expiry_of(
    caller: Caller, *, duration: timedelta, longest: timedelta, latest_expiry: datetime | None, now: datetime
) -> datetime:
    """When a new credential of `caller` ends. Raises Invalid as `issue_credential`."""
    if not timedelta(seconds=MIN_SECONDS) <= duration <= longest:
        raise Invalid(
            f"Keys and links live between {MIN_SECONDS} s and {_spelled(longest)}; give a time in between.",
            code="invalid_duration",
        )
    narrowed = caller.narrowing.workspaces
    if narrowed is not None and len(narrowed) > MAX_NARROWED_WORKSPACES:
        raise Invalid(
            f"A credential can be narrowed to at most {MAX_NARROWED_WORKSPACES} workspaces; ask for one that "
            "covers the node.",
            code="too_many_workspaces",
        )
    expires_at = (now + duration).replace(microsecond=0)
    if latest_expiry is not None:
        expires_at = min(expires_at, latest_expiry.replace(microsecond=0))
    return expires_at


def covered_workspaces(session: Session, *, caller: Caller, node: Node, now: datetime) -> list[Covered]:
    """What a credential of `caller` on `node` reaches now."""
    readable = readable_folders(caller, now).subquery()
    rows = session.execute(
        select(
            Workspace.id,
            Workspace.name,
            User.username,
            Workspace.bucket,
            Workspace.prefix,
            readable.c.folder,
            readable.c.level,
        )
        .join(readable, readable.c.workspace_id == Workspace.id)
        .join(User, User.id == Workspace.owner_id)
        .where(Workspace.node_id == node.id)
        .order_by(User.username, Workspace.name, readable.c.folder)
    ).all()
    found: dict[int, Covered] = {}
    levels: dict[int, dict[str, Level]] = {}
    for workspace_id, name, owner, bucket, prefix, folder, level in rows:
        folders = levels.setdefault(workspace_id, {})
        folders[folder] = max(Level(level), folders.get(folder, Level.READ))
        found[workspace_id] = Covered(workspace_id, name, owner, bucket, prefix, tuple(sorted(folders.items())))
    return list(found.values())


def active_credentials(
    session: Session,
    *,
    user_id: int,
    now: datetime,
    api_key_id: int | None = None,
    limit: int | None = None,
    after: int | None = None,
) -> Sequence[Credential]:
    """Those of the user that are still valid, by id; with `api_key_id` only those issued with that key."""
    query = select(Credential).where(
        Credential.user_id == user_id, Credential.revoked_at.is_(None), Credential.expires_at > now
    )
    if api_key_id is not None:
        query = query.where(Credential.api_key_id == api_key_id)
    if after is not None:
        query = query.where(Credential.id > after)
    return session.scalars(query.order_by(Credential.id).limit(limit)).all()


def revoke_credential(session: Session, *, user_id: int, credential_id: int, now: datetime) -> None:
    """End one credential of the user at once; raises NotFound for another's or an unknown one.

    On a node whose server can't end single keys, all of the user's there end with it.
    """
    row = session.get(Credential, credential_id)
    if row is None or row.user_id != user_id:
        raise NotFound("There is no such credential of yours; `wio credential ls` shows them.")
    _revoke(session, Credential.id == row.id, now)
    session.refresh(row)


def revoke_credentials_of(
    session: Session,
    *,
    now: datetime,
    user_id: int | None = None,
    sign_in_id: int | None = None,
    api_key_id: int | None = None,
) -> None:
    """End what was issued to a user, or with one session or API key: exactly one of them is given."""
    given = [
        condition
        for condition, value in (
            (Credential.user_id == user_id, user_id),
            (Credential.sign_in_id == sign_in_id, sign_in_id),
            (Credential.api_key_id == api_key_id, api_key_id),
        )
        if value is not None
    ]
    if len(given) != 1:
        raise ValueError("name exactly one of user_id, sign_in_id and api_key_id")
    if user_id is not None:
        mark_keys_ended(session, user_id=user_id)
    _revoke(session, given[0], now)


def _revoke(session: Session, which: ColumnElement[bool], now: datetime) -> None:
    """End the active ones; where a server ends keys only all together, the others of the same user there too."""
    active = (which, Credential.revoked_at.is_(None), Credential.expires_at > now)
    was_active = func.max(case((Credential.revoked_at.is_(None), 1), else_=0))
    together = session.execute(
        select(Credential.user_id, Credential.node_id, was_active)
        .join(Node, Node.id == Credential.node_id)
        .where(which, Credential.expires_at > now - CLOCKS_DIFFER, Node.kind == NodeKind.MINIO.value)
        .group_by(Credential.user_id, Credential.node_id)
    ).all()
    mark_keys_left(session, which, now=now)
    session.execute(update(Credential).where(*active).values(revoked_at=now))
    for user_id, node_id, ends_now in together:
        if not ends_now:
            mark_keys_ended_before(session, user_id=user_id, node_id=node_id)
            continue
        mark_keys_ended(session, user_id=user_id, node_id=node_id)
        same = (Credential.user_id == user_id, Credential.node_id == node_id)
        session.execute(
            update(Credential)
            .where(*same, Credential.revoked_at.is_(None), Credential.expires_at > now)
            .values(revoked_at=now)
        )


def _spelled(longest: timedelta) -> str:
    seconds = int(longest.total_seconds())
    return f"{seconds} s" if seconds % 3600 else f"{seconds // 3600} h"
