"""Crawls are asked for once, taken by one worker at a time, come again when they are due, and are forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from index.crawl_world import NOW, CrawlWorld
from workspacesio.api.crawl_routes import Rate
from workspacesio.cli import crawl_commands
from workspacesio.database.index_tables import Crawl
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.vocabulary import CrawlReason, CrawlState
from workspacesio.index import crawl_queue
from workspacesio.index.crawl_queue import LEASE, CrawlQueue, TakenCrawl
from workspacesio.index.crawl_task import CrawlTask
from workspacesio.index.progress import Position, Progress
from workspacesio.services.crawl_requests import (
    MAX_OPEN,
    MAX_RATE,
    MAX_SINGLE,
    pause_crawl,
    resume_crawl,
    set_indexing,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CrawlWorld]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    made = CrawlWorld(tmp_path, url=url)
    yield made
    made.close()


def test_commands_and_the_api_take_the_rates_that_the_service_takes() -> None:
    assert crawl_commands.MAX_RATE == MAX_RATE
    assert TypeAdapter(Rate).validate_python(MAX_RATE) == MAX_RATE
    with pytest.raises(ValueError, match=str(MAX_RATE)):
        TypeAdapter(Rate).validate_python(MAX_RATE + 1)


def test_the_same_is_asked_for_once(world: CrawlWorld) -> None:
    workspace = world.add_workspace("a/")
    one = world.request(workspace_id=workspace, reason=CrawlReason.IMPORT)
    assert world.request(workspace_id=workspace) == one
    row = world.row(one)
    assert (row.reason, row.gentle) == (CrawlReason.REQUEST, False)
    whole = world.request()
    assert whole != one
    assert world.request(workspace_id=workspace, reason=CrawlReason.IMPORT) in (one, whole)
    assert world.request(reason=CrawlReason.SCHEDULE) == whole


def test_many_workspaces_make_one_crawl_of_the_root(world: CrawlWorld) -> None:
    for number in range(MAX_SINGLE + 5):
        workspace = world.add_workspace(f"{number}/")
        world.request(workspace_id=workspace, reason=CrawlReason.IMPORT)
    assert [row.workspace_id for row in world.rows()] == [None]


def test_of_a_root_one_crawl_is_taken_at_a_time(world: CrawlWorld) -> None:
    root = world.add_root("other", "other/")
    workspace = world.add_workspace("a/")
    other = CrawlQueue(world.database, "other", lambda: world.now)
    ids = [world.request(), world.request(root_id=root)]
    first, second = world.queue.take(), other.take()
    assert first is not None
    assert second is not None
    assert {first.id, second.id} == set(ids)
    world.request(workspace_id=workspace)
    assert other.take() is None
    assert world.queue.finish(first.id, first.progress)
    assert other.take() is not None


def test_what_a_change_relies_on_is_not_taken_before_the_change_is_made(world: CrawlWorld) -> None:
    """Else the crawl that was to follow the change would go by what was before it."""
    waiting = world.request(reason=CrawlReason.SCHEDULE)
    taken: list[TakenCrawl | None] = []
    thread = threading.Thread(target=lambda: taken.append(world.queue.take()))
    with world.database.write() as session:
        set_indexing(session, root_id=1, exclusions=["*.tmp"], now=world.now)
        thread.start()
        thread.join(0.5)
        assert not any(taken)
    thread.join()
    [crawl] = taken
    crawl = crawl or world.queue.take()  # PostgreSQL's passes over it, SQLite's waits
    assert crawl is not None
    assert (crawl.id, crawl.exclusions) == (waiting, ("*.tmp",))


def test_many_workers_at_once_take_each_root_once(world: CrawlWorld) -> None:
    for number in range(3):
        root = world.add_root(f"r{number}", f"r{number}/")
        world.request(root_id=root)
        world.request(root_id=root, workspace_id=world.add_workspace(f"r{number}/a/", root_id=root))
    taken: list[int] = []

    def work(number: int) -> None:
        queue = CrawlQueue(world.database, f"worker-{number}", lambda: world.now)
        for _ in range(5):
            found = queue.take()
            if found is not None:
                taken.append(found.root_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 3


def test_a_lease_that_ran_out_is_taken_over_where_the_crawl_was(world: CrawlWorld) -> None:
    world.request()
    taken = world.queue.take()
    assert taken is not None
    progress = Progress(entries=5)
    progress.move(Position(1, "a/", "b"))
    progress.commit()
    assert world.queue.report(taken.id, progress)
    other = CrawlQueue(world.database, "other", lambda: world.now)
    assert other.take() is None
    world.pass_time(seconds=LEASE.total_seconds() + 1)
    again = other.take()
    assert again is not None
    assert again.id == taken.id
    assert again.progress.position == Position(1, "a/", "b")
    assert again.progress.entries == 5
    assert not world.queue.report(taken.id, progress)
    assert not world.queue.finish(taken.id, progress)
    assert world.row(taken.id).lease_holder == "other"


def test_who_knows_that_nobody_else_lives_takes_over_at_once(world: CrawlWorld) -> None:
    world.request()
    assert world.queue.take() is not None
    other = CrawlQueue(world.database, "other", lambda: world.now)
    assert other.take_over() == 1
    assert other.take() is not None


def test_only_what_waits_or_runs_is_paused_and_only_what_is_paused_resumed(world: CrawlWorld) -> None:
    crawl_id = world.request()
    with world.database.write() as session:
        row = session.get_one(Crawl, crawl_id)
        with pytest.raises(Conflict):
            resume_crawl(row)
        pause_crawl(row)
        with pytest.raises(Conflict):
            pause_crawl(row)
    assert world.queue.take() is None
    with world.database.write() as session:
        resume_crawl(session.get_one(Crawl, crawl_id))
    assert world.queue.take() is not None


def _pause(world: CrawlWorld, crawl_id: int) -> None:
    with world.database.write() as session:
        pause_crawl(session.get_one(Crawl, crawl_id))


def _open(world: CrawlWorld) -> list[int]:
    return [row.id for row in world.rows() if row.ended_at is None]


@pytest.mark.parametrize("of_workspace", [True, False])
def test_asking_for_what_is_paused_lets_it_go_on_where_it_was(world: CrawlWorld, of_workspace: bool) -> None:
    workspace = world.add_workspace("a/")
    place = {"workspace_id": workspace} if of_workspace else {}
    crawl_id = world.request(**place)
    taken = world.queue.take()
    assert taken is not None
    taken.progress.move(Position(workspace, "x/", None))
    taken.progress.commit()
    assert world.queue.report(crawl_id, taken.progress)
    for _ in range(10):
        _pause(world, crawl_id)
        world.queue.let_go(crawl_id)
        assert world.request(**place, rate=7) == crawl_id
    again = world.queue.take()
    assert again is not None
    assert (again.id, again.progress.position, again.rate) == (crawl_id, Position(workspace, "x/", None), 7)
    assert _open(world) == [crawl_id]


def test_what_needs_a_whole_crawl_begins_a_paused_one_again(world: CrawlWorld) -> None:
    world.add_workspace("a/")
    crawl_id = world.request()
    taken = world.queue.take()
    assert taken is not None
    taken.progress.move(Position(1, "x/", None))
    taken.progress.commit()
    assert world.queue.report(crawl_id, taken.progress)
    _pause(world, crawl_id)
    world.queue.let_go(crawl_id)
    assert world.request(reason=CrawlReason.SETTINGS) == crawl_id
    again = world.queue.take()
    assert again is not None
    assert (again.id, again.progress.position, again.gentle) == (crawl_id, None, True)


def test_however_often_they_are_asked_for_and_paused_few_are_open(world: CrawlWorld) -> None:
    workspace = world.add_workspace("a/")
    for number in range(30):
        crawl_id = world.request(workspace_id=workspace)
        taken = world.queue.take()
        if number % 3 == 0:
            _pause(world, crawl_id)
        if number % 5 == 0:
            world.request(workspace_id=workspace, reason=CrawlReason.UNHEARD)
        if taken is not None and not world.queue.put_back(taken.id, taken.progress):
            world.queue.let_go(taken.id)
    assert len(_open(world)) <= MAX_OPEN


def test_roots_are_crawled_again_when_it_is_time(world: CrawlWorld) -> None:
    assert world.queue.schedule_due() == 0
    world.add_workspace("")
    assert world.queue.schedule_due() == 1
    assert world.queue.schedule_due() == 0
    row = world.rows()[0]
    assert (row.reason, row.gentle) == (CrawlReason.CREATE, True)
    assert world.crawler.run_one(lambda: False)
    world.pass_time(hours=23)
    assert world.queue.schedule_due() == 0
    world.pass_time(hours=2)
    assert world.queue.schedule_due() == 1
    assert world.crawler.run_one(lambda: False)
    with world.database.write() as session:
        set_indexing(session, root_id=1, crawl_every_seconds=None, now=world.now)
    world.pass_time(days=400)
    assert world.queue.schedule_due() == 0


def test_what_failed_is_tried_again_after_a_while_where_it_was(world: CrawlWorld) -> None:
    world.add_workspace("")
    crawl_id = world.request()
    taken = world.queue.take()
    assert taken is not None
    progress = Progress(entries=5)
    progress.move(Position(1, "a/", None))
    progress.commit()
    assert world.queue.fail(crawl_id, progress, "The disk is away.")
    assert world.row(crawl_id).problem == "The disk is away."
    assert world.queue.schedule_due() == 0
    world.pass_time(minutes=11)
    assert world.queue.schedule_due() == 1
    again = world.queue.take()
    assert again is not None
    assert again.progress.position == Position(1, "a/", None)


def _fail_next(world: CrawlWorld, position: Position | None = None) -> int:
    taken = world.queue.take()
    assert taken is not None
    progress = taken.progress
    if position is not None:
        progress.move(position)
        progress.commit()
    assert world.queue.fail(taken.id, progress, "away")
    return taken.id


def test_crawls_of_workspaces_that_fail_do_not_hold_up_that_of_the_root(world: CrawlWorld) -> None:
    workspace = world.add_workspace("a/")
    world.crawl()
    for _ in range(6 * 25):
        world.pass_time(minutes=10)
        world.request(workspace_id=workspace)
        _fail_next(world)
        world.queue.schedule_due()
        if any(row.workspace_id is None and row.state == CrawlState.QUEUED for row in world.rows()):
            return
    pytest.fail("the root's own crawl never came")


def test_a_crawl_of_a_workspace_that_waits_does_not_hold_up_that_of_the_root(world: CrawlWorld) -> None:
    workspace = world.add_workspace("a/")
    world.crawl()
    world.pass_time(hours=25)
    world.request(workspace_id=workspace)
    assert world.queue.schedule_due() == 1
    assert world.queue.schedule_due() == 0
    assert [row.workspace_id for row in world.rows()] == [None, workspace, None]


def test_a_root_of_which_not_all_was_ever_crawled_is_crawled(world: CrawlWorld) -> None:
    workspace = world.add_workspace("a/")
    world.crawl(workspace_id=workspace)
    assert world.queue.schedule_due() == 0
    world.add_workspace("b/")
    assert world.queue.schedule_due() == 1
    assert world.rows()[-1].workspace_id is None


def test_a_crawl_of_a_workspace_that_failed_is_tried_again_unless_the_root_was_crawled(world: CrawlWorld) -> None:
    workspaces = [world.add_workspace(f"{name}/") for name in "ab"]
    for workspace in workspaces:
        world.request(workspace_id=workspace, reason=CrawlReason.IMPORT)
        _fail_next(world, Position(workspace, "x/", None))
    assert world.queue.schedule_due() == 0
    world.pass_time(minutes=11)
    assert world.queue.schedule_due() == 2
    assert world.queue.schedule_due() == 0
    for workspace in workspaces:
        taken = world.queue.take()
        assert taken is not None
        assert (taken.workspace_id, taken.progress.position) == (workspace, Position(workspace, "x/", None))
        assert world.queue.fail(taken.id, taken.progress, "away")
    world.crawl()
    world.pass_time(minutes=11)
    assert world.queue.schedule_due() == 0


def test_many_workspaces_that_failed_are_tried_again_from_the_beginning_of_the_root(world: CrawlWorld) -> None:
    for number in range(MAX_SINGLE + 2):
        workspace = world.add_workspace(f"{number:02}/")
        world.request(workspace_id=workspace, reason=CrawlReason.IMPORT)
        _fail_next(world, Position(workspace, "x/", None))
    world.pass_time(minutes=11)
    world.queue.schedule_due()
    waiting = [row for row in world.rows() if row.state == CrawlState.QUEUED]
    assert [(row.workspace_id, row.position) for row in waiting] == [(None, None)]


def test_old_crawls_are_forgotten_but_the_last_that_came_to_its_end(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawl_queue, "KEPT_PER_ROOT", 3)
    workspace = world.add_workspace("a/")
    done = world.crawl().id
    single = world.crawl(workspace_id=workspace).id
    failed = []
    for _ in range(5):
        failed.append(world.request())
        taken = world.queue.take()
        assert taken is not None
        world.queue.fail(taken.id, taken.progress, "away")
    assert world.queue.forget_old() == 2
    assert [row.id for row in world.rows()] == [done, single, *failed[2:]]
    assert world.queue.forget_old() == 0


def test_progress_is_written_with_what_is_left(world: CrawlWorld) -> None:
    world.add_workspace("", objects=1000)
    crawl_id = world.request()
    taken = world.queue.take()
    assert taken is not None
    assert taken.expected_entries == 1000
    progress = taken.progress
    for second in range(5):
        progress.seconds, progress.entries = float(second), second * 100
        progress.sample()
    assert world.queue.report(crawl_id, progress)
    row = world.row(crawl_id)
    assert (row.entries, row.entries_per_second, row.seconds_left) == (400, 100.0, 6.0)
    assert row.lease_until == world.now + LEASE
    assert row.state == CrawlState.RUNNING


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1}, {"rate": True + 10**9}])
def test_wrong_rates_are_refused(world: CrawlWorld, wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        world.request(**wrong)
    with pytest.raises(Invalid), world.database.write() as session:
        set_indexing(session, root_id=1, now=NOW, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"crawl_every_seconds": 1}, {"exclusions": ["/"]}, {"exclusions": ["a\0"]}, {"exclusions": ["a"] * 1000}],
)
def test_wrong_settings_are_refused(world: CrawlWorld, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid), world.database.write() as session:
        set_indexing(session, root_id=1, now=NOW, **wrong)  # type: ignore[arg-type]


def test_the_worker_takes_over_schedules_and_crawls(world: CrawlWorld) -> None:
    class Context:
        database, recorder = world.database, world.recorder
        settings = type("Settings", (), {"state_dir": world.base})()
        stopping = staticmethod(lambda: False)

        @staticmethod
        def clock() -> object:
            return world.now

        @staticmethod
        def drivers(_: int) -> object:
            return world.driver

    workspace = world.add_workspace("")
    world.write("a/b")
    crawl_id = world.request()
    assert world.queue.take() is not None  # by a worker that died
    task = CrawlTask(Context())  # type: ignore[arg-type]
    assert task.step() == 0.0
    assert world.row(crawl_id).state == CrawlState.DONE
    assert world.indexed(workspace).keys() == {"a/b"}
    assert task.step() > 0
    task.close()
