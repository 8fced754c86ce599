"""Reads of the rights generation: how a process knows that what it remembers still holds.

Cached facts may be used only if a read of the generation that began after the request arrived gives the number
they were loaded under. Requests that wait share one read; none shares a read that began before it came.
"""

import asyncio
import sqlite3
from typing import Protocol
from urllib.parse import quote

from workspacesio.database.engines import file_identity, replaced_file
from workspacesio.database.sessions import Database
from workspacesio.domain.errors import Unavailable

READ_SECONDS = 5.0
"""How long a request waits for the generation before it is refused: a database may hang instead of failing."""


class GenerationReader(Protocol):
    """How a process reads the rights generation; which way depends on the database."""

    async def current(self) -> int:
        """The generation, read after this call began. Raises Unavailable."""
        ...


class SharedGenerationReader:
    """For databases that are a round trip away: one read at a time, shared by all who came before it began."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: asyncio.Task[int] | None = None
        self._waiting: asyncio.Task[int] | None = None

    async def current(self) -> int:
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_task(self._read_after(self._running))
            # Whoever waited may be gone when it fails; asyncio would complain that nobody asked.
            self._waiting.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            return await asyncio.wait_for(asyncio.shield(self._waiting), READ_SECONDS)
        except TimeoutError:
            raise _unreadable() from None

    async def _read_after(self, previous: asyncio.Task[int] | None) -> int:
        if previous is not None and not previous.done():
            await asyncio.wait([previous])
        # From here on the read has begun: whoever comes now must wait for the next one.
        self._running, self._waiting = self._waiting, None
        return await asyncio.to_thread(self._database.generation)


class SqliteGenerationReader:
    """Reads on the event loop: `PRAGMA data_version` tells in microseconds whether anybody committed.

    A database file that was removed or replaced is refused until it is back: the open copy would never change
    again, and the numbers of another file say nothing of what was remembered.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        # As it is when the process begins: what takes its place before the first request is another file.
        self._identity: tuple[int, int] | None = file_identity(path)
        self._data_version = -1
        self._generation = -1

    async def current(self) -> int:
        try:
            connection = self._connection or self._connect()
            if file_identity(self._path) != self._identity:
                raise replaced_file()
            data_version = connection.execute("PRAGMA data_version").fetchone()[0]
            if data_version != self._data_version:
                row = connection.execute("SELECT generation FROM rights").fetchone()
                if row is None:
                    raise Unavailable("The database has no schema yet; start the service once to make it.")
                self._data_version, self._generation = data_version, row[0]
        except sqlite3.Error as error:
            self._forget()
            raise _unreadable() from error
        return self._generation

    def _connect(self) -> sqlite3.Connection:
        if self._identity is None:
            self._identity = file_identity(self._path)
        address = f"file:{quote(self._path)}?mode=ro"
        self._connection = sqlite3.connect(address, uri=True, timeout=0.5, isolation_level=None)
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._data_version = None, -1


def _unreadable() -> Unavailable:
    return Unavailable("The database can't be read at the moment; try again shortly.", code="database_unavailable")


def generation_reader(database: Database) -> GenerationReader:
    path = database.engine.url.database
    if database.is_sqlite and path:
        return SqliteGenerationReader(path)
    return SharedGenerationReader(database)
