"""What it costs to get keys of a MinIO node, beside the server's own AssumeRole, both over kept connections.

Each of WorkspacesIO's answers is an AssumeRole of its own, to the caller's user on the server, and a row on the
disk. Loads take turns, each one alone. People ask with API keys of their own, again and again for the same.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from benchmarks import load
from benchmarks.beside import Beside
from benchmarks.endpoint import Endpoint
from benchmarks.hub import NODE, Hub, api_key, start_hub
from benchmarks.startup import prepare

PEOPLE = 16
SECONDS = 3.0
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::research/lab/*"]}],
}


def issuing(loadgen: str, rounds: int) -> list[Beside]:
    """One connection, and sixteen."""
    with start_hub() as hub:
        raw, ours = _raw(hub), _ours(hub)
        one = _in_turns(loadgen, rounds, raw, ours, 1)
        many = _in_turns(loadgen, rounds, raw, ours, PEOPLE)
    return [
        Beside(
            "keys of the node, one connection, median",
            _median(one[1], lambda result: result.p50_ms),
            "ms",
            raw=_median(one[0], lambda result: result.p50_ms),
            ratio=1.5,
            in_the_way="the server's answer is waited for, then its row is synced to the disk "
            "([decision 10](decisions/0010-keys-asked-for-again.md)); the rest is the interpreter's",
        ),
        Beside(
            f"keys of the node, {PEOPLE} people at once, 99th percentile",
            _median(many[1], lambda result: result.p99_ms),
            "ms",
            raw=_median(many[0], lambda result: result.p99_ms),
            limit=50,
        ),
        Beside(
            f"keys of the node, {PEOPLE} people at once, one process of the API",
            _median(many[1], lambda result: result.requests_per_second),
            "/s",
            raw=_median(many[0], lambda result: result.requests_per_second),
            limit=500,
            more=True,
        ),
        _kept(),
    ]


def _raw(hub: Hub) -> Endpoint:
    hub.subjects.write_policy("bench", json.dumps(_POLICY))
    hub.subjects.add_user("bench-user", ["bench"])
    process = hub.server.process
    return Endpoint(hub.server.endpoint, "bench-user", "bench-user" * 2, "", "", "", process)


def _ours(hub: Hub) -> Endpoint:
    people = [hub.person(f"user{number}") for number in range(PEOPLE)]
    assert hub.service.process is not None
    tokens = {"WIO_TOKENS": " ".join(api_key(person) for person in people)}
    return Endpoint(hub.service.api_url, "", "", "", NODE, "", hub.service.process, tokens)


def _in_turns(
    loadgen: str, rounds: int, raw: Endpoint, ours: Endpoint, connections: int
) -> tuple[list[load.Result], list[load.Result]]:
    wanted = load.Load("assume-role", "", 1, connections, seconds=SECONDS)
    found: tuple[list[load.Result], list[load.Result]] = ([], [])
    for _ in range(rounds):
        found[0].append(load.run(loadgen, raw, wanted))
        found[1].append(load.run(loadgen, ours, replace(wanted, workload="credential")))
    return found


def _median(results: list[load.Result], value: Callable[[load.Result], float]) -> float:
    return median(value(result) for result in results)


def _kept() -> Beside:
    """Keys that the command line has kept from before: what it takes beyond starting Python."""
    before = dict(os.environ)
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepare(folder)
            from workspacesio.client import credential_cache, sign_in

            request = {"workspaces": ["ada/data"], "node": None, "read_only": False, "duration_seconds": None}
            times = []
            for _ in range(300):
                begun = time.perf_counter()
                kept = credential_cache.get(sign_in.current().cache_key, request)
                times.append(1000 * (time.perf_counter() - begun))
                assert kept is not None
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Beside("keys that `wio` has kept, beyond starting Python, median", median(times), "ms", limit=2)
