"""`wio search`: finds what the caller may read. Results go to standard output, remarks to standard error."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from workspacesio.cli import output, search_output
from workspacesio.cli.arguments import add_json
from workspacesio.cli.client import PAGE, Client, signed_in
from workspacesio.cli.errors import Refused, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FACETS = ("ext", "type", "owner", "workspace", "folder", "year")
LIMIT = 50
MAX_CHARACTERS = 2000
"""Of the API. Much longer ones would not even reach it."""
TAKE_A_VALUE = ("--sort", "--limit")
SHORT_OPTIONS = ("-0", "-h")

EPILOG = """\
QUERY is words and "phrases" that stand in paths and contents, and:
  name:plate  name:*.tif  path:raw/**  ext:tif  type:image  size:>1GB  modified:<30d  modified:>2026-01-01
  owner:ada  in:plates  node:NODE  root:ROOT  tag:key=value  public:yes
Parts side by side must all hold; `or`, `not`, `-` and parentheses combine them. Quote what the shell would take:
  wio search 'name:*.tif (size:>1GB or modified:<7d) -draft'"""


def search_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query",
        nargs="*",
        metavar="QUERY",
        help="what to look for (default: everything); several words are one query",
    )
    parser.add_argument(
        "--sort",
        choices=("relevance", "size", "modified", "path"),
        help="largest, newest or best first, paths from A to Z (default: relevance)",
    )
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--largest", action="store_true", help="the largest first: --sort size")
    order.add_argument("--oldest", action="store_true", help="the oldest first: --sort modified --reverse")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--limit", type=_limit, default=LIMIT, metavar="N", help="how many are shown (default: %(default)s)"
    )
    length.add_argument("--all", action="store_true", help="show every one")
    parser.add_argument("--highlight", action="store_true", help="show the lines of contents that match")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--count", action="store_true", help="print how many there are, exactly, and nothing else")
    what.add_argument(
        "--facets",
        nargs="?",
        const=",".join(FACETS),
        metavar=",".join(FACETS),
        help="print objects and bytes by extension, type and so on instead of single objects",
    )
    what.add_argument(
        "--paths", action="store_true", help="print owner/workspace/path, one a line, as `wio mc` takes it"
    )
    parser.add_argument("-0", "--null", action="store_true", help="end each path with a NUL instead: for xargs -0")
    add_json(parser)
    parser.epilog = EPILOG


def search_typed(typed: Sequence[str]) -> list[str]:
    """What was typed, with the query behind `--`: in it `-draft` excludes a word, and is no option."""
    options: list[str] = []
    query: list[str] = []
    rest = list(typed)
    while rest:
        word = rest.pop(0)
        if word == "--":
            query += rest
            break
        if word == "--facets" and rest and set(rest[0].split(",")) <= {*FACETS, ""}:
            options.append(f"{word}={rest.pop(0)}")
        elif word in TAKE_A_VALUE:
            options += [word, *rest[:1]]
            rest = rest[1:]
        elif word.startswith("--") or word in SHORT_OPTIONS:
            options.append(word)
        else:
            query.append(word)
    return [*options, "--", *query]


def search(arguments: argparse.Namespace) -> int:
    """`wio search`: exit status 1 where a path can't be printed on a line of its own, 2 for a wrong query."""
    text = " ".join(arguments.query)
    if arguments.null and not arguments.paths:
        raise UsageError("-0 is for --paths.")
    if arguments.json and arguments.paths:
        raise UsageError("--paths or --json, not both.")
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"a query has at most {MAX_CHARACTERS:,} characters; leave something out.")
    client = signed_in()
    try:
        if arguments.count:
            return _count(client, text, arguments)
        if arguments.facets:
            return _facets(client, text, arguments)
        return _results(client, text, arguments)
    except Refused as refused:
        if refused.code != "invalid_query":
            raise
        raise UsageError(search_output.pointed(refused, text)) from refused


def _count(client: Client, text: str, arguments: argparse.Namespace) -> int:
    answer = client.get("/aggregate", q=text)
    search_output.print_incomplete(answer)
    if arguments.json:
        output.print_json({name: value for name, value in answer.items() if name not in ("facets", "others")})
    else:
        print(answer["total"])
    return 0


def _facets(client: Client, text: str, arguments: argparse.Namespace) -> int:
    by = [word.strip() for word in arguments.facets.split(",") if word.strip()]
    unknown = [word for word in by if word not in FACETS]
    if unknown or not by:
        raise UsageError(
            f"--facets takes some of {','.join(FACETS)}, not "
            f"{output.safe(arguments.facets)!r}; write the query before it."
        )
    answer = client.get("/aggregate", q=text, by=",".join(dict.fromkeys(by)))
    search_output.print_incomplete(answer)
    if arguments.json:
        output.print_json(answer)
    else:
        search_output.print_facets(answer)
    return 0


def _results(client: Client, text: str, arguments: argparse.Namespace) -> int:
    asked = {"q": text, **_order(arguments), "highlight": arguments.highlight or None}
    pages = Pages(client, asked, None if arguments.all else arguments.limit)
    if arguments.paths:
        return search_output.print_paths(pages, end="\0" if arguments.null else "\n")
    if arguments.json:
        _print_json(pages)
    else:
        search_output.print_results(pages)
    return 0


def _order(arguments: argparse.Namespace) -> dict[str, Any]:
    """How results are sorted, as the API takes it."""
    sort, reverse = arguments.sort, arguments.reverse
    if arguments.largest or arguments.oldest:
        if sort is not None:
            raise UsageError("--largest and --oldest sort already; leave out --sort.")
        sort = "size" if arguments.largest else "modified"
        reverse = reverse != arguments.oldest
    return {"sort": sort, "reverse": reverse or None}


class Pages:
    """What a search finds, page by page: `first` is the first answer, `results` those of all answers."""

    def __init__(self, client: Client, asked: dict[str, Any], limit: int | None) -> None:
        self._client, self._asked, self._limit = client, asked, limit
        self.first: dict[str, Any] = self._page(None, limit)

    def results(self) -> Any:
        """One after the other, asking for more while they are taken."""
        left, page = self._limit, self.first
        while True:
            yield from page["results"]
            left = None if left is None else left - len(page["results"])
            if page["next"] is None or not page["results"] or (left is not None and left <= 0):
                return
            page = self._page(page["next"], left)

    def _page(self, after: str | None, left: int | None) -> dict[str, Any]:
        wanted = PAGE if left is None else min(PAGE, left)
        answer: dict[str, Any] = self._client.get("/search", **self._asked, limit=wanted, after=after)
        return answer


def _print_json(pages: Pages) -> None:
    """One object with every result, written as they come: there may be millions."""
    search_output.print_incomplete(pages.first)
    head = {name: value for name, value in pages.first.items() if name not in ("results", "next")}
    text = json.dumps(head, indent=2, ensure_ascii=False)
    print(text.removesuffix("\n}") + ',\n  "results": [', end="")
    separator = "\n"
    for result in pages.results():
        spelled = json.dumps(result, indent=2, ensure_ascii=False).replace("\n", "\n    ")
        print(f"{separator}    {spelled}", end="")
        separator = ",\n"
    print("]\n}" if separator == "\n" else "\n  ]\n}")
    sys.stdout.flush()


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of results; --all shows every one")
    return int(text)
