"""How fast storage is read: at most so many entries a second, and gently towards others who read the same disk.

A gentle walk asks the kernel to serve everybody else first while it reads (ioprio_set(2), IOPRIO_CLASS_IDLE; what
is recorded in between has the usual priority), and rests as long as it read: the busier a disk, the longer.

Walking and recording take turns in one thread: both are short calls into C that let go of Python's lock, and two
threads that do so wait for each other most of the time (measured: a third of the speed).
"""

import ctypes
import platform
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from workspacesio.index.crawl_folder import Walked

_SYS_IOPRIO_SET = 251 if platform.machine() == "x86_64" else 30
_WHO_PROCESS = 1
_CLASS_IDLE = 3 << 13
_CLASS_NONE = 0

_LONGEST_REST = 1.0
_SHORTEST_REST = 0.005
_NAP = 0.2

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate`: entries a second at most, None for no limit. `gentle`: see above."""

    rate: int | None = None
    gentle: bool = False


def paced(
    walk: Generator[Walked, None, None],
    pace: Pace,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    rests: Callable[[float], None] = lambda _: None,
) -> Iterator[Walked | None]:
    """The walk, slowed down; None now and then while it rests, so that the caller's clocks run. `rests` is told
    until when, by `clock`."""
    begun = clock()
    entries, owed = 0, 0.0
    while True:
        before = clock()
        walked = _next(walk, gentle=pace.gentle)
        if walked is None:
            return
        now = clock()
        yield walked
        entries += max(1, walked.looked)
        owed += now - before if pace.gentle else 0.0
        rest = min(owed, _LONGEST_REST)
        if pace.rate is not None:
            rest = max(rest, entries / pace.rate - (clock() - begun))
        if rest > _SHORTEST_REST:
            owed = 0.0
            until = clock() + rest
            rests(until)
            while (left := until - clock()) > 0:
                sleep(min(left, _NAP))
                yield None


def _next(walk: Generator[Walked, None, None], *, gentle: bool) -> Walked | None:
    if not gentle:
        return next(walk, None)
    io_priority(_CLASS_IDLE)
    try:
        return next(walk, None)
    finally:
        io_priority(_CLASS_NONE)


def io_priority(kind: int) -> bool:
    """Of this thread alone; whether the kernel took it."""
    return bool(_libc.syscall(_SYS_IOPRIO_SET, _WHO_PROCESS, threading.get_native_id(), kind) == 0)
