"""Compares storage with the index, and changes neither: a walk hands its listings here instead of to the recorder.

What events touch while a folder is looked at is left out. A change that nobody has told of yet counts as a
difference: so it is, until the next crawl.
"""

from collections.abc import Sequence

from workspacesio.index.catalogue import Catalogue
from workspacesio.index.found import Counts, Found, Listing
from workspacesio.index.marks import Mark
from workspacesio.index.recording import Recorder

EXAMPLES = 100


class Comparer:
    """A `recording.ListingSink`. Missing is what only storage has, extra what only the index has."""

    def __init__(self, recorder: Recorder) -> None:
        self.rollbacks = 0
        self.looked = 0
        self.missing = 0
        self.changed = 0
        self.extra = 0
        self.examples: list[tuple[str, int, str]] = []
        """(missing, changed or extra; the workspace; the path), the first ones."""
        self._recorder = recorder
        self._catalogue: Catalogue = recorder.catalogue

    def mark(self) -> Mark:
        return self._recorder.mark()

    def stamps(
        self, workspace_id: int, path: str, first_name: str | None = None, last_name: str | None = None
    ) -> dict[str, int]:
        return self._catalogue.stamps(workspace_id, path, first_name, last_name)

    def sync_folders(self, listings: Sequence[Listing]) -> Counts:
        for listing in listings:
            self._compare(listing)
        return Counts()

    def drop_workspace(self, workspace_id: int) -> None:
        """It is gone, and the next crawl drops it."""

    def commit(self) -> bool:
        return True

    def commit_beside(self) -> None:
        """There is nothing to be committed."""

    def commit_if_due(self) -> bool:
        return False

    def _compare(self, listing: Listing) -> None:
        workspace_id, path = listing.workspace_id, listing.path
        self.looked += len(listing.found)
        have = self.stamps(workspace_id, path, listing.first_name, listing.last_name)
        touched = self._recorder.touched(workspace_id, path, listing.since)
        if touched is None:
            return
        names = set()
        for item in listing.found:
            names.add(item.name)
            if item.name in touched:
                continue
            if item.name not in have:
                self.missing += 1
                self._note("missing", workspace_id, path + item.name)
            elif (not item.stamp or have[item.name] != item.stamp) and self._differs(workspace_id, path, item):
                self.changed += 1
                self._note("changed", workspace_id, path + item.name)
        for name in have.keys() - names - touched:
            self.extra += 1
            self._note("extra", workspace_id, path + name)
        self._compare_folders(listing, touched)

    def _compare_folders(self, listing: Listing, touched: set[str]) -> None:
        named = set(listing.subfolders)
        first, last = listing.first_name, listing.last_name
        for size in self._catalogue.sizes(listing.workspace_id, listing.path, 1):
            name = size.path[len(listing.path) : -1]
            is_within = (first is None or name > first) and (last is None or name <= last)
            if is_within and name not in named and name + "/" not in touched:
                self.extra += size.objects
                self._note("extra", listing.workspace_id, size.path)

    def _differs(self, workspace_id: int, path: str, item: Found) -> bool:
        """A stamp may be another where nothing is that the index has."""
        now = self._catalogue.found(workspace_id, path + item.name)
        return now is None or now[:4] != item[:4]

    def _note(self, what: str, workspace_id: int, path: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append((what, workspace_id, path))
