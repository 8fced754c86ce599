"""`wio node events`: how a MinIO server is brought to tell of changes, and whether it does."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json
from workspacesio.client.errors import UsageError
from workspacesio.client.http_api import segment, signed_in


def events_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NODE", help="a MinIO node")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="set the server up with the node's own key")
    what.add_argument(
        "--setting", action="store_true", help="print the line of the server's configuration; it holds a secret"
    )
    what.add_argument("--stop", action="store_true", help="hear no more, and take away what --apply set")
    parser.add_argument("--restart", action="store_true", help="with --apply: restart the server, as it needs")
    parser.add_argument("--renew", action="store_true", help="end the token that was given out before")
    parser.add_argument(
        "--address", metavar="URL", help="where the server reaches this service (default: its public name)"
    )
    parser.add_argument(
        "--queue-dir", metavar="PATH", help="a folder on the server for what it can't tell while we are away"
    )
    add_json(parser)


def events(arguments: argparse.Namespace) -> int:
    """`wio node events`: exit status 1 where --apply leaves something to be done."""
    writes = arguments.apply or arguments.setting
    if (arguments.renew and not writes) or (arguments.restart and not arguments.apply):
        raise UsageError("--renew is for --apply or --setting, and --restart for --apply.")
    client, path = signed_in(), f"/nodes/{segment(arguments.name)}/events"
    if arguments.stop:
        client.delete(path)
        print(f"The server of {output.safe(arguments.name)} is heard no more.")
        return 0
    if not writes:
        state = client.get(path)
        if arguments.json:
            output.print_json(state)
        else:
            _print_state(state)
            _print_commands(state, arguments.address, arguments.queue_dir)
        return 0
    fields = {
        "apply": arguments.apply or None,
        "restart": arguments.restart or None,
        "renew": arguments.renew or None,
        "address": arguments.address,
        "queue_dir": arguments.queue_dir,
    }
    made = client.post(path, fields)
    if arguments.setting:
        print(made["setting"])
        return 0
    if arguments.json:
        output.print_json({name: value for name, value in made.items() if name != "setting"})
    else:
        _print_state(made["state"])
    if made["restart_needed"]:
        again = f"wio node events {shlex.quote(arguments.name)} --apply"
        print(
            "wio: the server reads its new setting when it starts: restart it (`mc admin service restart`) and "
            f"then type `{again}`, or let `{again} --restart` do both.",
            file=sys.stderr,
        )
        return 1
    return 0


def _print_state(state: dict[str, Any]) -> None:
    name = output.safe(state["node"])
    heard = output.when(state.get("heard_at")) or "nothing yet"
    if state.get("problem"):
        print(f"Whether the server of {name} tells of changes isn't known: {output.safe(state['problem'])}")
        print(f"Last heard: {heard}.")
        return
    told = [output.safe(one["bucket"]) for one in state["buckets"] if one["told"]]
    silent = [output.safe(one["bucket"]) for one in state["buckets"] if not one["told"]]
    if not (state["known"] and state["live"] and told):
        print(f"The server of {name} doesn't tell of changes.")
    else:
        print(f"The server of {name} tells of changes in {', '.join(told)}; last heard: {heard}.")
        if silent:
            print(f"Not of those in {', '.join(silent)}.")


def _print_commands(state: dict[str, Any], address: str | None, queue_dir: str | None) -> None:
    """What is still to be done. The token goes from one program to the other, and stands in no command line."""
    silent = [output.safe(one["bucket"]) for one in state["buckets"] if not one["told"]]
    is_read = state["known"] and state["live"]
    if is_read and not silent:
        return
    wio = f"wio node events {shlex.quote(state['node'])}"
    given = {"--address": address, "--queue-dir": queue_dir}
    options = "".join(f" {name} {shlex.quote(value)}" for name, value in given.items() if value)
    print(f"\nWhere the node's key may administer the server, `{wio} --apply --restart{options}` sets it up.")
    print("By hand, where ALIAS is what mc calls the server:\n")
    if not is_read:
        print(
            f"  (mc admin config export ALIAS; {wio} --setting{options}) | mc admin config import ALIAS\n"
            "  mc admin service restart ALIAS"
        )
    for bucket in silent:
        print(f"  mc event add ALIAS/{bucket} {state['arn']} --event put,delete")
    if not queue_dir:
        print("\nWithout --queue-dir PATH, a folder on the server, changes are lost while this service is away.")
