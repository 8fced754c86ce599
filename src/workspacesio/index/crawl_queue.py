"""The crawls that wait, and the one that somebody is at: what happens to their rows.

    queued -> running -> done | failed
                      -> queued     put back by a worker that stops, or whose lease ran out
                      -> paused     by people; resumed it is queued again

Whoever takes a crawl holds a lease on its root, renewed with every report; a unique index keeps two from holding
one. What is written here carries no rights. A report that finds the row in other hands, paused or gone answers
False, and the worker lets go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl
from workspacesio.database.journal_tables import Usage
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel
from workspacesio.index.progress import Progress
from workspacesio.services.crawl_requests import indexing_of, request_crawl

LEASE = timedelta(minutes=5)
"""Longer than any one folder takes to be listed on a slow disk."""
RETRY_AFTER = timedelta(minutes=10)
KEPT_PER_ROOT = 50

_FIRST = {CrawlReason.REQUEST: 0, CrawlReason.IMPORT: 1, CrawlReason.CREATE: 1, CrawlReason.SETTINGS: 2}
_LAST = 3
_OPEN = [CrawlState.QUEUED.value, CrawlState.RUNNING.value, CrawlState.PAUSED.value]


@dataclass(frozen=True, slots=True)
class TakenCrawl:
    """A crawl that this worker is at, and what it goes by. `progress` is where it was the last time."""

    id: int
    root_id: int
    root: str
    node_id: int
    workspace_id: int | None
    reason: CrawlReason
    level: IndexLevel
    rate: int | None
    gentle: bool
    exclusions: tuple[str, ...]
    cross_filesystems: bool
    expected_entries: int | None
    progress: Progress


class CrawlQueue:
    """`holder` names this worker and no other, also not this one after a restart."""

    def __init__(self, database: Database, holder: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._holder = holder
        self._clock = clock

    def take(self) -> TakenCrawl | None:
        """The next one of a root that nobody is at, if there is one."""
        now = self._clock()
        if not self._may_take(now):
            return None
        try:
            with self._database.journal() as session:
                _end_leases(session, Crawl.lease_until <= now)
                crawl = _next(session)
                if crawl is None:
                    return None
                crawl.state = CrawlState.RUNNING
                crawl.started_at = crawl.started_at or now
                crawl.lease_holder, crawl.lease_until = self._holder, now + LEASE
                crawl.problem = None
                crawl.expected_entries = _expected(session, crawl)
                session.flush()
                return _taken(session, crawl)
        except IntegrityError:
            return None

    def _may_take(self, now: datetime) -> bool:
        """Looked at first, so that an idle worker writes nothing."""
        waits = Crawl.state == CrawlState.QUEUED.value
        with self._database.read() as session:
            found = select(Crawl.id).where(or_(waits, Crawl.lease_until <= now)).limit(1)
            return session.scalar(found) is not None

    def take_over(self) -> int:
        """Put back what other workers held. Only for who knows that none of them lives any more."""
        with self._database.journal() as session:
            return _end_leases(session, Crawl.lease_holder != self._holder)

    def report(self, crawl_id: int, progress: Progress) -> bool:
        """How far it is; the lease is renewed. False: let go."""
        return self._write(crawl_id, progress, CrawlState.RUNNING)

    def is_more_urgent(self, taken: TakenCrawl) -> bool:
        """Whether one waits that somebody wants sooner than this one; then this is put back for a while."""
        sooner = [reason.value for reason, rank in _FIRST.items() if rank < _rank(taken.reason)]
        busy = select(Crawl.root_id).where(Crawl.lease_holder.is_not(None), Crawl.id != taken.id)
        query = select(Crawl.id).where(
            Crawl.state == CrawlState.QUEUED.value, Crawl.reason.in_(sooner), Crawl.root_id.not_in(busy)
        )
        with self._database.read() as session:
            return session.scalar(query.limit(1)) is not None

    def put_back(self, crawl_id: int, progress: Progress) -> bool:
        return self._write(crawl_id, progress, CrawlState.QUEUED)

    def finish(self, crawl_id: int, progress: Progress) -> bool:
        return self._write(crawl_id, progress, CrawlState.DONE)

    def fail(self, crawl_id: int, progress: Progress, problem: str) -> bool:
        return self._write(crawl_id, progress, CrawlState.FAILED, problem)

    def let_go(self, crawl_id: int) -> None:
        """Of one that is no longer this worker's to go on with: paused, or gone."""
        with self._database.journal() as session:
            session.execute(
                update(Crawl)
                .where(Crawl.id == crawl_id, Crawl.lease_holder == self._holder)
                .values(lease_holder=None, lease_until=None)
            )

    def _write(self, crawl_id: int, progress: Progress, state: CrawlState, problem: str | None = None) -> bool:
        now = self._clock()
        values: dict[str, Any] = {**progress.row(), "state": state.value, "problem": problem}
        if state is CrawlState.RUNNING:
            values["lease_until"] = now + LEASE
        else:
            values |= {"lease_holder": None, "lease_until": None, "entries_per_second": None, "seconds_left": None}
        if state in (CrawlState.DONE, CrawlState.FAILED):
            values["ended_at"] = now
        if state is CrawlState.DONE:
            values["position"] = None
        with self._database.journal() as session:
            written = session.execute(
                update(Crawl)
                .where(
                    Crawl.id == crawl_id,
                    Crawl.lease_holder == self._holder,
                    Crawl.state == CrawlState.RUNNING.value,
                )
                .values(**values)
            )
            return bool(written.rowcount)  # type: ignore[attr-defined]

    def schedule_due(self) -> int:
        """Queue crawls of roots whose time has come or that never had one, and again of those that failed."""
        now = self._clock()
        made = 0
        with self._database.journal() as session:
            for root_id in session.scalars(select(Root.id).order_by(Root.id)).all():
                made += _schedule(session, root_id, now)
        return made

    def forget_old(self) -> int:
        """Keep the newest of each root, its own last, and the last that is done of it and of each workspace."""
        with self._database.journal() as session:
            rank = func.row_number().over(partition_by=Crawl.root_id, order_by=Crawl.id.desc())
            ranked = select(Crawl.id, rank.label("rank")).where(Crawl.ended_at.is_not(None)).subquery()
            last_done = (
                select(func.max(Crawl.id))
                .where(Crawl.state == CrawlState.DONE.value)
                .group_by(Crawl.root_id, Crawl.workspace_id)
            )
            old = list(session.scalars(select(ranked.c.id).where(ranked.c.rank > KEPT_PER_ROOT)))
            last_of_root = select(func.max(Crawl.id)).where(Crawl.workspace_id.is_(None)).group_by(Crawl.root_id)
            kept = {*session.scalars(last_done), *session.scalars(last_of_root)}
            gone = [crawl_id for crawl_id in old if crawl_id not in kept]
            session.execute(delete(Crawl).where(Crawl.id.in_(gone)))
            return len(gone)


