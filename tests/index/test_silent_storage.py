"""A root whose storage takes a call and never answers holds up no other root, and goes on when it answers."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest

from index.crawl_world import NOW, CrawlWorld
from workspacesio.cli.server import index_worker, roles
from workspacesio.cli.server.index_worker import IndexWorker
from workspacesio.cli.server.state import ServerState
from workspacesio.database.index_tables import Crawl, IndexRequest
from workspacesio.database.tables import Node, Root, Workspace
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, FolderLayout, NodeKind, RootType
from workspacesio.index import answering_drivers, crawl_task, marks, verifying, watched_workspaces, watching
from workspacesio.index.changed_folders import ChangedFoldersTask
from workspacesio.index.crawl_queue import LEASE, MOST_SILENT, CrawlQueue
from workspacesio.index.crawl_task import CrawlTask
from workspacesio.index.events import EventTask
from workspacesio.index.freshness import Freshness, KeptBy, freshness_of_roots
from workspacesio.index.opening import IndexReader
from workspacesio.index.request_task import RequestTask
from workspacesio.index.storage_silence import Silence
from workspacesio.index.watching import WatchTask
from workspacesio.index.worker import TaskMaker, UpkeepTask
from workspacesio.services.crawl_requests import pause_crawl, resume_crawl
from workspacesio.services.index_requests import request_verify
from workspacesio.services.keys import Keyring
from workspacesio.settings import Settings


def wait_until(check: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.02)


class Mounts:
    """Folders of the node in which listing one takes until `answer`. `waiting`: where it is listed now."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._real = os.scandir
        self._answers: dict[str, threading.Event] = {}
        self._busy: dict[str, threading.Event] = {}
        self.waiting: list[str] = []

    def hang(self, name: str) -> None:
        self._answers[name] = threading.Event()

    def be_slow(self, name: str) -> None:
        """Something comes now and then."""
        self._busy[name] = threading.Event()

    def answer(self, name: str) -> None:
        (self._answers.get(name) or self._busy[name]).set()

    def answer_all(self) -> None:
        for event in [*self._answers.values(), *self._busy.values()]:
            event.set()

    def scandir(self, folder: Any = ".") -> Any:
        where = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) else os.fsdecode(folder)
        name = where.removeprefix(self._folder).strip("/").split("/")[0]
        self.waiting.append(name)
        if name in self._answers:
            self._answers[name].wait()
        while name in self._busy and not self._busy[name].wait(0.005):
            pass
        self.waiting.remove(name)
        return self._real(folder)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CrawlWorld]:
    made = CrawlWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def mounts(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounts]:
    made = Mounts(world.folder)
    monkeypatch.setattr(os, "scandir", made.scandir)
    monkeypatch.setattr(crawl_task, "SILENT_SECONDS", 0.7)
    monkeypatch.setattr(crawl_task, "TELL_SECONDS", 0.1)
    monkeypatch.setattr(crawl_task, "LEAVE_SECONDS", 0.2)
    monkeypatch.setattr(crawl_task, "LOOK_SECONDS", 0.05)
    yield made
    made.answer_all()


class Serve(Protocol):
    def __call__(self, tasks: tuple[TaskMaker, ...] = ...) -> Service: ...


class Service:
    """The worker as `wio serve` has it, in a thread."""

    def __init__(self, world: CrawlWorld, tasks: tuple[TaskMaker, ...]) -> None:
        settings = Settings(state_dir=world.base / "state")
        (world.base / "state").mkdir(exist_ok=True)
        state = ServerState(settings, Keyring("x" * 32), world.url)
        self.reader = IndexReader(settings, world.url)
        self._stopped = threading.Event()
        self._statuses: list[int] = []
        worker = IndexWorker(state, tasks)
        self._thread = threading.Thread(
            target=lambda: self._statuses.append(worker.run(self._stopped)), daemon=True
        )
        self._thread.start()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join(20)
        return self._statuses[0]

    def holds(self, workspace_id: int) -> set[str]:
        return {found.name for found in self.reader.catalogue.listing(workspace_id, "")}


