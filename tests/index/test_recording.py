"""The recorder: events win over older listings, engines follow the catalogue, and kills lose nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from index.dict_engine import DictEngine
from index.held import check_engine, check_reader
from index.recorded import (
    Clock,
    Installed,
    Model,
    Random,
    all_entries,
    catalogued,
    check_sums,
    open_recorder,
    serving,
    settle,
)
from journeys.disks import MIB, disk
from workspacesio.database.sessions import sqlite_url
from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.domain.search_query import Everything, HasTag
from workspacesio.index import engine_feed, opening
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.catalogue_changes import CatalogueChanges, LeaseLost
from workspacesio.index.engine_upkeep import RETIRED_SECONDS, EngineUpkeep
from workspacesio.index.engine_work import EngineWork
from workspacesio.index.found import Counts, Found, Listing
from workspacesio.index.opening import Engines, IndexReader
from workspacesio.index.recording import COMMIT_SECONDS, Recorder
from workspacesio.settings import Settings


class Read(NamedTuple):
    """What an extractor found."""

    looked: str = "metadata/1"
    content_type: str = ""
    user: Mapping[str, str] = MappingProxyType({})
    tags: Mapping[str, str] = MappingProxyType({})
    facts: Mapping[str, str] = MappingProxyType({})
    text: str = ""
    problem: str = ""


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(sqlite_url(tmp_path / "index" / "catalogue.sqlite"))
    made.store.make(1, 0, 1)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installed() -> Installed:
    return Installed(DictEngine)


@pytest.fixture
def recorder(catalogue: Catalogue, installed: Installed, clock: Clock) -> Iterator[Recorder]:
    made, upkeep = open_recorder(catalogue, installed, clock)
    settle(made, upkeep, clock)
    yield made
    made.close()


def found(*names: str, size: int = 1) -> list[Found]:
    return [Found(name, size, 10, "e", len(name) + size) for name in sorted(names)]


def paths(catalogue: Catalogue, workspace_id: int = 1) -> list[str]:
    return sorted(path for workspace, path in catalogued(catalogue) if workspace == workspace_id)


# --- listings and events ------------------------------------------------------------------------------------


def test_an_event_wins_over_a_listing_that_is_older(recorder: Recorder) -> None:
    recorder.sync_folder(1, "", found("kept", "deleted", "changed"), ["gone", "old"], recorder.mark())
    recorder.put(1, "old/x", Found("x", 1, 1))
    recorder.put(1, "gone/x", Found("x", 1, 1))
    before = recorder.mark()
    listing = found("kept", "deleted", "changed")
    recorder.drop_many(1, ["deleted"])
    recorder.put(1, "changed", Found("changed", 77, 20, "new", 5))
    recorder.put(1, "fresh", Found("fresh", 5, 20, "new", 6))
    recorder.put(1, "new/deep/y", Found("y", 5, 20, "new", 7))
    recorder.drop_folder(1, "gone/")
    recorder.sync_folder(1, "", listing, ["gone", "old"], before)
    recorder.sync_folder(1, "gone/", found("x"), [], before)
    recorder.commit()
    assert paths(recorder.catalogue) == ["changed", "fresh", "kept", "new/deep/y", "old/x"]
    assert recorder.catalogue.found(1, "changed") == Found("changed", 77, 20, "new", 5)

    recorder.sync_folder(1, "", found("kept"), ["old"], recorder.mark())
    recorder.commit()
    assert paths(recorder.catalogue) == ["kept", "old/x"]


def test_touches_are_forgotten_when_no_listing_is_older(recorder: Recorder) -> None:
    kept = recorder.mark()
    for number in range(5_000):
        recorder.put(1, f"d/{number}", Found(str(number), 1, 1))
    assert len(recorder.touched(1, "d/", kept) or ()) == 5_000
    del kept
    since = recorder.mark()
    for number in range(12_000):
        recorder.put(1, "d/x", Found("x", number, 1))
    assert recorder.touched(1, "d/", since) == {"x"}
    assert sum(map(len, recorder._touches._names.values())) < 10


def test_counts_say_what_a_listing_changed(recorder: Recorder) -> None:
    mark = recorder.mark()
    assert recorder.sync_folder(1, "a/", found("x", "y", "z"), [], mark) == Counts(3, 0, 0, 0, 3)
    recorder.put(1, "a/b/c", Found("c", 1, 1))
    now = [*found("x"), Found("y", 9, 9, "other", 99)]
    assert recorder.sync_folder(1, "a/", now, [], recorder.mark()) == Counts(0, 1, 1, 2, 10)
    assert recorder.sync_folder(1, "a/", now, [], recorder.mark()) == Counts(0, 0, 2, 0, 10)


def test_a_stamp_alone_decides_and_needs_no_etag(recorder: Recorder, installed: Installed) -> None:
    recorder.sync_folder(1, "", [Found("x", 1, 1, "etag", 7)], [], recorder.mark())
    recorder.commit()
    commits = engine_of(recorder).commits
    recorder.sync_folder(1, "", [Found("x", 1, 1, "", 7)], [], recorder.mark())
    recorder.sync_folder(1, "", [Found("x", 1, 1, "etag", 8)], [], recorder.mark())
    recorder.put(1, "x", Found("x", 1, 1, "etag", 8))
    recorder.commit()
    assert engine_of(recorder).commits == commits
    assert recorder.catalogue.found(1, "x") == Found("x", 1, 1, "etag", 8)


def test_without_stamps_all_is_compared(recorder: Recorder) -> None:
    before = [Found(name, 1, 1, "e") for name in ("x", "y", "z")]
    recorder.sync_folder(1, "", before, [], recorder.mark())
    now = [before[0], Found("y", 1, 1, "f"), Found("z", 2, 1, "e")]
    assert recorder.sync_folder(1, "", now, [], recorder.mark()) == Counts(0, 2, 1, 0, 4)
    recorder.commit()
    assert recorder.catalogue.listing(1, "") == now


def test_what_is_unchanged_writes_nothing(recorder: Recorder) -> None:
    listing = [Listing(1, f"{number}/", found("a", "b"), [], recorder.mark()) for number in range(50)]
    recorder.sync_folders(listing)
    recorder.commit()
    change = recorder.catalogue.change_number()
    assert recorder.sync_folders(listing) == Counts(unchanged=100, bytes=100)
    recorder.commit()
    assert recorder.catalogue.change_number() == change


def test_numbers_of_folders_are_never_given_out_again(recorder: Recorder) -> None:
    seen: set[int] = set()
    for _ in range(5):
        recorder.put(1, "a/b/x", Found("x", 1, 1))
        recorder.commit()
        ids = recorder.catalogue.folder_ids([(1, "a/"), (1, "a/b/"), (1, "absent/"), (2, "a/")])
        assert set(ids) == {(1, "a/"), (1, "a/b/")}
        assert recorder.catalogue.folder_places(ids.values()) == {number: place for place, number in ids.items()}
        assert seen.isdisjoint(ids.values())
        seen |= set(ids.values())
        recorder.drop_folder(1, "a/")
        recorder.commit()


def test_thousands_of_folders_are_looked_up_at_once(recorder: Recorder) -> None:
    places = [(workspace, f"{name}/") for workspace in range(1, 5) for name in range(2_000)]
    recorder.sync_folders([Listing(*place, found("x"), [], recorder.mark()) for place in places])
    recorder.commit()
    assert recorder.catalogue.folder_ids(places).keys() == set(places)


def test_a_dropped_folder_takes_all_below_it_and_no_neighbour(recorder: Recorder, clock: Clock) -> None:
    for path in ("a/b/x", "a/b/c/x", "a/b", "a/b0/x", "a/b-/x", "a/ba/x", "x"):
        recorder.put(1, path, Found(path, 3, 1))
        recorder.put(2, path, Found(path, 3, 1))
    assert recorder.drop_folder(1, "a/b/") == 2
    recorder.commit()
    assert paths(recorder.catalogue) == ["a/b", "a/b-/x", "a/b0/x", "a/ba/x", "x"]
    assert len(paths(recorder.catalogue, 2)) == 7
    check_sums(recorder.catalogue, catalogued(recorder.catalogue))
    recorder.drop_workspace(1)
    recorder.commit()
    assert recorder.workspaces() == [2]
    assert engine_of(recorder).committed == all_entries(recorder.catalogue)


# --- contents -----------------------------------------------------------------------------------------------


def test_what_was_read_stays_until_the_object_changes(recorder: Recorder) -> None:
    catalogue = recorder.catalogue
    for name in "abc":
        recorder.put(1, f"d/{name}", Found(name, 1, 1, "e", 1))
    recorder.commit()
    due = catalogue.due(1, current=["metadata/1"], after=None, limit=2)
    assert [one.path for one in due] == ["d/a", "d/b"]
    rest = catalogue.due(1, current=["metadata/1"], after=(due[-1].folder_id, "b"), limit=2)
    assert [one.path for one in rest] == ["d/c"]
    read = Read(content_type="text/plain", tags={"k": "v"}, text="words")
    assert recorder.enrich([(one, read) for one in (*due, *rest)]) == 3
    recorder.put(1, "d/b", Found("b", 1, 1, "e", 2))  # a tag was set, say
    recorder.put(1, "d/c", Found("c", 2, 2, "f", 2))
    recorder.commit()
    assert [one.path for one in catalogue.due(1, current=["metadata/1"], after=None, limit=9)] == ["d/b", "d/c"]
    assert catalogue.due_counts([1], ["metadata/1"]) == (2, 3)
    assert {entry.path: entry.text for entry in engine_of(recorder).committed.values()} == {
        "d/a": "words",
        "d/b": "words",
        "d/c": "",
    }
    assert recorder.enrich([(due[0], read), (rest[0], read)]) == 1, "the other one changed since it was read"
    recorder.commit()
    assert engine_of(recorder).committed == all_entries(catalogue)
    assert catalogue.due(1, current=["x"], after=None, limit=9, changed_after=catalogue.change_number()) == []


# --- engines that are away, damaged, rebuilt ----------------------------------------------------------------


def engine_of(recorder: Recorder) -> DictEngine:
    engine = serving(recorder).engine
    assert isinstance(engine, DictEngine)
    return engine


def test_while_the_engine_is_away_all_is_kept_and_it_follows(
    catalogue: Catalogue, installed: Installed, clock: Clock
) -> None:
    recorder, upkeep = open_recorder(catalogue, installed, clock)
    settle(recorder, upkeep, clock)
    recorder.put(1, "a/x", Found("x", 1, 1))
    assert recorder.commit()
    engine = engine_of(recorder)
    engine.calls_left = 0
    recorder.put(1, "a/y", Found("y", 1, 1))
    recorder.drop_many(1, ["a/x"])
    clock.now += 30
    assert not recorder.commit()
    assert recorder.lag_seconds() == 30
    for _ in range(20):
        clock.now += upkeep.step()
    assert [entry.path for entry in engine.committed.values()] == ["a/x"]
    recorder.close()

    again, upkeep = open_recorder(catalogue, installed, clock)
    again.put(1, "a/z", Found("z", 1, 1))
    engine.calls_left = None
    settle(again, upkeep, clock)
    assert engine.committed == all_entries(catalogue)
    assert [entry.path for entry in engine.committed.values()] == ["a/y", "a/z"]
    assert again.lag_seconds() == 0
    again.close()


def test_rows_that_others_recorded_are_lost_with_a_failure_and_told_of(recorder: Recorder) -> None:
    recorder.put(1, "mine", Found("mine", 1, 1))
    before = recorder.rollbacks
    with pytest.raises(Invalid):
        recorder.put(1, "bad", Found("bad", 1 << 70, 1))
    assert recorder.rollbacks == before + 1
    recorder.put(1, "later", Found("later", 1, 1))
    recorder.commit()
    assert paths(recorder.catalogue) == ["later"]


def test_a_crawl_commits_when_it_is_due(recorder: Recorder, clock: Clock) -> None:
    recorder.put(1, "x", Found("x", 1, 1))
    assert not recorder.commit_if_due()
    clock.now += COMMIT_SECONDS
    assert recorder.commit_if_due()
    assert not recorder.commit_if_due()
    recorder.sync_folder(1, "", found("x"), [], recorder.mark())
    clock.now += COMMIT_SECONDS
    assert recorder.commit_if_due(), "no transaction stays open for long"


@pytest.fixture
def committing(recorder: Recorder) -> Iterator[Recorder]:
    """`a` is recorded, and its commit has begun and takes its time."""
    engine_of(recorder).may_commit.clear()
    recorder.sync_folder(1, "", found("a"), [], recorder.mark())
    recorder.commit_beside()
    yield recorder
    engine_of(recorder).may_commit.set()


def test_recording_goes_on_beside_a_commit(committing: Recorder, clock: Clock) -> None:
    engine = engine_of(committing)
    assert paths(committing.catalogue) == ["a"], "what was recorded survives a crash"
    clock.now += 1
    committing.put(1, "b", Found("b", 1, 1))
    committing.flush()
    assert not engine.committed
    assert committing.lag_seconds() == 1
    engine.may_commit.set()
    committing.commit()
    assert [entry.path for entry in engine.committed.values()] == ["a", "b"]
    assert committing.lag_seconds() == 0
    assert committing.catalogue.engines()[0].holds == committing.catalogue.change_number()


def test_what_waits_for_a_commit_is_bounded(committing: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_feed, "WAITING_ENTRIES", 3)
    for name in ("b", "c"):
        committing.put(1, name, Found(name, 1, 1))
        committing.flush()
    timer = threading.Timer(0.2, engine_of(committing).may_commit.set)
    timer.start()
    committing.put(1, "d", Found("d", 1, 1))
    committing.flush()
    assert len(engine_of(committing).committed) == 1, "it waited for the commit"
    timer.join()


def test_a_commit_that_failed_beside_is_made_up_for(
    committing: Recorder, catalogue: Catalogue, installed: Installed, clock: Clock
) -> None:
    engine = engine_of(committing)
    engine.calls_left = 0
    engine.may_commit.set()
    assert not committing.commit()
    assert not engine.committed
    engine.calls_left = None
    committing.put(1, "x/b", Found("b", 1, 1))
    settle(committing, EngineUpkeep(committing, installed, clock=clock), clock)
    assert engine.committed == all_entries(catalogue)
    assert len(engine.committed) == 2


def test_a_commit_beside_is_noticed_when_it_is_over(committing: Recorder, clock: Clock) -> None:
    clock.now += 1
    assert not committing.commit_if_due()
    assert committing.lag_seconds() == 1
    engine_of(committing).may_commit.set()
    for _ in range(1000):
        committing.commit_if_due()
        if not committing.lag_seconds():
            break
        time.sleep(0.005)
    assert committing.lag_seconds() == 0
    assert committing.catalogue.engines()[0].holds == committing.catalogue.change_number()


def test_who_lists_ahead_does_not_wait_for_what_is_being_recorded(recorder: Recorder) -> None:
    marks: list[object] = []
    with recorder.lock:
        listing = threading.Thread(target=lambda: marks.append(recorder.mark()), daemon=True)
        listing.start()
        listing.join(5)
        assert marks


def test_who_lost_the_lease_writes_nothing(catalogue: Catalogue, installed: Installed, clock: Clock) -> None:
    catalogue.store.set_fence(1)
    first, _ = open_recorder(catalogue, installed, clock, fence=1)
    first.put(1, "x", Found("x", 1, 1))
    first.commit()
    catalogue.store.set_fence(2)
    with pytest.raises(LeaseLost):
        first.put(1, "y", Found("y", 1, 1))
    with pytest.raises(Unavailable):
        catalogue.store.set_fence(1)
    second, _ = open_recorder(catalogue, installed, clock, fence=2)
    second.put(1, "z", Found("z", 1, 1))
    second.commit()
    assert paths(catalogue) == ["x", "z"]
    first.close()
    second.close()
    with pytest.raises(LeaseLost):
        second.put(1, "after the end", Found("after the end", 1, 1))


@pytest.mark.parametrize("seed", range(3))
def test_tantivy_holds_what_the_catalogue_does(catalogue: Catalogue, tmp_path: Path, seed: int) -> None:
    """Under random changes and rebuilds, while another process's reader looks on."""
    clock = Clock()
    settings = Settings(state_dir=tmp_path)
    recorder, upkeep = open_recorder(catalogue, Engines(settings, 1), clock)
    settle(recorder, upkeep, clock)
    reader = IndexReader(settings, f"sqlite:///{tmp_path}/service.sqlite3")
    model: Model = {}
    changing = Random(seed, recorder=recorder, model=model)
    for step in range(1, 61):
        changing.change()
        if changing.random.random() < 0.2:
            recorder.commit()
        if changing.random.random() < 0.1:
            upkeep.rebuild()
        if changing.random.random() < 0.3:
            upkeep.step()
        if step % 20 == 0:
            settle(recorder, upkeep, clock)
            assert catalogued(catalogue) == model
            assert check_engine(recorder) == len(model)
            clock.now += 2 * RETIRED_SECONDS
            reader._looked_at = 0.0
            assert reader.incomplete() == []
            check_reader(reader.engine(), catalogue)
            upkeep.step()
            kept = {f"engine-{row.number}" for row in catalogue.engines()}
            assert {name for name in os.listdir(tmp_path / "index") if name.startswith("engine-")} == kept
    recorder.close()
    reader.close()


