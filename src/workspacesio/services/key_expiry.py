"""When what was taken back takes effect on servers where nothing ends keys: when the last ones run out.

A change of rights remembers what it took from whom (`effect_marks.py`). Every such key is in a row before anybody
has it, so the newest row that may hold the right says when the last one ends. Rows that were revoked count: their
keys work all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Credential, Node
from workspacesio.domain.vocabulary import NodeKind

CLOCKS_DIFFER = timedelta(seconds=30)
"""How much later by our clock a server may end keys; one whose clock differs by more is no node."""

LONGEST_LIFE = timedelta(hours=1)
"""Of keys that nothing ends: a right that was taken back lives on for as long. A role's own usual limit, too."""

KINDS = tuple(kind.value for kind in NodeKind if kind.issues_sessions)


@dataclass(frozen=True, slots=True)
class Taken:
    """A right that keys may still hold. None: any such node, anybody, any workspace. `kept_by`: who keeps it."""

    node_id: int | None
    user_id: int | None
    workspace_id: int | None
    kept_by: int | None = None

    def covers(self, row: Credential) -> bool:
        """Whether the key in this row may hold the right."""
        return (
            self.node_id in (None, row.node_id)
            and self.user_id in (None, row.user_id)
            and row.user_id != self.kept_by
            and (self.workspace_id is None or row.narrowed_to is None or self.workspace_id in row.narrowed_to)
        )


def last_keys(session: Session, taken: Iterable[Taken], *, now: datetime) -> dict[int, datetime]:
    """By node: when at the latest the last key has ended that may hold any of it. Absent: there is none."""
    waiting = tuple(taken)
    if not waiting:
        return {}
    rows = session.scalars(
        select(Credential)
        .join(Node, Node.id == Credential.node_id)
        .where(Node.kind.in_(KINDS), Credential.expires_at > now - CLOCKS_DIFFER)
    )
    found: dict[int, datetime] = {}
    for row in rows:
        if any(one.covers(row) for one in waiting):
            ends = row.expires_at + CLOCKS_DIFFER
            found[row.node_id] = max(ends, found.get(row.node_id, ends))
    return found
