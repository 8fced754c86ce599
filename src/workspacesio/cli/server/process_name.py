"""What `top` and `ps -e` call a process, so that one sees which part is busy."""

import ctypes

_PR_SET_NAME = 15  # prctl(2); at most 15 bytes are kept
_libc = ctypes.CDLL(None)


def name_process(name: str) -> None:
    """The calling thread's, and so that of the process, if it is the first; threads that it starts inherit it."""
    _libc.prctl(_PR_SET_NAME, name.encode())
