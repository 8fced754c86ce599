"""The index worker: while it holds the lease it alone writes the index, in tasks that run side by side.

    class Task:                                  made anew for each lease, by TaskMaker
        name = "events"
        def step(self) -> float: ...             a bounded piece of work; seconds until the next, 0: more to do
        def close(self) -> None: ...

Each task has a thread of its own; `context.wake(name)` ends its pause. What a step raises is logged, and the task
goes on after a pause that grows. When the lease is lost, or the catalogue turns out damaged, all tasks are ended.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from workspacesio.database.sessions import Database
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.catalogue_changes import LeaseLost
from workspacesio.index.catalogue_store import CatalogueDamaged, CatalogueMissing
from workspacesio.index.engine_upkeep import EngineUpkeep
from workspacesio.index.hints import Hints
from workspacesio.index.recording import Recorder
from workspacesio.services.drivers import Drivers
from workspacesio.services.keys import Keyring
from workspacesio.services.storage import Wait
from workspacesio.settings import Settings

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
END_SECONDS = 10.0

HANG_SECONDS = 300.0
STEADY_TASKS = frozenset({"events", "watching"})
"""Whose steps take moments. One that takes so long won't end, and only a new process can go on. Others may read a
slow disk for long."""
STOOD_STILL_SECONDS = 10.0
"""Who looks after the tasks looks every second. After so long it was the process that stood still (SIGSTOP)."""

GENTLE_TASKS = frozenset({"crawls", "extraction"})
GENTLER = 5
"""Added to the process's niceness: nobody waits for these as for what has just happened."""

logger = logging.getLogger(__name__)


class WorkerTask(Protocol):
    @property
    def name(self) -> str: ...

    def step(self) -> float: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What tasks work with. A step that takes long asks `stopping` now and then, and returns when it is so.

    `wait` runs a driver's coroutine from the task's thread. `hints`: what watchers saw, for who looks it up.
    `leave`: a thread that a task began and that may never end.
    """

    database: Database
    settings: Settings
    keyring: Keyring
    drivers: Drivers
    wait: Wait
    catalogue: Catalogue
    recorder: Recorder
    upkeep: EngineUpkeep
    clock: Callable[[], datetime]
    stopping: Callable[[], bool]
    wake: Callable[[str], None]
    leave: Callable[[threading.Thread], None]
    hints: Hints = field(default_factory=Hints)


TaskMaker = Callable[[WorkerContext], WorkerTask]


class UpkeepTask:
    """Engines that are behind, to be filled, or of no more use."""

    name = "upkeep"

    def __init__(self, context: WorkerContext) -> None:
        self._upkeep = context.upkeep

    def step(self) -> float:
        return self._upkeep.step()

    def close(self) -> None:
        pass


class TaskThreads:
    """The tasks of one lease, each in its thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._wakes: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._left: list[threading.Thread] = []
        self._begun: dict[str, float] = {}
        """When the step began that each steady task is in."""
        self._looked_at = self._runs_since = time.monotonic()
        self.ended: WorkspacesIOError | None = None
        """Why all of them have to end."""

    def stopping(self) -> bool:
        return self._stop.is_set()

    def wake(self, name: str) -> None:
        wake = self._wakes.get(name)
        if wake is not None:
            wake.set()

    def leave(self, thread: threading.Thread) -> None:
        """It isn't waited for."""
        self._left.append(thread)

    def hanging(self) -> str | None:
        """The name of a steady task whose step doesn't end."""
        now = time.monotonic()
        if now - self._looked_at > STOOD_STILL_SECONDS:
            self._runs_since = now
        self._looked_at = now
        if now - self._runs_since < HANG_SECONDS:
            return None
        return next((name for name, begun in list(self._begun.items()) if now - begun > HANG_SECONDS), None)

    def start(self, context: WorkerContext, makers: Sequence[TaskMaker]) -> None:
        tasks = [make(context) for make in makers]
        for task in tasks:
            self._wakes[task.name] = threading.Event()
        for task in tasks:
            thread = threading.Thread(target=self._run, args=(task,), name=f"index {task.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> bool:
        """Whether all have ended; one that hangs in storage may not."""
        self._stop.set()
        for wake in self._wakes.values():
            wake.set()
        deadline = time.monotonic() + END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in [*self._threads, *self._left])

    def _run(self, task: WorkerTask) -> None:
        wake = self._wakes[task.name]
        if task.name in GENTLE_TASKS:
            _be_gentler()
        pause = FIRST_PAUSE_SECONDS
        said = ""
        while not self._stop.is_set():
            if task.name in STEADY_TASKS:
                self._begun[task.name] = time.monotonic()
            try:
                seconds = task.step()
                pause, said = FIRST_PAUSE_SECONDS, ""
            except (LeaseLost, CatalogueDamaged, CatalogueMissing) as error:
                self.ended = error
                break
            except WorkspacesIOError as error:
                if str(error) != said:
                    logger.warning("%s: it is tried again: %s", task.name, error)
                seconds, pause, said = pause, min(pause * 2, LONGEST_PAUSE_SECONDS), str(error)
            except Exception:
                logger.exception("%s: it is tried again", task.name)
                seconds, pause = pause, min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._begun.pop(task.name, None)
            if seconds > 0 and not self._stop.is_set():
                wake.wait(seconds)
                wake.clear()
        try:
            task.close()
        except Exception:
            logger.exception("%s could not be ended in order", task.name)


def _be_gentler() -> None:
    """This thread: Linux gives each its own niceness (setpriority(2)), which those that it starts inherit."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + GENTLER)
