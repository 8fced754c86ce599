"""One server process: started in a group of its own, its output in a log file, stopped by its process id."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from servers.installed import installed

# Outside the range from which the kernel takes the local ports of outgoing connections (32768 and up): a port
# that was free a moment ago can't be taken by a client of another test.
_PORTS = range(12_000, 32_000)
_handed_out: set[int] = set()


class ServerFailed(Exception):
    """A server ended or didn't answer in time; the message ends with the last lines of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens, never handed out twice by this process."""
    while True:
        port = random.choice(_PORTS)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port


class Process:
    """A running command. Leaving the context stops it and whatever it started.

    `user` runs it as that user of the system (needs root). The kernel sends `stop_signal` when the thread
    that started it ends: a killed test run leaves no servers, and a short-lived thread mustn't start one.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: str,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = os.path.basename(command[0])
        self.log_path = log_path
        self.stop_signal = stop_signal
        wrapped = [installed("setpriv"), "--pdeathsig", stop_signal.name]
        if user is not None:
            wrapped += ["--reuid", user, "--regid", user, "--init-groups"]
        with open(log_path, "ab") as log:
            self._popen = subprocess.Popen(
                [*wrapped, "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for the signal that ended it, or None while it runs."""
        return self._popen.poll()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of what the server printed."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def assert_alive(self) -> None:
        """Raises `ServerFailed` when the process has ended."""
        if self.returncode is not None:
            raise ServerFailed(f"{self.name} ended with status {self.returncode}:\n{self.log_tail()}")

    def wait_until(self, is_ready: Callable[[], bool], *, timeout: float = 60) -> None:
        """Polls until `is_ready()`; raises `ServerFailed` when the process ends or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while not is_ready():
            self.assert_alive()
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} didn't answer within {timeout:g} s:\n{self.log_tail()}")
            time.sleep(0.02)
        # Another server may answer on the port where this one couldn't listen.
        self.assert_alive()

    def wait_for_http(self, url: str, *, timeout: float = 60) -> None:
        """Waits until `url` is answered with a status below 500; raises as `wait_until`."""
        self.wait_until(lambda: http_status(url) in range(100, 500), timeout=timeout)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself, not to its children."""
        self._popen.send_signal(number)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While in the context, the process hangs: connections are accepted, and nothing is answered."""
        with frozen(self.pid):
            yield

    def wait(self, timeout: float = 30) -> int:
        """Waits for the end and returns the exit status; raises `subprocess.TimeoutExpired`."""
        return self._popen.wait(timeout)

    def kill(self) -> None:
        """SIGKILL to the process and all its children at once: what a power cut leaves behind."""
        self._kill_group()
        self._popen.wait()

    def stop(self, *, timeout: float = 20) -> None:
        """Ends the process with `stop_signal`, and after `timeout` seconds by force; then its children."""
        if self.returncode is None:
            self._popen.send_signal(self.stop_signal)
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._kill_group()

    def _kill_group(self) -> None:
        while _lives_in_group(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.001)


def _lives_in_group(group: int) -> bool:
    """Whether a process of the process group runs; ended ones that nobody has waited for don't count."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                # proc(5): pid (name) state ppid pgrp …, where the name may hold spaces and brackets.
                state, _, process_group = file.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state not in "ZX":
            return True
    return False


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """While in the context, the processes are stopped, all their threads.

    The first thread that runs tells the others to stop: on a busy machine they go on answering until it has.
    """
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + 20
        while not all(_is_stopped(pid) for pid in pids):
            if time.monotonic() > deadline:
                raise ServerFailed(f"processes {pids} didn't stop")
            time.sleep(0.001)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    return all(_state(f"/proc/{pid}/task/{thread}/stat") in "TtZX" for thread in os.listdir(f"/proc/{pid}/task"))


def _state(stat: str) -> str:
    """The state of proc(5); X for what has ended meanwhile."""
    try:
        with open(stat, encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def http_status(url: str) -> int:
    """The status with which `GET url` is answered, or 0 where nobody answers."""
    parts = urllib.parse.urlsplit(url)
    connection_type = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connection_type(parts.hostname or "127.0.0.1", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def wait_for_http(url: str, *, timeout: float = 60) -> None:
    """Waits until `url` is answered with a status below 500 by a server that isn't a `Process`."""
    deadline = time.monotonic() + timeout
    while http_status(url) not in range(100, 500):
        if time.monotonic() > deadline:
            raise ServerFailed(f"nobody answered {url} within {timeout:g} s")
        time.sleep(0.02)
