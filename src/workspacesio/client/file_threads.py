"""The threads in which the filesystem asks servers, one set for each process.

Few threads that stay keep their connections; and what waits for another one never takes its place: parts of
uploads have threads of their own.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from workspacesio.client.failures import told_of_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    Arguments = ParamSpec("Arguments")
    Answer = TypeVar("Answer")

OPERATIONS = "wio-operations"
OPERATIONS_AT_ONCE = 16
PARTS_AT_ONCE = 8

_made: dict[str, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def operations() -> ThreadPoolExecutor:
    """For whole operations, which may wait for parts."""
    return _threads(OPERATIONS, OPERATIONS_AT_ONCE)


def parts() -> ThreadPoolExecutor:
    """For what waits for nothing but its answer."""
    return _threads("wio-parts", PARTS_AT_ONCE)


def answer(operation: Callable[Arguments, Answer], *given: Arguments.args, **named: Arguments.kwargs) -> Answer:
    """What an operation returns, in one of these threads: the caller's may be one of many that come and go.

    Raises as `failures.told_of_files` says.
    """

    def told() -> Answer:
        with told_of_files():
            return operation(*given, **named)

    if threading.current_thread().name.startswith(OPERATIONS):  # a callback of the caller's, say
        return told()
    return operations().submit(told).result()


def _threads(name: str, count: int) -> ThreadPoolExecutor:
    with _lock:
        if name not in _made:
            _made[name] = ThreadPoolExecutor(count, thread_name_prefix=name)
        return _made[name]


def _after_fork() -> None:
    """The threads are the parent's, and one of them may hold the lock."""
    global _made, _lock
    _made, _lock = {}, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
