"""What commands on files take: references with paths, sizes, and how the answers are laid out."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_path
from workspacesio.client import sign_in
from workspacesio.client.errors import UsageError
from workspacesio.client.places import Item, Place, places
from workspacesio.client.references import READ, Located, Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}


def add_paths(parser: argparse.ArgumentParser, *, nargs: str | None, what: str) -> None:
    """References of the form WORKSPACE[/PATH], or one where `nargs` is None."""
    add_path(parser, "paths", metavar="WORKSPACE[/PATH]", nargs=nargs, help=what)


def opened(typed: Sequence[str]) -> list[Place]:
    """The places that were typed, for reading. Raises CommandError."""
    caller = sign_in.current()
    # What is shown of folders that are shared comes from the answer itself, so it must be of this moment.
    resolver = Resolver(caller, exists=lambda _: False, believes=False)
    return places(caller, [_located(resolver, text) for text in typed], read_only=True)


def _located(resolver: Resolver, text: str) -> Located:
    found = resolver.locate(text, READ)
    if found is None:
        raise UsageError(f"{text!r} is a local path; name a workspace, as in NAME/PATH or OWNER/NAME/PATH.")
    return found


def described(place: Place, item: Item) -> dict[str, Any]:
    """An item as JSON has it: `path` in the workspace, `reference` as any command takes it."""
    workspace = place.workspace
    return {
        "path": item.path,
        "kind": "folder" if item.is_folder else "object",
        "size": item.size,
        "modified": item.modified or None,
        "etag": item.etag.strip('"') or None,
        "reference": f"{workspace['owner']}/{workspace['name']}/{item.path}",
    }


def print_json_list(values: Iterable[dict[str, Any]]) -> None:
    """One JSON array, an item on each line, printed as they come."""
    first = True
    for value in values:
        line = " ".join(output.json_text(value).split("\n  ")).replace("\n}", " }")
        sys.stdout.write(("[\n" if first else ",\n") + line)
        first = False
    print("[]" if first else "\n]")


def row(item: Item, name: str) -> str:
    """Size, time and name of an item."""
    size = "-" if item.is_folder else output.size(item.size)
    return f"{size or '':>10}  {output.when(item.modified) or '':<16}  {output.safe(name)}"


def counted(items: Iterable[Item], total: list[int]) -> Iterator[Item]:
    """The same, counted: objects and bytes are added to `total`."""
    for item in items:
        if not item.is_folder:
            total[0] += 1
            total[1] += item.size or 0
        yield item


def bandwidth(text: str) -> int:
    """The value of --bandwidth, bytes a second; raises argparse.ArgumentTypeError.

    Other tools mean KiB by a number alone (rsync, rclone): whoever types so gets to know instead of waiting.
    """
    number = byte_count(text)
    if number < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is {number} bytes a second; write it like 10MB")
    return number


def byte_count(text: str) -> int:
    """The value of an option such as `10MB` or `1GiB`; raises argparse.ArgumentTypeError."""
    digits = text.rstrip("BKMGTPEikmgtpeb")
    unit = text[len(digits) :].upper().removesuffix("B")
    binary = unit.endswith("I")
    try:
        number = float(digits)
        factor = _UNITS[unit.removesuffix("I")]
    except (ValueError, KeyError):
        number = -1.0
        factor = 1
    if not 0 <= number < float(1 << 63):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it like 500kB, 10MB or 1GiB")
    if binary:
        factor = 1024 ** (["K", "M", "G", "T", "P"].index(unit[0]) + 1)
    return int(number * factor)
