"""One worker at a time writes the index: by a lease, whoever dies; and it starts from whatever lies there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, cast

import pytest
from sqlalchemy import select
from sqlalchemy.event import listen

from database.kinds import database_fixture, url_fixture
from journeys.disks import MIB, disk
from workspacesio.cli.server import supervisor
from workspacesio.cli.server.index_worker import IndexWorker
from workspacesio.cli.server.pulse import Pulse
from workspacesio.cli.server.state import ServerState
from workspacesio.cli.server.supervisor import Supervisor
from workspacesio.database.index_tables import Crawl, IndexCatalogue, IndexLease
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, Root
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.vocabulary import CrawlState
from workspacesio.index import leases, worker
from workspacesio.index.catalogue_tables import ENGINES_OF_A_CATALOGUE
from workspacesio.index.found import Found
from workspacesio.index.leases import LOST_SECONDS, STALE_SECONDS, Home, Lease
from workspacesio.index.opening import IndexReader, open_catalogue, prepare_catalogue
from workspacesio.index.recording import Recorder
from workspacesio.index.worker import UpkeepTask, WorkerContext
from workspacesio.services.keys import Keyring
from workspacesio.settings import Settings

database = database_fixture()
database_url = url_fixture("sqlite")
both_urls = url_fixture()


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def now() -> datetime:
    return datetime.now(UTC)


def wait_until(check: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.02)


# --- the lease ----------------------------------------------------------------------------------------------


def test_the_lease_is_one_s_until_its_beat_stands_still(database: Database) -> None:
    seconds = Seconds()
    first = Lease(database, "index_writer", "one", home="one", clock=now, seconds=seconds)
    second = Lease(database, "index_writer", "two", home="two", clock=now, seconds=seconds)
    assert first.take()
    assert not second.take()
    for _ in range(5):
        seconds.now += STALE_SECONDS - 1
        assert first.renew()
        assert not second.take()
    seconds.now += LOST_SECONDS
    assert first.is_lost()
    assert not second.take(), "the first has noticed before the second may"
    seconds.now += STALE_SECONDS - LOST_SECONDS
    assert second.take()
    assert second.fence == first.fence + 1
    assert not first.renew()
    assert not first.take()
    first.give_back()
    assert second.renew(), "what isn't held can't be given back"
    second.give_back()
    assert first.take()


def test_of_two_that_want_it_at_once_one_has_it(database: Database) -> None:
    leases = [Lease(database, "index_writer", f"h{one}", home=f"h{one}", clock=now) for one in range(4)]
    taken: list[int] = []
    threads = [
        threading.Thread(target=lambda lease=lease: taken.append(lease.fence) if lease.take() else None)  # type: ignore[misc]
        for lease in leases
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == [1]


def test_a_beat_is_not_lost_in_a_power_cut(database: Database) -> None:
    """The catalogue, which keeps it, isn't either; and an older one here would tell of a restored database."""
    lease = Lease(database, "index_writer", "one", home="one", clock=now)
    assert lease.take()
    said: list[str] = []
    listen(database.engine, "before_cursor_execute", lambda *event: said.append(event[2]))
    assert lease.renew()
    assert any("index_leases" in statement for statement in said)
    assert [one for one in said if "synchronous" in one] == ["PRAGMA synchronous=FULL"] * database.is_sqlite


def test_a_state_folder_has_one_home(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "index"), Home(tmp_path / "index")
    assert first.hold()
    assert not second.hold()
    first.note(77)
    first.close()
    assert second.hold()
    assert (second.name, second.beat) == (first.name, 77)
    second.close()


# --- workers ------------------------------------------------------------------------------------------------


class PutTask:
    """Records an object every few milliseconds, named after the process."""

    name = "put"

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._count = 0

    def step(self) -> float:
        self._count += 1
        name = f"{os.getpid()}-{self._count}"
        self._context.recorder.put(1, f"a/{name}", Found(name, 1, 1))
        self._context.recorder.commit()
        return 0.02

    def close(self) -> None:
        pass


