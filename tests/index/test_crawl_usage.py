"""A crawl makes what a workspace is said to hold true, and takes nothing back of what is counted meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crawl_world import BUCKET, NOW, CrawlWorld
from workspacesio.database.journal_tables import Usage
from workspacesio.database.tables import Workspace
from workspacesio.domain.authority import Event
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index import crawl_usage, crawling, folder_reading
from workspacesio.services.crawl_requests import set_indexing
from workspacesio.services.journal import write_events


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CrawlWorld]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    made = CrawlWorld(tmp_path, url=url)
    made.ticks = 0.0
    made.crawler = made.crawler_with(clock=lambda: made.ticks)
    yield made
    made.close()


def _usage(world: CrawlWorld, workspace: int) -> tuple[int, int, bool]:
    with world.database.read() as session:
        row = session.get_one(Usage, workspace)
        return row.bytes, row.objects, row.exact


def _settle(world: CrawlWorld) -> None:
    world.ticks += crawl_usage.SETTLE_SECONDS + 1
    world.crawler.repair_usage()


def _tell(world: CrawlWorld, workspace: int, size: int) -> None:
    event = Event("s3:ObjectCreated:Put", NOW, 1, BUCKET, "a/told", workspace, 1, size, "e", delta_bytes=size)
    write_events(world.database, [event])


def test_what_was_walked_whole_is_what_it_holds(world: CrawlWorld) -> None:
    first, second = world.add_workspace("a/", objects=99), world.add_workspace("b/")
    for number in range(5):
        world.write(f"a/{number}/x", b"123")
    world.write("b/closed", b"secret", mode=0o600)
    world.write("b/y", b"1")
    world.crawl()
    assert _usage(world, first) == (0, 99, False)  # an event of before may be on its way
    _settle(world)
    assert _usage(world, first) == (15, 5, True)
    assert _usage(world, second) == (1, 1, True)
    _tell(world, first, 7)
    assert _usage(world, first)[0] == 22


def test_events_during_the_walk_and_after_it_leave_it_to_the_next_crawl(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    during, after, none = (world.add_workspace(f"{name}/", objects=9) for name in "abc")
    for name in "abc":
        world.write(f"{name}/x", b"123")
    real = folder_reading.FolderReader.read

    def read_and_tell(reader: object, folder: object, known: object, **options: object) -> object:
        if folder.way.base == "a/":
            _tell(world, during, 7)
        return real(reader, folder, known, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_reading.FolderReader, "read", read_and_tell)
    world.crawl()
    monkeypatch.undo()
    _tell(world, after, 8)
    _settle(world)
    assert _usage(world, during) == (7, 9, False)
    assert _usage(world, after) == (8, 9, False)
    assert _usage(world, none) == (3, 1, True)
    world.crawl()
    _settle(world)
    assert _usage(world, during) == _usage(world, after) == (3, 1, True)


def test_what_was_not_walked_whole_is_left(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = world.add_workspace("", objects=9)
    for name in ("a", "b", "c.tmp"):
        world.write(f"{name}/x")
    with world.database.write() as session:
        set_indexing(session, root_id=1, exclusions=["*.tmp"], now=NOW)
    world.crawl()
    _settle(world)
    with world.database.write() as session:
        set_indexing(session, root_id=1, exclusions=[], level=IndexLevel.NONE, now=NOW)
    world.crawl()
    _settle(world)
    with world.database.write() as session:
        set_indexing(session, root_id=1, level=IndexLevel.NAMES, now=NOW)
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    stops = iter([False, False, True])
    world.crawl(lambda: next(stops))
    assert world.crawler.run_one(lambda: False)
    _settle(world)
    assert _usage(world, workspace) == (0, 9, False)
    world.crawl()
    _settle(world)
    assert _usage(world, workspace) == (3, 3, True)


def test_links_that_are_not_followed_hold_nothing_or_count_where_they_lead(world: CrawlWorld) -> None:
    workspace = world.add_workspace("a/", objects=9)
    world.write("a/in/x", b"123")
    for number, target in enumerate(("/etc/passwd", "nowhere", "../in/x", "in")):
        (world.folder / "a/links").mkdir(exist_ok=True)
        (world.folder / f"a/links/{number}").symlink_to(target)
    world.crawl()
    _settle(world)
    assert _usage(world, workspace) == (3, 1, True)


def test_a_folder_that_is_gone_through_by_somebody_else_meanwhile_counts_as_it_was_found(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = world.add_workspace("a/", objects=9)
    for number in range(5):
        world.write(f"a/{number}/x", b"123")
    real = folder_reading.FolderReader.read

    def read_and_begin_anew(reader: object, folder: object, known: object, **options: object) -> object:
        seen = real(reader, folder, known, **options)  # type: ignore[arg-type]
        if folder.way.base == "a/2/":
            world.recorder.begin_anew(workspace, "2/")
        return seen

    monkeypatch.setattr(folder_reading.FolderReader, "read", read_and_begin_anew)
    row = world.crawl()
    assert (row.entries, row.bytes, row.new) == (5, 15, 4)
    _settle(world)
    assert _usage(world, workspace) == (15, 5, True)


def test_a_workspace_that_is_gone_by_then_is_passed_over(world: CrawlWorld) -> None:
    gone, kept = world.add_workspace("a/"), world.add_workspace("b/")
    world.write("a/x")
    world.write("b/x")
    world.crawl()
    with world.database.write() as session:
        session.delete(session.get_one(Workspace, gone))
    _settle(world)
    assert _usage(world, kept) == (1, 1, True)
    with world.database.read() as session:
        assert session.get(Usage, gone) is None
