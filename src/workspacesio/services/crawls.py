"""Crawls, as people start, watch and pause them: of a root by its managers, of a workspace by its owner, too.

What is said of a crawl is numbers: how many entries, how many bytes. Root managers see those of other people's
workspaces anyway; names of entries are nobody's here.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl
from workspacesio.database.tables import Root, User, Workspace
from workspacesio.database.visible_places import seen_crawls
from workspacesio.domain.crawl_reasons import ALL_KEPT
from workspacesio.domain.errors import Invalid, NotFound
from workspacesio.domain.permissions import is_root_manager
from workspacesio.domain.vocabulary import Action, CrawlReason
from workspacesio.services import crawl_requests
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_root, find_workspace
from workspacesio.services.references import ReadOrWrite, resolve_reference


@dataclass(frozen=True, slots=True)
class Place:
    """What is crawled: all workspaces of a root, or one of them. `managed`: by a manager of the root."""

    root_id: int
    workspace_id: int | None = None
    managed: bool = True


@dataclass(frozen=True, slots=True)
class CrawlView:
    """A crawl with the names that its row has numbers for. `workspace`: `owner/name`, None for a whole root.

    `not_indexed`: by reason, how many entries could not be taken in; `kept`: how many files and folders could not
    be looked at, so that they go on being found as they were.
    """

    crawl: Crawl
    root: str
    workspace: str | None
    requested_by: str | None
    not_indexed: dict[str, int]
    kept: dict[str, int]


def start_crawl(
    session: Session, *, actor: Actor, root: str | None, workspace: str | None, rate: int | None, now: datetime
) -> CrawlView:
    """Ask for a crawl of a root, or of a workspace by its reference. Raises Invalid, NotFound, Refused."""
    place = _place_to_crawl(session, actor, root, workspace, now)
    crawl = crawl_requests.request_crawl(
        session,
        root_id=place.root_id,
        workspace_id=place.workspace_id,
        reason=CrawlReason.REQUEST,
        requested_by=actor.user_id,
        rate=_rate_within(session, place, rate),
        now=now,
    )
    session.flush()
    return _recorded(session, actor, "crawl.start", crawl, now)


def list_crawls(
    session: Session,
    *,
    actor: Actor,
    root: str | None,
    workspace: str | None,
    limit: int,
    after: int | None = None,
    now: datetime,
) -> list[CrawlView]:
    """The newest first, of a root, of a workspace, or all that the caller sees; `after`: those older than that."""
    query = select(Crawl).where(Crawl.id.in_(seen_crawls(actor.caller))).order_by(Crawl.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Crawl.id < after)
    if root is not None:
        row, _ = find_root(session, actor=actor, name=root, action=Action.SEE_ROOT, now=now)
        query = query.where(Crawl.root_id == row.id)
    if workspace is not None:
        query = query.where(Crawl.workspace_id == _workspace_id(session, actor, workspace, now))
    return [_view(session, crawl) for crawl in session.scalars(query).all()]


def show_crawl(session: Session, *, actor: Actor, crawl_id: int) -> CrawlView:
    """Raises NotFound for what the caller doesn't see."""
    return _view(session, _seen(session, actor, crawl_id))


def pause_crawl(session: Session, *, actor: Actor, crawl_id: int, now: datetime) -> CrawlView:
    """Stop it where it is, to go on later. Raises NotFound, Refused, Conflict."""
    crawl = _seen(session, actor, crawl_id)
    _require(session, actor, crawl, now)
    crawl_requests.pause_crawl(crawl)
    return _recorded(session, actor, "crawl.pause", crawl, now)


def resume_crawl(session: Session, *, actor: Actor, crawl_id: int, now: datetime) -> CrawlView:
    """Let it go on. Raises NotFound, Refused, Conflict."""
    crawl = _seen(session, actor, crawl_id)
    _require(session, actor, crawl, now)
    crawl_requests.resume_crawl(crawl)
    return _recorded(session, actor, "crawl.resume", crawl, now)


def _place_to_crawl(
    session: Session, actor: Actor, root: str | None, workspace: str | None, now: datetime
) -> Place:
    if (root is None) == (workspace is None):
        raise Invalid("Name a root or a workspace to crawl, one of the two.", code="invalid_request")
    if root is not None:
        row, _ = find_root(session, actor=actor, name=root, action=Action.CHANGE_ROOT, now=now)
        return Place(row.id)
    found, target = find_workspace(
        session,
        actor=actor,
        workspace_id=_workspace_id(session, actor, workspace or "", now),
        action=Action.CRAWL_WORKSPACE,
        now=now,
    )
    return Place(found.root_id, found.id, managed=is_root_manager(actor.caller, target))


def _rate_within(session: Session, place: Place, rate: int | None) -> int | None:
    """What the managers of a root set for it holds for owners: they may go slower."""
    limit = crawl_requests.indexing_of(session, place.root_id).rate
    return rate if place.managed or rate is None or limit is None else min(rate, limit)


def _workspace_id(session: Session, actor: Actor, reference: str, now: datetime) -> int:
    meaning = resolve_reference(session, actor=actor, reference=reference, purpose=ReadOrWrite.READ, now=now)
    if meaning.path.strip("/"):
        raise Invalid(
            f"{reference!r} names a path in a workspace; whole workspaces are crawled.", code="invalid_request"
        )
    return meaning.workspace_id


def _seen(session: Session, actor: Actor, crawl_id: int) -> Crawl:
    seen = seen_crawls(actor.caller).where(Crawl.id == crawl_id)
    crawl = session.scalar(select(Crawl).where(Crawl.id.in_(seen)))
    if crawl is None:
        raise NotFound("There is no such crawl; `wio crawl status` shows yours.", code="no_such_crawl")
    return crawl


def _require(session: Session, actor: Actor, crawl: Crawl, now: datetime) -> None:
    if crawl.workspace_id is None:
        name = session.get_one(Root, crawl.root_id).name
        find_root(session, actor=actor, name=name, action=Action.CHANGE_ROOT, now=now)
        return
    find_workspace(session, actor=actor, workspace_id=crawl.workspace_id, action=Action.CRAWL_WORKSPACE, now=now)


def _recorded(session: Session, actor: Actor, verb: str, crawl: Crawl, now: datetime) -> CrawlView:
    view = _view(session, crawl)
    record(
        session,
        actor=actor,
        verb=verb,
        target=view.workspace or view.root,
        workspace_id=crawl.workspace_id,
        now=now,
        details={"crawl": crawl.id},
    )
    return view


def _view(session: Session, crawl: Crawl) -> CrawlView:
    workspace = session.get(Workspace, crawl.workspace_id) if crawl.workspace_id else None
    owner = session.get_one(User, workspace.owner_id).username if workspace else ""
    asked_by = session.get(User, crawl.requested_by) if crawl.requested_by else None
    counted = _counted(crawl.problems)
    return CrawlView(
        crawl,
        session.get_one(Root, crawl.root_id).name,
        f"{owner}/{workspace.name}" if workspace else None,
        asked_by.username if asked_by else None,
        {reason: count for reason, count in counted.items() if reason not in ALL_KEPT},
        {reason: count for reason, count in counted.items() if reason in ALL_KEPT},
    )


def _counted(problems: dict[str, object]) -> dict[str, int]:
    return {reason: _count(found) for reason, found in sorted(problems.items())}


def _count(found: object) -> int:
    if isinstance(found, dict):
        found = found.get("count")
    return found if isinstance(found, int) else 0
