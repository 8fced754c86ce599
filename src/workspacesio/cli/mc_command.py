"""`wio mc VERB ARGUMENTS…`: the MinIO client on workspaces.

Workspaces among the arguments become bucket paths, mc gets one credential for all of them (one for each node,
where they lie on several) in its environment, and its output shows names again. See client/references.py for what
counts as a workspace, mc_flags for flags, mc_output for names, mc_run for terminals.
"""

from __future__ import annotations

import os

from workspacesio.cli import mc_flags, mc_program
from workspacesio.cli.mc_output import Renamer, Shown
from workspacesio.client import credential_cache, sign_in
from workspacesio.client.credentials import mc_host
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.references import WRITE, Located, Resolver, is_plainly_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

HELP = """\
usage: wio mc [--duration 12h] VERB ARGUMENTS...

Runs a verb of the MinIO client (mc) on workspaces:
  {verbs}

A workspace is written name/path, owner/name/path or, where that means two things, owner:name/path, wherever mc
takes ALIAS/BUCKET/PATH. Everything else goes to mc as it is: flags and their values, local paths, aliases of your
own. Its output and exit status are kept; where it prints bucket paths, names are shown.

  wio mc ls data/                        wio mc cp report.pdf data/2026/
  wio mc cp -r ada/images/raw/ ./raw/    wio mc mirror ./results data/results/
  wio mc find data/ --name '*.tif'       wio mc du ada/images/

An argument that begins with . / or ~ is local, and a word without a slash is local if such a file exists. Where a
path could be both a local one and a workspace's, `wio mc` asks to write ./PATH or wio:PATH.

`wio mc VERB --help` is mc's own help. The MinIO client is looked for on the PATH (mc, mcli) or named by WIO_MC.

options:
  --duration 12h   how long the credential must last (before VERB; default: as the server gives it)
"""

LISTING = frozenset({"ls", "tree", "du"})
"""Verbs of which mc takes the local folder where none is named, which nobody means here."""

LONG_RUNNING = frozenset({"cp", "mv", "mirror", "watch", "find", "pipe"})
"""Verbs that may take long, and so don't begin with a credential that is half used up."""


def help_text() -> str:
    """What `wio mc --help` prints."""
    return HELP.format(verbs=" ".join(mc_flags.VERBS))


def mc(argv: list[str]) -> int:
    """Run one verb; returns mc's exit status. Raises CommandError."""
    if not argv or argv[0] in ("-h", "--help"):
        print(help_text(), end="")
        return 0 if argv else 2
    duration, argv = _duration(argv)
    start = mc_flags.before_verb(argv)
    if start >= len(argv) or argv[start] not in mc_flags.VERBS:
        asked = f"{argv[start]!r} is none of them" if start < len(argv) else "there is none"
        raise UsageError(
            f"`wio mc` needs one of the verbs {' '.join(mc_flags.VERBS)}, and {asked}; use `mc` itself for others."
        )
    verb, arguments = argv[start], argv[start + 1 :]
    if mc_flags.has_flag(verb, arguments, "stdin"):
        raise UsageError(
            "`wio mc rm` can't read names from standard input; name them as arguments, as with xargs."
        )
    if (
        verb in LISTING
        and not mc_flags.positions(verb, arguments)
        and not mc_flags.has_flag(verb, arguments, "h", "help")
    ):
        raise UsageError(
            f"name a workspace, as in `wio mc {verb} NAME/`; `wio ls` lists them, and . is this folder."
        )
    program = mc_program.find()
    environment = dict(os.environ)
    environment["MC_CONFIG_DIR"] = mc_program.config_dir(program)
    located = _locate(verb, arguments, environment["MC_CONFIG_DIR"])
    if not located:
        from workspacesio.cli.become import become

        become([program, *argv], environment)
    if verb == "watch" and len(located) == len(mc_flags.positions(verb, arguments)) == 1:
        (one,) = located.values()
        if not _streams_events(one, verb, arguments, duration=duration):
            from workspacesio.cli.mc_watch import watch

            return watch(one, arguments, plain=[*argv[:start], *arguments])
    run = _runner()
    as_json = mc_flags.has_flag(verb, argv[:start] + arguments, "json") or "MC_JSON" in environment
    status = 0
    for one_run in _runs(verb, arguments, located):
        shown = _hand_to_mc(verb, one_run, located, environment, duration=duration)
        ended = run(
            program,
            [*argv[: start + 1], *one_run.values()],
            environment,
            verb=verb,
            renamer=lambda shown=shown: Renamer(shown, verb=verb, as_json=as_json),
        )
        status = ended or status
    if status:
        # Keys may have ended with others of the user's, and names may mean something else: the next run asks anew.
        credential_cache.clear(sign_in.current().cache_key)
    return status


def _runner() -> Callable[..., int]:
    """For systems with pseudo-terminals, and for those without."""
    import importlib

    module = "mc_run" if hasattr(os, "openpty") and hasattr(os, "posix_spawn") else "mc_piped"
    found: Callable[..., int] = importlib.import_module(f"workspacesio.cli.{module}").run
    return found


