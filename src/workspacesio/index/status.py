"""What the index holds, how far it is behind, and how each root is kept true: for `wio index status` and the API.

Sizes and delays of the whole are the service's business, so administrators read them. Of a root its managers read
how much is indexed and when it was crawled; everybody else reads whether the index answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, select, text
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl, IndexLease, RootIndexing
from workspacesio.database.journal_tables import ObjectEvent
from workspacesio.database.tables import Root, Workspace
from workspacesio.database.visible_places import managed_roots
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.facts import Target
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action, CrawlState, IndexLevel
from workspacesio.index.catalogue import Usage
from workspacesio.index.event_rows import events_waiting
from workspacesio.index.extraction.missing import missing_libraries
from workspacesio.index.extraction.registry import installed
from workspacesio.index.extraction.waiting import Waiting, waiting_contents
from workspacesio.index.freshness import KeptBy, KnownFreshness, freshness_of_roots, while_silent
from workspacesio.index.leases import INDEX_WRITER, worker_silent_since
from workspacesio.index.notes import Note
from workspacesio.index.opening import IndexReader
from workspacesio.services.actors import Actor
from workspacesio.services.crawl_requests import indexing_of

_OPEN = (CrawlState.QUEUED, CrawlState.RUNNING, CrawlState.PAUSED)
_ENDED = (CrawlState.DONE, CrawlState.FAILED)

# In these words, in which the partial index has them.
_WAITING = text(
    "SELECT workspaces.root_id, min(object_events.at) AS at FROM object_events "
    "JOIN workspaces ON workspaces.id = object_events.workspace_id WHERE NOT indexed GROUP BY workspaces.root_id"
).columns(root_id=BigInteger, at=ObjectEvent.__table__.c.at.type)


class IndexState(StrEnum):
    """`building`: it is filled, and answers lack something meanwhile; `away`: it can't be asked now."""

    READY = "ready"
    BUILDING = "building"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Whole:
    """For administrators. None where it can't be read now.

    `behind`: changes of the catalogue that the engine doesn't hold yet. `waiting_since`: when the oldest of
    `events_waiting` happened. `worker_seen_at`: when the worker last said that it is there.
    """

    engine: str | None
    entries: int | None
    objects: int | None
    bytes: int | None
    engine_bytes_on_disk: int | None
    catalogue_bytes_on_disk: int | None
    behind: int | None
    events_waiting: int
    waiting_since: datetime | None
    worker_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class RootStatus:
    """`freshness`: None while the worker hasn't looked. `lag_seconds`: how old the oldest change may be that isn't
    found yet; None where that isn't known, or there is no workspace. `contents`: what is to be read still of the
    objects that are indexed; None where nothing but names is wanted, or that can't be counted now.
    `contents_lag_seconds`: for how long the oldest of them has waited; None also where that isn't known yet."""

    root: str
    indexing: RootIndexing
    objects: int
    bytes: int
    freshness: KnownFreshness | None
    lag_seconds: float | None
    last_crawl: Crawl | None
    open_crawl: Crawl | None
    contents: Waiting | None
    contents_lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """`whole` is None for all but administrators. `notes`: what would have more of contents be read."""

    state: IndexState
    incomplete: tuple[Note, ...]
    whole: Whole | None
    roots: tuple[RootStatus, ...]
    notes: tuple[Note, ...]


def index_status(session: Session, *, index: IndexReader, actor: Actor, now: datetime) -> IndexStatus:
    """As much as the caller may know."""
    incomplete = tuple(Note(code, sentence) for code, sentence in index.incomplete())
    sees_whole = bool(decide(actor.caller, Action.SEE_AUDIT, Target(), now))
    roots = tuple(_roots(session, index, actor, now))
    reads = any(root.indexing.level == IndexLevel.CONTENT for root in roots)
    return IndexStatus(
        _state(index, incomplete),
        incomplete,
        _whole(session, index) if sees_whole else None,
        roots,
        tuple(missing_libraries(installed())) if reads else (),
    )


def _state(index: IndexReader, incomplete: tuple[Note, ...]) -> IndexState:
    try:
        index.engine().entries()
    except Unavailable:
        return IndexState.AWAY
    return IndexState.BUILDING if incomplete else IndexState.READY


