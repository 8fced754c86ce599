"""Shares of a workspace, and who has access to it."""

import contextlib
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import enforced_on
from workspacesio.api.fields import (
    MAX_PAGE,
    AfterId,
    Body,
    Enforced,
    EnforcedAtExpiry,
    Id,
    Instant,
    LevelWord,
    Line,
    Moment,
    Name,
    Page,
)
from workspacesio.database.tables import Workspace
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.domain.vocabulary import Level
from workspacesio.services.access_report import report_access
from workspacesio.services.node_effects import marked
from workspacesio.services.shared_places import shared_place
from workspacesio.services.sharing import ShareView, list_shares, revoke_share, share_folder

router = APIRouter(prefix="/workspaces/{workspace_id}", tags=["shares"])


class ShareRequest(Body):
    """`subject`: a username, `@group` or `everyone`. `folder`: in the workspace, '' for all of it."""

    subject: Name
    level: LevelWord = "read"
    folder: Line = ""
    expires_at: Moment | None = None


class ShareAnswer(BaseModel):
    id: int
    folder: str
    subject: str
    level: LevelWord
    expires_at: Instant | None
    given_by: str | None
    created_at: Instant

    @classmethod
    def of(cls, view: ShareView) -> Self:
        return cls.model_validate(
            {**{name: getattr(view, name) for name in cls.model_fields}, "level": view.level.word}
        )


class Shared(ShareAnswer):
    """`sign_in_command` is all that the other person types.

    `empty`: nothing that is served is there yet, so the name may be mistyped; None where the node can't say.
    `enforced` and `takes_effect_at` are as in other changes, where the share was made weaker. `taken_back_within`
    (seconds): how long keys of this node may go on after a share is taken back, as nothing ends them.
    """

    enforced: Literal["enforced", "pending", "at_expiry"]
    takes_effect_at: Instant | None
    taken_back_within: int | None
    sign_in_command: str
    empty: bool | None


class Revoked(BaseModel):
    """What is gone: the share, and those that rested on it."""

    revoked: list[ShareAnswer]
    enforced: list[Enforced]


class AccessAnswer(BaseModel):
    """`user` is None where `subject` stands for every signed-in user. Who `manages` reads nothing."""

    subject: str
    user: str | None
    folder: str
    level: Literal["read", "readwrite", "own", "owner", "manages"]
    through: str
    expires_at: Instant | None


@router.get("/shares")
def shares(call: SignedIn, workspace_id: Id, limit: Page = MAX_PAGE, after: AfterId = None) -> list[ShareAnswer]:
    """All for the owner; for others those in folders that they hold at `own`, and those that concern them.

    By id, in pages.
    """
    with call.read() as (session, actor, now):
        views = list_shares(session, actor=actor, workspace_id=workspace_id, limit=limit, after=after, now=now)
    return [ShareAnswer.of(view) for view in views]


@router.post("/shares", status_code=201, responses={200: {"model": Shared, "description": "Changed."}})
def share(call: SignedIn, workspace_id: Id, wanted: ShareRequest, response: Response) -> Shared:
    """Give a workspace or a folder in it, up to what the caller holds. Again: replaces level and expiry."""
    with call.write() as (session, actor, now):
        view, is_new = share_folder(
            session,
            actor=actor,
            workspace_id=workspace_id,
            folder=wanted.folder,
            subject=wanted.subject,
            level=Level.from_word(wanted.level),
            expires_at=wanted.expires_at,
            now=now,
        )
        concerned = marked(session)
        place = shared_place(
            session, workspace_id=workspace_id, folder=view.folder, expires_at=view.expires_at, now=now
        )
    (there,) = enforced_on(call.visit.context, concerned, nodes=[place.node_id])
    response.status_code = 201 if is_new else 200
    who = "EMAIL" if wanted.subject.startswith("@") or wanted.subject == "everyone" else wanted.subject
    command = f"wio login {call.visit.public_address} {who}"
    empty: bool | None = None
    # The share is given, whatever the node says; one that is away just now isn't asked again.
    with contextlib.suppress(WorkspacesIOError):
        if there.state != "pending":
            empty = not call.storage(place.node_id).holds_objects(place.bucket, place.prefix)
    return Shared(
        **dict(ShareAnswer.of(view)),
        enforced=there.state,
        takes_effect_at=there.at if isinstance(there, EnforcedAtExpiry) else None,
        taken_back_within=place.taken_back_within,
        sign_in_command=command,
        empty=empty,
    )


@router.delete("/shares")
def unshare(
    call: SignedIn,
    workspace_id: Id,
    subject: Annotated[Name, Query(description="A username, `@group` or `everyone`.")],
    folder: Annotated[Line, Query(description="As it was shared; '' for the whole workspace.")] = "",
) -> Revoked:
    """Take a share back, at once, with keys and links issued before. Anybody may leave their own."""
    with call.write() as (session, actor, now):
        gone = revoke_share(
            session, actor=actor, workspace_id=workspace_id, folder=folder, subject=subject, now=now
        )
        node_id = session.get_one(Workspace, workspace_id).node_id
        concerned = marked(session)
    enforced = enforced_on(call.visit.context, concerned, nodes=[node_id])
    return Revoked(revoked=[ShareAnswer.of(view) for view in gone], enforced=enforced)


@router.get("/access")
def access(call: SignedIn, workspace_id: Id) -> list[AccessAnswer]:
    """Who has access and through what, for the owner and whoever may share the whole on."""
    with call.read() as (session, actor, now):
        found = report_access(session, actor=actor, workspace_id=workspace_id, now=now)
    return [
        AccessAnswer.model_validate({name: getattr(one, name) for name in AccessAnswer.model_fields})
        for one in found
    ]
