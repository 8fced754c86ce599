"""The migrated schema is the one that the tables describe, and migrating is safe beside others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, select, text

from workspacesio.database.base import Base
from workspacesio.database.migrate import _config, check_schema, migrate
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import Node
from workspacesio.domain.errors import Unavailable


@pytest.fixture(params=["sqlite", "postgresql"])
def two_urls(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[tuple[str, str]]:
    """The addresses of two empty databases of one kind."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "one.sqlite"), sqlite_url(tmp_path / "two.sqlite")
        return
    server = request.getfixturevalue("postgresql_server")
    urls = server.create_database(), server.create_database()
    yield urls
    for url in urls:
        server.drop_database(url)


@pytest.fixture
def databases(two_urls: tuple[str, str]) -> Iterator[tuple[Database, Database]]:
    made = Database(two_urls[0]), Database(two_urls[1])
    yield made
    for database in made:
        database.dispose()


def test_migrated_schema_equals_the_tables(databases: tuple[Database, Database]) -> None:
    migrated, described = databases
    migrate(migrated.url)
    Base.metadata.create_all(described.engine)
    assert _schema(migrated.engine) == _schema(described.engine)


def test_every_described_table_has_what_the_comparison_compares(databases: tuple[Database, Database]) -> None:
    """So that the comparison above can't pass by reading nothing."""
    migrate(databases[0].url)
    schema = _schema(databases[0].engine)
    assert set(schema) == {table.name for table in Base.metadata.tables.values()}
    shares = schema["shares"]
    assert len(shares["checks"]) == 3
    assert sum("subject_kind" in str(index["options"]) for index in shares["indexes"]) == 3
    assert any(key["options"].get("ondelete") == "CASCADE" for key in shares["foreign_keys"])


def test_migrating_again_changes_nothing(databases: tuple[Database, Database]) -> None:
    database = databases[0]
    migrate(database.url)
    check_schema(database.url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE rights SET generation = 41"))
    migrate(database.url)
    assert database.generation() == 41


def test_nodes_from_before_the_second_step_go_on(databases: tuple[Database, Database]) -> None:
    database = databases[0]
    with database.engine.begin() as connection:
        command.upgrade(_config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO nodes (name, kind, run_by_service, read_only, path, layout, serve_owner_only, "
                "cross_filesystems, created_at) "
                "VALUES ('local', 'folder', :yes, :no, '/data', 'bucket', :no, :no, '2026-01-01 00:00:00')"
            ),
            {"yes": True, "no": False},
        )
    with pytest.raises(Unavailable) as refusal:
        check_schema(database.url)
    assert refusal.value.code == "older_schema"
    migrate(database.url)
    with database.read() as session:
        node = session.scalars(select(Node)).one()
        assert (node.name, node.path, node.endpoint, node.leaving) == ("local", "/data", None, False)


def test_several_processes_may_migrate_at_once(two_urls: tuple[str, str]) -> None:
    problems: list[Exception] = []

    def start() -> None:
        try:
            migrate(two_urls[0])
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    database = Database(two_urls[0])
    assert database.generation() == 1
    database.dispose()


def test_a_newer_schema_is_refused(databases: tuple[Database, Database]) -> None:
    database = databases[0]
    migrate(database.url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuses in (migrate, check_schema):
        with pytest.raises(Unavailable) as refusal:
            refuses(database.url)
        assert refusal.value.code == "newer_schema"


def test_a_process_that_must_not_migrate_refuses_an_older_schema(databases: tuple[Database, Database]) -> None:
    with pytest.raises(Unavailable) as refusal:
        check_schema(databases[0].url)
    assert refusal.value.code == "older_schema"


def test_a_failed_step_leaves_nothing_behind(databases: tuple[Database, Database]) -> None:
    """A table of the first step is there already, so the step fails half-way; nothing of it stays."""
    database = databases[0]
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE workspaces (id INTEGER)"))
    with pytest.raises(Unavailable):
        migrate(database.url)
    assert inspect(database.engine).get_table_names() == ["workspaces"]


def test_a_database_that_is_away_is_named_in_a_sentence() -> None:
    with pytest.raises(Unavailable) as refusal:
        migrate("postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert "nobody" not in str(refusal.value)


def _schema(engine: Engine) -> dict[str, dict[str, Any]]:
    inspector = inspect(engine)
    with engine.connect() as connection:
        return {
            name: {
                "columns": [
                    {**column, "type": column["type"].compile(engine.dialect), "comment": None}
                    for column in inspector.get_columns(name)
                ],
                "primary_key": inspector.get_pk_constraint(name),
                "foreign_keys": sorted(inspector.get_foreign_keys(name), key=_by_name),
                "unique": sorted(inspector.get_unique_constraints(name), key=_by_name),
                "checks": sorted(inspector.get_check_constraints(name), key=_by_name),
                "indexes": [
                    {**index, "options": {key: str(value) for key, value in index["dialect_options"].items()}}
                    | {"dialect_options": None}
                    for index in sorted(inspector.get_indexes(name), key=_by_name)
                ],
                "never_reused": _is_never_reused(connection, name),
            }
            for name in inspector.get_table_names()
            if name != "alembic_version"
        }


def _is_never_reused(connection: Any, name: str) -> bool | None:
    if connection.dialect.name != "sqlite":
        return None
    query = text("SELECT sql FROM sqlite_master WHERE name = :name")
    return "AUTOINCREMENT" in connection.execute(query, {"name": name}).scalar_one()


def _by_name(item: Any) -> str:
    return str(item["name"])
