"""Crawls: storage is walked, the recorder is told, and the row says how far it is.

Listings are recorded in steps of some thousand entries, so that events come in between. Every few seconds the
recorder commits, and only then the position moves, so a crawl that is killed goes on with what was not committed.
About once a second the row is written and the storage asked whether it is still there.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial

from workspacesio.database.sessions import Database
from workspacesio.domain.crawl_reasons import WORKSPACE_KEPT
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue_changes import LeaseLost
from workspacesio.index.catalogue_store import CatalogueDamaged, CatalogueMissing
from workspacesio.index.crawl_folder import Walked, WorkspaceUnreadable
from workspacesio.index.crawl_places import Recording, drop_vanished, is_there, places_of
from workspacesio.index.crawl_queue import CrawlQueue, TakenCrawl
from workspacesio.index.crawl_sources import Place, Source, source_of
from workspacesio.index.crawl_usage import UsageRepair
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Counts
from workspacesio.index.pace import Pace, paced
from workspacesio.index.progress import Position
from workspacesio.index.recording import ListingSink
from workspacesio.index.storage_silence import Silence
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError

logger = logging.getLogger(__name__)

STEP_ENTRIES = 5_000
STEP_FOLDERS = 300
STEP_SECONDS = 0.5
REPORT_SECONDS = 1.0
COMMIT_SECONDS = 5.0
COMMIT_ENTRIES = 100_000
LOG_SECONDS = 30.0

WAY_SECONDS = 10.0
"""A crawl that is not to be fast lets others be at work for so long at least, if any wait while it rests."""


class _Stopped(Exception):
    """The worker stops, another crawl goes first, or something was lost: this one waits for its turn."""


class _GivesWay(Exception):
    """It rests, for it is not to be fast, and others wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class _LetGo(Exception):
    """The row was paused, or is somebody else's."""


