"""Makes folders of the catalogue equal to what a listing found, touching only what differs.

What events recorded after a folder was listed is left alone: the listing is older than they are.
"""

from collections.abc import Sequence

from workspacesio.index.catalogue import Place
from workspacesio.index.catalogue_changes import CatalogueChanges
from workspacesio.index.catalogue_folders import Folder
from workspacesio.index.found import Counts, Found, Listing
from workspacesio.index.marks import Touches
from workspacesio.index.statements import Row, stretch_of

_STAMPS = "SELECT folder_id, name, stamp FROM catalogue_entries WHERE folder_id = ? ORDER BY folder_id, name"
_STRETCH = "SELECT name, stamp FROM catalogue_entries WHERE folder_id = ?"
_CHILDREN = "SELECT parent_id, path FROM catalogue_folders WHERE parent_id = ? ORDER BY parent_id, path"


def sync(changes: CatalogueChanges, listings: Sequence[Listing], touches: Touches) -> Counts:
    """Each folder at most once, unless they are stretches of it."""
    counts = Counts()
    syncing = _Syncing(changes, touches)
    whole = [listing for listing in listings if listing.first_name is None and listing.last_name is None]
    changes.load((listing.workspace_id, listing.path) for listing in listings)
    known = [changes.folders.find((listing.workspace_id, listing.path)) for listing in whole]
    ids = [folder.id for folder in known if folder is not None]
    stamps = changes.statements.by_first(_STAMPS, ids)
    children = changes.statements.by_first(_CHILDREN, ids)
    for listing, folder in zip(whole, known, strict=True):
        number = 0 if folder is None else folder.id
        have = [row[1:] for row in stamps.get(number, ())]
        paths = [row[1] for row in children.get(number, ())]
        counts = counts.plus(syncing.one(listing, have, paths))
    for listing in listings:
        if listing.first_name is not None or listing.last_name is not None:
            counts = counts.plus(syncing.stretch(listing))
    changes.write_entries()
    lost = sum(changes.drop_folder(*place) for place in syncing.vanished)
    return counts._replace(gone=counts.gone + lost)


class _Syncing:
    """`vanished`: folders that are to go in the end, since dropping one writes out all that is under way."""

    def __init__(self, changes: CatalogueChanges, touches: Touches) -> None:
        self.vanished: list[Place] = []
        self._changes = changes
        self._touches = touches

    def stretch(self, listing: Listing) -> Counts:
        changes = self._changes
        changes.write_entries()
        changes.load([(listing.workspace_id, listing.path)])
        folder = changes.folders.find((listing.workspace_id, listing.path))
        have: list[Row] = []
        paths: list[str] = []
        if folder is not None:
            names = stretch_of("name", listing.first_name, listing.last_name)
            have = changes.statements.rows(
                _STRETCH + names.condition + " ORDER BY name", [folder.id, *names.parameters]
            )
            found = changes.statements.rows(
                "SELECT path FROM catalogue_folders WHERE parent_id = ? ORDER BY path", (folder.id,)
            )
            paths = [path for (path,) in found if _is_within(_name_of(path, listing), listing)]
        return self.one(listing, have, paths)

    def one(self, listing: Listing, have: Sequence[Row], children: Sequence[str]) -> Counts:
        """`have`: name and stamp of what is recorded there; `children`: paths of the folders that are."""
        place, found = (listing.workspace_id, listing.path), listing.found
        size = sum([item.size for item in found])
        if self._touches.is_outdated(*place, listing.since):
            return Counts(bytes=size)
        touched = self._touches.names(*place, listing.since)
        lost = _vanished(listing, self._changes.folders.find(place), children, touched)
        self.vanished += [(listing.workspace_id, child) for child in lost]
        if _is_recorded(found, have):
            return Counts(unchanged=len(found), bytes=size)
        recorded: dict[str, int] = dict(have)
        by_name = {item[0]: item for item in found}
        differing: Sequence[Found]
        if not recorded and len(by_name) == len(found):
            differing = found
        else:
            differing = [
                item for item in by_name.values() if not item.stamp or recorded.get(item.name) != item.stamp
            ]
        gone = recorded.keys() - by_name.keys()
        if touched:
            differing = [item for item in differing if item.name not in touched]
            gone = gone - touched
        counts = Counts()
        if differing or gone:
            folder = self._changes.folders.make(place)
            empty, told = not recorded, listing.told
            counts = self._changes.record(place[0], folder, differing, gone, empty=empty, told=told)
        same = len(by_name) - len(differing)
        return counts._replace(unchanged=counts.unchanged + same, bytes=size)


def _vanished(listing: Listing, folder: Folder | None, children: Sequence[str], touched: set[str]) -> list[str]:
    """Folders that are recorded and weren't found."""
    made = [] if folder is None else [child.path for child in folder.made]
    if not children and not made:
        return []
    named = set(listing.subfolders)
    return [
        child
        for child in (*children, *made)
        if (name := _name_of(child, listing)) not in named
        and name + "/" not in touched
        and _is_within(name, listing)
    ]


def _name_of(child: str, listing: Listing) -> str:
    return child[len(listing.path) : -1]


def _is_within(name: str, listing: Listing) -> bool:
    after = listing.first_name is None or name > listing.first_name
    return after and (listing.last_name is None or name <= listing.last_name)


def _is_recorded(found: Sequence[Found], have: Sequence[Row]) -> bool:
    """All that was found, as it is, and nothing else."""
    if len(found) != len(have):
        return False
    stamped = [(name, stamp) for name, _, _, _, stamp in found]
    return stamped == have and 0 not in [stamp for _, stamp in stamped]
