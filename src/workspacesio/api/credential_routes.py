"""Short-lived S3 keys and presigned links."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from workspacesio.api.dependencies import Call, SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import MAX_PAGE, AfterId, Body, Id, Instant, LevelWord, Line, Name, Page
from workspacesio.api.workspace_answers import SharedFolder
from workspacesio.database.tables import Credential
from workspacesio.domain.vocabulary import Level, NodeKind
from workspacesio.services.actors import Actor
from workspacesio.services.credential_scope import (
    CredentialScope,
    ObjectScope,
    scope_of_object,
    scope_of_workspaces,
)
from workspacesio.services.credentials import (
    DEFAULT_SECONDS,
    REGION,
    Covered,
    Issued,
    covered_workspaces,
    issue_credential,
)
from workspacesio.services.issued_keys import IssuedThere
from workspacesio.services.node_effects import marked
from workspacesio.services.own_credentials import end_credential, list_credentials
from workspacesio.services.presigning import presigned_address
from workspacesio.services.references import written_references
from workspacesio.services.server_kinds import SERVER_KINDS

router = APIRouter(tags=["credentials"])

MAX_SECONDS = 366 * 24 * 3600
USUAL_LIFE = timedelta(seconds=DEFAULT_SECONDS)


class CredentialRequest(Body):
    """Without `workspaces`: for all that the caller reaches on the node, now and later while it lives.

    On a node without immediate revocation for what the caller reaches now, and a quarter of an hour instead of an
    hour where `duration_seconds` isn't given; never longer than the service's longest.
    """

    workspaces: Annotated[list[Line], Field(min_length=1, max_length=100)] | None = None
    node: Name | None = None
    read_only: bool = False
    duration_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS)] | None = None


class PresignRequest(Body):
    """`reference`: `name/path`, `owner/name/path` or `owner:name/path` of one object.

    An hour where `expires_seconds` isn't given; never longer than the service's longest.
    """

    reference: Line
    method: Literal["GET", "PUT"] = "GET"
    expires_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS)] | None = None


class CoveredWorkspace(BaseModel):
    """`level` is held on the whole workspace; None where only `folders` of it are shared."""

    id: int
    owner: str
    name: str
    reference: str
    bucket: str
    prefix: str
    level: LevelWord | None
    folders: list[SharedFolder]


class IssuedKeys(BaseModel):
    """What is new in each answer to the same request."""

    id: int
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: Instant

    @classmethod
    def of(cls, issued: Issued) -> "IssuedKeys":
        return cls(
            id=issued.credential_id,
            access_key_id=issued.access_key_id,
            secret_access_key=issued.secret_access_key,
            session_token=issued.session_token,
            expires_at=issued.expires_at,
        )


class IssuedCredential(IssuedKeys):
    """The secret and the session token are shown this once. `abilities`: what the node can do."""

    endpoint: str
    region: str
    node: str
    abilities: dict[str, bool]
    read_only: bool
    workspaces: list[CoveredWorkspace]


class CredentialView(BaseModel):
    """`workspaces` is None for one that covers all of the node."""

    id: int
    access_key_id: str
    node: str
    issued_at: Instant
    expires_at: Instant
    read_only: bool
    workspaces: list[str] | None


class EndedCredential(Settled):
    """`alone`: no other credential has ended with it."""

    alone: bool


class PresignedLink(BaseModel):
    url: str
    expires_at: Instant


@router.post("/credentials", status_code=201)
def issue(call: SignedIn, wanted: CredentialRequest) -> IssuedCredential:
    """S3 keys of the caller on one node. They take part in every later change of the caller's rights."""

    def scope_of(session: Session, actor: Actor, now: datetime) -> CredentialScope:
        return scope_of_workspaces(
            session,
            actor=actor,
            references=wanted.workspaces,
            node=wanted.node,
            read_only=wanted.read_only,
            now=now,
        )

    node_id, node, keys = _issue(call, scope_of, wanted.duration_seconds)
    answer = IssuedCredential(
        **dict(IssuedKeys.of(keys.issued)),
        endpoint=keys.endpoint,
        region=keys.region,
        node=node,
        abilities=asdict(call.visit.context.drivers(node_id).abilities),
        read_only=keys.issued.read_only,
        workspaces=_covered(keys.covered),
    )
    if keys.decided is not None:
        rest = answer.model_dump_json(exclude=set(IssuedKeys.model_fields)).encode()
        call.visit.context.repeated.remember(call.visit.request.scope, keys.decided, rest, _keys_as_json)
    return answer


