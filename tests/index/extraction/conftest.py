from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crawl_world import CrawlWorld
from index.extraction.children import Looker, looking
from index.extraction.extracting import Extracting
from index.extraction.naughty import NAUGHTY
from workspacesio.index.extraction.protocol import LIMITS, Limits
from workspacesio.index.extraction.registry import Registry, installed


@pytest.fixture(scope="module")
def look() -> Iterator[Looker]:
    """With the built-in extractors and the usual limits."""
    with looking() as looker:
        yield looker


@pytest.fixture
def extracting(tmp_path: Path) -> Iterator[Extracting]:
    yield from _extracting(tmp_path, installed())


@pytest.fixture
def naughty(tmp_path: Path) -> Iterator[Extracting]:
    yield from _extracting(tmp_path, NAUGHTY, Limits(seconds=2.0, processor_seconds=1, memory=128 << 20))


def _extracting(base: Path, registry: Registry, limits: Limits = LIMITS) -> Iterator[Extracting]:
    world = CrawlWorld(base)
    found = Extracting(world, world.add_workspace(""), registry, limits)
    yield found
    found.task.close()
    world.close()
