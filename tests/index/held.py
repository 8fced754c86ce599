"""What a real engine holds, compared with what the catalogue says it should."""

from __future__ import annotations

from index.recorded import all_entries, serving
from workspacesio.domain.search_query import Everything, Folders
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.engine import EngineReader, Hit, SearchRequest, Sort
from workspacesio.index.recording import Recorder


def check_engine(recorder: Recorder) -> int:
    """Hits, totals, and counts and bytes of every folder; returns how many entries there are."""
    reader = serving(recorder).engine.reader()
    try:
        return check_reader(reader, recorder.catalogue)
    finally:
        reader.close()


def check_reader(reader: EngineReader, catalogue: Catalogue) -> int:
    expected = all_entries(catalogue)
    hits = all_hits(reader)
    held = {
        hit.id: (hit.workspace_id, hit.path, hit.size, hit.modified, hit.etag, hit.content_type) for hit in hits
    }
    wanted = {
        entry.id: (entry.workspace_id, entry.path, entry.size, entry.modified, entry.etag, entry.content_type)
        for entry in expected.values()
    }
    differing = {number for number in held.keys() | wanted.keys() if held.get(number) != wanted.get(number)}
    assert not differing, [(number, held.get(number), wanted.get(number)) for number in sorted(differing)][:5]
    assert len(hits) == len(expected) == reader.entries()
    with catalogue.store.reading() as statements:
        folders = statements.rows("SELECT id, all_objects, all_bytes FROM catalogue_folders")
    for folder_id, objects, size in folders:
        assert reader.total(Folders(frozenset({folder_id}))) == (objects, size)
    return len(hits)


def all_hits(reader: EngineReader) -> list[Hit]:
    hits: list[Hit] = []
    after: str | None = None
    while True:
        page = reader.search(SearchRequest(Everything(), Sort.PATH, descending=False, limit=500, after=after))
        hits += page.hits
        after = page.next_after
        if after is None:
            return hits
