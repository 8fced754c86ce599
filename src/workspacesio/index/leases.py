"""A lease: at most one process of an installation does something, here writing the index.

The holder raises a number every BEAT_SECONDS. Who wants the lease watches it, by a clock of its own, and
takes over where it has stood still for STALE_SECONDS; a holder that can't raise it stops LOST_SECONDS after it
last could, which is sooner. Each holder has a higher `fence`, by which what an earlier one writes is refused.

A state folder has one worker at a time, by a lock that ends with the process: so one that was killed is followed
at once by the next on the same folder, and by others after they have waited.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import IndexLease
from workspacesio.database.sessions import Database

BEAT_SECONDS = 5.0
LOST_SECONDS = 15.0
STALE_SECONDS = 20.0

SILENT_SECONDS = 30.0
"""After so long without a sign of the worker, nothing is said to be heard; it gives one every few seconds."""

INDEX_WRITER = "index_writer"
_NOBODY = ""


class Home:
    """The lock of a state folder's `index` folder, and the random name by which the folder is known.

    `beat`: the lease's when a process last worked here. A database that knows only a smaller one was restored.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "worker.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.name = ""
        self.beat = 0

    def hold(self) -> bool:
        """False while another process has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not self.name:
            name, _, beat = os.pread(self._descriptor, 64, 0).decode("ascii", "replace").partition(" ")
            is_whole = len(name) == 32 and beat.isdecimal()
            self.name, self.beat = (name, int(beat)) if is_whole else (secrets.token_hex(16), 0)
            self.note(self.beat)
        return True

    def note(self, beat: int) -> None:
        """While it is held."""
        self.beat = beat
        os.pwrite(self._descriptor, f"{self.name} {beat:020}".encode(), 0)

    def close(self) -> None:
        os.close(self._descriptor)


class Lease:
    """All methods raise Unavailable while the database is away. `seconds` is a monotonic clock.

    `holder` begins with `home`, which the caller alone holds: another holder of that home is dead.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        holder: str,
        *,
        home: str,
        clock: Callable[[], datetime],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fence = 0
        self.beat = 0
        self.beat_before = 0
        """As it was found when the lease was taken."""
        self._home = home
        self._database = database
        self._name = name
        self._holder = holder
        self._clock = clock
        self._seconds = seconds
        self._seen: tuple[str, int, int] | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0

    def take(self) -> bool:
        """Whether it is ours now; to be asked every few seconds while it isn't."""
        asked_at = self._seconds()
        try:
            with self._database.journal(durable=True) as session:
                row = session.get(IndexLease, self._name, with_for_update=True)
                if row is None:
                    row = IndexLease(name=self._name, holder=_NOBODY, fence=0, beat=0)
                    row.heartbeat_at = row.until = self._clock()
                    session.add(row)
                is_free = row.holder == _NOBODY or row.holder.startswith(self._home)
                if not is_free and not self._stood_still(row):
                    return False
                row.holder = self._holder
                beat_before = row.beat
                row.fence += 1
                row.beat += 1
                row.heartbeat_at = self._clock()
                row.until = row.heartbeat_at + timedelta(seconds=STALE_SECONDS)
                self.fence, self.beat, self.beat_before = row.fence, row.beat, beat_before
        except IntegrityError:  # another made the row at the same time
            return False
        self._renewed_at = asked_at
        return True

    def renew(self) -> bool:
        """Whether it is ours still. Durable: the catalogue keeps the beat too, and one that a power cut took back
        here would tell that the database was restored, and throw the whole index away."""
        asked_at = self._seconds()
        now = self._clock()
        with self._database.journal(durable=True) as session:
            renewed = session.execute(
                update(IndexLease)
                .where(IndexLease.name == self._name, IndexLease.fence == self.fence)
                .where(IndexLease.holder == self._holder)
                .values(beat=IndexLease.beat + 1, heartbeat_at=now, until=now + timedelta(seconds=STALE_SECONDS))
                .returning(IndexLease.beat)
            ).first()
        if renewed is not None:
            self._renewed_at, self.beat = asked_at, renewed.beat
        return renewed is not None

    def is_due(self) -> bool:
        return self._seconds() - self._renewed_at >= BEAT_SECONDS

    def is_lost(self) -> bool:
        """Nobody could renew it for so long that another may take it soon."""
        return self._seconds() - self._renewed_at >= LOST_SECONDS

    def give_back(self) -> None:
        """So that the next needs not wait."""
        with self._database.journal() as session:
            session.execute(
                update(IndexLease)
                .where(IndexLease.name == self._name, IndexLease.fence == self.fence)
                .where(IndexLease.holder == self._holder)
                .values(holder=_NOBODY, until=self._clock())
            )

    def _stood_still(self, row: IndexLease) -> bool:
        seen = row.holder, row.fence, row.beat
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._seconds()
        return self._seconds() - self._seen_at >= STALE_SECONDS


def worker_silent_since(session: Session, now: datetime) -> datetime | None:
    """When the index worker was heard of last, if that is too long ago."""
    lease = session.get(IndexLease, INDEX_WRITER)
    if lease is None or (now - lease.heartbeat_at).total_seconds() < SILENT_SECONDS:
        return None
    return lease.heartbeat_at
