"""`wio api-key …`: long random keys with which scripts sign in as their user (WIO_TOKEN)."""

from __future__ import annotations

import argparse
import sys

from workspacesio.cli import output, times
from workspacesio.cli.arguments import add_json, complete_workspace
from workspacesio.client.errors import CommandError
from workspacesio.client.http_api import segment, signed_in


def create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what it is for")
    workspace = parser.add_argument(
        "--workspace",
        dest="workspaces",
        action="append",
        metavar="WORKSPACE",
        help="only this one; may be repeated",
    )
    workspace.completer = complete_workspace  # type: ignore[attr-defined]
    parser.add_argument("--read-only", action="store_true", help="only for reading")
    parser.add_argument("--expires", type=times.end, metavar="7d|2027-01-31", help="when it ends by itself")
    add_json(parser)


def create(arguments: argparse.Namespace) -> None:
    """`wio api-key create`: prints the key alone, so that a script can keep it; it is shown only once."""
    fields = {
        "name": arguments.name,
        "workspaces": arguments.workspaces,
        "read_only": arguments.read_only or None,
        "expires_at": arguments.expires,
    }
    made = signed_in().post("/api-keys", fields)
    if arguments.json:
        output.print_json(made)
        return
    print(made["token"])
    if sys.stdout.isatty():
        print("Keep it: it is not shown again. A script signs in with it as WIO_TOKEN.", file=sys.stderr)


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio api-key ls`."""
    keys = signed_in().pages("/api-keys", "id")
    if arguments.json:
        output.print_json(keys)
        return
    output.print_table(
        ["ID", "NAME", "FOR", "MADE", "EXPIRES"],
        [
            [
                str(key["id"]),
                key["name"],
                ", ".join(map(str, key.get("workspaces") or ["everything"]))
                + (" (reading)" if key.get("read_only") else ""),
                output.when(key.get("created_at")),
                output.when(key.get("expires_at")),
            ]
            for key in keys
        ],
        empty="There is no API key; `wio api-key create NAME` makes one.",
    )


def revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="NAME|ID", help="as `wio api-key ls` shows it")


def revoke(arguments: argparse.Namespace) -> None:
    """`wio api-key revoke`, by name where only one has it, else by id."""
    client = signed_in()
    keys = client.pages("/api-keys", "id")
    found = [key for key in keys if str(key["id"]) == arguments.key] or [
        key for key in keys if key["name"] == arguments.key
    ]
    if len(found) != 1:
        several = "several keys are" if found else "no key is"
        raise CommandError(f"{several} called {arguments.key!r}; `wio api-key ls` shows their ids.")
    answer = client.delete(f"/api-keys/{segment(str(found[0]['id']))}")
    print(f"The key {output.safe(found[0]['name'])} has ended.{output.pending(answer)}")
