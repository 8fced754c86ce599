"""`wio rm`: objects, and folders with all that lies in them."""

from __future__ import annotations

import argparse
import sys

from workspacesio.cli import output, passwords
from workspacesio.cli.file_arguments import add_paths
from workspacesio.cli.transfer_progress import summary
from workspacesio.client import sign_in
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.objects import PAGE_KEYS
from workspacesio.client.places import Item, Place, places
from workspacesio.client.references import WRITE, Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Meant = Sequence[tuple[Place, Item | None]]


def rm_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="what to delete, for ever")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders, with everything below")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be deleted, delete nothing")
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
    if arguments.dry_run:
        found = _Counted(meant)
        for place, item in found:
            print(output.safe(place.name(item.path)))
        print(f"{found.said()} would be deleted.", file=sys.stderr)
        return 0
    if not arguments.yes and sys.stdin.isatty() and sys.stderr.isatty():
        found = _Counted(meant)
        for _ in found:
            pass
        if found.objects > 1 and not passwords.agreed(f"Delete {found.said()}, for ever?"):
            raise CommandError("nothing was deleted.")
    return _remove(meant)


def _remove(meant: Meant) -> int:
    """A page of the listing after the other, so that however much it is takes little memory."""
    found, failed = _Counted(meant), 0
    pages: dict[Place, list[Item]] = {}
    try:
        for place, item in found:
            page = pages.setdefault(place, [])
            page.append(item)
            if len(page) == PAGE_KEYS:
                failed += _remove_page(place, pages.pop(place))
        for place, page in pages.items():
            failed += _remove_page(place, page)
    except CommandError as error:
        waiting = sum(map(len, pages.values()))
        gone = found.objects - failed - waiting
        if not gone:
            raise
        raise CommandError(f"{error} {gone:,} were deleted before.") from error
    if found.objects > 1 or failed:
        print(f"{found.objects - failed:,} of {found.said()} deleted.", file=sys.stderr)
    return 1 if failed else 0


def _remove_page(place: Place, items: Sequence[Item]) -> int:
    """How many stay."""
    problems = place.remove_all(items)
    for problem in problems:
        print(f"wio: {output.safe(problem)}", file=sys.stderr)
    return len(problems)


class _Counted:
    """What is meant, from where it lies; when it was gone through, how much that was."""

    def __init__(self, meant: Meant) -> None:
        self._meant = meant
        self.objects = self._bytes = 0

    def __iter__(self) -> Iterator[tuple[Place, Item]]:
        for place, alone in self._meant:
            for item in place.walk() if alone is None else [alone]:
                self.objects += 1
                self._bytes += item.size or 0
                yield place, item

    def said(self) -> str:
        return summary(self.objects, self._bytes)


def _meant(place: Place, *, recursive: bool) -> Item | None:
    """The object, or None for a folder. Raises CommandError where there is no such thing, UsageError."""
    if not place.is_folder():
        details = place.details()
        return Item(place.path, details.size, details.modified, details.etag)
    if not recursive:
        raise UsageError(f"{place.name()!r} is a folder; add -r to delete all that lies in it.")
    if next(place.walk(), None) is None:
        raise CommandError(f"there is nothing in {place.name(place.folder)}.")
    return None
