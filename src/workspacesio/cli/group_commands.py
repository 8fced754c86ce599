"""`wio group …`: named sets of users that shares can name."""

from __future__ import annotations

import argparse
from typing import Any

from workspacesio.cli import output, passwords
from workspacesio.cli.arguments import add_json
from workspacesio.client.errors import CommandError
from workspacesio.client.http_api import segment, signed_in


def create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("group", metavar="GROUP", help="the group's name")
    add_json(parser)


def create(arguments: argparse.Namespace) -> None:
    """`wio group create`: whoever makes it is its first manager."""
    group = signed_in().post("/groups", {"name": arguments.group})
    if arguments.json:
        output.print_json(group)
        return
    name = output.safe(group["name"])
    print(f"The group {name} is there, and you manage it.")
    print(f"Next: `wio group add {name} USER` takes people in;")
    print(f"`wio share WORKSPACE @{name}` shares with all of them.")


def delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("group", metavar="GROUP")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask on a terminal")
    add_json(parser)


def delete(arguments: argparse.Namespace) -> None:
    """`wio group delete`: says how many shares went with it, and where that is enforced."""
    name = output.safe(arguments.group)
    if not arguments.yes and not passwords.agreed(f"Delete the group {name}, and every share that it was given?"):
        raise CommandError("nothing was done.")
    gone = signed_in().delete(f"/groups/{segment(arguments.group)}")
    if arguments.json:
        output.print_json(gone)
        return
    shares = f"{gone['shares']} share{'' if gone['shares'] == 1 else 's'}"
    print(f"The group {name} is gone, and {shares} with it.{output.enforcement(gone['enforced'])}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("group", metavar="GROUP")
    parser.add_argument("users", metavar="USER", nargs="+", help="usernames")
    role = parser.add_mutually_exclusive_group()
    role.add_argument("--manager", action="store_true", default=None, help="they run the group, too")
    role.add_argument(
        "--no-manager", action="store_false", dest="manager", default=None, help="they are managers no more"
    )
    add_json(parser)


def add(arguments: argparse.Namespace) -> None:
    """`wio group add`: one after the other; what was done before an error stays."""
    client = signed_in()
    answers = []
    for user in arguments.users:
        body = {"username": user, "manager": arguments.manager}
        answer = client.post(f"/groups/{segment(arguments.group)}/members", body)
        answers.append(answer)
        if not arguments.json:
            role = "a manager" if answer["manager"] else "a member"
            print(f"{_who(answer)} is {role} of {output.safe(arguments.group)}.{_enforced(answer)}")
    if arguments.json:
        output.print_json(answers)


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("group", metavar="GROUP")
    parser.add_argument("users", metavar="USER", nargs="+", help="usernames; your own to leave")
    add_json(parser)


def remove(arguments: argparse.Namespace) -> None:
    """`wio group remove`: one after the other; what was done before an error stays."""
    client = signed_in()
    answers = []
    for user in arguments.users:
        answer = client.delete(f"/groups/{segment(arguments.group)}/members/{segment(user)}")
        answers.append(answer)
        if not arguments.json:
            print(f"{_who(answer)} is no member of {output.safe(arguments.group)} any more.{_enforced(answer)}")
    if arguments.json:
        output.print_json(answers)


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio group ls`: administrators see every group."""
    groups = signed_in().pages("/groups", "name")
    if arguments.json:
        output.print_json(groups)
        return
    output.print_table(
        ["GROUP", "MEMBERS", "MANAGERS", "SINCE"],
        [
            [group["name"], group["members"], ", ".join(group["managers"]), output.when(group["created_at"])]
            for group in groups
        ],
        empty="You belong to no group; `wio group create GROUP` makes one.",
    )


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("group", metavar="GROUP")
    add_json(parser)


def show(arguments: argparse.Namespace) -> None:
    """`wio group show`: for its members and administrators."""
    client = signed_in()
    path = f"/groups/{segment(arguments.group)}"
    group = client.get(path)
    members = client.pages(f"{path}/members", "username")
    if arguments.json:
        output.print_json({**group, "members": members})
        return
    output.print_table(
        ["MEMBER", "ROLE"],
        [[member["username"], "manager" if member["manager"] else "member"] for member in members],
        empty="Nobody belongs to it; an administrator runs it.",
    )


def _who(answer: dict[str, Any]) -> str:
    return output.safe(answer["username"])


def _enforced(answer: dict[str, Any]) -> str:
    return output.enforcement(answer["enforced"])
