"""Exact counts, sums and facets.

tantivy counts the terms of each segment, keeps `segment_size` of each, and adds them up: so the answer is exact if
all are kept, however many there are. Sums are of floating-point numbers, exact below 2^53 bytes (9 PB); what is
larger is added up in ranges of ids that are each below, in at most `_MOST_SUMS` of them: exact for what disks
hold, and nearly right of files that say they have exabytes, which any user may make by the thousand.
"""

from collections.abc import Sequence
from typing import Any

import tantivy

from workspacesio.index.engine import Bucket, Facet, FacetAnswer, FacetRequest
from workspacesio.index.tantivy_clauses import all_of
from workspacesio.index.tantivy_queries import Queries
from workspacesio.index.tantivy_schema import DEPTHS, depth_column

_EXACT = 2**53
_MOST_SUMS = 1_000
"""In one request. Without a bound each file of such a size would cost some 20 of them."""
_ALL = 2**31
_FIRST = 1_000
_MOST = 60_000
"""tantivy answers 65,000 buckets at most."""
_SUM = {"bytes": {"sum": {"field": "size"}}}
_ENDS = {"least": {"min": {"field": "id"}}, "most": {"max": {"field": "id"}}}
_TOTAL = {"total": {"stats": {"field": "size"}}}
_NO_FOLDER = -1
_NUMBERS = (Facet.WORKSPACE, Facet.YEAR, Facet.FOLDER)


def total(searcher: tantivy.Searcher, queries: Queries, query: tantivy.Query) -> tuple[int, int]:
    """Count and bytes."""
    return _read_total(_Sums(searcher, queries), query, searcher.aggregate(query, _TOTAL))


def _read_total(sums: "_Sums", query: tantivy.Query, answer: dict[str, Any]) -> tuple[int, int]:
    return int(answer["total"]["count"]), sums.exactly(query, answer["total"]["sum"])


class _Sums:
    """Of one request."""

    def __init__(self, searcher: tantivy.Searcher, queries: Queries) -> None:
        self._searcher = searcher
        self._queries = queries
        self._left = _MOST_SUMS

    def exactly(self, query: tantivy.Query, size: float) -> int:
        """The sum of what the query finds, which tantivy says is `size`."""
        if size < _EXACT:
            return int(size)
        ends = self._searcher.aggregate(query, _ENDS)
        pending = [(int(ends["least"]["value"]), int(ends["most"]["value"]), size)]
        result = 0
        while pending:
            least, most, size = pending.pop(0)
            if size < _EXACT or least == most or self._left <= 0:
                result += int(size)
            else:
                middle = (least + most) // 2
                pending += [(*half, self._of(query, *half)) for half in ((least, middle), (middle + 1, most))]
        return result

    def _of(self, query: tantivy.Query, least: int, most: int) -> float:
        self._left -= 1
        within = all_of([query, self._queries.between("id", least, most)])
        size: float = self._searcher.aggregate(within, _SUM)["bytes"]["value"]
        return size


def facets(
    searcher: tantivy.Searcher, queries: Queries, query: tantivy.Query, requests: Sequence[FacetRequest]
) -> list[FacetAnswer]:
    if not requests:
        return []
    # The number of an answer is its place among the requests: a facet may be asked for twice, at two depths.
    sizes = [max(_FIRST, 2 * min(request.top, _MOST // 2)) for request in requests]
    counted = {str(at): _terms(request, sizes[at]) for at, request in enumerate(requests)}
    answers = searcher.aggregate(query, {**counted, **_TOTAL})
    sums = _Sums(searcher, queries)
    count, size = _read_total(sums, query, answers)
    result = []
    for at, request in enumerate(requests):
        answer = answers[str(at)]
        if request.depth > DEPTHS and _ends_among_equals(answer, request.top):
            answer = searcher.aggregate(query, {"all": _terms(request, _MOST)})["all"]
        buckets = _buckets(sums, queries, query, request, answer["buckets"])
        others = count - sum(bucket.count for bucket in buckets)
        others_bytes = max(0, size - sum(bucket.bytes for bucket in buckets))
        result.append(FacetAnswer(buckets, others, others_bytes))
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
    sums: _Sums,
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
        exact = size < _EXACT
        within = query if exact else all_of([query, queries.bucket(request, key)])
        shown.append(Bucket(key, count, sums.exactly(within, size)))
    return tuple(shown)


def _ordered(facet: Facet, key: str) -> tuple[int, str]:
    """Numbers by their value, '' before them."""
    if facet in _NUMBERS:
        return (int(key), "") if key else (-1, "")
    return (0, key)
