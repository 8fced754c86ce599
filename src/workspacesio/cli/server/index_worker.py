"""The index part of the service: a process of its own, gentle to the others, that stands by or does the work."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable

from workspacesio.cli.server.process_start import utc_now
from workspacesio.cli.server.state import ServerState
from workspacesio.database.sessions import Database
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.catalogue_store import CatalogueDamaged, CatalogueMissing
from workspacesio.index.changed_folders import ChangedFoldersTask
from workspacesio.index.crawl_task import CrawlTask
from workspacesio.index.engine_upkeep import EngineUpkeep
from workspacesio.index.events import EventTask
from workspacesio.index.extraction.task import ExtractionTask
from workspacesio.index.leases import INDEX_WRITER, Home, Lease
from workspacesio.index.opening import OLDER_DATABASE, Engines, index_folder, open_catalogue, prepare_catalogue
from workspacesio.index.recording import Recorder
from workspacesio.index.request_task import RequestTask
from workspacesio.index.watching import WatchTask
from workspacesio.index.worker import TaskMaker, TaskThreads, UpkeepTask, WorkerContext
from workspacesio.services.drivers import Drivers
from workspacesio.services.storage import wait_on

STANDBY_SECONDS = 2.0

BEGIN_SECONDS = 3_600.0
"""What it may take to look over what lies there; a big index is read as a whole."""
SIGN_SECONDS = 60.0
"""What may lie between two signs of life otherwise."""

NICENESS = 5
"""Requests go first, and a stream of events is kept up with. What nobody waits for is gentler (`worker.py`)."""

TASKS: tuple[TaskMaker, ...] = (
    UpkeepTask,
    EventTask,
    WatchTask,
    ChangedFoldersTask,
    CrawlTask,
    ExtractionTask,
    RequestTask,
)

logger = logging.getLogger(__name__)


def run_index_worker(
    state: ServerState,
    when_running: Callable[[], None] = lambda: None,
    alive: Callable[[float], None] = lambda _: None,
) -> int:
    """Until SIGTERM or SIGINT. `alive` is told again and again, with the seconds until the next time at most."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    os.nice(NICENESS)
    when_running()
    return IndexWorker(state, alive=alive).run(stopped)


class IndexWorker:
    """Stands by while another holds the lease, and while the database is away."""

    def __init__(
        self,
        state: ServerState,
        tasks: tuple[TaskMaker, ...] = TASKS,
        *,
        alive: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._state = state
        self._alive = alive
        self._tasks = tasks
        self._unfit: str | None = None

    def run(self, stopped: threading.Event) -> int:
        """0 when it was stopped in order; 1 where a task hangs, and only a new process can go on."""
        # What is loaded by now stays; to go through it again and again would cost a crawl a twentieth of its time.
        gc.freeze()
        home = Home(index_folder(self._state.settings))
        database = self._state.open_database()
        try:
            while not stopped.is_set():
                self._alive(SIGN_SECONDS)
                if not self._turn(home, database, stopped):
                    return 1
                stopped.wait(STANDBY_SECONDS)
        finally:
            database.dispose()
            home.close()
        return 0

    def _turn(self, home: Home, database: Database, stopped: threading.Event) -> bool:
        """Works as long as the lease lasts, if it can be had; False where a task didn't end."""
        if not home.hold():
            return True
        holder = f"{home.name} {socket.gethostname()[:20]} {os.getpid()}"
        lease = Lease(database, INDEX_WRITER, holder, clock=utc_now, home=home.name)
        try:
            if not lease.take():
                return True
        except WorkspacesIOError as error:
            logger.warning("the index waits: %s", error)
            return True
        try:
            return self._work(home, database, lease, stopped)
        except WorkspacesIOError as error:
            logger.warning("the index waits: %s", error)
            self._unfit = "it is damaged" if isinstance(error, CatalogueDamaged) else None
            return True
        finally:
            _give_back(lease)

    def _work(self, home: Home, database: Database, lease: Lease, stopped: threading.Event) -> bool:
        settings = self._state.settings
        self._alive(BEGIN_SECONDS)
        catalogue = open_catalogue(settings, self._state.database_url)
        if not lease.renew():  # what took long on the way here may have cost it
            return True
        unfit = self._unfit or (OLDER_DATABASE if home.beat > lease.beat_before else None)
        prepare_catalogue(catalogue, database, fence=lease.fence, beat=lease.beat_before, unfit=unfit)
        self._unfit = None
        home.note(lease.beat)
        numbers = catalogue.numbers()
        engines = Engines(settings, numbers["owner"])
        engines.erase_others(catalogue.engines(), numbers["catalogue"])
        recorder = Recorder(catalogue, [], fence=lease.fence)
        recorder.beat = lease.beat
        drivers = Drivers(database, settings, self._state.keyring)
        loop = _DriversLoop()
        threads = TaskThreads()
        try:
            upkeep = EngineUpkeep(recorder, engines)
            upkeep.prepare()
            context = WorkerContext(
                database=database,
                settings=settings,
                keyring=self._state.keyring,
                drivers=drivers,
                wait=wait_on(loop.loop),
                catalogue=catalogue,
                recorder=recorder,
                upkeep=upkeep,
                clock=utc_now,
                stopping=threads.stopping,
                wake=threads.wake,
                leave=threads.leave,
            )
            logger.info("this process writes the index now")
            threads.start(context, self._tasks)
            while not stopped.wait(1.0) and threads.ended is None:
                self._alive(SIGN_SECONDS)
                if not _is_held(lease):
                    logger.warning("the lease of the index is lost")
                    break
                if (hanging := threads.hanging()) is not None:
                    logger.error("%s: it hangs; another process goes on", hanging)
                    break
                if lease.beat != recorder.beat:
                    recorder.beat = lease.beat
                    home.note(lease.beat)
        finally:
            self._alive(SIGN_SECONDS)
            has_ended = threads.stop()
            recorder.close()
            if has_ended:
                loop.close(drivers)
            engines.close()
            catalogue.close()
        if isinstance(threads.ended, CatalogueDamaged | CatalogueMissing):
            raise threads.ended
        return has_ended


class _DriversLoop:
    """The event loop on which drivers live, in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="index drivers", daemon=True)
        self._thread.start()

    def close(self, drivers: Drivers) -> None:
        wait_on(self.loop)(drivers.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


def _is_held(lease: Lease) -> bool:
    if not lease.is_due():
        return True
    try:
        return lease.renew()
    except WorkspacesIOError as error:
        logger.warning("the lease of the index could not be renewed: %s", error)
        return not lease.is_lost()


def _give_back(lease: Lease) -> None:
    try:
        lease.give_back()
    except WorkspacesIOError as error:
        logger.warning("the lease of the index ends by itself: %s", error)
