"""Sums and facets as the search server counts them, exactly: one shard, every bucket from all of its entries."""

from collections.abc import Mapping, Sequence
from typing import Any

from workspacesio.index.engine import Bucket, Facet, FacetAnswer, FacetRequest
from workspacesio.index.opensearch_index import LOW_BITS
from workspacesio.index.opensearch_patterns import Json

BYTES: dict[str, Json] = {"low": {"sum": {"field": "size_low"}}, "high": {"sum": {"field": "size_high"}}}
"""Sums are floating-point numbers; each of these is a whole one, exact below 2^53."""

_FIELDS = {
    Facet.EXTENSION: "extension",
    Facet.TYPE: "type",
    Facet.WORKSPACE: "workspace",
    Facet.FOLDER: "levels",
    Facet.YEAR: "year",
}


def bytes_of(answer: Mapping[str, Any]) -> int:
    high, low = int(answer["high"]["value"]), int(answer["low"]["value"])
    return (high << LOW_BITS) + low


def aggregations(requests: Sequence[FacetRequest]) -> dict[str, Json]:
    """To be asked with the query, beside `BYTES`. Names are the places in `requests`."""
    asked: dict[str, Json] = {}
    for place, request in enumerate(requests):
        counted: dict[str, object] = {
            "field": _FIELDS[request.facet],
            "size": max(request.top, 1),
            "order": [{"_count": "desc"}, {"_key": "asc"}],
        }
        if request.facet is Facet.FOLDER:
            # Not `:.*`: OpenSearch 2.19 fails where it takes that for a prefix and no value has it.
            counted["include"] = f"{request.depth}:[0-9]+"
            asked[f"above_{place}"] = {"filter": {"range": {"depth": {"lt": request.depth}}}, "aggs": BYTES}
        asked[f"facet_{place}"] = {"terms": counted, "aggs": BYTES}
    return asked


def answers(
    requests: Sequence[FacetRequest], answered: Mapping[str, Any], *, count: int, total_bytes: int
) -> list[FacetAnswer]:
    """`count`, `total_bytes`: of everything that the query finds."""
    return [
        _answer(_buckets(place, request, answered), request.top, count, total_bytes)
        for place, request in enumerate(requests)
    ]


def _buckets(place: int, request: FacetRequest, answered: Mapping[str, Any]) -> list[Bucket]:
    facet = answered[f"facet_{place}"]
    assert facet["doc_count_error_upper_bound"] == 0, "counts are estimates"
    buckets = [
        Bucket(_key(request.facet, found["key"]), found["doc_count"], bytes_of(found))
        for found in facet["buckets"]
    ]
    above = answered.get(f"above_{place}")
    if above is not None and above["doc_count"]:
        buckets.append(Bucket("", above["doc_count"], bytes_of(above)))
    return sorted(buckets, key=lambda bucket: (-bucket.count, _ordered(request.facet, bucket.key)))


def _key(facet: Facet, key: str | int) -> str:
    if facet in (Facet.WORKSPACE, Facet.FOLDER):
        return str(int(str(key).rpartition(":")[2]))
    return str(key)


def _ordered(facet: Facet, key: str) -> tuple[int, str]:
    """Numbers by their value, '' before them."""
    if facet in (Facet.WORKSPACE, Facet.FOLDER, Facet.YEAR) and key:
        return (int(key), key)
    return (-1, key)


def _answer(buckets: Sequence[Bucket], top: int, count: int, total_bytes: int) -> FacetAnswer:
    shown = tuple(buckets[:top])
    return FacetAnswer(
        shown,
        others_count=count - sum(bucket.count for bucket in shown),
        others_bytes=total_bytes - sum(bucket.bytes for bucket in shown),
    )
