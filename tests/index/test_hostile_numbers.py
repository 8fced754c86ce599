"""Times and sizes that nobody has costs no more than the entry that says so: no crawl, and no events of others.

Any user may set them: `touch -d @99999999999999`, `truncate -s 9223372036854775807`, an attribute of a folder. On
tmpfs, which takes them all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from index.crawl_world import CrawlWorld
from index.event_world import EventWorld
from index.extraction.extracting import Extracting
from workspacesio.database.journal_tables import Usage
from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.domain.vocabulary import CrawlState, IndexLevel
from workspacesio.index import crawl_usage, folder_reading
from workspacesio.index.crawling import Crawler
from workspacesio.index.extraction.registry import installed
from workspacesio.index.found import Counts, Listing
from workspacesio.nodes.folder.metadata import ATTRIBUTE
from workspacesio.nodes.stamps import EARLIEST, LATEST

LARGEST = 2**63 - 1


@pytest.fixture
def base() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="hostile-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def world(base: Path) -> Iterator[EventWorld]:
    made = EventWorld(base)
    made.add_workspace("a/")
    made.add_workspace("b/")
    yield made
    made.close()


def _hostile_files(world: CrawlWorld) -> None:
    far = 99_999_999_999_999
    for name, seconds in {"late": far, "early": -far, "9999": 253_402_300_800}.items():
        os.utime(world.write(f"a/{name}"), (0, seconds))
    for name in ("large", "larger"):
        with open(world.write(f"a/in/{name}"), "wb") as file:
            file.truncate(LARGEST)
    world.write("a/in/good", b"22")
    world.write("b/good", b"333")


def _hostile_folder(path: str, written_at: object) -> None:
    """A folder that is an object of its own, as any user may say by an attribute."""
    os.makedirs(path)
    record = {"i": os.stat(path).st_ino, "o": {"e": "0" * 32, "w": written_at}}
    os.setxattr(path, ATTRIBUTE, orjson.dumps(record))


def _check(world: CrawlWorld) -> None:
    """All is there, times held to the years 1 to 9999, sizes as they are."""
    found = {path: entry[:2] for path, entry in world.entries(1).items()}
    modified = {path: time for path, (_, time) in found.items()}
    assert modified["late"] == modified["9999"] == LATEST
    assert modified["early"] == EARLIEST
    assert found["in/large"][0] == found["in/larger"][0] == LARGEST
    assert world.indexed(1) == world.listed("a/")
    assert world.indexed(2) == {"good": (3, world.indexed(2)["good"][1])}


def test_a_crawl_goes_on(world: EventWorld) -> None:
    _hostile_files(world)
    row = world.crawl()
    assert (row.state, row.problem, row.entries) == (CrawlState.DONE, None, 7)
    assert row.bytes == 2**62 - 1  # what is more is told as so much
    _check(world)
    assert world.crawl().unchanged == 7


def test_big_folders_and_links_as_well(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_reading, "BIG", 1)
    _hostile_files(world)
    (world.folder / "a/linked").symlink_to("late")
    assert world.crawl().state == CrawlState.DONE
    assert world.entries(1)["linked"][1] == LATEST
    assert world.indexed(1) == world.listed("a/")


def test_events_go_on(world: EventWorld) -> None:
    _hostile_files(world)
    world.journal("a/late", "a/early", "a/9999", "a/in/large", "a/in/larger", "a/in/good")
    world.journal("b/good", workspace_id=2)
    world.settle()
    _check(world)
    before = world.entries(1)
    world.crawl()
    assert world.entries(1) == before


def test_the_watcher_goes_on(world: EventWorld) -> None:
    world.watched(lambda: all(row.state == CrawlState.QUEUED for row in world.rows()) and len(world.rows()) > 0)
    _hostile_files(world)
    world.watched(lambda: world.indexed(2).keys() == {"good"} and len(world.indexed(1)) == 6)
    _check(world)


@pytest.mark.parametrize("written_at", [1e300, 1e308, -1e300, 1.5])
def test_folders_that_say_when_they_were_written(tmp_path: Path, written_at: float) -> None:
    world = EventWorld(tmp_path)
    world.add_workspace("a/")
    _hostile_folder(str(world.folder / "a/marked"), written_at)
    world.write("a/good")
    assert world.crawl().state == CrawlState.DONE
    entries = world.entries(1)
    assert EARLIEST <= entries["marked/"][1] <= LATEST
    world.journal("a/marked/")
    world.settle()
    assert world.entries(1) == entries
    assert world.indexed(1) == world.listed("a/")
    world.close()


def test_what_a_workspace_holds_is_set_all_the_same(world: EventWorld) -> None:
    ticks = 0.0
    world.crawler = world.crawler_with(clock=lambda: ticks)
    _hostile_files(world)
    world.crawl()
    ticks += crawl_usage.SETTLE_SECONDS + 1
    world.crawler.repair_usage()
    with world.database.read() as session:
        first, second = session.get_one(Usage, 1), session.get_one(Usage, 2)
    assert (first.bytes, first.objects, first.exact) == (2**62 - 1, 6, True)
    assert (second.bytes, second.objects, second.exact) == (3, 1, True)


def test_what_such_a_file_says_is_read(base: Path) -> None:
    world = CrawlWorld(base)
    extracting = Extracting(world, world.add_workspace(""), installed())
    os.utime(world.write("late.txt", b"words"), (0, 99_999_999_999_999))
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    extracting.settle()
    assert extracting.contents()["late.txt"].text == "words"
    extracting.task.close()
    world.close()


# --- what nobody foresaw ------------------------------------------------------------------------------------


@pytest.fixture
def refusing(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The catalogue takes nothing of workspace 1; `at`: when it says so."""

    def refuse(at: str) -> None:
        real = getattr(world.recorder, at)

        def refused(*given: Any) -> Any:
            result = real(*given)
            if at == "put_many" and given[0] == 1:
                with world.recorder._changing():
                    raise Invalid("A name or a number of an object can't be recorded.", code="unstorable")
            if at == "commit" and refusals:
                refusals.pop()
                raise Invalid("A name or a number of an object can't be recorded.", code="unstorable")
            return result

        refusals = [1]
        monkeypatch.setattr(world.recorder, at, refused)

    return refuse


