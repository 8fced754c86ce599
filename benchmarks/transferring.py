"""Measures `wio sync` beside other clients: `python -m benchmarks.transferring [--files N]`.

mc mirror, rclone sync and aws s3 sync work against the same endpoint on a folder node: up, up again with nothing
to do, down, and down again. Two sets: many files of 10 KB, and a few large ones. Each round takes the tools one
after the other, beginning with another one; printed are medians in seconds, ours beside the quickest other.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from servers.minio import mc_path
from servers.service import service

STEPS = ("up", "up again", "down", "down again")


def _fill(folder: str, files: int, size: int) -> None:
    made = random.Random(files)
    for number in range(files):
        path = os.path.join(folder, f"{number // 100:04}", f"{number:06}.bin")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for begin in range(0, size, 1 << 20):
                file.write(made.randbytes(min(1 << 20, size - begin)))


def _commands() -> dict[str, Callable[[str, str], list[str]]]:
    """How each tool makes the second like the first; a place in the bucket is written s3:PATH."""

    def spelled(before: str) -> Callable[[str], str]:
        return lambda place: place.replace("s3:", before, 1) if place.startswith("s3:") else place

    wio, mc = spelled("bench/"), spelled("bench/lab/private/ada/bench/")
    rclone, aws = (
        spelled(":s3,env_auth,provider=Other,force_path_style,no_check_bucket:lab/private/ada/bench/"),
        spelled("s3://lab/private/ada/bench/"),
    )
    return {
        "wio sync": lambda one, other: ["wio", "sync", wio(one), wio(other)],
        "mc mirror": lambda one, other: [mc_path(), "--quiet", "mirror", "--overwrite", mc(one), mc(other)],
        "rclone sync": lambda one, other: ["rclone", "sync", rclone(one), rclone(other)],
        "aws s3 sync": lambda one, other: ["aws", "s3", "sync", "--only-show-errors", aws(one), aws(other)],
    }


def measure(files: int, size: int, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Seconds by tool and step."""
    times: dict[tuple[str, str], list[float]] = {}
    base = tempfile.mkdtemp(prefix="workspacesio-transfers-")
    try:
        served = os.path.join(base, "lab")
        os.makedirs(served)
        with service(served, base=base) as running:
            ada = running.administrator()
            ada.wio("create", "bench", "--root", "private")
            source = os.path.join(ada.home, "source")
            _fill(source, files, size)
            tools = list(_commands().items())
            for turn in range(rounds):
                for tool, command in tools[turn % len(tools) :] + tools[: turn % len(tools)]:
                    issued = ada.token("bench")
                    environment = {
                        "AWS_ACCESS_KEY_ID": issued["access_key_id"],
                        "AWS_SECRET_ACCESS_KEY": issued["secret_access_key"],
                        "AWS_SESSION_TOKEN": issued["session_token"],
                        "AWS_ENDPOINT_URL_S3": issued["endpoint"],
                        "AWS_REGION": issued["region"],
                        "RCLONE_S3_ENDPOINT": issued["endpoint"],
                        "RCLONE_CONFIG": "/dev/null",
                        "MC_HOST_bench": "{0}://{2}:{3}:{4}@{1}".format(
                            *issued["endpoint"].split("://"),
                            *(issued[name] for name in ("access_key_id", "secret_access_key", "session_token")),
                        ),
                    }
                    there, back = f"s3:{tool.split()[0]}-{turn}/", os.path.join(ada.home, "back")
                    for step in STEPS:
                        ends = (source + "/", there) if step.startswith("up") else (there, back + "/")
                        begun = time.perf_counter()
                        done = ada.shell(*command(*ends), env=environment, timeout=3600)
                        if done.returncode:
                            raise SystemExit(f"{tool}, {step}: {done.stdout}{done.stderr}")
                        times.setdefault((tool, step), []).append(time.perf_counter() - begun)
                    compared = subprocess.run(["diff", "-r", source, back], capture_output=True, check=False)
                    if compared.returncode:
                        raise SystemExit(f"{tool} brought back something else: {compared.stdout.decode()[:500]}")
                    shutil.rmtree(back)
    finally:
        shutil.rmtree(base)
    return times


def table(title: str, times: dict[tuple[str, str], list[float]]) -> str:
    """Medians in seconds; in the last column how long ours takes beside the quickest other."""
    tools = list(dict.fromkeys(tool for tool, _ in times))
    lines = [f"| {title} | {' | '.join(tools)} | ours / best |", "|---" * (len(tools) + 2) + "|"]
    for step in STEPS:
        medians = [statistics.median(times[tool, step]) for tool in tools]
        cells = " | ".join(f"{one:.2f} s" for one in medians)
        lines.append(f"| {step} | {cells} | {medians[0] / min(medians[1:]):.2f} |")
    return "\n".join(lines)


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=2000, help="of 10 KB (%(default)s)")
    parser.add_argument("--large", type=int, default=4, help="of --megabytes (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for count, size in ((arguments.files, 10_000), (arguments.large, arguments.megabytes * 1_000_000)):
        if count:
            print(
                table(f"{count} files of {size:,} bytes", measure(count, size, arguments.rounds)) + "\n",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
