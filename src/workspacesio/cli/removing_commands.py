"""`wio rm`: objects, and folders with all that lies in them."""

from __future__ import annotations

import argparse
import sys

from workspacesio.cli import output, passwords
from workspacesio.cli.file_arguments import add_paths
from workspacesio.cli.transfer_progress import summary
from workspacesio.client import sign_in
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.places import Item, Place, places
from workspacesio.client.references import WRITE, Resolver


def rm_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="what to delete, for ever")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders, with everything below")
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask on a terminal")


def rm(arguments: argparse.Namespace) -> int:
    """`wio rm`: asks on a terminal before more than one object goes."""
    caller = sign_in.current()
    resolver = Resolver(caller, exists=lambda _: False, removes=True, believes=False)
    located = [resolver.locate(text, WRITE) for text in arguments.paths]
    if None in located:
        raise UsageError("`wio rm` deletes in workspaces only; use rm for local files.")
    opened = places(caller, [one for one in located if one is not None], read_only=False)
    meant = [(place, _meant(place, recursive=arguments.recursive)) for place in opened]
    objects, size = (
        sum(len(items) for _, items in meant),
        sum(item.size or 0 for _, items in meant for item in items),
    )
    if arguments.dry_run:
        for place, items in meant:
            for item in items:
                print(output.safe(place.name(item.path)))
        print(f"{summary(objects, size)} would be deleted.", file=sys.stderr)
        return 0
    if objects > 1 and not arguments.yes and not passwords.agreed(f"Delete {summary(objects, size)}, for ever?"):
        raise CommandError("nothing was deleted.")
    failed = [problem for place, items in meant for problem in place.remove_all(items)]
    for problem in failed:
        print(f"wio: {output.safe(problem)}", file=sys.stderr)
    if objects > 1 or failed:
        print(f"{objects - len(failed):,} of {summary(objects, size)} deleted.", file=sys.stderr)
    return 1 if failed else 0


def _meant(place: Place, *, recursive: bool) -> list[Item]:
    if not place.is_folder():
        details = place.details()
        return [Item(place.path, details.size, details.modified, details.etag)]
    if not recursive:
        raise UsageError(f"{place.name()!r} is a folder; add -r to delete all that lies in it.")
    items = list(place.walk())
    if not items:
        raise CommandError(f"there is nothing in {place.name(place.folder)}.")
    return items
