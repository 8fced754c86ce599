"""What of a root is indexed and when it is crawled, as its managers choose. What changes is crawled, gently."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.tables import Node, Root
from workspacesio.database.visible_places import managed_roots
from workspacesio.domain.errors import Conflict
from workspacesio.domain.vocabulary import Action, IndexLevel, NodeKind
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_root
from workspacesio.services.crawl_requests import indexing_of, set_indexing

CONTENT_COSTS = "content_costs"
"""The code of the refusal to read content that is paid for by the byte, unless it was said how much."""


def shown_indexing(session: Session, *, actor: Actor, root_id: int) -> RootIndexing | None:
    """The settings, for managers of the root alone: exclusions may spell names of other people's folders."""
    managed = managed_roots(actor.caller).where(Root.id == root_id)
    return None if session.scalar(managed) is None else indexing_of(session, root_id)


def change_indexing(
    session: Session, *, actor: Actor, name: str, changes: Mapping[str, Any], now: datetime
) -> RootIndexing:
    """Change what is given: any of what `set_indexing` takes. Raises NotFound, Refused, Invalid, Conflict.

    Conflict with CONTENT_COSTS: content is to be read from a server that charges for it, and nobody said how much.
    """
    root, _ = find_root(session, actor=actor, name=name, action=Action.CHANGE_ROOT, now=now)
    changed = set_indexing(session, root_id=root.id, now=now, **changes)
    charges = session.get_one(Node, root.node_id).kind == NodeKind.AWS
    if charges and changed.level == IndexLevel.CONTENT and changed.content_allowed_bytes is None:
        raise Conflict(
            "AWS charges for what is read: say with --allow-bytes how much that may be.", code=CONTENT_COSTS
        )
    details = {key: value.value if isinstance(value, IndexLevel) else value for key, value in changes.items()}
    record(session, actor=actor, verb="root.index", target=name, now=now, details=details)
    return changed
