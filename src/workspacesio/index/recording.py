"""The recorder: the only one that changes the catalogue and the engines, and in which order.

    1. one transaction of the catalogue: rows, sums of all folders above, and which folders changed by it
    2. the engine is told
    3. the engine commits                 (every few seconds of a crawl; at once after events)
    4. the catalogue notes up to which change the engine holds everything

So a kill anywhere loses nothing: the folders that changed after what the engine holds are written to it again.
While an engine is away only the first step is done. All methods may be called by any thread.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection

from workspacesio.database.engines import REPAIRABLE
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.catalogue import Catalogue, Due
from workspacesio.index.catalogue_changes import CatalogueChanges, LeaseLost
from workspacesio.index.catalogue_contents import Enriched, enrich
from workspacesio.index.catalogue_folders import Folders
from workspacesio.index.catalogue_store import catalogue_failures
from workspacesio.index.catalogue_sync import sync
from workspacesio.index.engine_feed import COMMIT_ENTRIES, STEP, EngineFeed
from workspacesio.index.found import Counts, Found, Listing, ListingSink, split_path
from workspacesio.index.marks import Mark, Touches
from workspacesio.index.statements import Statements, statements_on

__all__ = ["Counts", "Found", "Listing", "ListingSink", "Mark", "Recorder"]

COMMIT_SECONDS = 5.0

T = TypeVar("T")


class Recorder:
    """`fence`: the number under which this process holds the lease; with an older one nothing is written.

    Raises Unavailable when the catalogue can't be written (then nothing since the last commit counts), LeaseLost
    when another worker has taken over. An engine that is away is no error.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        feeds: Iterable[EngineFeed],
        *,
        fence: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.catalogue = catalogue
        self.feeds = list(feeds)
        self.lock = threading.RLock()
        self.rollbacks = 0
        """How often something failed and took what others had recorded since the last commit with it."""
        self.beat = 0
        """Of the lease; whoever renews it says so."""
        self._fence = fence
        self._clock = clock
        self._touches = Touches()
        self._folders = Folders()
        self._connection: Connection | None = None
        self._changes: CatalogueChanges | None = None
        self._change = -1
        """The catalogue's last one; -1: not known since a failure."""
        self._begun_at = 0.0
        self._is_closed = False
        self._uncommitted = 0
        self._oldest: float | None = None
        """When the first change was recorded that readers don't find yet."""
        self._holds = {feed.number: feed.holds for feed in self.feeds}

    def mark(self) -> Mark:
        """Taken before a folder is listed, and held as long as the listing."""
        with self.lock:
            return self._touches.mark()

    def touched(self, workspace_id: int, path: str, since: Mark) -> set[str] | None:
        """Names right in the folder (of folders with their slash) that events touched since; None: all of it."""
        with self.lock:
            if self._touches.is_outdated(workspace_id, path, since):
                return None
            return self._touches.names(workspace_id, path, since)

    def begin_anew(self, workspace_id: int, path: str) -> None:
        """A folder ('' or 'a/b/') is listed with all below it from now on: listings from before leave it alone."""
        with self.lock:
            self._touches.begin_anew(workspace_id, path)

    def sync_folder(
        self, workspace_id: int, path: str, found: Sequence[Found], subfolders: Sequence[str], since: Mark
    ) -> Counts:
        """A folder has these objects and folders (names without a slash), and no others."""
        return self.sync_folders([Listing(workspace_id, path, found, subfolders, since)])

    def sync_folders(self, listings: Sequence[Listing]) -> Counts:
        with self.lock, self._changing() as changes:
            return sync(changes, listings, self._touches)

    def put(self, workspace_id: int, path: str, found: Found) -> None:
        """Storage has this object now. `found.name` is the path's last part."""
        self.put_many(workspace_id, [(path, found)])

    def put_many(self, workspace_id: int, objects: Sequence[tuple[str, Found]]) -> None:
        by_folder: dict[str, dict[str, Found]] = {}
        for path, found in objects:
            folder, name = split_path(path)
            by_folder.setdefault(folder, {})[name] = found._replace(name=name)
        with self.lock, self._changing() as changes:
            changes.load((workspace_id, folder) for folder in by_folder)
            for path, _ in objects:
                self._touches.touch(workspace_id, path)
            for folder, named in by_folder.items():
                place = changes.folders.make((workspace_id, folder))
                changes.record(workspace_id, place, list(named.values()), (), empty=False)
            changes.write_entries()

    def drop(self, workspace_id: int, path: str) -> None:
        self.drop_many(workspace_id, [path])

    def drop_many(self, workspace_id: int, paths: Sequence[str]) -> None:
        """Storage has no such objects now."""
        by_folder: dict[str, set[str]] = {}
        for path in paths:
            folder, name = split_path(path)
            by_folder.setdefault(folder, set()).add(name)
        with self.lock, self._changing() as changes:
            changes.load((workspace_id, folder) for folder in by_folder)
            for path in paths:
                self._touches.touch(workspace_id, path)
            for folder, names in by_folder.items():
                place = changes.folders.find((workspace_id, folder))
                if place is not None:
                    changes.record(workspace_id, place, (), names, empty=False)

    def read_again(self, workspace_id: int, paths: Sequence[str]) -> None:
        """Metadata of these objects may have changed alone: what was read holds until it is read again."""
        with self.lock, self._changing() as changes:
            changes.read_again(workspace_id, paths)

    def drop_folder(self, workspace_id: int, path: str) -> int:
        """A folder ('' or 'a/b/') with all below it. Returns how many objects went."""
        with self.lock, self._changing() as changes:
            self._touches.drop_folder(workspace_id, path)
            return changes.drop_folder(workspace_id, path)

    def drop_workspace(self, workspace_id: int) -> None:
        self.drop_folder(workspace_id, "")

    def enrich(self, found: Sequence[tuple[Due, Enriched]]) -> int:
        """What was read of contents; of entries that changed since, nothing. Returns of how many it was kept."""
        with self.lock, self._changing() as changes:
            return enrich(changes, found)

    def stamps(
        self, workspace_id: int, path: str, first_name: str | None = None, last_name: str | None = None
    ) -> dict[str, int]:
        """As they were last committed; without the lock."""
        return self.catalogue.stamps(workspace_id, path, first_name, last_name)

    def workspaces(self) -> list[int]:
        with self.lock:
            self.flush()
            return self.catalogue.workspaces()

    def commit(self) -> bool:
        """After this, all that was recorded survives a crash. Whether readers find it: an engine may be away."""
        with self.lock:
            self.flush()
            change = self.known_change()
            searchable = False
            for feed in self.feeds:
                committed = feed.commit(change)
                searchable = searchable or (committed and feed.state == "serving")
            self._uncommitted = 0
            self.note_holds()
            if searchable:
                self._oldest = None
            return searchable

    def commit_if_due(self) -> bool:
        """Commits where much was recorded, or some time ago; whether it did."""
        with self.lock:
            now = self._clock()
            late = self._oldest is not None and now - self._oldest >= COMMIT_SECONDS
            long = self._changes is not None and now - self._begun_at >= COMMIT_SECONDS
            if self._uncommitted < COMMIT_ENTRIES and not late and not long:
                return False
            self.commit()
            return True

    def lag_seconds(self) -> float:
        """How old the oldest recorded change is that readers don't find yet."""
        oldest = self._oldest
        return 0.0 if oldest is None else self._clock() - oldest

    def close(self) -> None:
        """Commits what it can; from then on all calls raise LeaseLost."""
        with self.lock:
            if self._is_closed:
                return
            with suppress(WorkspacesIOError):
                self.commit()
            for feed in self.feeds:
                feed.close()
            self._is_closed = True
            self._disconnect()

    def flush(self) -> None:
        """Ends the catalogue's transaction, and tells the engines of it."""
        changes, self._changes = self._changes, None
        if changes is None:
            return
        try:
            self._change, work = changes.commit()
        except BaseException:
            self._give_up(changes)
            for feed in self.feeds:
                feed.is_behind = True  # it may have taken place, and only its answer been lost
            raise
        self._folders.forget_if_many()
        self._uncommitted += work.size
        for feed in self.feeds:
            feed.apply(work)

    def known_change(self) -> int:
        """The number of the catalogue's last change."""
        if self._change < 0:
            self._change = self.catalogue.change_number()
        return self._change

    def note_holds(self) -> None:
        """To the catalogue, how far each engine is. Its loss costs only writing folders again."""
        news = [(feed.holds, feed.number) for feed in self.feeds if self._holds.get(feed.number) != feed.holds]
        if not news:
            return

        def note(statements: Statements) -> None:
            statements.run_many("UPDATE catalogue_engines SET holds = ? WHERE number = ?", news)
            statements.run(
                "DELETE FROM catalogue_dropped WHERE changed <= "
                "(SELECT min(holds) FROM catalogue_engines WHERE state <> 'retired')"
            )

        self.change_rows(note)
        self._holds = {feed.number: feed.holds for feed in self.feeds}

    def change_rows(self, change: Callable[[Statements], T]) -> T:
        """A transaction of its own for rows about engines, or of no more use. After `flush`, in the lock."""
        with catalogue_failures():
            try:
                connection = self._connected().execution_options(**{REPAIRABLE: True})
                with connection.begin():
                    result = change(statements_on(connection.dialect.name, connection.connection.cursor()))
                connection.execution_options(**{REPAIRABLE: False})
            except BaseException:
                self._disconnect()
                raise
        return result

    @contextmanager
    def _changing(self) -> Iterator[CatalogueChanges]:
        with catalogue_failures():
            changes = self._begin()
            try:
                yield changes
            except BaseException:
                self._give_up(changes)
                raise
        if self._oldest is None and changes.size:
            self._oldest = self._clock()
        if changes.size >= STEP:
            self.flush()

    def _begin(self) -> CatalogueChanges:
        if self._changes is None:
            try:
                self._changes = CatalogueChanges(
                    self._connected(), self._folders, fence=self._fence, beat=self.beat
                )
            except BaseException:
                self._disconnect()
                raise
            self._begun_at = self._clock()
        return self._changes

    def _give_up(self, changes: CatalogueChanges) -> None:
        self.rollbacks += 1
        self._changes = None
        self._change = -1
        with suppress(Exception):
            changes.roll_back()
        self._folders.forget()
        self._disconnect()

    def _connected(self) -> Connection:
        if self._is_closed:
            raise LeaseLost("This worker has stopped.")
        if self._connection is None:
            self._connection = self.catalogue.store.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()
