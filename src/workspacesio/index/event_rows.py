"""The journal's rows that the index has not taken in yet: found by a partial index, marked one by one.

Rows are claimed by what they say, not by their number: one that appears late, or whose node was away for days, is
found like any other. Whoever holds the index writer's lease is the only one who marks them.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from workspacesio.database.tables import ObjectEvent

_MARKED_AT_ONCE = 5_000

# In these words, in which the partial index has them: SQLite compares no more than that.
_NEXT_NODE = text("SELECT min(node_id) FROM object_events WHERE NOT indexed AND node_id > :after")
_ROWS = text(
    "SELECT id, workspace_id, bucket, key, name FROM object_events "
    "WHERE NOT indexed AND node_id = :node_id ORDER BY id LIMIT :most"
)
_WAITING = text("SELECT count(*) FROM object_events WHERE NOT indexed")
_OLDEST = text(
    "SELECT at FROM object_events WHERE NOT indexed AND node_id = :node_id ORDER BY id LIMIT 1"
).columns(ObjectEvent.at)
_MARK = update(ObjectEvent).values(indexed=True)


class EventRow(NamedTuple):
    id: int
    workspace_id: int
    bucket: str
    key: str
    name: str

    @property
    def may_leave_bytes(self) -> bool:
        """Whether metadata may have changed without a trace in size, time and ETag: AWS and this service say
        `s3:ObjectTagging:Put`, MinIO `s3:ObjectCreated:PutTagging`, and a copy may be one onto itself."""
        return "Tagging" in self.name or self.name.endswith(":Copy")


def nodes_with_events(session: Session) -> list[int]:
    """One look-up in the index for each."""
    found: list[int] = []
    following = session.scalar(_NEXT_NODE, {"after": -1})
    while following is not None:
        found.append(following)
        following = session.scalar(_NEXT_NODE, {"after": following})
    return found


def first_events(session: Session, node_id: int, most: int) -> list[EventRow]:
    rows = session.execute(_ROWS, {"node_id": node_id, "most": most})
    return [EventRow(*row) for row in rows]


def mark_indexed(session: Session, ids: Collection[int]) -> None:
    ordered = sorted(ids)
    for first in range(0, len(ordered), _MARKED_AT_ONCE):
        session.execute(_MARK.where(ObjectEvent.id.in_(ordered[first : first + _MARKED_AT_ONCE])))


def events_waiting(session: Session) -> tuple[int, datetime | None]:
    """How many events are not in the index yet, and when the oldest of them happened."""
    oldest = [session.scalar(_OLDEST, {"node_id": node_id}) for node_id in nodes_with_events(session)]
    times = [at for at in oldest if at is not None]
    return session.scalar(_WAITING) or 0, min(times, default=None)
