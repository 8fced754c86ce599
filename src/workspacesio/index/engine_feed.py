"""One engine that is kept equal to the catalogue, or follows it when it was away.

An engine holds everything up to one change of the catalogue. Where it is behind (the process was killed, the
engine was away, or it is new), the folders that changed since are written again, a few at a time, and what
happens meanwhile is met in the next round.
"""

import logging
import sqlite3
import threading
import time
from array import array
from collections.abc import Callable

import psycopg

from workspacesio.domain.errors import Unavailable
from workspacesio.index.catalogue import EngineRow
from workspacesio.index.catalogue_folders import Folders
from workspacesio.index.catalogue_store import CatalogueDamaged
from workspacesio.index.engine import Engine, EngineWriter, Entry
from workspacesio.index.engine_work import EngineWork
from workspacesio.index.packing import NOTHING_READ, Contents, unpack_contents, unpack_etag
from workspacesio.index.statements import Row, Statements

STEP = 5_000
COMMIT_ENTRIES = 100_000
WAITING_ENTRIES = 30_000
"""That a commit holds up in memory; some 400 bytes each."""

_ENTRIES = "SELECT folder_id, name, id, size, modified, etag, looked FROM catalogue_entries WHERE folder_id IN ?*"
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 10.0

logger = logging.getLogger(__name__)


