"""Migrated databases of both kinds, quickly: one is migrated for each kind, and every test gets a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import delete, update

from servers.postgresql import PostgresqlServer
from workspacesio.database.base import Base
from workspacesio.database.migrate import migrate
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import Rights

KINDS = ("sqlite", "postgresql")


def url_fixture(*kinds: str) -> Callable[..., Any]:
    """A fixture: the address of a migrated database of each of the kinds; several processes may open it."""

    @pytest.fixture(params=kinds or KINDS)
    def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
        with _fresh(request) as url:
            yield url

    return database_url


def database_fixture(*kinds: str, scope: Literal["function", "module"] = "function") -> Callable[..., Any]:
    """A fixture: a migrated database of each of the kinds, empty, or for a module as the test before left it."""

    @pytest.fixture(params=kinds or KINDS, scope=scope)
    def database(request: pytest.FixtureRequest) -> Iterator[Database]:
        with _fresh(request) as url:
            opened = Database(url)
            yield opened
            opened.dispose()

    return database


@contextmanager
def _fresh(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        path = factory.mktemp("sqlite") / "database.sqlite3"
        shutil.copyfile(_sqlite_template(factory.getbasetemp()), path)
        yield sqlite_url(path)
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    url = server.create_database(template=_postgresql_template(server))
    yield url
    server.drop_database(url)


@cache
def _sqlite_template(folder: Path) -> str:
    path = folder / "migrated.sqlite3"
    migrate(sqlite_url(path))
    assert not os.path.exists(f"{path}-wal"), "the copy would lack what is in the log"
    return str(path)


@cache
def _postgresql_template(server: PostgresqlServer) -> str:
    url = server.create_database()
    migrate(url)
    return url


def clear(database: Database) -> None:
    """Empty every table but the generation's, which goes on."""
    with database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != Rights.__tablename__:
                connection.execute(delete(table))
        connection.execute(update(Rights).values(generation=Rights.generation + 1))
