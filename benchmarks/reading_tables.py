"""pandas.read_parquet over `wio://` with one shared folder, beside s3fs with all rights on the same MinIO.

Two processes take turns, each with the connections that it has opened before; listings are forgotten before each
reading, so that both ask for them. What names mean is asked every five seconds, as always. And how long the
package takes to be imported, beside obstore.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.beside import Beside
from servers.minio import minio
from servers.s3_server import S3Server
from servers.service import Person, service

BUCKET = "tables"
ROWS = 400_000
FILES = 32
IMPORT_LIMIT_MS = 60
MOST = 1.1
"""Times what s3fs takes."""


def tables(loadgen: str, rounds: int) -> list[Beside]:
    """A row of the page for each kind of table, and one for importing."""
    del loadgen
    found = []
    with tempfile.TemporaryDirectory(prefix="workspacesio-bench-") as base, minio(f"{base}/minio") as server:
        os.makedirs(f"{base}/lab")
        with service(f"{base}/lab", base=f"{base}/service") as started:
            ada, ben = started.administrator(), started.colleague("ben")
            _add(server, ada)
            whole = _Reader(server.endpoint, "s3://tables/private/ada/plates/open", server=server)
            shared = _Reader(server.endpoint, "wio://ada/plates/open", person=ben)
            with whole.running(), shared.running():
                whole.make()
                for title, path in (
                    (f"one file of {ROWS:,} rows", "one.parquet"),
                    (f"four columns of {ROWS:,} rows in {FILES} files", "many"),
                    ("one file of 100 rows", "small.parquet"),
                ):
                    found.append(_compared(title, path, shared, whole, 4 * rounds))
    return [*found, _importing(3 * rounds)]


def _add(server: S3Server, ada: Person) -> None:
    server.boto3_client().create_bucket(Bucket=BUCKET)
    ada.wio(
        *("node", "add", "minio", "minio", "--endpoint", server.endpoint),
        *("--access-key", server.access_key, "--secret-stdin"),
        stdin=server.secret_key + "\n",
    )
    ada.wio("root", "create", "minio", BUCKET, "--prefix", "private", "--type", "private", "--name", "onminio")
    ada.wio("create", "plates", "--root", "onminio")
    ada.wio("share", "plates/open", "ben")


class _Reader:
    """A process that reads when it is told to."""

    def __init__(
        self, endpoint: str, folder: str, *, server: S3Server | None = None, person: Person | None = None
    ) -> None:
        self.options: dict[str, object] = {}
        if server is not None:
            self.options = {"key": server.access_key, "secret": server.secret_key, "endpoint_url": endpoint}
        self._environment = {**os.environ, **(person.env() if person is not None else {})}
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "benchmarks.reading_tables", self._folder, json.dumps(self.options)]
        path = os.pathsep.join(["tests", "."])
        environment = {**self._environment, "PYTHONPATH": path}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        try:
            yield
        finally:
            self._process.communicate()

    def _told(self, word: str) -> tuple[float, float]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        wall, processor = json.loads(self._process.stdout.readline())
        return wall, processor

    def make(self) -> None:
        """The tables."""
        self._told("make")

    def read(self, path: str) -> tuple[float, float]:
        """Seconds, and seconds of the processor."""
        return self._told(path)


def _compared(title: str, path: str, shared: _Reader, whole: _Reader, rounds: int) -> Beside:
    times: dict[_Reader, list[tuple[float, float]]] = {shared: [], whole: []}
    for turn in range(rounds + 1):
        for reader in (shared, whole) if turn % 2 else (whole, shared):
            took = reader.read(path)
            if turn:
                times[reader].append(took)
    value, raw = (1000 * median(wall for wall, _ in times[reader]) for reader in (shared, whole))
    busy = [1000 * median(processor for _, processor in times[reader]) for reader in (shared, whole)]
    note = f"beside s3fs with all rights; of the processor {busy[0]:.0f} ms and {busy[1]:.0f} ms"
    return Beside(f"pandas.read_parquet, {title}", value, "ms", raw=raw, ratio=MOST, note=note)


def _importing(rounds: int) -> Beside:
    ours, theirs = ("from workspacesio import Client", "import obstore")
    times: dict[str, list[float]] = {ours: [], theirs: []}
    for _ in range(rounds + 1):
        for code, took in times.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            took.append(1000 * (time.perf_counter() - begin))
    value = median(times[ours][1:]) - median(times[theirs][1:])
    return Beside(f"`{ours}`, beyond `{theirs}`", value, "ms", limit=IMPORT_LIMIT_MS)


def _read_as_told(folder: str, options: dict[str, object]) -> None:
    """The process: a line in is a path, or `make`; a line out how long it took."""
    import fsspec
    import numpy
    import pandas

    for line in sys.stdin:
        word = line.strip()
        fs, path = fsspec.url_to_fs(folder, **options)
        fs.invalidate_cache(path)
        begin, busy = time.perf_counter(), time.process_time()
        if word == "make":
            made = numpy.random.default_rng(1)
            table = pandas.DataFrame({f"c{number}": made.random(ROWS) for number in range(4)})
            table["name"] = made.integers(0, 1000, ROWS).astype(str)
            table.to_parquet(f"{folder}/one.parquet", storage_options=options)
            table[:100].to_parquet(f"{folder}/small.parquet", storage_options=options)
            for number in range(FILES):
                part = table[number * ROWS // FILES : (number + 1) * ROWS // FILES]
                part.to_parquet(f"{folder}/many/{number:03}.parquet", storage_options=options)
        else:
            columns = [f"c{number}" for number in range(4)] if word == "many" else None
            assert len(pandas.read_parquet(f"{folder}/{word}", columns=columns, storage_options=options)) >= 100
        print(json.dumps([time.perf_counter() - begin, time.process_time() - busy]), flush=True)


if __name__ == "__main__":
    _read_as_told(sys.argv[1], json.loads(sys.argv[2]))
