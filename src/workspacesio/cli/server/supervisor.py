"""Keeps the parts of the service running: starts each as a process, starts it again when it dies, stops all.

A part is a fork of this process, which has loaded the code once: that starts the service in a third of the time
and shares its memory. Before it forks, this process has no threads and no connection open. A part that keeps
dying ends the whole, so that whoever runs the service notices; one that the others can do without is started again
after a longer pause.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from types import FrameType

from workspacesio.cli.server.parent_death import die_with_parent
from workspacesio.cli.server.process_name import name_process
from workspacesio.cli.server.pulse import Pulse

RESTART_WINDOW_SECONDS = 60.0
LONG_PAUSE_SECONDS = 30.0
SILENT_SECONDS = 60.0
"""From its start, a part that has a pulse has so long for its first sign of life."""

STOOD_STILL_SECONDS = 5.0
"""Parts are looked after several times a second. After so long all of the service stood still: it was stopped and
goes on (SIGSTOP, as by Ctrl-Z), and so do the parts, which could give no sign meanwhile."""

_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Part:
    """One process. `restarts` are the times of its latest restarts, `not_before` that of the next at the earliest,
    by the monotonic clock. `pulse`: one that gives no sign in time hangs, and is killed."""

    role: str
    run: Callable[[], int]
    pulse: Pulse | None = None
    process: ForkProcess | None = None
    restarts: list[float] = field(default_factory=list)
    not_before: float = 0.0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.is_alive()


class Supervisor:
    """`parts` are what each role runs in its own process, until it is told to stop; the result is its status.

    A part that has ended is started again after `pause` seconds, `most` times a minute; beyond that all ends,
    except for the parts named in `dispensable`, which have to wait. One that doesn't end within `stop_seconds` of
    being told to is killed.
    """

    def __init__(
        self,
        parts: Mapping[str, Callable[[], int]],
        *,
        dispensable: Collection[str] = (),
        pulses: Mapping[str, Pulse] | None = None,
        pause: float = 1.0,
        most: int = 5,
        stop_seconds: float = 15.0,
    ) -> None:
        self._parts = [Part(role, run, (pulses or {}).get(role)) for role, run in parts.items()]
        self._dispensable = dispensable
        self._pause = pause
        self._most = most
        self._stop_seconds = stop_seconds
        self._stopping = False
        self._looked_at = time.monotonic()

    def run(self, when_ready: Callable[[], None]) -> int:
        """Start everything, call `when_ready` once, and stay until a signal or a part that keeps dying."""
        for number in _STOPPING_SIGNALS:
            signal.signal(number, self._stop_soon)
        try:
            for part in self._parts:
                _start(part)
            when_ready()
            while not self._stopping:
                if not self._look_after_parts():
                    return 1
                self._looked_at = time.monotonic()
                time.sleep(0.2)
        finally:
            self._stop()
        return 0

    def alive(self) -> bool:
        needed = (part for part in self._parts if part.role not in self._dispensable)
        return not self._stopping and all(part.alive for part in needed)

    def _look_after_parts(self) -> bool:
        if time.monotonic() - self._looked_at > STOOD_STILL_SECONDS:
            for part in self._parts:
                if part.pulse is not None:
                    part.pulse.beat(SILENT_SECONDS)
        for part in self._parts:
            if part.alive:
                _end_if_silent(part)
                continue
            now = time.monotonic()
            if now < part.not_before:
                continue
            part.restarts = [at for at in part.restarts if now - at < RESTART_WINDOW_SECONDS]
            if len(part.restarts) >= self._most and part.role in self._dispensable:
                message = f"wio serve: the {part.role} part keeps ending; the others go on. See the lines above."
                print(message, file=sys.stderr, flush=True)
                part.restarts.clear()
                part.not_before = now + LONG_PAUSE_SECONDS
                continue
            if len(part.restarts) >= self._most:
                print(f"wio serve: the {part.role} part keeps ending; see the lines above.", file=sys.stderr)
                return False
            part.restarts.append(now)
            time.sleep(self._pause)
            if self._stopping:
                break
            print(f"wio serve: the {part.role} part ended; starting it again.", file=sys.stderr, flush=True)
            _start(part)
        return True

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _stop(self) -> None:
        for number in _STOPPING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave parts behind
        running = [part.process for part in self._parts if part.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self._stop_seconds
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()  # what it started ends with it: see parent_death.py
                process.join()


def _end_if_silent(part: Part) -> None:
    if part.pulse is None or part.process is None or not part.pulse.is_late():
        return
    print(f"wio serve: the {part.role} part hangs and is ended.", file=sys.stderr, flush=True)
    part.pulse.beat(SILENT_SECONDS)  # one that waits for a disk ends only then
    part.process.kill()


def _start(part: Part) -> None:
    if part.pulse is not None:
        part.pulse.beat(SILENT_SECONDS)
    part.process = multiprocessing.get_context("fork").Process(
        target=_become, args=(part.role, part.run, os.getpid()), name=f"wio-{part.role}"
    )
    # The child has our handlers first, and a signal that it gets then would be lost: it waits until `_become`.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING_SIGNALS)
    try:
        part.process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING_SIGNALS)


def _become(role: str, run: Callable[[], int], parent: int) -> None:
    name_process(f"wio {role}")
    for number in _STOPPING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING_SIGNALS)
    die_with_parent()
    if os.getppid() == parent:  # it may have died before the kernel was asked
        sys.exit(run())
