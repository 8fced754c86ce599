"""The index of a control plane in this process: read by the application, written when a test says `crawl`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from workspacesio.database.sessions import Database
from workspacesio.index.crawl_task import CrawlContext, CrawlTask
from workspacesio.index.engine_upkeep import EngineUpkeep
from workspacesio.index.opening import Engines, IndexReader, prepare_catalogue
from workspacesio.index.recording import Recorder
from workspacesio.index.remembered import Remembered
from workspacesio.settings import Settings


class PlaneIndex(IndexReader):
    """There is none, as on a fresh service before its worker began, until it is crawled for the first time."""

    def __init__(self, settings: Settings, url: str) -> None:
        super().__init__(settings, url)
        self._of_plane = settings
        self._prepared = False

    def crawl(self, database: Database, drivers: Any, clock: Callable[[], datetime]) -> None:
        """What the worker does with all crawls that are queued or due."""
        if not self._prepared:
            prepare_catalogue(self.catalogue, database, fence=1)
            self._prepared = True
        engines = Engines(self._of_plane, self.catalogue.numbers()["owner"])
        recorder = Recorder(self.catalogue, [], fence=1)
        upkeep = EngineUpkeep(recorder, engines)
        upkeep.prepare()
        context = SimpleNamespace(
            database=database,
            settings=self._of_plane,
            drivers=drivers,
            recorder=recorder,
            clock=clock,
            stopping=lambda: False,
        )
        crawls = CrawlTask(cast(CrawlContext, context))
        try:
            while crawls.step() == 0.0:
                pass
            recorder.commit()
            while upkeep.step() == 0.0:
                pass
        finally:
            recorder.close()
            engines.close()
        self.forget()

    def forget(self) -> None:
        """What a process remembers for a second."""
        self._looked_at = float("-inf")
        self.remembered = Remembered()
