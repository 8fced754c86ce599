"""Locks that exclude every other writer of the node, in any thread and any process of this machine.

Files `STATE/locks/NODE/NNN`, locked by flock(2). A place falls on one of them by its hash, with case and Unicode
form folded, so that two spellings of one name exclude each other on every filesystem. A lock is held for a check
and a rename, never while bytes move.
"""

import fcntl
import os
import threading
import unicodedata
import zlib
from contextlib import AbstractContextManager

_STRIPES = 256


class KeyLocks:
    """flock excludes processes; a threading lock excludes the threads that share the descriptor."""

    def __init__(self, state_dir: str, node_id: int | str) -> None:
        self._folder = os.path.join(state_dir, "locks", str(node_id))
        self._threads = [threading.Lock() for _ in range(_STRIPES + 1)]
        self._fds: dict[int, int] = {}

    def key(self, place: bytes) -> AbstractContextManager[None]:
        """Exclude other changes of what is at `place`."""
        return _Held(self, zlib.crc32(_folded(place)) % _STRIPES)

    def folders(self) -> AbstractContextManager[None]:
        """Exclude others who make folders. May be taken under a key's lock, never the other way round."""
        return _Held(self, _STRIPES)

    def take(self, stripe: int) -> None:
        """Waits; given back with `give_back`."""
        lock = self._threads[stripe]
        lock.acquire()
        try:
            fd = self._fds.get(stripe)
            if fd is None:
                fd = self._fds[stripe] = self._open(stripe)
            fcntl.flock(fd, fcntl.LOCK_EX)
        except BaseException:
            lock.release()
            raise

    def give_back(self, stripe: int) -> None:
        try:
            fcntl.flock(self._fds[stripe], fcntl.LOCK_UN)
        finally:
            self._threads[stripe].release()

    def _open(self, stripe: int) -> int:
        path = os.path.join(self._folder, f"{stripe:03d}")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            return os.open(path, flags, 0o600)

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()


class _Held:
    """A class, for each write takes one: a generator's frame takes three times as long."""

    __slots__ = ("_locks", "_stripe")

    def __init__(self, locks: KeyLocks, stripe: int) -> None:
        self._locks = locks
        self._stripe = stripe

    def __enter__(self) -> None:
        self._locks.take(self._stripe)

    def __exit__(self, *_: object) -> None:
        self._locks.give_back(self._stripe)


def _folded(place: bytes) -> bytes:
    if place.isascii():
        return place.lower()
    text = place.decode(errors="surrogateescape")
    return unicodedata.normalize("NFD", text).casefold().encode(errors="surrogateescape")
