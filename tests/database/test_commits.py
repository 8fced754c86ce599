"""Whoever polls hears of every commit, of any process, and asks nothing in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from workspacesio.database.commits import commits_of
from workspacesio.database.sessions import Database, sqlite_url


def test_commits_on_sqlite(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "one #%?.sqlite")
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    commits = commits_of(database)
    assert commits.may_be_new()
    for _ in range(3):
        assert not commits.may_be_new()
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        assert not commits.may_be_new()
    assert commits.may_be_new()
    assert not commits.may_be_new()
    script = 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("DELETE FROM t"); c.commit()'
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "one #%?.sqlite")], check=True)
    assert commits.may_be_new()
    assert not commits.may_be_new()
    commits.close()
    assert commits.may_be_new()
    commits.close()
    database.dispose()


def test_where_there_is_no_file_everything_may_be_new(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "missing.sqlite"))
    commits = commits_of(database)
    assert commits.may_be_new()
    assert commits.may_be_new()
    commits.close()
    database.dispose()


def test_on_postgresql_everything_may_be_new(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    commits = commits_of(database)
    assert commits.may_be_new()
    assert commits.may_be_new()
    commits.close()
    database.dispose()
