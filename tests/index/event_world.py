"""A world whose events, watched folders and changed folders are taken into the catalogue, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from index.crawl_world import BUCKET, CrawlWorld, run
from workspacesio.database.journal_tables import ObjectEvent
from workspacesio.database.sessions import Database
from workspacesio.domain.authority import Event
from workspacesio.domain.errors import NotFound
from workspacesio.index.changed_folders import ChangedFoldersTask
from workspacesio.index.events import EventTask
from workspacesio.index.hints import Hints
from workspacesio.index.watching import WatchTask
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.journal import write_events


@dataclass
class Context:
    """What tasks are given. `nodes`: drivers by node."""

    database: Database
    recorder: Any
    nodes: dict[int, StorageDriver]
    hints: Hints = field(default_factory=Hints)
    stop: bool = False
    wait: Any = run

    def drivers(self, node_id: int) -> StorageDriver:
        if node_id not in self.nodes:
            raise NotFound("That node was removed.")
        return self.nodes[node_id]

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def stopping(self) -> bool:
        return self.stop


class EventWorld(CrawlWorld):
    """`step` is what the worker's threads do, one after the other."""

    def __init__(self, base: Path, **options: Any) -> None:
        super().__init__(base, **options)
        assert self.driver is not None
        self.context = Context(self.database, self.recorder, {1: self.driver})
        self.begin()

    def begin(self) -> None:
        """As a worker that begins."""
        self.context.hints = Hints()
        self.events = EventTask(self.context)
        self.watch = WatchTask(self.context)
        self.folders = ChangedFoldersTask(self.context)

    def end(self) -> None:
        self.events.close()
        self.watch.close()
        self.folders.close()

    def close(self) -> None:
        self.end()
        super().close()

    def journal(
        self, *keys: str, workspace_id: int = 1, node_id: int = 1, name: str = "s3:ObjectCreated:Put"
    ) -> None:
        now = datetime.now(UTC)
        write_events(
            self.database,
            [Event(name, now, node_id, BUCKET, key, workspace_id, 1, size=7, etag="untrue") for key in keys],
        )

    def waiting(self) -> int:
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(ObjectEvent).where(~ObjectEvent.indexed)) or 0

    def settle(self, until: Callable[[], bool] | None = None, seconds: float = 10.0) -> None:
        """Take in events until none waits, or until it is as it should be."""
        deadline = time.monotonic() + seconds
        done = until or (lambda: self.waiting() == 0 and self.context.hints.waiting() == 0)
        while not done():
            self.events.step()
            self.folders.step()
            assert time.monotonic() < deadline, "events are not taken in"

    def watched(self, until: Callable[[], bool], seconds: float = 10.0) -> float:
        """Step everything until something is so; how long that took."""
        began = time.monotonic()
        while not until():
            self.watch.step()
            self.events.step()
            self.folders.step()
            assert time.monotonic() < began + seconds, "changes are not heard"
        return time.monotonic() - began
