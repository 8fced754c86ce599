"""`wio search`: finds what the caller may read. Results go to standard output, remarks to standard error."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from workspacesio.cli import output, search_output
from workspacesio.cli.arguments import add_json, how_many
from workspacesio.client.errors import Refused, UsageError
from workspacesio.client.http_api import PAGE, HttpApi, signed_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FACETS = ("ext", "type", "owner", "workspace", "folder", "year")
FACETS_MEANT = {"extension": "ext", "extensions": "ext", "user": "owner", "date": "year", "path": "folder"}
LIMIT = 50
FACET_LIMIT = 10
"""Rows of each facet that a person reads."""
MAX_DEPTH = 20
"""Of the API."""
MAX_CHARACTERS = 2000
"""Of the API. Much longer ones would not even reach it."""
TAKE_A_VALUE = ("--sort", "--limit", "--depth")
SHORT_OPTIONS = ("-0", "-h")

_ORDER = ("sort", "reverse", "largest", "oldest")
_MEANINGLESS = {
    "count": (*_ORDER, "limit", "highlight", "problems"),
    "facets": (*_ORDER, "highlight", "problems"),
    "paths": ("highlight", "problems"),
}
"""Options that would change nothing beside these."""

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
        "--limit",
        type=how_many,
        metavar="N",
        help=f"how many are shown (default: {LIMIT}, {FACET_LIMIT} rows of a facet, every one with --paths)",
    )
    length.add_argument("--all", action="store_true", help="show every one")
    parser.add_argument("--highlight", action="store_true", help="show the lines of contents that match")
    parser.add_argument(
        "--problems", action="store_true", help="show why contents could not be read, below each (--json has it)"
    )
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
        "--paths", action="store_true", help="print owner/workspace/path of every one, as `wio mc` takes it"
    )
    parser.add_argument(
        "--depth",
        type=_depth,
        metavar="N",
        help="with --facets: folders N levels below the workspace, or below what in: or path: names (default: 1)",
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
        if word == "--facets" and rest and _means_facets(rest[0]):
            options.append(f"{word}={rest.pop(0)}")
        elif word in TAKE_A_VALUE:
            options += [word, *rest[:1]]
            rest = rest[1:]
        elif word.startswith("--") or word in SHORT_OPTIONS:
            options.append(word)
        else:
            query.append(word)
    return [*options, "--", *query]


def _means_facets(word: str) -> bool:
    """Whether a word behind --facets is its value, though perhaps a wrong one, and not of the query."""
    pieces = set(word.split(","))
    if pieces <= {*FACETS, ""} or (len(pieces) > 1 and pieces & set(FACETS)):
        return True
    return word in FACETS_MEANT or word.removesuffix("s") in FACETS


def search(arguments: argparse.Namespace) -> int:
    """`wio search`: exit status 1 where a path can't be printed on a line of its own, 2 for a wrong query."""
    text = " ".join(arguments.query)
    _require_meaning(arguments)
    if arguments.depth and arguments.facets is None:
        raise UsageError("--depth is for --facets; `wio du --depth` sums up folders.")
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
        if arguments.facets is not None:
            return _facets(client, text, arguments)
        return _results(client, text, arguments)
    except Refused as refused:
        if refused.code != "invalid_query":
            raise
        wrong = UsageError(str(refused))
        wrong.below = search_output.pointed(refused, text)
        raise wrong from refused


def _require_meaning(arguments: argparse.Namespace) -> None:
    """Raises UsageError for what would change nothing of what is printed."""
    for what, options in _MEANINGLESS.items():
        if getattr(arguments, what) not in (None, False):
            for option in options:
                if getattr(arguments, option):
                    raise UsageError(f"--{option} is not for --{what}.")


def _count(client: HttpApi, text: str, arguments: argparse.Namespace) -> int:
    answer = client.get("/aggregate", q=text)
    search_output.print_incomplete(answer)
    if arguments.json:
        output.print_json({name: value for name, value in answer.items() if name not in ("facets", "others")})
    else:
        print(answer["total"])
    return 0


def _facets(client: HttpApi, text: str, arguments: argparse.Namespace) -> int:
    by = [word.strip() for word in arguments.facets.split(",") if word.strip()]
    unknown = [word for word in by if word not in FACETS]
    if unknown or not by:
        meant = next((FACETS_MEANT.get(one) or one.removesuffix("s") for one in unknown), "")
        hint = f"did you mean {meant}" if meant in FACETS else "write the query before it"
        raise UsageError(
            f"--facets takes some of {','.join(FACETS)}, not {output.safe(arguments.facets)!r}; {hint}."
        )
    most = search_output.MAX_ROWS
    limit = most if arguments.all else min(arguments.limit or FACET_LIMIT, most)
    # People are told of how many rows they don't see, so all are asked for.
    top = (limit if arguments.limit or arguments.all else None) if arguments.json else most
    answer = client.get("/aggregate", q=text, by=",".join(dict.fromkeys(by)), top=top, depth=arguments.depth)
    search_output.print_incomplete(answer)
    if arguments.json:
        output.print_json(answer)
        return 0
    search_output.print_facets(answer, limit=limit)
    if not answer["total"] and arguments.facets == ",".join(FACETS) and text:
        sys.stdout.flush()
        print(
            f"Nothing that you can reach fits the query {output.safe(text)!r}; --facets itself takes some of "
            f"{','.join(FACETS)}.",
            file=sys.stderr,
        )
    return 0


def _results(client: HttpApi, text: str, arguments: argparse.Namespace) -> int:
    asked = {"q": text, **_order(arguments), "highlight": arguments.highlight or None}
    # Paths are for other commands, which would not notice that some are missing.
    every = arguments.all or (arguments.paths and not arguments.limit)
    pages = Pages(client, asked, None if every else arguments.limit or LIMIT)
    if arguments.paths:
        return search_output.print_paths(pages, end="\0" if arguments.null else "\n")
    if arguments.json:
        _print_json(pages)
    else:
        search_output.print_results(pages, problems=arguments.problems)
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

    def __init__(self, client: HttpApi, asked: dict[str, Any], limit: int | None) -> None:
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
    text = output.json_text(head)
    print(text.removesuffix("\n}") + ',\n  "results": [', end="")
    separator = "\n"
    for result in pages.results():
        spelled = output.json_text(result).replace("\n", "\n    ")
        print(f"{separator}    {spelled}", end="")
        separator = ",\n"
    print("]\n}" if separator == "\n" else "\n  ]\n}")
    sys.stdout.flush()


def _depth(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_DEPTH:
        raise argparse.ArgumentTypeError(f"{text!r} is no depth: write a number of levels, from 1 to {MAX_DEPTH}")
    return int(text)
