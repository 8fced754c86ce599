"""Many copies at once: some threads, what they tell, and what became of each."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue

from workspacesio.client.copy_plan import Copy, LeftOut, name_of
from workspacesio.client.downloads import download
from workspacesio.client.ended import why
from workspacesio.client.errors import CommandError, NotAllowed
from workspacesio.client.places import Place
from workspacesio.client.server_copies import copy
from workspacesio.client.uploads import Exists, upload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FIRST_AT_ONCE, MOST_AT_ONCE = 4, 16
WAITING_SHARE = 0.6
"""Where the process works for less of the time than this, it waits for others, and more threads help."""
LOOK_SECONDS = 0.1
AHEAD = 2
"""So many for each thread are given out, so that none of them waits for the next one."""
PLANNED_AHEAD = 1000
"""So many are looked for ahead of those under way, so that it can be told how much there is."""

INTERRUPTIBLE_SECONDS = 0.2
"""^C is heard so soon where it can't end a wait: on Windows, and where another thread got the signal."""


class Progress:
    """How far all of it is. Written by many threads, read by who shows it.

    Who tells of bytes waits until they may have been sent, where `bandwidth` limits them: bytes a second.
    """

    def __init__(self, *, bandwidth: int | None = None) -> None:
        self._lock = threading.Lock()
        self._bandwidth = bandwidth
        self._free_at = time.monotonic()
        self._stopped = threading.Event()
        self.objects = self.bytes = 0
        """Done."""
        self.planned_objects = self.planned_bytes = 0
        self.is_planned = False
        """Whether what is planned is all there is."""

    def told(self, count: int, *, kept: bool = False) -> None:
        """Bytes that were sent or have come; `kept`: by an earlier attempt. Raises CommandError once stopped."""
        self.counted(count)
        if not kept:
            self.wait(count)

    def counted(self, count: int, *, kept: bool = False) -> None:
        """As `told`, for bytes that were waited for before they were sent."""
        del kept
        with self._lock:
            self.bytes += count

    def wait(self, count: int) -> None:
        """Until so many bytes may have been sent. Raises CommandError once stopped."""
        if not self._bandwidth:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + count / self._bandwidth
            pause = self._free_at - time.monotonic()
        if self._stopped.wait(max(0.0, pause)):
            raise CommandError("it was broken off.")

    def stop(self) -> None:
        """Who waits for the bandwidth waits no longer."""
        self._stopped.set()

    def done(self) -> None:
        with self._lock:
            self.objects += 1

    def plan(self, size: int) -> None:
        self.planned_objects += 1
        self.planned_bytes += size


class _Threads:
    """How many copies are under way at once: as many as wait for others, for one interpreter serves them all.

    Each thread takes one step after the other, and says what became of it. They are not waited for at the end of
    the process: who was interrupted wants to go.
    """

    def __init__(self, one: Callable[[Copy], None]) -> None:
        self.at_once = 0
        self.flying = 0
        """Given out, and not taken back."""
        self._done: SimpleQueue[tuple[Copy, BaseException | None]] = SimpleQueue()
        self._one = one
        self._steps: SimpleQueue[Copy | None] = SimpleQueue()
        self._looked = time.monotonic(), time.process_time()
        self._start(FIRST_AT_ONCE)

    def submit(self, step: Copy) -> None:
        """To be done by the next one that is free."""
        self.flying += 1
        self._steps.put(step)

    def taken(self, *, waits: bool) -> tuple[Copy, BaseException | None]:
        """One that is done, and what went wrong. Raises Empty where there is none, not even after a while."""
        taken = self._done.get(waits, INTERRUPTIBLE_SECONDS)
        self.flying -= 1
        return taken

    def cancel(self) -> None:
        """What nobody began yet is not begun any more."""
        with contextlib.suppress(Empty):
            while True:
                if self._steps.get_nowait() is not None:
                    self.flying -= 1

    def end(self) -> None:
        """Each thread, when it is done with what it does."""
        self.cancel()
        for _ in range(self.at_once):
            self._steps.put(None)

    def look(self) -> None:
        """Now and then; between two looks nothing changes."""
        at, worked = time.monotonic(), time.process_time()
        passed = at - self._looked[0]
        if passed < LOOK_SECONDS:
            return
        share = (worked - self._looked[1]) / passed
        self._looked = at, worked
        if share < WAITING_SHARE and self.at_once < MOST_AT_ONCE:
            self._start(self.at_once)

    def _start(self, more: int) -> None:
        for number in range(self.at_once, self.at_once + more):
            threading.Thread(target=self._work, name=f"copies-{number}", daemon=True).start()
        self.at_once += more

    def _work(self) -> None:
        while (step := self._steps.get()) is not None:
            try:
                self._one(step)
            except BaseException as error:  # it is raised again where it is settled
                self._done.put((step, error))
            else:
                self._done.put((step, None))


