"""Shell completion, by argcomplete: commands, options, and the workspaces that the caller reaches."""

from __future__ import annotations

import argparse
import os
import time

from workspacesio.cli import private_files, sign_in
from workspacesio.cli.errors import CommandError

FRESH_SECONDS = 30
"""How long one listing of workspaces answers the tabulator key."""


def completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.epilog = (
        'bash and zsh: put `eval "$(wio completion bash)"` (or zsh) into ~/.bashrc (~/.zshrc). '
        "fish: wio completion fish > ~/.config/fish/completions/wio.fish"
    )


def completion(arguments: argparse.Namespace) -> None:
    """`wio completion`: prints the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["wio"], shell=arguments.shell))


def complete() -> None:
    """Answer the shell and end the process; called only while a shell asks."""
    import argcomplete

    from workspacesio.cli.parser import build_all

    argcomplete.autocomplete(build_all())


def workspace_references(typed: str) -> list[str]:
    """References that begin with what was typed, with a final slash. Silent: a shell has no room for errors."""
    try:
        caller = sign_in.current()
        known = _known(caller)
    except (CommandError, OSError, KeyError, TypeError):
        return []
    names = [f"{one['name']}/" for one in known if one["owner"] == caller.username]
    names += [f"{one['owner']}/{one['name']}/" for one in known]
    return [name for name in names if name.startswith(typed)]


def _known(caller: sign_in.SignIn) -> list[dict[str, str]]:
    path = os.path.join(private_files.cache_dir(), caller.cache_key or "-", "completion.json")
    kept = private_files.read_json(path)
    if isinstance(kept, dict) and 0 <= time.time() - kept["at"] < FRESH_SECONDS:
        found: list[dict[str, str]] = kept["workspaces"]
        return found
    from workspacesio.cli.client import Client

    listed = Client(caller.server, caller.token).pages("/workspaces", "reference", scope="all")
    found = [{"owner": one["owner"], "name": one["name"]} for one in listed]
    private_files.write_json(path, {"at": time.time(), "workspaces": found})
    return found
