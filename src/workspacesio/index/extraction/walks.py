"""Which entries come next: workspaces in turn, and of each the folders that changed since it was walked last."""

import time
from collections import deque
from dataclasses import dataclass, field

from workspacesio.database.sessions import Database
from workspacesio.index.catalogue import Catalogue, Due
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.wanted import Wanted, load_wanted

TAKEN_AT_ONCE = 64
SETTINGS_SECONDS = 5.0
"""After this long a changed level or allowance is noticed."""
AGAIN_SECONDS = 5.0
"""Until a file that changed while it was read is looked at again, in case it is as it was recorded."""
MOST_AGAIN = 1000
DOWN_SECONDS = 30.0
"""Until a workspace whose node is down is walked again."""

_Key = tuple[object, ...]


@dataclass(slots=True)
class Walk:
    """Over one workspace. `number`: of the catalogue's last change when it began."""

    wanted: Wanted
    current: frozenset[str]
    since: int
    number: int
    after: tuple[int, str] | None = None
    taken: deque[Due] = field(default_factory=deque)
    under_way: int = 0
    ended: bool = False
    cut_short: bool = False

    @property
    def key(self) -> _Key:
        """A walk for other ends begins from the start."""
        allowed = self.wanted.allowed if self.wanted.pays else None
        return self.wanted.reading, self.wanted.scope, self.current, allowed


class Walks:
    """For one thread. `next` gives an entry; then `landed`, `again` or `down` is told what became of it."""

    def __init__(self, database: Database, catalogue: Catalogue, registry: Registry) -> None:
        self._database = database
        self._catalogue = catalogue
        self._registry = registry
        self._wanted: list[Wanted] = []
        self._wanted_until = 0.0
        self._turns: deque[Walk] = deque()
        self._walked: dict[int, tuple[_Key, int]] = {}
        """By workspace: to what end it was walked, and up to which change."""
        self._number = -1
        self._again: deque[tuple[float, Walk, Due]] = deque()
        self._down_until: dict[int, float] = {}
        self._free_at: dict[int, float] = {}
        """By root, where a rate was set."""

    @property
    def at_end(self) -> bool:
        """Whether `next` would begin to walk; what became of everything should be recorded then."""
        return not self._turns

    def next(self) -> tuple[Walk, Due] | None:
        """None where nothing is to be looked at just now."""
        now = time.monotonic()
        if not self._turns:
            self._begin(now)
        while self._again and self._again[0][0] <= now:
            _, walk, due = self._again.popleft()
            if self._walked.get(walk.wanted.workspace_id, (None, 0))[0] == walk.key:
                walk.under_way += 1
                return walk, due
        for _ in range(len(self._turns)):
            walk = self._turns[0]
            self._turns.rotate(-1)
            if walk.ended or self._free_at.get(walk.wanted.root_id, 0.0) > now:
                continue
            if not walk.taken and not self._take(walk):
                walk.ended = True
                self._settle(walk)
                continue
            walk.under_way += 1
            if walk.wanted.rate:
                self._free_at[walk.wanted.root_id] = now + 1 / walk.wanted.rate
            return walk, walk.taken.popleft()
        return None

    def landed(self, walk: Walk) -> None:
        """It is done with."""
        walk.under_way -= 1
        self._settle(walk)

    def again(self, walk: Walk, due: Due) -> None:
        """Nothing came of it, and it is to be looked at later."""
        if len(self._again) < MOST_AGAIN:
            self._again.append((time.monotonic() + AGAIN_SECONDS, walk, due))
        self.landed(walk)

    def down(self, walk: Walk) -> None:
        """Nothing of this workspace can be looked at for now."""
        walk.taken.clear()
        walk.ended = walk.cut_short = True
        self.landed(walk)

    def forget(self) -> None:
        """What the recorder was told may be lost: every workspace is walked from the start."""
        self._walked.clear()

    def _begin(self, now: float) -> None:
        number = self._catalogue.change_number()
        if number == self._number and now < self._wanted_until:
            return
        if now >= self._wanted_until:
            with self._database.read() as session:
                self._wanted = list(load_wanted(session))
            self._wanted_until = now + SETTINGS_SECONDS
        changed = (
            self._catalogue.changed_workspaces(self._number) if any(one.reading for one in self._wanted) else []
        )
        unchanged = {one.workspace_id for one in self._wanted} - set(changed)
        for one in self._wanted:
            if self._down_until.get(one.workspace_id, 0.0) > now:
                continue
            walk = Walk(one, one.current(self._registry), 0, number)
            key, walk.since = self._walked.get(one.workspace_id, (None, 0))
            if key == walk.key and (one.reading is None or one.workspace_id in unchanged):
                continue
            if key != walk.key:
                walk.since = 0
            self._turns.append(walk)
        self._number = number

    def _take(self, walk: Walk) -> bool:
        workspace_id, after = walk.wanted.workspace_id, walk.after
        if walk.wanted.reading is None:
            found = self._catalogue.read_before(workspace_id, after=after, limit=TAKEN_AT_ONCE)
        else:
            found = self._catalogue.due(
                workspace_id, current=walk.current, after=after, limit=TAKEN_AT_ONCE, changed_after=walk.since
            )
        if found:
            walk.taken.extend(found)
            walk.after = found[-1].folder_id, found[-1].name
        return bool(found)

    def _settle(self, walk: Walk) -> None:
        if not walk.ended or walk.under_way or walk not in self._turns:
            return
        self._turns.remove(walk)
        workspace_id = walk.wanted.workspace_id
        if walk.cut_short:
            self._down_until[workspace_id] = time.monotonic() + DOWN_SECONDS
            self._walked.pop(workspace_id, None)
        else:
            self._walked[workspace_id] = walk.key, walk.number
