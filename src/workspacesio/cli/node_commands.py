"""`wio node …`: the places where bytes are."""

from __future__ import annotations

import argparse
import os
from typing import Any

from workspacesio.cli import output, passwords
from workspacesio.cli.arguments import add_json
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.http_api import segment, signed_in


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
    create = f"wio root create {name} {bucket}"
    print(f"Next: `{create} --type unmanaged-private` and `wio root import` map what is there;")
    print(f"`{create} --prefix private --type private` lets users make workspaces in a folder.")


def add_minio_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the node's name")
    parser.add_argument(
        "--endpoint", required=True, metavar="URL", help="the server's address, as the service reaches it"
    )
    parser.add_argument(
        "--public-endpoint", metavar="URL", help="its address as everyone else reaches it (default: the same)"
    )
    parser.add_argument(
        "--access-key", required=True, metavar="KEY", help="of a user with administration rights; docs/minio.md"
    )
    parser.add_argument(
        "--plain", action="store_true", help="of a user without them: un-sharing takes up to an hour"
    )
    parser.add_argument("--region", metavar="R", help="(default: as the server says)")
    parser.add_argument("--read-only", action="store_true", help="nobody writes through WorkspacesIO's keys")
    passwords.secret_argument(parser, "the key's secret")
    add_json(parser)


def add_minio(arguments: argparse.Namespace) -> None:
    """`wio node add minio`: the secret is asked for without echo, or read from standard input."""
    client = signed_in()
    secret = passwords.read_secret(f"Secret of {arguments.access_key}", from_stdin=arguments.secret_stdin)
    fields = {
        "kind": "minio-plain" if arguments.plain else "minio",
        "name": arguments.name,
        "endpoint": arguments.endpoint,
        "public_endpoint": arguments.public_endpoint,
        "region": arguments.region,
        "access_key": arguments.access_key,
        "secret_key": secret,
        "read_only": arguments.read_only or None,
    }
    node = client.post("/nodes", fields)
    if arguments.json:
        output.print_json(node)
        return
    _print_added(node, f"the MinIO server at {output.safe(node['endpoint'])}")


def add_aws_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the node's name")
    parser.add_argument("--role-arn", required=True, metavar="ARN", help="the role whose sessions people get")
    parser.add_argument("--region", required=True, metavar="R", help="of the buckets, as in eu-central-1")
    parser.add_argument("--sts-endpoint", metavar="URL", help="(default: that of AWS in the region)")
    parser.add_argument("--s3-endpoint", metavar="URL", help="(default: that of AWS in the region)")
    parser.add_argument("--external-id", metavar="ID", help="what the role's trust policy asks for, if it does")
    parser.add_argument(
        "--access-key", required=True, metavar="KEY", help="of a user who may assume the role; docs/aws.md"
    )
    parser.add_argument(
        "--may-deny-sessions", action="store_true", help="end keys early by a policy of the role; docs/aws.md"
    )
    parser.add_argument("--read-only", action="store_true", help="nobody writes through WorkspacesIO's keys")
    passwords.secret_argument(parser, "the key's secret")
    add_json(parser)


def add_aws(arguments: argparse.Namespace) -> None:
    """`wio node add aws`: the secret is asked for without echo, or read from standard input."""
    client = signed_in()
    secret = passwords.read_secret(f"Secret of {arguments.access_key}", from_stdin=arguments.secret_stdin)
    fields = {
        "kind": "aws",
        "name": arguments.name,
        "role_arn": arguments.role_arn,
        "region": arguments.region,
        "sts_endpoint": arguments.sts_endpoint,
        "s3_endpoint": arguments.s3_endpoint,
        "external_id": arguments.external_id,
        "may_deny_sessions": arguments.may_deny_sessions or None,
        "access_key": arguments.access_key,
        "secret_key": secret,
        "read_only": arguments.read_only or None,
    }
    node = client.post("/nodes", fields)
    if arguments.json:
        output.print_json(node)
        return
    _print_added(node, f"S3 at {output.safe(node['endpoint'])}, by the role {output.safe(node['role_arn'])}")


def _print_added(node: dict[str, Any], what: str) -> None:
    name = output.safe(node["name"])
    print(f"The node {name} is {what}.")
    _print_problems(node)
    create = f"wio root create {name} BUCKET"
    print(f"Next: `{create} --type unmanaged-private` and `wio root import` map what is there;")
    print(f"`{create} --type private` lets users make workspaces in another bucket.")


def change_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NODE")
    parser.add_argument("--read-only", choices=("on", "off"), help="of a folder: refuse every write")
    parser.add_argument(
        "--serve-owner-only", choices=("on", "off"), help="of a folder: serve what only its owner may read, too"
    )
    parser.add_argument(
        "--cross-filesystems", choices=("on", "off"), help="of a folder: enter filesystems mounted inside"
    )
    parser.add_argument(
        "--public-endpoint",
        metavar="URL",
        help="of a server: its address as everyone else reaches it; the service's own takes it away",
    )
    parser.add_argument(
        "--access-key",
        metavar="KEY",
        help="of a server: another key, or the same with another secret, which is asked for",
    )
    passwords.secret_argument(parser, "the key's new secret")
    add_json(parser)


