"""The table of docs/benchmarks.md."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Iterator

from benchmarks.alone import Reading
from benchmarks.beside import Beside
from benchmarks.beside import in_the_way as what_is_in_the_way
from benchmarks.beside import table as beside_table
from benchmarks.figures import Figure
from benchmarks.measure import Measured, Table
from benchmarks.transferring import Race
from benchmarks.transferring import table as races_table
from servers.installed import installed

_PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "benchmarks.md")
_PEERS = ("minio", "versitygw")
_INTRODUCTION = """\
# Benchmarks

`make bench` wrote this page: {rounds} rounds on {day}, {machine}. Every server ran on this one machine
together with the load, each on the same keys and sizes, one under load at a time; numbers are medians of the
rounds. Read the ratios: the absolute numbers are those of a small machine that the load generator shares.
{versions}.

WorkspacesIO checks signature and live rights at every request. Its writes are measured with
`WIO_DURABILITY=process`, where an acknowledged write survives the end of the process, because that is what
the peers promise together: versitygw never syncs; MinIO syncs an object's data and metadata, but not the
folders that name it. `full`, WorkspacesIO's own default, survives a power failure and is shown beside. nginx
serves the same files without signatures or rights, with its own defaults: about what the machine gives.

"""


_ON_MINIO = """\
## A MinIO node beside its server alone

People use such a server directly; what WorkspacesIO adds is how they get their keys and what their rights cost
there. Keys: a request of the API with an API key, answered each time with keys that the server issues for it,
beside the server's AssumeRole, both over kept connections, in turns. Shares: requests with keys of a user with
many shares, beside the same with keys of one with a single share, in turns, over shares at all places of the
documents. Taking back: the request of the API until its answer, which says that the server has been told and
shows it; old keys are tried each time. Tables: `wio://` with a share of one folder, beside s3fs with all rights of
the bucket, in turns, each with the connections that it has open.

"""


_TRANSFERS = """\
## Transfers

`wio sync` and other clients with the same keys, against the endpoint on a folder and against MinIO, in turns, once
each: seconds until the command had ended, and the most memory that it held. `wio` is to be no slower than the best
of the others, and to stay under 300 MB. rclone runs with `--update --use-server-modtime`, and is slower without.

"""


def ratio(row: dict[str, Measured]) -> float | None:
    """WorkspacesIO against the better peer; None where one of the sides wasn't measured."""
    peers = [row[name].value for name in _PEERS if name in row]
    if "workspacesio" not in row or not peers:
        return None
    return row["workspacesio"].value / max(peers)


def _cell(row: dict[str, Measured], server: str) -> str:
    return f"{row[server].value:,.0f}" if server in row else "–"


def _summary(figures: list[Figure], table: Table) -> Iterator[str]:
    yield "| | unit | WorkspacesIO | MinIO | versitygw | nginx | to the better peer | goal | fully durable |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for figure in figures:
        row = table[figure.name]
        reached = ratio(row)
        verdict = "–" if reached is None else f"{reached:.2f}×"
        if reached is not None and reached < figure.goal:
            verdict += " (not reached)"
        cells = [_cell(row, server) for server in ("workspacesio", "minio", "versitygw", "nginx")]
        cells += [verdict, f"{figure.goal:g}×", _cell(row, "workspacesio-full")]
        yield f"| {figure.title} | {figure.unit} | {' | '.join(cells)} |"


def _in_the_way(figures: list[Figure], table: Table) -> Iterator[str]:
    for figure in figures:
        reached = ratio(table[figure.name])
        if reached is not None and reached < figure.goal and figure.in_the_way:
            yield f"- {figure.title}: {figure.in_the_way}."


def _details(figures: list[Figure], table: Table) -> Iterator[str]:
    yield "| | server | lowest–highest round | p50 ms | p99 ms | processor ms a request | largest process, MB |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for figure in figures:
        for server, measured in table[figure.name].items():
            p50 = sorted(result.p50_ms for result in measured.results)[len(measured.results) // 2]
            p99 = sorted(result.p99_ms for result in measured.results)[len(measured.results) // 2]
            cells = [f"{min(measured.values):,.0f}–{max(measured.values):,.0f}", f"{p50:.2f}", f"{p99:.2f}"]
            cells += [f"{measured.cpu_ms_per_request:.3f}", f"{measured.peak_memory / 1e6:,.0f}"]
            yield f"| {figure.name} | {server} | {' | '.join(cells)} |"


def _alone(readings: list[Reading]) -> Iterator[str]:
    yield "| | measured | to stay under |"
    yield "|---|---:|---:|"
    for reading in readings:
        limit = "" if reading.limit is None else f"{reading.limit:,.0f} {reading.unit}"
        missed = "" if reading.reached else " (not reached)"
        yield f"| {reading.title} | {reading.value:,.1f} {reading.unit}{missed} | {limit} |"


def markdown(
    figures: list[Figure],
    table: Table,
    readings: list[Reading],
    beside: list[Beside],
    rounds: int,
    *,
    races: list[Race] | None = None,
) -> str:
    """The whole page."""
    introduction = _INTRODUCTION.format(
        rounds=rounds,
        day=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        machine=_machine(),
        versions=_versions(),
    )
    parts = [introduction]
    if figures:
        parts += [*_summary(figures, table), ""]
        if missed := [*_in_the_way(figures, table)]:
            parts += ["What stands in the way of goals that are not reached:", "", *missed, ""]
    if readings:
        parts += ["## WorkspacesIO by itself", "", *_alone(readings), ""]
    if beside:
        parts += [_ON_MINIO, *beside_table(beside), ""]
        if found := [*what_is_in_the_way(beside)]:
            parts += ["What stands in the way of goals that are not reached:", "", *found, ""]
    if races:
        parts += [_TRANSFERS, *races_table(races), ""]
    if figures:
        parts += ["## Each server", "", *_details(figures, table)]
    return "\n".join(parts) + "\n"


def write(text: str) -> None:
    """Replaces docs/benchmarks.md."""
    with open(_PAGE, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"wrote {_PAGE}")


def _machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    name = model.group(1).strip() if model else platform.machine()
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({name}), {memory:.0f} GiB, {system}"


def _versions() -> str:
    found = []
    for name in _PEERS:
        printed = subprocess.run(
            [installed("go"), "version", "-m", installed(name)], capture_output=True, text=True, check=True
        ).stdout
        module = re.search(r"^\tmod\t\S+\t(\S+)", printed, re.MULTILINE)
        found.append(f"{name} {module.group(1) if module else '(unknown)'}")
    return ", ".join(found)
