"""Whether a root's storage is away, and from when on what changed there isn't known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from index.crawl_world import NOW, CrawlWorld
from index.event_world import EventWorld
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel
from workspacesio.index.completeness import unindexed_workspaces
from workspacesio.index.freshness import Freshness, KeptBy, freshness_of_roots, write_freshness
from workspacesio.index.progress import Progress
from workspacesio.index.storage_away import Away, storage_away
from workspacesio.services.crawl_requests import set_indexing

HOUR = timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CrawlWorld]:
    """Workspaces 1 and 2 in the root `nas` (2), 3 in another, all of them crawled at NOW."""
    made = CrawlWorld(tmp_path)
    nas, other = made.add_root("nas", "nas/"), made.add_root("other", "other/")
    for prefix, root in [("nas/a/", nas), ("nas/b/", nas), ("other/c/", other)]:
        made.write(f"{prefix}file")
        made.add_workspace(prefix, root_id=root)
    made.crawl(root_id=nas)
    made.crawl(root_id=other)
    made.pass_time(hours=1)
    yield made
    made.close()


def away(world: CrawlWorld) -> dict[int, Away]:
    with world.database.read() as session:
        return storage_away(session)


def test_a_crawl_that_failed_says_so_until_one_came_through(world: CrawlWorld) -> None:
    assert away(world) == {}
    os.rename(world.folder, f"{world.folder}.away")
    assert world.crawl(root_id=2).state == CrawlState.FAILED
    expected = {1: Away("nas", NOW), 2: Away("nas", NOW)}
    assert away(world) == expected
    again = world.request(root_id=2)
    assert away(world) == expected
    taken = world.queue.take()
    assert taken is not None
    assert away(world) == expected, "it has not found anything yet"
    os.rename(f"{world.folder}.away", world.folder)
    world.queue.put_back(again, taken.progress)
    assert world.crawler.run_one(lambda: False)
    assert away(world) == {}
    assert world.row(again).state == CrawlState.DONE


def test_a_root_s_folder_that_is_empty_as_if_not_mounted(world: CrawlWorld) -> None:
    shutil.rmtree(world.folder / "nas")
    assert world.crawl(root_id=2).state == CrawlState.DONE
    (world.folder / "nas").mkdir()
    assert world.crawl(root_id=2).state == CrawlState.DONE
    assert away(world).keys() == {1, 2}
    assert away(world)[1].since == NOW, "nothing was learnt since"


def test_a_workspace_that_can_not_be_read_is_told_of_alone(world: CrawlWorld) -> None:
    world.queue.take()
    failed = world.request(root_id=2, workspace_id=1)
    taken = world.queue.take()
    assert taken is not None
    assert world.queue.fail(failed, Progress(), "The workspace's folder can't be read.", away=True)
    assert away(world) == {1: Away("nas", NOW)}
    world.crawl(root_id=2)
    assert away(world) == {}


def test_what_failed_by_something_else_says_nothing_of_storage(world: CrawlWorld) -> None:
    failed = world.request(root_id=2)
    assert world.queue.take() is not None
    assert world.queue.fail(failed, Progress(), "The crawl broke off.")
    assert away(world) == {}


def test_storage_that_does_not_answer(world: CrawlWorld) -> None:
    crawl_id = world.request(root_id=2)
    taken = world.queue.take()
    assert taken is not None
    world.queue.tell_silence(crawl_id, world.now)
    assert away(world).keys() == {1, 2}
    assert world.queue.take_over() == 0
    world.queue.report(crawl_id, taken.progress)
    assert away(world) == {}


def test_what_is_not_in_the_index_at_all_is_said_instead(world: CrawlWorld) -> None:
    new = world.add_root("new", "new/")
    workspace = world.add_workspace("new/w/", root_id=new)
    world.request(root_id=new, reason=CrawlReason.IMPORT)
    os.rename(world.folder, f"{world.folder}.away")
    assert world.crawler.run_one(lambda: False)
    with world.database.read() as session:
        assert unindexed_workspaces(session)[workspace].code == "not_crawled"
    world.crawl(root_id=2)
    with world.database.write() as session:
        assert unindexed_workspaces(session)[1].code == "storage_away"
        set_indexing(session, root_id=2, level=IndexLevel.NONE, now=world.now)
        assert unindexed_workspaces(session)[1].code == "not_indexed"


@pytest.mark.parametrize(("kept_by", "since"), [(KeptBy.WATCHING, NOW + HOUR), (KeptBy.EVENTS, NOW)])
def test_a_watched_root_is_known_until_it_went_away(world: CrawlWorld, kept_by: KeptBy, since: object) -> None:
    """Of others crawls had told what changed."""

    def write(freshness: Freshness, after: timedelta) -> None:
        with world.database.journal() as session:
            write_freshness(session, {2: freshness}, now=NOW + after)

    write(Freshness(kept_by), timedelta(0))
    assert away(world) == {}
    gone = Freshness(KeptBy.EVENTS, "The node's folder is missing or can't be reached.", away=True)
    write(gone, HOUR)
    write(gone, 2 * HOUR)
    assert away(world) == {1: Away("nas", since), 2: Away("nas", since)}
    with world.database.read() as session:
        assert freshness_of_roots(session)[2].freshness == gone
    write(Freshness(KeptBy.WATCHING), 3 * HOUR)
    assert away(world) == {}


def test_whoever_watches_notices_at_once(tmp_path: Path) -> None:
    world = EventWorld(tmp_path)
    try:
        world.write("a/file")
        world.add_workspace("a/")
        world.crawl()
        os.rename(world.folder, f"{world.folder}.away")
        world.watched(lambda: away(world))
        assert away(world)[1].root == "existing"
        os.rename(f"{world.folder}.away", world.folder)
        for state in world.watch._workspaces._states.values():
            state.retry_at = 0.0
        world.watched(lambda: not away(world))
    finally:
        world.close()