@router.get("/credentials")
def credentials(call: SignedIn, limit: Page = MAX_PAGE, after: AfterId = None) -> list[CredentialView]:
    """The caller's credentials that are still valid, by id, in pages."""
    with call.read() as (session, actor, now):
        return [
            CredentialView(
                id=row.id,
                access_key_id=row.access_key_id,
                node=node,
                issued_at=row.issued_at,
                expires_at=row.expires_at,
                read_only=row.read_only,
                workspaces=None
                if row.narrowed_to is None
                else written_references(session, actor=actor, ids=row.narrowed_to, now=now),
            )
            for row, node in list_credentials(session, actor=actor, limit=limit, after=after, now=now)
        ]


@router.delete("/credentials/{credential_id}")
def revoke(call: SignedIn, credential_id: Id) -> EndedCredential:
    """End one of the caller's credentials, and the links signed with it, at once.

    Where its node can't end a single one, as its abilities say, all of the caller's on that node end.
    """
    with call.write() as (session, actor, now):
        end_credential(session, actor=actor, credential_id=credential_id, now=now)
        node_id = session.get_one(Credential, credential_id).node_id
        concerned = marked(session)
    return EndedCredential(
        alone=call.visit.context.drivers(node_id).abilities.ends_single_credentials,
        enforced=enforced_on(call.visit.context, concerned, nodes=[node_id]),
    )


@router.post("/presign")
def presign(call: SignedIn, wanted: PresignRequest) -> PresignedLink:
    """A link for one object and method, for somebody without an account; it lives no longer than asked."""
    found: list[ObjectScope] = []

    def scope_of(session: Session, actor: Actor, now: datetime) -> ObjectScope:
        writes = wanted.method == "PUT"
        found[:] = [scope_of_object(session, actor=actor, reference=wanted.reference, writes=writes, now=now)]
        return found[0]

    usual = call.visit.context.settings.usual_life(USUAL_LIFE)
    _, _, keys = _issue(call, scope_of, wanted.expires_seconds or int(usual.total_seconds()))
    url = presigned_address(
        endpoint=keys.endpoint,
        region=keys.region,
        credential=keys.issued,
        bucket=found[0].bucket,
        key=found[0].key,
        method=wanted.method,
        now=keys.issued.issued_at,
    )
    return PresignedLink(url=url, expires_at=keys.issued.expires_at)


def _issue(
    call: Call, scope_of: Callable[[Session, Actor, datetime], CredentialScope | ObjectScope], seconds: int | None
) -> tuple[int, str, IssuedThere]:
    """The node's id and name, and keys for what `scope_of` gives, from its server or for the endpoint."""
    duration = None if seconds is None else timedelta(seconds=seconds)
    with call.write() as (session, actor, now):
        scope = scope_of(session, actor, now)
        node_id, name = scope.node.id, scope.node.name
        server = SERVER_KINDS.get(NodeKind(scope.node.kind))
        if server is None:
            usual = call.visit.context.settings.usual_life(USUAL_LIFE)
            return node_id, name, _issue_here(call, session, actor, scope, duration or usual, now)
    return node_id, name, server.issue(call.visit.context, call, scope_of=scope_of, duration=duration)


def _issue_here(  # noqa: PLR0917 - one transaction's parts, and what is asked for
    call: Call,
    session: Session,
    actor: Actor,
    scope: CredentialScope | ObjectScope,
    duration: timedelta,
    now: datetime,
) -> IssuedThere:
    """Keys for the endpoint."""
    context = call.visit.context
    issued = issue_credential(
        session,
        keyring=context.keyring,
        caller=scope.caller,
        node=scope.node,
        duration=duration,
        longest=timedelta(seconds=context.settings.credential_max_seconds),
        latest_expiry=actor.expires_at,
        sign_in_id=actor.sign_in_id,
        api_key_id=actor.api_key_id,
        now=now,
    )
    covered = covered_workspaces(session, caller=scope.caller, node=scope.node, now=now)
    return IssuedThere(issued, call.visit.s3_address, REGION, tuple(covered))


def _keys_as_json(issued: Issued) -> bytes:
    return IssuedKeys.of(issued).model_dump_json().encode()


def _covered(covered: Sequence[Covered]) -> list[CoveredWorkspace]:
    found = []
    for one in covered:
        levels: dict[str, Level] = dict(one.folders)
        whole = levels.pop("", None)
        folders = [{"folder": folder, "level": level.word} for folder, level in levels.items()]
        found.append(
            CoveredWorkspace.model_validate(
                {
                    "id": one.workspace_id,
                    "owner": one.owner,
                    "name": one.name,
                    "reference": f"{one.owner}/{one.name}",
                    "bucket": one.bucket,
                    "prefix": one.prefix,
                    "level": None if whole is None else whole.word,
                    "folders": folders,
                }
            )
        )
    return found