def test_an_engine_whose_files_are_removed_is_made_again_though_nothing_is_written(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    settings, clock = Settings(state_dir=tmp_path), Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(settings, 1), clock)
    recorder.put(1, "x", Found("x", 1, 1))
    settle(recorder, upkeep, clock)
    number = serving(recorder).number
    clock.now += 60
    assert upkeep.step() > 0
    assert serving(recorder).number == number
    shutil.rmtree(tmp_path / "index" / f"engine-{number}")
    reader = IndexReader(settings, f"sqlite:///{tmp_path}/service.sqlite3")
    with pytest.raises(Unavailable):
        reader.engine().total(Everything())
    clock.now += 60
    assert upkeep.step() == 0.0
    settle(recorder, upkeep, clock)
    reader._looked_at = float("-inf")
    assert reader.engine().total(Everything()) == (1, 1)
    assert (reader.incomplete(), serving(recorder).number != number) == ([], True)
    reader.close()
    recorder.close()


def test_an_engine_that_lacks_what_is_recorded_says_so_after_a_while(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its disk is full. In a crawl it lacks something all the time, and never the same for long."""
    settings, clock = Settings(state_dir=tmp_path), Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(settings, 1), clock)
    settle(recorder, upkeep, clock)
    reader = IndexReader(settings, f"sqlite:///{tmp_path}/service.sqlite3")

    def said() -> list[str]:
        reader._looked_at = float("-inf")
        return [code for code, _ in reader.incomplete()]

    def full() -> None:
        raise Unavailable("The search index can't be used: No space left on device.")

    monkeypatch.setattr(opening, "_BEHIND_SECONDS", 0.05)
    for name in "abc":
        recorder.put(1, name, Found(name, 1, 1))
        recorder.flush()
        assert said() == []
        recorder.commit()
        time.sleep(0.1)
        assert said() == []
    writer = serving(recorder)._writer
    assert writer is not None
    monkeypatch.setattr(writer, "commit", full)
    recorder.put(1, "d", Found("d", 1, 1))
    assert recorder.commit() is False
    assert said() == []
    time.sleep(0.1)
    assert said() == ["index_behind"]
    settle(recorder, upkeep, clock)
    assert said() == []
    reader.close()
    recorder.close()


def test_a_damaged_engine_is_filled_anew_and_says_so_meanwhile(catalogue: Catalogue, tmp_path: Path) -> None:
    settings, clock = Settings(state_dir=tmp_path), Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(settings, 1), clock)
    names = [f"{number:05d}" for number in range(300)]
    for folder in range(100):
        recorder.sync_folder(1, f"{folder}/", found(*names), [], recorder.mark())
    settle(recorder, upkeep, clock)
    number = serving(recorder).number
    recorder.close()
    segment = next((tmp_path / "index" / f"engine-{number}").glob("*.term"))
    segment.write_bytes(b"rubbish" * 100)

    again, upkeep = open_recorder(catalogue, Engines(settings, 1), clock)
    reader = IndexReader(settings, f"sqlite:///{tmp_path}/service.sqlite3")
    upkeep.step()
    assert [code for code, _ in reader.incomplete()] == ["index_rebuilding"]
    assert reader.engine().entries() < 30_000
    again.put(1, "new", Found("new", 1, 1))
    settle(again, upkeep, clock)
    reader._looked_at = 0.0
    assert reader.incomplete() == []
    assert reader.engine().total(Everything())[0] == 30_001
    reader.close()
    again.close()


def test_a_rebuild_keeps_what_was_read_of_contents(catalogue: Catalogue, tmp_path: Path) -> None:
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(Settings(state_dir=tmp_path), 1), clock)
    recorder.put(1, "a/x", Found("x", 1, 1, "e", 1))
    recorder.commit()
    [due] = catalogue.due(1, current=[], after=None, limit=9)
    recorder.enrich([(due, Read(tags={"kind": "raw"}, facts={"width": "7"}))])
    settle(recorder, upkeep, clock)
    before = serving(recorder).number
    upkeep.rebuild()
    settle(recorder, upkeep, clock)
    assert serving(recorder).number != before
    reader = serving(recorder).engine.reader()
    assert reader.total(HasTag("kind", "raw")) == (1, 1)
    reader.close()
    recorder.close()


def test_an_engine_that_fails_again_and_again_is_replaced(
    catalogue: Catalogue, installed: Installed, clock: Clock
) -> None:
    recorder, upkeep = open_recorder(catalogue, installed, clock)
    settle(recorder, upkeep, clock)
    first = engine_of(recorder)
    recorder.put(1, "x", Found("x", 1, 1))
    first.calls_left, first.broken = 0, True
    for _ in range(200):
        clock.now += upkeep.step()
    assert engine_of(recorder) is not first
    assert [entry.path for entry in engine_of(recorder).committed.values()] == ["x"]
    recorder.close()


def test_moving_to_another_kind_of_engine_is_a_rebuild(catalogue: Catalogue, clock: Clock) -> None:
    """The one before serves until the new one holds everything."""
    installed = Installed(DictEngine)
    recorder, upkeep = open_recorder(catalogue, installed, clock)
    for number in range(25):
        recorder.sync_folder(1, f"{number}/", found(*map(str, range(1_000))), [], recorder.mark())
    settle(recorder, upkeep, clock)
    first = engine_of(recorder)
    recorder.close()

    installed.kind = "other"
    again, upkeep = open_recorder(catalogue, installed, clock)
    states = []
    while upkeep.is_filling:
        again.put(1, f"while/{len(states)}", Found(str(len(states)), 1, 1))
        upkeep.step()
        states.append(serving(again).kind)
    assert states[0] == "dict"
    assert states[-1] == "other"
    settle(again, upkeep, clock)
    assert engine_of(again) is not first
    assert engine_of(again).committed == all_entries(catalogue)
    assert [(row.kind, row.state) for row in catalogue.engines()] == [("dict", "retired"), ("other", "serving")]
    clock.now += 2 * RETIRED_SECONDS
    upkeep.step()
    assert [row.kind for row in catalogue.engines()] == ["other"]
    assert first.committed == {}
    again.close()


def test_an_error_that_nobody_foresaw_loses_nothing(recorder: Recorder, clock: Clock) -> None:
    engine = engine_of(recorder)
    engine.bug = ValueError("a bug in the engine")
    recorder.put(1, "x", Found("x", 1, 1))
    assert not recorder.commit()
    engine.bug = None
    upkeep = EngineUpkeep(recorder, Installed(DictEngine), clock=clock)
    settle(recorder, upkeep, clock)
    assert engine.committed == all_entries(recorder.catalogue)


# --- disks and kills ----------------------------------------------------------------------------------------


def test_on_a_full_disk_nothing_is_lost_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with disk(str(tmp_path), size=24 * MIB) as small:
        state = Path(small.point)
        (state / "index").mkdir()
        catalogue = Catalogue(sqlite_url(state / "index" / "catalogue.sqlite"))
        catalogue.store.make(1, 0, 1)
        clock = Clock()
        recorder, upkeep = open_recorder(catalogue, Engines(Settings(state_dir=state), 1), clock)
        recorder.put(1, "before", Found("before", 1, 1))
        settle(recorder, upkeep, clock)
        ballast = state / "ballast"
        ballast.write_bytes(b"x" * max(0, small.free() - 2 * MIB))
        model = {"before"}

        def fill(number: int) -> None:
            names = [f"{number}-{one:04d}" for one in range(3_000)]
            recorder.sync_folder(1, f"{number}/", found(*names), [], recorder.mark())
            recorder.commit()
            model.update(f"{number}/{name}" for name in names)

        number = 0
        with pytest.raises(Unavailable):  # noqa: PT012
            while number < 200:
                fill(number)
                number += 1
        assert number > 0, "some of it found room"
        assert set(paths(catalogue)) == model
        ballast.unlink()
        recorder.put(1, "after", Found("after", 1, 1))
        settle(recorder, upkeep, clock)
        assert set(paths(catalogue)) == model | {"after"}
        check_engine(recorder)
        recorder.close()
        catalogue.close()


def test_a_recorder_killed_at_random_moments_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    script = os.path.join(os.path.dirname(__file__), "killed_recorder.py")
    command = [sys.executable, script, str(tmp_path), "12", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 lives" in done.stdout


def test_threads_may_use_it_side_by_side(catalogue: Catalogue, tmp_path: Path) -> None:
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Installed(DictEngine), clock)

    def crawl(workspace: int) -> None:
        for number in range(40):
            recorder.sync_folder(workspace, f"{number}/", found("a", "b"), [], recorder.mark())
            recorder.commit()

    def tell(workspace: int) -> None:
        for number in range(40):
            recorder.put(workspace, f"{number}/event", Found("event", 1, 1))
            recorder.commit()

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2) for work in (crawl, tell)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for workspace in (1, 2):
        for number in range(40):
            recorder.sync_folder(workspace, f"{number}/", [*found("a", "b", "event")], [], recorder.mark())
    settle(recorder, upkeep, clock)
    assert len(paths(catalogue)) == len(paths(catalogue, 2)) == 120
    check_sums(catalogue, catalogued(catalogue))
    assert engine_of(recorder).committed == all_entries(catalogue)
    recorder.close()
    shutil.rmtree(tmp_path / "index", ignore_errors=True)


def test_a_commit_whose_answer_was_lost_reaches_the_engine(
    catalogue: Catalogue, installed: Installed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the database's connection breaks at COMMIT: it has taken place, and nobody knows."""
    recorder, upkeep = open_recorder(catalogue, installed, clock)
    settle(recorder, upkeep, clock)
    commit = CatalogueChanges.commit

    def lost(changes: CatalogueChanges) -> tuple[int, EngineWork]:
        commit(changes)
        raise Unavailable("The connection was lost.")

    recorder.put(1, "a.txt", Found("a.txt", 1, 1))
    with monkeypatch.context() as broken, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy tells that there is nothing left to roll back
        broken.setattr(CatalogueChanges, "commit", lost)
        with pytest.raises(Unavailable):
            recorder.commit()
    recorder.put(1, "b.txt", Found("b.txt", 1, 1))
    settle(recorder, upkeep, clock)
    assert len(catalogued(catalogue)) == len(serving(recorder).engine.committed) == 2
    recorder.close()
