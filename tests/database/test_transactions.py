"""Deciders come one after the other, reads see one state, and only `sessions.py` commits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

import workspacesio
from database.kinds import database_fixture
from database.worlds import NOW
from workspacesio.database import engines
from workspacesio.database.engines import make_engine, sqlite_url
from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, Group, Rights, User
from workspacesio.domain.errors import Invalid, Unavailable

database = database_fixture()
sqlite_database = database_fixture("sqlite")
postgresql_database = database_fixture("postgresql")


def _add_user(database: Database, name: str) -> None:
    with database.write() as session:
        session.add(User(email=name, username=name, created_at=NOW))


def _in_threads(*work: Callable[[], object]) -> list[object]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(one) for one in work]]


def _become_administrator_if_there_is_none(database: Database, name: str, begin: threading.Barrier) -> bool:
    """Check, linger, act: what two of them must not do at once."""
    begin.wait()
    with database.write() as session:
        if session.scalar(select(func.count()).select_from(User).where(User.administrator)):
            return False
        threading.Event().wait(0.02)
        session.execute(update(User).where(User.username == name).values(administrator=True))
        return True


def _race(urls: list[str]) -> list[object]:
    opened = [Database(url) for url in urls]
    for number, one in enumerate(opened):
        _add_user(one, f"user{number}")
    begin = threading.Barrier(len(opened))
    results = _in_threads(
        *(
            lambda one=one, number=number: _become_administrator_if_there_is_none(one, f"user{number}", begin)
            for number, one in enumerate(opened)
        )
    )
    for one in opened:
        one.dispose()
    return results


def test_a_check_and_its_act_are_never_interleaved_with_another_one(database: Database) -> None:
    """Each with an engine of its own, as processes have."""
    assert sum(map(bool, _race([database.url] * 6))) == 1


def test_deciders_rely_on_no_default_of_the_server(postgresql_database: Database) -> None:
    with postgresql_database.engine.begin() as connection:
        name = connection.scalar(select(func.current_database()))
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"))
    assert sum(map(bool, _race([postgresql_database.url] * 6))) == 1


def test_a_waiting_decider_sees_what_the_first_committed(database: Database) -> None:
    inside, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with database.write() as session:
            session.add(User(email="a", username="a", created_at=NOW))
            session.flush()
            inside.set()
            go_on.wait(10)
            order.append("first ends")

    def second() -> list[str]:
        inside.wait(10)
        with database.write() as session:
            order.append("second begins")
            return list(session.scalars(select(User.username)))

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        inside.wait(10)
        threading.Event().wait(0.1)
        go_on.set()
        one.result(10)
        assert two.result(10) == ["a"]
    assert order == ["first ends", "second begins"]


def test_a_read_sees_one_state_and_waits_for_nobody(database: Database) -> None:
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0
        with database.write() as other:
            other.add(User(email="a", username="a", created_at=NOW))
            other.flush()
            assert session.scalar(select(func.count()).select_from(User)) == 0
        generation = session.scalar(select(Rights.generation))
        assert session.scalar(select(func.count()).select_from(User)) == 0
    assert generation == database.generation() - 1


def test_the_journal_does_not_wait_for_deciders(postgresql_database: Database) -> None:
    with postgresql_database.write() as session:
        session.add(User(email="a", username="a", created_at=NOW))
        session.flush()
        with postgresql_database.journal() as journal:
            journal.add(AuditRecord(at=NOW, actor="a", verb="v", target="t", details={}))


def test_a_broken_rule_of_the_tables_is_the_use_cases_to_name(database: Database) -> None:
    _add_user(database, "a")
    before = database.generation()
    with pytest.raises(IntegrityError):
        _add_user(database, "a")
    assert database.generation() == before


def test_identities_are_never_reused(database: Database) -> None:
    _add_user(database, "a")
    with database.write() as session:
        first = session.scalar(select(User.id))
        session.execute(delete(User))
    _add_user(database, "b")
    with database.read() as session:
        assert session.scalar(select(User.id)) != first


def test_rights_are_durable_and_the_journal_is_quick(sqlite_database: Database) -> None:
    """PRAGMA synchronous: 1 is NORMAL, 2 is FULL; on one connection, in turn."""
    found = []
    for opened in (sqlite_database.write, sqlite_database.journal, sqlite_database.write):
        with opened() as session:
            found.append(session.connection().exec_driver_sql("PRAGMA synchronous").scalar())
    assert found == [2, 1, 2]


@pytest.mark.parametrize("value", ["\ud800", "a\0b", "x" * 100_000])
def test_a_text_that_no_column_takes_is_the_callers_mistake(database: Database, value: str) -> None:
    """SQLite takes more; what it takes, it gives back."""

    def store() -> None:
        with database.write() as session:
            session.execute(insert(Group).values(name=value, created_at=NOW))

    if database.is_sqlite and value != "\ud800":
        store()
        with database.read() as session:
            assert session.scalar(select(Group.name)) == value
        return
    with pytest.raises(Invalid) as refusal:
        store()
    assert refusal.value.code == "unstorable"


def test_a_number_that_no_column_takes_is_the_callers_mistake(database: Database) -> None:
    with pytest.raises(Invalid) as refusal, database.read() as session:
        session.get(User, 2**70)
    assert refusal.value.code == "unstorable"


def test_without_the_row_of_the_generation_nothing_is_written(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(delete(Rights))
    with pytest.raises(Unavailable, match="no schema"):
        _add_user(database, "a")
    with pytest.raises(Unavailable, match="no schema"):
        database.generation()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:secret@h/d", "postgresql://u:secret@h:port/d"])
def test_other_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        make_engine(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgres://u@h/d", "postgresql+psycopg://u@h/d"])
def test_addresses_of_postgresql(url: str) -> None:
    assert make_engine(url).url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize("name", ["a?mode=memory", "a%20b", "a#b", "ä ö", "100%"])
def test_the_state_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    engine = make_engine(sqlite_url(tmp_path / name / "d.sqlite3"))
    engine.connect().close()
    engine.dispose()
    assert (tmp_path / name / "d.sqlite3").exists()


def test_who_waits_too_long_for_a_lock_is_told_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0.2)
    impatient = Database(database.url)
    with database.write(), pytest.raises(Unavailable) as refusal:
        _add_user(impatient, "a")
    assert refusal.value.code == "database_unavailable"
    _add_user(impatient, "a")
    impatient.dispose()


def test_only_sessions_commit() -> None:
    """Anything else could change rights without raising the generation.

    The index's catalogue has connections of its own, and writes to tables of its own.
    """
    bypass = re.compile(r"(session|connection)\.commit\(|exec_driver_sql\(|\.raw_connection\(|engine\.begin\(")
    source = Path(workspacesio.__file__).parent
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if bypass.search(path.read_text(encoding="utf-8"))
    }
    known = {"database/engines.py", "database/sessions.py", "database/migrate.py", "index/catalogue_store.py"}
    assert found <= known
    written = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|COPY) ([a-z_]+)")
    for path in (source / "index").rglob("*.py"):
        for table in written.findall(path.read_text(encoding="utf-8")):
            assert table.startswith("catalogue_"), (path, table)
