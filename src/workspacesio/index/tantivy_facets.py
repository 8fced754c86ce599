"""Exact counts, sums and facets.

tantivy counts the terms of each segment, keeps `segment_size` of each, and adds them up: so the answer is exact if
all are kept, however many there are. Sums are of floating-point numbers, exact below 2^53 bytes (9 PB); what is
larger is added up in ranges of ids that are each below.
"""

from collections.abc import Sequence
from typing import Any

import tantivy

from workspacesio.index.engine import Bucket, Facet, FacetAnswer, FacetRequest
from workspacesio.index.tantivy_clauses import all_of
from workspacesio.index.tantivy_queries import Queries
from workspacesio.index.tantivy_schema import DEPTHS, depth_column

_EXACT = 2**53
_ALL = 2**31
_FIRST = 1_000
_MOST = 60_000
"""tantivy answers 65,000 buckets at most."""
_SUM = {"bytes": {"sum": {"field": "size"}}}
_TOTAL = {"total": {"stats": {"field": "size"}}}
_NO_FOLDER = -1
_NUMBERS = (Facet.WORKSPACE, Facet.YEAR, Facet.FOLDER)


def total(searcher: tantivy.Searcher, queries: Queries, query: tantivy.Query) -> tuple[int, int]:
    """Count and bytes."""
    return _read_total(searcher, queries, query, searcher.aggregate(query, _TOTAL))


def _read_total(
    searcher: tantivy.Searcher, queries: Queries, query: tantivy.Query, answer: dict[str, Any]
) -> tuple[int, int]:
    count, size = int(answer["total"]["count"]), answer["total"]["sum"]
    return count, int(size) if size < _EXACT else _large_sum(searcher, queries, query)


def _large_sum(searcher: tantivy.Searcher, queries: Queries, query: tantivy.Query) -> int:
    ends = searcher.aggregate(query, {"least": {"min": {"field": "id"}}, "most": {"max": {"field": "id"}}})
    pending = [(int(ends["least"]["value"]), int(ends["most"]["value"]))]
    result = 0
    while pending:
        least, most = pending.pop()
        size = searcher.aggregate(all_of([query, queries.between("id", least, most)]), _SUM)["bytes"]["value"]
        if size < _EXACT or least == most:
            result += int(size)
        else:
            middle = (least + most) // 2
            pending += [(least, middle), (middle + 1, most)]
    return result


def facets(
    searcher: tantivy.Searcher, queries: Queries, query: tantivy.Query, requests: Sequence[FacetRequest]
) -> list[FacetAnswer]:
    if not requests:
        return []
    # The number of an answer is its place among the requests: a facet may be asked for twice, at two depths.
    sizes = [max(_FIRST, 2 * min(request.top, _MOST // 2)) for request in requests]
    counted = {str(at): _terms(request, sizes[at]) for at, request in enumerate(requests)}
    answers = searcher.aggregate(query, {**counted, **_TOTAL})
    count, size = _read_total(searcher, queries, query, answers)
    result = []
    for at, request in enumerate(requests):
        answer = answers[str(at)]
        if request.depth > DEPTHS and _ends_among_equals(answer, request.top):
            answer = searcher.aggregate(query, {"all": _terms(request, _MOST)})["all"]
        buckets = _buckets(searcher, queries, query, request, answer["buckets"])
        others = count - sum(bucket.count for bucket in buckets)
        result.append(FacetAnswer(buckets, others, size - sum(bucket.bytes for bucket in buckets)))
    return result


def _terms(request: FacetRequest, size: int) -> dict[str, Any]:
    fields = {
        Facet.EXTENSION: "columns.extension",
        Facet.TYPE: "columns.type",
        Facet.WORKSPACE: "workspace",
        Facet.FOLDER: depth_column(request.depth),
        Facet.YEAR: "year",
    }
    terms: dict[str, Any] = {"field": fields[request.facet], "size": size, "segment_size": _ALL}
    if request.facet is Facet.FOLDER:
        terms["missing"] = _NO_FOLDER if request.depth <= DEPTHS else ""
    return {"terms": terms, "aggs": _SUM}


def _ends_among_equals(answer: dict[str, Any], top: int) -> bool:
    """Whether buckets that tie with the last one shown may be missing, so that the key can't decide."""
    buckets = answer["buckets"]
    if not answer["sum_other_doc_count"] or not top:
        return False
    return bool(buckets[min(top, len(buckets)) - 1]["doc_count"] == buckets[-1]["doc_count"])


def _buckets(
    searcher: tantivy.Searcher,
    queries: Queries,
    query: tantivy.Query,
    request: FacetRequest,
    buckets: list[dict[str, Any]],
) -> tuple[Bucket, ...]:
    found = []
    for bucket in buckets:
        key = bucket["key"]
        if request.facet in _NUMBERS and key != "":
            key = "" if key == _NO_FOLDER and request.facet is Facet.FOLDER else str(int(key))
        found.append(Bucket(key, bucket["doc_count"], bucket["bytes"]["value"]))
    found.sort(key=lambda bucket: (-bucket.count, _ordered(request.facet, bucket.key)))
    shown = []
    for key, count, size in found[: request.top]:
        if size >= _EXACT:
            within = all_of([query, queries.bucket(request, key)])
            shown.append(Bucket(key, count, _large_sum(searcher, queries, within)))
        else:
            shown.append(Bucket(key, count, int(size)))
    return tuple(shown)


def _ordered(facet: Facet, key: str) -> tuple[int, str]:
    """Numbers by their value, '' before them."""
    if facet in _NUMBERS:
        return (int(key), "") if key else (-1, "")
    return (0, key)
