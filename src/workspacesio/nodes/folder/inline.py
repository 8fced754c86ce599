"""When a small write may be done right on the event loop: while that takes less time than handing it to a thread.

A write is some thirty system calls of a microsecond or two. A thread that makes them gives the interpreter's lock
away at each of them, to the event loop, and has to get it back: that takes several times as long as the write. So
where nothing waits for a disk (a local filesystem, no sync), a small write stays on the loop. A disk that is busy
shows by one write that takes long; then the next ones are for threads again, for a while. What the loop waited for
its turn on a processor doesn't count: on a busy machine, threads would only make that worse.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from workspacesio.nodes.folder.os_errors import translated

P = ParamSpec("P")
T = TypeVar("T")

INLINE_BYTES = 64 << 10
"""The biggest body that is written on the loop."""

_LONG_SECONDS = 0.05
_REST_SECONDS = 0.5
_LOOK_SECONDS = 0.1


class Inline:
    """One for each node and process."""

    def __init__(self) -> None:
        self._not_before = 0.0

    @property
    def quick(self) -> bool:
        """Whether the disk was quick the last time, or some time has passed."""
        return time.monotonic() >= self._not_before

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` here; OSError becomes NodeError."""
        turns, begun = _turns(), time.monotonic()
        turns.look(begun)
        try:
            with translated():
                return work(*args, **kwargs)
        finally:
            ended = time.monotonic()
            if ended - begun > _LONG_SECONDS and ended - begun - turns.waited() > _LONG_SECONDS:
                self._not_before = ended + _REST_SECONDS


class _Turns:
    """Of the calling thread: /proc/thread-self/schedstat (Documentation/scheduler/sched-stats.rst of Linux).

    Where the kernel keeps none, nothing is known to have been waited.
    """

    def __init__(self) -> None:
        self._looked_at = self._before = 0.0
        self._fd = -1
        with contextlib.suppress(OSError):
            self._fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def look(self, now: float) -> None:
        """Before a write; now and then only, for it takes as long as a system call or two."""
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at, self._before = now, self._all()

    def waited(self) -> float:
        """Seconds that it was ready to run, and no processor was free, since it was looked last."""
        return self._all() - self._before

    def _all(self) -> float:
        try:
            return int(os.pread(self._fd, 64, 0).split()[1]) / 1e9
        except OSError:
            return 0.0

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


_of_thread = threading.local()


def _turns() -> _Turns:
    known: _Turns | None = getattr(_of_thread, "turns", None)
    if known is None:
        known = _of_thread.turns = _Turns()
    return known
