"""What changed just now is looked at before all that waits in order, and takes nothing from it."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from index.event_world import EventWorld
from index.extraction.extracting import Extracting
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.extraction import fresh_entries, task, walks
from workspacesio.index.extraction.fresh_entries import FreshEntries
from workspacesio.index.extraction.registry import installed
from workspacesio.index.found import Found, Told
from workspacesio.index.recording import Recorder
from workspacesio.services.crawl_requests import set_indexing


@dataclass
class Living(Extracting):
    """`looked_at`: paths, as they were begun. Each takes `seconds_each`, and none begins while `held`."""

    looked_at: list[str] = field(default_factory=list)
    seconds_each: float = 0.0
    held: threading.Event = field(default_factory=threading.Event)

    @property
    def events(self) -> EventWorld:
        assert isinstance(self.world, EventWorld)
        return self.world

    def write(self, *paths: str, body: str = "text of") -> None:
        for path in paths:
            self.world.write(path, f"{body} {path}".encode())

    def told(self, *paths: str, body: str = "text of") -> None:
        """By the journal, of what was written."""
        self.write(*paths, body=body)
        self.events.journal(*paths)
        self.events.settle()

    def step_until(self, done: Callable[[], bool], each: Callable[[], object] = lambda: None) -> None:
        deadline = time.monotonic() + 20
        while not done():
            assert time.monotonic() < deadline, self.looked_at[-20:]
            each()
            self.task.step()

    def begun(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.looked_at) >= count

    def texts(self) -> dict[str, str]:
        return {path: one.text for path, one in self.contents().items()}

    def is_read_through(self) -> bool:
        row = self.world.catalogue.readings().rows.get(self.workspace_id)
        return row is not None and not row.is_open


@pytest.fixture
def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    world = EventWorld(tmp_path)
    found = Living(world, world.add_workspace(""), installed())
    look_at = task.look_at
    found.held.set()

    def slowly(due: Any, **options: Any) -> Any:
        found.looked_at.append(due.path)
        time.sleep(found.seconds_each)
        found.held.wait(20)
        return look_at(due, **options)

    monkeypatch.setattr(task, "look_at", slowly)
    yield found
    found.held.set()
    found.task.close()
    world.close()


def backlog(living: Living, count: int, seconds_each: float = 0.01) -> list[str]:
    """So many files that a crawl found, of which some are read."""
    paths = [f"a/{number:03d}.txt" for number in range(count)]
    living.write(*paths)
    living.crawl()
    living.level(IndexLevel.CONTENT)
    living.seconds_each = seconds_each
    living.task._walks._wanted_until = 0.0
    living.step_until(living.begun(10))
    assert not any(living.world.recorder.told)
    return paths


def test_what_is_told_is_read_before_all_that_waits(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "RECORD_SECONDS", 0.0)
    paths = backlog(living, 200, seconds_each=0.02)
    before = len(living.looked_at)
    living.told("a/new.txt")
    living.told("a/199.txt", body="other text of")
    living.write("moved/here/b.txt")
    living.events.context.hints.add_folder(1, living.workspace_id, "moved/")
    living.events.settle()
    fresh = ["a/new.txt", "a/199.txt", "moved/here/b.txt"]
    living.step_until(lambda: set(fresh) <= living.texts().keys())
    assert len(living.looked_at) < len(paths), "they are found at once, too"
    assert all(path in living.looked_at[before : before + 10] for path in fresh), living.looked_at[before:]
    living.seconds_each = 0.0
    living.settle()
    assert sorted(living.looked_at) == sorted([*paths, "a/new.txt", "moved/here/b.txt"]), "each once"
    assert living.texts()["a/199.txt"] == "other text of a/199.txt"
    living.settle(living.is_read_through)


def test_of_many_workspaces_it_does_not_wait_for_the_turn_of_each(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.0)
    for number in range(30):
        living.world.add_workspace(f"w{number:02d}/")
        living.write(*(f"w{number:02d}/{file}.txt" for file in range(4)))
    living.crawl()
    living.level(IndexLevel.CONTENT)
    living.step_until(living.begun(10))
    living.seconds_each = 0.01
    before = len(living.looked_at)
    last = list(living.task._walks._turns.values())[-1].wanted
    living.write(f"{last.scope.boundary}new.txt")
    living.events.journal(f"{last.scope.boundary}new.txt", workspace_id=last.workspace_id)
    living.events.settle()
    living.step_until(lambda: any(path.endswith("new.txt") for path in living.looked_at[before:]))
    assert len(living.looked_at) - before < 10


@pytest.mark.parametrize("settings_seconds", [0.0, 60.0])
def test_each_is_read_once_whenever_it_is_recorded(
    living: Living, monkeypatch: pytest.MonkeyPatch, settings_seconds: float
) -> None:
    """One that was about to be handed out, one that was to be taken later, one behind."""
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", settings_seconds)
    monkeypatch.setattr(task, "RECORD_SECONDS", 60.0)
    paths = backlog(living, 150, seconds_each=0.0)
    walk = living.task._walks._turns[living.workspace_id]
    fresh = [walk.taken[-1].path, "a/149.txt", living.looked_at[0]]
    living.told(*fresh, body="newer text of")
    living.step_until(lambda: len(living.looked_at) > 100)
    assert (len(walk.ahead) <= 2) == (settings_seconds == 0.0), "it is not kept for long what need not be"
    living.settle()
    living.settle()
    assert sorted(living.looked_at) == sorted([*paths, living.looked_at[0]])
    assert {path: text for path, text in living.texts().items() if text.startswith("newer")}.keys() == set(fresh)


def test_what_its_turn_comes_to_first_is_handed_out_as_it_is_now(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "FIRST_IN_A_ROW", 0)
    paths = backlog(living, 40)
    *_, gone, changed = living.task._walks._turns[living.workspace_id].taken
    living.told(changed.path, body="newer text of")
    os.unlink(living.world.folder / gone.path)
    living.events.journal(gone.path)
    living.world.recorder.told.append(Told(living.workspace_id, gone.place))
    living.events.settle()
    living.settle()
    assert sorted(living.looked_at) == sorted(set(paths) - {gone.path})
    assert living.texts()[changed.path] == f"newer text of {changed.path}"


def _found(living: Living, path: str) -> Found:
    status = os.stat(living.world.folder / path)
    return Found(path.rpartition("/")[2], status.st_size, status.st_mtime_ns // 1000, "e", status.st_mtime_ns)


def _stream(living: Living) -> Callable[[], None]:
    """Each time, ten files have changed: more than are read meanwhile."""
    numbers = iter(range(10**6))
    paths = [f"s/{number}.txt" for number in range(10)]

    def more() -> None:
        living.write(*paths, body=f"text {next(numbers)} of")
        living.world.recorder.put_many(living.workspace_id, [(path, _found(living, path)) for path in paths])
        living.world.recorder.commit()

    return more


def test_a_stream_of_them_leaves_the_backlog_its_share(living: Living) -> None:
    """That of its own workspace, and that of others."""
    recorder, other = living.world.recorder, living.world.add_workspace("other/")
    names = [f"{number:03d}.txt" for number in range(50)]
    living.write(*(f"other/{name}" for name in names))
    found = [_found(living, f"other/{name}") for name in names]
    recorder.sync_folder(other, "", found, [], recorder.mark())
    backlog(living, 100, seconds_each=0.005)
    before, more = len(living.looked_at), _stream(living)
    living.step_until(living.begun(before + 80), more)
    looked_at = living.looked_at[before : before + 80]
    assert 12 <= sum(path.startswith("a/") for path in looked_at) <= 30
    assert 6 <= sum("/" not in path for path in looked_at) <= 20


def test_in_a_stream_of_them_walks_begin_and_end(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.2)
    backlog(living, 20)
    more, recorder = _stream(living), living.world.recorder
    living.step_until(lambda: "a/019.txt" in living.looked_at, more)
    living.seconds_each = 0.1  # something is under way at any time
    small = living.world.add_workspace("small/")
    living.write("small/b.txt", "a/-.txt")
    recorder.sync_folder(small, "", [_found(living, "small/b.txt")], [], recorder.mark())
    paths = [f"a/{name}" for name in sorted(os.listdir(living.world.folder / "a"))]
    recorder.sync_folder(living.workspace_id, "a/", [_found(living, path) for path in paths], [], recorder.mark())
    recorder.commit()
    living.step_until(lambda: {"b.txt", "a/-.txt"} <= set(living.looked_at), more)


def test_they_come_at_the_rate_of_their_root(living: Living) -> None:
    backlog(living, 50)
    with living.world.database.write() as session:
        set_indexing(session, root_id=1, rate=10, now=living.world.now)
    walks_ = living.task._walks
    walks_._wanted_until = walks_._begin_at = 0.0  # the new rate holds for the walk that is under way
    living.task.step()
    living.told(*(f"b/{number:02d}.txt" for number in range(20)))
    before, began = len(living.looked_at), time.monotonic()
    living.step_until(living.begun(before + 15))
    assert time.monotonic() - began > 0.9
    assert 2 <= sum(path.startswith("a/") for path in living.looked_at[before:]) <= 8


def test_a_stream_in_a_root_with_a_rate_leaves_its_backlog_a_share_beside_other_roots(living: Living) -> None:
    world = living.world
    other_root = world.add_root("other", "other/")
    other = world.add_workspace("other/", root_id=other_root)
    living.write(*(f"other/{number:03d}.txt" for number in range(400)))
    names = sorted(os.listdir(world.folder / "other"))
    found = [_found(living, f"other/{name}") for name in names]
    world.recorder.sync_folder(other, "", found, [], world.recorder.mark())
    with world.database.write() as session:
        set_indexing(session, root_id=other_root, level=IndexLevel.CONTENT, now=world.now)
    backlog(living, 50)
    with world.database.write() as session:
        set_indexing(session, root_id=1, rate=50, now=world.now)
    living.task._walks._wanted_until = living.task._walks._begin_at = 0.0
    living.task.step()
    before = len(living.looked_at)

    def of_the_root() -> list[str]:
        return [path for path in living.looked_at[before:] if "/" in path]

    living.step_until(lambda: len(of_the_root()) >= 24, _stream(living))
    assert 3 <= sum(path.startswith("a/") for path in of_the_root()) <= 12, of_the_root()
    assert len(living.looked_at) - before > 27, "the other root gets on"


def test_what_was_told_is_forgotten_by_a_crash_and_read_in_order(living: Living) -> None:
    backlog(living, 30)
    living.told("a/zzz.txt")
    living.task.close()
    living.world.recorder.told.clear()
    living.task = living.new_task()
    assert not living.is_read_through()
    living.step_until(living.is_read_through)
    assert len(living.texts()) == 31


def test_what_is_not_committed_is_not_told(living: Living) -> None:
    recorder = living.world.recorder
    living.write("a.txt", "b.txt")
    recorder.put(living.workspace_id, "a.txt", _found(living, "a.txt"))
    assert not recorder.told
    _lose(recorder)
    recorder.put(living.workspace_id, "b.txt", _found(living, "b.txt"))
    recorder.put(living.workspace_id, "b.txt", _found(living, "b.txt"))
    recorder.commit()
    assert [(told.workspace_id, told.place[1]) for told in recorder.told] == [(living.workspace_id, "b.txt")]
    recorder.read_again(living.workspace_id, ["b.txt"])  # it was never read
    recorder.commit()
    assert len(recorder.told) == 1
    living.level(IndexLevel.METADATA)
    living.settle()
    recorder.read_again(living.workspace_id, ["b.txt"])
    recorder.commit()
    assert len(recorder.told) == 1


def _lose(recorder: Recorder) -> None:
    """Somebody's change fails, and takes with it what others recorded since the last commit."""
    with recorder.lock, pytest.raises(RuntimeError), recorder._changing():
        raise RuntimeError


