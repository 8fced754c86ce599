"""The recorder: the only one that changes the catalogue and the engines, and in which order.

    1. one transaction of the catalogue: rows, sums of all folders above, and which folders changed by it
    2. the engine is told
    3. the engine commits                 (every few seconds of a crawl, beside it; at once after events)
    4. the catalogue notes up to which change the engine holds everything

So a kill anywhere loses nothing: the folders that changed after what the engine holds are written to it again.
While an engine is away only the first step is done. All methods may be called by any thread.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.catalogue import Catalogue, Due
from workspacesio.index.catalogue_changes import CatalogueChanges
from workspacesio.index.catalogue_contents import Enriched, enrich
from workspacesio.index.catalogue_sync import sync
from workspacesio.index.catalogue_transactions import CatalogueTransactions
from workspacesio.index.engine_feed import COMMIT_ENTRIES, EngineFeed
from workspacesio.index.found import Counts, Found, Listing, ListingSink, Told, split_path
from workspacesio.index.marks import Mark, Touches
from workspacesio.index.statements import Statements

__all__ = ["Counts", "Found", "Listing", "ListingSink", "Mark", "Recorder"]

COMMIT_SECONDS = 5.0
FLUSH_ENTRIES = 10_000
"""In a transaction of the catalogue: a crawl waits until it is synced, and events until engines are told of it."""

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
        self.beat = 0
        """Of the lease; whoever renews it says so."""
        self._clock = clock
        self._touches = Touches()
        self._transactions = CatalogueTransactions(catalogue, fence=fence, clock=clock)
        self._uncommitted = 0
        self._oldest: float | None = None
        """When the first change was recorded that readers don't find yet, nor after the commit beside."""
        self._oldest_beside: float | None = None
        """Likewise, of those that the commit beside makes found."""
        self._holds = {feed.number: feed.holds for feed in self.feeds}

    @property
    def rollbacks(self) -> int:
        """How often something failed and took what others had recorded since the last commit with it."""
        return self._transactions.rollbacks

    @property
    def told(self) -> deque[Told]:
        """Entries that changed just now and are committed, the latest last; for who reads contents to take out."""
        return self._transactions.told

    def mark(self) -> Mark:
        """Taken before a folder is listed, and held as long as the listing. Never waits."""
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
                changes.record(workspace_id, place, list(named.values()), (), empty=False, told=True)
            changes.write_entries()

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
                    changes.record(workspace_id, place, (), names, empty=False, told=True)

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
                self._oldest = self._oldest_beside = None
            return searchable

    def commit_beside(self) -> None:
        """After this, all that was recorded survives a crash. Engines commit beside what is recorded next."""
        with self.lock:
            self.flush()
            change = self.known_change()
            searchable = False
            for feed in self.feeds:
                begun = feed.begin_commit(change)
                searchable = searchable or (begun and feed.state == "serving")
            self._uncommitted = 0
            self.note_holds()
            if searchable:
                self._oldest, self._oldest_beside = None, self._oldest

    def commit_if_due(self) -> bool:
        """Begins to commit where much was recorded, or some time ago; whether it did."""
        with self.lock:
            self._end_commit_beside()
            now = self._clock()
            late = self._oldest is not None and now - self._oldest >= COMMIT_SECONDS
            long = self._transactions.is_under_way and now - self._transactions.begun_at >= COMMIT_SECONDS
            if self._uncommitted < COMMIT_ENTRIES and not late and not long:
                return False
            self.commit_beside()
            return True

    def lag_seconds(self) -> float:
        """How old the oldest recorded change is that readers don't find yet."""
        waiting = [since for since in (self._oldest, self._oldest_beside) if since is not None]
        return self._clock() - min(waiting) if waiting else 0.0

    def close(self) -> None:
        """Commits what it can; from then on all calls raise LeaseLost."""
        with self.lock:
            if self._transactions.is_closed:
                return
            with suppress(WorkspacesIOError):
                self.commit()
            for feed in self.feeds:
                feed.close()
            self._transactions.close()

    def flush(self) -> None:
        """Ends the catalogue's transaction, and tells the engines of it."""
        try:
            work = self._transactions.commit()
        except BaseException:
            for feed in self.feeds:
                feed.is_behind = True  # it may have taken place, and only its answer been lost
            raise
        if work is not None:
            self._uncommitted += work.size
            for feed in self.feeds:
                feed.apply(work)

    def known_change(self) -> int:
        """The number of the catalogue's last change."""
        return self._transactions.number()

    def note_holds(self) -> None:
        """To the catalogue, how far each engine is. Its loss costs only writing folders again."""
        news = [(feed.holds, feed.number) for feed in self.feeds if self._holds.get(feed.number) != feed.holds]
        if not news:
            return
        self.flush()  # an engine that committed beside may be done while more is recorded

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
        return self._transactions.run(change)

    def _end_commit_beside(self) -> None:
        """If it is over; nobody waits for it."""
        if self._oldest_beside is None or not all(feed.has_committed() for feed in self.feeds):
            return
        if any(feed.state == "serving" and not feed.is_behind for feed in self.feeds):
            self._oldest_beside = None
        self.note_holds()

    @contextmanager
    def _changing(self) -> Iterator[CatalogueChanges]:
        with self._transactions.changing(self.beat) as changes:
            yield changes
        if self._oldest is None and changes.size:
            self._oldest = self._clock()
        if changes.size >= FLUSH_ENTRIES:
            self.flush()
