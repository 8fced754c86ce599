"""Arguments that many commands share."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def reference(text: str) -> str:
    """The type of an argument that can only be a workspace: `wio:`, which says so, isn't part of its name."""
    if not text.startswith("wio:"):
        return text
    from workspacesio.client.references import unforced

    return unforced(text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Every listing takes --json."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_workspace(
    parser: argparse.ArgumentParser, name: str = "workspace", *, metavar: str = "WORKSPACE", **settings: Any
) -> None:
    """A reference, `name`, `owner/name` or `owner:name`, that the shell can complete."""
    action = parser.add_argument(name, metavar=metavar, type=reference, **settings)
    action.completer = complete_workspace  # type: ignore[attr-defined]


def add_path(parser: argparse.ArgumentParser, name: str, *, local: bool = False, **settings: Any) -> None:
    """A path in a workspace, or where `local` a file of this machine, that the shell can complete."""
    action = parser.add_argument(name, **settings)
    action.completer = complete_path_or_file if local else complete_path  # type: ignore[attr-defined]


def add_root(parser: argparse.ArgumentParser, name: str = "--root", **settings: Any) -> None:
    """A root's name, that the shell can complete."""
    action = parser.add_argument(name, metavar="ROOT", **settings)
    action.completer = complete_root  # type: ignore[attr-defined]


def how_many(text: str) -> int:
    """The value of --limit; raises argparse.ArgumentTypeError."""
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        import argparse

        raise argparse.ArgumentTypeError(f"{text!r} is no number of results; write 1 or more")
    return int(text)


def complete_root(prefix: str, **_: Any) -> list[str]:
    """For argcomplete: the roots that begin with what was typed."""
    from workspacesio.cli.completion import root_names

    return root_names(prefix)


def complete_workspace(prefix: str, **_: Any) -> list[str]:
    """For argcomplete: the references that begin with what was typed."""
    from workspacesio.cli.completion import workspace_references

    return workspace_references(prefix)


def complete_path(prefix: str, **_: Any) -> list[str]:
    """For argcomplete: workspaces, and what lies in them."""
    from workspacesio.cli.completion import paths

    return paths(prefix)


def complete_path_or_file(prefix: str, **settings: Any) -> list[str]:
    """As `complete_path`, and the files of this machine."""
    from argcomplete.completers import FilesCompleter

    local: list[str] = list(FilesCompleter()(prefix, **settings))
    return local if prefix[:1] in (".", "/", "~") else [*complete_path(prefix), *local]