class Crawler:
    """Takes crawls from the queue. Several threads may run one each."""

    def __init__(
        self,
        database: Database,
        drivers: Callable[[int], StorageDriver],
        recorder: Recording,
        queue: CrawlQueue,
        *,
        scratch: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._drivers = drivers
        self._recorder = recorder
        self._queue = queue
        self._scratch = scratch
        self._clock = clock
        self._usage = UsageRepair(database, clock)

    def repair_usage(self) -> None:
        """Of workspaces that were crawled a moment ago; to be called now and then."""
        self._usage.write_settled()

    def run_one(self, stopping: Callable[[], bool]) -> bool:
        """Crawl what is next, to its end or until `stopping`; False when nothing waits.

        Raises LeaseLost, CatalogueDamaged, CatalogueMissing: the worker ends, and the next takes the crawl over.
        """
        taken = self._queue.take()
        if taken is not None:
            self.run(taken, stopping, Silence())
        return taken is not None

    def run(self, taken: TakenCrawl, stopping: Callable[[], bool], silence: Silence) -> None:
        """As `run_one`. By `silence` others see whether anything comes from the storage."""
        run = _Run(self._recorder, self._queue, taken, stopping=stopping, silence=silence, clock=self._clock)
        if taken.progress.position is None:
            logger.info("crawl %d of root %s begins", taken.id, taken.root)
        try:
            self._crawl(taken, run)
            written = self._queue.finish(taken.id, run.progress)
            run.log("is done")
        except _Stopped:
            written = self._queue.put_back(taken.id, run.progress)
        except _GivesWay as rest:
            written = self._queue.put_back(taken.id, run.progress, rest=rest.seconds)
        except (LeaseLost, CatalogueDamaged, CatalogueMissing):
            raise
        except _LetGo:
            written = False
            logger.info("crawl %d of root %s was paused or taken away", taken.id, taken.root)
        except (NodeError, WorkspacesIOError) as error:
            away = isinstance(error, NodeError)
            written = self._queue.fail(taken.id, run.progress, str(error), away=away)
            logger.warning("crawl %d of root %s failed: %s", taken.id, taken.root, error)
        except Exception:
            self._queue.fail(taken.id, run.progress, "The crawl broke off; the log of the server says why.")
            raise
        if not written:
            self._queue.let_go(taken.id)

    def _crawl(self, taken: TakenCrawl, run: "_Run") -> None:
        source: Source | None = None
        if taken.level is not IndexLevel.NONE:
            source = source_of(
                self._drivers(taken.node_id),
                self._recorder,
                exclusions=Exclusions(taken.exclusions),
                cross_filesystems=taken.cross_filesystems,
                expected_entries=taken.expected_entries,
                scratch=self._scratch,
            )
            run.silence.ask(source.check)
        for place in places_of(self._database, taken, run.progress.position):
            if source is None:
                self._recorder.drop_workspace(place.workspace_id)
            else:
                self._workspace(taken, run, source, place)
            if not is_there(self._database, place.workspace_id):
                self._recorder.drop_workspace(place.workspace_id)
            run.progress.move(Position(place.workspace_id + 1))
            self.repair_usage()
        drop_vanished(self._database, self._recorder)
        run.commit()

    def _workspace(self, taken: TakenCrawl, run: "_Run", source: Source, place: Place) -> None:
        """One that can't be read is told, and holds up no other one; alone, or as all of its root, it raises."""
        begun = None if taken.exclusions else self._usage.begin(place, run.progress)
        try:
            run.workspace(source, place)
        except WorkspaceUnreadable:
            if taken.workspace_id is not None or place.prefix == place.root_prefix:
                raise
            run.progress.problems.note(WORKSPACE_KEPT, place.prefix)
            logger.warning("crawl %d: the folder of workspace %d can't be read", taken.id, place.workspace_id)
        else:
            self._usage.end(begun, run.progress, taken.node_id)


class _Run:
    """One crawl under way: its clocks, and what is written of it."""

    def __init__(
        self,
        recorder: ListingSink,
        queue: CrawlQueue,
        taken: TakenCrawl,
        *,
        stopping: Callable[[], bool],
        silence: Silence,
        clock: Callable[[], float],
    ) -> None:
        self.silence = silence
        self.progress = taken.progress
        self.progress.expected_entries = taken.expected_entries
        self._recorder = recorder
        self._queue = queue
        self._taken = taken
        self._stopping = stopping
        self._clock = clock
        now = clock()
        self._begun = now - self.progress.seconds
        self._rests_until = now
        self._reported_at = self._committed_at = self._logged_at = now
        self._committed_entries = self.progress.entries
        self._rollbacks = recorder.rollbacks

    def workspace(self, source: Source, place: Place) -> None:
        position = self.progress.position
        resume = position if position is not None and position.workspace_id == place.workspace_id else None
        walk = source.walk(place, resume=resume)
        pace = Pace(self._taken.rate, self._taken.gentle)
        listings = paced(walk, pace, clock=self._clock, rests=self._note_rest)
        with closing(walk):
            steps = steps_of(listings, self._clock)
            while (step := self.silence.ask(partial(next, steps, None))) is not None:
                if step:
                    self._record(step, place.workspace_id)
                self._beat(source)

    def _note_rest(self, until: float) -> None:
        self._rests_until = until

    def _record(self, step: list[Walked], workspace_id: int) -> None:
        """Up to the last position in it, and then the rest, so that counts are those at the position."""
        ends = [number for number, walked in enumerate(step, 1) if walked.position is not None]
        end = ends[-1] if ends else 0
        for part in (step[:end], step[end:]):
            if part:
                self._record_part(part, workspace_id)

    def _record_part(self, step: list[Walked], workspace_id: int) -> None:
        listings = [walked.listing for walked in step if walked.listing is not None]
        counts = self._recorder.sync_folders(listings) if listings else Counts()
        for walked in step:
            self.progress.problems.add(walked.problems)
        at = step[-1].position
        self.progress.took(
            sum(len(one.found) for one in listings),
            counts,
            None if at is None else Position(workspace_id, *at),
        )

    def _beat(self, source: Source) -> None:
        """Raises _Stopped, _GivesWay, _LetGo, NodeDown."""
        now = self._clock()
        self.progress.seconds = now - self._begun
        entries = self.progress.entries - self._committed_entries
        if now - self._committed_at >= COMMIT_SECONDS or entries >= COMMIT_ENTRIES:
            self.commit(beside=True)
        if self._stopping():
            self.commit()
            raise _Stopped
        if now - self._reported_at < REPORT_SECONDS:
            return
        self._reported_at = now
        self.progress.sample()
        self.silence.ask(source.check)
        if not self._queue.report(self._taken.id, self.progress):
            raise _LetGo
        rest = self._rests_until - now if self._taken.rate is not None else 0.0
        if self._queue.is_more_urgent(self._taken, rests=rest > 0):
            self.commit()
            raise _GivesWay(max(rest, WAY_SECONDS)) if rest > 0 else _Stopped
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            self.log("goes on")

    def commit(self, *, beside: bool = False) -> None:
        """`beside`: readers find it a moment later, and the crawl goes on.

        Raises _Stopped where somebody else failed: what was recorded since the last commit went with it.
        """
        (self._recorder.commit_beside if beside else self._recorder.commit)()
        if self._recorder.rollbacks != self._rollbacks:
            self.log("goes back to where it was committed, since something else failed")
            raise _Stopped
        self.progress.commit()
        self._committed_at = self._clock()
        self._committed_entries = self.progress.entries

    def log(self, what: str) -> None:
        """One line with all numbers."""
        done, counts, left = self.progress, self.progress.counts, self.progress.seconds_left
        logger.info(
            "crawl %d of root %s %s: %s",
            self._taken.id,
            self._taken.root,
            what,
            f"{done.entries} entries, {counts.bytes} bytes, {counts.new} new, {counts.changed} changed, "
            f"{counts.gone} gone, {done.rate or 0.0:.0f} a second{'' if left is None else f', {left:.0f} s left'}",
        )


def steps_of(listings: Iterable[Walked | None], clock: Callable[[], float]) -> Iterator[list[Walked]]:
    """Listings in pieces that are recorded at once; empty ones where there is nothing, for the clocks."""
    step: list[Walked] = []
    entries, begun = 0, clock()
    for walked in listings:
        if walked is not None:
            step.append(walked)
            entries += max(1, walked.looked)
        if (
            walked is None
            or entries >= STEP_ENTRIES
            or len(step) >= STEP_FOLDERS
            or clock() - begun > STEP_SECONDS
        ):
            yield step
            step, entries, begun = [], 0, clock()
    if step:
        yield step
