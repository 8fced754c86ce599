"""What is handed to the recorder, objects as they were found in storage, folder by folder; and what it tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from workspacesio.index.marks import Mark


class Found(NamedTuple):
    """One object. `name` is the last part of its path ('' for the marker of a folder), UTF-8 without NUL.

    `modified`: microseconds since 1970 UTC. `stamp` is a signed 64-bit number that changes with every change of
    the object, or 0 where none is known; where it is the one recorded, nothing else is looked at.
    """

    name: str
    size: int
    modified: int
    etag: str = ""
    stamp: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """All that is in a folder, or in a stretch of it: names after `first_name` up to and with `last_name`.

    `path` is '' or 'a/b/'. `found` and `subfolders` (without a slash) are sorted as code points are. `since`:
    taken before the folder was listed. `told`: somebody said that it changed just now; else a crawl came by.
    """

    workspace_id: int
    path: str
    found: Sequence[Found]
    subfolders: Sequence[str]
    since: Mark
    first_name: str | None = None
    last_name: str | None = None
    told: bool = False


MOST_BYTES = (1 << 62) - 1
"""The largest sum of sizes that is kept, 4 EiB. Two files that say they have 8, as any user may make, are more
than a database holds."""


class Counts(NamedTuple):
    """What recording a listing changed, in objects; `bytes` is the size of all that was found."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    bytes: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*map(sum, zip(self, other, strict=True)))


EntryPlace = tuple[int, str]
"""The number of an entry's folder, and its name there."""


class Told(NamedTuple):
    """An entry that changed just now, as events or watchers told."""

    workspace_id: int
    place: EntryPlace


class ListingSink(Protocol):
    """What a walk over storage hands its listings to: the recorder, or one that only compares."""

    @property
    def rollbacks(self) -> int: ...

    def mark(self) -> Mark: ...

    def stamps(
        self, workspace_id: int, path: str, first_name: str | None = None, last_name: str | None = None
    ) -> dict[str, int]: ...

    def sync_folders(self, listings: Sequence[Listing]) -> Counts: ...

    def drop_workspace(self, workspace_id: int) -> None: ...

    def commit(self) -> bool: ...

    def commit_beside(self) -> None: ...

    def commit_if_due(self) -> bool: ...


def split_path(path: str) -> tuple[str, str]:
    """The folder ('' or 'a/b/') and the name of an object; the name of a folder's marker is ''."""
    cut = path.rfind("/") + 1
    return path[:cut], path[cut:]


def parent_path(folder: str) -> str | None:
    """'a/' for 'a/b/', '' for 'a/', None for ''. Parts may be empty, as keys may hold '//'."""
    return folder[: folder.rfind("/", 0, -1) + 1] if folder else None
