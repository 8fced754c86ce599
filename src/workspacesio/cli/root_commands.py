"""`wio root …`: buckets and prefixes that the service manages. `wio root import` is in import_command."""

from __future__ import annotations

import argparse
from typing import Any

from workspacesio.cli import output, passwords, root_indexing
from workspacesio.cli.arguments import add_json
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.http_api import segment, signed_in

TYPES = ("public", "private", "unmanaged-public", "unmanaged-private")


def create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE")
    parser.add_argument("bucket", metavar="BUCKET")
    parser.add_argument(
        "--prefix", default="", metavar="P", help="only what lies under it (default: the whole bucket)"
    )
    parser.add_argument(
        "--type",
        choices=TYPES,
        required=True,
        help="public, private: users make workspaces in it; unmanaged-…: folders that are there are imported; "
        "…public: every user reads",
    )
    parser.add_argument("--name", metavar="NAME", help="(default: made from bucket and prefix)")
    _create_setting(parser)
    add_json(parser)


def create(arguments: argparse.Namespace) -> None:
    """`wio root create`."""
    fields = {
        "node": arguments.node,
        "bucket": arguments.bucket,
        "prefix": arguments.prefix,
        "type": arguments.type,
        "name": arguments.name,
        "create": _creators(arguments.create),
    }
    root = signed_in().post("/roots", fields)
    if arguments.json:
        output.print_json(root)
        return
    name = output.safe(root["name"])
    print(f"The root {name} is s3://{output.safe(root['bucket'])}/{output.safe(root['prefix'])} ({root['type']}).")
    if root["type"].startswith("unmanaged"):
        print(f"Next: `wio root import {name} --all --dry-run` shows what would become workspaces.")
    else:
        print(f"Next: `wio create NAME --root {name}` makes a workspace in it.")


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio root ls`."""
    roots = signed_in().get("/roots")
    if arguments.json:
        output.print_json(roots)
        return
    output.print_table(
        ["ROOT", "TYPE", "NODE", "ADDRESS", "WHO CREATES"],
        [
            [
                root["name"],
                root["type"],
                root["node"],
                f"s3://{root['bucket']}/{root['prefix']}",
                _who_creates(root),
            ]
            for root in roots
        ],
        empty="There is no root; `wio root create NODE BUCKET --type TYPE` makes one.",
    )


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ROOT")
    add_json(parser)


def show(arguments: argparse.Namespace) -> None:
    """`wio root show`."""
    root = signed_in().get(f"/roots/{segment(arguments.name)}")
    if arguments.json:
        output.print_json(root)
        return
    output.print_fields(
        [
            ("root", root["name"]),
            ("type", root["type"]),
            ("node", root["node"]),
            ("address", f"s3://{root['bucket']}/{root['prefix']}"),
            ("who creates", _who_creates(root)),
            ("managers", ", ".join(map(str, root.get("managers") or [])) or None),
            *root_indexing.fields(root["indexing"]),
        ]
    )


def change_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ROOT")
    _create_setting(parser)
    parser.add_argument("--managers", metavar="USERS", help="who manages it: usernames with commas between")
    parser.add_argument("--type", choices=TYPES, help="public or private; managed stays managed")
    root_indexing.add_options(parser)
    add_json(parser)


def change(arguments: argparse.Namespace) -> None:
    """`wio root set`."""
    options = ("create", "managers", "type", "index", "crawl_every", "rate", "exclude", "include")
    if all(getattr(arguments, one) is None for one in (*options, "cross_filesystems", "allow_bytes")):
        raise UsageError("say what to change, such as --create or --index; `wio root set --help` lists it.")
    client, path = signed_in(), f"/roots/{segment(arguments.name)}"
    fields = {
        "create": _creators(arguments.create),
        "managers": None if arguments.managers is None else _names(arguments.managers),
        "type": arguments.type,
        "indexing": root_indexing.wanted(arguments, lambda: _indexing(client.get(path))),
    }
    root = client.patch(path, fields)
    if arguments.json:
        output.print_json(root)
        return
    name = output.safe(root["name"])
    if any(fields[one] is not None for one in ("create", "managers", "type")):
        print(f"{name} is {root['type']}; workspaces are created by {_who_creates(root)}.")
    if fields["indexing"] is not None:
        print(f"{name} is indexed as follows; `wio crawl status --root {name}` shows what is made of it.")
        output.print_fields(root_indexing.fields(root["indexing"]))
        for one in root["notes"]:
            print(output.safe(one["message"]))


def _indexing(root: dict[str, Any]) -> dict[str, Any]:
    if root["indexing"] is None:
        raise CommandError("only managers of the root change what is indexed.")
    found: dict[str, Any] = root["indexing"]
    return found


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ROOT")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask on a terminal")


def remove(arguments: argparse.Namespace) -> None:
    """`wio root rm`: the server refuses while there are workspaces in it."""
    if not arguments.yes and not passwords.agreed(f"Stop managing {output.safe(arguments.name)}? Its files stay."):
        raise CommandError("nothing was done.")
    signed_in().delete(f"/roots/{segment(arguments.name)}")
    print(f"The root {output.safe(arguments.name)} is gone; its files are as they were.")


def _create_setting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--create",
        metavar="everyone|USERS|nobody",
        help="who may create workspaces: usernames with commas between",
    )


def _creators(text: str | None) -> str | list[str] | None:
    if text is None or text in ("everyone", "nobody"):
        return text
    return _names(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _who_creates(root: dict[str, Any]) -> str:
    if root["type"].startswith("unmanaged"):
        return "managers"
    created_by = root.get("create")
    if created_by == "users" or isinstance(created_by, list):
        names = created_by if isinstance(created_by, list) else root.get("creators") or []
        return output.safe(", ".join(map(str, names)))
    return str(created_by)
