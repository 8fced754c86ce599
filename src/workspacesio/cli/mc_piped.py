"""As `mc_run`, by pipes alone: for systems without pseudo-terminals. mc then shows neither colours nor bars."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from workspacesio.cli.mc_output import Renamer

BINARY = frozenset({"cat", "head"})
"""As in `mc_run`."""


def run(
    program: str, arguments: list[str], environment: dict[str, str], *, verb: str, renamer: Callable[[], Renamer]
) -> int:
    """Run to the end; returns mc's exit status, or 128 and the number of the signal that ended it."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = subprocess.Popen(  # noqa: S603 (mc, with what the user typed)
        [program, *arguments],
        env=environment,
        stdout=None if verb in BINARY else subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # ^C is typed to both; mc ends by it, and this process when mc has ended.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        copiers = [
            threading.Thread(target=_copy, args=(stream, target, renamer()))
            for stream, target in ((child.stdout, 1), (child.stderr, 2))
            if stream is not None
        ]
        for one in copiers:
            one.start()
        for one in copiers:
            one.join()
        status = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


def _copy(source: IO[bytes], target: int, renamer: Renamer) -> None:
    """Until mc has closed its end, or nobody reads ours."""
    with source, contextlib.suppress(OSError):
        while data := os.read(source.fileno(), 1 << 16):
            _write_all(target, renamer.feed(data))
        _write_all(target, renamer.end())


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
