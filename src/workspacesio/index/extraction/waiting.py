"""How much is left to be looked at, by root: for the status of the index."""

from collections.abc import Container
from typing import NamedTuple

from sqlalchemy.orm import Session

from workspacesio.index.catalogue import Catalogue
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.wanted import Wanted, load_wanted


class Waiting(NamedTuple):
    objects: int
    bytes: int


def waiting_contents(
    session: Session, catalogue: Catalogue, registry: Registry, *, root_ids: Container[int]
) -> dict[int, Waiting]:
    """Of those roots that are at level metadata or content. Looks through all their entries."""
    by_root: dict[tuple[int, frozenset[str]], list[int]] = {}
    for wanted in load_wanted(session):
        if wanted.reading is not None and wanted.root_id in root_ids:
            by_root.setdefault(_group(wanted, registry), []).append(wanted.workspace_id)
    return {
        root_id: Waiting(*catalogue.due_counts(workspace_ids, current))
        for (root_id, current), workspace_ids in by_root.items()
    }


def _group(wanted: Wanted, registry: Registry) -> tuple[int, frozenset[str]]:
    return wanted.root_id, wanted.current(registry)
