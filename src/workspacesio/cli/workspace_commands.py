"""`wio ls` and `wio workspace …`: making, listing and changing workspaces."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from workspacesio.cli import output, passwords
from workspacesio.cli.arguments import add_json, add_workspace
from workspacesio.client import credential_cache, sign_in
from workspacesio.client.errors import CommandError, Refused, UsageError
from workspacesio.client.http_api import HttpApi, signed_in


def resolve(client: HttpApi, reference: str, *, purpose: str = "read") -> dict[str, Any]:
    """The workspace that a reference names, with nothing after it. Raises Refused, UsageError."""
    answer = client.get("/workspaces/resolve", reference=reference, purpose=purpose)
    if answer["path"].strip("/"):
        raise UsageError(
            f"{reference!r} names a path in {answer['workspace']['reference']}; name only the workspace."
        )
    found: dict[str, Any] = answer["workspace"]
    return found


def own_reference(workspace: dict[str, Any], username: str) -> str:
    """How the caller writes a workspace: `name` where it is their own, else `owner/name`."""
    return str(workspace["name"] if workspace["owner"] == username else workspace["reference"])


def reachable(arguments: argparse.Namespace) -> None:
    """`wio ls`: everything that the caller reaches, unless narrowed."""
    _list(arguments, arguments.scope or "all")


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    scope_arguments(parser)
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio workspace ls`: the caller's own, unless asked for others."""
    _list(arguments, arguments.scope or "mine")


