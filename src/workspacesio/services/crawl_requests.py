"""Asking for crawls, in the transaction of what makes them needed; the index worker takes the rows.

Nothing here decides who may ask: that is for the use case that calls.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl, RootIndexing
from workspacesio.database.tables import Root
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel

MAX_SINGLE = 20
"""Where so many workspaces of a root wait for a crawl each, one of the whole root takes their place."""

MAX_OPEN = 3
"""Of one root or one workspace, as many at most are open: one that runs, one that waits, one that was put back."""

MIN_EVERY_SECONDS = 60
MAX_EVERY_SECONDS = 10 * 366 * 86_400
MAX_RATE = 10_000_000
MAX_EXCLUSIONS = 200
MAX_EXCLUSION_CHARACTERS = 1024

UNCHANGED = object()
"""Where None means something of its own."""


def request_crawl(
    session: Session,
    *,
    root_id: int,
    reason: CrawlReason,
    now: datetime,
    workspace_id: int | None = None,
    requested_by: int | None = None,
    rate: int | None = None,
    cross_filesystems: bool = False,
) -> Crawl:
    """A queued crawl of a root, or of one workspace in it: the one that was asked for already, or a new one.

    Raises Invalid for a rate below 1. What nobody waits for is crawled gently. An owner who asks for a crawl of a
    workspace gets one of its own, for that of the root is none of theirs. Somebody who asks for what is paused
    lets it go on where it was; what nobody asked for, such as changed settings, needs all of it: it begins again,
    and is wanted since now.
    """
    _check_rate(rate)
    gentle = reason is not CrawlReason.REQUEST
    waiting = _not_begun(session, root_id)
    for crawl in waiting:
        covers = crawl.workspace_id == workspace_id or (gentle and crawl.workspace_id is None)
        if covers and crawl.cross_filesystems == cross_filesystems:
            if gentle:
                crawl.created_at, crawl.position = now, None
            else:
                crawl.reason, crawl.gentle, crawl.requested_by = reason, False, requested_by
                crawl.rate = rate if rate is not None else crawl.rate
            return crawl
    if gentle and workspace_id is not None and len(waiting) >= MAX_SINGLE:
        workspace_id = None
    if workspace_id is None:
        for crawl in waiting:
            if crawl.gentle and crawl.cross_filesystems == cross_filesystems:
                session.delete(crawl)
    begun = _to_take_up(session, root_id, workspace_id, cross_filesystems=cross_filesystems)
    if begun is not None:
        begun.state = CrawlState.QUEUED
        begun.reason, begun.gentle, begun.requested_by = reason, gentle, requested_by
        begun.rate = rate if gentle or rate is not None else begun.rate
        if gentle:
            begun.created_at = now
            begun.started_at = begun.position = None
        session.flush()
        return begun
    made = Crawl(
        root_id=root_id,
        workspace_id=workspace_id,
        state=CrawlState.QUEUED,
        reason=reason,
        requested_by=requested_by,
        created_at=now,
        rate=rate,
        gentle=gentle,
        cross_filesystems=cross_filesystems,
    )
    session.add(made)
    session.flush()
    return made


def request_crawls_of_node(session: Session, *, node_id: int, now: datetime) -> None:
    """Of all roots of a node, after what it shows was changed."""
    for root_id in session.scalars(select(Root.id).where(Root.node_id == node_id).order_by(Root.id)):
        _crawl_for_change(session, _own_indexing(session, root_id), now)


def pause_crawl(crawl: Crawl) -> None:
    """Its worker hears of it within a second or two. Raises Conflict when it isn't under way."""
    if crawl.state not in (CrawlState.QUEUED, CrawlState.RUNNING):
        paused = crawl.state == CrawlState.PAUSED
        why = "is paused already; `wio crawl resume` lets it go on" if paused else _ended(crawl)
        raise Conflict(f"Crawl {crawl.id} {why}.", code="crawl_not_running")
    crawl.state = CrawlState.PAUSED
    crawl.entries_per_second = crawl.seconds_left = None


def resume_crawl(crawl: Crawl) -> None:
    """It goes on where it was. Raises Conflict when it isn't paused."""
    if crawl.state != CrawlState.PAUSED:
        waits = "waits for the worker" if crawl.state == CrawlState.QUEUED else "is running"
        opened = crawl.state in (CrawlState.QUEUED, CrawlState.RUNNING)
        why = f"{waits} already; `wio crawl status` shows how far it is" if opened else _ended(crawl)
        raise Conflict(f"Crawl {crawl.id} {why}.", code="crawl_not_paused")
    crawl.state = CrawlState.QUEUED


def _ended(crawl: Crawl) -> str:
    how = "failed" if crawl.state == CrawlState.FAILED else "is done"
    return f"{how} already; `wio crawl start` begins another"


def indexing_of(session: Session, root_id: int) -> RootIndexing:
    """What was chosen for the root, or the defaults, in no session."""
    return session.get(RootIndexing, root_id) or _defaults(root_id)


