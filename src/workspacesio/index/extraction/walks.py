"""Which entries come next: workspaces in turn, and of each the folders that changed since it was walked last."""

import time
from collections import deque
from dataclasses import dataclass, field

from workspacesio.database.sessions import Database
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue import Catalogue, Due
from workspacesio.index.extraction.looking import Reading
from workspacesio.index.extraction.read_so_far import Aim, WrittenReadings, aim_of
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.wanted import Wanted, load_wanted

TAKEN_AT_ONCE = 64
SETTINGS_SECONDS = 5.0
"""After this long a changed level or allowance is noticed, and a workspace that changed gets its turn."""
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
    left_out: bool = False
    """Something that is due may not be read, for it is charged for."""
    is_outdated: bool = False
    """Something else is wanted now; what is under way is the last of it."""

    @property
    def key(self) -> _Key:
        """A walk for other ends begins from the start."""
        allowed = self.wanted.allowed if self.wanted.pays else None
        return self.wanted.reading, self.wanted.scope, self.current, allowed, self.wanted.level

    @property
    def aim(self) -> Aim:
        return aim_of(self.wanted.level, self.current)

    @property
    def is_whole(self) -> bool:
        """Whether all was looked at as far as the root's level says."""
        allowed = self.wanted.level is not IndexLevel.CONTENT or self.wanted.reading is Reading.CONTENT
        return allowed and not self.left_out


class Walks:
    """For one thread. `next` gives an entry; then `landed`, `again` or `down` is told what became of it."""

    def __init__(
        self, database: Database, catalogue: Catalogue, registry: Registry, written: WrittenReadings
    ) -> None:
        self._database = database
        self._written = written
        self._catalogue = catalogue
        self._registry = registry
        self._wanted: list[Wanted] = []
        self._wanted_until = 0.0
        self._turns: deque[Walk] = deque()
        self._walked: dict[int, tuple[_Key, int]] = {}
        """By workspace: to what end it was walked, and up to which change."""
        self._number = written.through
        self._begin_at = 0.0
        self._stale: set[int] = set()
        """Workspaces that changed since their walk began."""
        self._again: deque[tuple[float, Walk, Due]] = deque()
        self._down_until: dict[int, float] = {}
        self._free_at: dict[int, float] = {}
        """By root, where a rate was set."""

    @property
    def at_end(self) -> bool:
        """Whether `next` would begin to walk; what became of everything should be recorded then."""
        return not self._turns or time.monotonic() >= self._begin_at

    @property
    def are_over(self) -> bool:
        """Whether no walk is under way; one or another entry may be."""
        return not self._turns

    def next(self) -> tuple[Walk, Due] | None:
        """None where nothing is to be looked at just now."""
        now = time.monotonic()
        if self.at_end:
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

    def leave_out(self, walk: Walk) -> None:
        """It stays due, since it may not be read."""
        walk.left_out = True
        self.landed(walk)

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
        self._written.forget()

    def _begin(self, now: float) -> None:
        self._begin_at = now + SETTINGS_SECONDS
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
        self._stale.update(changed)
        under_way = {walk.wanted.workspace_id: walk for walk in self._turns}
        begun: dict[int, Walk] = {}
        for one in self._wanted:
            walk = Walk(one, one.current(self._registry), 0, number)
            if one.workspace_id in under_way:
                self._outdate(under_way[one.workspace_id], walk.key)
                continue
            if self._down_until.get(one.workspace_id, 0.0) > now:
                continue
            key, walk.since = self._walked.get(one.workspace_id, (None, 0))
            if key == walk.key and (one.reading is None or one.workspace_id not in self._stale):
                continue
            if key != walk.key:
                walk.since = 0
            begun[one.workspace_id] = walk
        self._written.begin(
            number,
            {workspace_id: walk.aim for workspace_id, walk in begun.items()},
            changed,
            {one.workspace_id for one in self._wanted},
        )
        self._stale -= begun.keys()
        self._turns.extend(begun.values())
        self._number = number

    def _outdate(self, walk: Walk, key: _Key) -> None:
        """A walk for other ends than these begins no more."""
        if walk.key != key:
            walk.taken.clear()
            walk.ended = walk.is_outdated = True
            self._settle(walk)

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
        if walk.is_outdated:
            self._walked.pop(workspace_id, None)
        elif walk.cut_short:
            self._down_until[workspace_id] = time.monotonic() + DOWN_SECONDS
            self._walked.pop(workspace_id, None)
        else:
            self._walked[workspace_id] = walk.key, walk.number
            again = workspace_id in self._stale
            self._written.settle(workspace_id, walk.aim, walk.number, whole=walk.is_whole, again=again)