@pytest.mark.parametrize("at", ["put_many", "commit"])
def test_events_that_can_not_be_recorded_are_left_to_a_crawl(
    world: EventWorld, refusing: Callable[[str], None], at: str
) -> None:
    refusing(at)
    world.write("a/bad")
    world.write("b/good")
    world.journal("a/bad")
    world.journal("b/good", workspace_id=2)
    world.context.hints.add_object(1, 1, "hinted")
    world.settle(seconds=5)
    assert (1, 1) in {(row.root_id, row.workspace_id) for row in world.rows()}
    world.write("b/later")
    world.journal("b/later", workspace_id=2)
    world.settle(seconds=5)
    assert "later" in world.indexed(2)
    if at == "put_many":
        assert world.indexed(2).keys() == {"good", "later"}


def test_a_folder_that_can_not_be_recorded_is_left_to_a_crawl(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.recorder.sync_folders

    def refused(listings: Sequence[Listing]) -> Counts:
        if listings[0].workspace_id == 1:
            raise Invalid("A name or a number of an object can't be recorded.", code="unstorable")
        return real(listings)

    monkeypatch.setattr(world.recorder, "sync_folders", refused)
    world.write("a/in/bad")
    world.write("b/in/good")
    world.context.hints.add_folder(1, 1, "in/")
    world.context.hints.add_folder(1, 2, "in/")
    world.settle(seconds=5)
    assert [(row.root_id, row.workspace_id) for row in world.rows()] == [(1, 1)]
    assert world.indexed(2).keys() == {"in/good"}


def test_a_crawl_whose_counts_can_not_be_written_ends_as_failed(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("a/one")
    monkeypatch.setattr(Crawler, "_crawl", _with_impossible_counts)
    crawl_id = world.request()
    assert world.crawler.run_one(lambda: False)
    row = world.row(crawl_id)
    assert (row.state, row.lease_holder) == (CrawlState.FAILED, None)
    assert row.problem
    monkeypatch.undo()
    world.pass_time(minutes=20)
    assert world.queue.schedule_due() == 1
    assert world.crawler.run_one(lambda: False)
    assert world.indexed(1).keys() == {"one"}


def _with_impossible_counts(_crawler: Crawler, _taken: object, run: Any) -> None:
    run.progress.counts = run.progress.counts._replace(new=2**70)


def test_while_the_database_is_away_a_crawl_is_not_called_failed(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl_id = world.request()

    def away(*_: object, **__: object) -> bool:
        raise Unavailable("The database can't be used.")

    monkeypatch.setattr(world.queue, "_write", away)
    with pytest.raises(Unavailable):
        world.crawler.run_one(lambda: False)
    monkeypatch.undo()
    world.pass_time(minutes=20)
    assert world.crawler.run_one(lambda: False)
    assert world.row(crawl_id).state == CrawlState.DONE
