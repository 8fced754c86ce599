"""docs/commands.md, from the parsers of `wio` (argparse's own layout differs between versions of Python)."""

from __future__ import annotations

import argparse
import html
import re

from workspacesio.cli import mc_command, registry
from workspacesio.cli.parser import build

INTRODUCTION = """\
# Commands

<!-- Written by scripts/generate-docs from the commands themselves. -->

Exit status: 0 done, 1 refused or failed, 2 wrong usage; `wio mc` and `wio exec` end with that of what they run.
Errors go to standard error in one sentence that says what to do next. Every listing takes `--json`.

A workspace is written `name/path`, `owner/name/path` or `owner:name/path`, as [terminology](terminology.md) says.
Durations are a number and `s`, `m`, `h`, `d` or `w`; a
date such as `2027-01-31` holds until its end.

| what | where |
|---|---|
| the server and your session tokens | `$XDG_CONFIG_HOME/workspacesio/config.json`, readable by you alone |
| cached credentials, until shortly before they expire | `$XDG_CACHE_HOME/workspacesio/`, readable by you alone |
| `WIO_API_URL` | the server to use instead of the one signed in to last |
| `WIO_TOKEN` | a session token or API key to use instead of the one kept |
| `WIO_MC` | the MinIO client, where it isn't `mc` or `mcli` on the PATH |
| `SSL_CERT_FILE`, `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy` | certificates to trust, the way out |
"""


def markdown() -> str:
    """The whole document."""
    text = INTRODUCTION
    short = {long: words for words, long in registry.SHORT_FORMS.items()}
    for title, tops in registry.SECTIONS:
        text += f"\n## {title}\n"
        for top in tops:
            for words in [top] if top in registry.COMMANDS else registry.members(top):
                text += "\n" + _command(words, short.get(words))
    return text


def _command(words: str, short: str | None) -> str:
    summary = registry.COMMANDS[words][2]
    heading = f"### wio {words}\n\n"
    if words == "mc":
        return f"{heading}```\n{mc_command.help_text()}```\n"
    parser = build(words)
    also = f" Also `wio {short}`." if short else ""
    text = f"{heading}`{usage(words, parser)}`\n\n{summary[:1].upper()}{summary[1:]}.{also}\n"
    if described(parser):
        text += "\n| | |\n|---|---|\n"
        for action in described(parser):
            forms = ", ".join(map(_code, option_forms(action)))
            text += f"| {forms} | {_cell(explained(action))} |\n"
    if parser.epilog:
        text += f"\n{_epilog(parser.epilog)}\n"
    return text


def _epilog(text: str) -> str:
    """Lines that are indented are examples, and keep their columns."""
    fenced = re.sub(
        r"(?:^ {2}.*$\n?)+", lambda found: f"\n```\n{found[0].rstrip()}\n```\n\n", text, flags=re.MULTILINE
    )
    return re.sub(r"\n{3,}", "\n\n", fenced).strip()


def usage(words: str, parser: argparse.ArgumentParser) -> str:
    """The whole command on one line."""
    if parser.usage:
        return parser.usage.replace("[options]", _options(parser))
    positions = " ".join(_position(action) for action in actions(parser) if not action.option_strings)
    return " ".join(part for part in (f"wio {words}", positions, _options(parser)) if part)


def _options(parser: argparse.ArgumentParser) -> str:
    return " ".join(
        _option(action) if action.required else f"[{_option(action)}]"
        for action in actions(parser)
        if action.option_strings
    )


def described(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What its help says something of."""
    return [action for action in actions(parser) if action.help]


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """All that it takes, but for --help."""
    return [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]


def _name(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(action.choices) if action.choices else action.dest.upper()


def _position(action: argparse.Action) -> str:
    name = _name(action)
    if " " in name:  # a form such as `[https://HOST] EMAIL` says it all
        return name
    if isinstance(action.nargs, int):
        return " ".join([name] * action.nargs)
    return {"*": f"[{name} …]", "+": f"{name} …", "?": f"[{name}]"}.get(str(action.nargs), name)


def _option(action: argparse.Action) -> str:
    return action.option_strings[-1] if action.nargs == 0 else f"{action.option_strings[-1]} {_name(action)}"


def option_forms(action: argparse.Action) -> list[str]:
    """How it is typed: `-n N`, `--lines N`."""
    if not action.option_strings:
        return [_name(action)]
    value = "" if action.nargs == 0 else f" {_name(action)}"
    return [f"{name}{value}" for name in action.option_strings]


def _code(text: str) -> str:
    """In a cell of a table, where a bar ends the cell: what stands for one differs between renderers, but for this."""
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def explained(action: argparse.Action) -> str:
    """Its help, with its default."""
    return (action.help or "") % {"default": action.default}


def _cell(text: str) -> str:
    return re.sub(r"`([^`]*)`", lambda found: _code(found[1]), text).replace("|", "\\|")
