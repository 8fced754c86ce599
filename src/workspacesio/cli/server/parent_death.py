"""A part never outlives the process that looks after it, even one that was killed."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies. Linux only, as the server is."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