class BrokenTask(PutTask):
    name = "broken"

    def step(self) -> float:
        raise ValueError("what nobody foresaw")


def run_worker(state_dir: Path, url: str) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    state = ServerState(Settings(state_dir=state_dir), Keyring("x" * 32), url)
    os._exit(IndexWorker(state, (UpkeepTask, BrokenTask, PutTask)).run(stopped))


Start = Callable[[], BaseProcess]


@pytest.fixture
def start(tmp_path: Path, both_urls: str) -> Iterator[Start]:
    started: list[BaseProcess] = []

    def begin() -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(target=run_worker, args=(tmp_path, both_urls))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.join()


def test_the_next_worker_goes_on_where_one_was_killed(start: Start, tmp_path: Path, both_urls: str) -> None:
    reader = IndexReader(Settings(state_dir=tmp_path), both_urls)

    def recorded_by(pid: int | None) -> int:
        try:
            names = [one.name for one in reader.catalogue.listing(1, "a/")]
        except Exception:
            return 0
        return sum(name.startswith(f"{pid}-") for name in names)

    first, second = start(), start()
    wait_until(lambda: recorded_by(first.pid) > 5 or recorded_by(second.pid) > 5)
    holder, waiting = (first, second) if recorded_by(first.pid) else (second, first)
    time.sleep(0.5)
    assert recorded_by(waiting.pid) == 0
    holder.kill()
    holder.join()
    wait_until(lambda: recorded_by(waiting.pid) > 5, seconds=STALE_SECONDS / 2)
    third = start()
    waiting.terminate()
    waiting.join(15)
    assert waiting.exitcode == 0, "told to stop, it does so in order"
    wait_until(lambda: recorded_by(third.pid) > 5, seconds=STALE_SECONDS / 2)
    third.terminate()
    third.join(15)
    held = reader.catalogue.listing(1, "a/")
    assert reader.engine().entries() == len(held)
    assert {one.state for one in reader.catalogue.engines()} == {"serving"}
    database = Database(both_urls)
    with database.read() as session:
        lease = session.scalars(select(IndexLease)).one()
        assert (lease.holder, lease.fence) == ("", 3)
    database.dispose()
    reader.close()


class ToldTask(UpkeepTask):
    """Says when it began and when it ended."""

    told: ClassVar[list[str]] = []

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context)
        self.told.append("begun")

    def close(self) -> None:
        self.told.append("ended")


def test_a_database_that_goes_away_ends_the_work_and_nothing_else(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(leases, "LOST_SECONDS", 1.0)
    monkeypatch.setattr(ToldTask, "told", [])
    path = database_url.removeprefix("sqlite:///")
    state = ServerState(Settings(state_dir=tmp_path), Keyring("x" * 32), database_url)
    stopped = threading.Event()
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(IndexWorker(state, (ToldTask,)).run(stopped)))
    thread.start()
    wait_until(lambda: ToldTask.told == ["begun"])
    os.rename(path, f"{path}.away")
    wait_until(lambda: ToldTask.told == ["begun", "ended"])
    assert thread.is_alive()
    os.rename(f"{path}.away", path)
    wait_until(lambda: ToldTask.told == ["begun", "ended", "begun"])
    stopped.set()
    thread.join(15)
    assert statuses == [0]


# --- a worker that hangs ------------------------------------------------------------------------------------


class StuckTask(UpkeepTask):
    """Its first step ends when the test says so."""

    name = "events"
    go_on: ClassVar[threading.Event]

    def step(self) -> float:
        self.go_on.wait(30)
        return 1.0


