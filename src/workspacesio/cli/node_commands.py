"""`wio node …`: the places where bytes are."""

from __future__ import annotations

import argparse
import os

from workspacesio.cli import output, passwords
from workspacesio.cli.arguments import add_json
from workspacesio.cli.client import segment, signed_in
from workspacesio.cli.errors import CommandError


def add_folder_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the node's name")
    parser.add_argument("path", metavar="PATH", help="a folder of the server's machine")
    layout = parser.add_mutually_exclusive_group()
    layout.add_argument("--bucket", metavar="NAME", help="serve the folder as this one bucket")
    layout.add_argument("--buckets", action="store_true", help="serve each folder in it as a bucket")
    parser.add_argument("--read-only", action="store_true", help="refuse every write")
    parser.add_argument("--serve-owner-only", action="store_true", help="serve what only its owner may read, too")
    parser.add_argument("--cross-filesystems", action="store_true", help="enter filesystems mounted inside")
    add_json(parser)


def add_folder(arguments: argparse.Namespace) -> None:
    """`wio node add folder`."""
    fields = {
        "kind": "folder",
        "name": arguments.name,
        "path": os.path.abspath(arguments.path),
        "bucket": arguments.bucket,
        "layout": "buckets" if arguments.buckets else None,
        "read_only": arguments.read_only or None,
        "serve_owner_only": arguments.serve_owner_only or None,
        "cross_filesystems": arguments.cross_filesystems or None,
    }
    node = signed_in().post("/nodes", fields)
    if arguments.json:
        output.print_json(node)
        return
    name = output.safe(node["name"])
    print(f"The node {name} serves {output.safe(node['path'])}.")
    bucket = output.safe(node.get("bucket") or "BUCKET")
    print(f"Next: `wio root create {name} {bucket} --type private` lets users make workspaces in it,")
    print(f"`wio root create {name} {bucket} --type unmanaged-private` and `wio root import` map what is there.")


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio node ls`."""
    nodes = signed_in().get("/nodes")
    if arguments.json:
        output.print_json(nodes)
        return
    output.print_table(
        ["NODE", "KIND", "BUCKET", "PATH", "STATE"],
        [
            [
                node["name"],
                node["kind"],
                node.get("bucket") or ("(each folder)" if node.get("layout") == "buckets" else None),
                node.get("path"),
                node["state"] + (", read-only" if node.get("read_only") else ""),
            ]
            for node in nodes
        ],
        empty="You operate no node; an administrator adds one with `wio node add folder NAME PATH`.",
    )


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NODE")
    add_json(parser)


def show(arguments: argparse.Namespace) -> None:
    """`wio node show`."""
    node = signed_in().get(f"/nodes/{segment(arguments.name)}")
    if arguments.json:
        output.print_json(node)
        return
    roots = [root["name"] if isinstance(root, dict) else str(root) for root in node.get("roots") or []]
    abilities = node.get("abilities") or {}
    output.print_fields(
        [
            ("node", node["name"]),
            ("kind", node["kind"]),
            ("path", node.get("path")),
            ("bucket", node.get("bucket") or ("each folder" if node.get("layout") == "buckets" else None)),
            ("state", node["state"] + (f": {node['reason']}" if node.get("reason") else "")),
            ("read-only", "yes" if node.get("read_only") else None),
            ("roots", ", ".join(roots) or None),
            ("can", ", ".join(name.replace("_", " ") for name, can in sorted(abilities.items()) if can) or None),
        ]
    )


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NODE")
    parser.add_argument("--force", action="store_true", help="forget its workspaces and their shares, too")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask on a terminal")


def remove(arguments: argparse.Namespace) -> None:
    """`wio node rm`: the server refuses while there are workspaces on it, and says what is there."""
    if not arguments.yes and not passwords.agreed(f"Stop serving {output.safe(arguments.name)}? Its files stay."):
        raise CommandError("nothing was done.")
    signed_in().delete(f"/nodes/{segment(arguments.name)}", force=arguments.force or None)
    print(f"The node {output.safe(arguments.name)} is gone; its files are as they were.")
