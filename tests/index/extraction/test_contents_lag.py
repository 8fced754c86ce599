"""For how long contents have waited to be read, for whoever runs the service."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from index.extraction.extracting import Extracting
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index import status
from workspacesio.index.catalogue_readings import ReadSoFar
from workspacesio.index.extraction import waiting
from workspacesio.index.extraction.read_so_far import WrittenReadings, aim_of
from workspacesio.index.extraction.waiting import Waiting, waiting_contents


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_contents_wait_from_when_they_are_wanted_until_they_are_read(extracting: Extracting) -> None:
    world, clock = extracting.world, Clock()
    extracting.task._written._clock = clock

    def left() -> Waiting:
        with world.database.read() as session:
            return waiting_contents(session, world.catalogue, extracting.registry, root_ids={1})[1]

    def mounted(*, there: bool) -> None:
        away = f"{world.folder}.away"
        os.rename(away if there else world.folder, world.folder if there else away)

    world.write("a.txt", b"text")
    extracting.crawl()
    extracting.level(IndexLevel.CONTENT)
    assert left() == (1, 4, None), "the worker has not noticed yet"
    mounted(there=False)
    extracting.settle()
    assert left() == (1, 4, at(1_000))
    mounted(there=True)
    clock.now = 5_000.0
    world.write("b.txt", b"text")
    extracting.crawl()
    extracting.settle()
    assert left() == (2, 8, at(1_000)), "the oldest counts"
    extracting.task._walks._down_until.clear()
    extracting.settle()
    extracting.settle()
    assert left() == (0, 0, None)
    clock.now = 9_000.0
    world.write("c.txt", b"text")
    extracting.crawl()
    mounted(there=False)
    extracting.settle()
    assert left() == (1, 4, at(9_000))


def test_what_changes_while_a_long_walk_goes_on_has_not_waited_since_it_began(extracting: Extracting) -> None:
    clock = Clock()
    written = WrittenReadings(extracting.world.recorder, clock)
    aim = aim_of(IndexLevel.CONTENT, ["reader"])

    def since() -> int | None:
        written.write_settled()
        return extracting.world.catalogue.readings().rows[1].unread_since

    written.begin(1, {1: aim}, [], [1])
    assert since() == 1_000_000_000
    for clock.now in (5_000.0, 6_000.0):
        written.begin(2, {}, [1], [1])
    assert since() == 1_000_000_000, "the walk has not ended"
    written.settle(1, aim, 1, whole=True, again=True)
    assert since() == 5_000_000_000
    clock.now = 7_000.0
    written.begin(3, {1: aim}, [], [1])
    written.settle(1, aim, 3, whole=False, again=False)
    assert since() == 5_000_000_000, "some may not be read"
    written.settle(1, aim, 3, whole=True, again=False)
    assert since() is None


def test_of_several_workspaces_the_oldest_counts() -> None:
    row = ReadSoFar(IndexLevel.CONTENT, IndexLevel.CONTENT, 1, "s", is_open=True)
    rows = {1: row._replace(unread_since=5_000_000), 2: row._replace(unread_since=3_000_000), 3: row}
    assert waiting._oldest(rows, [1, 2, 3, 4]) == at(3)
    assert waiting._oldest(rows, [3, 4]) is None


@pytest.mark.parametrize(
    ("known", "lag"),
    [
        (None, None),
        (Waiting(0, 0, at(1_000)), 0.0),
        (Waiting(3, 9, None), None),
        (Waiting(3, 9, at(1_000)), 60.0),
        (Waiting(3, 9, at(2_000)), 0.0),
    ],
)
def test_lags(known: Waiting | None, lag: float | None) -> None:
    assert status._contents_lag(known, at(1_060)) == lag
