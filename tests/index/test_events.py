"""Events are hints: whatever they say, in whatever order, the index ends equal to storage, and nothing is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from index.event_world import EventWorld
from workspacesio.database.index_tables import Crawl
from workspacesio.database.journal_tables import ObjectEvent
from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.vocabulary import CrawlReason, FolderLayout, IndexLevel, NodeKind
from workspacesio.index import event_batches, events
from workspacesio.index.event_rows import events_waiting, mark_indexed
from workspacesio.index.places import load_places
from workspacesio.nodes.errors import NoSuchBucket
from workspacesio.services.crawl_requests import set_indexing
from workspacesio.services.old_events import forget_old_events


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EventWorld]:
    made = EventWorld(tmp_path)
    made.add_workspace("a/")
    yield made
    made.close()


def test_what_is_written_replaced_and_deleted_is_found_as_it_is(world: EventWorld) -> None:
    world.write("a/one", b"1")
    world.write("a/b/two", b"22")
    world.journal("a/one", "a/b/two", "a/never")
    world.settle()
    assert world.indexed(1) == world.listed("a/")
    for _ in range(3):
        world.events.step()  # idle
    world.write("a/one", b"longer")
    os.unlink(world.folder / "a/b/two")
    world.journal("a/b/two", name="s3:ObjectRemoved:Delete")
    world.journal("a/one")
    world.settle()
    assert world.indexed(1) == world.listed("a/")
    assert list(world.indexed(1)) == ["one"]


def test_events_on_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    world = EventWorld(tmp_path, url=postgresql_url)
    world.add_workspace("a/")
    try:
        world.write("a/one", b"1")
        world.journal("a/one", "a/two")
        with world.database.read() as session:
            assert events_waiting(session)[0] == 2
        world.settle()
        assert world.indexed(1) == world.listed("a/")
        with world.database.read() as session:
            assert events_waiting(session) == (0, None)
        world.watched(lambda: len(world.rows()) == 1)
        os.unlink(world.folder / "a/one")
        world.watched(lambda: world.indexed(1) == {})
    finally:
        world.close()


def test_neither_order_nor_repetition_matters(world: EventWorld) -> None:
    chance = random.Random(7)
    keys = [f"a/{folder}{name}" for folder in ("", "x/", "x/y/", "ä/") for name in "abcdefgh"]
    told = []
    for _ in range(300):
        key = chance.choice(keys)
        if chance.random() < 0.6:
            world.write(key, os.urandom(chance.randrange(50)))
        elif (world.folder / key).exists():
            os.unlink(world.folder / key)
        told.append(key)
    told += chance.choices(keys, k=100)
    chance.shuffle(told)
    for first in range(0, len(told), 40):
        world.journal(
            *told[first : first + 40], name=chance.choice(["s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete"])
        )
        world.settle()
    assert world.indexed(1) == world.listed("a/")
    world.check(1, "a/")


def test_a_burst_is_few_commits_and_each_key_one_look(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        world.write(f"a/{number}")
    for _ in range(10):
        world.journal(*(f"a/{number}" for number in range(200)), *("a/0" for _ in range(300)))
    looked, commits = [], []
    driver, commit = world.context.nodes[1], world.recorder.commit
    stat_objects = driver.stat_objects

    async def noted(scope: Any, keys: Any) -> Any:
        looked.extend(keys)
        return await stat_objects(scope, keys)

    monkeypatch.setattr(driver, "stat_objects", noted)
    monkeypatch.setattr(world.recorder, "commit", lambda: (commits.append(1), commit())[1])
    world.events._nodes[1] = events._Node(keys=5_000)
    world.settle()
    assert len(looked) == 200
    assert len(commits) == 1
    assert len(world.indexed(1)) == 200


def test_rows_are_marked_after_the_commit_only(world: EventWorld, tmp_path: Path) -> None:
    """Who is killed before the commit looks again."""
    world.write("a/x")
    world.journal("a/x")
    world.events._committed_at = world.events._vanished_at = float("inf")  # no commit is due
    for _ in range(20):
        world.events.step()
    assert world.waiting() == 1
    world.events.close()
    world.recorder._transactions.give_up()
    world.begin()
    world.settle()
    assert world.indexed(1) == world.listed("a/")
    assert world.waiting() == 0


def test_what_others_take_along_when_they_fail_is_looked_at_again(world: EventWorld) -> None:
    world.write("a/x")
    world.journal("a/x")
    world.events._committed_at = world.events._vanished_at = float("inf")
    for _ in range(20):
        world.events.step()
    assert world.recorder._transactions.is_under_way
    world.recorder._transactions.give_up()
    world.events._committed_at = 0.0
    world.events.step()
    assert world.waiting() == 1
    world.settle()
    assert world.indexed(1) == world.listed("a/")


def test_a_node_that_is_away_holds_up_no_other_and_nothing_is_lost(world: EventWorld, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "w").mkdir(parents=True)
    with world.database.write() as session:
        session.add(
            Node(
                name="o",
                kind=NodeKind.FOLDER,
                path=str(other),
                layout=FolderLayout.BUCKET,
                bucket="data",
                created_at=world.now,
            )
        )
        session.flush()
    world.folder, kept = other, world.folder
    world.context.nodes[2] = world.folder_driver()
    world.folder = kept
    root_id = world.add_root("second", "w/")
    workspace_id = world.add_workspace("w/", root_id=root_id)
    with world.database.write() as session:
        session.get_one(Workspace, workspace_id).node_id = 2
    world.write("a/x")
    (other / "w/y").write_bytes(b"y")
    os.rename(world.folder, tmp_path / "unmounted")
    world.journal("a/x")
    world.journal("w/y", workspace_id=workspace_id, node_id=2)
    world.settle(lambda: world.waiting() == 1)
    assert list(world.indexed(workspace_id)) == ["y"]
    with world.database.read() as session:
        count, oldest = events_waiting(session)
    assert count == 1
    assert oldest is not None
    os.rename(tmp_path / "unmounted", world.folder)
    world.events._nodes[1].retry_at = 0.0
    world.settle()
    assert world.indexed(1) == world.listed("a/")


def test_hints_survive_a_node_that_is_away(world: EventWorld, tmp_path: Path) -> None:
    world.write("a/x")
    os.rename(world.folder, tmp_path / "unmounted")
    world.context.hints.add_object(1, 1, "x")
    for _ in range(10):
        world.events.step()
    os.rename(tmp_path / "unmounted", world.folder)
    world.events._nodes[1].retry_at = 0.0
    world.settle()
    assert world.indexed(1) == world.listed("a/")


def test_what_vanished_with_its_workspace_is_dropped(world: EventWorld) -> None:
    world.add_workspace("b/")
    world.write("a/x")
    world.write("b/x")
    world.journal("a/x")
    world.journal("b/x", workspace_id=2)
    world.settle()
    assert world.recorder.workspaces() == [1, 2]
    with world.database.write() as session:
        session.delete(session.get_one(Workspace, 1))
    world.journal("a/x", "a/y")
    world.events._vanished_at = 0.0
    world.settle(lambda: world.recorder.workspaces() == [2])
    world.settle()
    assert world.indexed(1) == {}
    assert world.indexed(2) == world.listed("b/")


def test_events_of_keys_outside_the_workspace_say_nothing(world: EventWorld) -> None:
    """As after a workspace was moved: what lies at its old place is another's."""
    world.write("b/x")
    world.journal("b/x")
    world.settle()
    assert world.indexed(1) == {}


