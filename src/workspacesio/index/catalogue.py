"""The catalogue: the truth of what the index holds, folder by folder, with the sums of every folder.

Read by everybody through `Catalogue`; changed by the recorder alone (`recording.py`). All methods raise
Unavailable (CatalogueMissing, CatalogueDamaged) while it can't be read. Paths of folders are '' or 'a/b/'.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from workspacesio.index.catalogue_readings import Readings, changed_folders, load_readings
from workspacesio.index.catalogue_store import CatalogueStore
from workspacesio.index.found import EntryPlace, Found, split_path
from workspacesio.index.packing import unpack_etag
from workspacesio.index.statements import Row, Statements, stretch_of

Place = tuple[int, str]
"""A workspace's number and the path of a folder in it."""


class Usage(NamedTuple):
    objects: int
    bytes: int


class FolderSize(NamedTuple):
    path: str
    objects: int
    bytes: int


class Due(NamedTuple):
    """An entry whose content is to be read."""

    entry_id: int
    folder_id: int
    name: str
    path: str
    size: int
    modified_us: int
    etag: str

    @property
    def place(self) -> EntryPlace:
        return self.folder_id, self.name


class EngineRow(NamedTuple):
    """`state`: serving, filling or retired. `holds`: the last change of the catalogue that it has all of."""

    number: int
    kind: str
    state: str
    holds: int


class Catalogue:
    """Safe to use from many threads; make one after each fork."""

    def __init__(self, url: str) -> None:
        self.store = CatalogueStore(url)

    def close(self) -> None:
        self.store.dispose()

    def folder_ids(self, places: Iterable[Place]) -> dict[Place, int]:
        """Numbers of folders; absent are those in which nothing is indexed."""
        with self.store.reading() as statements:
            found = statements.among(
                places,
                "SELECT f.id, f.workspace_id, f.path FROM wanted CROSS JOIN catalogue_folders f "
                "WHERE f.workspace_id = wanted.number AND f.path = wanted.text",
            )
        return {(workspace_id, path): folder_id for folder_id, workspace_id, path in found}

    def folder_places(self, folder_ids: Collection[int]) -> dict[int, Place]:
        with self.store.reading() as statements:
            found = statements.rows(
                "SELECT id, workspace_id, path FROM catalogue_folders WHERE id IN ?*",
                [statements.listed(folder_ids)],
            )
        return {folder_id: (workspace_id, path) for folder_id, workspace_id, path in found}

    def usage(self, workspace_id: int, path: str) -> Usage | None:
        """What lies in a folder and below; None where nothing is indexed."""
        with self.store.reading() as statements:
            found = statements.rows(
                "SELECT all_objects, all_bytes FROM catalogue_folders WHERE workspace_id = ? AND path = ?",
                (workspace_id, path),
            )
        return Usage(*found[0]) if found and found[0][0] else None

    def sizes(self, workspace_id: int, path: str, depth: int) -> list[FolderSize]:
        """Folders below, at most `depth` levels down, by path. Deeper ones cost nothing."""
        found: list[FolderSize] = []
        with self.store.reading() as statements:
            ids = _numbers(
                statements.rows(
                    "SELECT id FROM catalogue_folders WHERE workspace_id = ? AND path = ?", (workspace_id, path)
                )
            )
            for _ in range(depth):
                rows = statements.rows(
                    "SELECT id, path, all_objects, all_bytes FROM catalogue_folders "
                    "WHERE parent_id IN ?* AND all_objects > 0",
                    [statements.listed(ids)],
                )
                if not rows:
                    break
                found += [FolderSize(*row[1:]) for row in rows]
                ids = _numbers(rows)
        return sorted(found)

    def totals(self, workspace_ids: Collection[int] | None = None) -> Usage:
        held = self.workspace_totals()
        wanted = held.keys() if workspace_ids is None else held.keys() & set(workspace_ids)
        return Usage(
            sum(held[workspace_id].objects for workspace_id in wanted),
            sum(held[workspace_id].bytes for workspace_id in wanted),
        )

    def workspace_totals(self) -> dict[int, Usage]:
        with self.store.reading() as statements:
            rows = statements.rows(
                "SELECT workspace_id, all_objects, all_bytes FROM catalogue_folders WHERE parent_id IS NULL"
            )
        return {workspace_id: Usage(objects, size) for workspace_id, objects, size in rows}

    def workspaces(self) -> list[int]:
        """Those of which anything was ever recorded, and not dropped since."""
        return sorted(self.workspace_totals())

    def found(self, workspace_id: int, path: str) -> Found | None:
        """One object as it was recorded."""
        folder, name = split_path(path)
        with self.store.reading() as statements:
            rows = statements.rows(
                "SELECT name, size, modified, etag, stamp FROM catalogue_entries WHERE name = ? AND folder_id = "
                "(SELECT id FROM catalogue_folders WHERE workspace_id = ? AND path = ?)",
                (name, workspace_id, folder),
            )
        return _found(rows[0]) if rows else None

    def listing(self, workspace_id: int, folder: str) -> list[Found]:
        """The objects right in a folder, by name."""
        with self.store.reading() as statements:
            rows = statements.rows(
                "SELECT name, size, modified, etag, stamp FROM catalogue_entries WHERE folder_id = "
                "(SELECT id FROM catalogue_folders WHERE workspace_id = ? AND path = ?) ORDER BY name",
                (workspace_id, folder),
            )
        return [_found(row) for row in rows]

    def stamps(
        self, workspace_id: int, folder: str, first_name: str | None = None, last_name: str | None = None
    ) -> dict[str, int]:
        """By name, of the objects right in a folder: names after `first_name` up to and with `last_name`."""
        stretch = stretch_of("name", first_name, last_name)
        with self.store.looking_up() as statements:
            rows = statements.rows(
                "SELECT name, stamp FROM catalogue_entries WHERE folder_id = "  # noqa: S608
                "(SELECT id FROM catalogue_folders WHERE workspace_id = ? AND path = ?)" + stretch.condition,
                [workspace_id, folder, *stretch.parameters],
            )
        return dict(rows)

    def due(
        self,
        workspace_id: int,
        *,
        current: Collection[str],
        after: tuple[int, str] | None,
        limit: int,
        changed_after: int = 0,
    ) -> list[Due]:
        """Entries whose `looked` is none of `current`, by (folder, name), after that one; only in folders that
        changed after `changed_after` (see `change_number`)."""
        with self.store.reading() as statements:
            return _to_read(
                statements,
                workspace_id,
                condition="(looked IS NULL OR NOT (looked IN ?*))",
                parameters=[statements.listed(current)],
                after=after,
                limit=limit,
                changed_after=changed_after,
            )

    def due_now(self, workspace_id: int, place: EntryPlace, *, current: Collection[str]) -> Due | None:
        """The entry as it is now, if it is due."""
        with self.store.reading() as statements:
            rows = statements.rows(
                "SELECT e.id, e.folder_id, e.name, f.path, e.size, e.modified, e.etag FROM catalogue_entries e "
                "JOIN catalogue_folders f ON f.id = e.folder_id WHERE e.folder_id = ? AND e.name = ? "
                "AND f.workspace_id = ? AND (e.looked IS NULL OR NOT (e.looked IN ?*))",
                [*place, workspace_id, statements.listed(current)],
            )
        for entry_id, folder_id, name, path, size, modified, etag in rows:
            return Due(entry_id, folder_id, name, path + name, size, modified, unpack_etag(etag))
        return None

    def read_before(self, workspace_id: int, *, after: tuple[int, str] | None, limit: int) -> list[Due]:
        """Entries of whose content anything was ever recorded, as `due` gives them."""
        with self.store.reading() as statements:
            if not statements.rows("SELECT 1 FROM catalogue_contents LIMIT 1", ()):
                return []
            return _to_read(statements, workspace_id, condition="looked IS NOT NULL", after=after, limit=limit)

    def changed_workspaces(self, after: int) -> list[int]:
        """Those in which anything was recorded after that change (see `change_number`)."""
        with self.store.reading() as statements:
            return _numbers(
                statements.rows("SELECT DISTINCT workspace_id FROM catalogue_folders WHERE changed > ?", (after,))
            )

    def due_counts(self, workspace_ids: Collection[int], current: Collection[str]) -> tuple[int, int]:
        """How many entries are due, and their bytes."""
        with self.store.reading() as statements:
            # In two halves: SQLite fails where a sum of numbers is more than 64 bits hold.
            [(objects, high, low)] = statements.rows(
                "SELECT count(*), coalesce(sum(size >> 32), 0), coalesce(sum(size & 4294967295), 0) "
                "FROM catalogue_entries WHERE folder_id IN "
                "(SELECT id FROM catalogue_folders WHERE workspace_id IN ?*) "
                "AND (looked IS NULL OR NOT (looked IN ?*))",
                [statements.listed(workspace_ids), statements.listed(current)],
            )
        return int(objects), (int(high) << 32) + int(low)

    def readings(self, known: Readings | None = None) -> Readings:
        """How far contents were read; rows that are as in `known` aren't read again."""
        return load_readings(self.store, known)

    def changed_folders(self, places: Iterable[tuple[int, str, int]]) -> list[Place]:
        """As `catalogue_readings.changed_folders`."""
        return changed_folders(self.store, places)

    def change_number(self) -> int:
        """Rises with every recorded change."""
        return self.numbers()["changes"]

    def numbers(self) -> dict[str, int]:
        with self.store.reading() as statements:
            return dict(statements.rows("SELECT name, value FROM catalogue_numbers"))

    def engines(self) -> list[EngineRow]:
        with self.store.reading() as statements:
            return engine_rows(statements)


