"""Passwords: asked for without echo, or read from standard input; never an argument, never shown."""

from __future__ import annotations

import argparse
import sys

from workspacesio.cli.errors import CommandError, UsageError


def password_argument(parser: argparse.ArgumentParser, *, lines: str = "the password, one line") -> None:
    """Declare --password-stdin."""
    parser.add_argument("--password-stdin", action="store_true", help=f"read {lines}, from standard input")


def read(question: str, *, from_stdin: bool, repeat: bool = False) -> str:
    """A password; `repeat` asks for a new one twice. Raises CommandError, UsageError where nobody can be asked."""
    if from_stdin:
        # Spaces may belong to a password; only the line's own end doesn't.
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandError("standard input held no password; give it as one line.")
        return password
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for the password; give it with --password-stdin.")
    import getpass

    password = getpass.getpass(f"{question}: ")
    if repeat and getpass.getpass(f"{question} again: ") != password:
        raise CommandError("the two passwords differ; try again.")
    if not password:
        raise CommandError("a password can't be empty; try again.")
    return password


def agreed(question: str) -> bool:
    """Ask before something that can't be undone. Where there is no terminal, the command itself is the word."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
