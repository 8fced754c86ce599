"""Which root may be named to whom: who holds only a folder of a workspace isn't told in which root it lies."""

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.number_sets import one_of
from workspacesio.database.tables import Workspace
from workspacesio.database.visible_places import named_roots
from workspacesio.domain.facts import Caller
from workspacesio.index.sight import Sight

SHARED = "something shared with you"
"""How a sentence names what lies in a root that it may not name."""

HiddenRoots = Callable[[Collection[int]], frozenset[int]]
"""Those of some workspaces, in which the caller may read something, whose root may not be named to them."""


def hidden_roots(session: Session, *, caller: Caller, sight: Sight, now: datetime) -> HiddenRoots:
    def hidden(workspaces: Collection[int]) -> frozenset[int]:
        in_question = frozenset(workspaces) - sight.whole
        if not in_question:
            return frozenset()
        unnamed = Workspace.root_id.not_in(named_roots(caller, now))
        return frozenset(session.scalars(select(Workspace.id).where(one_of(Workspace.id, in_question), unnamed)))

    return hidden
