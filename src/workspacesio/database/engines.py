"""Engines for SQLite and PostgreSQL: how connections are opened, and what their failures are called."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from workspacesio.domain.errors import Invalid, Unavailable

LOCK_SECONDS = 15
"""How long a transaction waits for another one's lock before it gives up."""

CONNECT_SECONDS = 5
IDLE_TRANSACTION_SECONDS = 300
"""After this PostgreSQL ends a transaction whose process has stopped in its middle and holds everybody up."""

BEGIN_IMMEDIATE = "begin_immediate"
REPAIRABLE = "repairable"
"""Execution options, for SQLite: a transaction that writes; one whose loss a crawl would repair."""


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def make_engine(address: str) -> Engine:
    """Raises Invalid for an address that is neither SQLite's nor PostgreSQL's."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise _bad_address() from None
    match url.get_backend_name():
        case "sqlite":
            return _sqlite_engine(url.set(drivername="sqlite"))
        case "postgresql" | "postgres":
            return _postgresql_engine(url)
        case _:
            raise _bad_address()


@contextmanager
def named_failures() -> Iterator[None]:
    """Database failures become Unavailable, values that no column takes Invalid; IntegrityError passes."""
    try:
        yield
    except IntegrityError:
        raise
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        raise Invalid("A name or a number in the request can't be stored.", code="unstorable") from error
    except (DBAPIError, NoFreeConnection) as error:
        cause = getattr(error, "orig", None) or error
        raise Unavailable(
            "The database can't be used at the moment; try again shortly.",
            code="database_unavailable",
            details={"kind": type(cause).__name__},
        ) from error


def _bad_address() -> Invalid:
    return Invalid(
        "WIO_DATABASE_URL is an address such as postgresql://USER@HOST/DATABASE or sqlite:////PATH.",
        code="invalid_setting",
    )


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        # Hashes and addresses are parameters; errors that nobody foresaw are logged.
        hide_parameters=True,
        # What `write` relies on: after the wait for the lock, statements see what the one before committed.
        isolation_level="READ COMMITTED",
        pool_size=8,
        max_overflow=16,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 2 * CONNECT_SECONDS * 1000},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: psycopg.Connection[tuple[object, ...]], _record: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_SECONDS}s'")
        connection.autocommit = False

    return engine


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # sqlite3's own transaction handling begins late and deferred; BEGIN is said below.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(BEGIN_IMMEDIATE):
            connection.exec_driver_sql("BEGIN")
            return
        # FULL: a right that was taken back stays so after a power failure.
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get(REPAIRABLE) else 'FULL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    if url.database and url.database != ":memory:":
        _refuse_another_file(engine, url.database)
    return engine


def _refuse_another_file(engine: Engine, path: str) -> None:
    """From its first connection on, an engine uses the file that it found, and no other at the same path.

    SQLite would go on in a file that was removed, where nobody else sees what is written, and make an empty one.
    """
    first: list[tuple[int, int]] = []

    def check() -> None:
        if first and file_identity(path) != first[0]:
            raise replaced_file()

    @event.listens_for(engine, "do_connect")
    def _before(_dialect: object, _record: object, _arguments: object, _keywords: object) -> None:
        check()

    @event.listens_for(engine, "connect")
    def _after(_connection: object, _record: object) -> None:
        identity = file_identity(path)
        if not first and identity is not None:
            first.append(identity)

    @event.listens_for(engine, "checkout")
    def _checkout(_connection: object, _record: object, _proxy: object) -> None:
        check()


def file_identity(path: str) -> tuple[int, int] | None:
    """Device and inode, or None if there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def replaced_file() -> Unavailable:
    return Unavailable(
        "The database file was removed or replaced while the service ran; restart the service.",
        code="database_unavailable",
    )
