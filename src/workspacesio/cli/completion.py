"""Shell completion, by argcomplete: commands, options, and the workspaces and roots that the caller reaches."""

from __future__ import annotations

import argparse
import itertools
import os
import time

from workspacesio.client import private_files, sign_in
from workspacesio.client.errors import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from workspacesio.client.http_api import HttpApi

FRESH_SECONDS = 30
"""How long one listing answers the tabulator key."""
MOST_LOOKED_AT = 1000
"""Of what lies in a folder; more is no choice for a person."""


def completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"))
    parser.epilog = (
        'bash and zsh: put `eval "$(wio completion bash)"` (or zsh) into ~/.bashrc (~/.zshrc). '
        "fish: wio completion fish > ~/.config/fish/completions/wio.fish. "
        "PowerShell: put `wio completion powershell | Out-String | Invoke-Expression` into the file $PROFILE."
    )


def completion(arguments: argparse.Namespace) -> None:
    """`wio completion`: prints the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["wio"], shell=arguments.shell))


def complete() -> None:
    """Answer the shell and end the process; called only while a shell asks."""
    import argcomplete

    from workspacesio.cli.parser import build_all

    # PowerShell's line ends with its last word, and its cursor may stand behind the blank after that.
    line, at = os.environ.get("COMP_LINE", ""), os.environ.get("COMP_POINT", "0")
    os.environ["COMP_LINE"] = line.ljust(int(at))
    argcomplete.autocomplete(build_all())


def workspace_references(typed: str) -> list[str]:
    """References that begin with what was typed, with a final slash. Silent: a shell has no room for errors."""
    try:
        caller = sign_in.current()
        known = _known(caller, "workspaces", _workspaces)
    except (CommandError, OSError, KeyError, TypeError):
        return []
    names = [f"{one['name']}/" for one in known if one["owner"] == caller.username]
    names += [f"{one['owner']}/{one['name']}/" for one in known]
    return [name for name in names if name.startswith(typed)]


def paths(typed: str) -> list[str]:
    """What lies where was typed, beneath a workspace; and references as `workspace_references`. Silent."""
    folder, slash, _ = typed.rpartition("/")
    return [*workspace_references(typed), *(_children(f"{folder}/", typed) if slash else ())]


def _children(folder: str, typed: str) -> list[str]:
    from workspacesio.client.places import places
    from workspacesio.client.references import READ, Resolver

    try:
        caller = sign_in.current()
        located = Resolver(caller, exists=lambda _: False, believes=False).locate(folder, READ)
        if located is None:
            return []
        (place,) = places(caller, [located], read_only=True)
        with place.storage:
            first = itertools.islice((place.name(item.path) for item in place.items()), MOST_LOOKED_AT)
            return [name for name in first if name.startswith(typed) and name.isprintable()]
    except (CommandError, OSError, KeyError, TypeError):
        return []


def root_names(typed: str) -> list[str]:
    """Roots that begin with what was typed. Silent, as `workspace_references`."""
    try:
        known = _known(sign_in.current(), "roots", _roots)
    except (CommandError, OSError, KeyError, TypeError):
        return []
    return [one["name"] for one in known if one["name"].startswith(typed)]


def _workspaces(client: HttpApi) -> list[dict[str, str]]:
    listed = client.pages("/workspaces", "reference", scope="all")
    return [{"owner": one["owner"], "name": one["name"]} for one in listed]


def _roots(client: HttpApi) -> list[dict[str, str]]:
    return [{"name": one["name"]} for one in client.get("/roots")]


def _known(
    caller: sign_in.SignIn, kind: str, ask: Callable[[HttpApi], list[dict[str, str]]]
) -> list[dict[str, str]]:
    name = "completion.json" if kind == "workspaces" else f"completion-{kind}.json"
    path = os.path.join(private_files.cache_dir(), caller.cache_key or "-", name)
    kept = private_files.read_json(path)
    if isinstance(kept, dict) and 0 <= time.time() - kept["at"] < FRESH_SECONDS:
        found: list[dict[str, str]] = kept[kind]
        return found
    from workspacesio.client.http_api import HttpApi

    found = ask(HttpApi(caller.server, caller.token))
    private_files.write_json(path, {"at": time.time(), kind: found})
    return found
