"""How long it takes until what was written is found by searching: `python -m benchmarks.freshness [--samples N]`.

From the acknowledgement of a PUT through the endpoint, of a PUT to a MinIO server that tells by its webhook,
and of a plain `cp` into a folder, to the answer of a search that holds it. A sample begins every 40 ms, whether
the one before has been found or not. Each search that looks for them is a request of the API.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.beside import Beside
from servers.finding import Places, percentile, places, seconds_until_found

WAYS = {
    "PUT through the endpoint": Places.put,
    "PUT to a MinIO server": Places.minio_put,
    "cp into a folder": Places.copy,
}
FILES = 20_000
SAMPLES = 200
EVERY_SECONDS = 0.04


def freshness(loadgen: str, rounds: int) -> list[Beside]:
    """Both percentiles of each way, with some files indexed before."""
    del loadgen, rounds
    return measured(FILES, SAMPLES)


def measured(files: int, samples: int) -> list[Beside]:
    rows = []
    with places(files) as place:
        for title, way in WAYS.items():
            seconds = seconds_until_found(place.search, way(place), samples, every=EVERY_SECONDS)
            note = f"{samples} times, {files:,} files beside"
            rows.append(Beside(f"{title} until found, median", 1000 * percentile(seconds, 0.5), "ms", note=note))
            slow = 1000 * percentile(seconds, 0.99)
            rows.append(Beside(f"{title} until found, 99th percentile", slow, "ms", limit=1000, note=note))
    return rows


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--files", type=int, default=FILES)
    arguments = parser.parse_args()
    rows = measured(arguments.files, arguments.samples)
    for row in rows:
        print(f"{row.title:<50} {row.value:>8,.0f} {row.unit}{'' if row.reached else '  (not reached)'}")
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
