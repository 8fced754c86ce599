"""Becoming another program: its exit status, signals and terminal are then its own."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process, looking for the program on the environment's PATH. Raises OSError if it can't run."""
    sys.stdout.flush()
    # Python ignores these, and ignored signals stay ignored across execve.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(command[0], command, environment)  # noqa: S606 (what the user typed)
