"""The index worker's part that crawls: what is queued, what is due, and forgetting old rows."""

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from workspacesio.database.sessions import Database
from workspacesio.index.crawl_places import Recording
from workspacesio.index.crawl_queue import CrawlQueue
from workspacesio.index.crawling import Crawler
from workspacesio.nodes.driver import StorageDriver
from workspacesio.settings import Settings

LOOK_SECONDS = 1.0
SCHEDULE_SECONDS = 30.0


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

    def step(self) -> float:
        """One crawl, to its end or until the worker stops. Returns the seconds until the next look."""
        if not self._taken_over:
            self._queue.take_over()
            self._taken_over = True
        if time.monotonic() >= self._schedule_at:
            self._queue.schedule_due()
            self._queue.forget_old()
            self._schedule_at = time.monotonic() + SCHEDULE_SECONDS
        self._crawler.repair_usage()
        return 0.0 if self._crawler.run_one(self._context.stopping) else LOOK_SECONDS

    def close(self) -> None:
        """Nothing is held between steps."""
