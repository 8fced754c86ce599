"""`wio user …`: for administrators."""

from __future__ import annotations

import argparse
import csv
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.http_api import segment, signed_in


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio user ls`."""
    users = signed_in().pages("/users", "username")
    if arguments.json:
        output.print_json(users)
        return
    output.print_table(
        ["USERNAME", "EMAIL", "STATE", "ROLE", "SINCE"],
        [
            [
                user["username"],
                user["email"],
                "enabled" if user["enabled"] else "disabled",
                "administrator" if user["administrator"] else "user",
                output.when(user.get("created_at")),
            ]
            for user in users
        ],
        empty="There is no user yet.",
    )


def invite_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("emails", nargs="*", metavar="EMAIL", help="whom to invite")
    parser.add_argument(
        "--csv", metavar="FILE", help="a table with a column `email`, or addresses in the first column"
    )
    add_json(parser)


def invite(arguments: argparse.Namespace) -> None:
    """`wio user invite`: prints the command that each person types."""
    emails = arguments.emails + (read_emails(arguments.csv) if arguments.csv else [])
    if not emails:
        raise UsageError("say whom to invite: `wio user invite EMAIL`, or --csv FILE.")
    invitations = signed_in().post("/users/invitations", {"emails": emails})
    if arguments.json:
        output.print_json(invitations)
        return
    for invitation in invitations:
        print(f"Send to {output.safe(invitation['email'])}{_until(invitation)}:")
        print(f"  {output.safe(invitation['command'])}")


def read_emails(path: str) -> list[str]:
    """The addresses in a table of comma-separated values; raises CommandError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from error
    except (UnicodeError, csv.Error) as error:
        raise CommandError(f"{path} can't be read as a table: {error}.") from error
    if not rows:
        raise CommandError(f"{path} holds no address; give one a line.")
    headings = [cell.strip().lower() for cell in rows[0]]
    column = headings.index("email") if "email" in headings else 0
    if "@" not in rows[0][column]:
        rows = rows[1:]
    return [row[column].strip() for row in rows if len(row) > column and row[column].strip()]


def disable_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("username", metavar="USERNAME")


def disable(arguments: argparse.Namespace) -> None:
    """`wio user disable`."""
    answer = signed_in().post(f"/users/{segment(arguments.username)}/disable")
    pending = output.pending(answer)
    refused = "" if pending else "; every request of theirs is refused from now on"
    print(f"{output.safe(arguments.username)} is disabled{refused}.{pending}")


def enable_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("username", metavar="USERNAME")


def enable(arguments: argparse.Namespace) -> None:
    """`wio user enable`."""
    answer = signed_in().post(f"/users/{segment(arguments.username)}/enable")
    print(f"{output.safe(arguments.username)} may sign in again.{output.pending(answer)}")


def reset_password_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("username", metavar="USERNAME")
    add_json(parser)


def reset_password(arguments: argparse.Namespace) -> None:
    """`wio user reset-password`: prints the command that the user types."""
    answer = signed_in().post(f"/users/{segment(arguments.username)}/password-reset")
    if arguments.json:
        output.print_json(answer)
        return
    print(f"Send to {output.safe(arguments.username)}, to be used once{_until(answer)}:")
    print(f"  {output.safe(answer['command'])}")


def administrator_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("username", metavar="USERNAME")
    parser.add_argument("state", choices=("on", "off"))


def administrator(arguments: argparse.Namespace) -> None:
    """`wio user administrator USERNAME on|off`."""
    on = arguments.state == "on"
    signed_in().patch(f"/users/{segment(arguments.username)}", {"administrator": on})
    print(f"{output.safe(arguments.username)} is {'an administrator' if on else 'no administrator any more'}.")


def registration_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("state", nargs="?", choices=("open", "invitation", "closed"), help="(default: print it)")


def registration(arguments: argparse.Namespace) -> None:
    """`wio user registration`: who may make an account."""
    client = signed_in()
    if arguments.state:
        client.patch("/service", {"registration": arguments.state})
    print(client.get("/service")["registration"])


def _until(answer: dict[str, Any]) -> str:
    return f", until {output.when(answer['expires_at'])}" if answer.get("expires_at") else ""
