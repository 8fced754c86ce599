"""What was read of contents, recorded for the entries that are still as they were then."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from workspacesio.index.catalogue import Due
from workspacesio.index.catalogue_changes import CatalogueChanges
from workspacesio.index.engine import Entry
from workspacesio.index.packing import NOTHING_READ, Contents, pack_contents, unpack_etag


class Enriched(Protocol):
    """`looked` says how it was read, '' for not at all."""

    @property
    def looked(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def user(self) -> Mapping[str, str]: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def facts(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...
    @property
    def problem(self) -> str: ...


def enrich(changes: CatalogueChanges, found: Sequence[tuple[Due, Enriched]]) -> int:
    """Returns of how many entries it was kept."""
    statements = changes.statements
    folder_ids = {due.folder_id for due, _ in found}
    changes.write()
    places = {
        row[0]: (row[1], row[2])
        for row in statements.rows(
            "SELECT id, workspace_id, path FROM catalogue_folders WHERE id IN ?*", [statements.listed(folder_ids)]
        )
    }
    changes.load(places.values())
    looked: list[tuple[object, ...]] = []
    packed: list[tuple[int, bytes]] = []
    entries: list[Entry] = []
    for due, read in found:
        place = places.get(due.folder_id)
        folder = None if place is None else changes.folders.find(place)
        if place is None or folder is None:
            continue
        rows = statements.rows(
            "SELECT id, size, modified, etag FROM catalogue_entries WHERE folder_id = ? AND name = ?",
            (due.folder_id, due.name),
        )
        expected = [(due.entry_id, due.size, due.modified_us, due.etag)]
        if [(*row[:3], unpack_etag(row[3])) for row in rows] != expected:
            continue
        contents = Contents(read.content_type, read.user, read.tags, read.facts, read.text, read.problem)
        looked.append((read.looked or None, due.folder_id, due.name))
        if contents != NOTHING_READ:
            packed.append((due.entry_id, pack_contents(contents)))
        path = folder.path + due.name
        entries.append(
            Entry(due.entry_id, place[0], folder.ids, path, due.size, due.modified_us, due.etag, *contents)
        )
        changes.note_change(place[0], folder)
    statements.run_many("UPDATE catalogue_entries SET looked = ? WHERE folder_id = ? AND name = ?", looked)
    statements.run(
        "DELETE FROM catalogue_contents WHERE entry_id IN ?*", [statements.listed(entry.id for entry in entries)]
    )
    statements.insert("catalogue_contents", ("entry_id", "data"), packed)
    changes.work.put_all(entries)
    return len(entries)
