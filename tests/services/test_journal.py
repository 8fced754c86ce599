"""Events reach the journal in order, none lost, none twice, whoever else writes; usage is their sum."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, event, select

from database.kinds import clear, database_fixture
from database.worlds import NOW, RootRow, UserRow, WorkspaceRow, World
from workspacesio.database.journal_tables import ObjectEvent, Usage
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Workspace
from workspacesio.domain.authority import Event
from workspacesio.domain.facts import NodeFacts, RootFacts
from workspacesio.domain.vocabulary import RootType
from workspacesio.services import journal
from workspacesio.services.journal import Journal, JournalCursor, read_events, write_events

database = database_fixture()
sqlite_database = database_fixture("sqlite")
postgresql_database = database_fixture("postgresql")

PUT = Event(
    "s3:ObjectCreated:Put", NOW, 1, "alpha", "w1/k", 1, 1, size=10, etag="e", delta_bytes=10, delta_objects=1
)


def _save_world(database: Database) -> None:
    world = World({1: UserRow()}, {1: NodeFacts(1, 1)})
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces = {number: WorkspaceRow(1, f"w{number}/", 1) for number in range(1, 6)}
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)


def _events(count: int, writer: str = "a") -> list[Event]:
    return [replace(PUT, key=f"{writer}/{number:06}", workspace_id=1 + number % 5) for number in range(count)]


def _keys(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(ObjectEvent.key).order_by(ObjectEvent.id)))


def _usage(database: Database) -> dict[int, tuple[int, int]]:
    with database.read() as session:
        return {row.workspace_id: (row.bytes, row.objects) for row in session.scalars(select(Usage))}


def _begun(database: Database, bucket: str = "alpha") -> JournalCursor:
    cursor = JournalCursor()
    assert read_events(database, cursor, 1, bucket) == []
    return cursor


@pytest.fixture
def slow_commits(database: Database) -> Iterator[list[Database]]:
    """Four servers, whose commits take as long as it happens, and would end in another order than they began."""
    chance = random.Random(7)
    servers = [Database(database.url) for _ in range(4)]
    for server in servers:
        event.listen(server.engine, "commit", lambda _connection: time.sleep(chance.choice((0, 0.002, 0.02))))
    yield servers
    for server in servers:
        server.dispose()


def test_what_is_written_is_read_in_order(database: Database) -> None:
    _save_world(database)
    cursor = _begun(database)
    removed = replace(PUT, name="s3:ObjectRemoved:Delete", size=None, etag=None, delta_bytes=-10, delta_objects=-1)
    write_events(database, [PUT, removed, replace(PUT, key="w1/é/\n")])
    found = read_events(database, cursor, 1, "alpha")
    assert [replace(one, event_id=0) for one in found] == [
        replace(one, delta_bytes=0, delta_objects=0) for one in (PUT, removed, replace(PUT, key="w1/é/\n"))
    ]
    assert [one.event_id for one in found] == sorted({one.event_id for one in found})
    assert read_events(database, cursor, 1, "alpha") == []


def test_a_listener_hears_its_bucket_from_when_it_came(database: Database) -> None:
    _save_world(database)
    write_events(database, [PUT])
    here, everywhere = _begun(database), _begun(database, "")
    write_events(database, [PUT, replace(PUT, bucket="beta"), replace(PUT, node_id=2)])
    assert [one.bucket for one in read_events(database, here, 1, "alpha")] == ["alpha"]
    assert [one.bucket for one in read_events(database, everywhere, 1, "")] == ["alpha", "beta"]
    write_events(database, [replace(PUT, bucket="beta")])
    assert read_events(database, here, 1, "alpha") == []


def test_an_old_event_that_is_written_late_is_heard(database: Database) -> None:
    """The database was away for hours: the event's own time says nothing of when it appears."""
    _save_world(database)
    cursor = _begun(database)
    write_events(database, [PUT])
    write_events(database, [replace(PUT, at=NOW - timedelta(hours=5), key="late")])
    assert [one.key for one in read_events(database, cursor, 1, "alpha")] == ["w1/k", "late"]


def test_a_long_silence_is_read_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_READ_ROWS", 3)
    _save_world(database)
    cursor = _begun(database)
    write_events(database, _events(10))
    pages = [read_events(database, cursor, 1, "alpha") for _ in range(5)]
    assert [len(page) for page in pages] == [3, 3, 3, 1, 0]
    assert [one.key for page in pages for one in page] == _keys(database)


def test_concurrent_writers_lose_nothing_and_are_heard_once(
    database: Database, slow_commits: list[Database]
) -> None:
    """A listener that reads all the while hears every event once, each writer's in its order."""
    _save_world(database)
    cursor, heard, done = _begun(database), [], threading.Event()

    def write(server: Database, writer: str) -> None:
        events = _events(60, writer)
        for start in range(0, 60, 4):
            write_events(server, events[start : start + 4])

    def listen() -> None:
        while True:
            ended = done.is_set()
            heard.extend(read_events(database, cursor, 1, "alpha"))
            if ended:
                return

    threads = [threading.Thread(target=write, args=(server, str(n))) for n, server in enumerate(slow_commits)]
    listener = threading.Thread(target=listen)
    for thread in (*threads, listener):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    listener.join()
    assert len(heard) == 240
    numbers = [one.event_id for one in heard]
    assert numbers == sorted(set(numbers))
    for writer in "0123":
        keys = [one.key for one in heard if one.key.startswith(f"{writer}/")]
        assert keys == [one.key for one in _events(60, writer)]
    assert _usage(database) == dict.fromkeys(range(1, 6), (480, 48))


