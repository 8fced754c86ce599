"""What a process remembers from one question to the next, so that each costs little.

Rights are remembered under the generation of rights, which every change of them raises, and until the next share
expires: a question reads the generation in its own session and uses what is remembered only if it is the same. How
far crawls are, what is indexed and how far it was read is no right, and is remembered for a second.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Rights, Share
from workspacesio.database.visibility import share_reaches
from workspacesio.domain.facts import Caller
from workspacesio.domain.search_query import Query
from workspacesio.index.completeness import Unindexed, unindexed_workspaces
from workspacesio.index.content_state import ContentState, ReadCatalogue, load_content_state
from workspacesio.index.leases import worker_silent_since
from workspacesio.index.sight import FolderNumbers, Sight, load_sight, sight_query

MAX_CALLERS = 500
MAX_PLACES = 200_000
"""Workspaces and folders of all callers together; about 40 MB."""

MAX_QUERIES = 50

UNINDEXED_SECONDS = 1.0

_GENERATION = select(Rights.generation)


class _Remembered(NamedTuple):
    """`sight` as it is from `since` until just before `until`, in one generation."""

    generation: int
    since: datetime
    until: datetime | None
    sight: Sight


class Remembered:
    """Keep one in a process; safe in threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sights: OrderedDict[Caller, _Remembered] = OrderedDict()
        self._places = 0
        self._queries: OrderedDict[Sight, tuple[int, Query]] = OrderedDict()
        self._unindexed: Mapping[int, Unindexed] = {}
        self._unindexed_at = float("-inf")
        self._silent: datetime | None = None
        self._silent_at = float("-inf")
        self._contents: tuple[float, ContentState] | None = None

    def sight(self, session: Session, *, caller: Caller, now: datetime) -> Sight:
        """As `load_sight`. `caller` was read in this session."""
        generation = session.scalars(_GENERATION).one()
        with self._lock:
            known = self._sights.get(caller)
            if known is not None and known.generation == generation and _holds(known, now):
                self._sights.move_to_end(caller)
                return known.sight
        sight = load_sight(session, caller=caller, now=now)
        ends = select(func.min(Share.expires_at)).where(share_reaches(caller, now))
        self._keep(caller, _Remembered(generation, now, session.scalar(ends), sight))
        return sight

    def seen(self, sight: Sight, catalogue: FolderNumbers) -> Query:
        """As `sight_query`. The numbers of folders hold as long as the catalogue is as it was."""
        if not sight.folders:
            return sight_query(sight, catalogue)
        # Read first: what is kept under it may be newer, never older.
        change = catalogue.change_number()
        with self._lock:
            known = self._queries.get(sight)
        if known is not None and known[0] == change:
            return known[1]
        query = sight_query(sight, catalogue)
        with self._lock:
            self._queries.pop(sight, None)
            self._queries[sight] = (change, query)
            while len(self._queries) > MAX_QUERIES:
                self._queries.popitem(last=False)
        return query

    def unindexed(self, session: Session) -> Mapping[int, Unindexed]:
        now = self._clock()
        if now - self._unindexed_at >= UNINDEXED_SECONDS:
            self._unindexed, self._unindexed_at = unindexed_workspaces(session), now
        return self._unindexed

    def silent_since(self, session: Session, now: datetime) -> datetime | None:
        """As `worker_silent_since`."""
        at = self._clock()
        if at - self._silent_at >= UNINDEXED_SECONDS:
            self._silent, self._silent_at = worker_silent_since(session, now), at
        return self._silent

    def contents(self, session: Session, catalogue: ReadCatalogue) -> ContentState:
        now = self._clock()
        known = self._contents
        if known is None or now - known[0] >= UNINDEXED_SECONDS:
            generation = session.scalars(_GENERATION).one()
            before = None if known is None else known[1]
            state = load_content_state(session, catalogue, generation=generation, known=before)
            known = self._contents = now, state
        return known[1]

    def _keep(self, caller: Caller, known: _Remembered) -> None:
        with self._lock:
            before = self._sights.pop(caller, None)
            self._sights[caller] = known
            self._places += _size(known) - (0 if before is None else _size(before))
            while len(self._sights) > MAX_CALLERS or (self._places > MAX_PLACES and len(self._sights) > 1):
                self._places -= _size(self._sights.popitem(last=False)[1])


def _holds(known: _Remembered, now: datetime) -> bool:
    """Clocks may be set back, and what had expired then may not have."""
    return known.since <= now and (known.until is None or now < known.until)


def _size(known: _Remembered) -> int:
    return len(known.sight.whole) + len(known.sight.folders)
