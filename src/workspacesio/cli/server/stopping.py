"""Says to a part's processes that it is about to stop, so that they end answers that would last for hours.

granian lets every answer end before it stops, and after ten seconds ends those that don't. Its workers are forks
that have the part's handlers until they have loaded the application, which takes a second: what a signal told them
in that time was lost, and the ten seconds were waited for. So SIGTERM ends them from their first moment on. SIGINT
doesn't: a terminal sends it to the part, too, which then tells them.
"""

import multiprocessing
import os
import signal
from typing import Any

from granian.server.mp import MPServer

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_told = multiprocessing.Event()


class StoppingServer(MPServer):
    """Tells its workers, which are forked from it, when it is told to stop."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        _told.set()
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]


def begin() -> None:
    """For a new part: what was said to others doesn't concern it. Once in a process."""
    global _told  # noqa: PLW0603 - what a forked process inherits
    _told = multiprocessing.Event()
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_come, after_in_child=_end_by_signal)


def _hold_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _let_signals_come() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _end_by_signal() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _let_signals_come()


def is_stopping() -> bool:
    return _told.is_set()
