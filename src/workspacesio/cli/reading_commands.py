"""`wio cat` and `wio head`: what stands in objects, byte for byte."""

from __future__ import annotations

import argparse
import sys

from workspacesio.cli.file_arguments import add_paths, byte_count, opened
from workspacesio.client.errors import NotThere, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from workspacesio.client.places import Place

LINES = 10


def cat_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="objects")


def cat(arguments: argparse.Namespace) -> None:
    """`wio cat`: one after the other, to standard output."""
    for place in opened(arguments.paths):
        for piece in _pieces(place):
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def head_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="objects")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("-n", "--lines", type=_count, metavar="N", help=f"so many lines (default: {LINES})")
    length.add_argument("-c", "--bytes", type=byte_count, metavar="SIZE", help="so many bytes instead")


def head(arguments: argparse.Namespace) -> None:
    """`wio head`: no more is fetched than is printed, give or take a piece."""
    for place in opened(arguments.paths):
        if arguments.bytes is not None:
            for piece in _pieces(place, first=arguments.bytes):
                sys.stdout.buffer.write(piece)
        else:
            _lines(place, LINES if arguments.lines is None else arguments.lines)
    sys.stdout.buffer.flush()


def _lines(place: Place, left: int) -> None:
    if not left:
        return
    for piece in _pieces(place):
        end = 0
        while left and (end := piece.find(b"\n", end) + 1):
            left -= 1
        sys.stdout.buffer.write(piece if left else piece[:end])
        if not left:
            return


def _pieces(place: Place, *, first: int | None = None) -> Iterator[bytes]:
    """Raises UsageError for a folder, CommandError where there is no such object."""
    if not place.path or place.path.endswith("/"):
        raise _is_folder(place)
    try:
        yield from place.content(first=first)
    except NotThere as error:
        if place.is_folder():
            raise _is_folder(place) from error
        raise


def _is_folder(place: Place) -> UsageError:
    return UsageError(f"{place.name()!r} is a folder; name an object in it, as `wio ls` shows them.")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)
