"""The caller's own account: who they are, their password, their API keys."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import MAX_PAGE, AfterId, Body, Id, Instant, Line, Moment, Name, Page, Password
from workspacesio.api.user_views import UserView, view_user
from workspacesio.database.tables import ApiKey
from workspacesio.services import passwords
from workspacesio.services.actors import Actor, require_session
from workspacesio.services.api_keys import list_api_keys, make_api_key, revoke_api_key
from workspacesio.services.node_effects import marked
from workspacesio.services.references import ReadOrWrite, resolve_reference, written_references
from workspacesio.services.sign_in_limits import begin_attempt, forgive_attempt
from workspacesio.services.sign_ins import wrong_password
from workspacesio.services.users import change_password, show_me

router = APIRouter(tags=["account"])


class PasswordChange(Body):
    current_password: Password
    new_password: Password


class ApiKeyRequest(Body):
    """`workspaces` (references) and `read_only` narrow the key for good. Without an expiry it lasts till ended."""

    name: Name
    workspaces: Annotated[list[Line], Field(min_length=1, max_length=100)] | None = None
    read_only: bool = False
    expires_at: Moment | None = None


class ApiKeyView(BaseModel):
    """`workspaces` is None for a key that covers everything."""

    id: int
    name: str
    workspaces: list[str] | None
    read_only: bool
    created_at: Instant
    expires_at: Instant | None


class MadeApiKey(ApiKeyView):
    """`token` is shown this once."""

    token: str


@router.get("/me")
def who_am_i(call: SignedIn) -> UserView:
    """The caller."""
    with call.read() as (session, actor, _):
        return view_user(session, show_me(session, actor=actor))


@router.post("/me/password")
def set_password(call: SignedIn, change: PasswordChange) -> Settled:
    """Set a new password; other sessions, and all API keys and credentials, end."""
    with call.write() as (session, actor, now):
        require_session(actor)
        me = show_me(session, actor=actor)
        stored = me.password_hash
        attempt = begin_attempt(session, account=me.email, address=call.visit.address, now=now)
    passwords.check_password(change.new_password)
    if not passwords.verify_password(stored, change.current_password):
        raise wrong_password()
    password_hash = passwords.hash_password(change.new_password)
    with call.write() as (session, actor, now):
        forgive_attempt(session, attempt)
        change_password(session, actor=actor, verified_hash=stored, password_hash=password_hash, now=now)
        concerned = marked(session)
    return Settled(enforced=enforced_on(call.visit.context, concerned))


@router.get("/api-keys")
def api_keys(call: SignedIn, limit: Page = MAX_PAGE, after: AfterId = None) -> list[ApiKeyView]:
    """The caller's own keys, by id, in pages."""
    with call.read() as (session, actor, now):
        found = list_api_keys(session, actor=actor, limit=limit, after=after)
        return [_view(session, actor, row, now) for row in found]


@router.post("/api-keys", status_code=201)
def create_api_key(call: SignedIn, wanted: ApiKeyRequest) -> MadeApiKey:
    """A key for programs. Only a session makes one, never another key."""
    with call.write() as (session, actor, now):
        require_session(actor)
        ids = None
        if wanted.workspaces is not None:
            ids = [
                resolve_reference(
                    session, actor=actor, reference=reference, purpose=ReadOrWrite.READ, now=now
                ).workspace_id
                for reference in wanted.workspaces
            ]
        made = make_api_key(
            session,
            actor=actor,
            name=wanted.name,
            workspaces=ids,
            read_only=wanted.read_only,
            expires_at=wanted.expires_at,
            now=now,
        )
        view = _view(session, actor, made.row, now)
        return MadeApiKey(**dict(view), token=made.token)


@router.delete("/api-keys/{api_key_id}")
def end_api_key(call: SignedIn, api_key_id: Id) -> Settled:
    """End the key and the credentials issued with it, at once."""
    with call.write() as (session, actor, now):
        revoke_api_key(session, actor=actor, api_key_id=api_key_id, now=now)
        concerned = marked(session)
    return Settled(enforced=enforced_on(call.visit.context, concerned))


def _view(session: Session, actor: Actor, row: ApiKey, now: datetime) -> ApiKeyView:
    ids = row.narrowed_to
    return ApiKeyView(
        id=row.id,
        name=row.name,
        workspaces=None if ids is None else written_references(session, actor=actor, ids=ids, now=now),
        read_only=row.read_only,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
