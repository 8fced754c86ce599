"""What commands take that ask for keys."""

from __future__ import annotations

from workspacesio.cli.arguments import add_workspace

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs more to load than the rest of `wio token`
    import argparse
    from typing import Any


def add_request(parser: argparse.ArgumentParser) -> None:
    """Declare what keys are for, and how long."""
    add_workspace(
        parser, "workspaces", nargs="*", help="what it is narrowed to (default: all that you reach on the node)"
    )
    parser.add_argument("--node", metavar="NODE", help="the node, where you reach more than one")
    parser.add_argument("--read-only", action="store_true", help="only for reading")
    parser.add_argument("--duration", type=seconds, metavar="1h", help="how long it lives")
    parser.add_argument("--fresh", action="store_true", help="don't use a cached one")


def seconds(text: str) -> int:
    """The value of an option such as `1h`; raises argparse.ArgumentTypeError."""
    from workspacesio.cli import times

    return times.duration(text)


def request_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """As POST /credentials takes it."""
    return {
        "workspaces": arguments.workspaces,
        "node": arguments.node,
        "read_only": arguments.read_only,
        "duration_seconds": arguments.duration,
    }
