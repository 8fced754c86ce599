"""`wio share`, `wio unshare`, `wio shares`: who may reach a workspace or a folder in it."""

from __future__ import annotations

import argparse
from typing import Any

from workspacesio.cli import output, times
from workspacesio.cli.arguments import add_json, add_workspace
from workspacesio.client.errors import CommandError, Refused
from workspacesio.client.http_api import HttpApi, signed_in

LEVELS = ("read", "readwrite", "own")


def share_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser, metavar="WORKSPACE[/FOLDER]", help="what to share")
    parser.add_argument("subject", metavar="USER|@GROUP|everyone", help="with whom")
    parser.add_argument("--permission", choices=LEVELS, default="read", help="what it gives (default: read)")
    parser.add_argument("--expires", type=times.end, metavar="30s|7d|2027-01-31", help="when it ends by itself")
    add_json(parser)


def share(arguments: argparse.Namespace) -> None:
    """`wio share`: says what to send to the other person."""
    client = signed_in()
    workspace, folder = _folder(client, arguments.workspace)
    fields = {
        "folder": folder or None,
        "subject": arguments.subject,
        "level": arguments.permission,
        "expires_at": arguments.expires,
    }
    try:
        answer = client.post(f"/workspaces/{workspace['id']}/shares", fields)
    except Refused as refused:
        if refused.code != "no_such_user":
            raise
        server = client.get("/service")["public_address"]
        raise CommandError(
            f"there is no user {arguments.subject!r}; they first type `wio register {server} EMAIL USERNAME`."
        ) from refused
    if arguments.json:
        output.print_json(answer)
        return
    what = output.safe(f"{workspace['reference']}/{folder}")
    # What was given may end earlier than asked: with the share of the caller that it rests on.
    until = f" until {output.when(answer['expires_at'])}" if answer.get("expires_at") else ""
    may = {"read": "read", "readwrite": "read and write", "own": "read, write and share on"}[arguments.permission]
    state = {"node": workspace["node"], "state": answer.get("enforced"), "at": answer.get("takes_effect_at")}
    print(f"{output.safe(arguments.subject)} may {may} {what}{until}.{output.enforcement([state])}")
    if answer.get("taken_back_within"):
        seconds = answer["taken_back_within"]
        longest = f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
        print(f"Taking this back takes effect up to {longest} later: nothing ends keys there before their time.")
    if answer.get("empty"):
        print(f"There is nothing at {what} yet that could be read; if you meant another folder, see `wio ls`.")
    sign_in_command = answer.get("sign_in_command") or f"wio login {client.server} EMAIL"
    print(f"Send them these two lines:\n  {output.safe(sign_in_command)}\n  wio ls {_quoted(what)}")


def unshare_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser, metavar="WORKSPACE[/FOLDER]", help="what was shared")
    parser.add_argument("subject", metavar="USER|@GROUP|everyone", help="with whom")
    add_json(parser)


def unshare(arguments: argparse.Namespace) -> None:
    """`wio unshare`: says whether it is enforced on every node yet."""
    client = signed_in()
    workspace, folder = _folder(client, arguments.workspace)
    answer = client.delete(
        f"/workspaces/{workspace['id']}/shares", folder=folder or None, subject=arguments.subject
    )
    if arguments.json:
        output.print_json(answer)
        return
    what = output.safe(f"{workspace['reference']}/{folder}")
    enforced = output.enforcement(answer.get("enforced"))
    print(f"{output.safe(arguments.subject)} has no share of {what} any more.{enforced}")


def shares_arguments(parser: argparse.ArgumentParser) -> None:
    add_workspace(parser)
    add_json(parser)


def shares(arguments: argparse.Namespace) -> None:
    """`wio shares`: who has access and through what; for whoever can't share the whole on, the shares they see."""
    client = signed_in()
    workspace, _ = _folder(client, arguments.workspace, purpose="read")
    given = client.pages(f"/workspaces/{workspace['id']}/shares", "id")
    given.sort(key=lambda share: share["folder"])
    access = None
    try:
        access = client.get(f"/workspaces/{workspace['id']}/access")
    except Refused as refused:
        if refused.status != 403 or not given:
            raise
    if arguments.json:
        output.print_json({"shares": given, "access": access})
        return
    print_access(access if access is not None else [{**share, "through": "share"} for share in given])


def print_access(access: list[dict[str, Any]]) -> None:
    """The table of who reaches a workspace."""
    output.print_table(
        ["WHO", "FOLDER", "RIGHTS", "THROUGH", "EXPIRES"],
        [
            [
                one.get("user") or one.get("subject"),
                one.get("folder") or "/",
                one["level"],
                one.get("through"),
                output.when(one.get("expires_at")),
            ]
            for one in access
        ],
        empty="Nobody but its owner reaches it.",
    )


def _folder(client: HttpApi, reference: str, *, purpose: str = "write") -> tuple[dict[str, Any], str]:
    answer = client.get("/workspaces/resolve", reference=reference, purpose=purpose)
    path = answer["path"].strip("/")
    return answer["workspace"], path + "/" if path else ""


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