MOST_REFUSED = 10
"""So many in a row that the caller doesn't reach: the right to all of it has ended."""


class Result:
    """What became of the copies. `failed`: name and reason. `existing`: were not to be overwritten."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.copied = self.refused_in_a_row = 0
        self.has_ended = False
        """Nothing more is tried, though there is more."""
        self.existing: list[Copy] = []
        self.left_out: list[LeftOut] = []
        self.failed: list[LeftOut] = []


def copy_all(
    steps: Iterable[Copy | LeftOut],
    progress: Progress,
    *,
    overwrite: bool,
    then: Callable[[Copy], None] = lambda _: None,
    tell: Callable[[LeftOut], None] = lambda _: None,
) -> Result:
    """Copies each; one that fails is told and holds up no other. `then` is done in the same thread after each.

    Raises CommandError where what is to be copied can't be listed to its end.
    """
    result = Result(progress)
    waiting: deque[Copy] = deque()
    given = iter(steps)
    progress.is_planned = False

    def one(step: Copy) -> None:
        _copy(step, progress, overwrite=overwrite)
        then(step)
        progress.done()

    threads = _Threads(one)
    try:
        while True:
            threads.look()
            while waiting and threads.flying < AHEAD * threads.at_once:
                threads.submit(waiting.popleft())
            plans = not progress.is_planned and len(waiting) < PLANNED_AHEAD
            if plans:
                _plan_next(given, waiting, progress, result, tell)
            elif not threads.flying:
                return result
            _settle_all(threads, result, tell, waits=not plans)
    except Exception:  # what is under way comes to its end
        threads.cancel()
        while threads.flying:
            _settle_all(threads, result, tell, waits=True)
        raise
    except BaseException:  # ^C: nobody waits; who closes the storages ends what is under way
        progress.stop()
        raise
    finally:
        threads.end()


def _plan_next(
    given: Iterator[Copy | LeftOut],
    waiting: deque[Copy],
    progress: Progress,
    result: Result,
    tell: Callable[[LeftOut], None],
) -> None:
    step = next(given, None)
    if step is None:
        progress.is_planned = True
    elif isinstance(step, LeftOut):
        (result.failed if step.failed else result.left_out).append(step)
        tell(step)
    else:
        progress.plan(step.size)
        waiting.append(step)


def _settle_all(threads: _Threads, result: Result, tell: Callable[[LeftOut], None], *, waits: bool) -> None:
    """What has become of those that are done. Waits for one, but not for long."""
    with contextlib.suppress(Empty):
        while True:
            step, error = threads.taken(waits=waits)
            waits = False
            _settle(error, step, result, tell)


def _settle(problem: BaseException | None, step: Copy, result: Result, tell: Callable[[LeftOut], None]) -> None:
    try:
        if problem is not None:
            raise problem
        result.copied += 1
        result.refused_in_a_row = 0
    except Exists:
        result.existing.append(step)
    except CommandError as error:
        failed = LeftOut(name_of(step.source), str(error))
        result.failed.append(failed)
        if not result.has_ended:
            _check_goes_on(error, step, result)
            tell(failed)


def _check_goes_on(error: CommandError, step: Copy, result: Result) -> None:
    """Raises CommandError where the others would go wrong, too: what was done, and what is left."""
    said = "" if isinstance(error, NotAllowed) and result.refused_in_a_row else why(error, step)
    if isinstance(error, NotAllowed):
        result.refused_in_a_row += 1
        if result.refused_in_a_row == MOST_REFUSED:
            said = f"{MOST_REFUSED} in a row were refused, the last one so: {error}"
    left, more = result.progress.planned_objects - result.copied, "" if result.progress.is_planned else " or more"
    if said and (left > 1 or more):
        result.has_ended = True
        raise CommandError(
            f"{said.rstrip('.')}. Nothing more is tried: {result.copied:,} were copied before, {left:,}{more} are "
            "left, and the same command goes on with them."
        ) from error


def _copy(step: Copy, progress: Progress, *, overwrite: bool) -> None:
    if isinstance(step.source, str):
        if isinstance(step.target, str):
            raise CommandError("both are local; use cp.")
        counted, pace = progress.counted, progress.wait
        step.copied = upload(step.source, step.target, told=counted, pace=pace, overwrite=overwrite)
    elif isinstance(step.target, Place):
        step.copied = copy(step.source, step.target, told=progress.told, overwrite=overwrite)
    else:
        if not overwrite and os.path.lexists(step.target):
            raise Exists(f"{step.target} exists already; add --yes to overwrite it.")
        step.copied = download(step.source, step.target, size=step.size, etag=step.etag, told=progress.told)