def _hand_to_mc(
    verb: str,
    arguments: dict[int, str],
    located: dict[int, Located],
    environment: dict[str, str],
    *,
    duration: int | None,
) -> list[Shown]:
    """Put an alias for each node into mc's environment, with a credential for what is named on it.

    The workspaces among the arguments become paths of these aliases; returned is what to show for them.
    """
    typed = list(arguments.values())
    watched = {list(arguments)[place] for place in mc_flags.watched(verb, typed)}
    shown = []
    for node in dict.fromkeys(located[index].workspace["node"] for index in arguments if index in located):
        here = {
            index: located[index]
            for index in arguments
            if index in located and located[index].workspace["node"] == node
        }
        places = [list(arguments).index(index) for index in here]
        read_only = mc_flags.only_reads(verb, typed, places)
        issued = _credential(node, list(here.values()), verb, read_only=read_only, duration=duration)
        if verb == "mirror":
            from workspacesio.cli.mirror_target import check_writable

            purposes = mc_flags.purposes(verb, typed)
            for place, one in zip(places, here.values(), strict=True):
                if purposes[place] == WRITE:
                    check_writable(issued, one)
        abilities = issued.get("abilities") or {}
        if watched & set(here) and not abilities.get("streams_events", True):
            raise CommandError(_no_events(verb, node))
        # New for every run: neither an alias of the user's nor anything in an object's name can be equal to it.
        alias = "w" + os.urandom(6).hex()
        environment[f"MC_HOST_{alias}"] = mc_host(issued)
        for index, one in here.items():
            arguments[index] = f"{alias}/{one.key()}"
            shown.append(_shown(one, alias, issued["endpoint"]))
    return shown


def _streams_events(one: Located, verb: str, arguments: list[str], *, duration: int | None) -> bool:
    """Whether the node's server lets mc itself watch a part of a bucket."""
    read_only = mc_flags.only_reads(verb, arguments, mc_flags.positions(verb, arguments))
    issued = _credential(one.workspace["node"], [one], verb, read_only=read_only, duration=duration)
    return bool((issued.get("abilities") or {}).get("streams_events", True))


def _runs(verb: str, arguments: list[str], located: dict[int, Located]) -> list[dict[int, str]]:
    """The arguments of each run of mc, by their index: all in one, but for `du` where it looks at several nodes.

    `mc du` prints BUCKET/PREFIX without an alias, which may be the same on two nodes.
    """
    everything = dict(enumerate(arguments))
    nodes = {one.workspace["node"] for one in located.values()}
    places = mc_flags.positions(verb, arguments)
    if verb != "du" or len(nodes) < 2:
        return [everything]
    return [
        {index: text for index, text in everything.items() if index not in places or index == place}
        for place in places
    ]


def _no_events(verb: str, node: str) -> str:
    return (
        f"`wio mc {verb}` with --watch can't be used on the node {node}: its server tells of changes only to "
        f"those who may read a whole bucket; run `wio mc {verb}` again to see what is new, or use `wio mc watch`."
    )


def _duration(argv: list[str]) -> tuple[int | None, list[str]]:
    word, equals, value = argv[0].partition("=")
    if word != "--duration":
        return None, argv
    if not equals:
        value = argv[1] if len(argv) > 1 else ""
    from argparse import ArgumentTypeError

    from workspacesio.cli.times import duration

    try:
        return duration(value), argv[1 if equals else 2 :]
    except ArgumentTypeError as error:
        raise UsageError(f"{error}.") from error


def _locate(verb: str, arguments: list[str], config_dir: str) -> dict[int, Located]:
    """The workspaces among the arguments, by index."""
    purposes = mc_flags.purposes(verb, arguments)
    removes = verb == "rm"
    asked = {
        index: purpose
        for index, purpose in purposes.items()
        if not is_plainly_local(arguments[index], os.path.lexists, removes=removes)
    }
    if mc_flags.has_flag(verb, arguments, "h", "help") or not asked:
        return {}
    resolver = Resolver(sign_in.current(), aliases=mc_program.aliases(config_dir), removes=removes)
    found = {index: resolver.locate(arguments[index], purpose) for index, purpose in asked.items()}
    resolver.remember()
    return {index: one for index, one in found.items() if one is not None}


def _credential(
    node: str, located: list[Located], verb: str, *, read_only: bool, duration: int | None
) -> dict[str, Any]:
    from workspacesio.client.credentials import for_workspaces

    return for_workspaces(
        sign_in.current(),
        node,
        (f"{one.workspace['owner']}:{one.workspace['name']}" for one in located),
        read_only=read_only,
        duration=duration,
        left=0.5 if verb in LONG_RUNNING else 0.0,
        fresh=verb == "mirror" and not read_only,  # what they say of rights must be so now
    )


def _shown(one: Located, alias: str, endpoint: str) -> Shown:
    return Shown(
        typed=one.typed,
        alias=alias,
        endpoint=endpoint,
        bucket=one.workspace["bucket"],
        prefix=one.workspace["prefix"],
    )


def mc_arguments(parser: argparse.ArgumentParser) -> None:
    """For completion only: `mc` itself reads its arguments as they are."""
    from workspacesio.cli.arguments import complete_workspace

    parser.add_argument("verb", choices=mc_flags.VERBS)
    rest = parser.add_argument("arguments", nargs="*")
    rest.completer = complete_workspace  # type: ignore[attr-defined]
