"""Keeps a process with many threads small: what one of them gives back, another can use."""

import ctypes

_M_ARENA_MAX = -8  # mallopt(3) of glibc
ARENAS = 2
"""For the event loop and for the threads. With eight for each core, as is usual, every thread that reads or hashes
keeps some large buffers for itself: 121 to 171 MB at most in an endpoint worker, instead of 124 to 141."""


def share_arenas() -> None:
    """To be called before threads are begun. Other systems' libraries have no such thing, and need none."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)
