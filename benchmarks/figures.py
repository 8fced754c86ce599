"""What is measured, and what is to be reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import dataset
from benchmarks.load import Load, Result


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    `value` takes the number that counts from a result, more is better, in `unit`. `goal` is the ratio to
    reach against the better of MinIO and versitygw. `nginx` says whether nginx can do it too; `writes`,
    whether full durability is shown beside. `in_the_way` is printed where the goal is not reached: what was
    found to stand in its way.
    """

    name: str
    title: str
    load: Load
    parts: tuple[dataset.Part, ...]
    value: Callable[[Result], float]
    unit: str
    goal: float
    nginx: bool = False
    writes: bool = False
    in_the_way: str = ""


def _requests(result: Result) -> float:
    return result.requests_per_second


def _megabytes(result: Result) -> float:
    return result.bytes_per_second / 1e6


_MIB_64 = 64 << 20

FIGURES = (
    Figure(
        "get-1k",
        "GET 1 KiB, 16 connections",
        Load("get", dataset.SMALL.keys, dataset.SMALL.key_count, 16, size=1 << 10),
        (dataset.SMALL,),
        _requests,
        "requests/s",
        goal=2,
        nginx=True,
        in_the_way="what each of its steps costs stands below: with two cores that the load shares, the goal "
        "leaves less for all of them than signature and rights take in the interpreter",
    ),
    Figure(
        "get-64m",
        "GET 64 MiB, 4 connections",
        Load("get", dataset.LARGE.keys, dataset.LARGE.key_count, 4, size=_MIB_64),
        (dataset.LARGE,),
        _megabytes,
        "MB/s",
        goal=1,
        nginx=True,
        in_the_way="bodies are copied, once, so that every download is one whole version "
        "([decision 21](decisions/0021-long-bodies-are-copied-once.md)); versitygw sends them by reference",
    ),
    Figure(
        "put-1k",
        "PUT 1 KiB, 16 connections",
        Load("put", "put/small-%07d.bin", 10_000_000, 16, size=1 << 10),
        (),
        _requests,
        "requests/s",
        goal=1,
        writes=True,
        in_the_way="half of its processor time is the interpreter's, a third the kernel's (`perf record`)",
    ),
    Figure(
        "put-64m",
        "PUT 64 MiB, one at a time, body signed",
        Load("put", "put/large-%d.bin", 1_000, 1, size=_MIB_64, seconds=3),
        (),
        _megabytes,
        "MB/s",
        goal=1,
        writes=True,
    ),
    Figure(
        "put-64m-unsigned",
        "PUT 64 MiB, one at a time, UNSIGNED-PAYLOAD",
        Load("put", "put/large-%d.bin", 1_000, 1, size=_MIB_64, payload="unsigned", seconds=3),
        (),
        _megabytes,
        "MB/s",
        goal=1,
        writes=True,
    ),
    Figure(
        "list",
        "ListObjectsV2, pages of 1,000 out of 100,000 keys in 100 folders, 4 connections",
        Load("list", "nested/", dataset.NESTED.key_count, 4, seconds=8),
        (dataset.NESTED,),
        _requests,
        "pages/s",
        goal=2,
    ),
    Figure(
        "list-flat",
        "ListObjectsV2, pages of 1,000 out of 100,000 keys in one folder, 4 connections",
        Load("list", "flat/", dataset.FLAT.key_count, 4, seconds=8),
        (dataset.FLAT,),
        _requests,
        "pages/s",
        goal=2,
    ),
)
