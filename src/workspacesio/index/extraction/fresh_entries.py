"""Entries that changed just now, as events and watchers told: looked at before all that waits in order.

Nothing depends on them. Of what is lost here (with the process, or the oldest where too many come), the folder has
changed, so the walk that is under way or the next one meets it in order. An entry that turned out to be another
than was found comes back after a while, in case it is as it was recorded again, and later each time.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Collection, Container, Iterable
from typing import NamedTuple

from workspacesio.index.found import EntryPlace, Told

MOST_WAITING = 1000
"""Of one workspace."""
AGAIN_SECONDS = 5.0
LONGEST_AGAIN_SECONDS = 3600.0
MOST_AGAIN = 1000


class _Again(NamedTuple):
    workspace_id: int
    at: float
    pause: float


class FreshEntries:
    """For one thread; `told` is filled by others."""

    def __init__(self, told: deque[Told]) -> None:
        self._told = told
        self._waiting: OrderedDict[int, dict[EntryPlace, None]] = OrderedDict()
        """By workspace, the latest last."""
        self._again: dict[EntryPlace, _Again] = {}
        """Also of those that came back, for how long they waited."""
        self._back_at = math.inf

    def hear(self) -> None:
        """What was told since; never waits."""
        while self._told:
            workspace_id, place = self._told.popleft()
            self._again.pop(place, None)
            self._add(workspace_id, place)

    def workspaces(self) -> list[int]:
        """Those of which something waits; whose turn it is comes first."""
        return list(self._waiting)

    def had_its_turn(self, workspace_id: int) -> None:
        if workspace_id in self._waiting:
            self._waiting.move_to_end(workspace_id)

    def take(self, workspace_id: int, besides: Container[EntryPlace]) -> EntryPlace | None:
        """The latest of the workspace; none of `besides`, which wait on."""
        found = next((one for one in reversed(self._waiting.get(workspace_id, {})) if one not in besides), None)
        if found is not None:
            self.drop(workspace_id, found)
        return found

    def drop(self, workspace_id: int, place: EntryPlace) -> bool:
        """Whether it waited."""
        waiting = self._waiting.get(workspace_id, {})
        if place not in waiting:
            return False
        del waiting[place]
        if not waiting:
            del self._waiting[workspace_id]
        return True

    def keep(self, workspaces: Collection[int]) -> None:
        """What waits of others is met in order."""
        for workspace_id in self._waiting.keys() - set(workspaces):
            del self._waiting[workspace_id]

    def again(self, workspace_id: int, place: EntryPlace) -> None:
        """It waits in a while, and each time after a longer while until something is told of it."""
        before = self._again.pop(place, None)
        pause = AGAIN_SECONDS if before is None else min(2 * before.pause, LONGEST_AGAIN_SECONDS)
        self._again[place] = _Again(workspace_id, time.monotonic() + pause, pause)
        if len(self._again) > MOST_AGAIN:
            del self._again[next(iter(self._again))]
        self._back_at = min(self._back_at, time.monotonic() + pause)

    def come_back(self, now: float) -> Iterable[int]:
        """What waited long enough waits among the fresh ones; of which workspaces."""
        if now < self._back_at:
            return ()
        back = {place: one for place, one in self._again.items() if one.at <= now}
        for place, one in back.items():
            self._again[place] = one._replace(at=math.inf)
            self._add(one.workspace_id, place)
        self._back_at = min((one.at for one in self._again.values()), default=math.inf)
        return {one.workspace_id for one in back.values()}

    def _add(self, workspace_id: int, place: EntryPlace) -> None:
        waiting = self._waiting.setdefault(workspace_id, {})
        waiting.pop(place, None)
        waiting[place] = None
        if len(waiting) > MOST_WAITING:
            del waiting[next(iter(waiting))]
