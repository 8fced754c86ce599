"""Has bytes looked at by a real confined child."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workspacesio.index.extraction.nursery_client import Nursery
from workspacesio.index.extraction.pool import File, Findings, Slot
from workspacesio.index.extraction.protocol import LIMITS, Limits
from workspacesio.index.extraction.registry import Registry, installed


@dataclass
class Looker:
    slot: Slot
    nursery: Nursery
    workspace_id: int = 1

    def __call__(self, name: str, content: bytes, *, extract: bool = True) -> Findings:
        """As a file in a folder is: by a descriptor."""
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            return self.slot.look(self.workspace_id, File(name, len(content), fd=file.fileno()), content=extract)

    def by_ranges(self, name: str, content: bytes) -> Findings:
        """As an object on a server is."""

        def read_at(offset: int, length: int) -> bytes:
            return content[offset : offset + length]

        return self.slot.look(self.workspace_id, File(name, len(content), read_at=read_at), content=True)


@contextmanager
def looking(registry: Registry | None = None, limits: Limits = LIMITS) -> Iterator[Looker]:
    registry = registry or installed()
    nursery = Nursery(registry, limits)
    slot = Slot(nursery, registry, limits)
    try:
        yield Looker(slot, nursery)
    finally:
        slot.retire()
        nursery.close()
