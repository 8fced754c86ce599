"""An index as processes that only read have it, with its recorder, on whatever engine."""

from __future__ import annotations

from collections.abc import Callable

from index.recorded import Clock, Installed, open_recorder, settle
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.engine import Engine, EngineReader
from workspacesio.index.remembered import Remembered

NewEngine = Callable[[], Engine]


class AskedIndex:
    """As processes that only read have it."""

    def __init__(self, catalogue_url: str, new_engine: NewEngine) -> None:
        self.catalogue = Catalogue(catalogue_url)
        self.catalogue.store.make(1, 0)
        installed = Installed(new_engine)
        clock = Clock()
        self.recorder, upkeep = open_recorder(self.catalogue, installed, clock)
        settle(self.recorder, upkeep, clock)
        self.remembered = Remembered()
        self._engines = installed.engines
        self._reader: EngineReader | None = None

    def engine(self) -> EngineReader:
        if self._reader is None:
            [serving] = [row.number for row in self.catalogue.engines() if row.state == "serving"]
            self._reader = self._engines[serving].reader()
        return self._reader

    def incomplete(self) -> list[tuple[str, str]]:
        return []

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self.recorder.close()
        self.catalogue.close()
