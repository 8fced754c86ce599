"""The load generator (a Go program, `loadgen/`): builds it, runs one load, returns what it printed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from benchmarks.endpoint import Endpoint
from servers.installed import cache_dir, installed


class LoadFailed(Exception):
    """The load generator couldn't run, or a request failed; the message says which and how."""


@dataclass(frozen=True)
class Load:
    """One load: what is asked, of which keys, over how many connections, for how long.

    `keys` is a pattern relative to the endpoint's prefix: with one verb such as %06d for the number of a key,
    or two, for its thousands and the rest; for `list` it is the prefix to list. `requests` bounds the number
    of requests instead of the time, without a warm-up. With `reconnect` every request has a connection of its
    own, so that any process of the server answers it. `assume-role` and `credential` ask for keys: of a server's
    security token service, and of WorkspacesIO for the node named as the endpoint's bucket.
    """

    workload: str
    keys: str
    key_count: int
    connections: int
    size: int = -1
    payload: str = "signed"
    seconds: float = 4
    warmup: float = 0.5
    requests: int = 0
    reconnect: bool = False


@dataclass(frozen=True)
class Result:
    """What the load generator printed: rates per second, times in milliseconds.

    `first_ms` is the slowest first request of a connection, `later_max_ms` the slowest of all others.
    """

    requests: int
    seconds: float
    requests_per_second: float
    bytes_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    first_ms: float
    later_max_ms: float


def build() -> str:
    """Builds the load generator and returns its path; Go's own cache makes that quick when nothing changed."""
    binary = os.path.join(cache_dir(), "bin", "loadgen")
    fresh = f"{binary}-{os.getpid()}"
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "loadgen")
    built = subprocess.run(
        [installed("go"), "build", "-o", fresh, "."], cwd=source, capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise LoadFailed(f"the load generator doesn't build:\n{built.stderr}")
    os.replace(fresh, binary)  # another process may be running the old one
    return binary


def run(binary: str, endpoint: Endpoint, load: Load) -> Result:
    """Puts `load` on `endpoint`.

    Raises `LoadFailed` when a single request failed: a rate with errors in it is no rate.
    """
    command = [binary, "-endpoint", endpoint.url, "-bucket", endpoint.bucket, "-workload", load.workload]
    command += ["-keys", endpoint.prefix + load.keys, "-key-count", str(load.key_count)]
    command += ["-connections", str(load.connections), "-size", str(load.size), "-payload", load.payload]
    command += ["-duration", f"{load.seconds}s", "-warmup", f"{load.warmup}s"]
    command += ["-requests", str(load.requests)]
    if load.reconnect:
        command.append("-reconnect")
    if not endpoint.access_key and load.workload != "credential":
        command.append("-anonymous")
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": endpoint.access_key,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
        "AWS_SESSION_TOKEN": endpoint.session_token,
        "WIO_TOKENS": endpoint.client_environment.get("WIO_TOKENS", ""),
    }
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode == 2:
        raise LoadFailed(ended.stderr.strip())
    printed = json.loads(ended.stdout)
    if printed["errors"]:
        raise LoadFailed(
            f"{load.workload} {load.keys}: {printed['errors']} errors, first: {printed['first_error']}"
        )
    return Result(**{name: printed[name] for name in Result.__dataclass_fields__})