def _end_leases(session: Session, which: Any) -> int:
    """What was running goes on later where it was; what was paused stays so."""
    held = [Crawl.lease_holder.is_not(None), which]
    session.execute(
        update(Crawl).where(*held, Crawl.state == CrawlState.RUNNING.value).values(state=CrawlState.QUEUED.value)
    )
    ended = session.execute(update(Crawl).where(*held).values(lease_holder=None, lease_until=None))
    return int(ended.rowcount)  # type: ignore[attr-defined]


def _next(session: Session) -> Crawl | None:
    busy = select(Crawl.root_id).where(Crawl.lease_holder.is_not(None))
    waiting = session.scalars(
        select(Crawl)
        .where(Crawl.state == CrawlState.QUEUED.value, Crawl.root_id.not_in(busy))
        .order_by(Crawl.id)
        .with_for_update(skip_locked=True)
    )
    return min(waiting, key=lambda crawl: (_rank(CrawlReason(crawl.reason)), crawl.id), default=None)


def _rank(reason: CrawlReason) -> int:
    return _FIRST.get(reason, _LAST)


def _taken(session: Session, crawl: Crawl) -> TakenCrawl:
    root = session.get_one(Root, crawl.root_id)
    indexing = indexing_of(session, root.id)
    return TakenCrawl(
        id=crawl.id,
        root_id=root.id,
        root=root.name,
        node_id=root.node_id,
        workspace_id=crawl.workspace_id,
        reason=CrawlReason(crawl.reason),
        level=IndexLevel(indexing.level),
        rate=crawl.rate if crawl.rate is not None else indexing.rate,
        gentle=crawl.gentle,
        exclusions=tuple(indexing.exclusions),
        cross_filesystems=crawl.cross_filesystems or indexing.cross_filesystems,
        expected_entries=crawl.expected_entries,
        progress=Progress.of_row(crawl),
    )


def _expected(session: Session, crawl: Crawl) -> int | None:
    """As many as the last one like it found, else as the workspaces' usage says."""
    last = session.scalar(
        select(Crawl.entries)
        .where(
            Crawl.root_id == crawl.root_id,
            Crawl.workspace_id.is_(crawl.workspace_id)
            if crawl.workspace_id is None
            else Crawl.workspace_id == crawl.workspace_id,
            Crawl.state == CrawlState.DONE.value,
        )
        .order_by(Crawl.id.desc())
        .limit(1)
    )
    if last is not None:
        return last
    used = select(func.sum(Usage.objects)).join(Workspace, Workspace.id == Usage.workspace_id)
    of = Workspace.root_id == crawl.root_id if crawl.workspace_id is None else Workspace.id == crawl.workspace_id
    counted = session.scalar(used.where(of))
    return None if counted is None else int(counted)  # PostgreSQL adds up to a decimal number


def _schedule(session: Session, root_id: int, now: datetime) -> int:
    """By the root's own crawls: those that owners ask for of their workspaces neither replace nor delay them."""
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
