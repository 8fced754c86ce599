"""Short-lived S3 keys and presigned links."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from workspacesio.api.dependencies import SignedIn, Step
from workspacesio.api.fields import Body, Enforced, Id, Instant, LevelWord, Line, Name
from workspacesio.api.workspace_answers import SharedFolder
from workspacesio.database.tables import Node
from workspacesio.domain.permissions import Caller
from workspacesio.domain.vocabulary import Level
from workspacesio.services.credential_scope import scope_of_object, scope_of_workspaces
from workspacesio.services.credentials import (
    DEFAULT_SECONDS,
    REGION,
    Covered,
    Issued,
    covered_workspaces,
    issue_credential,
)
from workspacesio.services.own_credentials import end_credential, list_credentials
from workspacesio.services.presigning import presigned_address
from workspacesio.services.references import written_references

router = APIRouter(tags=["credentials"])

MAX_SECONDS = 366 * 24 * 3600


class CredentialRequest(Body):
    """Without `workspaces`: for all that the caller reaches on the node, now and later while it lives."""

    workspaces: Annotated[list[Line], Field(min_length=1, max_length=100)] | None = None
    node: Name | None = None
    read_only: bool = False
    duration_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS)] = DEFAULT_SECONDS


class PresignRequest(Body):
    """`reference`: `name/path`, `owner/name/path` or `owner:name/path` of one object."""

    reference: Line
    method: Literal["GET", "PUT"] = "GET"
    expires_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS)] = DEFAULT_SECONDS


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


class IssuedCredential(BaseModel):
    """The secret and the session token are shown this once."""

    id: int
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: Instant
    endpoint: str
    region: str
    node: str
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


class Ended(BaseModel):
    enforced: list[Enforced]


class PresignedLink(BaseModel):
    url: str
    expires_at: Instant


@router.post("/credentials", status_code=201)
def issue(call: SignedIn, wanted: CredentialRequest) -> IssuedCredential:
    """S3 keys of the caller on one node. They take part in every later change of the caller's rights."""
    with call.write() as step:
        session, actor, now = step
        scope = scope_of_workspaces(
            session,
            actor=actor,
            references=wanted.workspaces,
            node=wanted.node,
            read_only=wanted.read_only,
            now=now,
        )
        issued = _issue(call, step, caller=scope.caller, node=scope.node, seconds=wanted.duration_seconds)
        covered = covered_workspaces(session, caller=scope.caller, node=scope.node, now=now)
        return IssuedCredential(
            id=issued.credential_id,
            access_key_id=issued.access_key_id,
            secret_access_key=issued.secret_access_key,
            session_token=issued.session_token,
            expires_at=issued.expires_at,
            endpoint=call.visit.s3_address,
            region=REGION,
            node=scope.node.name,
            read_only=issued.read_only,
            workspaces=_covered(covered),
        )


@router.get("/credentials")
def credentials(call: SignedIn) -> list[CredentialView]:
    """The caller's credentials that are still valid."""
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
            for row, node in list_credentials(session, actor=actor, now=now)
        ]


@router.delete("/credentials/{credential_id}")
def revoke(call: SignedIn, credential_id: Id) -> Ended:
    """End one of the caller's credentials, and the links signed with it, at once."""
    with call.write() as (session, actor, now):
        node = end_credential(session, actor=actor, credential_id=credential_id, now=now)
    return Ended(enforced=[Enforced(node=node, state="enforced")])


@router.post("/presign")
def presign(call: SignedIn, wanted: PresignRequest) -> PresignedLink:
    """A link for one object and method, for somebody without an account; it lives no longer than asked."""
    with call.write() as step:
        session, actor, now = step
        scope = scope_of_object(
            session, actor=actor, reference=wanted.reference, writes=wanted.method == "PUT", now=now
        )
        issued = _issue(call, step, caller=scope.caller, node=scope.node, seconds=wanted.expires_seconds)
        url = presigned_address(
            endpoint=call.visit.s3_address,
            credential=issued,
            bucket=scope.bucket,
            key=scope.key,
            method=wanted.method,
            now=now,
        )
        return PresignedLink(url=url, expires_at=issued.expires_at)


def _issue(call: SignedIn, step: Step, *, caller: Caller, node: Node, seconds: int) -> Issued:
    """It ends with the session or API key that it was asked for with."""
    session, actor, now = step
    context = call.visit.context
    return issue_credential(
        session,
        keyring=context.keyring,
        caller=caller,
        node=node,
        duration=timedelta(seconds=seconds),
        longest=timedelta(seconds=context.settings.credential_max_seconds),
        latest_expiry=actor.expires_at,
        sign_in_id=actor.sign_in_id,
        api_key_id=actor.api_key_id,
        now=now,
    )


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