def change(arguments: argparse.Namespace) -> None:
    """`wio node set`: keys and addresses of a server are tried before they replace what was there."""
    wants_secret = arguments.secret_stdin or arguments.access_key is not None
    fields: dict[str, Any] = {
        "read_only": _on(arguments.read_only),
        "serve_owner_only": _on(arguments.serve_owner_only),
        "cross_filesystems": _on(arguments.cross_filesystems),
        "public_endpoint": arguments.public_endpoint,
    }
    if not wants_secret and all(value is None for value in fields.values()):
        raise UsageError("say what to change, such as --read-only on; `wio node set --help` lists it.")
    client = signed_in()
    secret = None
    if wants_secret:
        whose = arguments.access_key or "its access key"
        secret = passwords.read_secret(f"Secret of {whose}", from_stdin=arguments.secret_stdin)
    fields |= {"access_key": arguments.access_key, "secret_key": secret}
    node = client.patch(f"/nodes/{segment(arguments.name)}", fields)
    if arguments.json:
        output.print_json(node)
        return
    print(f"The node {output.safe(node['name'])} is changed.")
    _print_problems(node)


def _on(state: str | None) -> bool | None:
    return None if state is None else state == "on"


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio node ls`."""
    nodes = signed_in().get("/nodes")
    if arguments.json:
        output.print_json(nodes)
        return
    output.print_table(
        ["NODE", "KIND", "BUCKET", "WHERE", "STATE"],
        [
            [
                node["name"],
                node["kind"],
                _bucket(node),
                node.get("path") or node.get("endpoint"),
                node["state"]
                + (", read-only" if node.get("read_only") else "")
                + (f", {len(node['pending'])} pending" if node.get("pending") else ""),
            ]
            for node in nodes
        ],
        empty="You operate no node; `wio node add` adds one, where an administrator lets you.",
    )


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NODE")
    add_json(parser)


def show(arguments: argparse.Namespace) -> None:
    """`wio node show`: what it is, what is wrong with it, and whose rights aren't enforced there yet."""
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
            ("address", node.get("endpoint")),
            ("public address", node.get("public_endpoint")),
            ("version", node.get("version")),
            ("region", node.get("region")),
            ("access key", node.get("access_key")),
            ("role", node.get("role_arn")),
            ("STS address", node.get("sts_endpoint")),
            ("bucket", _bucket(node)),
            ("state", node["state"] + (f": {node['reason']}" if node.get("reason") else "")),
            ("read-only", "yes" if node.get("read_only") else None),
            ("serves owner-only", "yes" if node.get("serve_owner_only") else None),
            ("crosses filesystems", "yes" if node.get("cross_filesystems") else None),
            ("roots", ", ".join(roots) or None),
            ("can", _those(abilities, can=True)),
            ("can't", _those(abilities, can=False)),
        ]
    )
    _print_problems(node)
    for effect in node.get("pending") or []:
        problem = f": {_unstopped(effect['problem'])}" if effect.get("problem") else ""
        print(f"Pending: the rights of {output.safe(effect['subject'])} are not enforced there yet{problem}.")


def _bucket(node: dict[str, Any]) -> str | None:
    if node["kind"] != "folder":
        return None
    return node.get("bucket") or ("(each folder)" if node.get("layout") == "buckets" else None)


def _those(abilities: dict[str, bool], *, can: bool) -> str | None:
    return ", ".join(name.replace("_", " ") for name, does in sorted(abilities.items()) if does == can) or None


def _print_problems(node: dict[str, Any]) -> None:
    for problem in node.get("problems") or []:
        if problem != node.get("reason"):
            print(f"Problem: {_unstopped(problem)}.")
    for warning in node.get("warnings") or []:
        print(f"Note: {_unstopped(warning)}.")


def _unstopped(sentence: str) -> str:
    return output.safe(sentence).rstrip(".")


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NODE")
    parser.add_argument("--force", action="store_true", help="forget its workspaces and their shares, too")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask on a terminal")


def remove(arguments: argparse.Namespace) -> None:
    """`wio node rm`: the server refuses while there are workspaces on it, and says what is there."""
    name = output.safe(arguments.name)
    if not arguments.yes and not passwords.agreed(f"Stop serving {name}? What it stores stays."):
        raise CommandError("nothing was done.")
    removed = signed_in().delete(f"/nodes/{segment(arguments.name)}", force=arguments.force or None) or {}
    print(f"The node {name} is gone; what it stores is as it was.")
    if removed.get("left_on_server"):
        print(output.safe(removed["left_on_server"]))
