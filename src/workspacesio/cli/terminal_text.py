"""Text for a terminal: colours where they are wanted, and matches marked in names that others chose."""

from __future__ import annotations

import os
import sys

from workspacesio.cli import output
from workspacesio.client.operating_system import takes_escapes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

MATCH = "1;31"
DIM = "2"
BOLD = "1"


def coloured(stream: TextIO | None = None) -> bool:
    """Whether a stream takes colours: a terminal that isn't dumb, unless NO_COLOR (no-color.org) is set."""
    to = sys.stdout if stream is None else stream
    wanted = to.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ
    return wanted and takes_escapes(to)


def paint(code: str, text: str, *, colours: bool) -> str:
    """`text` in an SGR colour of ECMA-48, or as it is."""
    return f"\x1b[{code}m{text}\x1b[0m" if colours and text else text


def marked(text: str, ranges: Iterable[tuple[int, int]], *, colours: bool) -> str:
    """`text`, safe to show, with the characters of the ranges (begin, end) in colour.

    Ranges count the characters of `text` as it is, before control characters are spelled out.
    """
    parts = []
    position = 0
    for begin, end in sorted(ranges) if colours else ():
        if begin < position or end > len(text):
            continue
        parts += [output.safe(text[position:begin]), paint(MATCH, output.safe(text[begin:end]), colours=True)]
        position = end
    return "".join(parts) + output.safe(text[position:])
