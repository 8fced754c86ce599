"""Where workspaces lie, and what of them is indexed, as the database says now."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.number_sets import one_of
from workspacesio.database.tables import Node, Root, Workspace
from workspacesio.domain.names import key_problem
from workspacesio.domain.vocabulary import IndexLevel, NodeKind
from workspacesio.index.exclusions import Exclusions
from workspacesio.nodes.values import Scope


@dataclass(frozen=True, slots=True)
class Place:
    """Of one workspace. `indexed`: something of it is. `root_prefix` is that of its root."""

    workspace_id: int
    root_id: int
    node_id: int
    bucket: str
    prefix: str
    root_prefix: str
    indexed: bool
    cross_filesystems: bool
    exclusions: Exclusions

    @property
    def scope(self) -> Scope:
        return Scope(self.bucket, self.prefix)

    def shows(self, path: str) -> bool:
        """Whether this path, relative to the workspace, is one that is indexed, if an object is there."""
        return self.indexed and key_problem(self.prefix + path) is None and not self.exclusions.excludes(path)

    def path_of(self, bucket: str, key: str) -> str | None:
        """Relative to the workspace, where the key lies in it now."""
        if bucket != self.bucket or not key.startswith(self.prefix):
            return None
        return key[len(self.prefix) :]


def load_places(session: Session, workspace_ids: Collection[int]) -> dict[int, Place]:
    """Of those that exist."""
    return _loaded(session, one_of(Workspace.id, workspace_ids))


def places_of_kind(session: Session, kind: NodeKind) -> dict[int, Place]:
    """All workspaces on nodes of this kind."""
    return _loaded(session, Workspace.node_id.in_(select(Node.id).where(Node.kind == kind)))


def _loaded(session: Session, which: ColumnElement[bool]) -> dict[int, Place]:
    rows = session.execute(
        select(
            Workspace.id,
            Workspace.root_id,
            Workspace.node_id,
            Workspace.bucket,
            Workspace.prefix,
            Root.prefix,
            RootIndexing.level,
            RootIndexing.cross_filesystems,
            RootIndexing.exclusions,
        )
        .join(Root, Root.id == Workspace.root_id)
        .outerjoin(RootIndexing, RootIndexing.root_id == Workspace.root_id)
        .where(which)
    )
    of_roots: dict[int, Exclusions] = {}
    found: dict[int, Place] = {}
    for workspace_id, root_id, node_id, bucket, prefix, root_prefix, level, crosses, patterns in rows:
        exclusions = of_roots.get(root_id)
        if exclusions is None:
            exclusions = of_roots[root_id] = Exclusions(patterns or [])
        found[workspace_id] = Place(
            workspace_id,
            root_id,
            node_id,
            bucket,
            prefix,
            root_prefix,
            level != IndexLevel.NONE,
            bool(crosses),
            exclusions,
        )
    return found
