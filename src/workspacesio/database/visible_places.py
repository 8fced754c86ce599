"""Visibility of nodes and roots in SQL, beside `visibility.py`, which has it for workspaces.

    seen_nodes(caller)          ids of the nodes of which the caller is an operator
    seen_roots(caller)          ids of the roots that the caller manages, or may create workspaces in
    named_roots(caller, now)    ids of the roots whose names the caller may know: seen ones, and those in
                                which they read a whole workspace
    seen_groups(caller)         ids of the groups that the caller belongs to, or all for an administrator
    owned_workspaces(caller)    ids of the caller's own workspaces
    managed_roots(caller)       ids of the roots that the caller manages
    seen_crawls(caller)         ids of the crawls of roots that the caller manages, or of their own workspaces

Twins of `domain.permissions.decide` for SEE_NODE, SEE_ROOT, SEE_GROUP, and, for what an unnarrowed key starts,
CHANGE_ROOT and CRAWL_WORKSPACE; tests hold them together.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, true

from workspacesio.database.index_tables import Crawl
from workspacesio.database.number_sets import one_of
from workspacesio.database.tables import Group, Node, Root, RootCreator, RootManager, Workspace
from workspacesio.database.visibility import operates, readable_folders
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import CreatePolicy, RootType

_MANAGED_TYPES = [kind.value for kind in RootType if kind.is_managed]


def seen_nodes(caller: Caller) -> Select[int]:
    """Ids of the nodes that the caller operates."""
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


def named_roots(caller: Caller, now: datetime) -> Select[int]:
    """Who holds a folder of a workspace alone isn't told in which root it lies."""
    readable = readable_folders(caller, now).subquery()
    whole = select(readable.c.workspace_id).where(readable.c.folder == "")
    read = select(Workspace.root_id).where(Workspace.id.in_(whole))
    return select(Root.id).where(or_(Root.id.in_(seen_roots(caller)), Root.id.in_(read)))


def managed_roots(caller: Caller) -> Select[int]:
    """A key that was narrowed to workspaces shows none."""
    return _managed(caller).where(_sees_places(caller))


def seen_crawls(caller: Caller) -> Select[int]:
    """What is said of a crawl is how many entries there are and their bytes: not for whoever has a share only."""
    within = select(Workspace.id).where(
        or_(Workspace.owner_id == caller.user_id, Workspace.root_id.in_(_managed(caller)))
    )
    if caller.narrowing.workspaces is not None:
        within = within.where(one_of(Workspace.id, caller.narrowing.workspaces))
    of_roots = and_(Crawl.workspace_id.is_(None), Crawl.root_id.in_(managed_roots(caller)))
    enabled = true() if caller.enabled else false()
    return select(Crawl.id).where(or_(of_roots, Crawl.workspace_id.in_(within)), enabled)


def _managed(caller: Caller) -> Select[int]:
    manages = Root.id.in_(select(RootManager.root_id).where(RootManager.user_id == caller.user_id))
    return select(Root.id).join(Node, Node.id == Root.node_id).where(or_(operates(caller), manages))


def seen_groups(caller: Caller) -> Select[int]:
    """Managers of a group are members of it."""
    mine = true() if caller.administrator else one_of(Group.id, caller.groups)
    return select(Group.id).where(mine, _sees_places(caller))


def owned_workspaces(caller: Caller) -> Select[int]:
    mine = select(Workspace.id).where(Workspace.owner_id == caller.user_id)
    if not caller.enabled:
        return mine.where(false())
    if caller.narrowing.workspaces is None:
        return mine
    return mine.where(one_of(Workspace.id, caller.narrowing.workspaces))


def _sees_places(caller: Caller) -> ColumnElement[bool]:
    """A key that was narrowed to workspaces shows no nodes, roots and groups."""
    return true() if caller.enabled and caller.narrowing.workspaces is None else false()
