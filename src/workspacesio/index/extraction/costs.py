"""How many bytes reading the content of a root would take at most, to be seen before it is allowed."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.errors import Conflict, Unavailable
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.extraction.registry import Registry, installed
from workspacesio.index.opening import IndexReader
from workspacesio.services.root_indexing import CONTENT_COSTS


class ContentCost(NamedTuple):
    objects: int
    bytes: int


def content_cost(session: Session, catalogue: Catalogue, registry: Registry, *, root_id: int) -> ContentCost:
    """What is still to be read of the objects that are indexed. Less is read of large ones, as a rule."""
    ids = list(session.scalars(select(Workspace.id).where(Workspace.root_id == root_id)))
    return ContentCost(*catalogue.due_counts(ids, registry.content_stamps)) if ids else ContentCost(0, 0)


def told_cost(session: Session, index: IndexReader, root_name: str, refusal: Conflict) -> Conflict:
    """The refusal to read what is charged for, with how much that is; any other one as it is."""
    if refusal.code != CONTENT_COSTS:
        return refusal
    root_id = session.scalars(select(Root.id).where(Root.name == root_name)).one()
    try:
        cost = content_cost(session, index.catalogue, installed(), root_id=root_id)
    except Unavailable:
        cost = ContentCost(0, 0)
    if not cost.objects:
        return Conflict(
            f"AWS charges for what is read. How much that is of {root_name} isn't known before it was crawled: "
            "index names first, then say with --allow-bytes how much content may be read.",
            code=CONTENT_COSTS,
            details={"objects": 0, "bytes": 0},
        )
    return Conflict(
        f"AWS charges for what is read: the content of {root_name} is {cost.objects:,} objects of "
        f"{cost.bytes:,} bytes; say with --allow-bytes how much of that may be read.",
        code=CONTENT_COSTS,
        details={"objects": cost.objects, "bytes": cost.bytes},
    )
