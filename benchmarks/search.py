"""Measures the embedded index by itself: `python -m benchmarks.search [--entries N] [--folder DIR]`.

Entries with names that are all different lie in workspaces of a thousand. The caller sees one workspace in
twenty. Each figure is of 200 requests of one kind, with words, names and substrings that change from one to the
next, asked of the engine's reader as a server process asks. `make bench` runs it with 1,000,000 entries; with
10,000,000 it takes ten minutes and 1.7 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from random import Random
from statistics import median, quantiles

from benchmarks.alone import Reading
from benchmarks.memory import OwnMemory, forget_peak, peak_bytes
from servers.installed import cache_dir
from workspacesio.domain.search_query import (
    AllOf,
    Everything,
    Folders,
    NameMatches,
    PathMatches,
    Query,
    Words,
    Workspaces,
)
from workspacesio.index.engine import EngineReader, Entry, Facet, FacetRequest, SearchRequest, Sort
from workspacesio.index.tantivy_engine import TantivyEngine

ENTRIES = 1_000_000
_WORKSPACE = 1_000
_BATCH = 10_000
_COMMIT = 100_000
_REQUESTS = 200
_CALLERS = 60
_WORDS = """
report data sample image scan plate assay liver kidney brain cell culture sequence reads aligned sorted genome
human mouse patient study trial phase raw processed final draft summary table figure analysis model weights
config notes meeting invoice contract budget plan photo holiday camera sensor output input test train valid log
trace result mass spectrum protein peptide microscopy stain channel stack tile
""".split()  # noqa: SIM905
_EXTENSIONS = """
tif tif tif csv csv json txt txt pdf png jpg fastq.gz bam h5 nc parquet md py log xml docx zip
""".split()  # noqa: SIM905


def made_entries(count: int) -> Iterator[Entry]:
    """Folders of 10 to 200 files, 2 to 5 deep, in workspaces of 1,000, one after the other as crawled."""
    random = Random(1)
    number = folder = 0
    for workspace in range(1, count // _WORKSPACE + 1):
        folder += 1
        top = folder
        left = _WORKSPACE
        while left:
            parts, folders = [], [top]
            for _ in range(random.choice((1, 2, 2, 3, 3, 4))):
                parts.append(random.choice(_WORDS) + random.choice(("", f"_{random.randrange(100)}")))
                folder += 1
                folders.append(folder)
            files = min(left, random.choice((10, 50, 100, 200)))
            left -= files
            style, began = random.randrange(4), random.randrange(1_700_000_000)
            for _ in range(files):
                number += 1
                yield Entry(
                    id=number,
                    workspace_id=workspace,
                    folder_ids=tuple(folders),
                    path="/".join([*parts, _name(random, style, number)]),
                    size=int(random.lognormvariate(11, 3)),
                    modified=(began + random.randrange(1_000_000)) * 1_000_000 + random.randrange(1_000_000),
                    etag=f"{random.getrandbits(128):032x}",
                )


def _name(random: Random, style: int, number: int) -> str:
    one, two, extension = random.choice(_WORDS), random.choice(_WORDS), random.choice(_EXTENSIONS)
    match style:
        case 0:
            return f"IMG_{20_200_101 + random.randrange(60_000)}_{number:07}.{extension}"
        case 1:
            return f"{one}_{two}_{random.choice(_WORDS)}{number}.{extension}"
        case 2:
            return f"{one.title()}-{two}-{number:06x}.{extension}"
        case _:
            return f"{one} {two} ({number}).{extension}"


def fill(engine: TantivyEngine, count: int) -> list[Reading]:
    """The time is that of the engine alone: entries are made in advance, 10,000 at once."""
    forget_peak("self")
    with OwnMemory() as own:
        done, wall, processor = _put_all(engine, count)
    # What a merge had begun when the writer closed is removed by the next writer.
    engine.writer().close()
    return [
        Reading("index: entries written in a second, thousands", done / wall / 1000, "", None),
        Reading("index: processor for an entry", processor / done * 1e6, "µs", None),
        Reading("index: memory while written", own.peak_bytes / 1e6, "MB", 500),
        Reading(
            "index: memory while written, with the index files that it maps",
            peak_bytes("self")[1] / 1e6,
            "MB",
            None,
        ),
        Reading("index: bytes an entry, with its etag", engine.size_bytes() / done, "", 170),
    ]


def _put_all(engine: TantivyEngine, count: int) -> tuple[int, float, float]:
    """How many entries; seconds of the clock and of the processor, without the making of entries."""
    writer = engine.writer()
    entries = made_entries(count)
    wall = 0.0
    processor = 0.0
    done = 0
    while batch := list(islice(entries, _BATCH)):
        began, used = time.perf_counter(), time.process_time()
        writer.put(batch)
        done += len(batch)
        if done % _COMMIT == 0:
            writer.commit()
        wall += time.perf_counter() - began
        processor += time.process_time() - used
    began = time.perf_counter()
    writer.commit()
    wall += time.perf_counter() - began
    writer.close()
    return done, wall, processor


def ask(reader: EngineReader, count: int) -> list[Reading]:
    workspaces = count // _WORKSPACE
    random = Random(2)
    # A commit's totals and facets are looked for once: so that no answer is known, others ask each time.
    sights, shares = (
        cycle([of(frozenset(random.sample(range(1, among + 1), number))) for _ in range(_CALLERS)])
        for of, among, number in (
            (Workspaces, workspaces, max(1, workspaces // 20)),
            (Folders, count // 30, 5_000),
        )
    )
    asked = FacetRequest
    facets = [
        asked(Facet.EXTENSION),
        asked(Facet.TYPE),
        asked(Facet.WORKSPACE),
        asked(Facet.FOLDER),
        asked(Facet.YEAR),
    ]

    def search(
        make: Callable[[], Query], sort: Sort = Sort.RELEVANCE, seen: Iterator[Query] = sights
    ) -> Callable[[], object]:
        return lambda: reader.search(SearchRequest(AllOf((next(seen), make())), sort))

    def word() -> Query:
        return Words((random.choice(_WORDS),))

    def substring() -> Query:
        text = random.choice(_WORDS)
        begin = random.randrange(len(text) - 2)
        return NameMatches(random.choice((text[begin : begin + 4], str(random.randrange(1000, 99_999)))))

    kinds: list[tuple[str, Callable[[], object], float | None]] = [
        ("a word, 50 hits and exact totals", search(word), 10),
        ("a word, for 5,000 shares of folders", search(word, seen=shares), None),
        ("two words", search(lambda: AllOf((word(), word()))), None),
        ("everything in sight by time", search(Everything, Sort.MODIFIED), None),
        ("everything in sight by path", search(Everything, Sort.PATH), None),
        ("five facets of a word", lambda: reader.facets(AllOf((next(sights), word())), facets), 50),
        ("five facets of everything in sight", lambda: reader.facets(next(sights), facets), 50),
        ("substring of names", search(substring), 200),
        ("substring of all names, seeing all", search(substring, seen=cycle([Everything()])), 200),
        ("one character in names", search(lambda: NameMatches(random.choice("aeiq7_"))), 200),
        ("name:ab*.tif", search(lambda: NameMatches(f"{random.choice(_WORDS)}*.tif")), 200),
        ("name:ab*cd*", search(lambda: NameMatches(f"{random.choice(_WORDS)}*{random.choice(_WORDS)}*")), None),
        ("name:*ab?cd*", search(lambda: NameMatches(f"*{random.choice(_WORDS)}?{random.choice(_WORDS)}*")), None),
        ("path:**/ab*/**", search(lambda: PathMatches(f"**/{random.choice(_WORDS)}*/**")), None),
    ]
    readings = []
    for title, request, limit in kinds:
        middle, high = _timed(request)
        readings.append(Reading(f"search: {title}, median", middle, "ms", limit))
        readings.append(Reading(f"search: {title}, 99th percentile", high, "ms", 50 if limit == 10 else None))
    return readings


def _timed(request: Callable[[], object]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds; of fewer requests where they are slow."""
    request()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < _REQUESTS and (len(times) < 20 or time.perf_counter() - began < 10):
        start = time.perf_counter()
        request()
        times.append((time.perf_counter() - start) * 1000)
    return median(times), quantiles(times, n=100)[98]