def test_what_is_not_to_be_indexed_is_not(world: EventWorld) -> None:
    with world.database.write() as session:
        set_indexing(session, root_id=1, exclusions=["*.tmp", "cache/"], now=world.now)
    for key in ("a/x", "a/x.tmp", "a/cache/y", "a/d/cache/z", "a/.workspacesio/s", "a/@eaDir/t"):
        world.write(key)
        world.journal(key)
    world.journal("a//x", "a/../a/x", "a/\udcff".encode(errors="replace").decode())
    world.settle()
    assert list(world.indexed(1)) == ["x"]
    with world.database.write() as session:
        set_indexing(session, root_id=1, level=IndexLevel.NONE, now=world.now)
    world.write("a/late")
    world.journal("a/late")
    world.settle()
    assert "late" not in world.indexed(1)


def test_keys_that_nobody_can_name_are_not_looked_at(world: EventWorld) -> None:
    """A server may have them; the endpoint serves none of them, and a share of `b/` doesn't cover `b/../c`."""
    with world.database.read() as session:
        place = load_places(session, [1])[1]
    assert [path for path in ("b/c", "b//c", "b/../c", "./c", "\0") if place.shows(path)] == ["b/c"]


def test_folders_that_are_objects(world: EventWorld) -> None:
    from index.crawl_world import BUCKET, run
    from workspacesio.nodes.values import ObjectAddress, ObjectMetadata

    async def put_folder() -> None:
        address = ObjectAddress(BUCKET, "a/f/", "a/")
        staged = await world.context.nodes[1].stage(address, expected_size=0, hashers=[])  # type: ignore[attr-defined]
        await staged.finish()
        await staged.publish(ObjectMetadata())

    run(put_folder())
    world.journal("a/f/")
    world.settle()
    assert list(world.indexed(1)) == ["f/"]
    assert world.indexed(1) == world.listed("a/")
    os.rmdir(world.folder / "a/f")
    world.journal("a/f/")
    world.settle()
    assert world.indexed(1) == {}


