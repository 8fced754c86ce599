"""Patterns of names that grams can't say.

Grams find the names that have all the texts of the pattern. Where those are few, they are read and looked at here,
and the query asks for the names that fit: a pattern costs by what it nearly finds, not by all names.
"""

import re
from collections.abc import Callable

import tantivy

from workspacesio.domain.search_patterns import Steps, Wild, escaped, literal_pattern
from workspacesio.domain.search_types import name_of
from workspacesio.domain.search_words import fold

MOST = 50_000
"""Names that are read for one request, at 10 µs each; tantivy answers 65,000 buckets at most."""


class Names:
    """Of the entries that the patterns of one request nearly find."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher
        self._left = MOST

    def of(self, query: tantivy.Query) -> set[str] | None:
        """Folded; None if they are more than may still be read."""
        count = {"count": {"value_count": {"field": "id"}}}
        found = int(self._searcher.aggregate(query, count)["count"]["value"])
        if found > self._left:
            return None
        self._left -= found
        if not found:
            return set()
        paths = {"paths": {"terms": {"field": "path", "size": found, "segment_size": found}}}
        answer = self._searcher.aggregate(query, paths)
        return {fold(name_of(bucket["key"])) for bucket in answer["paths"]["buckets"]}


def fitting(parts: Steps) -> Callable[[str], bool]:
    """Whether a folded name fits from end to end.

    In time that no pattern makes explode: what is between two `*` is looked for one after the other, each at the
    first place it has, which is never worse than a later one.
    """
    runs: list[list[str | Wild]] = [[]]
    for part in parts:
        if part is Wild.ANY or part is Wild.ANY_WITH_SLASHES:
            runs.append([])
        else:
            runs[-1].append(part)
    shown = ["".join(["(?s:.)" if isinstance(step, Wild) else escaped(step) for step in run]) for run in runs]
    if len(runs) == 1:
        whole = re.compile(shown[0])
        return lambda name: whole.fullmatch(name) is not None
    length = sum(1 if isinstance(step, Wild) else len(step) for step in runs[-1])
    first, *inner, last = [re.compile(expression) for expression in shown]

    def fits(name: str) -> bool:
        found = first.match(name)
        for expression in inner:
            found = found and expression.search(name, found.end())
        if found is None or len(name) - length < found.end():
            return False
        return last.match(name, len(name) - length) is not None

    return fits


def spelled(parts: Steps) -> str:
    """As a pattern."""
    shown = {Wild.ONE: "?", Wild.ANY: "*", Wild.ANY_WITH_SLASHES: "**"}
    return "".join([shown[part] if isinstance(part, Wild) else literal_pattern(part) for part in parts])
