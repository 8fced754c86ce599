"""`wio ls`, `tree`, `find` and `stat`: what lies in workspaces, as it is stored now."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json
from workspacesio.cli.file_arguments import (
    add_paths,
    byte_count,
    counted,
    described,
    opened,
    print_json_list,
    row,
)
from workspacesio.cli.terminal_text import DIM, coloured, paint
from workspacesio.cli.workspace_commands import reachable, scope_arguments
from workspacesio.client.errors import UsageError
from workspacesio.client.places import Item, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def ls_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="*", what="what to list (default: every workspace that you can reach)")
    parser.add_argument("-r", "--recursive", action="store_true", help="everything below, too")
    scope_arguments(parser)
    add_json(parser)


def ls(arguments: argparse.Namespace) -> None:
    """`wio ls`: workspaces; or objects and folders of those that are named."""
    if not arguments.paths:
        if arguments.recursive:
            raise UsageError("--recursive is for a workspace: `wio ls -r NAME/`.")
        reachable(arguments)
        return
    if arguments.scope:
        raise UsageError(f"--{arguments.scope} is for `wio ls` without a name.")
    listed = [(place, _listed(place, recursive=arguments.recursive)) for place in opened(arguments.paths)]
    if arguments.json:
        print_json_list(described(place, item) for place, items in listed for item in items)
        return
    for index, (place, items) in enumerate(listed):
        if len(listed) > 1:
            print(("\n" if index else "") + f"{output.safe(place.name())}:")
        total, folders, cut = [0, 0], 0, len(place.folder)
        for item in counted(items, total):
            folders += item.is_folder
            # An object that was named itself stands there as it was named.
            print(row(item, item.path[cut:] if item.path.startswith(place.folder) else item.path))
        _say(_summed(total, folders))


def _listed(place: Place, *, recursive: bool) -> Iterator[Item]:
    """Raises CommandError where there is nothing of that name."""
    if not place.is_folder():
        yield _object(place)
        return
    found = False
    for item in place.walk() if recursive else place.items():
        found = True
        yield item
    if not found:
        place.check_there()


def _object(place: Place) -> Item:
    details = place.details()
    return Item(place.path, details.size, details.modified, details.etag)


def _summed(total: list[int], folders: int) -> str:
    parts = [f"{total[0]:,} object{'' if total[0] == 1 else 's'}, {output.size(total[1])}"]
    if folders:
        parts.append(f"{folders:,} folder{'' if folders == 1 else 's'}")
    return "; ".join(parts)


def _say(text: str) -> None:
    sys.stdout.flush()
    if sys.stderr.isatty():
        print(paint(DIM, text, colours=coloured(sys.stderr)), file=sys.stderr)


def tree_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="where to begin")
    parser.add_argument("-L", "--depth", type=_levels, metavar="N", help="so many levels (default: all)")
    parser.add_argument("-d", "--folders", action="store_true", help="only folders")


def tree(arguments: argparse.Namespace) -> None:
    """`wio tree`: folders and objects, indented by branches."""
    for place in opened(arguments.paths):
        if not place.is_folder():
            place.details()
        else:
            place.check_there()
        print(output.safe(place.name()))
        total = [0, 0, 0]
        _branches(place, "", total, depth=arguments.depth, only_folders=arguments.folders)
        _say(_summed(total[:2], total[2]))


def _branches(place: Place, before: str, total: list[int], *, depth: int | None, only_folders: bool) -> None:
    if depth == 0:
        return
    items = (item for item in place.items() if item.is_folder or not only_folders)
    item = next(items, None)
    while item is not None:
        after = next(items, None)
        last = after is None
        print(f"{before}{'└── ' if last else '├── '}{output.safe(item.path[len(place.folder) :])}")
        if item.is_folder:
            total[2] += 1
            inner = place.at(item.path)
            deeper = None if depth is None else depth - 1
            _branches(inner, before + ("    " if last else "│   "), total, depth=deeper, only_folders=only_folders)
        else:
            total[0] += 1
            total[1] += item.size or 0
        item = after


def find_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="where to look, and in all folders below")
    parser.add_argument("--name", metavar="PATTERN", help="names like this: *.tif, plate-?.csv")
    parser.add_argument("--path", metavar="PATTERN", help="whole paths in the workspace like this: raw/*/plate-*")
    parser.add_argument("--larger", type=byte_count, metavar="SIZE", help="more bytes than this, such as 10MB")
    parser.add_argument("--smaller", type=byte_count, metavar="SIZE", help="fewer bytes than this")
    parser.add_argument("--newer", type=_seconds, metavar="7d", help="changed less than so long ago")
    parser.add_argument("--older", type=_seconds, metavar="7d", help="changed longer ago")
    parser.add_argument("-0", "--null", action="store_true", help="end each name with a NUL: for xargs -0")
    add_json(parser)
    parser.epilog = "`wio search` asks the index and is faster; `wio find` looks at what is stored now."


def find(arguments: argparse.Namespace) -> int:
    """`wio find`: objects by name, size and time, as references that commands take."""
    if arguments.json and arguments.null:
        raise UsageError("-0 or --json, not both.")
    found = ((place, item) for place in opened(arguments.paths) for item in _found(place, arguments))
    if arguments.json:
        print_json_list(described(place, item) for place, item in found)
        return 0
    return print_names((place.name(item.path) for place, item in found), end="\0" if arguments.null else "\n")


def _found(place: Place, arguments: argparse.Namespace) -> Iterator[Item]:
    if not place.is_folder():
        items: Iterator[Item] = iter([_object(place)])
    else:
        place.check_there()
        items = place.walk()
    return (item for item in items if _fits(item, arguments))


def _fits(item: Item, arguments: argparse.Namespace) -> bool:
    size, name = item.size or 0, item.path.rstrip("/").rpartition("/")[2]
    if arguments.name is not None and not fnmatch.fnmatchcase(name, arguments.name):
        return False
    if arguments.path is not None and not fnmatch.fnmatchcase(item.path, arguments.path):
        return False
    if arguments.larger is not None and size <= arguments.larger:
        return False
    if arguments.smaller is not None and size >= arguments.smaller:
        return False
    if arguments.newer is None and arguments.older is None:
        return True
    from datetime import UTC, datetime

    age = (datetime.now(UTC) - datetime.fromisoformat(item.modified)).total_seconds()
    return (arguments.newer is None or age < arguments.newer) and (
        arguments.older is None or age > arguments.older
    )


def print_names(names: Iterator[str], *, end: str) -> int:
    """As they are (on a terminal: safe to show). Exit status 1 where one was left out: a name that holds a line
    break would read as two."""
    out, on_terminal, left_out = sys.stdout.buffer, sys.stdout.isatty(), 0
    for name in names:
        if end == "\n" and ("\n" in name or "\r" in name):
            left_out = 1
            print(f"wio: left out, for it holds a line break: {output.safe(name)}", file=sys.stderr)
            continue
        out.write((output.safe(name) if on_terminal else name).encode() + end.encode())
    out.flush()
    if left_out:
        print("wio: -0 prints those, too.", file=sys.stderr)
    return left_out


def stat_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, nargs="+", what="objects, folders or workspaces")
    add_json(parser)


def stat(arguments: argparse.Namespace) -> None:
    """`wio stat`: everything that is stored with an object; of a folder, where it lies."""
    shown = [_stat(place) for place in opened(arguments.paths)]
    if arguments.json:
        output.print_json(shown if len(shown) > 1 else shown[0])
        return
    for index, fields in enumerate(shown):
        if index:
            print()
        metadata = fields.pop("metadata", {})
        fields["size"] = _in_words(fields.get("size"))
        fields["modified"] = output.when(fields.get("modified"))
        output.print_fields([*fields.items(), *((f"metadata {name}", value) for name, value in metadata.items())])


def _stat(place: Place) -> dict[str, Any]:
    workspace = place.workspace
    fields: dict[str, Any] = {"reference": f"{workspace['owner']}/{workspace['name']}/{place.path}"}
    if place.is_folder():
        place.check_there()
        kind = "folder" if place.path else "workspace"
        return {**fields, "kind": kind, "address": f"s3://{place.bucket}/{place.key(place.folder)}"}
    details = place.details()
    return {
        **fields,
        "kind": "object",
        "address": f"s3://{place.bucket}/{place.key()}",
        "size": details.size,
        "modified": details.modified,
        "etag": details.etag.strip('"'),
        "content_type": details.content_type,
        "metadata": details.metadata,
    }


def _in_words(size: int | None) -> str | None:
    if size is None:
        return None
    return f"{size:,} bytes ({output.size(size)})" if size >= 1024 else f"{size} bytes"


def _levels(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of levels; write 1 or more")
    return int(text)


def _seconds(text: str) -> int:
    from workspacesio.cli import times

    return times.duration(text)
