"""Tables that concern the index: crawls, and what of each root is indexed. They carry no rights.

The index itself is no part of this database (`index/catalogue.py`): it is derived and can be thrown away.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from workspacesio.database.base import NEVER_REUSED, Base, identity


class RootIndexing(Base):
    """What the operator chose for a root; without a row all is as the defaults say.

    `rate`: entries a second at most, None for as many as are found. `exclusions`: patterns of paths that are not
    indexed (`index/exclusions.py`). `crawl_every_seconds`: from the end of a crawl to the next, None for never.
    `content_allowed_bytes`: how much may be read of servers that charge for it, None for nothing; of these
    `content_read_bytes` were read. `changed_at`: when it was last changed what is indexed, or what the node shows.
    """

    __tablename__ = "root_indexing"

    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"), primary_key=True)
    level: Mapped[str] = mapped_column(String(16), default="names")
    rate: Mapped[int | None] = mapped_column(Integer)
    exclusions: Mapped[list[str]] = mapped_column(JSON, default=list)
    crawl_every_seconds: Mapped[int | None] = mapped_column(Integer)
    cross_filesystems: Mapped[bool] = mapped_column(default=False)
    content_allowed_bytes: Mapped[int | None] = mapped_column(BigInteger)
    content_read_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    changed_at: Mapped[datetime | None]


class Crawl(Base):
    """One walk over a root, or over one workspace of it, from when it was wanted until it ended.

    `created_at`: since when it was wanted as it is: it takes in whatever was so by then.
    `lease_holder` walks it until `lease_until`, which it renews; of a root one crawl at most has a holder.
    `position`: what was committed, and is not listed again (`index/progress.py`). `expected_entries`: how many
    there were the last time. `problems`: by reason, how many entries are not indexed, and the first of them.
    `away`: the storage was missing, could not be read or didn't answer, so that what was known of it was kept.
    """

    __tablename__ = "crawls"
    __table_args__ = (
        Index(
            "uq_crawls_held",
            "root_id",
            unique=True,
            sqlite_where=text("lease_holder IS NOT NULL"),
            postgresql_where=text("lease_holder IS NOT NULL"),
        ),
        Index("ix_crawls_root_id_id", "root_id", "id"),
        Index("ix_crawls_away", "root_id", sqlite_where=text("away"), postgresql_where=text("away")),
        NEVER_REUSED,
    )

    id: Mapped[int] = identity()
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(String(16))
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    rate: Mapped[int | None] = mapped_column(Integer)
    gentle: Mapped[bool] = mapped_column(default=False)
    cross_filesystems: Mapped[bool] = mapped_column(default=False)
    lease_holder: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    position: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    entries: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    new: Mapped[int] = mapped_column(BigInteger, default=0)
    changed: Mapped[int] = mapped_column(BigInteger, default=0)
    unchanged: Mapped[int] = mapped_column(BigInteger, default=0)
    gone: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    expected_entries: Mapped[int | None] = mapped_column(BigInteger)
    entries_per_second: Mapped[float | None]
    seconds_left: Mapped[float | None]
    problems: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problem: Mapped[str | None] = mapped_column(Text)
    away: Mapped[bool] = mapped_column(server_default=false(), default=False)


class RootFreshness(Base):
    """How the index is kept true of a root between crawls, as the index worker found it.

    `kept_by`: `watching` (whatever happens in the folder is heard), `events` (what happens by the endpoint, or
    what its server tells) or `crawls`. `problem`: why it is no better. `folders`: how many are watched.
    `away_since`: while its storage can't be looked at, from when on changes are not known.
    """

    __tablename__ = "root_freshness"

    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"), primary_key=True)
    kept_by: Mapped[str] = mapped_column(String(16))
    problem: Mapped[str | None] = mapped_column(Text)
    folders: Mapped[int] = mapped_column(BigInteger, default=0)
    since: Mapped[datetime]
    away_since: Mapped[datetime | None]


class IndexLease(Base):
    """Who alone may do something, such as write the index (`index_writer`).

    The holder raises `beat` every few seconds; whoever has watched it stand still for long enough takes over and
    raises `fence`, by which what the one before still does is told apart. Times are for people: clocks of
    different machines are not compared.
    """

    __tablename__ = "index_leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    fence: Mapped[int]
    beat: Mapped[int]
    heartbeat_at: Mapped[datetime]
    until: Mapped[datetime]


class IndexCatalogue(Base):
    """One catalogue that was made; its number is the range from which its folders and entries have theirs.

    `owner`: a random number, the same for all of an installation, by which it knows its own on a shared engine.
    """

    __tablename__ = "index_catalogues"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = identity()
    made_at: Mapped[datetime]
    owner: Mapped[int] = mapped_column(BigInteger)


class IndexRequest(Base):
    """What the index worker was asked to do: `rebuild` the engine, or `verify` (a root, or all) with storage.

    `state` is queued, running, done or failed. `entries`: how many were looked at. `report`: what was found.
    """

    __tablename__ = "index_requests"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = identity()
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    root_id: Mapped[int | None] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    entries: Mapped[int] = mapped_column(BigInteger, default=0)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problem: Mapped[str | None] = mapped_column(Text)
