"""What the worker does when asked: rebuild, and compare the index with storage without changing either."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from index.crawl_world import NOW, CrawlWorld
from index.recorded import Clock, catalogued, open_recorder, serving, settle
from workspacesio.database.index_tables import IndexRequest
from workspacesio.database.tables import Node, Root
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.vocabulary import FolderLayout, NodeKind
from workspacesio.index import verifying
from workspacesio.index.found import Found
from workspacesio.index.opening import Engines
from workspacesio.index.request_task import RequestTask
from workspacesio.index.verifying import Verification
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.services.index_requests import request_rebuild, request_verify
from workspacesio.settings import Settings


class Worker:
    """A crawled world with a real engine, and the task."""

    def __init__(self, base: Path) -> None:
        self.world = CrawlWorld(base)
        self.clock = Clock()
        self.world.recorder.close()
        engines = Engines(Settings(state_dir=base / "state"), 1)
        self.world.recorder, self.upkeep = open_recorder(self.world.catalogue, engines, self.clock)
        self.world.crawler = self.world.crawler_with()
        self.woken: list[str] = []
        self.context: Any = SimpleNamespace(
            database=self.world.database,
            settings=Settings(state_dir=base / "state"),
            drivers=lambda _: self.world.driver,
            recorder=self.world.recorder,
            upkeep=self.upkeep,
            clock=lambda: datetime.now(UTC),
            stopping=lambda: False,
            wake=self.woken.append,
            leave=lambda thread: None,
        )
        self.task = RequestTask(self.context)

    def settle(self) -> None:
        settle(self.world.recorder, self.upkeep, self.clock)

    def verify(self, root_id: int | None = None) -> IndexRequest:
        with self.world.database.journal() as session:
            number = request_verify(session, root_id=root_id, requested_by=1, now=NOW).id
        assert self.task.step() == 0.0
        return self.request(number)

    def request(self, number: int) -> IndexRequest:
        with self.world.database.read() as session:
            return session.scalars(select(IndexRequest).where(IndexRequest.id == number)).one()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(tmp_path)
    yield made
    made.world.close()


def test_verify_finds_what_differs_and_changes_nothing(worker: Worker) -> None:
    world = worker.world
    workspace = world.add_workspace("")
    for number in range(20):
        world.write(f"a/{number % 2}/{number}", b"x" * number)
    world.crawl()
    worker.settle()
    clean = worker.verify()
    assert (clean.state, clean.entries, clean.problem) == ("done", 20, None)
    assert clean.report == {"missing": 0, "changed": 0, "extra": 0, "examples": [], "engine_differs": 0}

    world.write("a/0/0", b"changed")
    world.write("new/one")
    (world.folder / "a/1/1").unlink()
    world.recorder.put(workspace, "gone/x", Found("x", 1, 1, "e", 1))
    before = catalogued(world.catalogue)
    found = worker.verify(1).report
    assert {key: found[key] for key in ("missing", "changed", "extra", "engine_differs")} == {
        "missing": 1,
        "changed": 1,
        "extra": 2,
        "engine_differs": 0,
    }
    assert sorted(map(tuple, found["examples"])) == [
        ("changed", workspace, "a/0/0"),
        ("extra", workspace, "a/1/1"),
        ("extra", workspace, "gone/"),
        ("missing", workspace, "new/one"),
    ]
    assert catalogued(world.catalogue) == before | {(workspace, "gone/x"): Found("x", 1, 1, "e", 1)}


def test_verify_sees_an_engine_that_holds_something_else(worker: Worker) -> None:
    worker.world.add_workspace("")
    worker.world.write("a/x")
    worker.world.crawl()
    worker.settle()
    writer = serving(worker.world.recorder)._open()
    writer.remove(list(range(100)))
    writer.commit()
    assert worker.verify().report["engine_differs"] == 1


def test_a_root_that_is_away_fails_the_comparison_with_the_reason(worker: Worker) -> None:
    worker.world.add_workspace("")
    worker.world.write("x")
    worker.world.crawl()
    worker.world.folder.rename(worker.world.folder.with_name("elsewhere"))
    found = worker.verify()
    assert found.state == "failed"
    assert found.problem == (
        "Root existing could not be compared to its end: The node's folder is missing or can't be reached."
    )
    assert found.ended_at is not None


def test_a_root_that_is_away_does_not_keep_others_from_being_compared(worker: Worker) -> None:
    world = worker.world
    for name in ("b", "c"):
        world.add_workspace(f"{name}/", root_id=world.add_root(name, f"{name}/"))
        world.write(f"{name}/x")
    for root in (2, 3):
        world.crawl(root_id=root)
    worker.settle()
    world.write("c/new")
    with world.database.write() as session:
        elsewhere = {"kind": NodeKind.FOLDER, "layout": FolderLayout.BUCKET, "created_at": NOW}
        session.add(Node(name="m", path=str(world.base / "none"), bucket="data", **elsewhere))
        session.flush()
        session.get_one(Root, 2).node_id = 2
    away = FolderDriver(2, str(world.base / "none"), FolderLayout.BUCKET, "data", world.base / "state")
    worker.context.drivers = lambda node: away if node == 2 else world.driver
    found = worker.verify()
    assert (found.state, found.report["missing"], found.report["extra"]) == ("failed", 1, 0)
    assert str(found.problem).startswith("Root b could not be compared to its end: ")
    assert "Root c" not in str(found.problem)


def test_many_roots_that_are_away_are_said_in_short() -> None:
    assert verifying.in_short(["A.", "B."]) == "A. B."
    assert verifying.in_short(["A.", "B.", "C.", "D.", "E."]) == "A. B. C. So it was with 2 more roots."


def test_a_rebuild_is_done_when_the_new_engine_serves(worker: Worker) -> None:
    worker.world.add_workspace("")
    worker.world.write("x")
    worker.world.crawl()
    worker.settle()
    before = serving(worker.world.recorder).number
    with worker.world.database.journal() as session:
        number = request_rebuild(session, requested_by=1, now=NOW).id
        assert request_rebuild(session, requested_by=1, now=NOW).id == number, "one at a time"
    worker.task.step()
    assert worker.woken == ["upkeep"]
    worker.task.step()
    assert worker.request(number).state == "running"
    again = RequestTask(worker.context)  # the worker was killed
    again.step()
    worker.settle()
    assert again.step() == 0.0
    assert worker.request(number).state == "done"
    assert serving(worker.world.recorder).number != before
    with worker.world.database.read() as session:
        assert list(session.scalars(select(IndexRequest.id))) == [number]


def test_a_rebuild_that_can_not_begin_has_failed_and_may_be_asked_for_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise Unavailable("There is no room for another index.")

    with worker.world.database.journal() as session:
        number = request_rebuild(session, requested_by=1, now=NOW).id
    with monkeypatch.context() as patched:
        patched.setattr(worker.upkeep, "rebuild", full)
        assert worker.task.step() == 0.0
    failed = worker.request(number)
    assert (failed.state, failed.problem) == ("failed", "There is no room for another index.")
    with worker.world.database.journal() as session:
        assert request_rebuild(session, requested_by=1, now=NOW).id != number
    worker.task.step()
    assert worker.woken == ["upkeep"]


def test_a_comparison_that_breaks_off_has_failed(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Verification, "_engine_differences", broken)
    with worker.world.database.journal() as session:
        number = request_verify(session, root_id=None, requested_by=1, now=NOW).id
    with pytest.raises(ZeroDivisionError):
        worker.task.step()
    assert worker.request(number).state == "failed"


def test_what_can_not_even_be_written_as_failed_is_begun_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("The database is away.")

    with worker.world.database.journal() as session:
        number = request_rebuild(session, requested_by=1, now=NOW).id
    with monkeypatch.context() as patched:
        patched.setattr(worker.upkeep, "rebuild", away)
        patched.setattr(worker.task, "_end", away)
        with pytest.raises(Unavailable):
            worker.task.step()
    assert worker.request(number).state == "running"
    worker.task.step()
    assert worker.woken == ["upkeep"]


class CountingLock:
    """The recorder's. How often somebody else might have had it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._depth = self.turns = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self.turns += self._depth == 0
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self._lock.release()


def test_events_are_recorded_while_the_engine_is_compared(worker: Worker) -> None:
    for number in range(8):
        worker.world.add_workspace(f"{number}/")
        worker.world.write(f"{number}/x")
    worker.world.crawl()
    worker.settle()
    lock = CountingLock(worker.world.recorder.lock)
    worker.world.recorder.lock = lock  # type: ignore[assignment]
    assert Verification(worker.context)._engine_differences([1]) == 0
    assert lock.turns == 8
