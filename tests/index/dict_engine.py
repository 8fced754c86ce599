"""An engine in memory that can be away at any moment, which no real one is on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import cast

from workspacesio.domain.errors import Unavailable
from workspacesio.index.engine import Engine, EngineReader, EngineWriter, Entry


class DictEngine:
    """`committed` is what readers find. Each call uses up `calls_left`, after which it is away; None: never.

    `broken`: instead of being away, it answers and fails.
    """

    def __init__(self) -> None:
        self.committed: dict[int, Entry] = {}
        self.calls_left: int | None = None
        self.damage: str | None = None
        self.broken = False
        self.bug: Exception | None = None
        self.commits = 0
        self.may_commit = threading.Event()
        """Cleared, a commit takes until it is set."""
        self.may_commit.set()

    def use(self) -> None:
        if self.bug is not None:
            raise self.bug
        if self.calls_left is not None:
            if self.calls_left <= 0:
                raise Unavailable("The engine is away.")
            self.calls_left -= 1

    def writer(self) -> EngineWriter:
        self.use()
        return DictWriter(self)

    def reader(self) -> EngineReader:
        return cast(EngineReader, self)

    def damaged(self) -> str | None:
        if not self.broken:
            self.use()
        return self.damage

    def is_removed(self) -> bool:
        return False

    def size_bytes(self) -> int:
        return len(self.committed)

    def erase(self) -> None:
        self.committed = {}


class DictWriter:
    def __init__(self, engine: DictEngine) -> None:
        self._engine = engine
        self._entries = dict(engine.committed)

    def put(self, entries: Iterable[Entry]) -> None:
        self._engine.use()
        self._entries.update((entry.id, entry) for entry in entries)

    def remove(self, entry_ids: Iterable[int]) -> None:
        self._engine.use()
        for entry_id in entry_ids:
            self._entries.pop(entry_id, None)

    def remove_folders(self, folder_ids: Iterable[int], *, direct_only: bool = False) -> None:
        self._engine.use()
        gone = set(folder_ids)
        self._entries = {
            number: entry
            for number, entry in self._entries.items()
            if gone.isdisjoint(entry.folder_ids[-1:] if direct_only else entry.folder_ids)
        }

    def commit(self) -> None:
        entries = dict(self._entries)
        assert self._engine.may_commit.wait(10)
        assert entries == self._entries, "what is being committed was changed"
        self._entries = dict(self._engine.committed)
        self._engine.use()
        self._engine.commits += 1
        self._engine.committed = entries
        self._entries = dict(entries)

    def close(self) -> None:
        pass


_ENGINE: type[Engine] = DictEngine
