"""What is to be known of the entries of each workspace, as their roots' operators chose."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.vocabulary import IndexLevel, NodeKind
from workspacesio.index.extraction.looking import Reading
from workspacesio.index.extraction.registry import METADATA_STAMP, Registry
from workspacesio.nodes.values import Scope


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of one workspace. `level` is its root's. `reading` None: names alone. `rate`: files a second at most.
    `charges`: its server takes money for what is read, of which `allowed` bytes are allowed in all."""

    workspace_id: int
    root_id: int
    node_id: int
    scope: Scope
    level: IndexLevel
    reading: Reading | None
    rate: int | None
    charges: bool
    allowed: int | None

    @property
    def pays(self) -> bool:
        return self.charges and self.reading is Reading.CONTENT

    def current(self, registry: Registry) -> frozenset[str]:
        """The stamps of entries at which nothing is left to do."""
        if self.reading is Reading.CONTENT:
            return registry.content_stamps
        if self.charges and self.level is IndexLevel.CONTENT:
            # What was read and paid for stays, when the allowance is used up.
            return registry.content_stamps | {METADATA_STAMP}
        return frozenset({METADATA_STAMP})


def load_wanted(session: Session) -> Iterator[Wanted]:
    """Of every workspace that is indexed."""
    rows = session.execute(
        select(
            Workspace.id,
            Workspace.root_id,
            Workspace.node_id,
            Workspace.bucket,
            Workspace.prefix,
            Node.kind,
            RootIndexing.level,
            RootIndexing.rate,
            RootIndexing.content_allowed_bytes,
            RootIndexing.content_read_bytes,
        )
        .join(Node, Node.id == Workspace.node_id)
        .outerjoin(RootIndexing, RootIndexing.root_id == Workspace.root_id)
        .order_by(Workspace.id)
    )
    for workspace_id, root_id, node_id, bucket, prefix, kind, level, rate, allowed, read in rows:
        charges = kind == NodeKind.AWS
        left = max(0, (allowed or 0) - (read or 0)) if charges else 0
        yield Wanted(
            workspace_id,
            root_id,
            node_id,
            Scope(bucket, prefix),
            IndexLevel(level or IndexLevel.NAMES),
            _reading(level, charges=charges, bytes_left=left),
            rate,
            charges,
            allowed,
        )


def _reading(level: str | None, *, charges: bool, bytes_left: int) -> Reading | None:
    if level == IndexLevel.CONTENT and (not charges or bytes_left > 0):
        return Reading.CONTENT
    if level in (IndexLevel.METADATA, IndexLevel.CONTENT):
        return Reading.HEADERS if charges else Reading.METADATA
    return None


def note_read(session: Session, root_id: int, size: int) -> None:
    """So many bytes of a server that charges for them were read."""
    session.execute(
        update(RootIndexing)
        .where(RootIndexing.root_id == root_id)
        .values(content_read_bytes=RootIndexing.content_read_bytes + size)
    )


def bytes_left(session: Session, root_id: int) -> int:
    """How much may still be read of a server that charges for it."""
    row = session.execute(
        select(RootIndexing.content_allowed_bytes, RootIndexing.content_read_bytes).where(
            RootIndexing.root_id == root_id
        )
    ).first()
    return max(0, (row[0] or 0) - row[1]) if row else 0
