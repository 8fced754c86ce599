"""Measures `wio sync` beside other clients: `python -m benchmarks.transferring [--files N …]`.

mc mirror, rclone sync and aws s3 sync, with the same keys and against the same servers: the endpoint on a folder,
and MinIO. Three sets: many files of 10 KB, a few large ones, and many that are there already. The tools take turns
at each set, beginning with another one in each round; before each step everything is on the disk. Each tool's
copies are compared with the source and deleted before the next one's turn.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.memory import peak_bytes
from servers.minio import mc_path, minio
from servers.service import Person, Service

FILES, FILE_BYTES = 10_000, 10_000
LARGE, LARGE_BYTES = 10, 1_000_000_000
EQUAL, EQUAL_BYTES = 100_000, 100
MOST_MEMORY = 300e6
LOOK_SECONDS = 0.02
TOOLS = ("wio sync", "mc mirror", "rclone sync", "aws s3 sync")
SERVERS = {"folder": "the endpoint", "minio": "MinIO"}
_BUCKET = "transfers"


@dataclass
class Race:
    """One step, by tool: seconds and the largest memory in bytes of each round."""

    title: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def add(self, tool: str, seconds: float, memory: int) -> None:
        self.seconds.setdefault(tool, []).append(seconds)
        self.memory[tool] = max(memory, self.memory.get(tool, 0))

    def median(self, tool: str) -> float:
        return statistics.median(self.seconds[tool])

    @property
    def ratio(self) -> float:
        """What ours takes beside the quickest other."""
        return self.median(TOOLS[0]) / min(self.median(tool) for tool in TOOLS[1:])

    @property
    def reached(self) -> bool:
        """Whether no other one is quicker, and little memory is taken."""
        return self.ratio <= 1 and self.memory[TOOLS[0]] < MOST_MEMORY


@dataclass(frozen=True)
class Sizes:
    """Of the three sets, and how often each tool has its turn."""

    files: int = FILES
    large: int = LARGE
    large_bytes: int = LARGE_BYTES
    equal: int = EQUAL
    rounds: int = 1


def transferring(sizes: Sizes) -> list[Race]:
    """A row for each server and step."""
    races = []
    base = tempfile.mkdtemp(prefix="workspacesio-transfers-")
    try:
        with _servers(base) as ada:
            for server in SERVERS:
                one = _Server(ada, server, base, sizes.rounds)
                if sizes.files:
                    races += one.copied(f"{sizes.files:,} files of 10 KB", sizes.files, FILE_BYTES)
                if sizes.large:
                    title = f"{sizes.large} files of {sizes.large_bytes / 1e9:g} GB"
                    races += one.copied(title, sizes.large, sizes.large_bytes)
                if sizes.equal:
                    races += one.equal(f"nothing to do over {sizes.equal:,} objects", sizes.equal)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return races


@contextmanager
def _servers(base: str) -> Iterator[Person]:
    """Ada, with a workspace on each, called as the server."""
    os.makedirs(f"{base}/lab")
    os.makedirs(f"{base}/service")
    running = Service(f"{base}/lab", base=f"{base}/service")
    running.environment["WIO_DURABILITY"] = "process"
    with minio(f"{base}/minio") as server:
        running.start()
        try:
            ada = running.administrator()
            server.boto3_client().create_bucket(Bucket=_BUCKET)
            ada.wio(
                *("node", "add", "minio", "minio", "--endpoint", server.endpoint),
                *("--access-key", server.access_key, "--secret-stdin"),
                stdin=server.secret_key + "\n",
            )
            ada.wio("root", "create", "minio", _BUCKET, "--type", "private", "--name", "onminio")
            ada.wio("create", "folder", "--root", "private")
            ada.wio("create", "minio", "--root", "onminio")
            yield ada
        finally:
            running.stop()


class _Server:
    """One server, and the same files for all tools."""

    def __init__(self, ada: Person, workspace: str, base: str, rounds: int) -> None:
        self._ada = ada
        self._workspace = workspace
        self._base = base
        self._rounds = rounds
        self._place = ada.wio("path", workspace).strip().removeprefix("s3://").rstrip("/")

    def copied(self, title: str, files: int, size: int) -> list[Race]:
        """Up, and down to an empty folder."""
        source, back = f"{self._base}/source", f"{self._base}/back"
        _fill(source, files, size)
        up, down = (Race(f"{title}, {way} {SERVERS[self._workspace]}") for way in ("to", "from"))
        for tool in self._turns():
            self._run(tool, source, "s3:copied", up)
            self._run(tool, "s3:copied", back, down)
            compared = subprocess.run(["diff", "-r", source, back], capture_output=True, check=False)
            if compared.returncode:
                raise SystemExit(f"{tool} brought back something else: {compared.stdout.decode()[:500]}")
            shutil.rmtree(back)
            self._ada.wio("rm", "-r", "--yes", f"{self._workspace}/copied/")
        shutil.rmtree(source)
        return [up, down]

    def equal(self, title: str, files: int) -> list[Race]:
        """What is stored, and the same in a folder: older there, and then as old."""
        source = f"{self._base}/source"
        _fill(source, files, EQUAL_BYTES)
        _date(source, 1_600_000_000)
        self._ada.shell("wio", "sync", source, f"{self._workspace}/equal", timeout=3600).check_returncode()
        up, down = (Race(f"{title}, {way} {SERVERS[self._workspace]}") for way in ("to", "from"))
        for tool in self._turns():
            self._run(tool, source, "s3:equal", up)
        # aws copies what isn't as old as it is there; in whole seconds it is neither younger nor older for others.
        for one in self._ada.json("ls", "-r", f"{self._workspace}/equal/"):
            at = int(datetime.fromisoformat(one["modified"]).timestamp())
            os.utime(os.path.join(source, one["path"].removeprefix("equal/")), (at, at))
        for tool in self._turns():
            self._run(tool, "s3:equal", source, down)
        shutil.rmtree(source)
        self._ada.wio("rm", "-r", "--yes", f"{self._workspace}/equal/")
        return [up, down]

    def _turns(self) -> Iterator[str]:
        for turn in range(self._rounds):
            yield from TOOLS[turn % len(TOOLS) :] + TOOLS[: turn % len(TOOLS)]

    def _run(self, tool: str, one: str, other: str, race: Race) -> None:
        command = _COMMANDS[tool](*(self._spelled(tool, end) for end in (one, other)))
        environment = {**self._ada.env(), **self._keys()}
        os.sync()
        with tempfile.TemporaryFile() as said:
            begun = time.perf_counter()
            process = subprocess.Popen(command, env=environment, stdout=said, stderr=said, cwd=self._ada.home)
            memory = _Memory(process.pid)
            process.wait()
            seconds = time.perf_counter() - begun
            if process.returncode:
                said.seek(0)
                raise SystemExit(f"{' '.join(command)}: {said.read()[-1000:].decode(errors='replace')}")
        race.add(tool, seconds, memory.most())

    def _spelled(self, tool: str, end: str) -> str:
        if not end.startswith("s3:"):
            return f"{end}/"
        before = {
            "wio sync": f"{self._workspace}/",
            "mc mirror": f"bench/{self._place}/",
            "rclone sync": f":s3,env_auth,provider=Other,force_path_style,no_check_bucket:{self._place}/",
            "aws s3 sync": f"s3://{self._place}/",
        }
        return f"{before[tool]}{end.removeprefix('s3:')}/"

    def _keys(self) -> dict[str, str]:
        issued = self._ada.token(self._workspace)
        keys = ":".join(issued[name] for name in ("access_key_id", "secret_access_key", "session_token"))
        return {
            "AWS_ACCESS_KEY_ID": issued["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": issued["secret_access_key"],
            "AWS_SESSION_TOKEN": issued["session_token"],
            "AWS_ENDPOINT_URL_S3": issued["endpoint"],
            "AWS_REGION": issued["region"],
            "RCLONE_S3_ENDPOINT": issued["endpoint"],
            "RCLONE_CONFIG": "/dev/null",
            "MC_HOST_bench": issued["endpoint"].replace("://", f"://{keys}@"),
        }


class _Memory:
    """The most that a process holds, looked at until it ends. What wait4(2) tells begins with its parent's."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def most(self) -> int:
        """In bytes; for a process that has ended."""
        self._thread.join()
        return self._most

    def _look(self) -> None:
        with contextlib.suppress(OSError, KeyError):  # it has ended
            while True:
                self._most = peak_bytes(self._pid)[1]
                time.sleep(LOOK_SECONDS)


