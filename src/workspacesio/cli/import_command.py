"""`wio root import`: folders that are there become workspaces; nothing on disk is touched."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.http_api import segment, signed_in
from workspacesio.client.operating_system import takes_escapes

QUIET_SECONDS = 2.0
"""What takes longer says how far it is."""

PLAIN_SECONDS = 10.0
"""How often a line is printed where the same line can't be written again."""

MAX_NAMES = 10


def import_folders_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", metavar="ROOT", help="a root of type unmanaged-…")
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="folders below the root (. is all of it)")
    parser.add_argument("--all", action="store_true", help="every folder directly below the root")
    owner = parser.add_mutually_exclusive_group()
    owner.add_argument("--owner", metavar="USER", help="who owns the workspaces (default: you)")
    owner.add_argument(
        "--owner-from-unix", action="store_true", help="the user named as the folder's Unix owner is"
    )
    parser.add_argument(
        "--name", metavar="NAME", help="the workspace's name, for one folder (default: the folder's)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    add_json(parser)


def import_folders(arguments: argparse.Namespace) -> int:
    """`wio root import`: exit status 1 where a folder that was named, or all of them, was refused."""
    if bool(arguments.folders) == arguments.all:
        raise UsageError("name the folders to import, or give --all.")
    fields = {
        "folders": [_below_root(folder) for folder in arguments.folders] or None,
        "all": arguments.all or None,
        "owner": arguments.owner,
        "owner_from_unix": arguments.owner_from_unix or None,
        "name": arguments.name,
        "dry_run": arguments.dry_run or None,
    }
    client = signed_in()
    progress = Progress()
    report = None
    for line in client.lines(f"/roots/{segment(arguments.root)}/import", fields):
        if "progress" in line:
            progress.show(line["progress"])
        elif "error" in line:
            progress.end()
            raise CommandError(str(line["error"].get("message", line["error"])))
        elif "report" in line:
            report = line["report"]
    progress.end()
    if report is None:
        raise CommandError("the server stopped before it was done; run the same command again.")
    if arguments.json:
        output.print_json(report)
    else:
        _print_report(report, dry_run=arguments.dry_run)
    # Of `--all`, some may well be refused: those that hold workspaces already.
    return 1 if report.get("refused") and not (arguments.all and report["workspaces"]) else 0


class Progress:
    """Entries and bytes on standard error: one line rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = self._began
        self._terminal = sys.stderr.isatty() and takes_escapes(sys.stderr)
        self._open_line = False

    def show(self, progress: dict[str, Any]) -> None:
        """Print, unless it is too early to."""
        now = time.monotonic()
        if now - self._began < QUIET_SECONDS:
            return
        if now - self._last < (0.2 if self._terminal else PLAIN_SECONDS) and self._last != self._began:
            return
        self._last = now
        text = f"{progress['entries']:,} entries, {output.size(progress['bytes'])}"
        if self._terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._open_line = True
        else:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the terminal's line empty."""
        if self._open_line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _below_root(folder: str) -> str:
    """As the API takes it: '' for the root itself. Raises UsageError."""
    if folder.strip("/") in ("", "."):
        return ""
    if folder.startswith("/"):
        raise UsageError(f"{folder!r} begins with /; write a folder as it lies below the root, like plates/2026.")
    return folder.removeprefix("./")


def _print_report(report: dict[str, Any], *, dry_run: bool) -> None:
    would = "would be" if dry_run else "is"
    output.print_table(
        ["FOLDER", "WORKSPACE", "OBJECTS", "SIZE", ""],
        [
            [
                one["folder"] or ".",
                f"{one['owner']}/{one['name']}",
                one["objects"],
                output.size(one["bytes"]),
                f"{would} new" if one.get("created", True) or dry_run else "was one already",
            ]
            for one in report["workspaces"]
        ],
        empty="No folder would be imported." if dry_run else "No folder was imported.",
    )
    for one in report.get("not_served") or []:
        examples = ", ".join(map(output.safe, one.get("examples") or []))
        print(
            f"Not served: {one['count']} × {output.safe(one['reason'])}"
            + (f", such as {examples}" if examples else "")
        )
    sys.stdout.flush()
    refused: dict[str, list[str]] = {}
    for one in report.get("refused") or []:
        refused.setdefault(one["reason"], []).append(output.safe(one["folder"] or "."))
    for reason, folders in refused.items():
        print(f"wio: {_some(folders)} refused: {output.safe(_inside_a_sentence(reason))}.", file=sys.stderr)


def _inside_a_sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _some(folders: list[str]) -> str:
    """As many names as a person reads; `--json` has them all."""
    if len(folders) == 1:
        return f"{folders[0]} is"
    more = f" and {len(folders) - MAX_NAMES} more" if len(folders) > MAX_NAMES else ""
    return f"{', '.join(folders[:MAX_NAMES])}{more} are"
