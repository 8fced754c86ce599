"""A crawl shares the recorder with events, changed folders and extraction: what they do and what they break."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from index.crawl_world import NOW
from index.event_world import EventWorld
from workspacesio.database.index_tables import Crawl
from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.domain.vocabulary import CrawlState
from workspacesio.index import changed_folders, crawl_folder, crawling, folder_reading
from workspacesio.index.catalogue_changes import LeaseLost
from workspacesio.index.catalogue_store import CatalogueMissing
from workspacesio.index.crawl_queue import CrawlQueue
from workspacesio.index.found import Counts, Found
from workspacesio.index.progress import Position, Progress


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EventWorld]:
    made = EventWorld(tmp_path)
    made.add_workspace("a/")
    yield made
    made.close()


def fail_in_another_thread(world: EventWorld) -> None:
    """As when the disk is full for a moment: all that was recorded and not committed is lost."""
    with pytest.raises(Invalid):
        world.recorder.put(1, "bad", Found("bad", 1 << 70, 1))


@pytest.mark.parametrize("commit_seconds", [0.0, 5.0])
def test_a_crawl_goes_back_to_where_nothing_was_lost(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch, commit_seconds: float
) -> None:
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    monkeypatch.setattr(crawling, "COMMIT_SECONDS", commit_seconds)
    second = world.add_workspace("b/")
    for number in range(10):
        world.write(f"a/{number}/file")
        world.write(f"b/{number}/file")
    crawl_id = world.request()
    steps = iter(range(100))

    def stopping() -> bool:
        if next(steps) == 15:
            fail_in_another_thread(world)
        return False

    while world.row(crawl_id).state == CrawlState.QUEUED:
        assert world.crawler.run_one(stopping)
    row = world.row(crawl_id)
    assert (row.state, row.entries) == (CrawlState.DONE, 20)
    assert world.indexed(1) == world.listed("a/")
    assert world.indexed(second) == world.listed("b/")


def test_workspaces_whose_dropping_was_lost_are_dropped_again(world: EventWorld) -> None:
    world.write("a/x")
    world.recorder.put(77, "vanished", Found("vanished", 1, 1))
    crawl_id = world.request()
    real = world.recorder.drop_workspace

    def drop_in_vain(workspace_id: int) -> None:
        real(workspace_id)
        fail_in_another_thread(world)
        world.recorder.drop_workspace = real  # type: ignore[method-assign]

    world.recorder.drop_workspace = drop_in_vain  # type: ignore[method-assign]
    while world.row(crawl_id).state == CrawlState.QUEUED:
        assert world.crawler.run_one(lambda: False)
    assert world.row(crawl_id).state == CrawlState.DONE
    assert world.recorder.workspaces() == [1]


def test_a_changed_folder_that_was_lost_is_gone_through_again(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        world.write(f"a/{name}/x")
        world.context.hints.add_folder(1, 1, f"{name}/")
    monkeypatch.setattr(changed_folders, "COMMIT_SECONDS", 1e9)
    world.folders._committed_at = time.monotonic()
    world.folders.step()
    world.folders.step()
    assert world.context.hints.waiting() == 0
    fail_in_another_thread(world)
    monkeypatch.setattr(changed_folders, "COMMIT_SECONDS", 0.0)
    world.folders.step()
    assert world.context.hints.waiting() == 2
    world.settle()
    assert world.indexed(1) == world.listed("a/")
    world.folders.step()
    fail_in_another_thread(world)
    world.folders.step()
    assert world.context.hints.waiting() == 0, "what was committed is not gone through again"


def test_changed_folders_wait_while_they_can_not_be_committed(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("a/one/x")
    world.context.hints.add_folder(1, 1, "one/")
    real = world.recorder.commit

    def fail() -> bool:
        fail_in_another_thread(world)
        raise Unavailable("The index's catalogue can't be used at the moment.")

    monkeypatch.setattr(world.recorder, "commit", fail)
    with pytest.raises(Unavailable):
        world.folders.step()
    monkeypatch.setattr(world.recorder, "commit", real)
    monkeypatch.setattr(changed_folders, "COMMIT_SECONDS", 0.0)
    world.settle()
    assert world.indexed(1) == world.listed("a/")


def once_read(monkeypatch: pytest.MonkeyPatch, path: str, then: Callable[[], None]) -> None:
    """`then` happens when the crawl has read that folder and not yet recorded it."""
    real = folder_reading.FolderReader.read
    left = [then]

    def read(reader: Any, folder: Any, known: Any, **options: Any) -> Any:
        seen = real(reader, folder, known, **options)
        if folder.path == path and left:
            left.pop()()
        return seen

    monkeypatch.setattr(folder_reading.FolderReader, "read", read)


def test_a_folder_that_came_or_went_after_it_was_listed_stays_so(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("a/in/gone/deep/x", "a/in/kept/y", "elsewhere/deep/z"):
        world.write(path)
    world.crawl()

    def change() -> None:
        os.rename(world.folder / "elsewhere", world.folder / "a/in/came")
        shutil.rmtree(world.folder / "a/in/gone")
        for name in ("came", "gone"):
            world.context.hints.add_folder(1, 1, f"in/{name}/")
            world.folders.step()

    once_read(monkeypatch, "in/gone/deep/", change)
    assert world.crawl().state == CrawlState.DONE
    assert world.indexed(1) == world.listed("a/")
    assert world.indexed(1).keys() == {"in/kept/y", "in/came/deep/z"}


def test_what_events_record_while_a_big_folder_is_read_stays(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    monkeypatch.setattr(crawl_folder, "_MARK_EVERY", 1)
    monkeypatch.setattr(folder_reading, "BIG", 8)
    monkeypatch.setattr("workspacesio.index.big_folder.STRETCH", 5)
    for number in range(20):
        world.write(f"a/big/{number:02}")
    real = folder_reading.FolderReader.stretch
    left = ["zz", "zdir/x", "12-between"]

    def stretch(reader: Any, folder: Any, names: Any, known: Any, **options: Any) -> Any:
        while left:
            path = "a/big/" + left.pop()
            world.write(path)
            world.journal(path)
            world.events.step()
            world.settle()
        return real(reader, folder, names, known, **options)

    monkeypatch.setattr(folder_reading.FolderReader, "stretch", stretch)
    assert world.crawl().state == CrawlState.DONE
    assert world.indexed(1) == world.listed("a/")
    assert len(world.indexed(1)) == 23


@pytest.mark.parametrize("lost", ["lease", "catalogue", "closed"])
def test_the_worker_hears_of_what_ends_it_and_the_crawl_goes_on_in_the_next(world: EventWorld, lost: str) -> None:
    world.write("a/x/y")
    crawl_id = world.request()
    expected: type[Exception] = LeaseLost
    match lost:
        case "lease":
            world.catalogue.store.set_fence(1)
        case "catalogue":
            expected = CatalogueMissing
            for name in ("catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"):
                (world.base / name).unlink(missing_ok=True)
        case "closed":
            world.recorder.close()
    with pytest.raises(expected):
        world.crawler.run_one(lambda: False)
    row = world.row(crawl_id)
    assert (row.state, row.problem) == (CrawlState.RUNNING, None)
    following = CrawlQueue(world.database, "the next worker", lambda: world.now)
    assert following.take_over() == 1
    taken = following.take()
    assert taken is not None
    assert taken.id == crawl_id


def test_problems_after_a_position_are_not_those_at_it() -> None:
    progress = Progress(counts=Counts(new=1), entries=1)
    progress.problems.note("odd", "a")
    progress.move(Position(1, "a/"))
    progress.commit()
    crawl = Crawl(root_id=1, created_at=NOW, seconds=1.0, position=progress.row()["position"])
    again = Progress.of_row(crawl)
    again.problems.note("odd", "b")
    assert again.problems.found == {"odd": {"count": 2, "examples": ["a", "b"]}}
    assert again.row()["position"]["problems"] == {"odd": {"count": 1, "examples": ["a"]}}
    assert Progress.of_row(crawl).problems.found == {"odd": {"count": 1, "examples": ["a"]}}
