"""Brings a database to the schema that this version knows, under a lock, in one transaction.

    migrate(url)         what a starting process does first; safe when several start at once
    check_schema(url)    for a process that must not migrate: raises unless the schema is this version's

The lock is PostgreSQL's advisory lock of the transaction, or SQLite's write lock. A crash in the middle leaves
the schema as it was. A schema that is newer than the code is refused, not guessed at.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select, text

from workspacesio.database.engines import BEGIN_IMMEDIATE, named_failures
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Rights
from workspacesio.domain.errors import Unavailable

LOCK_KEY = 0x776F_726B_7370_6163
"""The advisory lock's number in PostgreSQL: a fixed one that nothing else in the database is likely to use."""


def migrate(url: str) -> None:
    """Upgrade to the newest step. Raises Unavailable when the schema is newer or the database is away."""
    with named_failures(), _connected(url) as connection:
        connection.execution_options(**{BEGIN_IMMEDIATE: True})
        with connection.begin():
            _lock(connection)
            config = _config(connection)
            script = ScriptDirectory.from_config(config)
            if _current(connection, script) != script.get_current_head():
                command.upgrade(config, "head")
            if connection.scalar(select(Rights.id)) is None:
                connection.execute(insert(Rights).values(id=1, generation=1))


def check_schema(url: str) -> None:
    """Raises Unavailable unless the schema is exactly the one that this version knows."""
    with named_failures(), _connected(url) as connection:
        script = ScriptDirectory.from_config(_config(connection))
        current = _current(connection, script)
    if current != script.get_current_head():
        raise Unavailable(
            "The database has an older schema; start `wio serve` of this version once.", code="older_schema"
        )


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            yield connection
    finally:
        database.dispose()


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _current(connection: Connection, script: ScriptDirectory) -> str | None:
    """The step that the database is at, or None; raises Unavailable when this version doesn't know it."""
    current = MigrationContext.configure(connection).get_current_revision()
    known = {step.revision for step in script.walk_revisions()}
    if current is not None and current not in known:
        raise Unavailable(
            "The database belongs to a newer version of WorkspacesIO; start that version, or restore a backup.",
            code="newer_schema",
            details={"schema": current},
        )
    return current


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", os.path.join(os.path.dirname(__file__), "migrations"))
    config.attributes["connection"] = connection
    return config
