"""What a crawl found in a workspace is what it holds: `usage`, which the journal only adds to, is set to it.

Only where the crawl met every object that is served: the whole workspace in one go, without exclusions, and
nothing in it that was kept unread, or lies on a filesystem that isn't crawled.

The walk and the journal don't know of each other. An event that is written after the walk began may be of before
or after the object was met, so where one came the next crawl repairs instead. One is written up to half a second
after its object is in its place, so what was found is set only after a while in which none came. What a process
writes more than SETTLE_SECONDS late, the database being out of its reach, counts twice until the next crawl.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from workspacesio.database.sessions import Database
from workspacesio.index.crawl_sources import Place
from workspacesio.index.folder_reading import LINK_NOT_FOLLOWED, LINK_TO_FOLDER
from workspacesio.index.found import MOST_BYTES
from workspacesio.index.progress import Progress
from workspacesio.nodes.folder.survey import Reason
from workspacesio.services.journal import newest_event, repair_usage

SETTLE_SECONDS = 3.0

_KNOWN = frozenset(
    {Reason.NOT_UTF8, Reason.TOO_LONG, Reason.SPECIAL, Reason.OWNER_ONLY, LINK_NOT_FOLLOWED, LINK_TO_FOLDER}
)
"""What the endpoint doesn't serve either, so that a workspace doesn't hold it, or what counts where it lies."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Before a workspace is walked: the journal's newest event, and what the crawl had counted until then."""

    place: Place
    newest_event: int
    entries: int
    size: int
    unsure: int


@dataclass(frozen=True, slots=True)
class _Found:
    place: Place
    node_id: int
    newest_event: int
    objects: int
    size: int
    at: float


class UsageRepair:
    """Of one crawler, in all its threads. What waits when the worker is killed is left to the next crawl."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._waiting: deque[_Found] = deque()
        self._taking = threading.Lock()

    def begin(self, place: Place, progress: Progress) -> Begun | None:
        """None where the walk only goes on, so that it doesn't meet all of the workspace."""
        at = progress.position
        if at is not None and at.workspace_id == place.workspace_id and at.folder is not None:
            return None
        with self._database.read() as session:
            newest = newest_event(session)
        return Begun(place, newest, progress.entries, progress.counts.bytes, _unsure(progress))

    def end(self, begun: Begun | None, progress: Progress, node_id: int) -> None:
        """It was walked to its end."""
        if begun is not None and begun.unsure == _unsure(progress):
            objects, size = progress.entries - begun.entries, progress.counts.bytes - begun.size
            found = _Found(begun.place, node_id, begun.newest_event, objects, size, self._clock())
            self._waiting.append(found)

    def write_settled(self) -> None:
        """Set what was found long enough ago."""
        while (found := self._settled()) is not None:
            repair_usage(
                self._database,
                workspace_id=found.place.workspace_id,
                node_id=found.node_id,
                bucket=found.place.bucket,
                since=found.newest_event,
                size=min(found.size, MOST_BYTES),
                objects=found.objects,
            )

    def _settled(self) -> _Found | None:
        with self._taking:
            if self._waiting and self._waiting[0].at + SETTLE_SECONDS <= self._clock():
                return self._waiting.popleft()
            return None


def _unsure(progress: Progress) -> int:
    """How much was met of which it isn't known whether and how it is served."""
    return sum(noted["count"] for reason, noted in progress.problems.found.items() if reason not in _KNOWN)
