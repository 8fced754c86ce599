"""Asks the search server.

A page is a place in an order that depends on nothing but each entry and the request (value, id), and
`search_after` begins right behind it: so an entry that stays as it was is shown exactly once, whatever comes and
goes, and nothing is held open on the server.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.domain.search_matching import looked_for
from workspacesio.domain.search_query import Query
from workspacesio.index.engine import FacetAnswer, FacetRequest, Hit, SearchPage, SearchRequest, Sort
from workspacesio.index.highlights import highlights
from workspacesio.index.opensearch_facets import BYTES, aggregations, answers, bytes_of
from workspacesio.index.opensearch_index import MOST_HITS, SHOWN, TEXT
from workspacesio.index.opensearch_patterns import Json
from workspacesio.index.opensearch_queries import query_of, ranks
from workspacesio.index.opensearch_server import ANSWER_SECONDS, CODE, SearchServer, SearchServerRefused
from workspacesio.index.page_places import Place

_VALUES = {Sort.RELEVANCE: "modified", Sort.SIZE: "size", Sort.MODIFIED: "modified", Sort.PATH: "path"}
_COLUMNS = ("id", "workspace", "path", "size", "modified")


class OpenSearchReader:
    """For any number of threads."""

    def __init__(self, server: SearchServer, target: str) -> None:
        self._server = server
        self._target = target

    def search(self, request: SearchRequest) -> SearchPage:
        limit = max(0, min(request.limit, MOST_HITS))
        scores = ranks(request.query) if request.sort is Sort.RELEVANCE else []
        query: dict[str, Any] = {"filter": [query_of(request.query)]}
        if scores:
            query["should"] = scores
        asked: dict[str, object] = {
            "query": {"bool": query},
            "size": limit + 1 if limit else 0,
            "sort": _order(request, ranked=bool(scores)),
            "_source": [SHOWN, TEXT] if request.highlight else [SHOWN],
            "docvalue_fields": _COLUMNS,
        }
        if request.after is not None and limit:
            asked["search_after"] = _behind(request, ranked=bool(scores))
        answer = self._ask(asked)
        found = answer["hits"]["hits"]
        phrases = [words.words for words in looked_for(request.query)] if request.highlight else []
        return SearchPage(
            *_total(answer),
            tuple(_hit(each, phrases) for each in found[:limit]),
            _place(found[limit - 1], ranked=bool(scores)) if len(found) > limit else None,
        )

    def total(self, query: Query) -> tuple[int, int]:
        return _total(self._ask({"query": {"bool": {"filter": [query_of(query)]}}, "size": 0}))

    def facets(self, query: Query, requests: Sequence[FacetRequest]) -> list[FacetAnswer]:
        asked = {"query": {"bool": {"filter": [query_of(query)]}}, "size": 0, "aggs": aggregations(requests)}
        answer = self._ask(asked)
        count, size = _total(answer)
        return answers(requests, answer["aggregations"], count=count, total_bytes=size)

    def entries(self) -> int:
        answer = self._server.ask("GET", f"/{self._target}/_count")
        return int(answer["count"])

    def close(self) -> None:
        """The connections are the process's."""

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        body = {
            **asked,
            "aggs": BYTES | asked.get("aggs", {}),
            "track_total_hits": True,
            "timeout": f"{round(ANSWER_SECONDS * 900)}ms",
        }
        try:
            answer: dict[str, Any] = self._server.ask(
                "POST",
                f"/{self._target}/_search",
                body,
                parameters={"allow_partial_search_results": "false"},
            )
        except SearchServerRefused as error:
            if error.status != 400:
                raise
            raise Invalid(
                "This is more than the search server can look for; make the query simpler.", code="invalid_query"
            ) from None
        if answer["timed_out"]:
            raise Unavailable("The search took too long; make the query narrower, or try again.", code=CODE)
        return answer


def _total(answer: dict[str, Any]) -> tuple[int, int]:
    return answer["hits"]["total"]["value"], bytes_of(answer["aggregations"])


def _order(request: SearchRequest, *, ranked: bool) -> list[Json]:
    direction = "desc" if request.descending else "asc"
    rank: list[Json] = [{"_score": direction}] if ranked else []
    return [*rank, {_VALUES[request.sort]: direction}, {"id": "asc"}]


def _behind(request: SearchRequest, *, ranked: bool) -> list[int | str]:
    """Raises Invalid."""
    place = Place.read(request.after or "")
    if isinstance(place.value, str) is not (request.sort is Sort.PATH):
        raise Invalid("This is not a place in this search; ask for the first page again.", code="invalid_cursor")
    return [*([place.rank] if ranked else []), place.value, place.id]


def _place(hit: dict[str, Any], *, ranked: bool) -> str:
    *rank, value, number = hit["sort"]
    return Place(round(rank[0]) if ranked else 0, value, number).cursor()


def _hit(hit: dict[str, Any], phrases: Sequence[tuple[str, ...]]) -> Hit:
    entry_id, workspace, path, size, modified = (hit["fields"][name][0] for name in _COLUMNS)
    source = hit.get("_source", {})
    shown: dict[str, Any] = orjson.loads(source[SHOWN]) if SHOWN in source else {}
    return Hit(
        entry_id,
        int(workspace),
        path,
        size,
        modified,
        shown.get("etag", ""),
        shown.get("content_type", ""),
        shown.get("facts", {}),
        shown.get("tags", {}),
        shown.get("problem", ""),
        highlights(phrases, path, source.get(TEXT, "")) if phrases else (),
    )
