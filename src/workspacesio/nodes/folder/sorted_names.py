"""The sorted names of one folder in the forms in which they are at hand, and the format of a snapshot file.

A snapshot file holds: HEADER, the names as `scan.write_sorted` has them, zeros to a multiple of 8, and the offset
of each name and of the end (uint64, the machine's byte order). The header names the boot of the machine, so what a
power failure left half written is never believed.
"""

import mmap
import os
import struct
from array import array
from bisect import bisect_left
from typing import IO, NamedTuple, Protocol

from workspacesio.nodes.folder.scan import SEPARATOR, read_window, write_sorted

HEADER = struct.Struct("=8s36sQQqqQQ")
"""Magic, boot id, device, inode, mtime_ns, ctime_ns, bytes of names, number of names."""

_MAGIC = b"WIOLIST1"


class Stamp(NamedTuple):
    """Which state of which folder. Times are in nanoseconds since 1970 by the filesystem's clock."""

    device: int
    inode: int
    mtime_ns: int
    ctime_ns: int


def stamp_of(fd: int) -> Stamp:
    stat = os.fstat(fd)
    return Stamp(stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)


class Names(Protocol):
    """The spelled names of one folder, in order."""

    def from_name(self, fd: int, at_least: str) -> tuple[list[str], bool]:
        """Names from `at_least` on, as many as are at hand, and whether these are all. `fd` is the folder."""
        ...


class NamesInMemory:
    def __init__(self, names: list[str]) -> None:
        self.names = names

    def from_name(self, fd: int, at_least: str) -> tuple[list[str], bool]:  # noqa: ARG002 - the others read fd
        return self.names[bisect_left(self.names, at_least) :], True


class NamesReadAgain:
    """A big folder that changes: every call is one pass over it."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk

    def from_name(self, fd: int, at_least: str) -> tuple[list[str], bool]:
        return read_window(fd, at_least, 2 * self._chunk)


class NamesInSnapshot:
    """A mapped snapshot file. It stays readable after the file was replaced or removed."""

    def __init__(self, mapped: mmap.mmap, names_bytes: int, count: int, chunk: int) -> None:
        begin = _aligned(HEADER.size + names_bytes)
        self._mapped = mapped
        self._count = count
        self._chunk = chunk
        self._offsets = memoryview(mapped)[begin : begin + 8 * (count + 1)].cast("Q")

    def from_name(self, fd: int, at_least: str) -> tuple[list[str], bool]:  # noqa: ARG002
        low = self._search(at_least.encode("utf-8", "surrogatepass"))
        high = min(low + self._chunk, self._count)
        data = self._mapped[HEADER.size + self._offsets[low] : HEADER.size + self._offsets[high]]
        return [name.decode() for name in data.split(SEPARATOR)[:-1]], high == self._count

    def _search(self, at_least: bytes) -> int:
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            begin, end = self._offsets[middle], self._offsets[middle + 1] - len(SEPARATOR)
            if self._mapped[HEADER.size + begin : HEADER.size + end] < at_least:
                low = middle + 1
            else:
                high = middle
        return low


def write_snapshot(fd: int, stamp: Stamp, boot: bytes, scratch: IO[bytes], target: IO[bytes]) -> None:
    """Sort the folder open at `fd`, in the state `stamp`, into `target`; both files are empty. Raises OSError."""
    target.write(b"\0" * HEADER.size)
    offsets, length = write_sorted(fd, scratch, target)
    target.write(b"\0" * (_aligned(HEADER.size + length) - HEADER.size - length))
    target.write(offsets)
    target.write(array("Q", [length]))
    target.flush()
    os.pwrite(target.fileno(), HEADER.pack(_MAGIC, boot, *stamp, length, len(offsets)), 0)


def map_snapshot(file: IO[bytes], stamp: Stamp, boot: bytes, chunk: int) -> NamesInSnapshot | None:
    """The names in a snapshot file if it is whole and of exactly this state. Raises OSError, ValueError."""
    head = os.pread(file.fileno(), HEADER.size, 0)
    if len(head) != HEADER.size:
        return None
    magic, written_in, *marks, names_bytes, count = HEADER.unpack(head)
    if (magic, written_in) != (_MAGIC, boot) or Stamp(*marks) != stamp:
        return None
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if len(mapped) != _aligned(HEADER.size + names_bytes) + 8 * (count + 1):
        return None
    return NamesInSnapshot(mapped, names_bytes, count, chunk)


def boot_id() -> bytes:
    """random(4): /proc/sys/kernel/random/boot_id is another after each start of the machine."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().strip()


def _aligned(position: int) -> int:
    return -(-position // 8) * 8
