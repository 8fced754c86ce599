"""How far a transfer is: one line that changes on a terminal, a line every half minute elsewhere."""

from __future__ import annotations

import shutil
import sys
import threading
import time

from workspacesio.cli import output
from workspacesio.client.operating_system import takes_escapes
from workspacesio.client.times import lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from workspacesio.client.copy_plan import LeftOut
    from workspacesio.client.copying import Progress, Result

ON_TERMINAL_SECONDS = 0.2
ELSEWHERE_SECONDS = 30.0
FIRST_SECONDS = 1.0
"""What is over so soon needs no progress."""


def summary(objects: int, size: int) -> str:
    """`3 objects, 1.5 KiB`."""
    return f"{objects:,} object{'' if objects == 1 else 's'}, {output.size(size)}"


def _fitting(line: str) -> str:
    """What of a line of progress fits the terminal: whole figures, the first of them (objects) last of all."""
    width = shutil.get_terminal_size().columns - 1
    while len(line) > width and ", " in line:
        line = line.partition(", ")[2]
    return line[:width]


class Shown:
    """While it is entered, the progress is shown on standard error. Its own thread only reads."""

    def __init__(self, progress: Progress, done: str) -> None:
        self._progress = progress
        self._done = done
        self._begun = time.monotonic()
        self._terminal = sys.stderr.isatty() and takes_escapes(sys.stderr)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._drawn = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        self._ended.clear()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)
        self._thread.start()

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if failed is KeyboardInterrupt:
            self._say_stopped()
        else:
            self._clear()

    def _say_stopped(self) -> None:
        if self._terminal:
            print(file=sys.stderr)  # behind the line, and the ^C at its end
        progress = self._progress
        of = f"{progress.planned_objects:,}{'' if progress.is_planned else '+'}"
        said = f"stopped; {progress.objects:,} of {of} objects were {self._done}, and the same command goes on"
        print(f"wio: {said}.", file=sys.stderr)

    def tell(self, left_out: LeftOut) -> None:
        """A remark about one object, above the line that changes."""
        with self._lock:
            self._clear()
            print(f"wio: {output.safe(left_out.name)}: {output.safe(left_out.reason)}", file=sys.stderr)

    def end(self, result: Result, more: Mapping[str, int]) -> None:
        """What was done, and what wasn't. `more`: other counts, by what they are of."""
        said = f"{summary(result.copied, self._progress.bytes)} {self._done}"
        seconds = time.monotonic() - self._begun
        if seconds >= 1 and self._progress.bytes:
            said += f" in {lasting(seconds)}, {output.size(int(self._progress.bytes / seconds))}/s"
        for count, what in (
            *((count, what) for what, count in more.items()),
            (len(result.failed), "failed; the same command goes on with them"),
            (len(result.existing), "not overwritten"),
            (len(result.left_out), "left out"),
        ):
            if count:
                said += f"; {count:,} {what}"
        print(f"{said}.", file=sys.stderr)

    def _show(self) -> None:
        if self._ended.wait(FIRST_SECONDS):
            return
        pause = ON_TERMINAL_SECONDS if self._terminal else ELSEWHERE_SECONDS
        while not self._ended.wait(pause):
            line = self.line()
            with self._lock:
                if self._terminal:
                    print(f"\r\x1b[K{_fitting(line)}", end="", file=sys.stderr, flush=True)
                    self._drawn = True
                else:
                    print(f"wio: {line}", file=sys.stderr, flush=True)

    def line(self) -> str:
        """`12 of 340 objects, 1.2 GiB of 3.4 GiB, 56.0 MiB/s, 2 min left`."""
        progress, seconds = self._progress, max(time.monotonic() - self._begun, 0.001)
        more = "" if progress.is_planned else "+"
        rate = progress.bytes / seconds
        sizes = f"{output.size(progress.bytes)} of {output.size(progress.planned_bytes)}{more}"
        objects = f"{progress.objects:,} of {progress.planned_objects:,}{more} objects"
        line = f"{objects}, {sizes}, {output.size(int(rate))}/s"
        if progress.is_planned and rate:
            line += f", {lasting(max(0, progress.planned_bytes - progress.bytes) / rate)} left"
        return line

    def _clear(self) -> None:
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._drawn = False
