"""A query as the search server takes it. `domain/search_matching.py` says what each kind means, to the letter."""

from collections.abc import Iterable, Sequence

from workspacesio.domain.search_matching import ranked
from workspacesio.domain.search_query import (
    AllOf,
    AnyOf,
    Everything,
    Folders,
    HasExtension,
    HasTag,
    ModifiedBetween,
    NameMatches,
    Not,
    OfType,
    PathMatches,
    PathWords,
    Query,
    SizeBetween,
    Words,
    Workspaces,
)
from workspacesio.domain.search_types import tag_term
from workspacesio.index.opensearch_index import in_order
from workspacesio.index.opensearch_patterns import (
    EVERYTHING,
    NOTHING,
    Json,
    all_of,
    any_of,
    name_query,
    path_query,
)

MAX_TERMS = 65_536
"""`index.max_terms_count`, which servers have unless they are told otherwise."""

_LEAST = -(2**63)
_MOST = 2**63 - 1


def query_of(query: Query) -> Json:
    """To be used as a filter: it says nothing of rank. Raises ValueError for a name that was not resolved."""
    match query:
        case Everything():
            return EVERYTHING
        case AllOf(parts):
            wanted = all_of([query_of(part) for part in parts if not isinstance(part, Not)])
            excluded = [query_of(part.part) for part in parts if isinstance(part, Not)]
            return {"bool": {"filter": [wanted], "must_not": excluded}} if excluded else wanted
        case AnyOf(parts):
            return any_of([query_of(part) for part in parts])
        case Not(part):
            return {"bool": {"must_not": [query_of(part)]}}
        case Workspaces(ids):
            return terms("workspace", map(in_order, ids))
        case Folders(ids):
            return terms("folders", map(str, ids))
        case SizeBetween(least, most):
            return between("size", least, most)
        case ModifiedBetween(earliest, latest):
            return between("modified", earliest, latest)
        case _:
            return _of_text(query)


def _of_text(query: Query) -> Json:
    match query:
        case Words(words):
            return any_of([phrase("words", words), phrase("content", words)])
        case PathWords(words):
            return phrase("words", words)
        case NameMatches(pattern):
            return name_query(pattern)
        case PathMatches(pattern):
            return path_query(pattern)
        case HasExtension(extension):
            return {"term": {"extension": extension}}
        case OfType(kind):
            return {"term": {"media" if "/" in kind else "type": kind}}
        case HasTag(key, value):
            return {"term": {"tags": tag_term(key, value)}}
        case _:
            raise ValueError(f"{query!r} is a name, which is resolved before the index is asked")


def ranks(query: Query) -> list[Json]:
    """What an entry's score is the sum of: 1 for each that it fits. Together the `rank` of search_matching."""
    return [
        {"constant_score": {"filter": phrase(field, words.words)}}
        for words in ranked(query)
        for field in ("words", "name_words")
    ]


def phrase(field: str, words: Sequence[str]) -> Json:
    if len(words) == 1:
        return {"term": {field: words[0]}}
    return {"match_phrase": {field: " ".join(words)}}


def terms(field: str, values: Iterable[str]) -> Json:
    listed = sorted(values)
    return any_of([{"terms": {field: listed[at : at + MAX_TERMS]}} for at in range(0, len(listed), MAX_TERMS)])


def between(field: str, least: int | None, most: int | None) -> Json:
    """Of a number field, both inclusive. Servers refuse numbers of more than 64 bits."""
    if (least is not None and least > _MOST) or (most is not None and most < _LEAST):
        return NOTHING
    bounds = {}
    if least is not None and least > _LEAST:
        bounds["gte"] = least
    if most is not None and most < _MOST:
        bounds["lte"] = most
    return {"range": {field: bounds}} if bounds else EVERYTHING
