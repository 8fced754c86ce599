"""Passwords and secrets: asked for without echo, or read from standard input; never an argument, never shown."""

from __future__ import annotations

import argparse
import sys

from workspacesio.client.errors import CommandError, UsageError


def password_argument(parser: argparse.ArgumentParser, *, lines: str = "the password, one line") -> None:
    """Declare --password-stdin."""
    parser.add_argument("--password-stdin", action="store_true", help=f"read {lines}, from standard input")


def read(question: str, *, from_stdin: bool, repeat: bool = False) -> str:
    """A password; `repeat` asks for a new one twice. Raises CommandError, UsageError where nobody can be asked."""
    password = _read(question, "password", "--password-stdin", from_stdin=from_stdin, repeat=repeat)
    if not password:
        raise CommandError("a password can't be empty; try again.")
    return password


def secret_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare --secret-stdin."""
    parser.add_argument("--secret-stdin", action="store_true", help=f"read {what} from standard input, one line")


def read_secret(question: str, *, from_stdin: bool) -> str:
    """The secret of a key of another server. Raises as `read`."""
    secret = _read(question, "secret", "--secret-stdin", from_stdin=from_stdin).strip()
    if not secret:
        raise CommandError("a secret can't be empty; try again.")
    return secret


def _read(question: str, what: str, option: str, *, from_stdin: bool, repeat: bool = False) -> str:
    if from_stdin:
        # Spaces may belong to a password; only the line's own end doesn't.
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise CommandError(f"standard input held no {what}; give it as one line.")
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask for the {what}; give it with {option}.")
    import getpass

    given = getpass.getpass(f"{question}: ")
    if repeat and getpass.getpass(f"{question} again: ") != given:
        raise CommandError("the two passwords differ; try again.")
    return given


def agreed(question: str) -> bool:
    """Ask before something that can't be undone. Where there is no terminal, the command itself is the word."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
