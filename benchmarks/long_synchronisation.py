"""20 GB in mixed sizes with keys of 30 seconds, through a proxy that cuts a connection every few seconds.

    python -m benchmarks.long_synchronisation [--gigabytes N] [--every SECONDS]

Up to a folder node and down again. Each way `wio sync` is killed when half of it has gone through, and typed
again; that one must end with everything equal, by the SHA-256 of each file on both disks. The proxy writes down
every exchange: nothing whose answer the client was given is sent or fetched again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import dataset
from benchmarks.alone import Reading
from servers.counting_proxy import CountingProxy, Exchange, counting_proxy
from servers.process import free_port
from servers.service import Person, Service

MIX = ((5000, 100_000), (300, 10_000_000), (200, 27_500_000), (5, 2_200_000_000))
"""How many files of which middle size in bytes: 20 GB."""
EVERY_SECONDS = 3.0
KEYS_SECONDS = 30
BLOCK_BYTES = 8 << 20
LEAST_FREE_BYTES = 8 << 30


@dataclass(frozen=True)
class Way:
    """One direction. `moved`: bytes of contents that went through the proxy, in both runs. `keys`: with how many,
    one after the other, the second run went to its end. `again`: names of objects, and of parts of them, that had
    been sent or fetched whole, and were so once more."""

    seconds: float
    size: int
    moved: int
    cuts: int
    keys: int
    again: list[str]


def fill(folder: str, mix: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Makes files, no block of which is like another one; returns the SHA-256 of each by its path."""
    made = random.Random(1)
    twice = memoryview(2 * made.randbytes(BLOCK_BYTES))
    found = {}
    for count, middle in mix:
        for number in range(count):
            path = f"{middle}/{number // 500}/{number}.bin"
            whole = os.path.join(folder, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            size, digest = made.randint(middle // 2, middle * 3 // 2), hashlib.sha256()
            with open(whole, "wb") as file:
                for begin in range(0, size, BLOCK_BYTES):
                    turn = made.randrange(BLOCK_BYTES)
                    piece = twice[turn : turn + min(BLOCK_BYTES, size - begin)]
                    file.write(piece)
                    digest.update(piece)
            found[path] = digest.hexdigest()
    return found


def digests(folder: str) -> dict[str, str]:
    """The SHA-256 of each file, by its path."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            whole = os.path.join(at, name)
            with open(whole, "rb") as file:
                found[os.path.relpath(whole, folder)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def size_of(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)


def synchronised(
    person: Person,
    proxy: CountingProxy,
    command: Sequence[str],
    *,
    size: int,
    kept: str = "",
    prefix: str = "",
    killed_at: float = 0.5,
) -> Way:
    """`wio sync` killed when this part of `size` bytes has come, and once more to its end.

    `kept`: for the way down, the folder into which it goes, and under which `prefix` its objects lie at the node:
    what is there when it is killed is done. Raises SystemExit where the second one fails.
    """
    begun, first_cut, first = time.monotonic(), proxy.cuts, len(proxy.exchanges)
    running = subprocess.Popen(["wio", *command], env=person.env(), cwd=person.home, stderr=subprocess.PIPE)
    while _come(proxy.exchanges[first:]) < killed_at * size:
        if running.poll() is not None:
            raise SystemExit(f"wio {' '.join(command)} ended before it was killed: {running.communicate()[1]!r}")
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    done = {os.path.join(prefix, path) for path in _files(kept)} if kept else set()
    killed = len(proxy.exchanges)
    second = person.run(*command, timeout=7200)
    if second.returncode:
        raise SystemExit(f"wio {' '.join(command)}: {second.stdout}{second.stderr}")
    exchanges, later = proxy.exchanges[first:], proxy.exchanges[killed:]
    fetched = {one.path.removeprefix("/") for one in later if one.method == "GET"}
    return Way(
        time.monotonic() - begun,
        size,
        moved(exchanges),
        proxy.cuts - first_cut,
        len({one.access_key_id for one in later}),
        sorted(sent_again(exchanges)) + sorted(fetched & done),
    )


def moved(exchanges: Sequence[Exchange]) -> int:
    """Bytes of contents, up and down."""
    return sum(
        one.sent_bytes if one.method == "PUT" else one.answered_bytes
        for one in exchanges
        if one.method == "PUT" or (one.method == "GET" and not one.query)
    )


def _come(exchanges: Sequence[Exchange]) -> int:
    """Of these, what isn't lost: with a connection, all that was sent on it of an object or part is."""
    return moved([one for one in exchanges if one.is_done or one.method == "GET"])


def sent_again(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Objects and parts of which the client was told that they had come, and sent them all the same."""
    done: dict[tuple[str, str], float] = {}
    for one in exchanges:
        if one.method == "PUT":
            what = (one.path, one.query.get("partNumber", ""))
            if what in done and one.begun > done[what]:
                yield " ".join(what)

            if one.is_done:
                done.setdefault(what, one.ended)


def _files(folder: str) -> Iterator[str]:
    """What has come whole, for what comes has another name until then."""
    for at, _, names in os.walk(folder):
        yield from (
            os.path.relpath(os.path.join(at, name), folder) for name in names if not name.endswith(".part")
        )


@contextmanager
def _served(base: str, every: float) -> Iterator[tuple[Person, CountingProxy, str]]:
    """Somebody with the workspace `long`, the proxy in front of it, and the folder where it lies."""
    lab = os.path.join(base, "lab")
    os.makedirs(lab)
    running = Service(lab, base=base)
    running.s3_port = free_port()
    with counting_proxy(running.s3_url, every=every) as proxy:
        running.environment |= {
            "WIO_S3_PUBLIC_NAME": proxy.endpoint,
            "WIO_CREDENTIAL_MAX_SECONDS": str(KEYS_SECONDS),
        }
        running.start()
        try:
            ada = running.administrator()
            ada.wio("create", "long", "--root", "private")
            yield ada, proxy, os.path.join(lab, "private", "ada", "long")
        finally:
            running.stop()


def measure(mix: Sequence[tuple[int, int]], every: float, say: Callable[[str], None]) -> tuple[Way, Way]:
    """Up and down. The source goes before it comes down again: there are never more than two of everything."""
    base = tempfile.mkdtemp(prefix="long-", dir=dataset.bench_dir())
    try:
        with _served(base, every) as (ada, proxy, stored):
            source, back = os.path.join(ada.home, "source"), os.path.join(ada.home, "back")
            expected, size = fill(source, mix), size_of(source)
            say(f"{len(expected):,} files of {size:,} bytes are made")
            up = synchronised(ada, proxy, ["sync", "./source", "long"], size=size)
            say(f"up: {up}")
            _compare(expected, stored)
            shutil.rmtree(source)
            down = synchronised(
                ada, proxy, ["sync", "long", "./back"], size=size, kept=back, prefix="lab/private/ada/long"
            )
            say(f"down: {down}")
            _compare(expected, back)
            return up, down
    finally:
        shutil.rmtree(base)


def _compare(expected: dict[str, str], folder: str) -> None:
    found = digests(folder)
    different = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    if different:
        raise SystemExit(f"{len(different):,} files of {folder} are different: {different[:5]}")


def long_synchronisation(loadgen: str) -> list[Reading]:
    """The figures of `make bench`; none where there is no room."""
    del loadgen
    found: list[Reading] = []
    if missing := _no_room(MIX):
        print(missing, file=sys.stderr)
        return found
    for name, way in zip(("up", "down"), measure(MIX, EVERY_SECONDS, _silent), strict=True):
        what = f"20 GB {name}, keys of {KEYS_SECONDS} s, {way.cuts} connections cut, killed once"
        found += [
            Reading(what, way.seconds, "s", None),
            Reading(f"20 GB {name}: keys one after the other", way.keys, "keys", None),
            Reading(f"20 GB {name}: bytes through the proxy", way.moved / way.size, "× the size", 1.2),
            Reading(f"20 GB {name}: sent or fetched again though it was done", len(way.again), "times", 1),
        ]
    return found


def _no_room(mix: Sequence[tuple[int, int]]) -> str:
    """Why it can't be done; "" where it can."""
    os.makedirs(dataset.bench_dir(), exist_ok=True)
    wanted = 2 * sum(count * middle for count, middle in mix) + LEAST_FREE_BYTES
    if shutil.disk_usage(dataset.bench_dir()).free >= wanted:
        return ""
    return f"{dataset.bench_dir()} needs {wanted:,} bytes for this; set WIO_BENCH_DIR to a folder on another disk."


def _silent(_: str) -> None:
    """Nothing is told on the way."""


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20.0, help="(%(default)s)")
    parser.add_argument("--every", type=float, default=EVERY_SECONDS, metavar="SECONDS", help="(%(default)s)")
    arguments = parser.parse_args()
    share = arguments.gigabytes / 20
    mix = [(max(1, round(count * share)), middle) for count, middle in MIX]
    if missing := _no_room(mix):
        raise SystemExit(missing)
    ways = measure(mix, arguments.every, lambda said: print(time.strftime("%H:%M:%S"), said, flush=True))
    return 1 if any(way.again for way in ways) else 0


if __name__ == "__main__":
    sys.exit(main())
