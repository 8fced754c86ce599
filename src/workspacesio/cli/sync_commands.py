"""`wio sync` and `wio diff`: two folders, one of them or both in a workspace."""

from __future__ import annotations

import argparse
import os
import sys

from workspacesio.cli import output, passwords
from workspacesio.cli.arguments import add_path
from workspacesio.cli.copy_commands import closing, named, report
from workspacesio.cli.dry_run import DryRun
from workspacesio.cli.file_arguments import bandwidth
from workspacesio.cli.transfer_progress import Shown, summary
from workspacesio.client.comparing import File, Pair, differs, pairs
from workspacesio.client.copy_plan import Copy, Ends, LeftOut, Named, Patterns, name_of
from workspacesio.client.copying import Progress, Result, copy_all
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.places import Item, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EPILOG = """\
  wio sync ./results data/results             makes the second like the first; what is equal stays
  wio sync --delete data/plates ./plates      and deletes what the first doesn't have
Equal is what has the same size and is no younger than its copy; --checksum compares contents instead."""


def sync_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "paths", local=True, metavar="FOLDER", nargs=2, help="from where, and to where")
    parser.add_argument("--delete", action="store_true", help="delete there what isn't here")
    _which(parser)
    parser.add_argument("--bandwidth", type=bandwidth, metavar="SIZE", help="so many bytes a second at most: 10MB")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="delete without asking on a terminal")
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    parser.epilog = EPILOG


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(
        parser, "paths", local=True, metavar="FOLDER", nargs=2, help="two folders, at least one in a workspace"
    )
    _which(parser)
    parser.epilog = (
        "`<` stands before what only the first has, `>` only the second, `!` what differs. Exit status 1: some do."
    )


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checksum", action="store_true", help="compare contents where both sides know an MD5")
    parser.add_argument("--include", action="append", default=[], metavar="PATTERN", help="only names like this")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="no names like this")


class _Work:
    """What is to be done, in two steps: copies as they are found, and what is surplus, all of it, afterwards."""

    def __init__(self, arguments: argparse.Namespace, source: Named, target: Named) -> None:
        self._checksum = arguments.checksum
        self._pairs = pairs(source.end, target.end, Patterns(arguments.include, arguments.exclude))
        self._ends = Ends(target.end)
        self.has_source = False
        """Whether anything was found there."""
        self.surplus: list[tuple[str, File]] = []
        self.equal = 0

    def copies(self) -> Iterator[Copy | LeftOut]:
        for pair in self._pairs:
            if isinstance(pair, LeftOut):
                yield pair
                continue
            if pair.source is None:
                assert pair.target is not None
                self.surplus.append((pair.path, pair.target))
                continue
            self.has_source = True
            if pair.target is not None and not _is_to_be_copied(pair, by_content=self._checksum):
                self._ends.take(pair.path)
                self.equal += 1
                continue
            end = self._ends.below(pair.path, is_new=pair.target is None)
            if isinstance(end, LeftOut):
                yield LeftOut(name_of(pair.source.end), end.reason, failed=end.failed)
            else:
                yield Copy(pair.source.end, end, pair.source.size, pair.source.etag)


def _is_to_be_copied(pair: Pair, *, by_content: bool) -> bool:
    assert pair.source is not None
    assert pair.target is not None
    try:
        return differs(pair.source, pair.target, by_content=by_content)
    except OSError:  # said when it is copied
        return True


def sync(arguments: argparse.Namespace) -> int:
    """`wio sync`; exit status 1 where something could not be done."""
    source, target = named(arguments.paths, moves=False)
    _check(source, target)
    work = _Work(arguments, source, target)
    with closing(source, target):
        if arguments.dry_run:
            return _say_what_would_be(work, delete=arguments.delete, as_json=arguments.json)
        progress = Progress(bandwidth=arguments.bandwidth)
        shown = Shown(progress, "copied")
        with shown:
            result = copy_all(work.copies(), progress, overwrite=True, tell=shown.tell)
        deleted = 0
        if arguments.delete and work.surplus:
            deleted = _delete_surplus(arguments, work, result, source, target)
        return report(arguments, result, progress, shown, more={"equal": work.equal, "deleted": deleted})


