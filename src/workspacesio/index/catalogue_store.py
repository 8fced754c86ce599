"""Where the catalogue is kept: opened, made, found damaged, thrown away.

In SQLite it is a file of its own, which may be replaced while others read: they go on with the new one.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from workspacesio.database.engines import BEGIN_IMMEDIATE, file_identity, make_engine
from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.index.catalogue_tables import (
    ENGINES_OF_A_CATALOGUE,
    NUMBERS_OF_A_CATALOGUE,
    VERSION,
    metadata,
    numbers,
)
from workspacesio.index.statements import Statements, statements_on

_DAMAGES = ("malformed", "not a database", "no such column")
"""As SQLite says it, in English always. PostgreSQL speaks its operator's language, and is known by its codes."""
_NO_TABLE = "no such table"
_UNDEFINED_TABLE = "42P01"
_UNDEFINED_COLUMN = "42703"
_QUICK_CHECK_BYTES = 256 << 20


logger = logging.getLogger(__name__)


class CatalogueMissing(Unavailable):
    default_code = "index_missing"


class CatalogueDamaged(Unavailable):
    default_code = "index_damaged"


class CatalogueStore:
    """Safe to use from many threads; make one after each fork."""

    def __init__(self, url: str) -> None:
        self._url = url
        parsed = make_url(url)
        self._file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        self._lock = threading.Lock()
        self._opened: Engine | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def dialect(self) -> str:
        return "sqlite" if self._file is not None else "postgresql"

    def bytes_on_disk(self) -> int:
        if self._file is None:
            with self.reading() as statements:
                names = statements.listed([table.name for table in metadata.sorted_tables])
                sizes = statements.rows(
                    "SELECT pg_total_relation_size(oid) FROM pg_class WHERE relname IN ?*", [names]
                )
            return sum(int(size) for (size,) in sizes)
        found = 0
        for name in (self._file, self._file + "-wal"):
            with suppress(OSError):
                found += os.stat(name).st_size
        return found

    @contextmanager
    def reading(self) -> Iterator[Statements]:
        """Statements that see one state of it. Raises CatalogueMissing, CatalogueDamaged or Unavailable."""
        with catalogue_failures(), self._engine().connect() as connection, connection.begin():
            yield statements_on(self.dialect, connection.connection.cursor())

    @contextmanager
    def looking_up(self) -> Iterator[Statements]:
        """For a single statement, in a third of the time of `reading`, and raising the same."""
        with catalogue_failures(), closing(self._engine().raw_connection()) as connection:
            yield statements_on(self.dialect, connection.cursor())

    def connect(self) -> Connection:
        """For the one that writes: transactions that lock from their beginning, and survive a power cut."""
        with catalogue_failures():
            return self._engine().connect().execution_options(**{BEGIN_IMMEDIATE: True})

    def problem(self) -> str | None:
        """Why it must be thrown away and made again, or None. Looks at all of it if it is small."""
        try:
            with self.reading() as statements:
                if self._file is not None and self.bytes_on_disk() <= _QUICK_CHECK_BYTES:
                    [(answer,)] = statements.rows("PRAGMA quick_check(1)")
                    if answer != "ok":
                        return f"it is damaged: {answer}"
                held: dict[str, int] = dict(statements.rows("SELECT name, value FROM catalogue_numbers"))
        except CatalogueMissing:
            return "there is none"
        except CatalogueDamaged as error:
            return f"it is damaged: {_cause(error.__cause__ or error)}"
        if held.get("version") != VERSION:
            return "it is of another version"
        return None

    def make(self, number: int, made_at: int, owner: int = 0) -> None:
        """A new and empty one, the `number`-th ever made, in the place of what is there."""
        self.dispose()
        if self._file is not None:
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            for name in (self._file, self._file + "-wal", self._file + "-shm", self._file + "-journal"):
                with suppress(FileNotFoundError):
                    os.unlink(name)
        first = (number - 1) * NUMBERS_OF_A_CATALOGUE + 1
        held: dict[str, int] = {
            "version": VERSION,
            "catalogue": number,
            "made_at": made_at,
            "owner": owner,
            "fence": 0,
            "beat": 0,
            "read_through": 0,
            "readings": 0,
            "changes": 0,
            "next_folder": first,
            "next_entry": first,
            "next_engine": number * ENGINES_OF_A_CATALOGUE + 1,
        }
        engine = make_engine(self._url)
        try:
            with catalogue_failures(), engine.begin() as connection:
                metadata.drop_all(connection)
                metadata.create_all(connection)
                connection.execute(
                    numbers.insert(), [{"name": name, "value": value} for name, value in held.items()]
                )
        finally:
            engine.dispose()

    def set_fence(self, fence: int) -> None:
        """From now on who holds an older lease writes nothing. Raises Unavailable for one that is older."""
        with self.connect() as connection, catalogue_failures(), connection.begin():
            statements = statements_on(self.dialect, connection.connection.cursor())
            raised = statements.run(
                "UPDATE catalogue_numbers SET value = ? WHERE name = 'fence' AND value <= ?",
                (fence, fence),
            )
        if not raised:
            raise Unavailable("Another worker has written the index since.", code="lease_lost")

    def dispose(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.dispose()
            self._opened = None

    def _engine(self) -> Engine:
        """The one that is there now. A missing file is not made by looking for it."""
        identity = file_identity(self._file) if self._file is not None else (0, 0)
        if identity is None:
            raise CatalogueMissing("The index is being made; try again shortly.")
        with self._lock:
            if self._opened is None or self._identity != identity:
                if self._opened is not None:
                    self._opened.dispose()
                self._opened, self._identity = make_engine(self._url), identity
            return self._opened


@contextmanager
def catalogue_failures() -> Iterator[None]:
    """What goes wrong in the database below is told as CatalogueDamaged, Unavailable or Invalid."""
    try:
        yield
    except (OverflowError, UnicodeEncodeError, psycopg.DataError) as error:
        raise Invalid("A name or a number of an object can't be recorded.", code="unstorable") from error
    except (sqlite3.Error, psycopg.Error, DBAPIError, NoFreeConnection) as error:
        cause = _cause(error)
        if _is_of(error, _UNDEFINED_TABLE, _NO_TABLE):
            raise CatalogueMissing("The index is being made; try again shortly.") from error
        # The driver may name hosts, accounts and files, which is nothing for whoever searches.
        logger.warning("the index's catalogue can't be used: %s", cause)
        if _is_of(error, _UNDEFINED_COLUMN, *_DAMAGES):
            raise CatalogueDamaged("The index is damaged; it is made again by itself.") from error
        raise Unavailable(
            "The index's catalogue can't be used at the moment; try again shortly.", code="catalogue_unavailable"
        ) from error


def _driver_error(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _cause(error: BaseException) -> str:
    return str(_driver_error(error)).partition("\n")[0]


def _is_of(error: BaseException, sqlstate: str, *words: str) -> bool:
    """PostgreSQL's error of that code, or SQLite's with one of these words."""
    original = _driver_error(error)
    if isinstance(original, psycopg.Error):
        return original.sqlstate == sqlstate
    return any(one in str(original) for one in words)
