"""How long commands take to start, beside `python -c pass` in the same minute: `python -m benchmarks.startup`.

Prints medians and ratios as a table. With --limit the exit status is 1 where a ratio reaches it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta

SERVER = "http://localhost:8100"


def prepare(folder: str) -> dict[str, str]:
    """A signed-in user's environment with a cached credential; nothing listens at the server's address."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WIO_")},
        "XDG_CONFIG_HOME": os.path.join(folder, "config"),
        "XDG_CACHE_HOME": os.path.join(folder, "cache"),
    }
    os.environ.update(environment)
    from workspacesio.client import credential_cache, sign_in

    answer = {"user": {"email": "ada@example.org", "username": "ada"}, "token": "wios_none"}
    sign_in.remember(SERVER, answer)
    ends = datetime.now(UTC) + timedelta(hours=1)
    workspace = {"id": 1, "reference": "ada/data", "node": "local", "bucket": "lab", "prefix": "private/ada/data/"}
    credential = {
        "access_key_id": "A" * 20,
        "secret_access_key": "S" * 40,
        "session_token": "T" * 300,
        "expires_at": ends.isoformat(),
        "endpoint": "http://127.0.0.1:9",
        "region": "us-east-1",
        "workspaces": [workspace],
    }
    request = {"workspaces": ["ada/data"], "node": None, "read_only": False, "duration_seconds": None}
    key = sign_in.current().cache_key
    credential_cache.put(key, request, credential)
    credential_cache.put(key, {**request, "node": "local", "read_only": True}, credential)
    credential_cache.put_references(key, {"read data/": {"workspace": workspace, "parts": 1}})
    return environment


def median(command: list[str], environment: dict[str, str], others: list[float], rounds: int) -> float:
    """Milliseconds; a bare interpreter runs between two measurements, and its times go to `others`."""
    times = []
    bare = [sys.executable, "-c", "pass"]
    for _ in range(rounds):
        for measured, into in ((bare, others), (command, times)):
            began = time.perf_counter()
            subprocess.run(
                measured, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
            )
            into.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--limit", type=float, help="the highest ratio to a bare interpreter")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wio = os.path.join(os.path.dirname(sys.executable), "wio")
    with tempfile.TemporaryDirectory() as folder:
        # Stands for the MinIO client and does nothing, so that what is measured is what `wio mc` adds.
        program = os.path.join(folder, "mc")
        with open(program, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho MinIO\n")
        os.chmod(program, 0o755)
        environment = {**prepare(folder), "WIO_MC": program}
        subprocess.run([wio, "mc", "ls", "data/"], env=environment, stdout=subprocess.DEVNULL, check=True)
        commands = {
            "wio --help": [wio, "--help"],
            "wio token --help": [wio, "token", "--help"],
            "wio token ada/data (cached)": [wio, "token", "ada/data"],
            "wio mc ls data/ (cached, without mc)": [wio, "mc", "ls", "data/"],
        }
        bare: list[float] = []
        measured = {name: median(one, environment, bare, arguments.rounds) for name, one in commands.items()}
    base = statistics.median(bare)
    ratios = {name: round(value / base, 2) for name, value in measured.items()}
    if arguments.json:
        print(json.dumps({"python_ms": round(base, 1), "ratios": ratios}))
    else:
        print(f"| command | median | × `python -c pass` ({base:.1f} ms) |\n|---|---|---|")
        for name, value in measured.items():
            print(f"| `{name}` | {value:.1f} ms | {ratios[name]} |")
    return 1 if arguments.limit and max(ratios.values()) >= arguments.limit else 0


if __name__ == "__main__":
    sys.exit(main())
