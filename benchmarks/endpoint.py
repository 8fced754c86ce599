"""A server that is measured, as the load generator needs to know it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.memory import forget_peak, peak_bytes
from servers.process import Process


@dataclass(frozen=True)
class Endpoint:
    """`url` without a final slash; the data lie in `bucket` under `prefix`, which ends with a slash.

    Without an access key requests go unsigned, to paths that begin with the bucket. `client_environment` is
    what WorkspacesIO's own command line needs in its environment to talk to this server.
    """

    url: str
    access_key: str
    secret_key: str
    session_token: str
    bucket: str
    prefix: str
    process: Process
    client_environment: Mapping[str, str] = field(default_factory=dict)

    def processes(self) -> list[int]:
        """The running processes of the server's process group."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getpgid(int(pid)) == self.process.pid:
                    found.append(int(pid))
            except ProcessLookupError:
                continue
        return found

    def cpu_seconds(self) -> float:
        """Processor time that the running processes have used so far, user and system."""
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                # proc(5): fields 14 and 15 are utime and stime in clock ticks; field 3 is the first after the
                # name.
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def forget_peak_memory(self) -> None:
        """Makes `peak_memory` count from now on."""
        for pid in self.processes():
            forget_peak(pid)

    def peak_memory(self, name: str = "") -> int:
        """Bytes that the largest process has held resident at once, of those whose names in `ps` begin so."""
        peaks = [peak_bytes(pid) for pid in self.processes()]
        return max((peak for called, peak in peaks if called.startswith(name)), default=0)
