"""`wio watch`: what happens to objects, as it happens."""

from __future__ import annotations

import argparse
import json

from workspacesio.cli import output
from workspacesio.cli.file_arguments import add_paths
from workspacesio.cli.watching import follow
from workspacesio.client import sign_in
from workspacesio.client.errors import UsageError
from workspacesio.client.references import READ, Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from workspacesio.client.references import Located

_HAPPENED = {"s3:ObjectCreated:": "written", "s3:ObjectRemoved:": "deleted"}


def watch_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs=None, what="where to look, and in all folders below")
    parser.add_argument("--json", action="store_true", help="print JSON, an event on each line")
    parser.epilog = (
        "It tells what goes through the service. What is changed in a folder by other means, `wio search` finds."
    )


def watch(arguments: argparse.Namespace) -> NoReturn:
    """`wio watch`: until interrupted; goes on where the connection broke off."""
    located = Resolver(sign_in.current(), exists=lambda _: False, believes=False).locate(arguments.paths, READ)
    if located is None:
        raise UsageError(f"{arguments.paths!r} is a local path; name a workspace, as in NAME/PATH.")
    workspace = located.workspace
    as_line = _as_json if arguments.json else _as_text
    within = f"{workspace['owner']}:{workspace['name']}/{located.path}"
    follow(within, lambda event: print(as_line(located, event), flush=True))


def _as_json(located: Located, event: dict[str, Any]) -> str:
    workspace = located.workspace
    reference = f"{workspace['owner']}/{workspace['name']}/{event['path']}"
    told = {"at": event["at"], "event": event["name"], "path": event["path"], "size": event.get("size")}
    return json.dumps({**told, "reference": reference})


def _as_text(located: Located, event: dict[str, Any]) -> str:
    happened = next((word for name, word in _HAPPENED.items() if event["name"].startswith(name)), event["name"])
    size = output.size(event.get("size")) if happened == "written" else ""
    name = output.safe(f"{located.typed}/{event['path']}")
    return f"{output.when(event['at'])}  {happened:<8}{size or '':>10}  {name}"
