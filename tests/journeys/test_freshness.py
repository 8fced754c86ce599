"""Whatever way something is changed, searching finds it within a second; what nobody told is found in the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from servers.finding import GIVEN_UP_SECONDS, Places, Write, percentile, places, seconds_until_found
from workspacesio.database.index_tables import IndexLease
from workspacesio.database.sessions import Database, sqlite_url

SAMPLES = 100
EVERY_SECONDS = 0.04


@pytest.fixture(scope="module")
def place() -> Iterator[Places]:
    with places(files=500) as made:
        yield made


@pytest.mark.parametrize("way", [Places.put, Places.copy, Places.minio_put])
def test_what_is_written_is_found_within_a_second(place: Places, way: Callable[[Places], Write]) -> None:
    """99 of 100, while others are on their way. Once again where the machine had something else to do."""
    write = way(place)
    for _ in range(2):
        seconds = seconds_until_found(place.search, write, SAMPLES, every=EVERY_SECONDS)
        if percentile(seconds, 0.99) < 1.0:
            return
    pytest.fail(f"found after {percentile(seconds, 0.5):.2f} s, 99 of 100 after {percentile(seconds, 0.99):.2f} s")


def test_what_goes_away_is_no_longer_found(place: Places) -> None:
    write = place.copy()
    write("going.away")
    _until(lambda: "going.away" in place.search.paths("name:going.away"))
    os.mkdir(os.path.join(place.folder, "lab", "renamed"))
    os.rename(
        os.path.join(place.folder, "lab", "going.away"), os.path.join(place.folder, "lab", "renamed", "g.away")
    )
    _until(lambda: place.search.paths("name:away") == {"renamed/g.away"})
    os.rename(os.path.join(place.folder, "lab", "renamed"), os.path.join(place.folder, "outside"))
    _until(lambda: place.search.paths("name:away") == set())


def test_how_each_root_is_kept_true_is_said(place: Places) -> None:
    place.minio_put()("heard")
    _until(lambda: "heard" in place.search.paths("name:heard"))
    _until(lambda: _kept(place, "p") == ("events", None))
    assert _kept(place, "existing") == ("watching", None)


def test_a_worker_that_is_killed_misses_nothing(place: Places) -> None:
    """What the endpoint and MinIO told waits in the journal, what was changed directly is crawled."""
    put, minio_put, copy = place.put(), place.minio_put(), place.copy()
    os.kill(_worker(place), signal.SIGKILL)
    put("killed.put")
    minio_put("killed.minio")
    copy("killed.copy")
    with open(os.path.join(place.folder, "lab", "0", "1.txt"), "w") as file:
        file.write("in place")
    wanted = {"put/killed.put", "killed.minio", "killed.copy"}
    _until(lambda: place.search.paths("name:killed.*") == wanted)
    _until(lambda: place.search.ask("path:0/1.txt")["bytes"] == 8)


def _kept(place: Places, root: str) -> tuple[str, str | None]:
    found = next(one for one in place.ada.json("index", "status")["roots"] if one["root"] == root)
    return found["kept_by"], found["problem"]


def _worker(place: Places) -> int:
    """The number of the process that writes the index, which ends the name of the lease's holder."""
    database = Database(sqlite_url(os.path.join(place.service.state_dir, "workspacesio.sqlite3")))
    try:
        with database.read() as session:
            holder = session.scalars(select(IndexLease.holder)).one()
    finally:
        database.dispose()
    return int(holder.rpartition(" ")[2])


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVEN_UP_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
