"""A command on a terminal of its own, typed to by a script."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence

from servers.service import Person


def on_terminal(person: Person, *command: str, typed: Sequence[tuple[bytes, bytes]] = ()) -> tuple[int, bytes]:
    """Exit status and everything shown. `typed`: what is waited for, and then typed."""
    return at_terminal(command, folder=person.home, env=person.env(), typed=typed)


def at_terminal(
    command: Sequence[str],
    *,
    folder: str,
    env: Mapping[str, str],
    typed: Sequence[tuple[bytes, bytes]] = (),
    seconds: float = 60,
) -> tuple[int, bytes]:
    """As `on_terminal`, for anybody's folder and environment, and for what takes longer."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, {**env, "TERM": "xterm"})
    shown = b""
    waiting = list(typed)
    deadline = time.monotonic() + seconds
    while True:
        if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"still waiting after {seconds:g} s; shown so far: {shown!r}")
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


def complete(person: Person, line: str) -> set[str]:
    """What a shell would offer (argcomplete's protocol: the answer comes on descriptor 8)."""
    environment = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    done = person.shell("bash", "-c", "wio 8>&1 9>/dev/null >/dev/null", env=environment)
    return {word.strip() for word in done.stdout.split("\n") if word.strip()}
