"""What `wio search` prints: results as rows, as paths, as facets; and where a query went wrong."""

from __future__ import annotations

import sys
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.terminal_text import BOLD, DIM, coloured, marked, paint
from workspacesio.client import sign_in
from workspacesio.client.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.cli.search_command import Pages

MAX_ROWS = 1000
"""Of a facet, as many as the API tells."""

ALL_ROWS = f"No more than {MAX_ROWS:,} of each are told apart; a narrower query has fewer."

HEADINGS = {
    "ext": "EXTENSION",
    "type": "TYPE",
    "owner": "OWNER",
    "workspace": "WORKSPACE",
    "folder": "FOLDER",
    "year": "YEAR",
}
NOTHING = {"ext": "(none)", "type": "(unknown)", "folder": "(less deep)"}
"""What stands for the empty key."""


def reference(result: dict[str, Any]) -> str:
    """`owner/workspace/path`, which means the same to everybody."""
    return f"{result['owner']}/{result['workspace']}/{result['path']}"


def print_results(pages: Pages, *, problems: bool = False) -> None:
    """Size, age and path of each on standard output; how many there are, and how complete, on standard error.

    `problems`: why not all of an object could be read, below each; else how many of them there are, once.
    """
    print_incomplete(pages.first)
    total = pages.first["total"]
    colours = coloured()
    username = sign_in.current().username
    shown = unread = 0
    for result in pages.results():
        if not shown:
            print(paint(BOLD, f"{'SIZE':>10}  {'MODIFIED':<10}  PATH", colours=colours))
        shown += 1
        print(_row(result, username, colours=colours))
        if result.get("problem"):
            unread += 1
            if problems:
                problem = f"(not all of it could be read: {output.safe(result['problem'])})"
                print(f"{'':24}{paint(DIM, problem, colours=colours)}")
    sys.stdout.flush()
    if not total and pages.first["incomplete"]:
        said = "Nothing fits of what you can reach and is indexed."
    elif not total:
        said = "Nothing that you can reach fits; `wio search --help` shows how queries are written."
    else:
        said = f"{_objects(total)}, {output.size(pages.first['bytes'])}"
        said = f"{shown:,} of {said} in all; --limit N or --all shows more." if shown < total else f"{said}."
    if unread and not problems:
        said += f" Not all of {unread:,} of them could be read; --problems says why."
    print(paint(DIM, said, colours=coloured(sys.stderr)), file=sys.stderr)


def _objects(count: int) -> str:
    return f"{count:,} object{'' if count == 1 else 's'}"


def _row(result: dict[str, Any], username: str, *, colours: bool) -> str:
    before = f"{result['workspace']}/"
    if result["owner"] != username:
        before = f"{result['owner']}/{before}"
    in_path: list[tuple[int, int]] = []
    lines = []
    for one in result.get("highlights") or []:
        ranges = [(begin, end) for begin, end in one["ranges"]]
        if one["text"] == result["path"]:
            in_path = ranges
        else:
            lines.append(f"{'':24}{marked(one['text'].strip(), _moved(one['text'], ranges), colours=colours)}")
    path = output.safe(before) + marked(result["path"], in_path, colours=colours)
    row = f"{output.size(result['size']) or '':>10}  {output.ago(result['modified']):<10}  {path}"
    return "\n".join([row, *lines])


def _moved(text: str, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges of a text whose leading blanks are left out."""
    blanks = len(text) - len(text.lstrip())
    return [(max(0, begin - blanks), end - blanks) for begin, end in ranges]


def print_paths(pages: Pages, *, end: str) -> int:
    """Exact references as they are (on a terminal: safe to show), so that commands find them again.

    Exit status 1 where one was left out.

    A name that holds a line break would read as two paths, the second one anybody's choice: it goes with -0 only.
    """
    print_incomplete(pages.first)
    out, on_terminal = sys.stdout.buffer, sys.stdout.isatty()
    shown = left_out = 0
    for result in pages.results():
        shown += 1
        path = reference(result)
        if end == "\n" and ("\n" in path or "\r" in path):
            left_out += 1
            print(f"wio: left out, for it holds a line break: {output.safe(path)}", file=sys.stderr)
            continue
        out.write((output.safe(path) if on_terminal else path).encode() + end.encode())
    out.flush()
    if shown < pages.first["total"]:
        print(f"wio: {shown:,} of {_objects(pages.first['total'])}; --all prints every one.", file=sys.stderr)
    if left_out:
        print("wio: -0 prints every path, each with a NUL behind it.", file=sys.stderr)
    return 1 if left_out else 0


def print_facets(answer: dict[str, Any], *, limit: int) -> None:
    """A table for each facet, the most objects first; behind the first `limit` rows what is in none of them."""
    print(f"{_objects(answer['total'])}, {output.size(answer['bytes'])}")
    cut = False
    for facet, buckets in answer["facets"].items():
        rows: list[list[object]] = [
            [one["key"] or NOTHING.get(facet, "-"), output.number(one["count"]), output.size(one["bytes"])]
            for one in buckets[:limit]
        ]
        others, hidden = answer["others"][facet], buckets[limit:]
        count = others["count"] + sum(one["count"] for one in hidden)
        if count:
            cut = True
            size = others["bytes"] + sum(one["bytes"] for one in hidden)
            rows.append(
                [_more(len(hidden), all_known=not others["count"]), output.number(count), output.size(size)]
            )
        if rows:
            print()
            output.print_table([HEADINGS[facet], "OBJECTS", "SIZE"], rows, empty="")
    if cut:
        sys.stdout.flush()
        said = f"The first {limit:,} of each; --limit N or --all shows more." if limit < MAX_ROWS else ALL_ROWS
        print(paint(DIM, said, colours=coloured(sys.stderr)), file=sys.stderr)


def _more(hidden: int, *, all_known: bool) -> str:
    """How many rows aren't shown; beyond `MAX_ROWS` nobody knows, though what is in them is exact."""
    if all_known:
        return f"… and {hidden:,} more"
    return f"… and over {hidden:,} more" if hidden else "… and all others"


def print_incomplete(answer: dict[str, Any]) -> None:
    """What the index doesn't hold yet and what of the query means nothing, on standard error, a sentence each.

    That words were looked for in paths alone is how most roots are, and worth a line where they weren't found.
    """
    for one in [*answer["incomplete"], *answer.get("notes", ())]:
        if one["code"] == "words_not_indexed" and answer.get("total"):
            continue
        print(f"wio: {output.safe(one['message'])}", file=sys.stderr)


def pointed(refused: Refused, text: str) -> str:
    """The place of what is wrong with a query, drawn; "" where none is told."""
    at, length = refused.details.get("at"), refused.details.get("length")
    if isinstance(at, int) and isinstance(length, int) and text and 0 <= at <= len(text):
        return _around(text, at, max(1, length))
    return ""


def _around(text: str, at: int, length: int) -> str:
    """The line of the query with carets below; of a long one, what is near."""
    begin = max(0, at - 50) if len(text) > 70 else 0
    end = min(len(text), begin + 70)
    before, here = output.safe(text[begin:at]), output.safe(text[at : min(end, at + length)])
    lead = "..." if begin else ""
    trail = "..." if end < len(text) else ""
    whole = lead + before + here + output.safe(text[at + len(text[at : min(end, at + length)]) : end]) + trail
    spaces = " " * (output.columns(lead) + output.columns(before))
    return f"  {whole}\n  {spaces}{'^' * max(1, output.columns(here))}"