def _check(source: Named, target: Named) -> None:
    """Raises UsageError, CommandError: a source that isn't there must not empty the target."""
    _check_there(source)
    if isinstance(source.end, Place) and isinstance(target.end, Place) and source.end.is_beside(target.end):
        one, other = source.end.key(source.end.folder), target.end.key(target.end.folder)
        if one.startswith(other) or other.startswith(one):
            raise UsageError(f"{source.typed!r} and {target.typed!r} lie in each other.")
    if isinstance(target.end, str) and os.path.exists(target.end) and not os.path.isdir(target.end):
        raise UsageError(f"{target.typed!r} is no folder.")


def _check_there(side: Named) -> None:
    """Raises CommandError where there is no such folder."""
    if isinstance(side.end, Place):
        if not side.is_folder():
            raise CommandError(f"there is no folder {side.end.name()}.")
        side.end.check_there()
    elif not os.path.isdir(side.end):
        raise CommandError(f"there is no folder {side.typed!r} here.")


def _say_what_would_be(work: _Work, *, delete: bool, as_json: bool) -> int:
    found = DryRun(as_json=as_json)
    found.show(work.copies())
    gone = work.surplus if delete else []
    if as_json:
        found.print_json(equal=work.equal, would_delete=[name_of(file.end) for _, file in gone])
        return 0
    for _, file in gone:
        print(f"delete {output.safe(name_of(file.end))}")
    deleted = f"; {summary(len(gone), sum(file.size for _, file in gone))} deleted" if delete else ""
    copied = summary(found.objects, found.bytes)
    print(f"{copied} would be copied{deleted}; {work.equal:,} equal.", file=sys.stderr)
    return 0


def _delete_surplus(
    arguments: argparse.Namespace, work: _Work, result: Result, source: Named, target: Named
) -> int:
    """How many. Nothing goes where not all of the source could be read or copied.

    Raises CommandError where the source is empty, as the folder of a disk is that isn't mounted.
    """
    if not work.has_source:
        raise CommandError(
            f"nothing is deleted, for {source.typed!r} holds nothing that is meant: is its disk there? If all of "
            f"{target.typed!r} is to go, delete that itself."
        )
    if result.left_out or result.failed:
        print("wio: nothing is deleted, for not all of the source could be copied.", file=sys.stderr)
        return 0
    size = sum(file.size for _, file in work.surplus)
    question = f"Delete {summary(len(work.surplus), size)} in {output.safe(target.typed)}, for ever?"
    if not arguments.yes and not passwords.agreed(question):
        print("wio: nothing is deleted.", file=sys.stderr)
        return 0
    problems = _delete(target.end, work.surplus)
    result.failed += [LeftOut(*problem.split(": ", 1)) for problem in problems]
    return len(work.surplus) - len(problems)


def _delete(target: str | Place, surplus: Sequence[tuple[str, File]]) -> list[str]:
    if isinstance(target, Place):
        return target.remove_all([Item(f"{target.folder}{path}", file.size) for path, file in surplus])
    problems = []
    for _, file in surplus:
        try:
            os.unlink(str(file.end))
        except OSError as error:
            problems.append(f"{file.end}: {error.strerror}")
    return problems


def diff(arguments: argparse.Namespace) -> int:
    """`wio diff`; exit status 1 where something differs."""
    source, target = named(arguments.paths, moves=False, writes=False)
    _check_there(source)
    _check_there(target)
    found = 0
    with closing(source, target):
        for pair in pairs(source.end, target.end, Patterns(arguments.include, arguments.exclude)):
            if isinstance(pair, LeftOut):
                print(f"wio: {output.safe(pair.name)}: {output.safe(pair.reason)}", file=sys.stderr)
            elif pair.source is None or pair.target is None or _differ(pair, by_content=arguments.checksum):
                sign = ">" if pair.source is None else "<" if pair.target is None else "!"
                print(f"{sign} {output.safe(pair.path)}")
            else:
                continue
            found = 1
    return found


def _differ(pair: Pair, *, by_content: bool) -> bool:
    """Sizes, or contents where they are compared; which of them is younger says nothing of them being equal."""
    assert pair.source is not None
    assert pair.target is not None
    if by_content:
        return _is_to_be_copied(pair, by_content=True)
    return pair.source.size != pair.target.size
