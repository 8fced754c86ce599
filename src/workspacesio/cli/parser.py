"""Parsers, built only for the command that was typed; the tree of all of them only for completion."""

from __future__ import annotations

import argparse
import importlib

from workspacesio.cli import registry
from workspacesio.client.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    Run = Callable[[argparse.Namespace], int | None]


class Parser(argparse.ArgumentParser):
    """argparse, but wrong usage is one sentence that says where the help is."""

    def __init__(self, prog: str, *, summary: str = "", **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("description", summary[:1].upper() + summary[1:] + "." if summary else None)
        super().__init__(prog, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{message}; `{self.prog} --help` shows how it is typed.")


def function(words: str) -> Run:
    """The function that runs a command."""
    module, name, _ = registry.COMMANDS[words]
    found: Run = getattr(importlib.import_module(f"workspacesio.cli.{module}"), name)
    return found


def configure(words: str, parser: argparse.ArgumentParser) -> None:
    """Declare what a command takes."""
    module, name, _ = registry.COMMANDS[words]
    getattr(importlib.import_module(f"workspacesio.cli.{module}"), name + "_arguments")(parser)


def build(words: str) -> Parser:
    """The parser of one command."""
    parser = Parser(f"wio {words}", summary=registry.COMMANDS[words][2])
    configure(words, parser)
    return parser


def build_all() -> Parser:
    """The parser of everything: slow, for completion only."""
    tree = Parser("wio", summary="share data where it lies")
    levels = {"": tree.add_subparsers(dest="_1", parser_class=Parser)}
    for words in [*registry.COMMANDS, *registry.SHORT_FORMS]:
        long = registry.SHORT_FORMS.get(words, words)
        for typed in [words + long_member[len(long) :] for long_member in registry.members(long)] or [words]:
            _add(levels, typed, long + typed[len(words) :])
    return tree


def _add(levels: dict[str, Any], typed: str, long: str) -> None:
    group = ""
    *before, last = typed.split(" ")
    for word in before:
        inner = f"{group} {word}".strip()
        if inner not in levels:
            added = levels[group].add_parser(word, prog=f"wio {inner}")
            levels[inner] = added.add_subparsers(dest=f"_{len(inner.split()) + 1}", parser_class=Parser)
        group = inner
    summary = registry.COMMANDS[long][2]
    configure(long, levels[group].add_parser(last, prog=f"wio {typed}", help=summary, summary=summary))


def parse(words: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse what was typed after a command; raises UsageError.

    A command with a language of its own tells words from options itself, by a function `NAME_typed`.
    """
    parser = build(words)
    module, name, _ = registry.COMMANDS[words]
    typed: Callable[[Sequence[str]], list[str]] | None
    typed = getattr(importlib.import_module(f"workspacesio.cli.{module}"), name + "_typed", None)
    if typed is not None:
        return parser.parse_args(typed(arguments))
    if "--" in arguments:  # `wio exec WORKSPACE -- COMMAND --its-options`
        split = list(arguments).index("--")
        if parser.get_default("command") is None:  # names that begin with a dash
            return parser.parse_args(arguments)
        parsed = parser.parse_intermixed_args(arguments[:split])
        parsed.command = list(arguments[split + 1 :])
        return parsed
    return parser.parse_intermixed_args(arguments)
