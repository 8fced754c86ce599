"""`wio index …`: how far the index is behind, building it again, comparing it with storage."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json, add_root
from workspacesio.cli.search_output import print_incomplete
from workspacesio.client.http_api import HttpApi, signed_in
from workspacesio.client.operating_system import takes_escapes
from workspacesio.client.times import lasting

LOOK_SECONDS = 0.5
NAMED = 5
"""Roots that have one problem, of which a sentence tells."""
DIFFERENCES = ("missing", "changed", "extra")
"""What only storage has, what is another, what only the index has."""

KEPT_BY = {"watching": "watching", "events": "events", "crawls": "crawls only"}


def status_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def status(arguments: argparse.Namespace) -> int:
    """`wio index status`: exit status 1 where it can't be asked."""
    index = signed_in().get("/index")
    if arguments.json:
        output.print_json(index)
        return _exit_status(index)
    if index["whole"] is not None:
        _print_whole(index)
    else:
        print(f"The index is {index['state']}.")
    if index["roots"]:
        print()
        output.print_table(
            ["ROOT", "LEVEL", "OBJECTS", "SIZE", "KEPT TRUE BY", "LAG", "LAST CRAWL", "NOW"],
            [_root(root) for root in index["roots"]],
            empty="",
        )
    sys.stdout.flush()
    _print_problems(index["roots"])
    print_incomplete(index)
    return _exit_status(index)


def rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="until the new one serves")
    add_json(parser)


def rebuild(arguments: argparse.Namespace) -> int:
    """`wio index rebuild`: the one that serves goes on until the new one holds everything."""
    client = signed_in()
    work = client.post("/index/rebuild")
    if arguments.wait:
        work = _ended(client, work)
    if arguments.json:
        output.print_json(work)
    elif work["state"] == "done":
        print("The index was built again, and serves.")
    elif work["state"] != "failed":
        print("The index is built again beside the one that serves; `wio index status` shows how far it is.")
    return _said_if_failed(work)


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    add_root(parser, help="only what lies in this root")
    parser.add_argument("--wait", action="store_true", help="until it is known")
    add_json(parser)


def verify(arguments: argparse.Namespace) -> int:
    """`wio index verify`: exit status 1 where the index and storage differ."""
    client = signed_in()
    work = client.post("/index/verify", {"root": arguments.root})
    if arguments.wait:
        work = _ended(client, work)
    if arguments.json:
        output.print_json(work)
    elif work["state"] == "done" or _differs(work):
        _print_found(work)
    elif work["state"] != "failed":
        print("The index is compared with storage; `wio index verify --wait` waits for what is found.")
    return max(_said_if_failed(work), int(_differs(work)))


def _print_whole(index: dict[str, Any]) -> None:
    whole = index["whole"]
    seen = whole["worker_seen_at"]
    output.print_fields(
        [
            ("state", index["state"]),
            ("engine", whole["engine"]),
            ("entries", _number(whole["entries"])),
            ("objects", _number(whole["objects"])),
            ("size", output.size(whole["bytes"])),
            ("engine on disk", output.size(whole["engine_bytes_on_disk"])),
            ("catalogue on disk", output.size(whole["catalogue_bytes_on_disk"])),
            ("behind", f"{whole['behind']:,} changes" if whole["behind"] else None),
            ("events waiting", _waiting(whole)),
            ("worker", f"seen {output.ago(seen)}" if seen else "not seen yet; `wio serve --role worker` runs one"),
        ]
    )


def _number(count: int | None) -> str | None:
    return None if count is None else f"{count:,}"


def _waiting(whole: dict[str, Any]) -> str:
    since = f", the oldest of {output.ago(whole['waiting_since'])}" if whole["waiting_since"] else ""
    return f"{whole['events_waiting']:,}{since}"


def _print_problems(roots: list[dict[str, Any]]) -> None:
    """Each once, with the roots that have it."""
    having: dict[str, list[str]] = {}
    for root in roots:
        for of in (root, root["open_crawl"]):
            if of and of["problem"]:
                having.setdefault(of["problem"], []).append(output.safe(root["root"]))
    for problem, names in having.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        print(f"wio: {', '.join(names[:NAMED])}{more}: {output.safe(problem)}", file=sys.stderr)


def _root(root: dict[str, Any]) -> list[object]:
    last, now = root["last_crawl"], root["open_crawl"]
    return [
        root["root"],
        f"{root['level']}, {root['unread_objects']:,} to read" if root["unread_objects"] else root["level"],
        output.number(root["objects"]),
        output.size(root["bytes"]),
        KEPT_BY.get(root["kept_by"], "-"),
        _lag(root),
        f"{last['state']} {output.ago(last['ended_at'])}" if last else "never",
        f"crawl {now['id']} {now['state']}" if now else "",
    ]


def _lag(root: dict[str, Any]) -> str:
    """That of contents besides, while some are to be read."""
    lag = "-" if root["lag_seconds"] is None else lasting(root["lag_seconds"])
    unread = root["unread_lag_seconds"]
    return f"{lag}, contents {lasting(unread)}" if unread else lag


def _exit_status(index: dict[str, Any]) -> int:
    return 1 if index["state"] == "away" else 0


def _ended(client: HttpApi, work: dict[str, Any]) -> dict[str, Any]:
    """Wait until the worker is done with it, and say on a terminal how far it is."""
    terminal = sys.stderr.isatty() and takes_escapes(sys.stderr)
    try:
        while work["state"] in ("queued", "running"):
            if terminal:
                print(f"\r\x1b[K{work['entries']:,} entries", end="", file=sys.stderr, flush=True)
            time.sleep(LOOK_SECONDS)
            work = client.get(f"/index/requests/{work['id']}")
    except KeyboardInterrupt:
        print("\nwio: the worker goes on with it.", file=sys.stderr)
        raise
    finally:
        if terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return work


def _said_if_failed(work: dict[str, Any]) -> int:
    if work["state"] != "failed":
        return 0
    print(f"wio: the worker could not do it: {output.safe(work['problem'])}", file=sys.stderr)
    return 1


def _differs(work: dict[str, Any]) -> bool:
    return any(work["counts"].values())


def _print_found(work: dict[str, Any]) -> None:
    of = f" of {output.safe(work['root'])}" if work["root"] else ""
    if not _differs(work):
        print(f"The index{of} is what storage holds: {work['entries']:,} entries were compared.")
    found = ", ".join(
        f"{count:,} {name}" for name, count in work["counts"].items() if count and name in DIFFERENCES
    )
    if found:
        start = f"wio crawl start --root {output.safe(shlex.quote(work['root'] or 'ROOT'))}"
        print(f"The index{of} differs from storage: {found}; `{start}` makes it true again.")
    broken = work["counts"].get("engine_differs")
    if broken:
        print(
            f"What is searched of {broken:,} workspaces isn't what was indexed; `wio index rebuild` makes it so."
        )
