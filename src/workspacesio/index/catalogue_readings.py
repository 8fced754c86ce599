"""How far the contents of each workspace were read: kept by the worker that reads, looked at by whoever searches.

held          the most that may be in the index of them: whatever a root's level is now, no more than that is found
looked        the level at which all that was recorded up to change `through` of the catalogue was read
stamps        by which readers; after a change of them nothing counts as read
is_open       something recorded since is still to be looked at
unread_since  when (µs) the oldest was recorded that may be unread, to within a walk; nothing: all is read

Of what isn't open all was looked at that was recorded up to the number `read_through`, which is one for all. So in
a workspace that isn't open and in which nothing was recorded since then, nothing is left to be read. The number
`readings` rises with every change of a row.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue_store import CatalogueStore
from workspacesio.index.statements import Statements

_COLUMNS = ("workspace_id", "held", "looked", "through", "stamps", "is_open", "unread_since")


class ReadSoFar(NamedTuple):
    """Of one workspace."""

    held: IndexLevel
    looked: IndexLevel
    through: int
    stamps: str
    is_open: bool
    unread_since: int | None = None


class Readings(NamedTuple):
    """`changed`: workspaces in which something was recorded after `through`. `version`: of the rows."""

    version: tuple[int, int]
    through: int
    rows: dict[int, ReadSoFar]
    changed: frozenset[int]


def load_readings(store: CatalogueStore, known: Readings | None = None) -> Readings:
    """Raises Unavailable. As quick as little has changed: since `known`, and since the worker looked last."""
    with store.reading() as statements:
        numbers: dict[str, int] = dict(statements.rows("SELECT name, value FROM catalogue_numbers"))
        version, through = (numbers["catalogue"], numbers["readings"]), numbers["read_through"]
        rows = known.rows if known is not None and known.version == version else _rows(statements)
        changed = (
            statements.rows("SELECT DISTINCT workspace_id FROM catalogue_folders WHERE changed > ?", (through,))
            if rows
            else []
        )
    return Readings(version, through, rows, frozenset(row[0] for row in changed))


def _rows(statements: Statements) -> dict[int, ReadSoFar]:
    found = statements.rows(
        "SELECT workspace_id, held, looked, through, stamps, is_open, unread_since FROM catalogue_readings"
    )
    levels = {level.value: level for level in IndexLevel}
    return {
        row[0]: ReadSoFar(levels[row[1]], levels[row[2]], row[3], row[4], bool(row[5]), row[6]) for row in found
    }


def write_readings(statements: Statements, rows: Mapping[int, ReadSoFar | None], through: int | None) -> None:
    """None: the row goes; the number stays."""
    if through is not None:
        statements.run("UPDATE catalogue_numbers SET value = ? WHERE name = 'read_through'", (through,))
    if not rows:
        return
    statements.run("UPDATE catalogue_numbers SET value = value + 1 WHERE name = 'readings'")
    statements.run("DELETE FROM catalogue_readings WHERE workspace_id IN ?*", [statements.listed(sorted(rows))])
    statements.insert(
        "catalogue_readings",
        _COLUMNS,
        [(number, *row[:4], int(row[4]), row[5]) for number, row in rows.items() if row is not None],
    )


def changed_folders(store: CatalogueStore, places: Iterable[tuple[int, str, int]]) -> list[tuple[int, str]]:
    """Of places (workspace, folder 'a/b/', change) those below which an object was recorded after that change.

    Looks at nothing outside of these folders.
    """
    found = []
    with store.reading() as statements:
        for workspace_id, path, after in places:
            # '/' is followed by '0': from 'a/b/' to 'a/b0' lies all that begins with 'a/b/'.
            if statements.rows(
                "SELECT 1 FROM catalogue_folders WHERE workspace_id = ? AND path >= ? AND path < ? "
                "AND changed > ? AND own_objects > 0 LIMIT 1",
                (workspace_id, path, path[:-1] + "0", after),
            ):
                found.append((workspace_id, path))
    return found