def scope_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose workspaces are listed."""
    scope = parser.add_mutually_exclusive_group()
    scopes = (
        ("mine", "those that you own"),
        ("shared", "those shared with you"),
        ("public", "those that every user may read"),
        ("all", "everything that you can reach"),
    )
    for word, meaning in scopes:
        scope.add_argument(f"--{word}", dest="scope", action="store_const", const=word, help=meaning)


def _list(arguments: argparse.Namespace, scope: str) -> None:
    client = signed_in()
    found = client.pages("/workspaces", "reference", scope=scope)
    if arguments.json:
        output.print_json(found)
        return
    username = sign_in.current().username
    rows = [
        [
            own_reference(one, username) + "/",
            _rights(one),
            one["owner"],
            one.get("objects"),
            output.size(one.get("bytes")),
            one.get("root"),
        ]
        for one in found
    ]
    output.print_table(
        ["WORKSPACE", "RIGHTS", "OWNER", "OBJECTS", "SIZE", "ROOT"],
        rows,
        empty="There is no workspace yet; `wio create NAME` makes one."
        if scope != "shared"
        else "Nothing is shared.",
    )


def create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="its name")
    parser.add_argument("--public", action="store_true", help="every signed-in user may read it")
    parser.add_argument("--root", metavar="ROOT", help="where it is made (default: the root that fits)")
    add_json(parser)


def create(arguments: argparse.Namespace) -> None:
    """`wio workspace create`, `wio create`."""
    client = signed_in()
    made = client.post(
        "/workspaces", {"name": arguments.name, "public": arguments.public or None, "root": arguments.root}
    )
    _forget_cached()
    if arguments.json:
        output.print_json(made)
        return
    name = output.safe(made["name"])
    print(f"{name}/ is made, at s3://{output.safe(made['bucket'])}/{output.safe(made['prefix'])}")
    folder, typed = shlex.quote(f"{name}/"), shlex.quote(name)
    print(f"Next: `wio cp FILE {folder}` puts a file there, `wio share {typed} USER` shares it.")


def show_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser)
    add_json(parser)


def show(arguments: argparse.Namespace) -> None:
    """`wio workspace show`."""
    client = signed_in()
    workspace = resolve(client, arguments.workspace)
    access: list[dict[str, Any]] = []
    if workspace.get("level") in ("own", "owner"):
        access = client.get(f"/workspaces/{workspace['id']}/access")
    if arguments.json:
        output.print_json({**workspace, "access": access})
        return
    output.print_fields(
        [
            ("workspace", workspace["reference"]),
            ("address", f"s3://{workspace['bucket']}/{workspace['prefix']}"),
            ("node", workspace["node"]),
            ("root", f"{workspace['root']} ({workspace['root_type']})" if workspace["root"] else None),
            ("your rights", _rights(workspace)),
            ("objects", workspace.get("objects")),
            ("size", output.size(workspace.get("bytes"))),
            ("made", output.when(workspace.get("created_at"))),
            ("imported", "yes" if workspace.get("imported") else None),
        ]
    )
    if access:
        from workspacesio.cli.share_commands import print_access

        print()
        print_access(access)


def _rights(workspace: dict[str, Any]) -> str:
    """A level, the levels in folders, or `manages` for who sees a workspace and reads nothing in it."""
    in_folders = ", ".join(f"{one['level']} {one['folder']}" for one in workspace.get("folders") or [])
    return workspace.get("level") or in_folders or "manages"


def rename_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser)
    parser.add_argument("name", metavar="NAME", help="its new name")


def rename(arguments: argparse.Namespace) -> None:
    """`wio workspace rename`: the label changes, the prefix stays."""
    client = signed_in()
    workspace = resolve(client, arguments.workspace, purpose="write")
    renamed = client.patch(f"/workspaces/{workspace['id']}", {"name": arguments.name})
    _forget_cached()
    print(f"{output.safe(workspace['reference'])} is called {output.safe(renamed['reference'])} now.")


def hand_over_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser)
    parser.add_argument("user", metavar="USER", help="the new owner's username")
    _yes(parser)


def hand_over(arguments: argparse.Namespace) -> None:
    """`wio workspace hand-over`: the old owner keeps no right."""
    client = signed_in()
    workspace = resolve(client, arguments.workspace, purpose="write")
    what, to = output.safe(workspace["reference"]), output.safe(arguments.user)
    _ask(arguments, f"Make {to} the owner of {what}? Its owner until now keeps no right in it.")
    answer = client.post(f"/workspaces/{workspace['id']}/hand-over", {"to": arguments.user})
    _forget_cached()
    print(f"{what} belongs to {to} now.{output.pending(answer)}")


def release_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser)
    _yes(parser)


def release(arguments: argparse.Namespace) -> None:
    """`wio workspace release`: an imported workspace becomes a plain folder again; no file is touched."""
    client = signed_in()
    workspace = resolve(client, arguments.workspace, purpose="write")
    _ask(arguments, f"Let go of {output.safe(workspace['reference'])} and all its shares? Its files stay.")
    answer = client.post(f"/workspaces/{workspace['id']}/release")
    _forget_cached()
    what = output.safe(workspace["reference"])
    print(f"{what} is no workspace any more; its files are as they were.{output.pending(answer)}")


def delete_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser)
    parser.add_argument("--delete-objects", action="store_true", help="delete what it holds, too")
    _yes(parser)


def delete(arguments: argparse.Namespace) -> None:
    """`wio workspace delete`: one that holds objects goes only with the explicit word."""
    client = signed_in()
    workspace = resolve(client, arguments.workspace, purpose="write")
    name = output.safe(workspace["reference"])
    holds = " and all objects in it, for ever" if arguments.delete_objects else ""
    _ask(arguments, f"Delete {name}{holds}?")
    try:
        removed = client.delete(f"/workspaces/{workspace['id']}", delete_objects=arguments.delete_objects or None)
    except Refused as refused:
        if refused.code != "workspace_not_empty":
            raise
        raise CommandError(
            f"{name} still holds objects; add --delete-objects to delete them too, or empty it first."
        ) from refused
    _forget_cached()
    going_on = "" if removed.get("finished", True) else " Its objects are still being deleted."
    print(f"{name} is deleted.{going_on}{output.pending(removed)}")


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask on a terminal")


def _ask(arguments: argparse.Namespace, question: str) -> None:
    if not arguments.yes and not passwords.agreed(question):
        raise CommandError("nothing was done.")


def _forget_cached() -> None:
    """Names may mean something else now: what is cached under them goes."""
    credential_cache.clear(sign_in.current().cache_key)
