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
from workspacesio.index.extraction.walk import Walk
from workspacesio.index.extraction.walks import Walks
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

HANGS_SECONDS = 300.0
"""Few files take so long, with all that they may cost, unless their storage doesn't answer."""
MOST_HANGING = 16
"""Threads; each keeps what it has until its storage answers."""


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
        self._threads = ThreadPoolExecutor(2 * self._children + MOST_HANGING, thread_name_prefix="extraction")
        self._begun: dict[int, float] = {}
        """By entry: when it was begun to be looked at. Who takes it out has the slot."""
        self._hanging: dict[Future[Looked], int] = {}
        """Looks that have no slot any more, and their roots."""
        self._written = WrittenReadings(context.recorder)
        self._walks = Walks(
            context.database, context.catalogue, self._registry, self._written, context.recorder.told
        )
        self._flying: dict[Future[Looked], tuple[Walk, Due]] = {}
        self._gathered: dict[int, tuple[Due, Enrichment]] = {}
        self._gathered_since = 0.0
        self._reserved: dict[int, int] = {}
        """By root: bytes that files under way may still cost."""
        self._rollbacks = context.recorder.rollbacks
        self._uncommitted = False
        self._is_awaited = False
        """Something fresh is among what was gathered."""
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
            self._walks.forget(self._flying.values())
            raise

    def _step(self) -> float:
        self._walks.hear()
        self._leave_hanging()
        self._fill()
        if not self._flying:
            self._commit()
            return self._idle()
        self._busy_at = time.monotonic()
        done, _ = wait(self._flying, timeout=STEP_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            self._land(*self._flying.pop(future), future)
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
        while len(self._flying) - len(self._hanging) < 2 * self._children and not self._context.stopping():
            if self._walks.at_end:
                self._commit()
                self._walks.begin()
            found = self._walks.next()
            if found is None:
                return
            walk, due = found
            if walk.wanted.reading is None:
                self._gather(due, names_again(due))
                self._walks.landed(walk, due)
            elif self._reserve(walk, due):
                self._flying[self._threads.submit(self._look, walk, due)] = walk, due
            else:
                self._walks.leave_out(walk, due)

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
        self._begun[due.entry_id] = time.monotonic()
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
            if self._begun.pop(due.entry_id, None) is not None:
                self._free.put(slot)
            else:
                slot.retire()  # another has taken its place

    def _leave_hanging(self) -> None:
        """Storage that doesn't answer holds up its root alone: another thread takes the place of the one in it."""
        long_ago = time.monotonic() - HANGS_SECONDS
        for future, (walk, due) in self._flying.items():
            if self._begun.get(due.entry_id, long_ago) >= long_ago or len(self._hanging) >= MOST_HANGING:
                continue
            if self._begun.pop(due.entry_id, None) is None:
                continue
            root_id = self._hanging[future] = walk.wanted.root_id
            self._walks.hold(root_id)
            self._slots.append(Slot(self._nursery, self._registry, self._limits))
            self._free.put(self._slots[-1])
            _log.warning("root %d: a file's storage doesn't answer; contents of other roots are read", root_id)

    def _land(self, walk: Walk, due: Due, future: Future[Looked]) -> None:
        root_id = self._hanging.pop(future, None)
        if root_id is not None and root_id not in self._hanging.values():
            self._walks.let_go(root_id)
        if walk.wanted.pays:
            self._reserved[walk.wanted.root_id] -= self._most_paid(due)
        try:
            looked = future.result()
        except NurseryLost as error:
            _log.warning("%s Contents are read again in a while.", error)
            self._walks.down(walk, due)
            return
        if walk.wanted.pays and looked.bytes_asked:
            with self._context.database.write() as session:
                note_read(session, walk.wanted.root_id, looked.bytes_asked)
        if looked.enrichment is not None:
            self.looked += 1
            self.problems += bool(looked.enrichment.problem)
            self._is_awaited = self._is_awaited or due.place in walk.ahead
            self._gather(due, looked.enrichment)
        if looked.later is Later.DOWN:
            self._walks.down(walk, due)
        elif looked.later is Later.CHANGED:
            self._walks.again(walk, due)
        else:
            self._walks.landed(walk, due)

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
        if self._is_awaited:
            self._is_awaited = False
            recorder.commit_beside()
        elif self._uncommitted:
            recorder.commit_if_due()
        if recorder.rollbacks != self._rollbacks:
            self._rollbacks = recorder.rollbacks
            self._walks.forget(self._flying.values())
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