def _to_read(
    statements: Statements,
    workspace_id: int,
    *,
    condition: str,
    parameters: Sequence[object] = (),
    after: tuple[int, str] | None,
    limit: int,
    changed_after: int = 0,
) -> list[Due]:
    first, after_name = after or (0, "")
    found: list[Due] = []
    while len(found) < limit:
        paths: dict[int, str] = dict(
            statements.rows(
                "SELECT id, path FROM catalogue_folders WHERE workspace_id = ? AND changed > ? "
                "AND id >= ? AND own_objects > 0 ORDER BY id LIMIT 500",
                (workspace_id, changed_after, first),
            )
        )
        if not paths:
            break
        rows = statements.rows(
            "SELECT id, folder_id, name, size, modified, etag FROM catalogue_entries "  # noqa: S608
            f"WHERE folder_id IN ?* AND (folder_id > ? OR name > ? OR ? = 1) AND {condition} "
            "ORDER BY folder_id, name LIMIT ?",
            [statements.listed(paths), first, after_name, 0 if after else 1, *parameters, limit - len(found)],
        )
        found += [
            Due(entry_id, folder_id, name, paths[folder_id] + name, size, modified, unpack_etag(etag))
            for entry_id, folder_id, name, size, modified, etag in rows
        ]
        after, first = None, max(paths) + 1
    return found


def engine_rows(statements: Statements) -> list[EngineRow]:
    rows = statements.rows("SELECT number, kind, state, holds FROM catalogue_engines ORDER BY number")
    return [EngineRow(*row) for row in rows]


def _numbers(rows: Sequence[Row]) -> list[int]:
    return [row[0] for row in rows]


def _found(row: Row) -> Found:
    return Found(row[0], row[1], row[2], unpack_etag(row[3]), row[4])