def test_usage_is_the_sum_of_what_changed(database: Database) -> None:
    _save_world(database)
    write_events(database, [replace(PUT, delta_bytes=5, delta_objects=0), replace(PUT, workspace_id=2)])
    write_events(database, [replace(PUT, delta_bytes=-3, delta_objects=-1), replace(PUT, workspace_id=99)])
    write_events(database, [replace(PUT, workspace_id=3, delta_bytes=0, delta_objects=0)])
    write_events(database, [replace(PUT, delta_bytes=2**40, delta_objects=1)])
    assert _usage(database) == {1: (2**40 + 2, 0), 2: (10, 1)}
    assert len(_keys(database)) == 6


def test_the_journal_raises_no_generation(database: Database) -> None:
    _save_world(database)
    before = database.generation()
    write_events(database, _events(10))
    assert database.generation() == before


def test_a_workspace_that_goes_meanwhile_takes_no_events_along(postgresql_database: Database) -> None:
    """Its removal is not committed yet when the usage is written: the batch waits, and is whole."""
    database = postgresql_database
    _save_world(database)
    with database.write() as session:
        session.execute(delete(Workspace).where(Workspace.id == 2))
        writer = threading.Thread(target=write_events, args=(database, _events(5)))
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
    writer.join(10)
    assert len(_keys(database)) == 5
    assert sorted(_usage(database)) == [1, 3, 4, 5]


def test_everything_that_waits_is_written_when_it_stops(database: Database) -> None:
    """Also when it is stopped in the middle of writing."""
    _save_world(database)

    async def run() -> None:
        one = Journal(database)
        one.start()
        one.start()
        for number, put in enumerate(_events(1200)):
            one.add(put)
            if number == 700:
                await asyncio.sleep(journal.FLUSH_SECONDS * 1.2)
        await one.stop()
        # And begun again.
        one.start()
        one.add(replace(PUT, key="b"))
        await one.stop()
        # And without ever having been begun.
        two = Journal(database)
        two.add(replace(PUT, key="c"))
        await two.stop()

    asyncio.run(run())
    assert _keys(database) == [*(one.key for one in _events(1200)), "b", "c"]


def test_a_request_does_not_wait_and_the_journal_follows_soon(database: Database) -> None:
    _save_world(database)

    async def run() -> None:
        one = Journal(database)
        one.start()
        cursor = JournalCursor()
        await one.events_after(cursor, 1, "alpha")
        one.add(PUT)
        heard: list[Event] = []
        for _ in range(100):
            heard += await one.events_after(cursor, 1, "alpha")
            if heard:
                break
            await asyncio.sleep(0.02)
        assert len(heard) == 1
        await one.stop()

    asyncio.run(run())


def test_while_the_database_is_away_events_are_kept_in_order(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(journal, "FLUSH_ROWS", 7)
    database = sqlite_database
    _save_world(database)
    path = database.engine.url.database
    assert path is not None

    async def run() -> None:
        one = Journal(database)
        one.start()
        events = _events(60)
        for put in events[:20]:
            one.add(put)
        await asyncio.sleep(0.2)
        os.rename(path, path + ".away")
        for put in events[20:40]:
            one.add(put)
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        for put in events[40:]:
            one.add(put)
        os.rename(path + ".away", path)
        await asyncio.sleep(0.2)
        await one.stop()

    asyncio.run(run())
    assert _keys(database) == [one.key for one in _events(60)]
    assert sum(objects for _, objects in _usage(database).values()) == 60


def test_what_is_kept_is_bounded_and_the_oldest_go(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "MAX_WAITING", 10)
    monkeypatch.setattr(journal, "FLUSH_ROWS", 6)
    database = sqlite_database
    _save_world(database)
    path = database.engine.url.database
    assert path is not None
    write = journal.write_events

    async def run() -> None:
        one = Journal(database)
        os.rename(path, path + ".away")
        for put in _events(25):
            one.add(put)
        assert len(one._waiting) == 10

        def fill_up_and_write(*arguments: object) -> None:
            for put in _events(4, "b"):
                one.add(put)
            write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(journal, "write_events", fill_up_and_write)
        with caplog.at_level(logging.WARNING):
            await one.stop()
        assert "10 events could not be written" in caplog.text
        monkeypatch.setattr(journal, "write_events", write)
        os.rename(path + ".away", path)
        await one.stop()

    asyncio.run(run())
    assert _keys(database) == [*(one.key for one in _events(25)[19:]), *(one.key for one in _events(4, "b"))]


def test_an_event_that_cannot_be_written_goes_alone(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    _save_world(database)

    async def run() -> None:
        one = Journal(database)
        for put in (PUT, replace(PUT, key="\ud800"), replace(PUT, key="w1/after")):
            one.add(put)
        await one.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert _keys(database) == ["w1/k", "w1/after"]
    assert _usage(database) == {1: (20, 2)}
    assert "an event could not be written" in caplog.text
