"""Which crawls are due though nobody asked: by the root's schedule, and again those that failed."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.vocabulary import CrawlReason, CrawlState
from workspacesio.services.crawl_requests import indexing_of, request_crawl

RETRY_AFTER = timedelta(minutes=10)

_OPEN = [CrawlState.QUEUED.value, CrawlState.RUNNING.value, CrawlState.PAUSED.value]


def schedule(session: Session, root_id: int, now: datetime) -> int:
    """Ask for those of this root; how many were asked for.

    By the root's own crawls: those that owners ask for of their workspaces neither replace nor delay them.
    """
    if session.scalar(select(Workspace.id).where(Workspace.root_id == root_id).limit(1)) is None:
        return 0
    own = select(Crawl).where(Crawl.root_id == root_id, Crawl.workspace_id.is_(None))
    if session.scalar(own.where(Crawl.state.in_(_OPEN)).limit(1)) is not None:
        return 0
    last = session.scalar(own.order_by(Crawl.id.desc()).limit(1))
    if last is None and _has_uncrawled(session, root_id):
        request_crawl(session, root_id=root_id, reason=CrawlReason.CREATE, now=now)
        return 1
    if last is not None and last.state == CrawlState.FAILED:
        return _again(session, last, now)
    every = indexing_of(session, root_id).crawl_every_seconds
    last_end = last.ended_at if last is not None else None
    since = last_end or session.get_one(Root, root_id).created_at
    if every is not None and since + timedelta(seconds=every) <= now:
        request_crawl(session, root_id=root_id, reason=CrawlReason.SCHEDULE, now=now)
        return 1
    return sum(_again(session, failed, now) for failed in _failed_workspaces(session, root_id, last))


def _has_uncrawled(session: Session, root_id: int) -> bool:
    """Whether there are workspaces of which no crawl was ever asked for."""
    asked = select(Crawl.workspace_id).where(Crawl.root_id == root_id, Crawl.workspace_id.is_not(None))
    query = select(Workspace.id).where(Workspace.root_id == root_id, Workspace.id.not_in(asked))
    return session.scalar(query.limit(1)) is not None


def _failed_workspaces(session: Session, root_id: int, last_of_root: Crawl | None) -> list[Crawl]:
    """Crawls of workspaces that failed, and none of the workspace or the root came after."""
    newest = select(func.max(Crawl.id)).where(Crawl.root_id == root_id, Crawl.workspace_id.is_not(None))
    if last_of_root is not None:
        newest = newest.where(Crawl.id > last_of_root.id)
    newest = newest.group_by(Crawl.workspace_id)
    failed = select(Crawl).where(Crawl.id.in_(newest), Crawl.state == CrawlState.FAILED.value)
    return list(session.scalars(failed.order_by(Crawl.id)))


def _again(session: Session, failed: Crawl, now: datetime) -> int:
    """Ask again for one that failed, to go on where it was, after a while."""
    if (failed.ended_at or now) + RETRY_AFTER > now:
        return 0
    again = request_crawl(
        session,
        root_id=failed.root_id,
        workspace_id=failed.workspace_id,
        reason=CrawlReason.SCHEDULE,
        now=now,
    )
    if again.workspace_id == failed.workspace_id:  # else one of the whole root took the place of many
        again.position = failed.position
    return 1