def test_what_can_not_be_looked_at_is_left_to_a_crawl(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(scope: Any, keys: Any) -> Any:
        raise NoSuchBucket("There is no such bucket.")

    monkeypatch.setattr(world.context.nodes[1], "stat_objects", refused)
    world.journal("a/x")
    world.settle()
    (crawl,) = world.rows()
    assert (crawl.reason, crawl.root_id, crawl.workspace_id) == (CrawlReason.UNHEARD, 1, 1)
    world.journal("a/y")
    world.settle()
    assert len(world.rows()) == 1
    monkeypatch.undo()
    world.write("a/x")
    assert world.crawler.run_one(lambda: False)
    assert world.indexed(1) == world.listed("a/")


def test_events_from_before_there_was_an_index_need_no_look(tmp_path: Path) -> None:
    from alembic import command
    from sqlalchemy import text

    from workspacesio.database.migrate import _config, migrate
    from workspacesio.database.sessions import Database, sqlite_url

    database = Database(sqlite_url(tmp_path / "old.sqlite"))
    with database.engine.begin() as connection:
        command.upgrade(_config(connection), "0007")
        connection.execute(
            text(
                "INSERT INTO object_events (name, at, node_id, bucket, key, workspace_id, user_id) "
                "VALUES ('s3:ObjectCreated:Put', '2026-01-01 00:00:00', 1, 'data', 'a/x', 1, 1)"
            )
        )
    migrate(database.url)
    with database.read() as session:
        assert session.scalars(select(ObjectEvent.indexed)).all() == [True]
        assert events_waiting(session) == (0, None)
        assert session.scalars(select(Crawl)).all() == []
    database.dispose()


def test_old_events_that_were_never_taken_in_are_forgotten_for_a_crawl(world: EventWorld) -> None:
    root_id = world.add_root("second", "b/")
    workspace_id = world.add_workspace("b/", root_id=root_id)
    world.journal("a/x", "a/y")
    world.settle()
    world.journal("b/x", workspace_id=workspace_id)
    world.journal("a/z")
    later = datetime.now(UTC) + timedelta(days=8)
    with world.database.journal() as session:
        forget_old_events(session, before=later - timedelta(days=30), now=later)
    assert world.rows() == []
    with world.database.journal() as session:
        forget_old_events(session, before=later - timedelta(days=7), now=later)
    assert {(row.root_id, row.workspace_id, row.reason) for row in world.rows()} == {
        (1, None, CrawlReason.UNHEARD),
        (root_id, None, CrawlReason.UNHEARD),
    }
    with world.database.read() as session:
        assert session.scalars(select(ObjectEvent.key)).all() == ["a/z"]


@pytest.mark.parametrize("name", ["s3:ObjectTagging:Put", "s3:ObjectCreated:PutTagging", "s3:ObjectCreated:Copy"])
def test_what_changes_metadata_alone_is_read_again(world: EventWorld, name: str) -> None:
    from workspacesio.index.extraction.protocol import Enrichment

    def stamps() -> dict[str, str | None]:
        with world.catalogue.store.reading() as statements:
            return dict(statements.rows("SELECT name, looked FROM catalogue_entries"))

    for key in ("a/one", "a/two", "a/never read"):
        world.write(key, b"1")
        world.journal(key)
    world.settle()
    for due in world.catalogue.due(1, current=(), after=None, limit=10):
        if due.name != "never read":
            read = Enrichment(due.entry_id, due.size, due.modified_us, due.etag, looked="1:text/1", text="words")
            world.recorder.enrich([(due, read)])
    world.recorder.commit()
    number = world.catalogue.change_number()
    world.journal("a/one", "a/never read", "a/absent", name=name)
    world.settle()
    assert stamps() == {"one": "", "two": "1:text/1", "never read": None}
    assert world.catalogue.changed_workspaces(number) == [1]


def test_what_is_told_twice_is_looked_at_once(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the watcher at once, and by the journal a little later. What only the watcher tells waits no longer."""
    looked: list[str] = []

    def look_at(batch: Any, *others: Any) -> Any:
        looked.extend(path for _, paths in batch.wanted for path in paths)
        return event_batches.look_at(batch, *others)

    monkeypatch.setattr(events, "look_at", look_at)
    monkeypatch.setattr(events, "HINT_SECONDS", 0.5)
    world.write("a/one")
    world.journal("a/one")
    world.settle()
    for name in ("two", "copied"):
        world.write(f"a/{name}")
        world.context.hints.add_object(1, 1, name)
    hinted_at = time.monotonic()
    world.events.step()
    assert looked == ["one"], "the journal tells of this node, so the hints wait for it"
    world.journal("a/two")
    world.settle(lambda: "two" in looked)
    assert looked == ["one", "two"]
    world.settle()
    assert looked == ["one", "two", "copied"]
    assert time.monotonic() - hinted_at >= 0.5
    assert world.indexed(1) == world.listed("a/")
    monkeypatch.setattr(events, "TOLD_SECONDS", 0.0)
    world.context.hints.add_object(1, 1, "late")
    world.events.step()
    world.settle(lambda: looked[-1] == "late", seconds=0.4)


def test_rows_are_marked_in_runs(world: EventWorld) -> None:
    """Those of others between them are left alone."""
    world.journal(*(f"a/{number}" for number in range(6)))
    with world.database.journal() as session:
        mark_indexed(session, {1, 2, 4, 6})
    with world.database.read() as session:
        assert set(session.scalars(select(ObjectEvent.id).where(~ObjectEvent.indexed))) == {3, 5}
