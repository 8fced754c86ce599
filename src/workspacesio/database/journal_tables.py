"""Tables of what happened to objects: the journal, who tells it, and what it counts. They carry no rights."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from workspacesio.database.base import NEVER_REUSED, Base, identity


class ObjectEvent(Base):
    """The journal of what happened to objects; consumers claim rows, streams read them in their order.

    What a node's server told has its `sequencer`, which orders what happened to one key (as text of equal length),
    and `arrival`, a digest of the message, so that one that is told twice is kept once. `indexed`: the index holds
    what was found at the key after it.
    """

    __tablename__ = "object_events"
    __table_args__ = (
        Index("ix_object_events_node_id_bucket_id", "node_id", "bucket", "id"),
        Index("uq_object_events_arrival", "arrival", unique=True),
        Index(
            "ix_object_events_not_indexed",
            "node_id",
            "id",
            sqlite_where=text("NOT indexed"),
            postgresql_where=text("NOT indexed"),
        ),
        NEVER_REUSED,
    )

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)
    node_id: Mapped[int]
    bucket: Mapped[str] = mapped_column(String(63))
    key: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[int]
    user_id: Mapped[int]
    size: Mapped[int | None] = mapped_column(BigInteger)
    etag: Mapped[str | None] = mapped_column(Text)
    sequencer: Mapped[str | None] = mapped_column(String(64))
    arrival: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    indexed: Mapped[bool] = mapped_column(server_default=false(), default=False)


class EventSource(Base):
    """A node whose server tells what happens to its objects, and shows the token of this number.

    `applied`: the service itself has set that up on the server, and takes it away again. `heard_at`: when it last
    told something, give or take a minute.
    """

    __tablename__ = "event_sources"

    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id", ondelete="CASCADE"), primary_key=True)
    token_number: Mapped[int] = mapped_column(Integer)
    applied: Mapped[bool] = mapped_column(default=False)
    heard_at: Mapped[datetime | None]


class Usage(Base):
    """What a workspace holds, as the journal counts it; a crawl repairs it."""

    __tablename__ = "usage"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    objects: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    exact: Mapped[bool] = mapped_column(server_default=false())