def test_what_a_rollback_took_is_read_again_before_anything_counts_as_read(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "RECORD_SECONDS", 0.0)
    living.write(*(f"{number:03d}/a.txt" for number in range(40)))  # folders that change once only
    living.crawl()
    living.level(IndexLevel.CONTENT)
    living.step_until(living.begun(15))
    recorder = living.world.recorder
    assert recorder._transactions.is_under_way, "some are recorded and not committed"
    _lose(recorder)
    living.told("new.txt")
    living.step_until(living.is_read_through)
    assert len(living.texts()) == 41


def test_a_version_waits_while_an_older_one_is_looked_at(living: Living) -> None:
    living.held.clear()
    living.write("a.txt", "b.txt")
    living.crawl()
    living.level(IndexLevel.CONTENT)
    living.step_until(living.begun(2))
    living.told("a.txt", body="newer text of")
    living.told("c.txt")
    living.task.step()
    living.task.step()
    assert sorted(due.path for _, due in living.task._flying.values()) == ["a.txt", "b.txt", "c.txt"]
    living.held.set()
    living.settle()
    living.settle()
    assert sorted(living.looked_at) == ["a.txt", "a.txt", "b.txt", "c.txt"]
    assert living.texts()["a.txt"] == "newer text of a.txt"


def test_a_file_that_was_overwritten_before_its_turn_is_read_once(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_entries, "AGAIN_SECONDS", 0.1)
    backlog(living, 40)
    walk = living.task._walks._turns[living.workspace_id]
    path = walk.taken[-1].path
    assert path not in living.looked_at
    living.write(path, body="newer text of")
    found = _found(living, path)
    recorder = living.world.recorder
    recorder.put(living.workspace_id, path, found)
    recorder.commit()
    recorder.told.clear()  # else it were looked up at once
    living.settle()
    for _ in range(4):
        time.sleep(0.1)
        living.settle(lambda: living.texts().get(path) == f"newer text of {path}")
    assert living.looked_at.count(path) <= 2, "it is opened again and again"