class EngineFeed:
    """`state` as the catalogue's row of it says. `is_behind`: it lacks changes, and isn't told of new ones.
    `fresh`: it was just made, and has nothing at all.

    Not safe for several threads; the recorder's lock guards it.
    """

    def __init__(
        self, row: EngineRow, engine: Engine, *, fresh: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.number = row.number
        self.kind = row.kind
        self.state = row.state
        self.holds = row.holds
        self.engine = engine
        self.is_behind = True
        self.problem: str | None = None
        self.failures = 0
        self._clock = clock
        self._retry_at = 0.0
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._writer: EngineWriter | None = None
        self._round: _Round | None = None
        self._uncommitted = 0
        self._is_fresh = fresh
        self._committing: _Commit | None = None
        self._waiting: list[EngineWork] = []
        """What is to be applied after the commit that is under way."""
        self.written = 0
        """Entries, since it is behind."""

    def apply(self, work: EngineWork) -> None:
        """What the catalogue has just committed. It waits while the engine commits, up to `WAITING_ENTRIES`."""
        if self.is_behind or not work.size:
            return
        self._waiting.append(work)
        if self.has_committed() or sum(one.size for one in self._waiting) >= WAITING_ENTRIES:
            self._end_commit()

    def commit(self, change: int) -> bool:
        """Whether readers find all up to this change; then it holds that."""
        self._end_commit()
        if self.is_behind:
            return False
        if self.holds != change:
            try:
                self._open().commit()
            except Exception as error:
                self._fail(error)
                return False
            self.holds = change
        return True

    def begin_commit(self, change: int) -> bool:
        """Commits in a thread of its own; whether all before is committed, and this was begun."""
        self._end_commit()
        if self.is_behind:
            return False
        if self.holds != change:
            try:
                self._committing = _Commit(self._open(), change)
            except Exception as error:
                self._fail(error)
                return False
        return True

    def has_committed(self) -> bool:
        """Whether no commit is under way any more; what waited for it is applied."""
        if self._committing is not None and self._committing.is_alive():
            return False
        self._end_commit()
        return True

    def wait_seconds(self) -> float | None:
        """Until `catch_up` is to be called; None if it isn't behind."""
        return max(0.0, self._retry_at - self._clock()) if self.is_behind else None

    def catch_up(self, statements: Statements, change: int) -> None:
        """One step towards `change`, the last of the catalogue; nothing may change it meanwhile."""
        self._end_commit()
        try:
            writer = self._open()
            if self._round is None:
                self._round = _Round(statements, self.holds, change)
                self._round.remove_dropped(writer)
            done = self._round.step(statements, writer, fresh=self._is_fresh)
            self._uncommitted += done
            self.written += done
            if self._round.is_over or self._uncommitted >= COMMIT_ENTRIES:
                writer.commit()
                self._uncommitted = 0
                self.holds = self._round.target if self._round.is_over else self._round.reached
            if self._round.is_over:
                self.is_behind = self._round.target != change
                self._is_fresh = False
                self._round = None
            self._retry_seconds, self.problem, self.failures = _FIRST_RETRY_SECONDS, None, 0
        except (sqlite3.Error, psycopg.Error, CatalogueDamaged):
            self._round = None
            raise
        except Exception as error:
            self._fail(error)

    def close(self) -> None:
        if self._committing is not None:
            self._committing.join()
        self._committing = None
        self._waiting = []
        if self._writer is not None:
            try:
                self._writer.close()
            except Exception as error:
                logger.warning("the search index %s could not be closed: %s", self.number, error)
        self._writer = None

    def _end_commit(self) -> None:
        """Waits for the commit that is under way, and applies what waited for it."""
        commit, self._committing = self._committing, None
        if commit is not None:
            commit.join()
            if commit.error is None:
                self.holds = commit.change
            else:
                self._fail(commit.error)
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            if not self.is_behind:
                try:
                    work.apply(self._open())
                except Exception as error:
                    self._fail(error)

    def _open(self) -> EngineWriter:
        if self._writer is None:
            self._writer = self.engine.writer()
        return self._writer

    def _fail(self, error: Exception) -> None:
        """It has what it had committed; the rest follows when it answers again.

        Whatever goes wrong in an engine: the catalogue has been told, so the engine must be.
        """
        trace = None if isinstance(error, Unavailable) else error
        logger.warning("the search engine will be told later: %s", error, exc_info=trace)
        self.close()
        self.is_behind = True
        self.problem = str(error)
        self.failures += 1
        self._is_fresh = False
        self._round = None
        self._uncommitted = 0
        self._retry_at = self._clock() + self._retry_seconds
        self._retry_seconds = min(self._retry_seconds * 2, _LAST_RETRY_SECONDS)


class _Commit(threading.Thread):
    """Of everything up to `change`. Nobody else may use the writer before it is over."""

    def __init__(self, writer: EngineWriter, change: int) -> None:
        super().__init__(name="engine commit", daemon=True)
        self.change = change
        self.error: Exception | None = RuntimeError("The commit broke off.")
        self._writer = writer
        self.start()

    def run(self) -> None:
        try:
            self._writer.commit()
            self.error = None
        except Exception as error:
            self.error = error
        del self._writer  # whose lock ends with it


class _Round:
    """The folders that changed after `holds`, in the order in which they did, up to change `target`."""

    def __init__(self, statements: Statements, holds: int, target: int) -> None:
        self.target = target
        self.reached = holds
        self._ids = array("q")
        self._changed = array("q")
        self._objects = array("q")
        for row in statements.rows(
            "SELECT id, changed, own_objects FROM catalogue_folders WHERE changed > ? ORDER BY changed, id",
            (holds,),
        ):
            self._ids.append(row[0])
            self._changed.append(row[1])
            self._objects.append(row[2])
        self._dropped = [
            row[0]
            for row in statements.rows("SELECT folder_id FROM catalogue_dropped WHERE changed > ?", (holds,))
        ]
        self._next = 0
        self._after: str | None = None
        """In a folder with more than a step: the name that was put last."""

    @property
    def is_over(self) -> bool:
        return self._next == len(self._ids)

    def remove_dropped(self, writer: EngineWriter) -> None:
        if self._dropped:
            writer.remove_folders(self._dropped)

    def step(self, statements: Statements, writer: EngineWriter, *, fresh: bool) -> int:
        """Writes folders again as they are now; `fresh`: the engine has nothing of them yet."""
        last, planned = self._next, 0
        while last < len(self._ids) and (planned == 0 or planned + self._objects[last] <= STEP):
            planned += self._objects[last]
            last += 1
        ids = self._ids[self._next : last]
        if not fresh and self._after is None and ids:
            writer.remove_folders(ids, direct_only=True)
        entries = entries_of(statements, ids, self._after)
        writer.put(entries)
        if len(entries) == STEP and len(ids) == 1:
            self._after = entries[-1].path.rpartition("/")[2]
            return STEP
        self._after, self._next = None, last
        if last:
            self.reached = max(self.reached, self._changed[last - 1] - 1)
        return len(entries)


def entries_of(statements: Statements, folder_ids: "array[int]", after: str | None) -> list[Entry]:
    """All entries of several folders, or the next `STEP` of one folder with many, after that name."""
    places = {
        row[0]: (row[1], row[2])
        for row in statements.rows(
            "SELECT id, workspace_id, path FROM catalogue_folders WHERE id IN ?*", [statements.listed(folder_ids)]
        )
    }
    folders = Folders()
    folders.load(statements, places.values())
    limited = " AND name > ?" if after is not None else ""
    one = len(folder_ids) == 1
    rows = statements.rows(
        _ENTRIES + limited + " ORDER BY folder_id, name" + (f" LIMIT {STEP}" if one else ""),
        [statements.listed(places), *([] if after is None else [after])],
    )
    contents = _contents(statements, rows)
    made: list[Entry] = []
    for folder_id, name, entry_id, size, modified, etag, _ in rows:
        place = places[folder_id]
        folder = folders.find(place)
        assert folder is not None
        read = contents.get(entry_id, NOTHING_READ)
        made.append(
            Entry(entry_id, place[0], folder.ids, place[1] + name, size, modified, unpack_etag(etag), *read)
        )
    return made


def _contents(statements: Statements, rows: list[Row]) -> dict[int, Contents]:
    read = [row[2] for row in rows if row[6] is not None]
    if not read:
        return {}
    found = statements.rows(
        "SELECT entry_id, data FROM catalogue_contents WHERE entry_id IN ?*", [statements.listed(read)]
    )
    return {entry_id: unpack_contents(data) for entry_id, data in found}
