"""Pages of a search that stay right while the index changes.

A page is a place in an order that depends on nothing but each entry and the request: (value, id), where the
value is the size, time or path, and the id is unique and never reused. The cursor holds the last entry's value
and id, and the next page begins right behind them, whether that entry is still there or not. So an entry that
stays as it was is shown exactly once, whatever is put, removed, committed or merged in between, and nothing is
held on the server.

tantivy's searches order by one column, break ties by the place in the index, which every merge changes, and take
no cursor. Its composite aggregation does all three in one pass: it takes several columns, each with a direction,
and `after`, the key to begin behind.

Relevance is the same with one value more in front: `search_matching.rank`, a whole number that no other entry
changes. (The usual weights, as BM25, change for all entries with every entry that comes or goes: no cursor
survives that.) Each rank is a query, *at least so many points and not one more*; the ranks are gone through in
order.
"""

from collections.abc import Iterator
from typing import Any

import tantivy

from workspacesio.domain.search_matching import ranked
from workspacesio.domain.search_query import Query
from workspacesio.index.engine import SearchRequest, Sort
from workspacesio.index.page_places import Place
from workspacesio.index.tantivy_queries import Queries, all_of, any_of

_COLUMNS = {Sort.RELEVANCE: "modified", Sort.SIZE: "size", Sort.MODIFIED: "modified", Sort.PATH: "path"}
MOST = 10_000
"""Entries on one page."""


def page(
    searcher: tantivy.Searcher, queries: Queries, request: SearchRequest, query: tantivy.Query, count: int
) -> tuple[list[int], str | None]:
    """The ids of a page in their order, and the cursor of the next one.

    `query` is the request's, and `count` how many entries it finds in all.
    """
    place = None if request.after is None else Place.read(request.after)
    limit = max(1, min(request.limit, MOST))
    found: list[Place] = []
    for rank, of_rank in _ranks(queries, request, query, place):
        behind = place if place is not None and place.rank == rank else None
        keys = None
        if behind is None and request.sort is not Sort.PATH:
            keys = _first_keys(searcher, of_rank, request, limit + 1 - len(found))
        if keys is None:
            keys = _keys(searcher, of_rank, request, behind, limit + 1 - len(found))
        found += [Place(rank, value, number) for value, number in keys]
        if len(found) > limit:
            return [each.id for each in found[:limit]], found[limit - 1].cursor()
        if len(found) == count:
            break
    return [each.id for each in found], None


def _first_keys(
    searcher: tantivy.Searcher, query: tantivy.Query, request: SearchRequest, limit: int
) -> list[tuple[int | str, int]] | None:
    """As `_keys` from the beginning on, in half the time; None if equals are divided, which have no order here."""
    column, order = _COLUMNS[request.sort], tantivy.Order.Desc if request.descending else tantivy.Order.Asc
    found = searcher.search(query, limit + 1, count=False, order_by_field=column, order=order).hits
    if len(found) > limit and found[limit - 1][0] == found[limit][0]:
        return None
    ids = searcher.fast_field_values("id", [address for _, address in found])
    keys = [(value, int(number or 0)) for (value, _), number in zip(found, ids, strict=True)]
    return sorted(keys, key=lambda key: (-key[0] if request.descending else key[0], key[1]))[:limit]


def _keys(
    searcher: tantivy.Searcher, query: tantivy.Query, request: SearchRequest, behind: Place | None, limit: int
) -> list[tuple[int | str, int]]:
    """(value, id) of the entries that come next."""
    order = "desc" if request.descending else "asc"
    composite: dict[str, Any] = {
        "size": limit,
        "sources": [
            {"value": {"terms": {"field": _COLUMNS[request.sort], "order": order}}},
            {"id": {"terms": {"field": "id", "order": "asc"}}},
        ],
    }
    if behind is not None:
        kind = "str" if isinstance(behind.value, str) else "i64"
        composite["after"] = {"value": f"{kind}:{behind.value}", "id": f"i64:{behind.id}"}
    buckets = searcher.aggregate(query, {"page": {"composite": composite}})["page"]["buckets"]
    return [(bucket["key"]["value"], bucket["key"]["id"]) for bucket in buckets]


def _ranks(
    queries: Queries, request: SearchRequest, query: tantivy.Query, place: Place | None
) -> Iterator[tuple[int, tantivy.Query]]:
    """The query of each rank from `place` on, in the order asked for. No entry is in two of them."""
    points = _points(queries, request.query) if request.sort is Sort.RELEVANCE else []
    if not points:
        yield 0, query
        return
    ranks = range(len(points) + 1)
    for rank in reversed(ranks) if request.descending else ranks:
        if place is not None and (rank > place.rank if request.descending else rank < place.rank):
            continue
        wanted = [query, any_of(points, rank)] if rank else [query]
        excluded = [any_of(points, rank + 1)] if rank < len(points) else []
        yield rank, all_of(wanted, excluded)


def _points(queries: Queries, query: Query) -> list[tantivy.Query]:
    """Two for every `Words` that is ranked: one if the path has them, one more if the name has them."""
    points = []
    for words in ranked(query):
        in_name = queries.in_name(words.words)
        points += [in_name, any_of([in_name, queries.in_folder(words.words)])]
    return points
