"""Many copies at once: some threads, what they tell, and what became of each."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from workspacesio.client.copy_plan import Copy, LeftOut
from workspacesio.client.downloads import download
from workspacesio.client.errors import CommandError
from workspacesio.client.places import Place
from workspacesio.client.server_copies import copy
from workspacesio.client.uploads import Exists, upload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AT_ONCE = 8
PLANNED_AHEAD = 1000
"""So many are looked for ahead of those under way, so that it can be told how much there is."""


class Progress:
    """How far all of it is. Written by many threads, read by who shows it.

    Who tells of bytes waits until they may have been sent, where `bandwidth` limits them: bytes a second.
    """

    def __init__(self, *, bandwidth: int | None = None) -> None:
        self._lock = threading.Lock()
        self._bandwidth = bandwidth
        self._free_at = time.monotonic()
        self.objects = self.bytes = 0
        """Done."""
        self.planned_objects = self.planned_bytes = 0
        self.is_planned = False
        """Whether what is planned is all there is."""

    def told(self, count: int, *, kept: bool = False) -> None:
        """Bytes that were sent or have come; `kept`: by an earlier attempt."""
        with self._lock:
            self.bytes += count
            if kept or not self._bandwidth:
                return
            self._free_at = max(self._free_at, time.monotonic()) + count / self._bandwidth
            pause = self._free_at - time.monotonic()
        time.sleep(pause)

    def done(self) -> None:
        with self._lock:
            self.objects += 1

    def plan(self, size: int) -> None:
        self.planned_objects += 1
        self.planned_bytes += size


class Result:
    """What became of the copies. `failed`: name and reason. `existing`: were not to be overwritten."""

    def __init__(self) -> None:
        self.copied = 0
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
    result = Result()
    waiting: deque[Copy] = deque()
    flying: dict[Future[None], Copy] = {}
    given = iter(steps)
    progress.is_planned = False

    def one(step: Copy) -> None:
        _copy(step, progress, overwrite=overwrite)
        then(step)
        progress.done()

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="copies") as threads:
        try:
            while True:
                while not progress.is_planned and len(waiting) < PLANNED_AHEAD:
                    step = next(given, None)
                    if step is None:
                        progress.is_planned = True
                    elif isinstance(step, LeftOut):
                        result.left_out.append(step)
                        tell(step)
                    else:
                        progress.plan(step.size)
                        waiting.append(step)
                    if len(flying) < AT_ONCE and waiting:
                        break
                while waiting and len(flying) < AT_ONCE:
                    step = waiting.popleft()
                    flying[threads.submit(one, step)] = step
                if not flying and progress.is_planned:
                    return result
                if len(flying) == AT_ONCE or progress.is_planned:
                    for future in wait(flying, return_when=FIRST_COMPLETED).done:
                        _settle(future, flying.pop(future), result, tell)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _settle(future: Future[None], step: Copy, result: Result, tell: Callable[[LeftOut], None]) -> None:
    try:
        future.result()
        result.copied += 1
    except Exists:
        result.existing.append(step)
    except CommandError as error:
        failed = LeftOut(name_of(step.source), str(error))
        result.failed.append(failed)
        tell(failed)


def _copy(step: Copy, progress: Progress, *, overwrite: bool) -> None:
    if isinstance(step.source, str):
        if isinstance(step.target, str):
            raise CommandError("both are local; use cp.")
        upload(step.source, step.target, told=progress.told, overwrite=overwrite)
    elif isinstance(step.target, Place):
        copy(step.source, step.target, told=progress.told, overwrite=overwrite)
    else:
        if not overwrite and os.path.lexists(step.target):
            raise Exists(f"{step.target} exists already; add --yes to overwrite it.")
        download(step.source, step.target, size=step.size, etag=step.etag, told=progress.told)


def name_of(end: str | Place) -> str:
    """As a person would type it."""
    return end if isinstance(end, str) else end.name()
