"""`wio node adders`: who may add servers as nodes, besides administrators."""

from __future__ import annotations

import argparse

from workspacesio.cli import output
from workspacesio.client.http_api import signed_in


def adders_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "who",
        nargs="?",
        metavar="everyone|USERS|nobody",
        help="usernames with commas between (default: print it)",
    )


def adders(arguments: argparse.Namespace) -> None:
    """Folders of the server's machine are added by administrators alone."""
    client = signed_in()
    if arguments.who is not None:
        names = [name.strip() for name in arguments.who.split(",") if name.strip()]
        who = arguments.who if arguments.who in ("everyone", "nobody") else names
        client.patch("/service", {"add_nodes": who})
    settings = client.get("/service/settings")
    print(output.safe(", ".join(settings["node_adders"]) if settings["node_adders"] else settings["add_nodes"]))
