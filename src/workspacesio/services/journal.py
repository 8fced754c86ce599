"""The journal of object events and usage: written a little after the bytes, in batches.

Law 7 of the design: bytes first, then the record, then the index. A file with its metadata is the record; what
is written here may be lost with the process, and a crawl repairs it. So a request never waits for the journal.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque

from sqlalchemy import Connection, bindparam, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from workspacesio.database.base import Base
from workspacesio.database.journal_tables import ObjectEvent, Usage
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Workspace
from workspacesio.domain.authority import Event
from workspacesio.domain.errors import Unavailable

FLUSH_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.5
FLUSHING_SHARE = 0.05
"""Of a process's time, what writing the journal may take while events go on coming: then batches get bigger."""
RETRY_SECONDS = 1.0
FLUSH_ROWS = 500
MAX_READ_ROWS = 1000
MAX_WAITING = 200_000
"""Events kept in memory while the database is away; beyond that the oldest go, and the crawl finds them."""

WRITERS_LOCK = 0x776F_6A6F_7572_6E61
"""PostgreSQL's advisory lock that lets one process append at a time. Numbers are given out under it, so they
appear in their order: who has seen one has seen all before it. SQLite writes one after the other anyway."""

_EVENTS = Base.metadata.tables[ObjectEvent.__tablename__]
_USAGE = Base.metadata.tables[Usage.__tablename__]
_APPEND = insert(_EVENTS)
# Locked (PostgreSQL), so that none is removed before its usage is written.
_EXISTING = (
    select(Workspace.id)
    .where(Workspace.id.in_(bindparam("wanted", expanding=True)))
    .order_by(Workspace.id)
    .with_for_update(read=True, key_share=True)
)
_ADD_ON_SQLITE = sqlite_insert(_USAGE)
_ADD_ON_SQLITE = _ADD_ON_SQLITE.on_conflict_do_update(
    index_elements=["workspace_id"],
    set_={name: _USAGE.c[name] + _ADD_ON_SQLITE.excluded[name] for name in ("bytes", "objects")},
)
_ADD_ON_POSTGRESQL = postgresql_insert(_USAGE)
_ADD_ON_POSTGRESQL = _ADD_ON_POSTGRESQL.on_conflict_do_update(
    index_elements=["workspace_id"],
    set_={name: _USAGE.c[name] + _ADD_ON_POSTGRESQL.excluded[name] for name in ("bytes", "objects")},
)

logger = logging.getLogger(__name__)


class JournalCursor:
    """Where a listener of one bucket is: the newest event it has seen. It begins with its first `events_after`."""

    def __init__(self) -> None:
        self.newest: int | None = None


class Journal:
    """One in each process that writes. `start` and `stop` it on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Event] = deque(maxlen=MAX_WAITING)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._stopping.clear()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, then end. What can't be written by then is left to the crawl."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            await self._task
            self._task = None
        await self._flush_or_keep()
        if self._waiting:
            logger.warning("%d events could not be written to the journal", len(self._waiting))

    def add(self, event: Event) -> None:
        self._waiting.append(event)
        if not self._wake.is_set():
            self._wake.set()

    async def _run(self) -> None:
        pause = FLUSH_SECONDS
        while not self._stopping.is_set():
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            self._wake.clear()
            begun = time.monotonic()
            written = await self._flush_or_keep()
            took = time.monotonic() - begun
            pause = min(max(FLUSH_SECONDS, took / FLUSHING_SHARE), LONGEST_PAUSE_SECONDS)
            if not written:
                pause = RETRY_SECONDS
                self._wake.set()

    async def _flush_or_keep(self) -> bool:
        """Whether everything was written; if the database is away, what wasn't is kept in its order."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(FLUSH_ROWS, len(self._waiting)))]
            try:
                await asyncio.to_thread(write_events, self._database, batch)
            except Unavailable:
                self._keep(batch)
                return False
            except Exception:
                # One of them can't be written: it is given up alone.
                logger.exception("%d events could not be written to the journal at once", len(batch))
                if len(batch) > 1:
                    await self._write_one_by_one(batch)
        return True

    def _keep(self, unwritten: list[Event]) -> None:
        """Back to the front; the oldest go where there is no room for all."""
        room = MAX_WAITING - len(self._waiting)
        self._waiting.extendleft(reversed(unwritten[max(0, len(unwritten) - room) :]))

    async def _write_one_by_one(self, batch: list[Event]) -> None:
        for number, event in enumerate(batch):
            try:
                await asyncio.to_thread(write_events, self._database, [event])
            except Unavailable:
                self._keep(batch[number:])
                return
            except Exception:
                logger.exception("an event could not be written to the journal")

    async def events_after(self, cursor: JournalCursor, node_id: int, bucket: str) -> list[Event]:
        return await asyncio.to_thread(read_events, self._database, cursor, node_id, bucket)


