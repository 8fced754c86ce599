"""The processes of a running service, as the kernel sees them: who listens where, who descends from whom."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from servers.service import Service


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
    """Polls until `holds()`; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be buried doesn't."""
    return _state(pid) not in (None, "Z", "X")


def descendants(pid: int) -> set[int]:
    """Every living process that `pid` started, and those that they started."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = _stat(int(name))
        if fields and fields[0] not in "ZX":
            parents[int(name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def endpoint_workers(service: Service) -> list[int]:
    """The processes that take the endpoint's requests; the one that looks after them holds the socket too."""
    assert service.process is not None
    listeners = _listeners(service, service.s3_port)
    return [pid for pid in listeners if parent_of(pid) in listeners]


def api_workers(service: Service) -> list[int]:
    return _listeners(service, service.port)


def parent_of(pid: int) -> int:
    fields = _stat(pid)
    assert fields is not None
    return int(fields[1])


def peak_memory(pid: int) -> int:
    """The most bytes that were ever resident: VmHWM of proc_pid_status(5)."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", file.read(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def open_sockets(pid: int) -> set[str]:
    """The inodes of the process's sockets."""
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:"):
                found.add(target[len("socket:[") : -1])
    except FileNotFoundError:
        pass
    return found


def connections(pid: int, port: int) -> int:
    """How many clients are connected to the process on a port."""
    return len(open_sockets(pid) & _inodes(port, "01"))


def _listeners(service: Service, port: int) -> list[int]:
    assert service.process is not None
    listening = _inodes(port, "0A")
    return sorted(pid for pid in descendants(service.process.pid) if open_sockets(pid) & listening)


def _inodes(port: int, state: str) -> set[str]:
    """Of proc_pid_net(5): TCP sockets of this local port in a state (0A listens, 01 is connected)."""
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}", encoding="utf-8") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == state and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def _state(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[0] if fields else None


def _stat(pid: int) -> list[str] | None:
    """State, parent and what follows, of proc_pid_stat(5); the name before may hold spaces and brackets."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None
