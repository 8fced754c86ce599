"""The entry of `wio`: finds the command that was typed, runs it, and turns what it raises into an exit status.

0 done, 1 refused or failed, 2 wrong usage, 130 interrupted (as shells count SIGINT).
"""

from __future__ import annotations

import os
import sys

from workspacesio.cli import registry
from workspacesio.client.errors import CommandError, UsageError

THREADS_SECONDS = 3.0
"""For so long ^C waits for what is under way to be broken off."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit status. Errors are one sentence on standard error."""
    if "_ARGCOMPLETE" in os.environ:
        from workspacesio.cli.completion import complete

        complete()
    _open_what_is_shut()
    # Names may hold what the terminal's encoding can't say.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except CommandError as error:
        from workspacesio.cli import output

        print(f"wio: {output.safe(error)}", file=sys.stderr)  # names in it are other people's choice
        if error.below:
            print(error.below, file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        _give_up_output()  # who reads it has enough
        return 1
    except KeyboardInterrupt:
        _end_threads()
        return 130
    except OSError as error:
        print(f"wio: {error.strerror or error}: {error.filename or 'standard output'}.", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            _give_up_output()
        return 1
    return status


def _give_up_output() -> None:
    """The interpreter must not complain when it flushes standard output at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_what_is_shut() -> None:
    """Where a shell shut a standard stream (`>&-`): nothing else may be opened under its number, and written to.

    Standard output is opened for reading, so that writing to it fails and is told, as with the tools of GNU.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY if number != 1 else os.O_RDONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _end_threads() -> None:
    """The interpreter waits for threads, but ^C doesn't wait for one that connects to what never answers."""
    import threading
    import time

    deadline = time.monotonic() + THREADS_SECONDS
    try:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    os._exit(130)
    except KeyboardInterrupt:
        os._exit(130)


def run(argv: list[str]) -> int:
    """Dispatch; raises CommandError."""
    if argv and argv[0] == "help" and len(argv) > 1:
        argv = [*argv[1:], "--help"]
    if argv and argv[0] in ("-h", "--help", "help"):
        print(overview(), end="")
        return 0
    if argv and argv[0] == "--version":
        from workspacesio import __version__

        print(f"wio {__version__}")
        return 0
    words, rest = registry.find(argv)
    if not words:
        asked = f"there is no command {argv[0]!r}" if argv else "say what to do"
        raise UsageError(f"{asked}; {_meant(argv[0]) if argv else ''}`wio --help` lists the commands.")
    if words not in registry.COMMANDS:
        return _group(words, rest)
    if words == "mc":
        from workspacesio.cli.mc_command import mc

        return mc(rest)
    from workspacesio.cli import parser

    try:
        arguments = parser.parse(words, rest)
    except SystemExit:  # argparse has printed the help
        return 0
    return parser.function(words)(arguments) or 0


def _meant(typed: str) -> str:
    """`did you mean `wio sync`? `, or nothing."""
    from difflib import get_close_matches

    near = [name for name in registry.COMMANDS if name == f"workspace {typed}"]
    near = near or get_close_matches(typed, {name.split()[0] for name in registry.COMMANDS}, n=1, cutoff=0.7)
    return f"did you mean `wio {near[0]}`? " if near else ""


def _group(group: str, rest: list[str]) -> int:
    names = registry.members(group)
    if rest and rest[0] in ("-h", "--help"):
        print(_lines(f"wio {group}", names), end="")
        return 0
    asked = f"`wio {group}` has no command {rest[0]!r}" if rest else f"`wio {group}` needs a command"
    known = ", ".join(name[len(group) + 1 :] for name in names)
    raise UsageError(f"{asked}; it has {known}.")


def overview() -> str:
    """What `wio --help` prints."""
    text = "wio: share data where it lies\n"
    for title, tops in registry.SECTIONS:
        names = [name for top in tops for name in ([top] if top in registry.COMMANDS else registry.members(top))]
        text += "\n" + _lines(title, names)
    text += (
        "\nShort forms: w for workspace; create, share, unshare and shares for `wio workspace …`.\n"
        "A workspace is written name/path, owner/name/path or, where that means two things, owner:name/path.\n"
        "`wio COMMAND --help` says what a command takes.\n"
    )
    return text


def _lines(title: str, names: list[str]) -> str:
    return f"{title}\n" + "".join(f"  {name:<22}{registry.COMMANDS[name][2]}\n" for name in names)


if __name__ == "__main__":
    sys.exit(main())