def test_a_worker_with_a_step_that_does_not_end_ends_itself(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next process goes on: threads can't be ended."""
    monkeypatch.setattr(worker, "HANG_SECONDS", 0.5)
    monkeypatch.setattr(worker, "END_SECONDS", 0.2)
    monkeypatch.setattr(StuckTask, "go_on", threading.Event(), raising=False)
    state = ServerState(Settings(state_dir=tmp_path), Keyring("x" * 32), database_url)
    signs: list[float] = []
    stopped = threading.Event()
    late = threading.Timer(15, stopped.set)
    late.start()
    try:
        assert IndexWorker(state, (StuckTask,), alive=signs.append).run(stopped) == 1
    finally:
        late.cancel()
        StuckTask.go_on.set()
    assert "events: it hangs" in caplog.text
    assert len(signs) >= 3, "it was seen to live until then"


def test_a_step_does_not_hang_while_the_process_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped and continued, whoever looks at the steps sees old ones first."""
    monkeypatch.setattr(worker, "HANG_SECONDS", 0.3)
    monkeypatch.setattr(worker, "STOOD_STILL_SECONDS", 0.2)
    monkeypatch.setattr(StuckTask, "go_on", threading.Event(), raising=False)
    threads = worker.TaskThreads()
    threads.start(cast("WorkerContext", SimpleNamespace(upkeep=None)), (StuckTask,))
    try:
        assert threads.hanging() is None
        time.sleep(0.4)
        assert threads.hanging() is None
        wait_until(lambda: threads.hanging() == "events", seconds=2)
    finally:
        StuckTask.go_on.set()
        assert threads.stop()


def supervise(started: SimpleQueue[int]) -> None:
    supervisor.STOOD_STILL_SECONDS = 1.0
    pulse = Pulse()

    def part(beat: Callable[[float], None]) -> int:
        started.put(os.getpid())
        while True:
            beat(1.0)
            time.sleep(0.05)

    parts = {"index": partial(part, pulse.beat), "other": partial(part, lambda _: None)}
    Supervisor(parts, pulses={"index": pulse}, pause=0.1).run(lambda: None)


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_part_that_hangs_is_replaced_and_no_other() -> None:
    """Stopped as by a library that holds the interpreter for ever: it neither ends nor says anything."""
    context = multiprocessing.get_context("spawn")
    started: SimpleQueue[int] = context.SimpleQueue()
    supervising = context.Process(target=supervise, args=(started,))
    supervising.start()
    try:
        first, second = started.get(), started.get()
        time.sleep(1.5)
        assert started.empty(), "who gives signs of life is left alone"
        assert {_name(first), _name(second)} == {"wio index", "wio other"}
        hangs, other = (first, second) if _name(first) == "wio index" else (second, first)
        os.kill(hangs, signal.SIGSTOP)
        wait_until(lambda: not started.empty())
        assert started.get() not in (hangs, other)
        with pytest.raises(ProcessLookupError):
            os.kill(hangs, 0)
        os.kill(other, 0)
    finally:
        supervising.terminate()
        supervising.join()


def test_a_service_that_was_stopped_and_goes_on_keeps_its_parts() -> None:
    """As by Ctrl-Z and fg: who looks after the parts goes on first, and finds no sign of life for long."""
    context = multiprocessing.get_context("spawn")
    started: SimpleQueue[int] = context.SimpleQueue()
    supervising = context.Process(target=supervise, args=(started,))
    supervising.start()
    try:
        parts = [started.get(), started.get()]
        assert supervising.pid is not None
        family = [supervising.pid, *parts]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)
        for pid in family:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.5)
        time.sleep(0.5)
        assert started.empty()
        for pid in parts:
            os.kill(pid, 0)
    finally:
        supervising.terminate()
        supervising.join()


def supervise_slow_starters(started: SimpleQueue[int]) -> None:
    """Parts that take long from being forked to knowing what a signal means for them."""

    def slowly(_name: str) -> None:
        started.put(os.getpid())
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            time.sleep(0.05)

    vars(supervisor)["name_process"] = slowly
    parts = dict.fromkeys(("one", "other"), partial(time.sleep, 60))
    Supervisor(cast("dict[str, Callable[[], int]]", parts)).run(lambda: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_part_that_is_told_to_stop_right_after_its_start_stops(number: signal.Signals) -> None:
    context = multiprocessing.get_context("spawn")
    started: SimpleQueue[int] = context.SimpleQueue()
    supervising = context.Process(target=supervise_slow_starters, args=(started,))
    supervising.start()
    family = [supervising.pid, started.get(), started.get()]
    begun = time.monotonic()
    for pid in family if number is signal.SIGINT else family[:1]:  # a terminal tells all of them
        assert pid is not None
        os.kill(pid, number)
    supervising.join()
    assert time.monotonic() - begun < 5
    assert supervising.exitcode == 0


# --- what lies there at the start ---------------------------------------------------------------------------


def _crawled(database: Database) -> None:
    """A root whose crawl was done, and one under way."""
    with database.write() as session:
        node = Node(name="n", kind="folder", path="/data", layout="bucket", bucket="b", created_at=now())
        session.add(node)
        session.flush()
        root = Root(node_id=node.id, name="r", bucket="b", prefix="", type="private", created_at=now())
        session.add(root)
        session.flush()
        for state, position in ((CrawlState.DONE, None), (CrawlState.PAUSED, {"workspace_id": 1})):
            session.add(
                Crawl(root_id=root.id, state=state.value, reason="import", created_at=now(), position=position)
            )


@pytest.mark.parametrize("damage", ["missing", "rubbish", "cut", "version"])
def test_a_catalogue_that_is_no_good_is_made_anew_and_all_is_crawled(
    tmp_path: Path, database_url: str, damage: str
) -> None:
    database = Database(database_url)
    catalogue = open_catalogue(Settings(state_dir=tmp_path), database_url)
    prepare_catalogue(catalogue, database, fence=1)
    _crawled(database)
    recorder = Recorder(catalogue, [], fence=1)
    for number in range(500):
        recorder.put(1, f"{number}/x", Found("x", 1, 1))
    recorder.close()
    before = catalogue.numbers()
    ids = set(catalogue.folder_ids([(1, ""), (1, "7/")]).values())
    catalogue.close()
    prepare_catalogue(catalogue, database, fence=2)
    assert catalogue.totals() == (500, 500), "one that is sound stays"
    catalogue.close()

    file = tmp_path / "index" / "catalogue.sqlite"
    whole = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "rubbish":
            file.write_bytes(whole[:4096] + b"rubbish" * 3000 + whole[25096:])
        case "cut":
            file.write_bytes(whole[: len(whole) // 3])
        case "version":
            with catalogue.store.connect() as connection, connection.begin():
                connection.exec_driver_sql("UPDATE catalogue_numbers SET value = 0 WHERE name = 'version'")
    reader = IndexReader(Settings(state_dir=tmp_path), database_url)
    [(code, _)] = reader.incomplete()
    assert code in ("index_missing", "index_damaged")
    prepare_catalogue(catalogue, database, fence=3)
    assert catalogue.totals() == (0, 0)
    assert catalogue.numbers()["owner"] == before["owner"]
    recorder = Recorder(catalogue, [], fence=3)
    recorder.put(1, "7/x", Found("x", 1, 1))
    recorder.close()
    assert ids.isdisjoint(catalogue.folder_ids([(1, ""), (1, "7/")]).values())
    with database.read() as session:
        crawls = {crawl.state: crawl for crawl in session.scalars(select(Crawl))}
        assert crawls.keys() == {CrawlState.QUEUED.value}, "what was paused begins again, and nothing failed"
        assert crawls[CrawlState.QUEUED.value].position is None
        assert len(list(session.scalars(select(IndexCatalogue)))) == 2
    reader.close()
    catalogue.close()
    database.dispose()


def test_where_no_catalogue_can_be_made_nothing_piles_up(tmp_path: Path, database_url: str) -> None:
    database = Database(database_url)
    _crawled(database)
    with disk(str(tmp_path), size=8 * MIB) as small:
        state = Path(small.point)
        catalogue = open_catalogue(Settings(state_dir=state), database_url)
        (state / "index").mkdir()
        ballast = state / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        for fence in range(1, 6):
            with pytest.raises(Unavailable):
                prepare_catalogue(catalogue, database, fence=fence)
        ballast.unlink()
        prepare_catalogue(catalogue, database, fence=6)
        with database.read() as session:
            rows = session.scalars(select(IndexCatalogue).order_by(IndexCatalogue.id)).all()
            assert len(rows) == 2
            assert len({row.owner for row in rows}) == 1
        held = catalogue.numbers()
        assert (held["catalogue"], held["owner"]) == (rows[-1].id, rows[0].owner)
        assert held["catalogue"] == 6, "no number is given out again"
        catalogue.close()
    database.dispose()


def test_a_restored_database_never_meets_an_index_that_is_newer(tmp_path: Path, database_url: str) -> None:
    """It gives numbers of workspaces out again, to others, who would find what was there."""
    seconds = Seconds()
    database = Database(database_url)
    catalogue = open_catalogue(Settings(state_dir=tmp_path), database_url)

    before = Path(database_url.removeprefix("sqlite:///"))

    def back_up() -> None:
        with closing(sqlite3.connect(before)) as source, closing(sqlite3.connect(tmp_path / "backup")) as target:
            source.backup(target)

    def work(meanwhile: Callable[[], None] = lambda: None) -> None:
        """One worker's life, in which something is recorded a while after it began."""
        lease = Lease(database, "index_writer", "one", home="one", clock=now, seconds=seconds)
        assert lease.take()
        prepare_catalogue(catalogue, database, fence=lease.fence, beat=lease.beat_before)
        recorder = Recorder(catalogue, [], fence=lease.fence)
        meanwhile()
        for _ in range(3):
            assert lease.renew()
        recorder.beat = lease.beat
        number = lease.beat
        recorder.put(1, f"{number}", Found(f"{number}", 1, 1))
        recorder.close()
        lease.give_back()

    work()
    work()
    assert len(catalogue.listing(1, "")) == 2, "a worker that goes on keeps what is there"
    ids = set(catalogue.folder_ids([(1, "")]).values())
    work(meanwhile=back_up)
    database.dispose()
    for name in (f"{before}-wal", f"{before}-shm"):
        Path(name).unlink(missing_ok=True)
    before.write_bytes((tmp_path / "backup").read_bytes())

    database = Database(database_url)
    work()
    assert len(catalogue.listing(1, "")) == 1
    assert ids.isdisjoint(catalogue.folder_ids([(1, "")]).values())
    database.dispose()
    catalogue.close()


def test_a_state_folder_that_is_newer_than_the_database_is_not_believed(tmp_path: Path, both_urls: str) -> None:
    """Catalogue and database were restored together; the engine beside them knows what came later."""
    settings = Settings(state_dir=tmp_path)
    state = ServerState(settings, Keyring("x" * 32), both_urls)

    def work(begun: Callable[[], bool] = lambda: True) -> None:
        """Until it has begun, and something was put and is found."""
        stopped = threading.Event()
        thread = threading.Thread(target=IndexWorker(state, (UpkeepTask, PutTask)).run, args=(stopped,))
        thread.start()
        reader = IndexReader(settings, both_urls)

        def finds() -> bool:
            try:
                return begun() and reader.engine().entries() > 0
            except Unavailable:
                return False

        wait_until(finds)
        stopped.set()
        thread.join(15)
        reader.close()

    work()
    catalogue = open_catalogue(settings, both_urls)
    first = catalogue.numbers()["catalogue"]
    work()
    assert catalogue.numbers()["catalogue"] == first
    home = Home(tmp_path / "index")
    assert home.hold()
    home.note(home.beat + 1_000)
    home.close()
    work(lambda: catalogue.numbers()["catalogue"] > first)
    assert all(row.number > ENGINES_OF_A_CATALOGUE * (first + 1) for row in catalogue.engines())
    catalogue.close()
