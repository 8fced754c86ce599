"""`wio crawl …`: walks that make the index true again, of a whole root or of one workspace."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json, add_root, add_workspace, how_many
from workspacesio.cli.crawl_progress import follow
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.http_api import HttpApi, segment, signed_in
from workspacesio.client.times import lasting

_STATES = {
    "queued": "waits for the worker",
    "running": "is running",
    "paused": "is paused",
}

_WHY = {
    "import": "an import",
    "create": "a new workspace",
    "settings": "changed settings",
    "schedule": "the schedule",
    "unheard": "missed changes",
}
"""Who wants a crawl that nobody asked for."""

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
    print(f"Crawl {crawl['id']} of {place(crawl)} {_begins(client, crawl, asked)}; {_shows(crawl)}.")
    return 0


def _begins(client: HttpApi, crawl: dict[str, Any], asked: dict[str, Any]) -> str:
    """What becomes of a crawl that was asked for: it may have been paused, or wait for one that runs."""
    if crawl["started_at"]:
        return "goes on where it was"
    running = [one["id"] for one in client.get("/crawls", limit=20, **asked) if one["state"] == "running"]
    return f"waits until crawl {running[0]} has ended" if running else _STATES.get(crawl["state"], crawl["state"])


def status_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser, needed=False)
    parser.add_argument("--wait", action="store_true", help="follow the last one until it has ended")
    parser.add_argument(
        "--limit", type=how_many, default=20, metavar="N", help="how many, newest first (default: %(default)s)"
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
        ["CRAWL", "OF", "STATE", "ENTRIES", "SIZE", "NEW", "CHANGED", "GONE", "WHEN", "WANTED BY", "TIME LEFT"],
        [
            [
                crawl["id"],
                place(crawl),
                crawl["state"],
                output.number(crawl["entries"]),
                output.size(crawl["bytes"]),
                output.number(crawl["new"]),
                output.number(crawl["changed"]),
                output.number(crawl["gone"]),
                output.ago(crawl["ended_at"] or crawl["started_at"] or crawl["created_at"]),
                crawl["requested_by"] or _WHY.get(crawl["reason"], crawl["reason"]),
                _left(crawl),
            ]
            for crawl in crawls
        ],
        empty=f"There is no crawl that you may see; {_makes_one(asked)}.",
    )
    sys.stdout.flush()
    for crawl in crawls:
        if crawl["problem"]:
            print(f"wio: crawl {crawl['id']}: {output.safe(crawl['problem'])}", file=sys.stderr)
    if meant is not None:
        print_not_indexed(meant, f"Crawl {meant['id']}: ")
    return 0


def pause_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser)


def pause(arguments: argparse.Namespace) -> None:
    """`wio crawl pause`: it goes on from where it is."""
    asked = _asked(arguments)
    client = signed_in()
    crawls, already = _open_crawls(client, asked, ("queued", "running"), ("paused",), "nothing is crawling there")
    if already:
        crawl = crawls[0]
        print(f"Crawl {crawl['id']} of {place(crawl)} is paused already; {_resumes(crawl)} where it is.")
        return
    for crawl in crawls:
        paused = client.post(f"/crawls/{crawl['id']}/pause")
        print(f"Crawl {paused['id']} of {place(paused)} is paused; {_resumes(paused)} where it is.")


def resume_arguments(parser: argparse.ArgumentParser) -> None:
    _place(parser)


def resume(arguments: argparse.Namespace) -> None:
    """`wio crawl resume`."""
    asked = _asked(arguments)
    client = signed_in()
    crawls, already = _open_crawls(client, asked, ("paused",), ("running", "queued"), "no crawl is paused there")
    if already:
        crawl = crawls[0]
        print(f"Crawl {crawl['id']} of {place(crawl)} {_STATES[crawl['state']]} already; {_shows(crawl)}.")
        return
    for crawl in reversed(crawls):
        resumed = client.post(f"/crawls/{crawl['id']}/resume")
        print(f"Crawl {resumed['id']} of {place(resumed)} goes on; {_shows(resumed)}.")


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


def print_not_indexed(crawl: dict[str, Any], which: str = "") -> None:
    """What a crawl found and couldn't take in, by reason."""
    for reason, count in crawl["not_indexed"].items():
        print(f"{which}Not indexed: {count:,} × {output.safe(reason)}", file=sys.stderr)
    for reason, count in crawl["kept"].items():
        print(f"{which}Found as before: {count:,} × {output.safe(reason)}", file=sys.stderr)
    if crawl["kept"]:
        print(
            "wio: let the service read what it can't, or leave it out with "
            f"`wio root set {output.safe(crawl['root'])} --exclude PATTERN`.",
            file=sys.stderr,
        )


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