def set_indexing(
    session: Session,
    *,
    root_id: int,
    now: datetime,
    level: IndexLevel | None = None,
    rate: object = UNCHANGED,
    exclusions: Sequence[str] | None = None,
    crawl_every_seconds: object = UNCHANGED,
    cross_filesystems: bool | None = None,
    content_allowed_bytes: object = UNCHANGED,
) -> RootIndexing:
    """Change what is given. What is indexed is made so by a crawl. Raises Invalid."""
    row = _own_indexing(session, root_id)
    before = (row.level, list(row.exclusions), row.cross_filesystems)
    if level is not None:
        row.level = level.value
    if exclusions is not None:
        row.exclusions = _checked_exclusions(exclusions)
    if cross_filesystems is not None:
        row.cross_filesystems = cross_filesystems
    if rate is not UNCHANGED:
        row.rate = _check_rate(rate)
    if crawl_every_seconds is not UNCHANGED:
        row.crawl_every_seconds = _check_every(crawl_every_seconds)
    if content_allowed_bytes is not UNCHANGED:
        row.content_allowed_bytes = _check_bytes(content_allowed_bytes)
    session.flush()
    if (row.level, list(row.exclusions), row.cross_filesystems) != before:
        _crawl_for_change(session, row, now)
    return row


def _own_indexing(session: Session, root_id: int) -> RootIndexing:
    row = session.get(RootIndexing, root_id)
    if row is None:
        row = _defaults(root_id)
        session.add(row)
    return row


def _crawl_for_change(session: Session, row: RootIndexing, now: datetime) -> None:
    row.changed_at = now
    request_crawl(session, root_id=row.root_id, reason=CrawlReason.SETTINGS, now=now)


def _not_begun(session: Session, root_id: int) -> list[Crawl]:
    """Locked: no worker takes one before what was decided on is committed, and goes by what was before."""
    query = select(Crawl).where(
        Crawl.root_id == root_id, Crawl.state == CrawlState.QUEUED, Crawl.started_at.is_(None)
    )
    return list(session.scalars(query.order_by(Crawl.id).with_for_update()))


def _to_take_up(
    session: Session, root_id: int, workspace_id: int | None, *, cross_filesystems: bool
) -> Crawl | None:
    """One of the same place that is paused; where many are open, one that was put back."""
    query = select(Crawl).where(
        Crawl.root_id == root_id,
        Crawl.workspace_id.is_(None) if workspace_id is None else Crawl.workspace_id == workspace_id,
        Crawl.cross_filesystems == cross_filesystems,
        Crawl.state.in_([CrawlState.QUEUED.value, CrawlState.RUNNING.value, CrawlState.PAUSED.value]),
    )
    opened = list(session.scalars(query.order_by(Crawl.id).with_for_update()))
    paused = [crawl for crawl in opened if crawl.state == CrawlState.PAUSED]
    if paused:
        return paused[-1]
    queued = [crawl for crawl in opened if crawl.state == CrawlState.QUEUED]
    return queued[-1] if queued and len(opened) >= MAX_OPEN else None


def _defaults(root_id: int) -> RootIndexing:
    return RootIndexing(
        root_id=root_id,
        level=IndexLevel.NAMES.value,
        rate=None,
        exclusions=[],
        crawl_every_seconds=86_400,
        cross_filesystems=False,
        content_allowed_bytes=None,
        content_read_bytes=0,
    )


def _check_rate(rate: object) -> int | None:
    if rate is None:
        return None
    if not isinstance(rate, int) or not 1 <= rate <= MAX_RATE:
        raise Invalid(f"A rate is a number of entries a second from 1 to {MAX_RATE}.", code="invalid_rate")
    return rate


def _check_every(seconds: object) -> int | None:
    if seconds is None:
        return None
    if not isinstance(seconds, int) or not MIN_EVERY_SECONDS <= seconds <= MAX_EVERY_SECONDS:
        raise Invalid("Crawls are at least a minute and at most ten years apart.", code="invalid_schedule")
    return seconds


def _check_bytes(allowed: object) -> int | None:
    if allowed is None:
        return None
    if not isinstance(allowed, int) or not 0 <= allowed < 2**63:
        raise Invalid("A number of bytes is 0 or more.", code="invalid_bytes")
    return allowed


def _checked_exclusions(patterns: Sequence[str]) -> list[str]:
    if len(patterns) > MAX_EXCLUSIONS:
        raise Invalid(f"A root has at most {MAX_EXCLUSIONS} exclusions.", code="too_many_exclusions")
    for pattern in patterns:
        if not pattern.strip("/") or "\0" in pattern or len(pattern) > MAX_EXCLUSION_CHARACTERS:
            raise Invalid(f"{pattern[:100]!r} is no pattern of a path.", code="invalid_exclusion")
    return list(dict.fromkeys(patterns))