@pytest.fixture
def serve(world: CrawlWorld, mounts: Mounts) -> Iterator[Serve]:
    served: list[Service] = []

    def begin(tasks: tuple[TaskMaker, ...] = (UpkeepTask, CrawlTask)) -> Service:
        served.append(Service(world, tasks))
        return served[-1]

    yield begin
    mounts.answer_all()
    for service in served:
        service.stop()
        service.reader.close()


@pytest.fixture
def root_of(world: CrawlWorld) -> Callable[[str], tuple[int, int]]:
    """A root with a workspace in which there is a file: their numbers."""

    def make(name: str) -> tuple[int, int]:
        root = world.add_root(name, f"{name}/")
        world.write(f"{name}/w/file")
        return root, world.add_workspace(f"{name}/w/", root_id=root)

    return make


RootOf = Callable[[str], tuple[int, int]]


def test_a_root_that_does_not_answer_holds_up_no_other(
    world: CrawlWorld, mounts: Mounts, root_of: RootOf, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (dead, in_dead), (other, in_other) = root_of("dead"), root_of("other")
    mounts.hang("dead")
    hanging = world.request(root_id=dead)
    service = serve()
    wait_until(lambda: mounts.waiting == ["dead"])
    following = world.request(root_id=other)
    wait_until(lambda: world.row(following).state == CrawlState.DONE)
    assert service.holds(in_other) == {"file"}
    row = world.row(hanging)
    assert row.state == CrawlState.RUNNING
    assert "Nothing has come from the root's storage since" in str(row.problem)
    wait_until(lambda: str(world.row(hanging).lease_until) > str(row.lease_until))
    assert f"crawl {hanging} of root dead: nothing came from the root's storage for" in caplog.text
    again = world.request(root_id=dead, workspace_id=in_dead)
    time.sleep(0.3)
    assert world.row(again).state == CrawlState.QUEUED, "of a root one crawl is under way"
    mounts.answer("dead")
    wait_until(lambda: world.row(again).state == CrawlState.DONE)
    assert (world.row(hanging).state, world.row(hanging).problem) == (CrawlState.DONE, None)
    assert service.holds(in_dead) == {"file"}
    assert f"crawl {hanging} of root dead: its storage answers" in caplog.text
    assert service.stop() == 0


def test_a_root_that_does_not_answer_holds_up_no_comparison_of_others(
    world: CrawlWorld, mounts: Mounts, root_of: RootOf, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(verifying, "SILENT_SECONDS", 0.7)
    root_of("dead")
    (other, _) = root_of("other")
    service = serve((UpkeepTask, CrawlTask, RequestTask))
    crawled = world.request(root_id=other)
    wait_until(lambda: world.row(crawled).state == CrawlState.DONE)
    world.write("other/w/new")
    mounts.hang("dead")

    def compared(root_id: int | None) -> IndexRequest:
        with world.database.journal() as session:
            number = request_verify(session, root_id=root_id, requested_by=1, now=NOW).id

        def row() -> IndexRequest:
            with world.database.read() as session:
                return session.get_one(IndexRequest, number)

        wait_until(lambda: row().state in ("done", "failed"))
        return row()

    both = compared(None)
    assert (both.state, both.report["missing"]) == ("failed", 1)
    assert both.problem == (
        "Root dead could not be compared to its end: its storage doesn't answer; compare it again when it does."
    )
    alone = compared(other)
    assert (alone.state, alone.report["missing"]) == ("done", 1)
    assert set(mounts.waiting) == {"dead"}
    mounts.answer("dead")
    wait_until(lambda: not mounts.waiting)
    assert service.stop() == 0


def test_stopping_waits_for_no_storage(world: CrawlWorld, mounts: Mounts, root_of: RootOf, serve: Serve) -> None:
    dead, in_dead = root_of("dead")
    mounts.hang("dead")
    hanging = world.request(root_id=dead)
    service = serve()
    wait_until(lambda: world.row(hanging).problem is not None)
    begun = time.monotonic()
    assert service.stop() == 1, "threads can't be ended, so the process is to"
    assert time.monotonic() - begun < 5
    mounts.answer("dead")
    wait_until(lambda: not mounts.waiting)
    assert world.row(hanging).state == CrawlState.RUNNING, "the next worker takes it over"
    service = serve()
    wait_until(lambda: world.row(hanging).state == CrawlState.DONE)
    assert service.holds(in_dead) == {"file"}
    assert service.stop() == 0


def test_what_answers_while_another_is_at_work_waits_for_its_turn(
    world: CrawlWorld, mounts: Mounts, root_of: RootOf, serve: Serve
) -> None:
    """Two at work at once are a third as fast, and take twice the memory."""
    (dead, in_dead), (slow, in_slow) = root_of("dead"), root_of("slow")
    mounts.hang("dead")
    mounts.be_slow("slow")
    hanging, slowly = world.request(root_id=dead), world.request(root_id=slow)
    service = serve()
    wait_until(lambda: sorted(mounts.waiting) == ["dead", "slow"])
    time.sleep(1.0)
    assert world.row(slowly).problem is None, "something came of it"
    mounts.answer("dead")
    wait_until(lambda: world.row(hanging).state == CrawlState.QUEUED)
    assert world.row(hanging).problem is None
    assert mounts.waiting == ["slow"]
    mounts.answer("slow")
    wait_until(lambda: world.row(hanging).state == CrawlState.DONE)
    assert world.row(slowly).state == CrawlState.DONE
    assert service.holds(in_dead) == service.holds(in_slow) == {"file"}
    assert service.stop() == 0


def test_what_is_paused_while_it_does_not_answer_is_let_go_when_it_does(
    world: CrawlWorld, mounts: Mounts, root_of: RootOf, serve: Serve
) -> None:
    dead, _ = root_of("dead")
    mounts.hang("dead")
    hanging = world.request(root_id=dead)
    service = serve()
    wait_until(lambda: world.row(hanging).problem is not None)
    with world.database.write() as session:
        pause_crawl(session.get_one(Crawl, hanging))
        session.flush()
        resume_crawl(session.get_one(Crawl, hanging))
    time.sleep(0.3)
    assert mounts.waiting == ["dead"], "one thread is at it"
    mounts.answer("dead")
    wait_until(lambda: world.row(hanging).state == CrawlState.DONE)
    assert service.stop() == 0


def test_a_node_that_does_not_answer_is_no_reason_not_to_watch_others(
    world: CrawlWorld, mounts: Mounts, root_of: RootOf, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the worker would be taken for one that hangs, and so would the next, as long as the mount is dead."""
    monkeypatch.setattr(answering_drivers, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(watched_workspaces, "AWAY_SECONDS", 0.2)
    monkeypatch.setattr(watching, "WRITE_SECONDS", 0.1)
    monkeypatch.setattr(watching, "REFRESH_SECONDS", 0.1)
    alive, in_alive = root_of("alive")
    dead = world.base / "dead"
    (dead / "w").mkdir(parents=True)
    with world.database.write() as session:
        node = Node(name="d", kind=NodeKind.FOLDER, path=str(dead), created_at=world.now)
        node.layout, node.bucket = FolderLayout.BUCKET, "dead"
        session.add(node)
        session.flush()
        for number in (1, 2):
            root = Root(name=f"d{number}", node_id=node.id, bucket="dead", prefix=f"w{number}/", created_at=NOW)
            root.type = RootType.UNMANAGED_PRIVATE
            session.add(root)
            session.flush()
            workspace = Workspace(name=f"d{number}", owner_id=1, root_id=root.id, node_id=node.id, bucket="dead")
            workspace.prefix, workspace.imported, workspace.created_at = f"w{number}/", True, NOW
            session.add(workspace)
    answers = threading.Event()
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if path == str(dead):
            answers.wait()
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)

    def freshness(root: int) -> Freshness | None:
        with world.database.read() as session:
            known = freshness_of_roots(session).get(root)
            return known and known.freshness

    service = serve((UpkeepTask, EventTask, WatchTask, ChangedFoldersTask))
    try:
        wait_until(lambda: (known := freshness(alive)) and known.kept_by is KeptBy.WATCHING)
        world.write("alive/w/new")
        wait_until(lambda: "new" in service.holds(in_alive))
        told = [known for root in (alive + 1, alive + 2) if (known := freshness(root))]
        assert [(one.away, "doesn't answer" in str(one.problem)) for one in told] == [(True, True)] * 2
        time.sleep(0.6)
        asking = [one for one in threading.enumerate() if one.name == "asking storage"]
        assert len(asking) == 2, "nobody asks again before it answers"
    finally:
        answers.set()
    wait_until(lambda: (known := freshness(alive + 1)) and not known.away)


def test_silent_crawls_keep_their_roots_and_few_are_of_one_node(world: CrawlWorld) -> None:
    with world.database.write() as session:
        node = {"kind": NodeKind.FOLDER, "layout": FolderLayout.BUCKET, "created_at": world.now}
        session.add(Node(name="m", path="/nowhere", bucket="elsewhere", **node))
        session.flush()
        elsewhere = Root(name="e", node_id=2, bucket="elsewhere", prefix="", created_at=world.now)
        elsewhere.type = RootType.UNMANAGED_PRIVATE
        session.add(elsewhere)
    roots = [world.add_root(f"r{number}", f"r{number}/") for number in range(MOST_SILENT + 1)]
    for root in roots:
        world.request(root_id=root)
    silent = tuple(taken for _ in roots[1:] if (taken := world.queue.take()) is not None)
    assert len(silent) == MOST_SILENT
    world.queue.silent = silent
    world.pass_time(seconds=LEASE.total_seconds() + 1)
    assert world.queue.take() is None, "neither what is silent nor the next of the same node"
    urgent = world.request(root_id=2, reason=CrawlReason.SCHEDULE)
    taken = world.queue.take()
    assert taken is not None
    assert (taken.id, taken.root) == (urgent, "e")
    assert not world.queue.is_more_urgent(taken), "what can't be begun doesn't send others back"
    world.queue.silent = silent[1:]
    assert world.queue.is_more_urgent(taken)
    other = CrawlQueue(world.database, "other", lambda: world.now)
    assert other.take_over() == MOST_SILENT + 1
    world.queue.tell_silence(silent[0].id, world.now)
    assert world.row(silent[0].id).problem is None, "it is in other hands"


@pytest.mark.parametrize("nap", [0.01, None])
def test_whoever_gets_anything_is_not_silent(nap: float | None) -> None:
    silence = Silence()
    assert silence.seconds() == 0
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(nap):
            pass

    thread = threading.Thread(target=lambda: silence.ask(ask))
    thread.start()
    most, deadline = 0.0, time.monotonic() + 1.0
    while time.monotonic() < deadline:
        most = max(most, silence.seconds())
        time.sleep(0.05)
    assert (most < 0.7) == (nap is not None)
    stop.set()
    thread.join()
    assert silence.seconds() == 0


def test_a_listing_that_never_ends_keeps_few_touches_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "MOST_KEPT", 2_000)
    touches = marks.Touches()
    before = touches.mark()
    touches.touch(1, "a/first")
    assert touches.names(1, "a/", before) == {"first"}
    for number in range(10_000):
        touches.touch(1, f"a/{number}")
        since = touches.mark() if number == 9_000 else before
    assert not touches.is_outdated(1, "a/", touches.mark())
    assert touches.is_outdated(1, "a/", before), "what it names isn't all that was touched"
    assert len(touches.names(1, "a/", before)) < 5_000
    touches.touch(1, "a/last")
    assert "last" in touches.names(1, "a/", since)


def serve_index_that_hangs() -> None:
    def run(*_: object) -> int:
        ThreadPoolExecutor(1).submit(threading.Event().wait)
        return 1

    index_worker.run_index_worker = run
    roles.run_role(roles.INDEX, None, None)  # type: ignore[arg-type]


def test_a_process_of_which_a_thread_hangs_ends_at_once() -> None:
    """Threads that read contents or look at keys are waited for, else, until the service kills the process."""
    process = multiprocessing.get_context("spawn").Process(target=serve_index_that_hangs)
    process.start()
    process.join(20)
    try:
        assert process.exitcode == 1
    finally:
        process.kill()
        process.join()
