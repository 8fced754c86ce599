"""Visibility of nodes and roots in SQL, beside `visibility.py`, which has it for workspaces.

    seen_nodes(caller)          ids of the nodes of which the caller is an operator
    seen_roots(caller)          ids of the roots that the caller manages, or may create workspaces in
    owned_workspaces(caller)    ids of the caller's own workspaces

Twins of `domain.permissions.decide` for SEE_NODE and SEE_ROOT; a test holds them together.
"""

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, true

from workspacesio.database.tables import Node, Root, RootCreator, RootManager, Workspace
from workspacesio.database.visibility import operates
from workspacesio.domain.permissions import Caller
from workspacesio.domain.vocabulary import CreatePolicy, RootType

_MANAGED_TYPES = [kind.value for kind in RootType if kind.is_managed]


def seen_nodes(caller: Caller) -> Select[int]:
    return select(Node.id).where(operates(caller), _sees_places(caller))


def seen_roots(caller: Caller) -> Select[int]:
    manages = Root.id.in_(select(RootManager.root_id).where(RootManager.user_id == caller.user_id))
    named = Root.id.in_(select(RootCreator.root_id).where(RootCreator.user_id == caller.user_id))
    creates = and_(
        Root.type.in_(_MANAGED_TYPES),
        or_(
            Root.create_policy == CreatePolicy.EVERYONE.value,
            and_(Root.create_policy == CreatePolicy.USERS.value, named),
        ),
    )
    return (
        select(Root.id)
        .join(Node, Node.id == Root.node_id)
        .where(or_(operates(caller), manages, creates), _sees_places(caller))
    )


def owned_workspaces(caller: Caller) -> Select[int]:
    mine = select(Workspace.id).where(Workspace.owner_id == caller.user_id)
    if not caller.enabled:
        return mine.where(false())
    if caller.narrowing.workspaces is None:
        return mine
    return mine.where(Workspace.id.in_(sorted(caller.narrowing.workspaces)))


def _sees_places(caller: Caller) -> ColumnElement[bool]:
    """A key that was narrowed to workspaces shows no nodes and roots."""
    return true() if caller.enabled and caller.narrowing.workspaces is None else false()
