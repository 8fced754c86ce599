"""What is shown of the entries on a page."""

import json
from collections.abc import Sequence
from typing import Any

import tantivy

from workspacesio.domain.search_matching import looked_for
from workspacesio.index.engine import Hit, SearchRequest
from workspacesio.index.highlights import highlights
from workspacesio.index.packing import unpack_etag
from workspacesio.index.tantivy_queries import Queries


def hits(
    searcher: tantivy.Searcher, queries: Queries, request: SearchRequest, ids: Sequence[int]
) -> tuple[Hit, ...]:
    """In the order of `ids`."""
    if not ids:
        return ()
    # To order by a column is the one way to read text from it.
    found = searcher.search(queries.ids(ids), len(ids), count=False, order_by_field="path").hits
    addresses = [address for _, address in found]
    numbers = [searcher.fast_field_values(name, addresses) for name in ("id", "workspace", "size", "modified")]
    phrases = [words.words for words in looked_for(request.query)] if request.highlight else []
    shown = {}
    for (path, address), entry_id, workspace_id, size, modified in zip(found, *numbers, strict=True):
        stored = searcher.doc(address).to_dict()
        content_type, tags, facts, problem = json.loads(_stored(stored, "extra") or '["", {}, {}, ""]')
        pieces = highlights(phrases, path, _stored(stored, "text").decode()) if phrases else ()
        etag = unpack_etag(_stored(stored, "etag"))
        shown[entry_id] = Hit(
            entry_id, workspace_id, path, size, modified, etag, content_type, facts, tags, problem, pieces
        )
    return tuple(shown[entry_id] for entry_id in ids)


def _stored(document: dict[str, list[Any]], name: str) -> bytes:
    values = document.get(name)
    return bytes(values[0]) if values else b""
