"""`wio crawl …`: walks that make the index true again, of a whole root or of one workspace."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json, add_root, add_workspace
from workspacesio.cli.client import Client, segment, signed_in
from workspacesio.cli.crawl_progress import follow
from workspacesio.cli.errors import CommandError, UsageError

MAX_RATE = 10_000_000
"""As of the service, which is not imported here: commands start quickly."""


def start_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("--wait", action="store_true", help="show how far it is until it has ended")
    parser.add_argument(
        "--rate", type=rate, metavar="N", help="entries a second at most (default: what is set for the root)"
    )
    add_json(parser)


def start(arguments: argparse.Namespace) -> int:
    """`wio crawl start`: exit status 1 where it was waited for and failed."""
    asked = _asked(arguments)
    client = signed_in()
    crawl = client.post("/crawls", {**asked, "rate": arguments.rate})
    if arguments.wait:
        return _wait(client, crawl, as_json=arguments.json)
    if arguments.json:
        output.print_json(crawl)
        return 0
    waits = "waits for the worker" if crawl["state"] == "queued" else f"is {crawl['state']} already"
    print(f"Crawl {crawl['id']} of {place(crawl)} {waits}; {_status_command(crawl)} shows how far it is.")
    return 0


def status_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser, needed=False)
    parser.add_argument("--wait", action="store_true", help="follow the last one until it has ended")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="how many, newest first (default: %(default)s)"
    )
    add_json(parser)


def status(arguments: argparse.Namespace) -> int:
    """`wio crawl status`: of a root or a workspace, else of all that the caller may crawl."""
    asked = _asked(arguments)
    client = signed_in()
    crawls = client.pages("/crawls", "id", limit=arguments.limit, **asked)
    meant = _meant(crawls, asked)
    if arguments.wait and meant is not None:
        return _wait(client, meant, as_json=arguments.json)
    if arguments.json:
        output.print_json(crawls)
        return 0
    output.print_table(
        ["CRAWL", "OF", "STATE", "ENTRIES", "SIZE", "NEW", "CHANGED", "GONE", "WHEN", "BY", "LEFT"],
        [
            [
                crawl["id"],
                place(crawl),
                crawl["state"],
                crawl["entries"],
                output.size(crawl["bytes"]),
                crawl["new"],
                crawl["changed"],
                crawl["gone"],
                output.ago(crawl["ended_at"] or crawl["started_at"] or crawl["created_at"]),
                crawl["requested_by"] or crawl["reason"],
                _left(crawl),
            ]
            for crawl in crawls
        ],
        empty="There is no crawl that you may see; `wio crawl start WORKSPACE|--root ROOT` makes one.",
    )
    sys.stdout.flush()
    for crawl in crawls:
        if crawl["problem"]:
            print(f"wio: crawl {crawl['id']}: {output.safe(crawl['problem'])}", file=sys.stderr)
    if meant is not None:
        print_not_indexed(meant)
    return 0


def pause_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser)


def pause(arguments: argparse.Namespace) -> None:
    """`wio crawl pause`: it goes on from where it is."""
    asked = _asked(arguments)
    client = signed_in()
    crawl = _open_crawl(client, asked, ("queued", "running"), "nothing is crawling there")
    paused = client.post(f"/crawls/{crawl['id']}/pause")
    on = _status_command(paused).replace("status", "resume")
    print(f"Crawl {paused['id']} of {place(paused)} is paused; {on} goes on where it is.")


def resume_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser)


def resume(arguments: argparse.Namespace) -> None:
    """`wio crawl resume`."""
    asked = _asked(arguments)
    client = signed_in()
    crawl = _open_crawl(client, asked, ("paused",), "no crawl is paused there")
    resumed = client.post(f"/crawls/{crawl['id']}/resume")
    print(f"Crawl {resumed['id']} of {place(resumed)} goes on.")


def rate(text: str) -> int:
    """Entries a second, as typed; raises argparse.ArgumentTypeError."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no rate: write how many entries a second, from 1 to {MAX_RATE}"
        )
    return int(text)


def place(crawl: dict[str, Any]) -> str:
    """What a crawl is of, for people."""
    return output.safe(crawl["workspace"] or f"the root {crawl['root']}")


def print_not_indexed(crawl: dict[str, Any]) -> None:
    """What a crawl found and couldn't take in, by reason."""
    for reason, count in crawl["not_indexed"].items():
        print(f"Not indexed: {count:,} × {output.safe(reason)}", file=sys.stderr)


def _place(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    add_workspace(parser, nargs="?", help="one of your workspaces" if needed else "only crawls of it")
    add_root(parser, help="all workspaces of the root, for its managers")
    parser.set_defaults(needs_place=needed)


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """The root or the workspace, as the API takes them. Raises UsageError for both, or for neither of them."""
    if arguments.workspace and arguments.root:
        raise UsageError("name a workspace, or a root with --root, not both.")
    if arguments.root:
        return {"root": arguments.root}
    if arguments.workspace:
        return {"workspace": arguments.workspace}
    if arguments.needs_place:
        raise UsageError("name a workspace, or a root with --root ROOT.")
    return {}


def _open_crawl(client: Client, asked: dict[str, Any], states: tuple[str, ...], none: str) -> dict[str, Any]:
    crawls = client.pages("/crawls", "id", limit=50, **asked)
    crawl = _meant([one for one in crawls if one["state"] in states], asked)
    if crawl is not None:
        return crawl
    raise CommandError(f"{none}; `wio crawl status` shows what is.")


def _meant(crawls: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any] | None:
    """The newest; where a root is asked for, of the root's own before those of workspaces in it."""
    own = [one for one in crawls if "root" not in asked or one["workspace"] is None]
    return next(iter(own or crawls), None)


def _wait(client: Client, crawl: dict[str, Any], *, as_json: bool) -> int:
    try:
        ended = follow(lambda: _again(client, crawl), place(crawl))
    except KeyboardInterrupt:
        print(f"wio: the crawl goes on; {_status_command(crawl)} shows how far it is.", file=sys.stderr)
        raise
    if as_json:
        output.print_json(ended)
    else:
        print(summary(ended))
        print_not_indexed(ended)
    return 0 if ended["state"] == "done" else 1


def _again(client: Client, crawl: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/crawls/{segment(str(crawl['id']))}")
    return answer


def summary(crawl: dict[str, Any]) -> str:
    """How a crawl ended, in a sentence."""
    if crawl["state"] == "failed":
        return f"The crawl of {place(crawl)} failed: {output.safe(crawl['problem'])}"
    if crawl["state"] == "paused":
        return (
            f"The crawl of {place(crawl)} is paused; {_status_command(crawl).replace('status', 'resume')} goes on."
        )
    took = f" in {output.lasting(crawl['seconds'])}" if crawl["seconds"] >= 1 else ""
    return (
        f"The crawl of {place(crawl)} is done: {crawl['entries']:,} entries, "
        f"{output.size(crawl['bytes'])}{took}; {crawl['new']:,} new, {crawl['changed']:,} changed, "
        f"{crawl['gone']:,} gone."
    )


def _left(crawl: dict[str, Any]) -> str:
    if crawl["state"] != "running" or crawl["seconds_left"] is None:
        return ""
    return f"about {output.lasting(crawl['seconds_left'])}"


def _status_command(crawl: dict[str, Any]) -> str:
    import shlex

    of = crawl["workspace"] or f"--root {shlex.quote(crawl['root'])}"
    return f"`wio crawl status {output.safe(of)}`"
