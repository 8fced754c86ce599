"""A control plane on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.plane import Plane
from database.kinds import url_fixture

database_url = url_fixture()


@pytest.fixture
def bare_plane(database_url: str, tmp_path: Path) -> Iterator[Plane]:
    """Nobody and nothing yet."""
    plane = Plane(database_url, tmp_path)
    with plane.running():
        yield plane


@pytest.fixture
def plane(bare_plane: Plane) -> Plane:
    """A folder node with its three roots, an administrator `root` and users `ada`, `bob`, `carol`."""
    bare_plane.start()
    bare_plane.user("root", administrator=True)
    for username in ("ada", "bob", "carol"):
        bare_plane.user(username)
    return bare_plane
