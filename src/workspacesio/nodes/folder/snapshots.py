"""The sorted names of folders, kept so that a listing's next page need not read and sort a big folder again.

Consistency comes first: a page shows every change that was acknowledged before the page was asked for, whoever
made it and by whatever means. What is kept is therefore used only while the folder says that it is the same:
its device, inode, mtime and ctime (POSIX marks mtime and ctime of a folder for update whenever a name in it is
made, removed or renamed), and only if the folder had already been quiet for QUIET_SECONDS when it was read,
since a change within the same tick of the filesystem's clock leaves no trace. A listing that goes on in a folder
that changes finds its place by name, so that a name that is there all the time comes exactly once.

- Up to SMALL names: read and sorted, in memory; kept in the process from WORTH_KEEPING names on.
- More, in a quiet folder: sorted into a snapshot file, which every process maps and searches without loading it.
  One process sorts, others wait for it.
- More, in a folder that is being changed: each page is picked out of one pass over the names (half a second for a
  million). An older snapshot would be quicker and could miss an acknowledged PUT, so it isn't used.

A clock that was set back leaves folders whose times lie in the future; for these quietness is what this
process has seen itself.

Snapshot files (`sorted_names` has their format) are called `DEVICE-INODE`, in hex. Losing any of them costs time
only.
"""

import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from fcntl import LOCK_EX, flock
from itertools import islice
from threading import Lock

from workspacesio.nodes.folder.scan import spelled_names
from workspacesio.nodes.folder.sorted_names import (
    Names,
    NamesInMemory,
    NamesInSnapshot,
    NamesReadAgain,
    Stamp,
    boot_id,
    map_snapshot,
    stamp_of,
    write_snapshot,
)

QUIET_SECONDS = 2.5
"""Longer than the tick of any filesystem's clock (FAT: 2 s)."""

SMALL = 5_000
WORTH_KEEPING = 250
CHUNK = 1_024
"""How many names are taken at once from a snapshot."""

_ATTEMPTS = 3
"""A folder that changed while it was read is read again: not every filesystem then gives each name once."""

_IN_PROCESS_NAMES = 100_000
_IN_PROCESS_SNAPSHOTS = 16
_LEFT_OVER_SECONDS = 24 * 3600


class Snapshots:
    """The kept names of one node's folders. Safe to use from many threads and processes at once."""

    def __init__(
        self,
        directory: str,
        *,
        max_bytes: int = 512 * 1024 * 1024,
        small: int = SMALL,
        chunk: int = CHUNK,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`directory` is this node's own in the state folder; it is made when it is first needed."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._small = small
        self._chunk = chunk
        self._now_ns = now_ns
        self._boot = boot_id()
        self._lock = Lock()
        self._kept: OrderedDict[Stamp, NamesInMemory | NamesInSnapshot] = OrderedDict()
        self._kept_names = 0
        self._max_kept_names = _IN_PROCESS_NAMES
        self._first_seen: OrderedDict[Stamp, float] = OrderedDict()

    def names(self, fd: int) -> Names:
        """The names of the folder open at `fd` as they are now. Raises OSError."""
        stamp = stamp_of(fd)
        found = self._recall(stamp) or self._open(stamp)
        if found is not None:
            return found
        quiet = self._is_quiet(stamp)
        for _ in range(_ATTEMPTS):
            names = list(islice(spelled_names(fd), self._small + 1))
            if len(names) > self._small:
                return self._sort(fd, stamp) if quiet else NamesReadAgain(self._chunk)
            before, stamp = stamp, stamp_of(fd)
            if stamp == before:
                break
            quiet = False
        names.sort()
        in_memory = NamesInMemory(names)
        if quiet and len(names) >= WORTH_KEEPING:
            self._keep(stamp, in_memory)
        return in_memory

    def _is_quiet(self, stamp: Stamp) -> bool:
        """Whether the folder has not changed for QUIET_SECONDS."""
        age = self._now_ns() - max(stamp.mtime_ns, stamp.ctime_ns)
        if age >= QUIET_SECONDS * 1e9:
            return True
        if age >= 0:
            return False
        with self._lock:
            first = self._first_seen.setdefault(stamp, time.monotonic())
            while len(self._first_seen) > 1_000:
                self._first_seen.popitem(last=False)
        return time.monotonic() - first >= QUIET_SECONDS

    # --- in this process ---

    def _recall(self, stamp: Stamp) -> NamesInMemory | NamesInSnapshot | None:
        with self._lock:
            found = self._kept.get(stamp)
            if found is not None:
                self._kept.move_to_end(stamp)
            return found

    def _keep(self, stamp: Stamp, names: NamesInMemory | NamesInSnapshot) -> None:
        with self._lock:
            self._kept[stamp] = names
            self._kept.move_to_end(stamp)
            self._kept_names = sum(_weight(kept) for kept in self._kept.values())
            while self._kept_names > self._max_kept_names:
                _, dropped = self._kept.popitem(last=False)
                self._kept_names -= _weight(dropped)

    # --- in the state folder ---

    def _path(self, stamp: Stamp) -> str:
        return os.path.join(self._directory, f"{stamp.device:x}-{stamp.inode:x}")

    def _open(self, stamp: Stamp) -> NamesInSnapshot | None:
        """The snapshot of exactly this state, if there is one."""
        try:
            with open(self._path(stamp), "rb", buffering=0) as file:
                found = map_snapshot(file, stamp, self._boot, self._chunk)
                if found is not None:
                    os.utime(file.fileno())
        except (OSError, ValueError):
            return None
        if found is not None:
            self._keep(stamp, found)
        return found

    def _sort(self, fd: int, stamp: Stamp) -> Names:
        """Sort a big folder into a snapshot; where the state folder takes none, read it again per page."""
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            with open(self._path(stamp) + ".lock", "wb") as lock:
                flock(lock, LOCK_EX)
                stamp = stamp_of(fd)
                found = self._open(stamp)
                if found is None and self._is_quiet(stamp):
                    found = self._write(fd, stamp)
                return found or NamesReadAgain(self._chunk)
        except OSError:
            return NamesReadAgain(self._chunk)

    def _write(self, fd: int, stamp: Stamp) -> NamesInSnapshot | None:
        with (
            tempfile.TemporaryFile(dir=self._directory) as scratch,
            tempfile.NamedTemporaryFile(dir=self._directory, prefix="new-", delete=False) as target,
        ):
            try:
                write_snapshot(fd, stamp, self._boot, scratch, target)
                found = map_snapshot(target, stamp, self._boot, self._chunk)
                if stamp_of(fd) == stamp and found is not None:
                    os.replace(target.name, self._path(stamp))
                    self._keep(stamp, found)
                    self._prune(keep=self._path(stamp))
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(target.name)
        return found

    def _prune(self, keep: str) -> None:
        """Remove the snapshots that were not opened for longest, down to the allowed size."""
        files = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with suppress(OSError):
                    stat = entry.stat()
                    files.append((stat.st_mtime, stat.st_size, entry.path))
        total = sum(size for _, size, _ in files)
        for modified, size, path in sorted(files):
            unfinished = os.path.basename(path).startswith("new-") or path.endswith(".lock")
            if unfinished and time.time() - modified < _LEFT_OVER_SECONDS:
                continue
            if path != keep and (unfinished or total > self._max_bytes):
                with suppress(OSError):
                    os.unlink(path)
                total -= size


def _weight(names: NamesInMemory | NamesInSnapshot) -> int:
    if isinstance(names, NamesInSnapshot):
        return _IN_PROCESS_NAMES // _IN_PROCESS_SNAPSHOTS
    return len(names.names)
