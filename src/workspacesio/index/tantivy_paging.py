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
survives that.) One pass gives the entries of the best ranks, in no order within a rank. The last of these ranks
may be cut off; it is a query then: *so many points and not one more*. So a page takes few passes, for any words.
"""

from collections.abc import Sequence
from typing import Any

import tantivy
from tantivy import Occur

from workspacesio.domain.search_matching import ranked
from workspacesio.domain.search_query import Query
from workspacesio.index.engine import SearchRequest, Sort
from workspacesio.index.page_places import Place
from workspacesio.index.tantivy_clauses import all_of, any_of
from workspacesio.index.tantivy_queries import Queries

_COLUMNS = {Sort.RELEVANCE: "modified", Sort.SIZE: "size", Sort.MODIFIED: "modified", Sort.PATH: "path"}
MOST = 10_000
"""Entries on one page."""
SORTED_HERE = 1000
"""Where no more are found, one pass is enough."""


def page(
    searcher: tantivy.Searcher, queries: Queries, request: SearchRequest, query: tantivy.Query, count: int
) -> tuple[list[int], str | None]:
    """The ids of a page in their order, and the cursor of the next one.

    `query` is the request's, `count` how many it finds.
    """
    place = None if request.after is None else Place.read(request.after)
    limit = max(1, min(request.limit, MOST))
    points = _points(queries, request.query) if request.sort is Sort.RELEVANCE else []
    found: list[Place] = []
    if not points:
        found = _of_rank(searcher, request, query, place, limit=limit + 1, rank=0)
    elif place is None and request.descending and count > SORTED_HERE:
        # Those of the best rank mostly fill the page, and are found in half the time.
        best = queries.of_best_rank(request.query)
        found = _of_rank(searcher, request, best, None, limit=limit + 1, rank=len(points))
    if points and len(found) <= limit:
        found = _by_rank(searcher, request, query, points, place=place, limit=limit + 1)
    if len(found) > limit:
        return [each.id for each in found[:limit]], found[limit - 1].cursor()
    return [each.id for each in found], None


def _by_rank(
    searcher: tantivy.Searcher,
    request: SearchRequest,
    query: tantivy.Query,
    points: Sequence[tantivy.Query],
    *,
    place: Place | None,
    limit: int,
) -> list[Place]:
    """The next ones, by rank first."""
    found: list[Place] = []
    if place is not None:
        of_place = _having(query, points, place.rank)
        found = _of_rank(searcher, request, of_place, place, limit=limit, rank=place.rank)
        query = _beyond(query, points, place.rank, descending=request.descending)
    if len(found) == limit:
        return found
    sign = 1 if request.descending else -1
    wanted = (Occur.Must, tantivy.Query.const_score_query(query, 0.0))
    scores = [(Occur.Should, tantivy.Query.const_score_query(point, float(sign))) for point in points]
    most = max(limit - len(found), SORTED_HERE)
    best = searcher.search(tantivy.Query.boolean_query([wanted, *scores]), most, count=False).hits
    ranks = [sign * round(score) for score, _ in best]
    cut = ranks[-1] if len(best) == most else None
    whole = [address for rank, (_, address) in zip(ranks, best, strict=True) if rank != cut]
    modified, ids = (searcher.fast_field_values(name, whole) for name in ("modified", "id"))
    keys = zip(ranks, map(_whole_number, modified), map(_whole_number, ids), strict=False)
    found += [Place(*key) for key in sorted(keys, key=lambda key: (-sign * key[0], -sign * key[1], key[2]))]
    if cut is not None and len(found) < limit:
        rest = _having(query, points, cut)
        found += _of_rank(searcher, request, rest, None, limit=limit - len(found), rank=cut)
    return found[:limit]


def _of_rank(
    searcher: tantivy.Searcher,
    request: SearchRequest,
    query: tantivy.Query,
    behind: Place | None,
    *,
    limit: int,
    rank: int,
) -> list[Place]:
    """The next ones, where all that `query` finds is of one rank."""
    keys = None
    if behind is None and request.sort is not Sort.PATH:
        keys = _first_keys(searcher, query, request, limit)
    if keys is None:
        keys = _keys(searcher, query, request, behind, limit)
    return [Place(rank, value, number) for value, number in keys]


def _first_keys(
    searcher: tantivy.Searcher, query: tantivy.Query, request: SearchRequest, limit: int
) -> list[tuple[int | str, int]] | None:
    """As `_keys` from the beginning on, in half the time; None if equals are divided, which have no order here."""
    column, order = _COLUMNS[request.sort], tantivy.Order.Desc if request.descending else tantivy.Order.Asc
    found = searcher.search(query, limit + 1, count=False, order_by_field=column, order=order).hits
    if len(found) > limit and found[limit - 1][0] == found[limit][0]:
        return None
    ids = searcher.fast_field_values("id", [address for _, address in found])
    keys = [(value, _whole_number(number)) for (value, _), number in zip(found, ids, strict=True)]
    return sorted(keys, key=lambda key: (-key[0] if request.descending else key[0], key[1]))[:limit]


def _whole_number(value: float | None) -> int:
    """Of a column that every entry has."""
    return int(value or 0)


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


def _having(query: tantivy.Query, points: Sequence[tantivy.Query], rank: int) -> tantivy.Query:
    """So many points and not one more."""
    wanted = [query, any_of(points, rank)] if rank else [query]
    return all_of(wanted, [any_of(points, rank + 1)])


def _beyond(
    query: tantivy.Query, points: Sequence[tantivy.Query], rank: int, *, descending: bool
) -> tantivy.Query:
    """Of the ranks that come after this one."""
    if not descending:
        return all_of([query, any_of(points, rank + 1)])
    return all_of([query], [any_of(points, rank)]) if rank else tantivy.Query.empty_query()


def _points(queries: Queries, query: Query) -> list[tantivy.Query]:
    """Two for every `Words` that is ranked: one if the path has them, one more if the name has them."""
    points = []
    for words in ranked(query):
        in_name = queries.in_name(words.words)
        points += [in_name, any_of([in_name, queries.in_folder(words.words)])]
    return points
