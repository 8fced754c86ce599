"""Locked, gone, replaced or broken: Unavailable from every entrance, and nothing written where nobody looks."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from database.kinds import database_fixture
from database.worlds import NOW
from servers.postgresql import PostgresqlServer
from workspacesio.database import engines
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import SignInAttempt, User
from workspacesio.domain.errors import Unavailable

sqlite_database = database_fixture("sqlite")
postgresql_database = database_fixture("postgresql")


def _read(database: Database) -> None:
    with database.read() as session:
        session.scalar(select(func.count()).select_from(User))


def _write(database: Database) -> None:
    with database.write() as session:
        name = secrets.token_hex(8)  # the identity of a session is given again once that session is gone
        session.add(User(email=name, username=name, created_at=NOW))


def _journal(database: Database) -> None:
    with database.journal() as session:
        session.add(SignInAttempt(subject=b"1", at=NOW))


ENTRANCES: list[Callable[[Database], object]] = [_read, _write, _journal, Database.generation]


def _all_refuse(database: Database) -> None:
    for enter in ENTRANCES:
        with pytest.raises(Unavailable) as refusal:
            enter(database)
        assert refusal.value.code in ("database_unavailable", "no_schema")


def _all_work(database: Database) -> None:
    for enter in ENTRANCES:
        enter(database)


def _path(database: Database) -> str:
    path = database.engine.url.database
    assert path is not None
    return path


def test_a_removed_file_is_noticed_and_not_made_anew(sqlite_database: Database) -> None:
    _all_work(sqlite_database)
    path = _path(sqlite_database)
    os.rename(path, path + ".away")
    _all_refuse(sqlite_database)
    sqlite_database.dispose()  # with new connections too
    _all_refuse(sqlite_database)
    assert not os.path.exists(path)
    os.rename(path + ".away", path)
    _all_work(sqlite_database)


def test_a_replaced_file_is_refused_until_the_service_is_restarted(sqlite_database: Database) -> None:
    _all_work(sqlite_database)
    path = _path(sqlite_database)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copyfile(path, path + ".copy")
    os.replace(path + ".copy", path)
    _all_refuse(sqlite_database)
    sqlite_database.dispose()
    _all_refuse(sqlite_database)
    restarted = Database(sqlite_database.url)
    _all_work(restarted)
    restarted.dispose()


def test_a_locked_file(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0.1)
    opened = Database(sqlite_database.url)
    other = sqlite3.connect(_path(sqlite_database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for enter in (_write, _journal):
        with pytest.raises(Unavailable):
            enter(opened)
    _read(opened)
    other.execute("ROLLBACK")
    other.close()
    _all_work(opened)
    opened.dispose()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_bytes(b"This is a text. " * 1000)
    database = Database(sqlite_url(path))
    _all_refuse(database)
    database.dispose()
    assert path.read_bytes() == b"This is a text. " * 1000


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "none" / "d.sqlite3"))
    _all_refuse(database)
    database.dispose()


def test_a_database_without_tables(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "empty.sqlite3"))
    _all_refuse(database)
    database.dispose()


def test_a_dropped_database(postgresql_database: Database, postgresql_server: PostgresqlServer) -> None:
    url = postgresql_server.create_database()
    gone = Database(url)
    with gone.engine.connect():
        pass
    postgresql_server.drop_database(url)
    _all_refuse(gone)
    gone.dispose()


def test_cut_connections_are_replaced(postgresql_database: Database) -> None:
    _all_work(postgresql_database)
    killer = Database(postgresql_database.url)
    cut = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with killer.engine.connect() as connection:
        assert connection.scalar(cut)
    _all_work(postgresql_database)

    def cut_in_the_middle() -> None:
        with postgresql_database.write() as session, killer.engine.connect() as connection:
            connection.scalar(cut)
            session.scalar(select(User.id))

    with pytest.raises(Unavailable):
        cut_in_the_middle()
    _all_work(postgresql_database)
    killer.dispose()


def test_nobody_is_told_the_address_or_the_password() -> None:
    database = Database("postgresql://ada:hunter2@127.0.0.1:1/none")
    with pytest.raises(Unavailable) as refusal:
        database.generation()
    said = f"{refusal.value} {refusal.value.details}"
    assert not any(secret in said for secret in ("ada", "hunter2", "127.0.0.1"))
    database.dispose()
