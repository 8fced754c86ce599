"""Folders while they are being changed: their numbers, their ancestors, and what is added to their sums.

Sums are kept exact by adding, in each transaction, what changed in a folder to itself and to all above it. Bytes
are added modulo 4 EiB (4611686018427387903 is `found.MOST_BYTES`): when the files that made a sum too large go,
it is right again.
"""

from collections.abc import Iterable, Sequence

from workspacesio.index.catalogue import Place
from workspacesio.index.catalogue_store import CatalogueDamaged
from workspacesio.index.found import MOST_BYTES, parent_path
from workspacesio.index.statements import Statements

_KEPT = 50_000

_COLUMNS = (
    "id",
    "workspace_id",
    "parent_id",
    "path",
    "own_objects",
    "own_bytes",
    "all_objects",
    "all_bytes",
    "changed",
)


class Folder:
    """`ids` begins with the workspace's own folder and ends with this one. The sums are what is to be added."""

    __slots__ = (
        "all_bytes",
        "all_objects",
        "id",
        "ids",
        "is_new",
        "made",
        "own_bytes",
        "own_objects",
        "parent",
        "path",
    )

    def __init__(self, number: int, path: str, parent: "Folder | None", *, is_new: bool) -> None:
        self.id = number
        self.path = path
        self.parent = parent
        self.ids: tuple[int, ...] = (number,) if parent is None else (*parent.ids, number)
        self.is_new = is_new
        self.made: list[Folder] = []
        """Folders right in it that no statement has written yet."""
        self.own_objects = self.own_bytes = self.all_objects = self.all_bytes = 0


class Folders:
    """Those that were met lately. `next_number`: of the next new one."""

    def __init__(self) -> None:
        self.next_number = 0
        self._known: dict[Place, Folder] = {}
        self._pending: dict[int, tuple[int, Folder]] = {}

    def load(self, statements: Statements, places: Iterable[Place]) -> None:
        """So that `find` knows these, and all that they lie in."""
        missing: dict[int, set[str]] = {}
        for workspace_id, place in places:
            path: str | None = place
            while path is not None and (workspace_id, path) not in self._known:
                wanted = missing.setdefault(workspace_id, set())
                if path in wanted:
                    break
                wanted.add(path)
                path = parent_path(path)
        for workspace_id, paths in missing.items():
            rows = statements.rows(
                "SELECT path, id FROM catalogue_folders WHERE workspace_id = ? AND path IN ?*",
                [workspace_id, statements.listed(paths)],
            )
            for path, number in sorted(rows):  # a folder before what lies in it
                self._known[workspace_id, path] = Folder(
                    number, path, self._parent(workspace_id, path), is_new=False
                )

    def find(self, place: Place) -> Folder | None:
        return self._known.get(place)

    def make(self, place: Place) -> Folder:
        """The folder, which `load` has looked for; new if it isn't there."""
        found = self._known.get(place)
        if found is not None:
            return found
        workspace_id, path = place
        above = parent_path(path)
        parent = None if above is None else self.make((workspace_id, above))
        made = self._known[place] = Folder(self.next_number, path, parent, is_new=True)
        self.next_number += 1
        if parent is not None:
            parent.made.append(made)
        return made

    def add(self, workspace_id: int, folder: Folder, objects: int, size: int) -> None:
        """Something right in the folder changed, by so much."""
        folder.own_objects += objects
        folder.own_bytes += size
        self._pending[folder.id] = workspace_id, folder

    def write(self, statements: Statements, change: int) -> None:
        """All that is to be added, to the rows of the folders."""
        touched: dict[int, tuple[int, Folder]] = {}
        for workspace_id, folder in self._pending.values():
            objects, size = folder.own_objects, folder.own_bytes
            above: Folder | None = folder
            while above is not None:
                above.all_objects += objects
                above.all_bytes += size
                touched[above.id] = workspace_id, above
                above = above.parent
        made, changed, summed = [], [], []
        for workspace_id, folder in touched.values():
            own = folder.own_objects, folder.own_bytes & MOST_BYTES
            everything = folder.all_objects, folder.all_bytes & MOST_BYTES
            is_changed = folder.id in self._pending
            if folder.is_new:
                parent_id = None if folder.parent is None else folder.parent.id
                number = change if is_changed else 0
                made.append((folder.id, workspace_id, parent_id, folder.path, *own, *everything, number))
            elif is_changed:
                changed.append((*own, *everything, change, folder.id))
            else:
                summed.append((*everything, folder.id))
            folder.own_objects = folder.own_bytes = folder.all_objects = folder.all_bytes = 0
            folder.is_new = False
            folder.made = []
        statements.insert("catalogue_folders", _COLUMNS, made)
        statements.run_many(
            "UPDATE catalogue_folders SET own_objects = own_objects + ?, "
            "own_bytes = (own_bytes + ?) & 4611686018427387903, all_objects = all_objects + ?, "
            "all_bytes = (all_bytes + ?) & 4611686018427387903, changed = ? WHERE id = ?",
            changed,
        )
        statements.run_many(
            "UPDATE catalogue_folders SET all_objects = all_objects + ?, "
            "all_bytes = (all_bytes + ?) & 4611686018427387903 WHERE id = ?",
            summed,
        )
        self._pending.clear()

    def take_away(self, statements: Statements, folders: Sequence[int], objects: int, size: int) -> None:
        """From the sums of these folders, by their numbers, what went below them."""
        statements.run(
            "UPDATE catalogue_folders SET all_objects = all_objects - ?, "
            "all_bytes = (all_bytes + ?) & 4611686018427387903 WHERE id IN ?*",
            [objects, -size & MOST_BYTES, statements.listed(folders)],
        )

    def forget(self) -> None:
        """After rows were changed otherwise, or weren't kept."""
        self._known.clear()
        self._pending.clear()

    def forget_if_many(self) -> None:
        """Between transactions."""
        if len(self._known) > _KEPT:
            self.forget()

    def _parent(self, workspace_id: int, path: str) -> Folder | None:
        above = parent_path(path)
        if above is None:
            return None
        found = self._known.get((workspace_id, above))
        if found is None:
            raise CatalogueDamaged(
                "The index is damaged; it is made again by itself.", details={"cause": "folders"}
            )
        return found
