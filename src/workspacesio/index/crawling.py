"""Crawls: storage is walked, the recorder is told, and the row says how far it is.

Listings are recorded in steps of some thousand entries, so that events come in between. Every few seconds the
recorder commits, and only then the position moves, so a crawl that is killed goes on with what was not committed.
About once a second the row is written and the storage asked whether it is still there.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

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


class _Stopped(Exception):
    """The worker stops, another crawl goes first, or something was lost: this one waits for its turn."""


class _LetGo(Exception):
    """The row was paused, or is somebody else's."""


class Crawler:
    """Takes crawls from the queue, one at a time. For one thread."""

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
        if taken is None:
            return False
        run = _Run(self._recorder, self._queue, taken, stopping=stopping, clock=self._clock)
        logger.info("crawl %d of root %s begins", taken.id, taken.root)
        try:
            self._crawl(taken, run)
        except _Stopped:
            written = self._queue.put_back(taken.id, run.progress)
        except (LeaseLost, CatalogueDamaged, CatalogueMissing):
            raise
        except _LetGo:
            written = False
            logger.info("crawl %d of root %s was paused or taken away", taken.id, taken.root)
        except (NodeError, WorkspacesIOError) as error:
            written = self._queue.fail(taken.id, run.progress, str(error))
            logger.warning("crawl %d of root %s failed: %s", taken.id, taken.root, error)
        except Exception:
            self._queue.fail(taken.id, run.progress, "The crawl broke off; the log of the server says why.")
            raise
        else:
            written = self._queue.finish(taken.id, run.progress)
            run.log("is done")
        if not written:
            self._queue.let_go(taken.id)
        return True

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
            source.check()
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
        clock: Callable[[], float],
    ) -> None:
        self.progress = taken.progress
        self.progress.expected_entries = taken.expected_entries
        self._recorder = recorder
        self._queue = queue
        self._taken = taken
        self._stopping = stopping
        self._clock = clock
        now = clock()
        self._begun = now - self.progress.seconds
        self._reported_at = self._committed_at = self._logged_at = now
        self._committed_entries = self.progress.entries
        self._rollbacks = recorder.rollbacks

    def workspace(self, source: Source, place: Place) -> None:
        position = self.progress.position
        resume = position if position is not None and position.workspace_id == place.workspace_id else None
        walk = source.walk(place, resume=resume)
        listings = paced(walk, Pace(self._taken.rate, self._taken.gentle), clock=self._clock)
        with closing(walk):
            for step in _steps(listings, self._clock):
                if step:
                    self._record(step, place.workspace_id)
                self._beat(source)

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
        """Raises _Stopped, _LetGo, NodeDown."""
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
        source.check()
        if not self._queue.report(self._taken.id, self.progress):
            raise _LetGo
        if self._queue.is_more_urgent(self._taken):
            self.commit()
            raise _Stopped
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


def _steps(listings: Iterable[Walked | None], clock: Callable[[], float]) -> Iterator[list[Walked]]:
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


def sync_subtree(
    driver: StorageDriver,
    recorder: ListingSink,
    place: Place,
    path: str,
    *,
    exclusions: Exclusions,
    cross_filesystems: bool = False,
    scratch: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Counts:
    """Make the index true of one folder ('' or 'a/b/') of a workspace, with all below it.

    Ends early when `stopping`. Raises NodeErrors; NotSupported.
    """
    source = source_of(
        driver, recorder, exclusions=exclusions, cross_filesystems=cross_filesystems, scratch=scratch
    )
    counts = Counts()
    if exclusions.excludes(path):
        return counts
    with closing(source.walk(place, path)) as walk:
        for step in _steps(walk, time.monotonic):
            found = [walked.listing for walked in step if walked.listing is not None]
            if found:
                counts = counts.plus(recorder.sync_folders(found))
            if stopping():
                break
    return counts
