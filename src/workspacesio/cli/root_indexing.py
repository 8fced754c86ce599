"""What `wio root set` and `wio root show` know of the index: levels, schedules, exclusions and limits."""

from __future__ import annotations

import argparse
from typing import Any

from workspacesio.cli import output, times
from workspacesio.cli.crawl_commands import rate
from workspacesio.client.errors import CommandError
from workspacesio.client.times import lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LEVELS = ("none", "names", "metadata", "content")
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "p": 1000**5}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `wio root set` that concern the index."""
    parser.add_argument(
        "--index",
        choices=LEVELS,
        help="what can be searched: nothing; paths, sizes and times; types, metadata and tags too; text, too",
    )
    parser.add_argument(
        "--crawl-every",
        type=_or("never", times.duration),
        metavar="DURATION|never",
        help="how long after the end of a crawl the next one begins, such as 1d",
    )
    parser.add_argument(
        "--rate",
        type=_or("none", rate),
        metavar="N|none",
        help="entries a second that crawls look at, at most",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        metavar="PATTERN",
        help="index no such path, such as *.tmp, cache/ or /raw/old (again for more)",
    )
    parser.add_argument("--include", action="append", metavar="PATTERN", help="take an exclusion back")
    parser.add_argument(
        "--cross-filesystems", choices=("on", "off"), help="of a folder: crawl filesystems mounted inside"
    )
    parser.add_argument(
        "--allow-bytes",
        type=_bytes,
        metavar="SIZE",
        help="how much content may be read of a server that charges for it, such as 50GB",
    )


def wanted(arguments: argparse.Namespace, current: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The change as the API takes it, or None. `current` fetches the settings of now, where they are added to."""
    change: dict[str, Any] = {}
    if arguments.index is not None:
        change["level"] = arguments.index
    if arguments.crawl_every is not None:
        change["crawl_every_seconds"] = None if arguments.crawl_every == "never" else arguments.crawl_every
    if arguments.rate is not None:
        change["rate"] = None if arguments.rate == "none" else arguments.rate
    if arguments.cross_filesystems is not None:
        change["cross_filesystems"] = arguments.cross_filesystems == "on"
    if arguments.allow_bytes is not None:
        change["content_allowed_bytes"] = arguments.allow_bytes
    if arguments.exclude or arguments.include:
        kept = _without(current()["exclusions"], arguments.include or ())
        change["exclusions"] = list(dict.fromkeys([*kept, *(arguments.exclude or ())]))
    return change or None


def fields(indexing: dict[str, Any] | None) -> Sequence[tuple[str, object]]:
    """What `wio root show` prints of it; nothing for whoever doesn't manage the root."""
    if indexing is None:
        return []
    every = indexing["crawl_every_seconds"]
    allowed, read = indexing["content_allowed_bytes"], indexing["content_read_bytes"]
    return [
        ("indexed", indexing["level"]),
        ("crawled", f"every {lasting(every)}" if every else "when asked for"),
        ("rate", f"{indexing['rate']:,} entries a second at most" if indexing["rate"] else None),
        ("not indexed", ", ".join(indexing["exclusions"]) or None),
        ("crosses filesystems", "yes" if indexing["cross_filesystems"] else None),
        (
            "content read",
            f"{output.size(read)} of {output.size(allowed)} allowed" if allowed is not None else None,
        ),
    ]


def _without(excluded: Sequence[str], included: Sequence[str]) -> list[str]:
    """Raises CommandError for what isn't excluded so: another pattern may be what leaves it out."""
    unknown = [one for one in included if one not in excluded]
    if unknown:
        listed = ", ".join(repr(output.safe(one)) for one in excluded)
        there = f"excluded are {listed}" if listed else "nothing is"
        raise CommandError(f"{output.safe(unknown[0])!r} is not excluded there; {there}.")
    return [one for one in excluded if one not in included]


def _or(word: str, convert: Callable[[str], int]) -> Callable[[str], int | str]:
    return lambda text: word if text == word else convert(text)


def _bytes(text: str) -> int:
    """`50GB` as bytes; units are powers of 1000. Raises argparse.ArgumentTypeError."""
    number = text.lower().removesuffix("b")
    unit = number[-1:] if number[-1:].isalpha() else ""
    digits = number.removesuffix(unit)
    if unit not in _UNITS or not digits.isascii() or not digits.isdecimal() or len(digits) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it like 500MB or 50GB")
    return int(digits) * _UNITS[unit]
