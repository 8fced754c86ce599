"""`wio du`: bytes and objects of a workspace, or a folder in it, as the index has summed them up."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from workspacesio.cli import output, search_output
from workspacesio.cli.arguments import add_json, add_path, reference
from workspacesio.client.errors import CommandError
from workspacesio.client.http_api import signed_in

NO_SUM = ("not_indexed", "not_crawled", "settings_changed", "nothing_stored")
"""Where the index holds nothing for one of these reasons, 0 would be no answer."""

MAX_DEPTH = 20
"""Of the API."""


def du_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(
        parser, "place", type=reference, metavar="WORKSPACE[/PATH]", help="a workspace, a folder, or an object"
    )
    parser.add_argument(
        "--depth", type=_depth, default=0, metavar="N", help="folders below it too, so many levels (default: 0)"
    )
    add_json(parser)


def du(arguments: argparse.Namespace) -> None:
    """`wio du`: a look-up, however much lies there. Raises CommandError where nothing is known of it."""
    client = signed_in()
    meant = client.get("/workspaces/resolve", reference=arguments.place, purpose="read")
    path = f"/workspaces/{meant['workspace']['id']}/sizes"
    answer = client.get(path, path=meant["path"] or None, depth=arguments.depth or None)
    unknown = [one["message"] for one in answer["incomplete"] if one["code"] in NO_SUM]
    if unknown and not answer["objects"]:
        raise CommandError(
            f"{output.safe(unknown[0])} So there is no sum of {output.safe(arguments.place)}; `wio mc du "
            f"{output.safe(shlex.quote(arguments.place))}` counts what is stored now."
        )
    search_output.print_incomplete(answer)
    if arguments.json:
        output.print_json(answer)
        return
    # An object has no slash behind it.
    typed = arguments.place if answer["path"] and not answer["path"].endswith("/") else _whole(arguments.place)
    print(f"{'SIZE':>10}  {'OBJECTS':>12}  PATH")
    print(_row(answer, typed))
    for child in answer["children"]:
        print(_row(child, f"{typed}{child['path'].removeprefix(answer['path'])}"))
    if answer["partial"]:
        sys.stdout.flush()
        print("wio: these are the sums of what is shared with you; there may be more.", file=sys.stderr)


def _row(sizes: dict[str, Any], path: str) -> str:
    return f"{output.size(sizes['bytes']) or '':>10}  {sizes['objects']:>12,}  {output.safe(path)}"


def _whole(typed: str) -> str:
    """The reference as it was typed, with the final slash that a folder has."""
    return typed if typed.endswith("/") else f"{typed}/"


def _depth(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > MAX_DEPTH:
        raise argparse.ArgumentTypeError(f"{text!r} is no depth: write a number of levels, up to {MAX_DEPTH}")
    return int(text)
