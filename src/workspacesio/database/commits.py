"""Whether anybody may have committed since one looked last: for who would else ask a query many times a second."""

import sqlite3
from typing import Protocol
from urllib.parse import quote

from workspacesio.database.sessions import Database


class Commits(Protocol):
    """For one thread."""

    def may_be_new(self) -> bool:
        """False only where nobody committed since the last call."""
        ...

    def close(self) -> None: ...


class SqliteCommits:
    """`PRAGMA data_version` on a connection of its own, which takes some microseconds."""

    def __init__(self, path: str) -> None:
        self._address = f"file:{quote(path)}?mode=ro"
        self._connection: sqlite3.Connection | None = None
        self._version = -1

    def may_be_new(self) -> bool:
        try:
            if self._connection is None:
                # One thread uses it, but another may close it.
                self._connection = sqlite3.connect(
                    self._address, uri=True, timeout=0.5, isolation_level=None, check_same_thread=False
                )
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            self.close()
            return True
        is_new, self._version = version != self._version, version
        return is_new

    def close(self) -> None:
        connection, self._connection, self._version = self._connection, None, -1
        if connection is not None:
            connection.close()


class UnknownCommits:
    """Where asking would be a query, too."""

    def may_be_new(self) -> bool:
        return True

    def close(self) -> None: ...


def commits_of(database: Database) -> Commits:
    path = database.engine.url.database
    return SqliteCommits(path) if database.is_sqlite and path else UnknownCommits()
