"""The catalogue's tables: what the index holds, folder by folder. Derived, and made anew when the version differs.

They lie in a SQLite file of their own, or beside the service's tables in PostgreSQL, no part of its schema.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

VERSION = 5
"""Raised with every change of these tables or of what they mean: older catalogues are then thrown away."""

NUMBERS_OF_A_CATALOGUE = 1 << 36
"""Folders and entries of the n-th catalogue are numbered from (n - 1) times this on: none is used again."""

ENGINES_OF_A_CATALOGUE = 1000
"""Likewise: those of the n-th begin at n times this."""

metadata = MetaData()

_Number = BigInteger().with_variant(Integer(), "sqlite")
_Name = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte, which for UTF-8 is the order of code points, Python's."""

numbers = Table(
    "catalogue_numbers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""`version`, `catalogue`, `owner`, `made_at` (µs), `fence` and `beat` of the writer, `changes`, `read_through` and
`readings` (as `catalogue_readings.py` says), next numbers."""

folders = Table(
    "catalogue_folders",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("workspace_id", _Number, nullable=False),
    Column("parent_id", _Number),
    Column("path", _Name, nullable=False),
    Column("own_objects", BigInteger, nullable=False),
    Column("own_bytes", BigInteger, nullable=False),
    Column("all_objects", BigInteger, nullable=False),
    Column("all_bytes", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Index("uq_catalogue_folders_place", "workspace_id", "path", unique=True),
    Index("ix_catalogue_folders_parent_id", "parent_id"),
    Index("ix_catalogue_folders_changed", "changed"),
)
"""`all_*`: with all folders below. `changed`: the transaction that last changed an entry right in it."""

entries = Table(
    "catalogue_entries",
    metadata,
    Column("folder_id", _Number, primary_key=True, autoincrement=False),
    Column("name", _Name, primary_key=True),
    Column("id", _Number, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("stamp", BigInteger, nullable=False),
    Column("etag", LargeBinary, nullable=False),
    Column("looked", Text),
    sqlite_with_rowid=False,
)
"""`etag` as `packing.pack_etag` writes it. `looked`: by what the content was read, None where it wasn't."""

contents = Table(
    "catalogue_contents",
    metadata,
    Column("entry_id", _Number, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""What was read of contents, packed, so that an engine can be filled without reading them again."""

dropped = Table(
    "catalogue_dropped",
    metadata,
    Column("folder_id", _Number, primary_key=True, autoincrement=False),
    Column("changed", BigInteger, nullable=False),
)
"""Folders that went with all below them, until every engine has dropped them."""

garbage = Table("catalogue_garbage", metadata, Column("folder_id", _Number, primary_key=True, autoincrement=False))
"""Folders that are gone, whose rows of entries are still to be cleared, a few at a time."""

readings = Table(
    "catalogue_readings",
    metadata,
    Column("workspace_id", _Number, primary_key=True, autoincrement=False),
    Column("held", String(16), nullable=False),
    Column("looked", String(16), nullable=False),
    Column("through", BigInteger, nullable=False),
    Column("stamps", String(32), nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("unread_since", BigInteger),
)
"""How far contents were read, as `catalogue_readings.py` says; no row: only names were ever taken in."""

engines = Table(
    "catalogue_engines",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("holds", BigInteger, nullable=False),
)
"""`state`: serving, filling or retired. `holds`: the last transaction that the engine has all of."""
