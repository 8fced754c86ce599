"""Becoming another program: its exit status, signals and terminal are then its own."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process, looking for the program on the environment's PATH. Raises OSError if it can't run.

    On Windows, where a process can't be replaced, this one waits for the other and ends as it did.
    """
    sys.stdout.flush()
    if os.name == "nt":
        from workspacesio.cli.running import end_as, run

        raise SystemExit(end_as(run(command, environment)))
    # Python ignores these, and ignored signals stay ignored across execve.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(command[0], command, environment)  # noqa: S606 (what the user typed)