def plocate(folder: Path, count: int) -> list[Reading]:
    """The same names in plocate's own index, for scale, with a process for each question.

    Nothing where it is missing; `scripts/install-test-servers` tries to get it.
    """
    unpacked = Path(cache_dir()) / "plocate" / "usr"
    places = f"{unpacked}/sbin:{unpacked}/bin:/usr/sbin:/usr/bin"
    build, find = shutil.which("plocate-build", path=places), shutil.which("plocate", path=places)
    if build is None or find is None:
        return []
    libraries = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, unpacked.glob("lib/*-linux-gnu")))}
    names, index = folder / "names.txt", folder / "plocate.db"
    with names.open("w") as file:
        file.writelines(f"/{entry.workspace_id}/{entry.path}\n" for entry in made_entries(count))
    subprocess.run([build, "--plaintext", str(names), str(index)], check=True, capture_output=True)
    names.unlink()
    random = Random(2)

    def asked(text: Callable[[], str]) -> float:
        command = [find, "-c", "-i", "-d", str(index)]
        middle, _ = _timed(
            lambda: subprocess.run([*command, text()], env=libraries, check=False, capture_output=True)
        )
        return middle

    word = asked(lambda: random.choice(_WORDS))
    rare = asked(lambda: str(random.randrange(10_000, 99_999)))
    return [
        Reading("plocate -c -i: the same paths, a word, median", word, "ms", None),
        Reading("plocate -c -i: the same paths, five digits, median", rare, "ms", None),
        Reading("plocate: bytes an entry, paths alone", index.stat().st_size / count, "", None),
    ]


def searching(loadgen: str, entries: int = ENTRIES, folder: Path | None = None) -> list[Reading]:
    """`folder`: where an index made before is used again, and is left."""
    del loadgen
    with tempfile.TemporaryDirectory(prefix="wio-bench-search-") as temporary:
        engine = TantivyEngine((folder or Path(temporary)) / "engine")
        readings = [] if engine.size_bytes() else fill(engine, entries)
        began = time.perf_counter()
        if (problem := engine.damaged()) is not None:
            raise SystemExit(f"{folder}: {problem}")
        readings.append(Reading("index: checked to the last byte", time.perf_counter() - began, "s", None))
        reader = engine.reader()
        readings += ask(reader, entries)
        reader.close()
        return [*readings, *plocate(Path(temporary), entries)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=ENTRIES, help="a thousand to a workspace (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where the index is made, or is used again (a temporary one)")
    arguments = parser.parse_args()
    print(f"{arguments.entries:,} entries, {os.cpu_count()} processors")
    for reading in searching("", arguments.entries, arguments.folder):
        limit = (
            ""
            if reading.limit is None
            else f"   (limit {reading.limit:g}{'' if reading.reached else ', NOT REACHED'})"
        )
        print(f"{reading.title:70} {reading.value:10.2f} {reading.unit}{limit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
