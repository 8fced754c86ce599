"""The parent's side of the clean process that children are forked from (`nursery`)."""

import logging
import os
import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import Any

from workspacesio.index.extraction.confinement import LOCKS
from workspacesio.index.extraction.nursery import ENVIRONMENT
from workspacesio.index.extraction.protocol import Extractor, Limits
from workspacesio.index.extraction.registry import Registry, as_fields
from workspacesio.index.extraction.wire import BrokenMessage, receive_json, send_json

_log = logging.getLogger(__name__)

NURSERY = "workspacesio.index.extraction.nursery"
START_SECONDS = 60.0


class NurseryLost(Exception):
    """The process that children are forked from is gone, or does not answer."""


class Nursery:
    """The clean process; started when it is first needed, and again when it is lost. Safe for several threads."""

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self._wanted = {
            "memory": limits.memory,
            "limits": asdict(limits),
            "extractors": as_fields(registry.extractors),
        }
        self._modules: set[str] = set()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: socket.socket | None = None
        self._closed = False
        self._locks: list[str] = []

    def use(self, extractor: Extractor) -> bool:
        """It is in use here: children are to have it from their beginning. Whether that is news."""
        news = extractor.module not in self._modules
        self._modules.add(extractor.module)
        return news

    def fork(self) -> tuple[int, socket.socket]:
        """A child's number and this end of its socket. Raises NurseryLost."""
        here, there = socket.socketpair()
        with there:
            message = {"fork": {**self._wanted, "modules": sorted(self._modules)}}
            try:
                return int(self._ask(message, there.fileno())["pid"]), here
            except BaseException:
                here.close()
                raise

    def ended(self, pid: int, patience: float) -> int:
        """How a child ended, as os.waitpid says; it is killed when it lives so many seconds more."""
        return int(self._ask({"ended": pid, "patience": patience})["status"])

    def note_locks(self, locks: list[str]) -> None:
        """What confines children here; what is missing is logged when it is first known."""
        if locks != self._locks:
            self._locks = locks
            if missing := [lock for lock in LOCKS if lock not in locks]:
                _log.warning(
                    "Contents are read without %s, which this kernel lacks or refuses.", " and ".join(missing)
                )

    def rest(self) -> None:
        """End it, with all children, until it is needed again: it holds memory."""
        with self._lock:
            self._drop()

    def close(self) -> None:
        self._closed = True
        self.rest()

    def _ask(self, message: object, fd: int | None = None) -> Any:
        with self._lock:
            try:
                if self._closed:
                    raise NurseryLost("The process that reads contents was ended.")
                stream = self._stream or self._start()
                send_json(stream, message, fd)
                answer = receive_json(stream)
                if answer is None:
                    raise NurseryLost("The process that reads contents ended.")
                return answer[0]
            except (OSError, BrokenMessage) as error:
                self._drop()
                raise NurseryLost("The process that reads contents can't be reached.") from error
            except NurseryLost:
                self._drop()
                raise

    def _start(self) -> socket.socket:
        here, there = socket.socketpair()
        with there:
            command = [sys.executable, "-I", "-m", NURSERY, str(there.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - no name of a file is in it
                command,
                pass_fds=[there.fileno()],
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._stream = here
        here.settimeout(START_SECONDS)
        # Where it was started from may be a folder that is served.
        send_json(here, {"sys_path": [path for path in sys.path if path != os.getcwd()]})
        return here

    def _drop(self) -> None:
        stream, process, self._stream, self._process = self._stream, self._process, None, None
        if stream is not None:
            stream.close()
        if process is not None:
            process.kill()
            process.wait()
