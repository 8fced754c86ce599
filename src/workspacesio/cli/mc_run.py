"""Runs mc and passes on what it prints, with workspace names in place of bucket paths.

Where our output is a terminal, mc gets a terminal of its own (a pseudo-terminal of the same size), so its colours
and progress bars stay. Otherwise it gets pipes. Standard input is ours in both cases.
For POSIX; `mc_piped` stands in for it where there are no pseudo-terminals.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import termios
import tty

from workspacesio.cli.mc_output import Renamer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

assert sys.platform != "win32"
STDOUT, STDERR = 1, 2

BINARY = frozenset({"cat", "head"})
"""Verbs whose standard output is an object's bytes: it is left alone."""


def run(
    program: str, arguments: list[str], environment: dict[str, str], *, verb: str, renamer: Callable[[], Renamer]
) -> int:
    """Run to the end; returns mc's exit status, or 128 and the number of the signal that ended it."""
    renamed = [STDERR] if verb in BINARY else [STDOUT, STDERR]
    channels = Channels(renamed)
    try:
        child = os.posix_spawn(
            program,
            [program, *arguments],
            environment,
            file_actions=channels.file_actions(),
            setsigdef=[signal.SIGPIPE],  # Python ignores it; mc should end when nobody reads
        )
    finally:
        channels.close_ends_of_child()
    with Forwarding(child, channels):
        copy(channels, renamer)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


class Channels:
    """The pipes and the pseudo-terminal between mc and us. `sources` maps what we read to what we write."""

    def __init__(self, streams: list[int]) -> None:
        self.sources: dict[int, int] = {}
        self.terminals: list[int] = []
        self._given: dict[int, int] = {}
        terminal = None
        for stream in streams:
            if os.isatty(stream):
                if terminal is None:
                    ours, terminal = os.openpty()
                    tty.setraw(terminal)  # the real terminal does the translating
                    self.sources[ours] = stream
                    self.terminals.append(ours)
                self._given[stream] = terminal
            else:
                ours, given = os.pipe()
                self.sources[ours] = stream
                self._given[stream] = given
        self.resize()

    def file_actions(self) -> list[Any]:
        """What `os.posix_spawn` does in the child. All other descriptors of ours close by themselves."""
        return [(os.POSIX_SPAWN_DUP2, given, stream) for stream, given in self._given.items()]

    def resize(self) -> None:
        """Give mc's terminal the size of ours."""
        for ours in self.terminals:
            size = fcntl.ioctl(self.sources[ours], termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(ours, termios.TIOCSWINSZ, size)

    def close_ends_of_child(self) -> None:
        """After the start: so that we see the end of what mc writes."""
        for given in set(self._given.values()):
            os.close(given)

    def close(self, ours: int) -> None:
        """Read no more from one of them."""
        if ours in self.terminals:
            self.terminals.remove(ours)
        del self.sources[ours]
        os.close(ours)


class Forwarding:
    """While mc runs, signals to us are for mc. Typed at a terminal, an interrupt reaches mc by itself."""

    def __init__(self, child: int, channels: Channels) -> None:
        self._child = child
        self._channels = channels
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._forward)
        if self._channels.terminals:
            self._before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: self._channels.resize())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _forward(self, number: int, _: object) -> None:
        if number == signal.SIGINT and os.isatty(0):
            return
        os.kill(self._child, number)


def copy(channels: Channels, renamer: Callable[[], Renamer]) -> None:
    """Pass on everything until mc has closed its end of every channel."""
    renamers = {source: renamer() for source in channels.sources}
    poll = select.poll()
    for source in channels.sources:
        poll.register(source, select.POLLIN)
    while channels.sources:
        for source, _ in poll.poll():
            try:
                data = os.read(source, 1 << 16)
            except OSError:  # how a pseudo-terminal says that its other side is closed (EIO)
                data = b""
            shown = renamers[source].feed(data) if data else renamers[source].end()
            try:
                _write_all(channels.sources[source], shown)
            except OSError:
                data = b""  # nobody reads any more; mc learns it at its next word, as it would without us between
            if not data:
                poll.unregister(source)
                channels.close(source)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
