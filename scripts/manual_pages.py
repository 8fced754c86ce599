"""`man wio` and a page for each command, from the parsers, in the macros of man(7).

They are no part of the tree: `scripts/build_manual.py` puts them into the package when it is built.
"""

from __future__ import annotations

import argparse
import re

from command_reference import INTRODUCTION, actions, described, explained, option_forms, usage

from workspacesio import __version__
from workspacesio.cli import mc_command, registry
from workspacesio.cli.parser import build

REFERENCES = (
    "A workspace is written name/path, owner/name/path or, where that means two things, owner:name/path. "
    "An argument that begins with . / or ~ is a local path; wio:name/path is a workspace."
)
EXIT_STATUS = "0 done, 1 refused or failed, 2 wrong usage; `wio mc` and `wio exec` end with that of what they run."


def pages() -> dict[str, str]:
    """Text by file name: `wio.1`, and one for each command, each group of commands and each short form."""
    found = {"wio.1": _overview()}
    for words in registry.COMMANDS:
        found[_file(words)] = _command(words)
        group = words.partition(" ")[0]
        if group not in registry.COMMANDS:
            found.setdefault(_file(group), _group(group))
    for short, words in registry.SHORT_FORMS.items():
        found[_file(short)] = f".so man1/{_file(words)}\n"
    return found


def _file(words: str) -> str:
    return f"wio-{words.replace(' ', '-')}.1"


def _overview() -> str:
    text = _head("wio", "share data where it lies") + _section("SYNOPSIS", "`wio` COMMAND [ARGUMENT ...]")
    text += _section(
        "DESCRIPTION", REFERENCES, "`wio COMMAND --help` and `man wio-COMMAND` say what a command takes."
    )
    text += '.SH "COMMANDS"\n'
    for title, tops in registry.SECTIONS:
        text += f".SS {_quoted(title)}\n"
        for top in tops:
            for words in [top] if top in registry.COMMANDS else registry.members(top):
                text += _item(f"`wio {words}`", registry.COMMANDS[words][2])
    rows = re.findall(r"^\| (.*) \| (.*) \|$", INTRODUCTION, flags=re.MULTILINE)[1:]
    text += '.SH "ENVIRONMENT"\n' + "".join(_item(name, what) for name, what in rows if name.startswith("`"))
    text += '.SH "FILES"\n' + "".join(_item(where, what) for what, where in rows if not what.startswith("`"))
    return text + _section("EXIT STATUS", EXIT_STATUS)


def _group(group: str) -> str:
    members = registry.members(group)
    text = _head(f"wio {group}", f"commands that begin with wio {group}")
    text += _section("SYNOPSIS", f"`wio {group}` COMMAND [ARGUMENT ...]") + '.SH "COMMANDS"\n'
    text += "".join(_item(f"`wio {words}`", registry.COMMANDS[words][2]) for words in members)
    return text + _see_also([f"wio-{words.replace(' ', '-')}" for words in members])


def _command(words: str) -> str:
    summary = registry.COMMANDS[words][2]
    text = _head(f"wio {words}", summary)
    if words == "mc":
        return text + '.SH "DESCRIPTION"\n' + _as_it_is(mc_command.help_text()) + _see_also([])
    parser = build(words)
    short = next((short for short, long in registry.SHORT_FORMS.items() if long == words), None)
    text += _section("SYNOPSIS", usage(words, parser))
    text += _section(
        "DESCRIPTION",
        f"{summary[:1].upper()}{summary[1:]}.",
        f"`wio {short}` is the same." if short else "",
        REFERENCES if any("WORKSPACE" in str(action.metavar) for action in actions(parser)) else "",
    )
    if described(parser):
        text += '.SH "OPTIONS"\n' + "".join(_option(action) for action in described(parser))
    if parser.epilog:
        text += '.SH "NOTES"\n' + _as_it_is(parser.epilog)
    text += _section("EXIT STATUS", EXIT_STATUS)
    group = words.rpartition(" ")[0]
    return text + _see_also([f"wio-{group.replace(' ', '-')}"] if group else [])


def _head(name: str, summary: str) -> str:
    page = name.replace(" ", "-")
    return (
        f'.TH {_quoted(page.upper())} 1 "" {_quoted(f"WorkspacesIO {__version__}")} "WorkspacesIO"\n'
        f'.SH "NAME"\n{_roff(page)} \\- {_roff(summary)}\n'
    )


def _section(title: str, *paragraphs: str) -> str:
    return f'.SH "{title}"\n' + ".PP\n".join(f"{_roff(one)}\n" for one in paragraphs if one)


def _item(tag: str, text: str) -> str:
    return f".TP\n{_roff(tag)}\n{_roff(text)}\n"


def _option(action: argparse.Action) -> str:
    return _item(", ".join(f"`{form}`" for form in option_forms(action)), explained(action))


def _see_also(names: list[str]) -> str:
    return _section("SEE ALSO", ", ".join(f"`{name}`(1)" for name in ["wio", *names]))


def _as_it_is(text: str) -> str:
    """Lines as they are, their columns kept."""
    return ".nf\n" + "".join(f"{_roff(line)}\n" for line in text.rstrip().splitlines()) + ".fi\n"


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace('"', "\\(dq") + '"'


def _roff(text: str) -> str:
    """A line of text: what stands between backticks is bold, and nothing in it is a request of troff."""
    line = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _escaped(text: str) -> str:
    """Characters as they are typed (groff_char(7)): a minus that can be copied, no quotes that curl."""
    for plain, spelled in (
        ("\\", "\\e"),
        ("-", "\\-"),
        ("'", "\\(aq"),
        ("^", "\\(ha"),
        ("~", "\\(ti"),
        ("…", "..."),
    ):
        text = text.replace(plain, spelled)
    return text
