"""Measures crawls by themselves: `python -m benchmarks.crawling [--files N] [--objects N] [--folder DIR]`.

A tree of empty files in folders of a thousand is crawled into an empty index (catalogue and tantivy, all told) and
then again, unchanged, beside `find -type f` with sizes, the same in Python, and `updatedb`. A bucket of a MinIO is
crawled beside obstore's bare listing and `mc ls -r`, in turns, in one run: each round into an empty index and then
again. What is told is the median of the rounds. `make bench` runs it with 200,000 files and 50,000 objects;
1,000,000 files take four minutes.

MinIO has to be warm, since what was just written is listed at half the speed. It sleeps for 50 or 250 ms where a
client is as quick as its own walk over the disk, once or twice in a listing (cmd/metacache-set.go), so that few
objects tell more of that than of who lists them.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.alone import Reading
from benchmarks.memory import forget_peak, peak_bytes
from index.crawl_world import BUCKET, CrawlWorld
from index.recorded import Installed, open_recorder, settle
from servers.minio import mc_path, minio
from servers.s3_server import S3Server
from workspacesio.domain.search_query import NameMatches
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.engine import EngineReader, SearchRequest
from workspacesio.index.tantivy_engine import TantivyEngine
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver

FILES = 200_000
OBJECTS = 50_000
ROUNDS = 3
SERVER_ROUNDS = 5
_WARMING = 3
_IN_FOLDER = 1_000
_KINDS = ("tif", "csv", "json", "txt", "pdf")


class _Clock:
    """What `recorded.settle` moves on by itself; here time passes."""

    now = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.now


class Crawled(CrawlWorld):
    """With the embedded engine behind the catalogue, as a service has it."""

    def open_recorder(self, catalogue: Catalogue) -> Any:
        installed = Installed(lambda: TantivyEngine(self.base / "engine"), kind="tantivy")
        self.ticks = _Clock()
        gc.freeze()  # as the worker does
        recorder, self.upkeep = open_recorder(catalogue, installed, self.ticks)
        settle(recorder, self.upkeep, self.ticks)
        return recorder

    def bytes_an_entry(self, entries: int) -> float:
        places = [*self.base.glob("catalogue.sqlite*"), *(self.base / "engine").rglob("*")]
        return sum(place.stat().st_size for place in places if place.is_file()) / entries


def make_tree(folder: Path, files: int) -> None:
    """Empty files with different names, three levels deep."""
    for number in range(0, files, _IN_FOLDER):
        below = folder / f"part-{number // 100_000:03}" / f"folder-{number // _IN_FOLDER:05}"
        below.mkdir(parents=True)
        for one in range(number, min(number + _IN_FOLDER, files)):
            os.close(os.open(below / f"sample_{one:07}.{_KINDS[one % 5]}", os.O_CREAT | os.O_WRONLY, 0o644))


def folder_readings(base: Path, files: int) -> list[Reading]:
    """Of one tree."""
    (base / "data").mkdir(parents=True)
    make_tree(base / "data", files)
    find = _seconds(lambda: _quiet(["find", str(base / "data"), "-type", "f", "-printf", "%s %T@ %p\\n"]))
    scan = _seconds(lambda: _scan(base / "data"))
    forget_peak("self")
    world = Crawled(base)
    workspace = world.add_workspace("")
    first = _crawl_seconds(world, files)
    again = median([_crawl_seconds(world, files) for _ in range(ROUNDS)])
    size = world.bytes_an_entry(files)
    memory = peak_bytes("self")[1] / 1e6
    if len(world.indexed(workspace)) != files:
        raise RuntimeError("the crawl did not find every file")
    world.close()
    each = 1e6 / files
    readings = [
        Reading(f"crawl of {files:,} files into an empty index, each", first * each, "µs", 25),
        Reading("crawl of the same tree unchanged, each", again * each, "µs", first * each / 3),
        Reading("largest memory of the crawling process", memory, "MB", 500),
        Reading("index after it, bytes an entry", size, "", 250),
        Reading("find -type f with sizes and times, each", find * each, "µs", None),
        Reading("os.scandir with stat, each", scan * each, "µs", None),
    ]
    if shutil.which("updatedb"):
        command = ["updatedb", "-U", str(base / "data"), "-o", str(base / "plocate.db"), "-l", "no"]
        readings.append(Reading("updatedb (plocate), each", _seconds(lambda: _quiet(command)) * each, "µs", None))
    return readings


def server_readings(base: Path, objects: int) -> list[Reading]:
    """Of one bucket; obstore, mc and crawls in turns, those of an empty index and those of an unchanged one."""
    base.mkdir(parents=True)
    with minio(str(base / "minio")) as server:
        _fill(server, objects)
        access = ServerAccess(server.endpoint, server.region, server.access_key, server.secret_key)
        bare, mc, first, again, found = [], [], [], [], []
        for _ in range(_WARMING):
            _bare_listing(server, objects)
        for number in range(SERVER_ROUNDS):
            folder = base / f"round-{number}"
            folder.mkdir()
            driver: StorageDriver = MinioDriver(Connection(access, AllowedAddresses()), "wio-bench-")
            world = Crawled(folder, driver=driver)
            world.add_workspace("ws/", objects=objects)
            first.append(_crawl_seconds(world, objects))
            mc.append(_seconds(lambda: _mc(server, "ls", "-r")))
            again.append(_crawl_seconds(world, objects))
            bare.append(_seconds(lambda: _bare_listing(server, objects)))
            found.append(_seconds(lambda: _mc(server, "find", "--name", "*-00012*")))
            world.close()
        search = _search_seconds(TantivyEngine(folder / "engine").reader())
    each = 1e6 / objects
    title = f"crawl of a MinIO with {objects:,} objects into an empty index, each"
    return [
        Reading(title, median(first) * each, "µs", None),
        Reading("the same again, each", median(again) * each, "µs", None),
        Reading("obstore's bare listing, each", median(bare) * each, "µs", None),
        Reading("mc ls -r, each", median(mc) * each, "µs", None),
        Reading(f"mc find --name '*-00012*' in these {objects:,} objects", median(found) * 1000, "ms", None),
        Reading("the same of the index, with 50 hits", search * 1000, "ms", median(found) * 1000),
        Reading("time of the crawl of what is unchanged over obstore's listing", _over(again, bare), "", 1 / 0.9),
        Reading("time of the crawl of what is unchanged over mc ls -r", _over(again, mc), "", 1),
        Reading("time of the crawl into an empty index over mc ls -r", _over(first, mc), "", 1),
    ]


def _over(mine: list[float], others: list[float]) -> float:
    return median(mine) / median(others)


def crawling(loadgen: str) -> list[Reading]:
    """For `make bench`: in a process of its own, whose memory is nobody else's."""
    del loadgen
    command = [sys.executable, "-m", "benchmarks.crawling", "--json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [Reading(*one) for one in told]


def _crawl_seconds(world: Crawled, expected: int) -> float:
    """Until readers find everything."""
    began = time.perf_counter()
    row = world.crawl()
    settle(world.recorder, world.upkeep, world.ticks)
    seconds = time.perf_counter() - began
    if row.entries != expected:
        raise RuntimeError(f"the crawl found {row.entries} of {expected} entries: {row.problem}")
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _quiet(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)


def _scan(folder: Path) -> int:
    waiting, found = [str(folder)], 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    found += entry.stat(follow_symlinks=False).st_size >= 0
    return found


def _fill(server: S3Server, objects: int) -> None:
    """By archives that MinIO unpacks, the quickest way."""
    from minio import Minio
    from minio.commonconfig import SnowballObject

    client = Minio(server.endpoint.removeprefix("http://"), server.access_key, server.secret_key, secure=False)
    client.make_bucket(BUCKET)

    def folder(first: int) -> None:
        place = f"ws/part-{first // 10_000}/folder-{first:07}"
        put = [
            SnowballObject(f"{place}/sample-{one:07}.tif", data=io.BytesIO(b"x"), length=1)
            for one in range(first, first + 500)
        ]
        client.upload_snowball_objects(BUCKET, put)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(folder, range(0, objects, 500)))


