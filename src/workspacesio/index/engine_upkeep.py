"""Which engine serves, which is being filled, and clearing what is of no more use.

An engine that is damaged, of another kind than is wanted now, or to be rebuilt is replaced: a new one is filled
from the catalogue beside it, and when it holds everything, it serves. Where there is none to serve meanwhile,
readers get the one that is being filled, and say that answers are incomplete.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from workspacesio.domain.errors import Unavailable
from workspacesio.index.catalogue import EngineRow
from workspacesio.index.engine import Engine
from workspacesio.index.engine_feed import EngineFeed
from workspacesio.index.recording import Recorder
from workspacesio.index.statements import Statements

RETIRED_SECONDS = 60.0
"""How long readers that have an engine open may go on with it after another serves."""

HOPELESS_FAILURES = 5
"""One after the other, with growing pauses in between: half a minute."""

_CLEARED_AT_ONCE = 10_000
_IDLE_SECONDS = 5.0
_LOOK_SECONDS = 20.0

logger = logging.getLogger(__name__)


class EngineMaker(Protocol):
    """`kind` is what is wanted now. Calling it opens an engine; None where that kind isn't set up any more."""

    @property
    def kind(self) -> str: ...

    def __call__(self, kind: str, number: int) -> Engine | None: ...


class EngineUpkeep:
    """Looks after the recorder's engines; called by one thread."""

    def __init__(
        self, recorder: Recorder, make: EngineMaker, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._recorder = recorder
        self._make = make
        self._clock = clock
        self._erase_at: dict[int, float] = {}
        self._look_at = float("-inf")

    def prepare(self) -> None:
        """At the start: opens what can go on, and begins to fill what must be made anew."""
        recorder = self._recorder
        with recorder.lock:
            for row in recorder.catalogue.engines():
                if row.state == "retired":
                    self._erase_at[row.number] = self._clock()
                    continue
                engine = self._make(row.kind, row.number)
                damage = "its settings are gone" if engine is None else _damage(engine)
                if damage is None and row.holds == 0 and row.state == "filling":
                    damage = "it had only been begun"
                if engine is None or damage is not None:
                    logger.warning("the search index %s is made again: %s", row.number, damage)
                    self._set_state(row.number, "retired")
                else:
                    recorder.feeds.append(EngineFeed(row, engine, clock=self._clock))
            serving = [feed for feed in recorder.feeds if feed.state == "serving"]
            filling = [feed for feed in recorder.feeds if feed.state == "filling"]
            for feed in filling:
                if feed.kind != self._make.kind:
                    self._retire(feed)
            if not any(feed.kind == self._make.kind for feed in recorder.feeds):
                self._begin_filling()
            elif filling and serving and serving[0].kind != self._make.kind:
                logger.info("the search index %s goes on being filled", filling[0].number)

    def rebuild(self) -> None:
        """Fill a new engine beside the one that serves; one that is being filled goes on instead."""
        with self._recorder.lock:
            if not self.is_filling:
                self._begin_filling()

    @property
    def is_filling(self) -> bool:
        return any(feed.state == "filling" for feed in self._recorder.feeds)

    def filled(self) -> tuple[int, str | None] | None:
        """How many entries the engine that is being filled has got, and why it doesn't go on; None: none is."""
        with self._recorder.lock:
            for feed in self._recorder.feeds:
                if feed.state == "filling":
                    return feed.written, feed.problem
            return None

    def step(self) -> float:
        """One bounded piece of what is to be done; seconds until the next."""
        recorder = self._recorder
        with recorder.lock:
            recorder.commit_if_due()
            waits = []
            for feed in list(recorder.feeds):
                wait = feed.wait_seconds()
                if wait is not None and wait <= 0:
                    if feed.problem is not None and self._replaced_if_unfit(feed):
                        return 0.0
                    self._catch_up(feed)
                    return 0.0
                if wait is not None:
                    waits.append(wait)
            self._erase_retired()
            if self._clear_garbage() or self._replaced_if_removed():
                return 0.0
            return min([*waits, _IDLE_SECONDS])

    def _replaced_if_unfit(self, feed: EngineFeed) -> bool:
        """One that is damaged; or that answers, and fails again and again: then another is filled beside it."""
        try:
            damage = feed.engine.damaged()
        except Unavailable:
            return False
        if damage is None and feed.failures < HOPELESS_FAILURES:
            return False
        if damage is None and feed.state == "serving" and self.is_filling:
            return False
        logger.warning("the search index %s is made again: %s", feed.number, damage or feed.problem)
        if damage is not None or feed.state == "filling":
            self._retire(feed)
        feed.failures = 0
        if not self.is_filling:
            self._begin_filling()
        return True

    def _replaced_if_removed(self) -> bool:
        """One whose files somebody removed while nothing is to be written, so that no failure tells of it."""
        if self._clock() < self._look_at:
            return False
        self._look_at = self._clock() + _LOOK_SECONDS
        for feed in self._recorder.feeds:
            if feed.state == "serving" and feed.engine.is_removed():
                logger.warning("the search index %s is made again: its files were removed", feed.number)
                self._retire(feed)
                if not self.is_filling:
                    self._begin_filling()
                return True
        return False

    def _catch_up(self, feed: EngineFeed) -> None:
        recorder = self._recorder
        recorder.flush()
        change = recorder.known_change()
        with recorder.catalogue.store.reading() as statements:
            feed.catch_up(statements, change)
        if feed.state == "filling" and not feed.is_behind:
            for other in [other for other in recorder.feeds if other.state == "serving"]:
                self._retire(other)
            recorder.note_holds()
            self._set_state(feed.number, "serving")
            feed.state = "serving"
            logger.info("the search index %s holds everything, and serves now", feed.number)
        else:
            recorder.note_holds()

    def _begin_filling(self) -> None:
        kind = self._make.kind

        def add(statements: Statements) -> int:
            [(number,)] = statements.rows("SELECT value FROM catalogue_numbers WHERE name = 'next_engine'")
            statements.run("UPDATE catalogue_numbers SET value = ? WHERE name = 'next_engine'", (number + 1,))
            statements.insert(
                "catalogue_engines", ("number", "kind", "state", "holds"), [(number, kind, "filling", 0)]
            )
            return int(number)

        number = self._change(add)
        engine = self._make(kind, number)
        if engine is None:
            raise Unavailable(f"The search engine ({kind}) is not set up.", code="engine_unavailable")
        try:
            engine.erase()
        except Unavailable as error:
            # The worker goes on without it: nothing is written to what was not erased, and another is begun.
            logger.warning("the search index %s can't be made yet: %s", number, error)
        feed = EngineFeed(EngineRow(number, kind, "filling", 0), engine, fresh=True, clock=self._clock)
        self._recorder.feeds.append(feed)
        logger.info("the search index %s is being filled", number)

    def _retire(self, feed: EngineFeed) -> None:
        self._recorder.feeds.remove(feed)
        feed.close()
        self._set_state(feed.number, "retired")
        self._erase_at[feed.number] = self._clock() + RETIRED_SECONDS

    def _erase_retired(self) -> None:
        if not any(at <= self._clock() for at in self._erase_at.values()):
            return
        for row in self._recorder.catalogue.engines():
            if row.state != "retired" or self._erase_at.setdefault(row.number, 0.0) > self._clock():
                continue
            try:
                engine = self._make(row.kind, row.number)
                if engine is not None:
                    engine.erase()
            except Unavailable as error:
                logger.warning("the old search index %s is erased later: %s", row.number, error)
                self._erase_at[row.number] = self._clock() + RETIRED_SECONDS
                continue
            del self._erase_at[row.number]
            self._forget(row.number)

    def _forget(self, number: int) -> None:
        self._change(
            lambda statements: statements.run("DELETE FROM catalogue_engines WHERE number = ?", (number,))
        )

    def _set_state(self, number: int, state: str) -> None:
        self._change(
            lambda statements: statements.run(
                "UPDATE catalogue_engines SET state = ? WHERE number = ?", (state, number)
            )
        )

    def _clear_garbage(self) -> bool:
        """Rows of entries whose folders are gone, a few at a time; whether there were any."""
        return self._change(_clear_some) > 0

    def _change(self, change: Callable[[Statements], int]) -> int:
        recorder = self._recorder
        recorder.flush()
        return recorder.change_rows(change)


def _damage(engine: Engine) -> str | None:
    """None also while it is away: that is no damage."""
    try:
        return engine.damaged()
    except Unavailable:
        return None


def _clear_some(statements: Statements) -> int:
    folders = statements.rows("SELECT folder_id FROM catalogue_garbage ORDER BY folder_id LIMIT 500")
    if not folders:
        return 0
    ids = statements.listed(row[0] for row in folders)
    rows = statements.rows(
        "SELECT folder_id, name, id, looked FROM catalogue_entries WHERE folder_id IN ?* LIMIT ?",
        [ids, _CLEARED_AT_ONCE],
    )
    read = [row[2] for row in rows if row[3] is not None]
    statements.run("DELETE FROM catalogue_contents WHERE entry_id IN ?*", [statements.listed(read)])
    statements.run_many(
        "DELETE FROM catalogue_entries WHERE folder_id = ? AND name = ?", [(row[0], row[1]) for row in rows]
    )
    if len(rows) < _CLEARED_AT_ONCE:
        statements.run("DELETE FROM catalogue_garbage WHERE folder_id IN ?*", [ids])
    return 1
