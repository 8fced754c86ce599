"""The catalogue is what was found, its sums are exact, and its numbers are given out once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from index.dict_engine import DictEngine
from index.recorded import (
    Clock,
    Installed,
    Model,
    Random,
    all_entries,
    catalogued,
    check_sums,
    open_recorder,
    serving,
    settle,
)
from workspacesio.database.sessions import sqlite_url
from workspacesio.domain.errors import Unavailable
from workspacesio.index.catalogue import Catalogue, Usage
from workspacesio.index.catalogue_store import CatalogueDamaged, CatalogueMissing, catalogue_failures
from workspacesio.index.found import Found


@pytest.fixture(params=["sqlite", "postgresql"])
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "index" / "catalogue.sqlite")
        return
    server = request.getfixturevalue("postgresql_server")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def catalogue(catalogue_url: str) -> Iterator[Catalogue]:
    made = Catalogue(catalogue_url)
    made.store.make(1, 0)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(8))
def test_random_changes_leave_what_was_found(catalogue: Catalogue, seed: int) -> None:
    """Rows, sums of all folders, numbers and what the engine was told; the engine is away at times."""
    clock, installed, model = Clock(), Installed(DictEngine), Model()
    recorder, upkeep = open_recorder(catalogue, installed, clock)
    changing = Random(seed, recorder=recorder, model=model)
    known: dict[int, tuple[int, str]] = {}
    for step in range(120):
        changing.change()
        if changing.random.random() < 0.3:
            recorder.commit()
        if changing.random.random() < 0.1:
            clock.now += changing.random.choice([0.1, 3, 100])
            upkeep.step()
        if changing.random.random() < 0.1:
            for engine in installed.engines.values():
                assert isinstance(engine, DictEngine)
                engine.calls_left = changing.random.choice([0, 1, 2, 5, None])
        if step % 40 == 39:
            for engine in installed.engines.values():
                engine.calls_left = None  # type: ignore[attr-defined]
            settle(recorder, upkeep, clock)
            assert catalogued(catalogue) == model
            check_sums(catalogue, model)
            entries = all_entries(catalogue)
            for number, entry in entries.items():
                assert known.setdefault(number, (entry.workspace_id, entry.path)) == (
                    entry.workspace_id,
                    entry.path,
                )
            engine = serving(recorder).engine
            assert isinstance(engine, DictEngine)
            assert engine.committed == entries
    recorder.close()


def test_sums_that_no_database_holds_come_right_again(catalogue: Catalogue) -> None:
    """Any user may make a file that says it has 8 EiB; nobody may notice but by the sums while it is there."""
    recorder, _ = open_recorder(catalogue, Installed(DictEngine), Clock())
    largest = 2**63 - 1
    recorder.put(1, "a/b/good", Found("good", 5, 1, "e", 1))
    recorder.commit()
    for number in range(3):
        recorder.put(1, f"a/b/{number}", Found(str(number), largest, 1, "e", 1))
        recorder.put(1, f"a/{number}/x", Found("x", largest, 1, "e", 1))
        recorder.commit()
    assert catalogue.due_counts([1], []) == (7, 6 * largest + 5)
    for path in ("", "a/", "a/b/"):
        usage = catalogue.usage(1, path)
        assert usage is not None
        assert usage.bytes == (usage.objects - 1) * largest + 5 & 2**62 - 1
    recorder.put(1, "a/b/0", Found("0", 7, 2, "e", 2))
    recorder.drop_many(1, ["a/b/1", "a/b/2", "a/0/x"])
    recorder.drop_folder(1, "a/1/")
    recorder.drop_folder(1, "a/2/")
    recorder.commit()
    assert catalogue.usage(1, "") == catalogue.usage(1, "a/b/") == Usage(2, 12)
    recorder.close()


# --- what goes wrong in the database ---------------------------------------------------------------------------


def test_a_missing_table_is_told_in_any_language() -> None:
    """The server speaks its operator's."""
    with pytest.raises(CatalogueMissing), catalogue_failures():
        raise psycopg.errors.UndefinedTable("FEHLER:  Relation »catalogue_numbers« existiert nicht")


def test_only_a_missing_table_is_a_missing_catalogue(catalogue: Catalogue) -> None:
    """Of another function or column PostgreSQL says that it does not exist, too; whoever asks is told no more."""
    with pytest.raises(Unavailable) as missing_function, catalogue.store.reading() as statements:
        statements.rows("SELECT nothing_of_the_kind(1)")
    assert (missing_function.value.code, missing_function.value.details) == ("catalogue_unavailable", {})
    with pytest.raises(CatalogueDamaged) as missing_column, catalogue.store.reading() as statements:
        statements.rows("SELECT unheard_of FROM catalogue_numbers")
    assert missing_column.value.details == {}
    with pytest.raises(CatalogueMissing), catalogue.store.reading() as statements:
        statements.rows("SELECT 1 FROM catalogue_of_nothing")
    assert catalogue.store.problem() is None


def test_what_the_driver_says_goes_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    said = 'connection to server at "10.1.2.3", port 5432 failed: no password for user "wio"'
    with pytest.raises(Unavailable) as told, catalogue_failures():
        raise psycopg.OperationalError(said)
    assert told.value.details == {}
    assert "10.1.2.3" not in str(told.value)
    assert said in caplog.text
