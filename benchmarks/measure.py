"""Puts every load on every server, round by round."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks import dataset, load, peers, subject
from benchmarks.endpoint import Endpoint
from benchmarks.figures import Figure

SERVERS = ("workspacesio", "workspacesio-full", "minio", "versitygw", "nginx")


@dataclass
class Measured:
    """What one server did at one figure: a result a round, processor time of all, bytes of memory."""

    figure: Figure
    results: list[load.Result] = field(default_factory=list)
    cpu_seconds: float = 0
    peak_memory: int = 0

    @property
    def values(self) -> list[float]:
        """The figure's value in each round."""
        return [self.figure.value(result) for result in self.results]

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    @property
    def cpu_ms_per_request(self) -> float:
        """Processor time of the server for one request; the warm-up used processor time too."""
        wall = sum(result.seconds + self.figure.load.warmup for result in self.results)
        rate = median(result.requests_per_second for result in self.results)
        return 1000 * self.cpu_seconds / wall / rate


Table = dict[str, dict[str, Measured]]  # by figure, then by server


@contextmanager
def _start(name: str, figures: list[Figure], loadgen: str) -> Iterator[tuple[Endpoint, str]]:
    """Starts one server on the data that the figures need; yields its endpoint and its folder of buckets."""
    parts = list(dict.fromkeys(part for figure in figures for part in figure.parts))
    if name == "minio":
        with peers.start_minio(parts, loadgen) as started:
            yield started
    elif name == "versitygw":
        with peers.start_versitygw(parts, loadgen) as started:
            yield started
    elif name == "nginx":
        with peers.start_nginx(parts, loadgen) as started:
            yield started
    else:
        # The server of full durability only writes; two servers never share a folder.
        full = name == "workspacesio-full"
        data_dir = dataset.make_tree(os.path.join(dataset.bench_dir(), name), [] if full else parts)
        with subject.start_workspacesio(data_dir, durability="full" if full else "process") as endpoint:
            yield endpoint, data_dir


def _takes_part(server: str, figure: Figure) -> bool:
    if server == "nginx":
        return figure.nginx
    return server != "workspacesio-full" or figure.writes


def measure(figures: list[Figure], servers: list[str], rounds: int) -> Table:
    """Runs every figure against every server that takes part in it, round by round."""
    loadgen = load.build()
    table: Table = {}
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(_start(name, figures, loadgen))
            for name in servers
            if any(_takes_part(name, figure) for figure in figures)
        }
        for figure in figures:
            row = {name: Measured(figure) for name in started if _takes_part(name, figure)}
            table[figure.name] = row
            for endpoint, _ in started.values():
                endpoint.forget_peak_memory()
            for number in range(rounds):
                order = [*row][number % len(row) :] + [*row][: number % len(row)]
                for name in order:
                    _measure_once(started[name][0], loadgen, row[name], number)
            for name in row:
                dataset.remove_written(started[name][1])
            shown = ", ".join(f"{name} {measured.value:,.0f}" for name, measured in row.items())
            print(f"{figure.name}: {shown} {figure.unit}", flush=True)
    return table


def _measure_once(endpoint: Endpoint, loadgen: str, measured: Measured, number: int) -> None:
    """Round `number` of one server.

    What is written goes to a folder of the round's own and is removed after the last: ext4 is slow to give out
    inodes for minutes after many were freed, which would be measured instead of the server.
    """
    wanted = measured.figure.load
    if wanted.workload == "put":
        wanted = replace(wanted, keys=wanted.keys.replace(dataset.WRITTEN, f"{dataset.WRITTEN}{number}/"))
    before = endpoint.cpu_seconds()
    measured.results.append(load.run(loadgen, endpoint, wanted))
    measured.cpu_seconds += endpoint.cpu_seconds() - before
    measured.peak_memory = max(measured.peak_memory, endpoint.peak_memory())
