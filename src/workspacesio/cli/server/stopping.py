"""Says to a part's processes that it is about to stop, so that they end answers that would last for hours.

granian lets every answer end before it stops, and after ten seconds ends those that don't.
"""

import multiprocessing
from typing import Any

from granian.server.mp import MPServer

_told = multiprocessing.Event()


class StoppingServer(MPServer):
    """Tells its workers, which are forked from it, when it is told to stop."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        _told.set()
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]


def begin() -> None:
    """For a new part: what was said to others doesn't concern it."""
    global _told  # noqa: PLW0603 - what a forked process inherits
    _told = multiprocessing.Event()


def is_stopping() -> bool:
    return _told.is_set()
