"""The index itself: how far it is behind, building it again, comparing it with storage."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.fields import AfterId, Body, Id, Instant, Name, Page
from workspacesio.api.index_answers import Remark, remarks
from workspacesio.api.query_parameters import KnownParameters
from workspacesio.database.index_tables import Crawl
from workspacesio.domain.vocabulary import CrawlState, IndexLevel
from workspacesio.index.freshness import KeptBy
from workspacesio.index.status import IndexState, RootStatus, Whole, index_status
from workspacesio.services.index_work import IndexWork, list_work, rebuild, show_work, verify

router = APIRouter(prefix="/index", tags=["index"], dependencies=[KnownParameters])


class VerifyRequest(Body):
    """Of one root, or of all that there is."""

    root: Name | None = None


class WholeIndex(BaseModel):
    """None is what can't be read now. `behind`: changes that the engine doesn't hold yet. `waiting_since`: when
    the oldest event happened that waits to be taken in. `worker_seen_at`: when the worker last was there.
    """

    engine: str | None
    entries: int | None
    objects: int | None
    bytes: int | None
    engine_bytes_on_disk: int | None
    catalogue_bytes_on_disk: int | None
    behind: int | None
    events_waiting: int
    waiting_since: Instant | None
    worker_seen_at: Instant | None


class CrawlOfRoot(BaseModel):
    """A crawl, in short; `GET /crawls/{id}` says more."""

    id: int
    state: CrawlState
    entries: int
    started_at: Instant | None
    ended_at: Instant | None
    problem: str | None


class RootIndex(BaseModel):
    """`kept_by`: how changes are heard of between crawls, None while that isn't known; `problem`: why it is no
    better. `lag_seconds`: how old the oldest change may be that isn't found yet; None: not known, or there is no
    workspace. `unread_objects` and `unread_bytes`: of the objects that are indexed, those whose metadata or
    content is to be read still; `unread_lag_seconds`: for how long the oldest of them has waited, None while that
    isn't known.
    """

    root: str
    level: IndexLevel
    objects: int
    bytes: int
    kept_by: KeptBy | None
    problem: str | None
    watched_folders: int | None
    lag_seconds: float | None
    crawl_every_seconds: int | None
    unread_objects: int | None
    unread_bytes: int | None
    unread_lag_seconds: float | None
    last_crawl: CrawlOfRoot | None
    open_crawl: CrawlOfRoot | None


class IndexAnswer(BaseModel):
    """`whole` is for administrators, `roots` are those that the caller manages. `notes`: what would have more of
    their contents be read.
    """

    state: IndexState
    incomplete: list[Remark]
    notes: list[Remark]
    whole: WholeIndex | None
    roots: list[RootIndex]


class IndexRequestAnswer(BaseModel):
    """`root` is None for the whole index. `counts`: what a comparison found, in numbers."""

    id: int
    kind: Literal["rebuild", "verify"]
    state: Literal["queued", "running", "done", "failed"]
    root: str | None
    requested_by: str | None
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    entries: int
    counts: dict[str, int]
    problem: str | None

    @classmethod
    def of(cls, view: IndexWork) -> "IndexRequestAnswer":
        named = {"root", "requested_by", "counts"}
        return cls.model_validate(
            {name: getattr(view if name in named else view.request, name) for name in cls.model_fields}
        )


@router.get("")
def show_index(call: SignedIn) -> IndexAnswer:
    """Whether the index answers; for managers how their roots are kept true, for administrators its size."""
    with call.read() as (session, actor, now):
        status = index_status(session, index=call.index, actor=actor, now=now)
        return IndexAnswer(
            state=status.state,
            incomplete=remarks(status.incomplete),
            notes=remarks(status.notes),
            whole=None if status.whole is None else _whole(status.whole),
            roots=[_root(root) for root in status.roots],
        )


@router.post("/rebuild", status_code=202)
def rebuild_index(call: SignedIn) -> IndexRequestAnswer:
    """Fill a new engine beside the one that serves, and swap: by the worker, for administrators."""
    with call.write() as (session, actor, now):
        return IndexRequestAnswer.of(rebuild(session, actor=actor, now=now))


@router.post("/verify", status_code=202)
def verify_index(call: SignedIn, wanted: VerifyRequest) -> IndexRequestAnswer:
    """Compare a root, for its managers, or all, for administrators, with storage. Nothing is changed."""
    with call.write() as (session, actor, now):
        return IndexRequestAnswer.of(verify(session, actor=actor, root=wanted.root, now=now))


@router.get("/requests")
def index_requests(call: SignedIn, limit: Page = 100, after: AfterId = None) -> list[IndexRequestAnswer]:
    """What the worker was asked to do, the newest first: of roots that the caller manages, or all."""
    with call.read() as (session, actor, _):
        found = list_work(session, actor=actor, limit=limit, after=after)
        return [IndexRequestAnswer.of(view) for view in found]


@router.get("/requests/{request_id}")
def index_request(call: SignedIn, request_id: Id) -> IndexRequestAnswer:
    """How far a rebuild or a comparison is, or what it found."""
    with call.read() as (session, actor, _):
        return IndexRequestAnswer.of(show_work(session, actor=actor, request_id=request_id))


def _whole(whole: Whole) -> WholeIndex:
    return WholeIndex.model_validate({name: getattr(whole, name) for name in WholeIndex.model_fields})


def _root(status: RootStatus) -> RootIndex:
    known = status.freshness.freshness if status.freshness else None
    return RootIndex(
        root=status.root,
        level=IndexLevel(status.indexing.level),
        objects=status.objects,
        bytes=status.bytes,
        kept_by=known.kept_by if known else None,
        problem=known.problem if known else None,
        watched_folders=known.folders if known else None,
        lag_seconds=status.lag_seconds,
        crawl_every_seconds=status.indexing.crawl_every_seconds,
        unread_objects=status.contents.objects if status.contents else None,
        unread_bytes=status.contents.bytes if status.contents else None,
        unread_lag_seconds=status.contents_lag_seconds,
        last_crawl=_crawl(status.last_crawl),
        open_crawl=_crawl(status.open_crawl),
    )


def _crawl(row: Crawl | None) -> CrawlOfRoot | None:
    if row is None:
        return None
    return CrawlOfRoot.model_validate({name: getattr(row, name) for name in CrawlOfRoot.model_fields})
