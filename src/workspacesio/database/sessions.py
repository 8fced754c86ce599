"""Database sessions and transactions. Nothing else in the program commits.

    with database.read() as session: ...      # one state of the database; nothing is kept
    with database.write() as session: ...     # a use case: decides and acts; one at a time, everywhere
    with database.journal() as session: ...   # rows that carry no rights; several at a time

A write that changes rights (see `tables.RightsCarried`) raises the rights generation before it commits, so that
no process goes on deciding by what it remembered. `write` holds the row of the generation from its beginning
(PostgreSQL) or the whole database (SQLite), so that what a use case decided on is still so when it commits.

All raise Unavailable when the database can't be used, and Invalid for a value that it can't hold.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session, sessionmaker

from workspacesio.database.engines import (
    BEGIN_IMMEDIATE,
    LOCK_SECONDS,
    REPAIRABLE,
    make_engine,
    named_failures,
    sqlite_url,
)
from workspacesio.database.rights_changes import (
    forget_rights_changes,
    notice_rights_changes,
    rights_have_changed,
)
from workspacesio.database.tables import Rights
from workspacesio.domain.errors import Unavailable

__all__ = ["LOCK_SECONDS", "Database", "sqlite_url"]


_GENERATION_LOCKED = select(Rights.generation).with_for_update()


class Database:
    """One engine and its sessions. Safe to use from many threads; make one after each fork."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = make_engine(url)
        notice_rights_changes(self.engine)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session whose statements all see one state of the database."""
        with named_failures(), self._sessions() as session:
            if not self.is_sqlite:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A use case's transaction. IntegrityError passes, for the use case to name."""
        with named_failures(), self._sessions() as session, session.begin():
            connection = session.connection(execution_options={BEGIN_IMMEDIATE: True})
            forget_rights_changes(connection)
            # SQLite has locked already, PostgreSQL locks here.
            if session.scalar(select(Rights.generation).with_for_update()) is None:
                raise _no_schema()
            yield session
            session.flush()
            if rights_have_changed(connection):
                session.execute(update(Rights).values(generation=Rights.generation + 1))

    @contextmanager
    def journal(self, *, durable: bool = False) -> Iterator[Session]:
        """A transaction of rows that carry no rights, and whose loss in a power failure a crawl repairs.

        `durable`: what was committed is not lost, since whoever told it forgets it then.
        """
        with named_failures(), self._sessions() as session, session.begin():
            connection = session.connection(execution_options={BEGIN_IMMEDIATE: True, REPAIRABLE: not durable})
            forget_rights_changes(connection)
            yield session
            session.flush()
            if rights_have_changed(connection):
                raise RuntimeError("rights are changed in Database.write, never in Database.journal")

    @contextmanager
    def under_generation(self) -> Iterator[tuple[Connection, int]]:
        """A transaction of rows that carry no rights, with the rights generation, which can't move until its end.

        As durable as `write`, and without a session, which takes longer than the statements.
        """
        with named_failures(), self.engine.connect() as plain:
            connection = plain.execution_options(**{BEGIN_IMMEDIATE: True})
            with connection.begin():
                forget_rights_changes(connection)
                generation = connection.scalar(_GENERATION_LOCKED)
                if generation is None:
                    raise _no_schema()
                yield connection, generation
                if rights_have_changed(connection):
                    raise RuntimeError("rights are changed in Database.write only")

    def generation(self) -> int:
        """The rights generation now."""
        with named_failures(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # One round trip instead of three.
                connection.execution_options(isolation_level="AUTOCOMMIT")
            generation: int | None = connection.scalar(select(Rights.generation))
        if generation is None:
            raise _no_schema()
        return generation

    def dispose(self) -> None:
        self.engine.dispose()


def _no_schema() -> Unavailable:
    return Unavailable("The database has no schema yet; start the service once to make it.", code="no_schema")
