"""The crawls that wait, and the one that somebody is at: what happens to their rows.

    queued -> running -> done | failed
                      -> queued     put back by a worker that stops, or whose lease ran out
                      -> paused     by people; resumed it is queued again

Whoever takes a crawl holds a lease on its root, renewed with every report; a unique index keeps two from holding
one. What is written here carries no rights. A report that finds the row in other hands, paused or gone answers
False, and the worker lets go.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl
from workspacesio.database.journal_tables import Usage
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.crawl_reasons import ROOT_MISSING
from workspacesio.domain.errors import Invalid
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel
from workspacesio.index.crawl_schedule import schedule
from workspacesio.index.progress import Progress
from workspacesio.services.crawl_requests import indexing_of

LEASE = timedelta(minutes=5)
"""Longer than any one folder takes to be listed on a slow disk."""
KEPT_PER_ROOT = 50

MOST_SILENT = 4
"""Of the roots of one node, from whose storage nothing comes: each holds a thread, so the others then wait."""

_FIRST = {CrawlReason.REQUEST: 0, CrawlReason.IMPORT: 1, CrawlReason.CREATE: 1, CrawlReason.SETTINGS: 2}
_LAST = 3


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
        self.silent: tuple[TakenCrawl, ...] = ()
        """Those that threads of this worker still are at though nothing comes; whoever has the threads says so."""
        self._resting: dict[int, datetime] = {}
        """Until when crawls are not taken again."""

    def take(self) -> TakenCrawl | None:
        """The next one of a root that nobody is at, if there is one."""
        now = self._clock()
        if not self._may_take(now):
            return None
        try:
            with self._database.journal() as session:
                still = [crawl.id for crawl in self.silent]
                _end_leases(session, and_(Crawl.lease_until <= now, Crawl.id.not_in(still)))
                crawl = _next(session, self._may_begin())
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
        waits = and_(Crawl.state == CrawlState.QUEUED.value, self._may_begin())
        with self._database.read() as session:
            found = select(Crawl.id).where(or_(waits, Crawl.lease_until <= now)).limit(1)
            return session.scalar(found) is not None

    def _may_begin(self) -> ColumnElement[bool]:
        """Of a crawl, that it doesn't rest, and that there is a thread for its node."""
        now = self._clock()
        resting = [crawl_id for crawl_id, until in self._resting.items() if until > now]
        silent = Counter(crawl.node_id for crawl in self.silent)
        full = [node_id for node_id, count in silent.items() if count >= MOST_SILENT]
        on_full = select(Root.id).where(Root.node_id.in_(full))
        return and_(Crawl.id.not_in(resting), Crawl.root_id.not_in(on_full) if full else true())

    def take_over(self) -> int:
        """Put back what other workers held. Only for who knows that none of them lives any more."""
        with self._database.journal() as session:
            return _end_leases(session, Crawl.lease_holder != self._holder)

    def report(self, crawl_id: int, progress: Progress) -> bool:
        """How far it is; the lease is renewed. False: let go."""
        return self._write(crawl_id, progress, CrawlState.RUNNING)

    def is_more_urgent(self, taken: TakenCrawl, *, rests: bool = False) -> bool:
        """Whether one waits that somebody wants sooner than this one, or any while this one rests anyway; then
        this is put back for a while."""
        sooner = [reason.value for reason, rank in _FIRST.items() if rank < _rank(taken.reason)]
        busy = select(Crawl.root_id).where(Crawl.lease_holder.is_not(None), Crawl.id != taken.id)
        wanted = true() if rests else Crawl.reason.in_(sooner)
        waits = [Crawl.state == CrawlState.QUEUED.value, wanted, self._may_begin()]
        query = select(Crawl.id).where(*waits, Crawl.root_id.not_in(busy))
        with self._database.read() as session:
            return session.scalar(query.limit(1)) is not None

    def tell_silence(self, crawl_id: int, since: datetime) -> None:
        """Nothing comes from its storage since then, and who is at it can't say so. The lease is renewed."""
        problem = (
            f"Nothing has come from the root's storage since {since:%Y-%m-%d %H:%M:%S} UTC; see that it is "
            "mounted and answers. The crawl goes on when it does; other roots are crawled meanwhile."
        )
        held = [Crawl.id == crawl_id, Crawl.lease_holder == self._holder]
        with self._database.journal() as session:
            session.execute(update(Crawl).where(*held).values(lease_until=self._clock() + LEASE))
            running = Crawl.state == CrawlState.RUNNING.value
            values = {"problem": problem, "away": True, "entries_per_second": None, "seconds_left": None}
            session.execute(update(Crawl).where(*held, running).values(**values))

    def put_back(self, crawl_id: int, progress: Progress, *, rest: float = 0.0) -> bool:
        """`rest`: for so many seconds it isn't taken again."""
        if rest > 0:
            now = self._clock()
            still = {other: until for other, until in self._resting.items() if until > now}
            self._resting = {**still, crawl_id: now + timedelta(seconds=rest)}
        return self._write(crawl_id, progress, CrawlState.QUEUED)

    def finish(self, crawl_id: int, progress: Progress) -> bool:
        return self._write(crawl_id, progress, CrawlState.DONE, away=ROOT_MISSING in progress.problems.found)

    def fail(self, crawl_id: int, progress: Progress, problem: str, *, away: bool = False) -> bool:
        """Of one whose counts can't be written nothing else is kept, or it would be taken again for ever."""
        try:
            return self._write(crawl_id, progress, CrawlState.FAILED, problem, away=away)
        except Invalid:
            return self._write(crawl_id, Progress(), CrawlState.FAILED, problem, away=away)

    def let_go(self, crawl_id: int) -> None:
        """Of one that is no longer this worker's to go on with: paused, or gone."""
        with self._database.journal() as session:
            session.execute(
                update(Crawl)
                .where(Crawl.id == crawl_id, Crawl.lease_holder == self._holder)
                .values(lease_holder=None, lease_until=None, problem=None)
            )

    def _write(
        self,
        crawl_id: int,
        progress: Progress,
        state: CrawlState,
        problem: str | None = None,
        *,
        away: bool = False,
    ) -> bool:
        now = self._clock()
        values: dict[str, Any] = {**progress.row(), "state": state.value, "problem": problem, "away": away}
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
                made += schedule(session, root_id, now)
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
    running = Crawl.state == CrawlState.RUNNING.value
    session.execute(update(Crawl).where(*held, running).values(state=CrawlState.QUEUED.value, problem=None))
    ended = session.execute(update(Crawl).where(*held).values(lease_holder=None, lease_until=None))
    return int(ended.rowcount)  # type: ignore[attr-defined]


def _next(session: Session, may_begin: ColumnElement[bool]) -> Crawl | None:
    busy = select(Crawl.root_id).where(Crawl.lease_holder.is_not(None))
    waiting = session.scalars(
        select(Crawl)
        .where(Crawl.state == CrawlState.QUEUED.value, Crawl.root_id.not_in(busy), may_begin)
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
