"""Which entries come next: workspaces in turn, and of each the folders that changed since it was walked last.

What changed just now comes before its turn, as an entry of the walk over its workspace like any other: at the same
rate, paid for likewise. Of one workspace and of all, so many come first, and then one of those that wait in order.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterable

from workspacesio.database.sessions import Database
from workspacesio.index.catalogue import Catalogue, Due
from workspacesio.index.extraction.fresh_entries import FreshEntries
from workspacesio.index.extraction.read_so_far import WrittenReadings
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.walk import Key, Walk
from workspacesio.index.extraction.wanted import Wanted, load_wanted
from workspacesio.index.found import Told

TAKEN_AT_ONCE = 64
SETTINGS_SECONDS = 5.0
"""After this long a changed level or allowance is noticed, and a workspace that changed gets its turn."""
FIRST_IN_A_ROW = 3
"""So many fresh ones at most, before one that waits in order."""
DOWN_SECONDS = 30.0
"""Until a workspace whose node is down is walked again."""


class Walks:
    """For one thread. `next` gives an entry; then `landed`, `again` or `down` is told what became of it.

    `told`: entries that changed just now, filled by others.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        registry: Registry,
        written: WrittenReadings,
        told: deque[Told],
    ) -> None:
        self._database = database
        self._written = written
        self._catalogue = catalogue
        self._registry = registry
        self._fresh = FreshEntries(told)
        self._wanted: list[Wanted] = []
        self._wanted_until = 0.0
        self._turns: OrderedDict[int, Walk] = OrderedDict()
        """By workspace; whose turn it is comes first."""
        self._before_turns = 0
        """How many came before their turn since the last that did not."""
        self._walked: dict[int, tuple[Key, int]] = {}
        """By workspace: to what end it was walked, and up to which change."""
        self._number = written.through
        self._begin_at = 0.0
        self._stale: set[int] = set()
        """Workspaces that changed since their walk began, or of which something is to be looked at again."""
        self._down_until: dict[int, float] = {}
        self._free_at: dict[int, float] = {}
        """By root, where a rate was set, or that is on hold."""

    @property
    def at_end(self) -> bool:
        """Whether walks are to `begin`."""
        return not self._turns or time.monotonic() >= self._begin_at

    def hear(self) -> None:
        """Now and then, though nothing can be begun: else what was told is told no more."""
        self._fresh.hear()
        back = self._fresh.come_back(time.monotonic())
        if back:
            self._stale.update(back)
            self._wanted_until = 0.0

    def next(self) -> tuple[Walk, Due] | None:
        """None where nothing is to be looked at just now."""
        self.hear()
        now = time.monotonic()
        if self._before_turns < FIRST_IN_A_ROW and (found := self._before_its_turn(now)):
            self._before_turns += 1
            return found
        self._before_turns = 0
        return self._in_turn(now) or self._before_its_turn(now)

    def leave_out(self, walk: Walk, due: Due) -> None:
        """It stays due, since it may not be read."""
        walk.left_out = True
        self.landed(walk, due)

    def landed(self, walk: Walk, due: Due) -> None:
        """It is done with."""
        walk.under_way.discard(due.place)
        self._settle(walk)

    def again(self, walk: Walk, due: Due) -> None:
        """Nothing came of it, and it is to be looked at later, as it is recorded then."""
        self._fresh.again(walk.wanted.workspace_id, due.place)
        self.landed(walk, due)

    def down(self, walk: Walk, due: Due) -> None:
        """Nothing of this workspace can be looked at for now."""
        self._break_off(walk)
        walk.cut_short = True
        self.landed(walk, due)

    def hold(self, root_id: int) -> None:
        """Nothing of this root is handed out, until `let_go`."""
        self._free_at[root_id] = math.inf

    def let_go(self, root_id: int) -> None:
        self._free_at.pop(root_id, None)

    def forget(self, under_way: Iterable[tuple[Walk, Due]]) -> None:
        """What the recorder was told may be lost: every workspace is walked from the start, as soon as what is
        `under_way` has landed."""
        self._walked.clear()
        self._written.forget()
        for walk in self._turns.values():
            walk.under_way.clear()
        for walk, due in under_way:
            walk.under_way.add(due.place)
        for walk in list(self._turns.values()):
            self._outdate(walk)

    def _before_its_turn(self, now: float) -> tuple[Walk, Due] | None:
        for workspace_id in self._fresh.workspaces():
            walk = self._turns.get(workspace_id)
            due = None if walk is None else self._hand_out(walk, now)
            if walk is not None and due is not None:
                self._fresh.had_its_turn(workspace_id)
                return walk, due
        return None

    def _in_turn(self, now: float) -> tuple[Walk, Due] | None:
        for walk in list(self._turns.values()):
            self._turns.move_to_end(walk.wanted.workspace_id)
            due = self._hand_out(walk, now)
            if due is not None:
                return walk, due
        return None

    def _hand_out(self, walk: Walk, now: float) -> Due | None:
        root_id, rate = walk.wanted.root_id, walk.wanted.rate
        if self._free_at.get(root_id, 0.0) > now:
            return None
        due = None
        if walk.in_a_row < FIRST_IN_A_ROW or walk.ended is not None:
            due = self._next_fresh(walk, now)
        if due is not None:
            walk.in_a_row += 1
            walk.ahead.add(due.place)
        elif walk.ended is None:
            due = self._next_in_order(walk)
            walk.in_a_row = 0
        if due is None:
            walk.ended = walk.ended or now
            self._settle(walk)
            return None
        walk.under_way.add(due.place)
        if rate:
            self._free_at[root_id] = now + 1 / rate
        return due

    def _next_fresh(self, walk: Walk, now: float) -> Due | None:
        """None also of a walk that has ended long enough ago: else it never settled in a stream of them."""
        is_over = walk.ended is not None and now >= walk.ended + SETTINGS_SECONDS
        if walk.is_broken_off or is_over:
            return None
        workspace_id = walk.wanted.workspace_id
        while (place := self._fresh.take(workspace_id, walk.under_way)) is not None:
            due = self._catalogue.due_now(workspace_id, place, current=walk.current)
            if due is not None:
                return due
        return None

    def _next_in_order(self, walk: Walk) -> Due | None:
        workspace_id = walk.wanted.workspace_id
        while walk.taken or self._take(walk):
            due: Due | None = walk.taken.popleft()
            if due is None or due.place in walk.ahead:
                continue
            if self._fresh.drop(workspace_id, due.place):
                due = self._catalogue.due_now(workspace_id, due.place, current=walk.current)
            if due is not None:
                return due
        return None

    def begin(self) -> None:
        """When what became of everything is committed: else it were found due by the walks that begin."""
        self.hear()
        now = time.monotonic()
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
        for walk in self._turns.values():
            walk.ahead &= walk.under_way.union(due.place for due in walk.taken)  # the others are committed
        begun: dict[int, Walk] = {}
        for one in self._wanted:
            walk = Walk(one, one.current(self._registry), 0, number)
            open_walk = self._turns.get(one.workspace_id)
            if open_walk is not None:
                if open_walk.key != walk.key:
                    self._outdate(open_walk)
                else:
                    open_walk.wanted = one  # its rate may be another
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
        self._turns.update(begun)
        self._fresh.keep({number for number, walk in self._turns.items() if walk.wanted.reading})
        self._number = number

    def _outdate(self, walk: Walk) -> None:
        """It begins nothing more, and counts for nothing."""
        self._break_off(walk)
        walk.is_outdated = True
        self._settle(walk)

    def _break_off(self, walk: Walk) -> None:
        walk.taken.clear()
        walk.ended = walk.ended or time.monotonic()

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
        workspace_id = walk.wanted.workspace_id
        if walk.ended is None or walk.under_way or self._turns.get(workspace_id) is not walk:
            return
        del self._turns[workspace_id]
        if walk.is_outdated:
            self._walked.pop(workspace_id, None)
        elif walk.cut_short:
            self._down_until[workspace_id] = time.monotonic() + DOWN_SECONDS
            self._walked.pop(workspace_id, None)
        else:
            self._walked[workspace_id] = walk.key, walk.number
            again = workspace_id in self._stale
            self._written.settle(workspace_id, walk.aim, walk.number, whole=walk.is_whole, again=again)