_COMMANDS: dict[str, Callable[[str, str], list[str]]] = {
    "wio sync": lambda one, other: ["wio", "sync", one, other],
    "mc mirror": lambda one, other: [mc_path(), "--quiet", "mirror", "--overwrite", one, other],
    # Without these rclone asks for each object that it didn't send itself, to see a time in its metadata.
    "rclone sync": lambda one, other: ["rclone", "sync", "--update", "--use-server-modtime", one, other],
    "aws s3 sync": lambda one, other: ["aws", "s3", "sync", "--only-show-errors", one, other],
}


def _fill(folder: str, files: int, size: int) -> None:
    made = random.Random(files)
    for number in range(files):
        path = os.path.join(folder, f"{number // 100:04}", f"{number:06}.bin")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for begin in range(0, size, 1 << 20):
                file.write(made.randbytes(min(1 << 20, size - begin)))


def _date(folder: str, at: float) -> None:
    for path, _, names in os.walk(folder):
        for name in names:
            os.utime(os.path.join(path, name), (at, at))


def table(races: list[Race]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield f"| | {' | '.join(TOOLS)} | `wio` to the best of the others |"
    yield "|---" + "|---:" * (len(TOOLS) + 1) + "|"
    for race in races:
        cells = [f"{race.median(tool):.2f} s, {race.memory[tool] / 1e6:.0f} MB" for tool in TOOLS]
        missed = "" if race.reached else " (not reached)"
        yield f"| {race.title} | {' | '.join(cells)} | {race.ratio:.2f}×{missed} |"


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=FILES, help="of 10 KB (%(default)s)")
    parser.add_argument("--large", type=int, default=LARGE, help="of --megabytes (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=LARGE_BYTES // 1_000_000)
    parser.add_argument("--equal", type=int, default=EQUAL, help="with nothing to do (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    sizes = Sizes(given.files, given.large, given.megabytes * 1_000_000, given.equal, given.rounds)
    print("\n".join(table(transferring(sizes))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
