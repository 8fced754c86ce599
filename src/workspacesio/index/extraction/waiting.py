"""How much is left to be looked at, by root: for the status of the index."""

from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from workspacesio.index.catalogue import Catalogue
from workspacesio.index.catalogue_readings import ReadSoFar
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.wanted import Wanted, load_wanted


class Waiting(NamedTuple):
    """`since`: when the oldest of them was recorded, to within a walk over its workspace; None: not known yet."""

    objects: int
    bytes: int
    since: datetime | None


def waiting_contents(
    session: Session, catalogue: Catalogue, registry: Registry, *, root_ids: Container[int]
) -> dict[int, Waiting]:
    """Of those roots that are at level metadata or content. Looks through all their entries."""
    by_root: dict[tuple[int, frozenset[str]], list[int]] = {}
    for wanted in load_wanted(session):
        if wanted.reading is not None and wanted.root_id in root_ids:
            by_root.setdefault(_group(wanted, registry), []).append(wanted.workspace_id)
    read = catalogue.readings().rows if by_root else {}
    found = {}
    for (root_id, current), workspace_ids in by_root.items():
        objects, size = catalogue.due_counts(workspace_ids, current)
        found[root_id] = Waiting(objects, size, _oldest(read, workspace_ids) if objects else None)
    return found


def _oldest(read: Mapping[int, ReadSoFar], workspace_ids: Iterable[int]) -> datetime | None:
    since = [row.unread_since for one in workspace_ids if (row := read.get(one)) and row.unread_since]
    return datetime.fromtimestamp(min(since) / 1_000_000, UTC) if since else None


def _group(wanted: Wanted, registry: Registry) -> tuple[int, frozenset[str]]:
    return wanted.root_id, wanted.current(registry)
