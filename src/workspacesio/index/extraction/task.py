"""The extraction as a task of the index worker: takes what is due, has it looked at, tells the recorder.

Files are looked at by a few threads, each with a confined child of its own (`pool.Slot`). Whatever storage, files
or children do, the task itself waits for none of them for long.
"""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Protocol

from workspacesio.database.sessions import Database
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.catalogue import Catalogue, Due
from workspacesio.index.extraction.looking import Later, Looked, look_at, names_again
from workspacesio.index.extraction.nursery_client import Nursery, NurseryLost
from workspacesio.index.extraction.pool import Slot
from workspacesio.index.extraction.protocol import LIMITS, MEBIBYTE, Enrichment, Limits
from workspacesio.index.extraction.read_so_far import WrittenReadings
from workspacesio.index.extraction.registry import Registry, installed
from workspacesio.index.extraction.walks import Walk, Walks
from workspacesio.index.extraction.wanted import bytes_left, note_read
from workspacesio.index.recording import Recorder
from workspacesio.services.drivers import Drivers

_log = logging.getLogger(__name__)

STEP_SECONDS = 0.5
IDLE_SECONDS = 1.0
RECORDED_AT_ONCE = 256
RECORD_SECONDS = 1.0
REST_SECONDS = 60.0
"""Idle for so long, the processes that hold the libraries in memory are ended."""
LOG_SECONDS = 60.0


class Context(Protocol):
    """What it needs of the worker."""

    @property
    def database(self) -> Database: ...
    @property
    def drivers(self) -> Drivers: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def recorder(self) -> Recorder: ...
    @property
    def stopping(self) -> Callable[[], bool]: ...


