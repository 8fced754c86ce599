"""When a small write may be done right on the event loop: while that takes less time than handing it to a thread.

A write is some thirty system calls of a microsecond or two. A thread that makes them gives the interpreter's lock
away at each of them, to the event loop, and has to get it back: that takes several times as long as the write. So
where nothing waits for a disk (a local filesystem, no sync), a small write stays on the loop. A disk that is busy
shows by one write that takes long; then the next ones are for threads again, for a while.
"""

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
        begun = time.monotonic()
        try:
            with translated():
                return work(*args, **kwargs)
        finally:
            ended = time.monotonic()
            if ended - begun > _LONG_SECONDS:
                self._not_before = ended + _REST_SECONDS