def _whole(session: Session, index: IndexReader) -> Whole:
    waiting, since = events_waiting(session)
    lease = session.get(IndexLease, INDEX_WRITER)
    kind = entries = engine_bytes = behind = None
    held: Usage | None = None
    catalogue_bytes = None
    try:
        held = index.catalogue.totals()
        catalogue_bytes = index.catalogue.store.bytes_on_disk()
        rows = [row for row in index.catalogue.engines() if row.state != "retired"]
        if rows:
            row = min(rows, key=lambda one: (one.state != "serving", one.number))
            kind, behind = row.kind, max(0, index.catalogue.change_number() - row.holds)
            engine = index.engines()(row.kind, row.number)
            engine_bytes = None if engine is None else engine.size_bytes()
        entries = index.engine().entries()
    except Unavailable:
        pass
    return Whole(
        engine=kind,
        entries=entries,
        objects=None if held is None else held.objects,
        bytes=None if held is None else held.bytes,
        engine_bytes_on_disk=engine_bytes,
        catalogue_bytes_on_disk=catalogue_bytes,
        behind=behind,
        events_waiting=waiting,
        waiting_since=since,
        worker_seen_at=None if lease is None else lease.heartbeat_at,
    )


def _roots(session: Session, index: IndexReader, actor: Actor, now: datetime) -> list[RootStatus]:
    roots = session.scalars(select(Root).where(Root.id.in_(managed_roots(actor.caller))).order_by(Root.name)).all()
    if not roots:
        return []
    held = _held(session, index, roots)
    contents = _contents(session, index, roots)
    freshness = freshness_of_roots(session)
    silent_since = worker_silent_since(session, now)
    if silent_since is not None:
        freshness = while_silent(freshness, silent_since)
    waiting: dict[int, datetime] = {row.root_id: row.at for row in session.execute(_WAITING)}
    filled = set(session.scalars(select(Workspace.root_id).distinct()))
    found = []
    for root in roots:
        known, done = freshness.get(root.id), _newest(session, root, (CrawlState.DONE,))
        not_heard = [at for at in (waiting.get(root.id), silent_since) if at is not None]
        objects, size = held.get(root.id, (0, 0))
        found.append(
            RootStatus(
                root=root.name,
                indexing=indexing_of(session, root.id),
                objects=objects,
                bytes=size,
                freshness=known,
                lag_seconds=_lag(known, min(not_heard, default=None), done, now) if root.id in filled else None,
                last_crawl=_newest(session, root, _ENDED),
                open_crawl=_newest(session, root, _OPEN),
                contents=contents.get(root.id),
                contents_lag_seconds=_contents_lag(contents.get(root.id), now),
            )
        )
    return found


def _held(session: Session, index: IndexReader, roots: Sequence[Root]) -> dict[int, tuple[int, int]]:
    """Objects and bytes by root; nothing where the catalogue can't be read."""
    try:
        totals = index.catalogue.workspace_totals()
    except Unavailable:
        return {}
    inside = select(Workspace.id, Workspace.root_id).where(Workspace.root_id.in_([root.id for root in roots]))
    held: dict[int, tuple[int, int]] = {}
    for workspace_id, root_id in session.execute(inside):
        usage = totals.get(workspace_id)
        if usage is not None:
            objects, size = held.get(root_id, (0, 0))
            held[root_id] = objects + usage.objects, size + usage.bytes
    return held


def _contents(session: Session, index: IndexReader, roots: Sequence[Root]) -> dict[int, Waiting]:
    try:
        return waiting_contents(session, index.catalogue, installed(), root_ids={root.id for root in roots})
    except Unavailable:
        return {}


def _newest(session: Session, root: Root, states: Sequence[CrawlState]) -> Crawl | None:
    query = select(Crawl).where(Crawl.root_id == root.id, Crawl.state.in_([state.value for state in states]))
    return session.scalar(query.order_by(Crawl.id.desc()).limit(1))


def _lag(
    known: KnownFreshness | None, waiting_since: datetime | None, done: Crawl | None, now: datetime
) -> float | None:
    if known is not None and known.freshness.kept_by is not KeptBy.CRAWLS:
        return 0.0 if waiting_since is None else max(0.0, (now - waiting_since).total_seconds())
    if done is None or done.ended_at is None:
        return None
    return max(0.0, (now - done.ended_at).total_seconds())


def _contents_lag(waiting: Waiting | None, now: datetime) -> float | None:
    if waiting is None:
        return None
    if not waiting.objects:
        return 0.0
    return None if waiting.since is None else max(0.0, (now - waiting.since).total_seconds())
