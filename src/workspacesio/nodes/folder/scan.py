"""Reading the names of one folder, of any size, in little memory.

Names are *spelled* as they take part in the order of whole keys:

    file             name
    folder           name/
    symbolic link    name NUL, and name/ NUL

A link stands at both places because what it leads to may change without a trace in the folder; whoever lists
looks at the link and uses the one place that holds now. The NUL, which no name can have, sorts the link where
its name sorts. Compared as strings (by code point, which is UTF-8 byte order) spelled names are in key order:
`a-b` < `a/` < `a0`. Left out here: system folders, names that are not UTF-8, and special files (sockets, pipes,
devices), which no key can mean.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Generator
from itertools import accumulate
from typing import IO

from workspacesio.domain.names import SYSTEM_FOLDERS

LINK = "\0"

SEPARATOR = b"\xff"
"""Between names in files: a byte that UTF-8 never has."""

_RUN = 50_000
_SAMPLE_EVERY = 256


def spelled_names(fd: int) -> Generator[str, None, None]:
    """The spelled names of the folder open at `fd`, in no order. Raises OSError."""
    with os.scandir(fd) as entries:
        for entry in entries:
            name = entry.name
            if name in SYSTEM_FOLDERS or not (name.isascii() or is_utf8(name)):
                continue
            if entry.is_file(follow_symlinks=False):
                yield name
            elif entry.is_dir(follow_symlinks=False):
                yield name + "/"
            elif entry.is_symlink():
                yield name + LINK
                yield name + "/" + LINK


def is_utf8(name: str) -> bool:
    """False for what the operating system's bytes were escaped into (PEP 383)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_window(fd: int, at_least: str, count: int) -> tuple[list[str], bool]:
    """The first `count` spelled names from `at_least` on, in order, and whether they are all of the rest.

    One pass over the folder that holds at most four times `count` names at a time. Raises OSError.
    """
    names: list[str] = []
    beyond: str | None = None
    for name in spelled_names(fd):
        if name < at_least or (beyond is not None and name >= beyond):
            continue
        names.append(name)
        if len(names) >= 4 * count:
            names.sort()
            beyond = names[count]
            del names[count:]
    names.sort()
    if len(names) > count:
        beyond = names[count]
        del names[count:]
    return names, beyond is None


def write_sorted(fd: int, scratch: IO[bytes], target: IO[bytes]) -> "tuple[array[int], int]":
    """Write all spelled names of a folder to `target`, in order, each followed by SEPARATOR.

    Returns the offset of each name from where writing began (uint64), and the length of all. Both files are
    unbuffered or buffered binary files open for reading and writing, and `scratch` is empty. Sorts runs of
    50,000 names to `scratch` and merges them range by range, so memory doesn't grow with the folder but for
    the offsets. Raises OSError.
    """
    runs = _write_runs(fd, scratch)
    offsets = array("Q")
    position = 0
    samples = sorted(name for run in runs for name, _ in run.samples)
    step = max(1, _RUN // _SAMPLE_EVERY)
    carried: list[bytes] = []
    for bound in [*samples[step::step], None]:
        names = carried
        for run in runs:
            names += run.read_below(scratch, bound)
        names.sort()
        end = len(names) if bound is None else bisect_left(names, bound)
        carried = names[end:]
        if end:
            del names[end:]
            target.write(SEPARATOR.join(names) + SEPARATOR)
            ends = array("Q", accumulate((len(name) + 1 for name in names), initial=position))
            position = ends.pop()
            offsets.extend(ends)
    return offsets, position


class _Run:
    """A sorted stretch of the scratch file; `samples` are names in it and where they begin."""

    def __init__(self, position: int, end: int, samples: list[tuple[bytes, int]]) -> None:
        self.position = position
        self.end = end
        self.samples = samples

    def read_below(self, scratch: IO[bytes], bound: bytes | None) -> list[bytes]:
        """All unread names below `bound`, and up to _SAMPLE_EVERY names that are not."""
        end = self.end
        if bound is not None:
            index = bisect_left(self.samples, (bound,))
            if index < len(self.samples):
                end = self.samples[index][1]
        if end <= self.position:
            return []
        scratch.seek(self.position)
        data = scratch.read(end - self.position)
        self.position = end
        return data[: -len(SEPARATOR)].split(SEPARATOR)


def _write_runs(fd: int, scratch: IO[bytes]) -> list[_Run]:
    runs: list[_Run] = []
    names: list[bytes] = []
    for name in spelled_names(fd):
        names.append(name.encode())
        if len(names) >= _RUN:
            runs.append(_write_run(names, scratch, runs[-1].end if runs else 0))
            names.clear()
    if names:
        runs.append(_write_run(names, scratch, runs[-1].end if runs else 0))
    return runs


def _write_run(names: list[bytes], scratch: IO[bytes], position: int) -> _Run:
    names.sort()
    scratch.write(SEPARATOR.join(names) + SEPARATOR)
    samples = []
    end = position
    for index, name in enumerate(names):
        if index % _SAMPLE_EVERY == 0:
            samples.append((name, end))
        end += len(name) + 1
    return _Run(position, end, samples)
