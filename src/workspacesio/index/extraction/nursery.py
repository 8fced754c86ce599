"""The clean process from which children are forked: started as a program of its own, with one thread and without
the server's environment, memory, descriptors and connections.

It imports extractors when told that they are in use, so that a fork has them already, and never reads a file.

    parent -> nursery   {"fork": {modules, memory, extractors}} and the child's end of a socket  -> {"pid": n}
                        {"ended": pid, "patience": seconds}  that child, killed if it lives on   -> {"status": n}

A child is waited for and killed here alone, so that no signal meets another process that got its number. When the
parent is gone its end of the socket closes, and everything here ends.
"""

import importlib
import mimetypes
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

from workspacesio.index.extraction.child import look_at_files
from workspacesio.index.extraction.confinement import (
    be_last_in_line,
    confine,
    die_with_parent,
    limit_resources,
    program_folders,
)
from workspacesio.index.extraction.wire import BrokenMessage, receive_json, send_json

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "HDF5_USE_FILE_LOCKING": "FALSE",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""All that it and its children have: a thread each for libraries that would otherwise make one per processor."""


def main(arguments: Sequence[str]) -> int:
    parent = socket.socket(fileno=int(arguments[0]))
    warnings.simplefilter("ignore")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # those of a terminal are the parent's affair; it closes the socket
    mimetypes.init([])  # libraries ask it, and a child can't read the system's lists
    be_last_in_line()
    received = receive_json(parent)
    if received is None:
        return 0
    sys.path[:] = received[0]["sys_path"]
    while (received := _next(parent)) is not None:
        message, fd = received
        if "ended" in message:
            send_json(parent, {"status": _ended(message["ended"], message["patience"])})
        elif fd is not None:
            send_json(parent, {"pid": _forked(message["fork"], fd, parent)})
            os.close(fd)
    return 0


def _next(parent: socket.socket) -> tuple[Any, int | None] | None:
    try:
        return receive_json(parent)
    except (OSError, BrokenMessage):
        return None


def _forked(wanted: dict[str, Any], fd: int, parent: socket.socket) -> int:
    for module in wanted["modules"]:
        try:
            importlib.import_module(module)
        except Exception:  # noqa: S112 - whoever uses it says so, file by file
            continue
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent()
        parent.close()
        os.setsid()
        _live(wanted, fd)
        status = 0
    finally:
        os._exit(status)


def _ended(pid: int, patience: float) -> int:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _live(wanted: dict[str, Any], fd: int) -> None:
    folders = program_folders()
    limit_resources(wanted["memory"])
    locks = confine(folders)
    with socket.socket(fileno=fd) as stream:
        send_json(stream, {"locks": locks})
        look_at_files(stream, wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
