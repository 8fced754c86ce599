"""What a caller may read, as a part of the query: the filter that every search, count and facet carries.

It comes from the one visibility rule (`database/visibility.py`), read anew for each request: a share that was
revoked or has expired finds nothing from then on, and the index knows of no share. Workspaces that are readable as
a whole are asked for by their number, shared folders by the number that the catalogue gave them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.visibility import readable_folders
from workspacesio.domain.facts import Caller
from workspacesio.domain.names import ancestors
from workspacesio.domain.search_query import AnyOf, Folders, Query, Workspaces

Place = tuple[int, str]
"""A workspace's number, and a folder in it: '' or 'a/b/'."""


class FolderNumbers(Protocol):
    """Of the catalogue."""

    def folder_ids(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Without those in which nothing is indexed."""
        ...

    def change_number(self) -> int:
        """Rises with every change of the catalogue."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """`whole`: workspaces that are readable throughout. `folders`: shared ones in other workspaces."""

    whole: frozenset[int]
    folders: frozenset[Place]

    def covers(self, workspace_id: int, path: str) -> bool:
        """`path`: an object's, or a folder's with its slash."""
        if workspace_id in self.whole:
            return True
        return any((workspace_id, folder) in self.folders for folder in ancestors(path))

    @property
    def workspaces(self) -> frozenset[int]:
        """All in which something is readable."""
        return self.whole | {workspace_id for workspace_id, _ in self.folders}


def load_sight(session: Session, *, caller: Caller, now: datetime) -> Sight:
    readable = readable_folders(caller, now).subquery()
    rows = session.execute(select(readable.c.workspace_id, readable.c.folder).distinct()).all()
    whole = frozenset(workspace_id for workspace_id, folder in rows if not folder)
    return Sight(whole, frozenset((row[0], row[1]) for row in rows if row[0] not in whole))


def sight_query(sight: Sight, catalogue: FolderNumbers) -> Query:
    parts: list[Query] = []
    if sight.whole:
        parts.append(Workspaces(sight.whole))
    folders = frozenset(catalogue.folder_ids(sight.folders).values()) if sight.folders else frozenset()
    if folders:
        parts.append(Folders(folders))
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