def _bare_listing(server: S3Server, objects: int) -> None:
    from obstore.store import S3Store

    store = S3Store(
        BUCKET,
        prefix="ws/",
        endpoint=server.endpoint,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        region=server.region,
        client_options={"allow_http": True},
    )
    found = sum(len(chunk) for chunk in store.list(chunk_size=1000))
    if found != objects:
        raise RuntimeError(f"obstore listed {found} of {objects} objects")


def _mc(server: S3Server, verb: str, *options: str) -> None:
    alias = server.endpoint.replace("://", f"://{server.access_key}:{server.secret_key}@")
    # Options of `find` stand behind the place, those of `ls` on either side.
    _quiet([mc_path(), verb, f"bench/{BUCKET}/ws/", *options], {**os.environ, "MC_HOST_bench": alias})


def _search_seconds(reader: EngineReader) -> float:
    """The median of many; of the index alone, as `mc find` is asked by who needs no rights."""
    request = SearchRequest(NameMatches("*-00012*"))
    took = median([_seconds(lambda: reader.search(request)) for _ in range(50)])
    reader.close()
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=FILES, help="0: no tree (%(default)s)")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="0: no MinIO (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where the tree is made and removed (a temporary folder)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="crawling-", dir=arguments.folder))
    try:
        readings = folder_readings(base / "folder", arguments.files) if arguments.files else []
        readings += server_readings(base / "server", arguments.objects) if arguments.objects else []
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if arguments.json:
        print(json.dumps([[one.title, one.value, one.unit, one.limit] for one in readings]))
        return 0
    for one in readings:
        limit = "" if one.limit is None else f"   (below {one.limit:.1f}: {'yes' if one.reached else 'NO'})"
        print(f"{one.title:<70}{one.value:>10.2f} {one.unit}{limit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