def _open_crawls(
    client: HttpApi, asked: dict[str, Any], states: tuple[str, ...], reached: tuple[str, ...], none: str
) -> tuple[list[dict[str, Any]], bool]:
    """The crawls in one of the states, or else those that were brought where they are to go already, and whether
    they were; the newest first. Of a place one may run and others wait.

    Raises CommandError, which says how the last one ended. Those of one workspace are not those of its root.
    """
    crawls = client.pages("/crawls", "id", limit=50, **asked)
    whole = _whole(crawls, asked)
    for wanted in (states, reached):
        found = [one for one in whole if one["state"] in wanted]
        if found:
            return found, wanted is reached
    if (inside := next((one for one in crawls if one["state"] in states), None)) is not None:
        raise CommandError(f"{none} as a whole; crawl {inside['id']} is of {place(inside)}: name that workspace.")
    last = next(iter(whole), None)
    if last is None:
        raise CommandError(f"{none}, nor was anything before; `wio crawl start {_typed(asked)}` begins a crawl.")
    how = "failed" if last["state"] == "failed" else "was done"
    ended = f"crawl {last['id']} {how} {output.ago(last['ended_at'])}"
    raise CommandError(f"{none}: {ended}; `wio crawl start {_typed(asked)}` begins another.")


def _typed(asked: dict[str, Any]) -> str:
    """The place as it is typed."""
    import shlex

    if "root" in asked:
        return f"--root {shlex.quote(output.safe(asked['root']))}"
    return shlex.quote(output.safe(asked["workspace"])) if asked else "WORKSPACE|--root ROOT"


def _makes_one(asked: dict[str, Any]) -> str:
    """Who asks about a place may only read there."""
    start = f"`wio crawl start {_typed(asked)}`"
    return f"its owners and managers make one with {start}" if asked else f"{start} makes one"


def _meant(crawls: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any] | None:
    """The newest; where a root is asked for, the root's own, or else that of a workspace in it."""
    return next(iter(_whole(crawls, asked) or crawls), None)


def _whole(crawls: list[dict[str, Any]], asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in crawls if "root" not in asked or one["workspace"] is None]


def _wait(client: HttpApi, crawl: dict[str, Any], *, as_json: bool) -> int:
    try:
        ended = follow(lambda: _again(client, crawl), place(crawl))
    except KeyboardInterrupt:
        print(f"wio: the crawl goes on; {_shows(crawl)}.", file=sys.stderr)
        raise
    if as_json:
        output.print_json(ended)
    else:
        print(summary(ended))
        print_not_indexed(ended)
    return 0 if ended["state"] == "done" else 1


def _again(client: HttpApi, crawl: dict[str, Any]) -> dict[str, Any]:
    """As it is now; `ahead` is the id of the one that goes first, as far as the caller sees it."""
    answer: dict[str, Any] = client.get(f"/crawls/{segment(str(crawl['id']))}")
    if answer["state"] == "queued":
        running = [one for one in client.get("/crawls", limit=50) if one["state"] == "running"]
        # One whose storage doesn't answer holds up nothing but its root.
        ahead = [one["id"] for one in running if not one["problem"] or one["root"] == crawl["root"]]
        answer["ahead"] = next(iter(ahead), None)
    return answer


def summary(crawl: dict[str, Any]) -> str:
    """How a crawl ended, in a sentence."""
    if crawl["state"] == "failed":
        return f"The crawl of {place(crawl)} failed: {output.safe(crawl['problem'])}"
    if crawl["state"] == "paused":
        return f"The crawl of {place(crawl)} is paused; {_resumes(crawl)}."
    took = f" in {lasting(crawl['seconds'])}" if crawl["seconds"] >= 1 else ""
    return (
        f"The crawl of {place(crawl)} is done: {crawl['entries']:,} entries, "
        f"{output.size(crawl['bytes'])}{took}; {crawl['new']:,} new, {crawl['changed']:,} changed, "
        f"{crawl['gone']:,} gone."
    )


def _left(crawl: dict[str, Any]) -> str:
    if crawl["state"] != "running" or crawl["seconds_left"] is None:
        return ""
    return f"about {lasting(crawl['seconds_left'])}"


def _shows(crawl: dict[str, Any]) -> str:
    return f"`wio crawl status {_typed(_place_of(crawl))}` shows how far it is"


def _resumes(crawl: dict[str, Any]) -> str:
    return f"`wio crawl resume {_typed(_place_of(crawl))}` goes on"


def _place_of(crawl: dict[str, Any]) -> dict[str, Any]:
    return {"workspace": crawl["workspace"]} if crawl["workspace"] else {"root": crawl["root"]}
