"""The endpoint's world, one for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from s3.world import World, running_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_world(str(tmp_path / "served"), str(tmp_path / "state")) as running:
        yield running
