"""The journal's rows that the index has not taken in yet: found by a partial index, marked one by one.

Rows are claimed by what they say, not by their number: one that appears late, or whose node was away for days, is
found like any other. Whoever holds the index writer's lease is the only one who marks them.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, text, update
from sqlalchemy.orm import Session

from workspacesio.database.base import Base
from workspacesio.database.journal_tables import ObjectEvent

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
_MARK = update(Base.metadata.tables[ObjectEvent.__tablename__]).values(indexed=True)
_MARK = _MARK.where(_MARK.table.c.id.between(bindparam("first"), bindparam("last")))


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
    """One statement for each run of numbers without a gap: rows of one burst are few runs."""
    runs: list[dict[str, int]] = []
    for number in sorted(ids):
        if runs and runs[-1]["last"] + 1 == number:
            runs[-1]["last"] = number
        else:
            runs.append({"first": number, "last": number})
    if runs:
        session.connection().execute(_MARK, runs)


def events_waiting(session: Session) -> tuple[int, datetime | None]:
    """How many events are not in the index yet, and when the oldest of them happened."""
    oldest = [session.scalar(_OLDEST, {"node_id": node_id}) for node_id in nodes_with_events(session)]
    times = [at for at in oldest if at is not None]
    return session.scalar(_WAITING) or 0, min(times, default=None)
