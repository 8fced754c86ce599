"""A generation that is answered was read after the question, whatever else was going on; else it is refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from database.kinds import database_fixture, url_fixture
from services.other_process import other_process
from workspacesio.database.migrate import migrate
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import Rights
from workspacesio.domain.errors import Unavailable
from workspacesio.services import generation
from workspacesio.services.generation import (
    SharedGenerationReader,
    SqliteGenerationReader,
    generation_reader,
)

database = database_fixture()
sqlite_database = database_fixture("sqlite")
database_url = url_fixture()


class SlowDatabase:
    """Reads take as long as they are told to. A read's answer is its number, by which its beginning is known."""

    def __init__(self) -> None:
        self.moment = 0
        self.began_at: list[int] = []
        self.failing = False
        self._may_end = threading.Semaphore(0)

    def tick(self) -> int:
        self.moment += 1
        return self.moment

    def generation(self) -> int:
        number = len(self.began_at)
        self.began_at.append(self.moment)
        assert self._may_end.acquire(timeout=20)
        if self.failing:
            raise Unavailable("away")
        return number

    def end_one(self) -> None:
        self._may_end.release()


def _reader(slow: SlowDatabase) -> SharedGenerationReader:
    return SharedGenerationReader(cast(Database, slow))


async def _turns(count: int = 5) -> None:
    """Let the loop do what is ready, threads included."""
    for _ in range(count):
        await asyncio.sleep(0.001)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["arrive", "arrive", "end", "turn"]), max_size=20))
def test_nobody_shares_a_read_that_began_before_they_came(script: list[str]) -> None:
    async def run() -> None:
        slow = SlowDatabase()
        reader = _reader(slow)

        async def request(came_at: int) -> None:
            number = await reader.current()
            assert slow.began_at[number] >= came_at

        requests = []
        for step in script:
            if step == "arrive":
                requests.append(asyncio.ensure_future(request(slow.tick())))
                await asyncio.sleep(0)
            elif step == "end":
                slow.end_one()
                await _turns()
            else:
                await _turns(1)
        for _ in script:
            slow.end_one()
        await asyncio.gather(*requests)
        assert len(slow.began_at) <= max(1, script.count("end")) + 2

    asyncio.run(run())


def test_those_who_wait_share_one_read() -> None:
    async def run() -> None:
        slow = SlowDatabase()
        reader = _reader(slow)
        first = asyncio.ensure_future(reader.current())
        await _turns()
        others = [asyncio.ensure_future(reader.current()) for _ in range(100)]
        await _turns()
        assert len(slow.began_at) == 1
        slow.end_one()
        assert await first == 0
        await _turns()
        assert not any(other.done() for other in others)
        slow.end_one()
        assert set(await asyncio.gather(*others)) == {1}
        assert len(slow.began_at) == 2

    asyncio.run(run())


def test_a_failed_read_is_everybodys_who_shared_it_and_nobody_elses() -> None:
    async def run() -> None:
        slow = SlowDatabase()
        slow.failing = True
        reader = _reader(slow)
        sharing = [asyncio.ensure_future(reader.current()) for _ in range(3)]
        await _turns()
        slow.end_one()
        results = await asyncio.gather(*sharing, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        slow.failing = False
        slow.end_one()
        assert await reader.current() == 1

    asyncio.run(run())


def test_one_who_gives_up_takes_nobody_along() -> None:
    async def run() -> None:
        slow = SlowDatabase()
        reader = _reader(slow)
        leaving, staying = (asyncio.ensure_future(reader.current()) for _ in range(2))
        await _turns()
        leaving.cancel()
        await _turns()
        slow.end_one()
        assert await staying == 0

    asyncio.run(run())


def test_a_read_that_hangs_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "READ_SECONDS", 0.05)

    async def run() -> None:
        slow = SlowDatabase()
        reader = _reader(slow)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await reader.current()
        slow.end_one()
        slow.end_one()
        await _turns(20)
        slow.end_one()
        assert await reader.current() >= 1

    asyncio.run(run())


def test_each_database_gets_its_reader(database: Database) -> None:
    reader = generation_reader(database)
    assert isinstance(reader, SqliteGenerationReader if database.is_sqlite else SharedGenerationReader)


def test_the_commits_of_another_process_are_seen_at_once(database_url: str) -> None:
    opened = Database(database_url)

    async def run() -> None:
        reader = generation_reader(opened)
        with other_process(database_url) as other:
            seen = await reader.current()
            for number in range(30):
                changed = other.execute(f"UPDATE users SET username = 'u{number}'")
                assert changed == seen + 1
                seen = await reader.current()
                assert seen == changed
                assert await reader.current() == seen

    asyncio.run(run())
    opened.dispose()


def test_what_is_not_committed_is_not_seen(database: Database) -> None:
    async def run() -> None:
        reader = generation_reader(database)
        before = await reader.current()
        with contextlib.suppress(LookupError), database.write() as session:
            session.execute(update(Rights).values(generation=99))
            assert await reader.current() == before
            raise LookupError
        assert await reader.current() == before

    asyncio.run(run())


def test_a_removed_or_replaced_file_is_refused_until_it_is_back(sqlite_database: Database) -> None:
    path = sqlite_database.engine.url.database
    assert path is not None
    sqlite_database.generation()

    async def run() -> None:
        reader = SqliteGenerationReader(path)
        before = await reader.current()
        shutil.copyfile(path, path + ".copy")
        os.rename(path, path + ".away")
        for _ in range(3):
            with pytest.raises(Unavailable):
                await reader.current()
        os.rename(path + ".copy", path)
        for _ in range(3):
            with pytest.raises(Unavailable, match="restart"):
                await reader.current()
        os.rename(path + ".away", path)
        assert await reader.current() == before

    asyncio.run(run())


@pytest.mark.parametrize("content", [b"", b"This is no database. " * 500])
def test_a_file_without_a_generation_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.sqlite3"
    path.write_bytes(content)
    reader = SqliteGenerationReader(str(path))
    with pytest.raises(Unavailable):
        asyncio.run(reader.current())


def test_a_file_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    reader = SqliteGenerationReader(str(tmp_path / "none.sqlite3"))
    with pytest.raises(Unavailable):
        asyncio.run(reader.current())
    assert os.listdir(tmp_path) == []


def test_without_its_row_the_generation_is_refused(sqlite_database: Database) -> None:
    path = sqlite_database.engine.url.database
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM rights")
    connection.close()
    with pytest.raises(Unavailable, match="schema"):
        asyncio.run(SqliteGenerationReader(path).current())


@pytest.mark.parametrize("name", ["a?mode=rwc", "a%20b", "a#b", "ä ö"])
def test_the_state_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    url = sqlite_url(tmp_path / name / "d.sqlite3")
    migrate(url)
    opened = Database(url)
    assert asyncio.run(generation_reader(opened).current()) == opened.generation()
    opened.dispose()
