"""Running another program beside this process, as if it ran by itself: its terminal, signals and exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PASSED_ON = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
"""As far as a system has them."""
TYPED = ("SIGINT", "SIGQUIT", "SIGBREAK")
"""What a terminal sends to all of its foreground by itself."""
SEEN_BY_SHELLS = ("SIGINT", "SIGTERM", "SIGHUP")
"""A command that was ended by ^C ends a shell's loop, too; one with exit status 130 doesn't."""


def run(command: list[str], environment: dict[str, str]) -> int:
    """To its end; returns its exit status, the signal's number below zero where one ended it. Raises OSError."""
    sys.stdout.flush()
    with _Signals() as signals, subprocess.Popen(command, env=environment) as child:  # noqa: S603 (what was typed)
        signals.are_for(child)
        return child.wait()


def end_as(status: int) -> int:
    """The exit status for what `run` returned; by a signal that shells look at, this process ends here."""
    if status >= 0:
        return status
    if any(-status == getattr(signal, name, None) for name in SEEN_BY_SHELLS):
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return 128 - status


class _Signals:
    """While it is entered, signals to this process are the child's, unless it has got them by itself."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for name in PASSED_ON:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def are_for(self, child: subprocess.Popen[bytes]) -> None:
        """From now on, and those that came while it was started."""
        self._child = child
        for number in self._early:
            self._send(number)

    def _pass_on(self, number: int, _: object) -> None:
        if self._child is None:
            self._early.append(number)
        elif not (any(number == getattr(signal, name, None) for name in TYPED) and _in_foreground()):
            self._send(number)

    def _send(self, number: int) -> None:
        assert self._child is not None
        with contextlib.suppress(OSError, ValueError):
            self._child.send_signal(number)


def _in_foreground() -> bool:
    """Whether what is typed at the terminal, such as ^C, comes to this process and its child."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
