"""What searches say is missing, from the change that makes it so until a crawl ends it, whatever comes between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from index.crawl_world import CrawlWorld
from workspacesio.database.tables import Workspace
from workspacesio.domain.vocabulary import CrawlReason
from workspacesio.index.completeness import unindexed_workspaces
from workspacesio.services.crawl_requests import request_crawls_of_node, set_indexing


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CrawlWorld]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    made = CrawlWorld(tmp_path, url=url)
    made.add_workspace("a/")
    made.write("a/x.tmp")
    made.write("a/y")
    exclude(made, "*.tmp")
    finish(made)
    assert said(made) == {}
    yield made
    made.close()


def exclude(world: CrawlWorld, *patterns: str) -> None:
    world.pass_time(seconds=1)
    with world.database.write() as session:
        set_indexing(session, root_id=1, now=world.now, exclusions=patterns)


def ask(world: CrawlWorld, **options: Any) -> int:
    world.pass_time(seconds=1)
    return world.request(**options)


def finish(world: CrawlWorld) -> None:
    world.pass_time(seconds=1)
    while world.crawler.run_one(lambda: False):
        pass


def said(world: CrawlWorld) -> dict[int, tuple[str, str]]:
    """By workspace: what, and the words that tell how it stands with the crawl."""
    with world.database.read() as session:
        return {number: (one.code, one.why) for number, one in unindexed_workspaces(session).items()}


def check_until_done(world: CrawlWorld) -> None:
    """It is said until what was left out is found."""
    assert said(world)[1][0] == "settings_changed"
    finish(world)
    assert said(world) == {}
    assert "x.tmp" in world.indexed(1)


def test_whoever_asks_for_a_crawl_meanwhile_hides_nothing(world: CrawlWorld) -> None:
    exclude(world)
    assert "waits for a crawl" in said(world)[1][1]
    ask(world, requested_by=1, rate=100_000)  # the manager, in whose crawl the one of the settings goes
    assert len([row for row in world.rows() if row.state == "queued"]) == 1
    ask(world, workspace_id=1, requested_by=1)
    check_until_done(world)


def test_a_crawl_that_failed_hides_nothing_and_ends_it_when_it_is_tried_again(world: CrawlWorld) -> None:
    exclude(world)
    taken = world.queue.take()
    assert taken is not None
    assert "is being crawled" in said(world)[1][1]
    ask(world, workspace_id=1, requested_by=1)
    assert "is being crawled" in said(world)[1][1], "though another waits"
    assert world.queue.fail(taken.id, taken.progress, "The node is down.")
    assert "waits for a crawl" in said(world)[1][1]
    finish(world)
    assert said(world) == {}, "the crawl of the workspace covers it"
    exclude(world, "*.other")
    taken = world.queue.take()
    assert taken is not None
    assert world.queue.fail(taken.id, taken.progress, "The node is down.")
    assert "its operator sees why" in said(world)[1][1]
    world.pass_time(minutes=20)
    assert world.queue.schedule_due() == 1
    check_until_done(world)


def test_a_crawl_that_waits_already_takes_the_change_in(world: CrawlWorld) -> None:
    ask(world, reason=CrawlReason.UNHEARD)
    exclude(world)
    check_until_done(world)


def test_a_crawl_that_goes_on_where_one_failed_begins_again_for_a_change(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies before its position was taken in as it was to be before."""
    world.add_workspace("b/")
    ask(world)
    taken = world.queue.take()
    assert taken is not None
    taken.progress.committed = {"at": [2, None, None], "entries": 1, "counts": [0, 0, 1, 0, 1], "problems": {}}
    assert world.queue.fail(taken.id, taken.progress, "The node is down.")
    world.pass_time(minutes=20)
    assert world.queue.schedule_due() == 1
    exclude(world)
    check_until_done(world)


def test_a_crawl_that_runs_goes_by_what_was_before(world: CrawlWorld) -> None:
    ask(world)
    taken = world.queue.take()
    assert taken is not None
    exclude(world)
    assert world.queue.finish(taken.id, taken.progress)
    check_until_done(world)


def test_what_a_node_shows_now_is_missing_until_it_is_crawled(world: CrawlWorld) -> None:
    world.pass_time(seconds=1)
    with world.database.write() as session:
        request_crawls_of_node(session, node_id=1, now=world.now)
    assert said(world)[1][0] == "settings_changed"
    finish(world)
    assert said(world) == {}


def test_a_workspace_that_is_made_after_a_change_lacks_nothing(world: CrawlWorld) -> None:
    exclude(world)
    world.pass_time(seconds=1)
    number = world.add_workspace("made/")
    with world.database.write() as session:
        made = session.get_one(Workspace, number)
        made.imported, made.created_at = False, world.now
    taken = world.queue.take()
    assert taken is not None
    assert said(world).get(number, ("not_crawled", ""))[0] == "not_crawled"
    assert world.queue.finish(taken.id, taken.progress)
    assert said(world) == {}


def test_an_import_is_covered_by_a_crawl_that_waits_already(world: CrawlWorld) -> None:
    ask(world, reason=CrawlReason.UNHEARD)
    world.now += timedelta(seconds=5)
    world.write("b/x")
    number = world.add_workspace("b/")
    with world.database.write() as session:
        session.get_one(Workspace, number).created_at = world.now
    ask(world, reason=CrawlReason.IMPORT, workspace_id=number)
    assert "waits for its first crawl" in said(world)[number][1]
    finish(world)
    assert world.indexed(number).keys() == {"x"}
    assert said(world) == {}
