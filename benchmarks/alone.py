"""What WorkspacesIO has to reach by itself: a folder of a million files, and how fast its commands start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks import dataset, load, steps, subject
from benchmarks.endpoint import Endpoint
from servers.installed import installed


@dataclass(frozen=True)
class Reading:
    """One number, less is better, and what it must stay under; None where it is there to compare."""

    title: str
    value: float
    unit: str
    limit: float | None

    @property
    def reached(self) -> bool:
        """Whether the number is under its limit."""
        return self.limit is None or self.value < self.limit


def million_files(loadgen: str) -> list[Reading]:
    """Lists one folder of 1,000,000 files to its end on a server just started, each page on a new connection.

    New connections spread over the server's processes, so that a page is answered by another one than the
    page before.
    """
    data_dir = dataset.make_tree(os.path.join(dataset.bench_dir(), "million"), [dataset.MILLION])
    with subject.start_workspacesio(data_dir) as endpoint:
        pages = dataset.MILLION.key_count // 1000
        walk = load.Load("list", "million/", dataset.MILLION.key_count, 1, requests=pages, reconnect=True)
        result = load.run(loadgen, endpoint, walk)
        workers, indexing = (endpoint.peak_memory(name) / 1e6 for name in ("wio s3", "wio index"))
    return [
        Reading("first page of a folder of 1,000,000 files", result.first_ms / 1000, "s", 6),
        Reading("slowest later page", result.later_max_ms, "ms", 50),
        Reading("99th percentile of pages", result.p99_ms, "ms", None),
        Reading("largest worker of the endpoint meanwhile", workers, "MB", 200),
        Reading("the process that crawls and indexes these files meanwhile", indexing, "MB", 500),
    ]


def commands(loadgen: str) -> list[Reading]:
    """How long commands take, against a bare interpreter, with everything that can be cached cached."""
    del loadgen
    data_dir = dataset.make_tree(os.path.join(dataset.bench_dir(), "workspacesio"), [dataset.SMALL])
    wio, mc = installed("wio"), installed("mc")
    with subject.start_workspacesio(data_dir) as endpoint:
        environment = {**os.environ, **endpoint.client_environment, **_mc_alias(endpoint), "WIO_MC": mc}
        workspace = endpoint.prefix.rstrip("/")
        bare = _command_ms([sys.executable, "-c", "pass"], environment)
        mc_ls = _command_ms([mc, "ls", f"bench/{endpoint.bucket}/{endpoint.prefix}"], environment)
        return [
            Reading("python -c pass", bare, "ms", None),
            Reading("wio --help", _command_ms([wio, "--help"], environment), "ms", 8 * bare),
            Reading("wio token, cached", _command_ms([wio, "token", workspace], environment), "ms", 8 * bare),
            Reading("mc ls", mc_ls, "ms", None),
            Reading(
                "wio mc ls, cached, beyond mc ls",
                _command_ms([wio, "mc", "ls", f"{workspace}/"], environment) - mc_ls,
                "ms",
                8 * bare,
            ),
        ]


def small_get(loadgen: str) -> list[Reading]:
    """Processor time of a GET of 1 KiB when it is answered after each of its steps."""
    return [
        Reading(f"GET 1 KiB, answered when it is {steps.STEPS[step]}", value, "µs", None)
        for step, value in steps.microseconds(loadgen).items()
    ]


ALONE: dict[str, Callable[[str], list[Reading]]] = {
    "million": million_files,
    "commands": commands,
    "steps": small_get,
}


def _mc_alias(endpoint: Endpoint) -> dict[str, str]:
    """mc's alias `bench` in the environment (MC_HOST_<alias>), a session token behind the secret key."""
    keys = f"{endpoint.access_key}:{endpoint.secret_key}"
    if endpoint.session_token:
        keys += f":{endpoint.session_token}"
    return {"MC_HOST_bench": endpoint.url.replace("://", f"://{keys}@")}


def _command_ms(command: list[str], environment: Mapping[str, str], *, runs: int = 15) -> float:
    """The median of `runs` runs, in milliseconds, after one that isn't counted."""
    took = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
        took.append(1000 * (time.perf_counter() - start))
    return median(took[1:])
