"""Crawls: walks that make the index true again, for managers of roots and owners of workspaces."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.fields import AfterId, Body, Id, Instant, Line, Name, Page
from workspacesio.api.query_parameters import KnownParameters
from workspacesio.domain.vocabulary import CrawlReason, CrawlState
from workspacesio.services.crawl_requests import MAX_RATE
from workspacesio.services.crawls import (
    CrawlView,
    list_crawls,
    pause_crawl,
    resume_crawl,
    show_crawl,
    start_crawl,
)

router = APIRouter(prefix="/crawls", tags=["index"], dependencies=[KnownParameters])

Rate = Annotated[int, Field(ge=1, le=MAX_RATE)]
"""Entries a second, at most."""


class CrawlRequest(Body):
    """Of all workspaces of `root`, or of the one that `workspace` refers to; `rate`: entries a second at most."""

    root: Name | None = None
    workspace: Line | None = None
    rate: Rate | None = None


class CrawlAnswer(BaseModel):
    """`workspace` is None for a crawl of the whole root. What counts: `entries` and `bytes` seen so far, of them
    `new`, `changed` and `unchanged`, and `gone` that the index held and that are no more. `not_indexed`: how many
    could not be taken in, by reason; `kept`: how many files and folders could not be looked at, by reason, and are
    found as they were before. `problem`: why it failed; of one that is running, that its storage doesn't answer.
    """

    id: int
    root: str
    workspace: str | None
    state: CrawlState
    reason: CrawlReason
    requested_by: str | None
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    rate: int | None
    entries: int
    bytes: int
    new: int
    changed: int
    unchanged: int
    gone: int
    seconds: float
    expected_entries: int | None
    entries_per_second: float | None
    seconds_left: float | None
    not_indexed: dict[str, int]
    kept: dict[str, int]
    problem: str | None

    @classmethod
    def of(cls, view: CrawlView) -> "CrawlAnswer":
        named = {"root", "workspace", "requested_by", "not_indexed", "kept"}
        return cls.model_validate(
            {name: getattr(view if name in named else view.crawl, name) for name in cls.model_fields}
        )


@router.get("")
def crawls(
    call: SignedIn,
    root: Name | None = None,
    workspace: Annotated[Line | None, Query(description="A reference: `owner/name`.")] = None,
    limit: Page = 100,
    after: AfterId = None,
) -> list[CrawlAnswer]:
    """The newest first: of roots that the caller manages, and of workspaces that are the caller's own."""
    with call.read() as (session, actor, now):
        found = list_crawls(
            session, actor=actor, root=root, workspace=workspace, limit=limit, after=after, now=now
        )
        return [CrawlAnswer.of(view) for view in found]


@router.post("", status_code=201)
def add_crawl(call: SignedIn, wanted: CrawlRequest) -> CrawlAnswer:
    """Crawl a root, as its manager, or a workspace, as its owner; one that is queued already stands for both."""
    with call.write() as (session, actor, now):
        asked = wanted.model_dump()
        return CrawlAnswer.of(start_crawl(session, actor=actor, **asked, now=now))


@router.get("/{crawl_id}")
def crawl(call: SignedIn, crawl_id: Id) -> CrawlAnswer:
    """How far a crawl is, or how it ended."""
    with call.read() as (session, actor, _):
        return CrawlAnswer.of(show_crawl(session, actor=actor, crawl_id=crawl_id))


@router.post("/{crawl_id}/pause")
def pause(call: SignedIn, crawl_id: Id) -> CrawlAnswer:
    """Stop a crawl where it is, to go on later."""
    with call.write() as (session, actor, now):
        return CrawlAnswer.of(pause_crawl(session, actor=actor, crawl_id=crawl_id, now=now))


@router.post("/{crawl_id}/resume")
def resume(call: SignedIn, crawl_id: Id) -> CrawlAnswer:
    """Let a paused crawl go on from where it is."""
    with call.write() as (session, actor, now):
        return CrawlAnswer.of(resume_crawl(session, actor=actor, crawl_id=crawl_id, now=now))