class ExtractionTask:
    name = "extraction"

    def __init__(
        self, context: Context, registry: Registry | None = None, limits: Limits = LIMITS, children: int = 0
    ) -> None:
        self._context = context
        self._registry = registry or installed()
        self._limits = limits
        self._children = children or max(1, min(4, (os.cpu_count() or 1) // 2))
        self._nursery = Nursery(self._registry, limits)
        self._slots = [Slot(self._nursery, self._registry, limits) for _ in range(self._children)]
        self._free: SimpleQueue[Slot] = SimpleQueue()
        for slot in self._slots:
            self._free.put(slot)
        self._threads = ThreadPoolExecutor(self._children, thread_name_prefix="extraction")
        self._written = WrittenReadings(context.recorder)
        self._walks = Walks(context.database, context.catalogue, self._registry, self._written)
        self._flying: dict[Future[Looked], Walk] = {}
        self._gathered: dict[int, tuple[Due, Enrichment]] = {}
        self._gathered_since = 0.0
        self._reserved: dict[int, int] = {}
        """By root: bytes that files under way may still cost."""
        self._rollbacks = context.recorder.rollbacks
        self._uncommitted = False
        self._busy_at = time.monotonic()
        self.looked = 0
        self.problems = 0
        self._logged = (time.monotonic(), 0, 0)

    def step(self) -> float:
        """Returns after how many seconds it wants to be called again."""
        try:
            return self._step()
        except WorkspacesIOError:
            self._gathered.clear()
            self._walks.forget()
            raise

    def _step(self) -> float:
        self._fill()
        if not self._flying:
            self._commit()
            return self._idle()
        self._busy_at = time.monotonic()
        done, _ = wait(self._flying, timeout=STEP_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            self._land(self._flying.pop(future), future)
        if len(self._gathered) >= RECORDED_AT_ONCE or time.monotonic() - self._gathered_since > RECORD_SECONDS:
            self._record()
        return 0.0

    def close(self) -> None:
        """What is under way is broken off; it stays due."""
        self._nursery.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._retire()

    def _retire(self) -> None:
        for slot in self._slots:
            slot.retire()

    def _fill(self) -> None:
        while len(self._flying) < 2 * self._children and not self._context.stopping():
            if self._walks.at_end:
                if self._flying and self._walks.are_over:
                    return
                self._commit()  # what is found now must not be found due by the walks that begin
            found = self._walks.next()
            if found is None:
                return
            walk, due = found
            if walk.wanted.reading is None:
                self._gather(due, names_again(due))
                self._walks.landed(walk)
            elif self._reserve(walk, due):
                self._flying[self._threads.submit(self._look, walk, due)] = walk
            else:
                self._walks.leave_out(walk)

    def _reserve(self, walk: Walk, due: Due) -> bool:
        """Whether this one may be read; of a server that charges, if what is allowed lasts for all of it."""
        if not walk.wanted.pays:
            return True
        with self._context.database.read() as session:
            left = bytes_left(session, walk.wanted.root_id)
        most, reserved = self._most_paid(due), self._reserved.get(walk.wanted.root_id, 0)
        if most > left - reserved:
            return False
        self._reserved[walk.wanted.root_id] = reserved + most
        return True

    def _most_paid(self, due: Due) -> int:
        return min(due.size, self._limits.most_read + MEBIBYTE)

    def _look(self, walk: Walk, due: Due) -> Looked:
        """In a thread. Raises NurseryLost."""
        wanted = walk.wanted
        if wanted.reading is None:
            raise ValueError("nothing is to be read of this workspace")
        slot = self._free.get()
        try:
            return look_at(
                due,
                driver=self._context.drivers(wanted.node_id),
                workspace_id=wanted.workspace_id,
                scope=wanted.scope,
                reading=wanted.reading,
                slot=slot,
                registry=self._registry,
            )
        except WorkspacesIOError:
            return Looked(due, None, Later.DOWN)
        finally:
            self._free.put(slot)

    def _land(self, walk: Walk, future: Future[Looked]) -> None:
        try:
            looked = future.result()
        except NurseryLost as error:
            _log.warning("%s Contents are read again in a while.", error)
            self._walks.down(walk)
            return
        if walk.wanted.pays:
            self._reserved[walk.wanted.root_id] -= self._most_paid(looked.due)
            if looked.bytes_asked:
                with self._context.database.write() as session:
                    note_read(session, walk.wanted.root_id, looked.bytes_asked)
        if looked.enrichment is not None:
            self.looked += 1
            self.problems += bool(looked.enrichment.problem)
            self._gather(looked.due, looked.enrichment)
        if looked.later is Later.DOWN:
            self._walks.down(walk)
        elif looked.later is Later.CHANGED:
            self._walks.again(walk, looked.due)
        else:
            self._walks.landed(walk)

    def _gather(self, due: Due, enrichment: Enrichment) -> None:
        if not self._gathered:
            self._gathered_since = time.monotonic()
        self._gathered[due.entry_id] = due, enrichment
        if len(self._gathered) >= RECORDED_AT_ONCE:
            self._record()

    def _record(self) -> None:
        """Raises Unavailable."""
        recorder = self._context.recorder
        if self._gathered:
            gathered, self._gathered = self._gathered, {}
            recorder.enrich(list(gathered.values()))
            self._uncommitted = True
        if self._uncommitted:
            recorder.commit_if_due()
        if recorder.rollbacks != self._rollbacks:
            self._rollbacks = recorder.rollbacks
            self._walks.forget()
        self._log()

    def _commit(self) -> None:
        self._record()
        recorder = self._context.recorder
        if self._uncommitted or self._written.has_settled:
            recorder.commit()
            self._uncommitted = False
        if recorder.rollbacks == self._rollbacks and _is_found(recorder):
            self._written.write_settled()

    def _idle(self) -> float:
        if time.monotonic() - self._busy_at > REST_SECONDS:
            self._retire()
            self._nursery.rest()
        return IDLE_SECONDS

    def _log(self) -> None:
        at, looked, problems = self._logged
        now = time.monotonic()
        if now - at > LOG_SECONDS and self.looked > looked:
            speed = (self.looked - looked) / (now - at)
            _log.info(
                "read the contents of %d files, %.0f a second; %d had problems",
                self.looked - looked,
                speed,
                self.problems - problems,
            )
            self._logged = now, self.looked, self.problems


def _is_found(recorder: Recorder) -> bool:
    """Whether readers find what was committed; while an engine is filled beside it, the one that serves counts."""
    feeds = [feed for feed in recorder.feeds if feed.state == "serving"] or recorder.feeds
    return not any(feed.is_behind for feed in feeds)
