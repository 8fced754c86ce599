"""Measures WorkspacesIO beside MinIO and versitygw: `python -m benchmarks.run [--only FIGURE] [--servers …]`.

All servers run at once on the same machine, each on the same keys and sizes. A round puts the load on one
after the other, in an order that changes from round to round; what is reported is the median of the rounds.
The whole page is written to docs/benchmarks.md; with --only or --servers its part is only printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmarks import load, report
from benchmarks.alone import ALONE, Reading
from benchmarks.beside import Beside
from benchmarks.crawling import crawling
from benchmarks.figures import FIGURES
from benchmarks.freshness import freshness
from benchmarks.issuing import issuing
from benchmarks.long_synchronisation import long_synchronisation
from benchmarks.measure import SERVERS, measure
from benchmarks.minio_rights import rights
from benchmarks.reading_tables import tables
from benchmarks.revoking import group_sharing, unsharing
from benchmarks.search import searching
from benchmarks.transferring import Sizes, transferring

ON_MINIO: dict[str, Callable[[str, int], list[Beside]]] = {
    "issuing": issuing,
    "shares": rights,
    "unshare": unsharing,
    "group": group_sharing,
    "freshness": freshness,
    "tables": tables,
}
"""What a MinIO node costs beside the server alone."""

BY_ITSELF: dict[str, Callable[[str], list[Reading]]] = {
    **ALONE,
    "crawling": crawling,
    "search": searching,
    "long": long_synchronisation,
}

TRANSFERS = "transfers"
"""What the client takes beside others; about twenty minutes, and 30 GB of the temporary folder."""


def main() -> int:
    """The command; returns its exit status."""
    names = [figure.name for figure in FIGURES] + list(BY_ITSELF) + list(ON_MINIO) + [TRANSFERS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=names, metavar="FIGURE", help=", ".join(names))
    parser.add_argument("--servers", default=",".join(SERVERS), help="names, by commas (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    servers = arguments.servers.split(",")
    if unknown := set(servers) - set(SERVERS):
        parser.error(f"there is no server named {', '.join(sorted(unknown))}")
    chosen = arguments.only or names
    figures = [figure for figure in FIGURES if figure.name in chosen]
    table = measure(figures, servers, arguments.rounds)
    loadgen = load.build()
    readings = [
        reading
        for name, read in BY_ITSELF.items()
        if name in chosen and "workspacesio" in servers
        for reading in read(loadgen)
    ]
    beside = [
        row
        for name, compare in ON_MINIO.items()
        if name in chosen and {"workspacesio", "minio"} <= set(servers)
        for row in compare(loadgen, arguments.rounds)
    ]
    races = transferring(Sizes()) if TRANSFERS in chosen and {"workspacesio", "minio"} <= set(servers) else []
    text = report.markdown(figures, table, readings, beside, arguments.rounds, races=races)
    if arguments.only or set(servers) != set(SERVERS):
        print(text)
    else:
        report.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
