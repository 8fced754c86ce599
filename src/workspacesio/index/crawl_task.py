"""The index worker's part that crawls: what is queued, what is due, and forgetting old rows.

One crawl is at work at a time, in a thread of its own. A call into storage may never return, as on a network mount
whose server is gone, and a thread can't be ended. So a crawl for which nothing comes is left to itself, its row
and the log say so, and another root's takes its turn; it keeps its lease, and nobody else crawls that root. When
something comes it goes on if no other is at work, or else is put back among those that wait.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from workspacesio.database.sessions import Database
from workspacesio.index.crawl_places import Recording
from workspacesio.index.crawl_queue import CrawlQueue, TakenCrawl
from workspacesio.index.crawling import Crawler
from workspacesio.index.storage_silence import Silence
from workspacesio.nodes.driver import StorageDriver
from workspacesio.settings import Settings

LOOK_SECONDS = 1.0
SCHEDULE_SECONDS = 30.0

SILENT_SECONDS = 30.0
"""A disk that had to start, or a server that was started again, has answered by then."""
TELL_SECONDS = 60.0
"""How often the lease of a silent crawl is renewed, as its own thread can't."""
LEAVE_SECONDS = 2.0
"""When the service stops, a crawl that was silent for so long isn't waited for."""

logger = logging.getLogger(__name__)


class CrawlContext(Protocol):
    """What a crawl needs of the worker."""

    @property
    def database(self) -> Database: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def drivers(self) -> Callable[[int], StorageDriver]: ...

    @property
    def recorder(self) -> Recording: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...

    @property
    def stopping(self) -> Callable[[], bool]: ...

    @property
    def leave(self) -> Callable[[threading.Thread], None]:
        """A thread that may never end, and isn't waited for."""
        ...


@dataclass(slots=True, eq=False)
class _Crawling:
    """A crawl and its thread. `told_at`: when its silence was written last; None while something comes."""

    taken: TakenCrawl
    silence: Silence = field(default_factory=Silence)
    thread: threading.Thread = field(default_factory=threading.Thread)
    told_at: float | None = None
    has_ended: bool = False
    error: BaseException | None = None


class CrawlTask:
    """Made by whoever holds the lease of the index: no other worker crawls any more, whatever rows say."""

    name = "crawls"

    def __init__(self, context: CrawlContext) -> None:
        self._context = context
        self._queue = CrawlQueue(context.database, secrets.token_hex(16), context.clock)
        self._crawler = Crawler(
            context.database,
            context.drivers,
            context.recorder,
            self._queue,
            scratch=str(context.settings.state_dir),
        )
        self._taken_over = False
        self._schedule_at = 0.0
        self._under_way: list[_Crawling] = []
        self._ended = threading.Event()
        self._turns = threading.Lock()
        self._at_work: _Crawling | None = None

    def step(self) -> float:
        """Looks after what is crawled, and begins the next. Returns the seconds until the next look.

        Raises what ended a crawl but could not be written: LeaseLost, CatalogueDamaged, CatalogueMissing, and what
        nobody foresaw.
        """
        if not self._taken_over:
            self._queue.take_over()
            self._taken_over = True
        if time.monotonic() >= self._schedule_at:
            self._queue.schedule_due()
            self._queue.forget_old()
            self._schedule_at = time.monotonic() + SCHEDULE_SECONDS
        self._crawler.repair_usage()
        self._look_after()
        if self._at_work is None and not self._begin_next():
            return LOOK_SECONDS
        self._ended.wait(LOOK_SECONDS)
        self._ended.clear()
        self._take_leave()
        return 0.0

    def close(self) -> None:
        """Waits for crawls to stop where they are, and for none from whose storage nothing comes."""
        for crawling in self._under_way:
            while crawling.thread.is_alive() and crawling.silence.seconds() < LEAVE_SECONDS:
                crawling.thread.join(0.1)
            if crawling.thread.is_alive():
                self._context.leave(crawling.thread)

    # --- whose turn it is -----------------------------------------------------------------------------------

    def _begin_next(self) -> bool:
        taken = self._queue.take()
        if taken is None:
            return False
        crawling = _Crawling(taken)
        crawling.thread = threading.Thread(target=self._run, args=(crawling,), name="index crawl", daemon=True)
        with self._turns:  # one that was silent may have taken it a moment ago, and is put back
            self._at_work = crawling
        try:
            crawling.thread.start()
        except BaseException:
            self._give_up_turn(crawling)
            raise
        self._under_way.append(crawling)
        return True

    def _run(self, crawling: _Crawling) -> None:
        try:
            self._crawler.run(crawling.taken, lambda: self._must_stop(crawling), crawling.silence)
        except BaseException as error:
            crawling.error = error
        crawling.has_ended = True
        self._give_up_turn(crawling)
        self._ended.set()

    def _must_stop(self, crawling: _Crawling) -> bool:
        if self._context.stopping():
            return True
        with self._turns:
            self._at_work = self._at_work or crawling
            return self._at_work is not crawling

    def _give_up_turn(self, crawling: _Crawling) -> None:
        with self._turns:
            if self._at_work is crawling:
                self._at_work = None

    def _take_leave(self) -> None:
        """Of those that have ended."""
        ended = [one for one in self._under_way if one.has_ended]
        self._under_way = [one for one in self._under_way if one not in ended]
        for crawling in ended:
            if crawling.error is not None:
                raise crawling.error

    # --- storage that doesn't answer ------------------------------------------------------------------------

    def _look_after(self) -> None:
        self._take_leave()
        for crawling in self._under_way:
            seconds, taken = crawling.silence.seconds(), crawling.taken
            if seconds >= SILENT_SECONDS:
                self._tell(crawling, seconds)
            elif crawling.told_at is not None:
                crawling.told_at = None
                logger.info("crawl %d of root %s: its storage answers", taken.id, taken.root)
        self._queue.silent = tuple(one.taken for one in self._under_way if one.told_at is not None)

    def _tell(self, crawling: _Crawling, seconds: float) -> None:
        self._give_up_turn(crawling)
        now, taken = time.monotonic(), crawling.taken
        if crawling.told_at is None:
            said = "crawl %d of root %s: nothing came from the root's storage for %d s; other roots go first"
            logger.warning(said, taken.id, taken.root, seconds)
        elif now < crawling.told_at + TELL_SECONDS:
            return
        self._queue.tell_silence(taken.id, self._context.clock() - timedelta(seconds=seconds))
        crawling.told_at = now
