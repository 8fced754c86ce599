"""`wio cp` and `wio mv`: files and objects, up, down and between workspaces."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from workspacesio.cli import output, passwords
from workspacesio.cli.arguments import add_path
from workspacesio.cli.dry_run import DryRun
from workspacesio.cli.transfer_progress import Shown, summary
from workspacesio.client import sign_in
from workspacesio.client.copy_plan import Copy, LeftOut, Named, Patterns, name_of, plan
from workspacesio.client.copying import Progress, Result, copy_all
from workspacesio.client.errors import UsageError
from workspacesio.client.moving import remove_source
from workspacesio.client.places import Place, places
from workspacesio.client.references import FORCED, READ, WRITE, Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EPILOG = """\
A folder typed with a final slash is meant by its contents, without it by itself:
  wio cp -r results/ data/2026/       what lies in results goes to data/2026/
  wio cp -r data/raw .                makes ./raw
A local path begins with . / or ~, or exists; a workspace where both could be meant is written wio:NAME/PATH.
What was interrupted goes on when the same command is typed again."""


def cp_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "paths", local=True, metavar="PATH", nargs="+", help="from where, and last of all to where")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders, with everything below")
    parser.add_argument("--include", action="append", default=[], metavar="PATTERN", help="only names like this")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="no names like this")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be copied, and copy nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="overwrite without asking on a terminal")
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    parser.epilog = EPILOG


def cp(arguments: argparse.Namespace) -> int:
    """`wio cp`; exit status 1 where something could not be copied."""
    return _run(arguments, moves=False)


def mv_arguments(parser: argparse.ArgumentParser) -> None:
    cp_arguments(parser)


def mv(arguments: argparse.Namespace) -> int:
    """`wio mv`: each is removed where it was once it is whole where it goes."""
    return _run(arguments, moves=True)


def _run(arguments: argparse.Namespace, *, moves: bool) -> int:
    *sources, target = named(arguments.paths, moves=moves)
    patterns = Patterns(arguments.include, arguments.exclude)
    steps = plan(sources, target, recursive=arguments.recursive, patterns=patterns)
    if arguments.dry_run:
        return _say_what_would_be(steps, moves=moves, as_json=arguments.json)
    progress = Progress()
    ask = not arguments.yes and sys.stdin.isatty() and sys.stderr.isatty()
    shown = Shown(progress, "moved" if moves else "copied")
    then = remove_source if moves else _nothing
    with closing(*sources, target):
        with shown:
            result = copy_all(steps, progress, overwrite=not ask, then=then, tell=shown.tell)
        if result.existing and _agreed(result.existing):
            with shown:
                _again(result, copy_all(result.existing, progress, overwrite=True, then=then, tell=shown.tell))
    return report(arguments, result, progress, shown)


@contextlib.contextmanager
def closing(*arguments: Named) -> Iterator[None]:
    """The storage of all of them at the end, however it ends: threads that still wait for answers get none."""
    try:
        yield
    finally:
        for one in arguments:
            if isinstance(one.end, Place):
                one.end.storage.close()


def named(typed: Sequence[str], *, moves: bool, writes: bool = True) -> list[Named]:
    """What was typed, the last one to be written. Raises CommandError."""
    if len(typed) < 2:
        raise UsageError("say from where and to where: `wio cp FROM... TO`.")
    if "-" in typed:
        raise UsageError("- is no file; `wio cat` writes to standard output, `wio pipe` reads standard input.")
    caller = sign_in.current()
    resolver = Resolver(caller, believes=False)
    purposes = [WRITE if moves else READ] * (len(typed) - 1) + [WRITE if writes else READ]
    found = [resolver.locate(text, purpose) for text, purpose in zip(typed, purposes, strict=True)]
    if not any(found):
        both = next((text for text in typed if text[0] not in "./~"), "NAME")
        raise UsageError(
            "all of these are local paths; one side has to be a workspace, as `wio ls` lists them: write "
            f"{FORCED}{both} for a workspace of a name that is also here."
        )
    only_read = not writes or (found[-1] is None and not moves)
    opened = iter(places(caller, [one for one in found if one is not None], read_only=only_read))
    return [
        Named(text, os.path.expanduser(text) if one is None else next(opened))
        for text, one in zip(typed, found, strict=True)
    ]


def _say_what_would_be(steps: Iterable[Copy | LeftOut], *, moves: bool, as_json: bool) -> int:
    found = DryRun(as_json=as_json)
    found.show(steps)
    if as_json:
        found.print_json()
    else:
        said = "moved" if moves else "copied"
        print(f"{summary(found.objects, found.bytes)} would be {said}.", file=sys.stderr)
    return 0


def _agreed(existing: Sequence[Copy]) -> bool:
    first = output.safe(min(name_of(step.target) for step in existing))
    count = len(existing) - 1
    others = f" and {count:,} other{'' if count == 1 else 's'}" if count else ""
    return passwords.agreed(f"{first}{others} exist{'' if others else 's'} already. Overwrite?")


def _again(result: Result, second: Result) -> None:
    result.copied += second.copied
    result.failed += second.failed
    result.existing = []


def _nothing(_: Copy) -> None:
    """After a copy."""


def report(
    arguments: argparse.Namespace,
    result: Result,
    progress: Progress,
    shown: Shown,
    *,
    more: Mapping[str, int] | None = None,
) -> int:
    """Says what was done; returns the exit status. `more`: other counts, by what they are of."""
    incomplete = bool(result.failed or result.existing)
    if arguments.json:
        output.print_json(
            {
                "copied": result.copied,
                "bytes": progress.bytes,
                **(more or {}),
                "failed": [{"name": one.name, "reason": one.reason} for one in result.failed],
                "existing": [name_of(one.target) for one in result.existing],
                "left_out": [{"name": one.name, "reason": one.reason} for one in result.left_out],
            }
        )
    else:
        shown.end(result, more or {})
    return 1 if incomplete else 0
