"""An engine that answers as the engine's interface and `search_matching` say, by looking at every entry."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from index.dict_engine import DictEngine
from workspacesio.domain.search_matching import EntryFields, matches, rank
from workspacesio.domain.search_query import Query
from workspacesio.domain.search_types import extension_of, type_of, year_of
from workspacesio.index.engine import (
    Bucket,
    EngineReader,
    Entry,
    Facet,
    FacetAnswer,
    FacetRequest,
    Hit,
    SearchPage,
    SearchRequest,
    Sort,
)


class ReferenceEngine(DictEngine):
    def reader(self) -> EngineReader:
        return ReferenceReader(self)


def fields_of(entry: Entry) -> EntryFields:
    return EntryFields(
        entry.workspace_id,
        entry.folder_ids,
        entry.path,
        entry.size,
        entry.modified,
        entry.content_type,
        entry.user,
        entry.tags,
        entry.facts,
        entry.text,
    )


class ReferenceReader:
    def __init__(self, engine: DictEngine) -> None:
        self._engine = engine

    def search(self, request: SearchRequest) -> SearchPage:
        found = self._found(request.query)
        placed = sorted((_place(request, entry), entry.id) for entry in found)
        by_id = {entry.id: entry for entry in found}
        if request.after is not None:
            value, number = json.loads(request.after)
            placed = [place for place in placed if place > (tuple(value), number)]
        page = placed[: request.limit]
        more = len(placed) > len(page)
        return SearchPage(
            len(found),
            sum(entry.size for entry in found),
            tuple(_hit(by_id[number]) for _, number in page),
            json.dumps(page[-1]) if more else None,
        )

    def total(self, query: Query) -> tuple[int, int]:
        found = self._found(query)
        return len(found), sum(entry.size for entry in found)

    def facets(self, query: Query, requests: Sequence[FacetRequest]) -> list[FacetAnswer]:
        found = self._found(query)
        return [_facet(request, found) for request in requests]

    def entries(self) -> int:
        return len(self._engine.committed)

    def close(self) -> None:
        pass

    def _found(self, query: Query) -> list[Entry]:
        return [entry for entry in self._engine.committed.values() if matches(query, fields_of(entry))]


def _place(request: SearchRequest, entry: Entry) -> Any:
    """What a hit is sorted by before its number, always upwards."""
    sign = -1 if request.descending else 1
    match request.sort:
        case Sort.SIZE:
            return (sign * entry.size,)
        case Sort.MODIFIED:
            return (sign * entry.modified,)
        case Sort.PATH:
            # The end is before every character, and after it downwards.
            return (*(sign * ord(character) for character in entry.path), -sign)
        case _:
            return (sign * rank(request.query, fields_of(entry)), sign * entry.modified)


def _hit(entry: Entry) -> Hit:
    return Hit(
        entry.id,
        entry.workspace_id,
        entry.path,
        entry.size,
        entry.modified,
        entry.etag,
        entry.content_type,
        entry.facts,
        entry.tags,
        entry.problem,
    )


def _facet(request: FacetRequest, found: Sequence[Entry]) -> FacetAnswer:
    key: Callable[[Entry], str] = {
        Facet.EXTENSION: lambda entry: extension_of(entry.path),
        Facet.TYPE: lambda entry: type_of(entry.path, entry.content_type),
        Facet.WORKSPACE: lambda entry: str(entry.workspace_id),
        Facet.YEAR: lambda entry: str(year_of(entry.modified)),
        Facet.FOLDER: lambda entry: "".join(map(str, entry.folder_ids[request.depth : request.depth + 1])),
    }[request.facet]
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for entry in found:
        counts[key(entry)] += 1
        sizes[key(entry)] += entry.size
    order = sorted(counts, key=lambda one: (-counts[one], one))
    shown = order[: request.top]
    return FacetAnswer(
        tuple(Bucket(one, counts[one], sizes[one]) for one in shown),
        sum(counts[one] for one in order[request.top :]),
        sum(sizes[one] for one in order[request.top :]),
    )
