"""A command on a terminal of its own, typed to by a script."""

from __future__ import annotations

import os
import pty
import time
from collections.abc import Sequence

from servers.service import Person


def on_terminal(person: Person, *command: str, typed: Sequence[tuple[bytes, bytes]] = ()) -> tuple[int, bytes]:
    """Exit status and everything shown. `typed`: what is waited for, and then typed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(person.home)
        os.execvpe(command[0], command, {**person.env(), "TERM": "xterm"})
    shown = b""
    waiting = list(typed)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        shown += data
        if waiting and waiting[0][0] in shown:
            os.write(terminal, waiting.pop(0)[1])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return status, shown