def test_a_file_that_is_another_than_was_found_is_looked_at_ever_more_seldom(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_entries, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.0)
    living.write("a.txt")
    living.crawl()
    living.write("a.txt", body="other text, of which nobody tells, of")
    living.level(IndexLevel.CONTENT)
    end = time.monotonic() + 1.3
    while time.monotonic() < end:
        living.task.step()
        time.sleep(0.01)
    assert 2 <= len(living.looked_at) <= 6
    living.crawl()
    living.settle(lambda: "a.txt" in living.texts())


@pytest.mark.parametrize("moment", ["as names are left over", "as one has landed"])
def test_a_walk_goes_on_after_a_failure_in_the_middle(
    living: Living, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whichever entry was just being handled."""
    living.write("a.txt", "b.txt")
    living.crawl()
    living.level(IndexLevel.CONTENT)
    if moment == "as names are left over":
        living.settle()
        living.level(IndexLevel.NAMES)
        living.task._walks._wanted_until = 0.0
    enrich = living.world.recorder.enrich

    def fail_once(found: Any) -> int:
        monkeypatch.setattr(living.world.recorder, "enrich", enrich)
        raise Unavailable("The catalogue is away.")

    monkeypatch.setattr(living.world.recorder, "enrich", fail_once)
    monkeypatch.setattr(task, "RECORDED_AT_ONCE", 1)
    with pytest.raises(Unavailable):
        living.settle()
    wanted = {"a.txt", "b.txt"} if moment == "as one has landed" else set()
    living.settle(lambda: living.texts().keys() == wanted)


def test_the_latest_come_first_and_the_oldest_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh_entries, "MOST_WAITING", 3)
    monkeypatch.setattr(fresh_entries, "MOST_AGAIN", 2)
    monkeypatch.setattr(fresh_entries, "AGAIN_SECONDS", 0.0)
    told: deque[Told] = deque()
    fresh = FreshEntries(told)
    told.extend(Told(1, (7, name)) for name in "abcdb")
    told.append(Told(2, (8, "x")))
    fresh.hear()
    assert fresh.workspaces() == [1, 2]
    assert fresh.take(1, {(7, "b")}) == (7, "d")
    fresh.had_its_turn(1)
    assert fresh.workspaces() == [2, 1]
    assert [fresh.take(1, ()) for _ in range(3)] == [(7, "b"), (7, "c"), None]
    assert fresh.workspaces() == [2]
    fresh.keep({1})
    assert fresh.workspaces() == []
    for name in "pqr":
        fresh.again(3, (9, name))
    assert list(fresh.come_back(time.monotonic() + 1)) == [3]
    assert [fresh.take(3, ()) for _ in range(3)] == [(9, "r"), (9, "q"), None]
    assert list(fresh.come_back(time.monotonic() + 1)) == []


def test_where_nothing_is_read_nothing_waits(living: Living) -> None:
    living.told("a.txt", "b.txt")
    assert len(living.world.recorder.told) == 2
    living.settle()
    living.told("b.txt", body="other text of")
    living.settle()
    assert not living.world.recorder.told
    assert not living.task._walks._fresh.workspaces()
