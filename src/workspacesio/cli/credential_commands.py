"""Short-lived S3 keys for other programs: `wio token`, `presign`, `path` and `credential …`."""

from __future__ import annotations

import argparse

from workspacesio.cli.arguments import add_json, add_path, reference
from workspacesio.cli.credential_arguments import add_request, request_of, seconds
from workspacesio.client import credential_cache, sign_in
from workspacesio.client.credentials import aws_environment, credential

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs more to load than the rest of `wio token`
    from typing import Any


def token_arguments(parser: argparse.ArgumentParser) -> None:
    add_request(parser)
    parser.add_argument(
        "--format",
        choices=("env", "fish", "powershell", "json", "process"),
        default="env",
        help="lines for a shell's eval, for fish, for PowerShell's Invoke-Expression, JSON, or what "
        "credential_process in an AWS file reads (default: env)",
    )
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="as --format json")
    parser.add_argument("--server", metavar="https://HOST", help="which one, where you are signed in to several")


def token(arguments: argparse.Namespace) -> None:
    """`wio token`: prints a credential. JSON adds its expiry and what it covers."""
    caller = sign_in.at(arguments.server) if arguments.server else sign_in.current()
    # A list of everything reached is true only when it is asked for now; the keys themselves follow live rights.
    lists_all = arguments.format == "json" and not arguments.workspaces
    issued = credential(caller, request_of(arguments), fresh=arguments.fresh or lists_all)
    if arguments.format in _SHELLS:
        for name, value in aws_environment(issued).items():
            print(_SHELLS[arguments.format](name, value))
        return
    from workspacesio.cli.output import print_json

    if arguments.format == "process":
        print_json(
            {
                "Version": 1,
                "AccessKeyId": issued["access_key_id"],
                "SecretAccessKey": issued["secret_access_key"],
                "SessionToken": issued["session_token"],
                "Expiration": issued["expires_at"],
            }
        )
        return
    print_json(issued)


def presign_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "reference", type=reference, metavar="WORKSPACE/PATH", help="one object")
    parser.add_argument(
        "--expires", type=seconds, metavar="1h", help="how long it lives (default: 1h, or the service's longest)"
    )
    parser.add_argument(
        "--method", choices=("GET", "PUT"), default="GET", help="to read or to write (default: GET)"
    )


def presign(arguments: argparse.Namespace) -> None:
    """`wio presign`: prints the address alone."""
    from workspacesio.client.http_api import signed_in

    fields = {"reference": arguments.reference, "method": arguments.method, "expires_seconds": arguments.expires}
    print(signed_in().post("/presign", fields)["url"])


def path_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "reference", type=reference, metavar="WORKSPACE[/PATH]")


def path(arguments: argparse.Namespace) -> None:
    """`wio path`: prints the s3:// address alone; of a folder that is shared by itself, one that can be listed."""
    from workspacesio.client.http_api import signed_in
    from workspacesio.client.references import Located

    found = signed_in().get("/workspaces/resolve", reference=arguments.reference, purpose="read")
    print(f"s3://{Located(found['workspace'], '', found['path']).key()}")


def listing_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def listing(arguments: argparse.Namespace) -> None:
    """`wio credential ls`."""
    from workspacesio.cli import output
    from workspacesio.client.http_api import signed_in

    issued = signed_in().pages("/credentials", "id")
    if arguments.json:
        output.print_json(issued)
        return
    output.print_table(
        ["ID", "NODE", "FOR", "ISSUED", "EXPIRES"],
        [
            [
                str(one["id"]),
                one["node"],
                ", ".join(_name(workspace) for workspace in one.get("workspaces") or ["everything"])
                + (" (reading)" if one.get("read_only") else ""),
                output.when(one["issued_at"]),
                output.when(one["expires_at"]),
            ]
            for one in issued
        ],
        empty="There is no credential; `wio token` issues one.",
    )


def revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("credential", type=int, metavar="ID", help="as `wio credential ls` shows it")


def revoke(arguments: argparse.Namespace) -> None:
    """`wio credential revoke`; cached ones go with it, so that none that has ended is used again."""
    from workspacesio.cli.output import pending
    from workspacesio.client.http_api import signed_in

    answer = signed_in().delete(f"/credentials/{arguments.credential}")
    credential_cache.clear(sign_in.current().cache_key)
    if any(one.get("state") == "at_expiry" for one in (answer or {}).get("enforced") or []):
        print(f"The credential isn't listed any more.{pending(answer)}")
        return
    others = "" if (answer or {}).get("alone", True) else ", and all others of yours on that node with it"
    print(f"The credential has ended{others}.{pending(answer)}")


def _name(workspace: Any) -> str:
    return str(workspace["reference"]) if isinstance(workspace, dict) else str(workspace)


def _shell_quoted(value: str) -> str:
    safe = value.isascii() and value.replace("-", "").replace("_", "").replace(".", "").isalnum()
    return value if safe else "'" + value.replace("'", "'\"'\"'") + "'"


_SHELLS = {
    "env": lambda name, value: f"export {name}={_shell_quoted(value)}",
    # In single quotes fish knows two escapes, PowerShell one.
    "fish": lambda name, value: "set -gx {} '{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'")),
    "powershell": lambda name, value: "$env:{} = '{}'".format(name, value.replace("'", "''")),
}