def write_events(database: Database, events: list[Event]) -> None:
    """Append to the journal and add to the usage of workspaces that still exist."""
    with database.journal() as session:
        _lock_writers(session, is_sqlite=database.is_sqlite)
        # Of the tables, not of their classes: the session would take longer over them than the database.
        connection = session.connection()
        connection.execute(_APPEND, [_row(event) for event in events])
        changes: dict[int, tuple[int, int]] = {}
        for event in events:
            size, objects = changes.get(event.workspace_id, (0, 0))
            changes[event.workspace_id] = (size + event.delta_bytes, objects + event.delta_objects)
        _add_usage(connection, changes, is_sqlite=database.is_sqlite)


def append_arrivals(session: Session, events: list[Event], *, is_sqlite: bool) -> None:
    """Append what a server told, leaving out what it told before; the caller commits before it is answered.

    A server doesn't say what a write replaced, so the usage of these workspaces is no longer exact.
    """
    if not events:
        return
    _lock_writers(session, is_sqlite=is_sqlite)
    insert_event = (sqlite_insert if is_sqlite else postgresql_insert)(ObjectEvent)
    rows = insert_event.values([_row(event) for event in events])
    session.execute(rows.on_conflict_do_nothing(index_elements=["arrival"]))
    workspaces = sorted({event.workspace_id for event in events})
    session.execute(
        update(Usage).where(Usage.workspace_id.in_(workspaces), Usage.exact.is_(true())).values(exact=False)
    )


def _lock_writers(session: Session, *, is_sqlite: bool) -> None:
    if not is_sqlite:
        session.execute(select(func.pg_advisory_xact_lock(WRITERS_LOCK)))


def _row(event: Event) -> dict[str, object]:
    return {
        "name": event.name,
        "at": event.at,
        "node_id": event.node_id,
        "bucket": event.bucket,
        "key": event.key,
        "workspace_id": event.workspace_id,
        "user_id": event.user_id,
        "size": event.size,
        "etag": event.etag,
        "sequencer": event.sequencer,
        "arrival": event.arrival,
    }


def _add_usage(connection: Connection, changes: dict[int, tuple[int, int]], *, is_sqlite: bool) -> None:
    known = connection.scalars(_EXISTING, {"wanted": sorted(changes)}).all()
    added = [
        {"workspace_id": number, "bytes": changes[number][0], "objects": changes[number][1]}
        for number in known
        if any(changes[number])
    ]
    if added:
        connection.execute(_ADD_ON_SQLITE if is_sqlite else _ADD_ON_POSTGRESQL, added)


def newest_event(session: Session) -> int:
    """The number of the event that was written last; 0 before the first."""
    return session.scalar(select(func.max(ObjectEvent.id))) or 0


def repair_usage(
    database: Database, *, workspace_id: int, node_id: int, bucket: str, since: int, size: int, objects: int
) -> bool:
    """Set what a workspace holds to what was found in storage, from when event `since` was the newest.

    False, and nothing is changed, where an event of the workspace was written after that one: what it added may
    have been found, or not. Under the writers' lock, so that none comes in between.
    """
    with database.journal() as session:
        _lock_writers(session, is_sqlite=database.is_sqlite)
        later = select(ObjectEvent.id).where(
            ObjectEvent.node_id == node_id,
            ObjectEvent.bucket == bucket,
            ObjectEvent.id > since,
            ObjectEvent.workspace_id == workspace_id,
        )
        if session.scalar(later.limit(1)) is not None:
            return False
        set_to = update(Usage).where(Usage.workspace_id == workspace_id)
        changed = session.execute(set_to.values(bytes=size, objects=objects, exact=True))
        return bool(changed.rowcount)  # type: ignore[attr-defined]


def read_events(database: Database, cursor: JournalCursor, node_id: int, bucket: str) -> list[Event]:
    """Events of a bucket ('' is every bucket) that the cursor has not seen, in the order of their numbers."""
    with database.read() as session:
        if cursor.newest is None:
            cursor.newest = session.scalar(select(func.max(ObjectEvent.id))) or 0
            return []
        fresh = select(ObjectEvent).where(ObjectEvent.node_id == node_id, ObjectEvent.id > cursor.newest)
        if bucket:
            fresh = fresh.where(ObjectEvent.bucket == bucket)
        rows = session.scalars(fresh.order_by(ObjectEvent.id).limit(MAX_READ_ROWS)).all()
    if rows:
        cursor.newest = rows[-1].id
    return [_event(row) for row in rows]


def _event(row: ObjectEvent) -> Event:
    return Event(
        row.name,
        row.at,
        row.node_id,
        row.bucket,
        row.key,
        row.workspace_id,
        row.user_id,
        row.size,
        row.etag,
        event_id=row.id,
        sequencer=row.sequencer,
        arrival=row.arrival,
    )
