"""One transaction of the catalogue, and what it means for the engines.

changes = CatalogueChanges(connection, folders, fence=…)     the transaction has begun
changes.put(…); changes.sync(…); changes.drop(…)
work = changes.commit()                                      now engines may be told
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from workspacesio.domain.errors import Conflict
from workspacesio.index.catalogue import Place
from workspacesio.index.catalogue_folders import Folder, Folders
from workspacesio.index.catalogue_store import catalogue_failures
from workspacesio.index.engine import Entry
from workspacesio.index.engine_work import EngineWork, ListedEntries
from workspacesio.index.found import Counts, Found, Told, split_path
from workspacesio.index.packing import pack_etag, unpack_etag
from workspacesio.index.statements import Row, statements_on

_NUMBERS = "SELECT name, value FROM catalogue_numbers ORDER BY name"
_GARBAGE = "INSERT INTO catalogue_garbage (folder_id) SELECT id FROM catalogue_folders WHERE workspace_id = ?"
_DROP = "DELETE FROM catalogue_folders WHERE workspace_id = ?"
_ENTRY_COLUMNS = ("folder_id", "name", "id", "size", "modified", "stamp", "etag")


class LeaseLost(Conflict):
    """Another worker writes the index now."""

    default_code = "lease_lost"


class CatalogueChanges:
    """`folders` outlive it, unless it is rolled back. Raises LeaseLost when another has written since.

    `beat`: the lease's, kept with each change so that a database older than it is known (`opening.py`).
    """

    def __init__(self, connection: Connection, folders: Folders, *, fence: int, beat: int) -> None:
        self._connection = connection
        self._transaction = connection.begin()
        self.statements = statements_on(connection.dialect.name, connection.connection.cursor())
        self.folders = folders
        lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
        self._numbers: dict[str, int] = dict(self.statements.rows(_NUMBERS + lock))
        if self._numbers["fence"] != fence:
            raise LeaseLost("Another worker writes the index now.")
        self._before = dict(self._numbers)
        folders.next_number = self._numbers["next_folder"]
        self.work = EngineWork()
        self.told: list[Told] = []
        """What is to be read first of all once this has ended."""
        self._inserts: list[tuple[object, ...]] = []
        self._is_changed = False
        self._beat = beat

    @property
    def number(self) -> int:
        """Of this transaction, once something changes."""
        return self._numbers["changes"] + 1

    @property
    def size(self) -> int:
        return self.work.size

    def record(
        self,
        workspace_id: int,
        folder: Folder,
        found: Sequence[Found],
        gone: Iterable[str],
        *,
        empty: bool,
        told: bool,
    ) -> Counts:
        """Objects of one folder as they are now; of names that aren't there, `gone` ones are dropped.

        `empty`: nothing is recorded of the folder yet. `told`: as `found.Listing` says.
        """
        gone = list(gone)
        have = {} if empty else self._rows(folder, [*(item.name for item in found), *gone])
        fresh, changed, stamped = _sorted_out(found, have) if have else (found, (), ())
        if told:
            self._tell(workspace_id, folder, [item.name for item in (*stamped, *changed, *fresh)])
        if not have:
            return self._add_all(workspace_id, folder, found)
        removed = [have[name] for name in gone if name in have]
        self._stamp(workspace_id, folder, stamped, have)
        self._change(workspace_id, folder, changed, have)
        self._remove(workspace_id, folder, removed)
        added = self._add_all(workspace_id, folder, fresh)
        unchanged = len(found) - len(fresh) - len(changed)
        return Counts(added.new, len(changed), unchanged, len(removed), sum(item.size for item in found))

    def drop_folder(self, workspace_id: int, path: str) -> int:
        """A folder with all below it; its entries' rows are cleared later. Returns how many objects went."""
        self.write()
        self.folders.load(self.statements, [(workspace_id, path)])
        folder = self.folders.find((workspace_id, path))
        if folder is None:
            return 0
        self._is_changed = True
        # '/' is followed by '0': from 'a/b/' to 'a/b0' lies all that begins with 'a/b/'.
        below, bounds = ("", []) if path == "" else (" AND path >= ? AND path < ?", [path, path[:-1] + "0"])
        [(objects, size)] = self.statements.rows(
            "SELECT all_objects, all_bytes FROM catalogue_folders WHERE id = ?", (folder.id,)
        )
        self.statements.run(_GARBAGE + below, [workspace_id, *bounds])
        self.statements.run(_DROP + below, [workspace_id, *bounds])
        if folder.parent is not None:
            self.folders.take_away(self.statements, folder.ids[:-1], objects, size)
        self.statements.run(
            "INSERT INTO catalogue_dropped (folder_id, changed) VALUES (?, ?)", (folder.id, self.number)
        )
        self.work.remove_folder(folder.id)
        self.folders.forget()
        return int(objects)

    def note_change(self, workspace_id: int, folder: Folder) -> None:
        """Something of an entry in the folder is otherwise, and its size is not."""
        self._is_changed = True
        self.folders.add(workspace_id, folder, 0, 0)

    def load(self, places: Iterable[Place]) -> None:
        self.folders.load(self.statements, places)

    def write_entries(self) -> None:
        """New entries to their table, so that statements find them."""
        self.statements.insert("catalogue_entries", _ENTRY_COLUMNS, self._inserts)
        self._inserts = []

    def write(self) -> None:
        self.write_entries()
        self.folders.write(self.statements, self.number)

    def commit(self) -> tuple[int, EngineWork]:
        """The number of the last change, and what engines are to do; nothing if nothing was changed."""
        with catalogue_failures():
            if self._is_changed:
                self.write()
                self._numbers["changes"] = self.number
                self._numbers["beat"] = self._beat
                self._numbers["next_folder"] = self.folders.next_number
            held = [(value, name) for name, value in self._numbers.items() if self._before[name] != value]
            if held:
                self.statements.run_many("UPDATE catalogue_numbers SET value = ? WHERE name = ?", held)
            self._transaction.commit()
        return self._numbers["changes"], self.work

    def roll_back(self) -> None:
        self.folders.forget()
        self._transaction.rollback()

    def _add_all(self, workspace_id: int, folder: Folder, found: Sequence[Found]) -> Counts:
        if not found:
            return Counts()
        self._is_changed = True
        first = self._numbers["next_entry"]
        self._numbers["next_entry"] = first + len(found)
        number = folder.id
        self._inserts += [
            (number, name, entry_id, size, modified, stamp, pack_etag(etag))
            for entry_id, (name, size, modified, etag, stamp) in enumerate(found, first)
        ]
        self.work.put_all(ListedEntries(workspace_id, folder.ids, folder.path, first, found))
        total = sum([item.size for item in found])
        self.folders.add(workspace_id, folder, len(found), total)
        return Counts(new=len(found), bytes=total)

    def _stamp(self, workspace_id: int, folder: Folder, items: Sequence[Found], have: Mapping[str, Row]) -> None:
        """What was read holds until it is read again: tags, say, were set, and the bytes are the same."""
        if not items:
            return
        self.statements.run_many(
            "UPDATE catalogue_entries SET stamp = ?, looked = CASE WHEN looked IS NULL THEN NULL ELSE '' END "
            "WHERE folder_id = ? AND name = ?",
            [(item.stamp, folder.id, item.name) for item in items],
        )
        if any(have[item.name][6] is not None for item in items):
            self.note_change(workspace_id, folder)

    def read_again(self, workspace_id: int, paths: Iterable[str]) -> None:
        """Of what was never read there is nothing to read again."""
        self.load((workspace_id, split_path(path)[0]) for path in paths)
        for path in paths:
            place, name = split_path(path)
            folder = self.folders.find((workspace_id, place))
            if folder is not None and self.statements.run(
                "UPDATE catalogue_entries SET looked = '' WHERE folder_id = ? AND name = ? AND looked IS NOT NULL",
                (folder.id, name),
            ):
                self.note_change(workspace_id, folder)
                self._tell(workspace_id, folder, [name])

    def _tell(self, workspace_id: int, folder: Folder, names: Iterable[str]) -> None:
        self.told += [Told(workspace_id, (folder.id, name)) for name in names]

    def _change(self, workspace_id: int, folder: Folder, items: Sequence[Found], have: Mapping[str, Row]) -> None:
        if not items:
            return
        self._is_changed = True
        self.statements.run_many(
            "UPDATE catalogue_entries SET size = ?, modified = ?, stamp = ?, etag = ?, looked = NULL "
            "WHERE folder_id = ? AND name = ?",
            [(item.size, item.modified, item.stamp, pack_etag(item.etag), folder.id, item.name) for item in items],
        )
        rows = [have[item.name] for item in items]
        self._forget_contents(rows)
        ids, path = folder.ids, folder.path
        self.work.put_all(
            [
                Entry(row[1], workspace_id, ids, path + item.name, item.size, item.modified, item.etag)
                for item, row in zip(items, rows, strict=True)
            ]
        )
        grown = sum(item.size for item in items) - sum(row[2] for row in rows)
        self.folders.add(workspace_id, folder, 0, grown)

    def _remove(self, workspace_id: int, folder: Folder, rows: Sequence[Row]) -> None:
        if not rows:
            return
        self._is_changed = True
        self.statements.run(
            "DELETE FROM catalogue_entries WHERE folder_id = ? AND name IN ?*",
            [folder.id, self.statements.listed(row[0] for row in rows)],
        )
        self._forget_contents(rows)
        self.work.remove(row[1] for row in rows)
        self.folders.add(workspace_id, folder, -len(rows), -sum(row[2] for row in rows))

    def _rows(self, folder: Folder, names: Sequence[str]) -> dict[str, Row]:
        rows = self.statements.rows(
            "SELECT name, id, size, modified, stamp, etag, looked FROM catalogue_entries "
            "WHERE folder_id = ? AND name IN ?*",
            [folder.id, self.statements.listed(names)],
        )
        return {row[0]: row for row in rows}

    def _forget_contents(self, rows: Sequence[Row]) -> None:
        read = [row[1] for row in rows if row[6] is not None]
        if read:
            self.statements.run(
                "DELETE FROM catalogue_contents WHERE entry_id IN ?*", [self.statements.listed(read)]
            )


def _sorted_out(
    found: Sequence[Found], have: Mapping[str, Row]
) -> tuple[Sequence[Found], Sequence[Found], Sequence[Found]]:
    """Objects that are new, that changed, and of which only the stamp did."""
    fresh: list[Found] = []
    changed: list[Found] = []
    stamped: list[Found] = []
    for item in found:
        row = have.get(item.name)
        if row is None:
            fresh.append(item)
        elif item.stamp == row[4] != 0:
            continue
        elif (item.size, item.modified, item.etag) != (row[2], row[3], unpack_etag(row[5])):
            changed.append(item)
        elif item.stamp != row[4]:
            stamped.append(item)
    return fresh, changed, stamped
