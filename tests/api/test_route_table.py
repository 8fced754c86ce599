"""Every route for every kind of caller: the status that each gets. A route that isn't in the table fails the test.

Nothing that is allowed here is kept: transactions are rolled back at their end, so that every call meets the same
state. The workspace is ada's `scans`, in the managed root `private`; `imported` is another of hers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.plane import Plane
from api.rehearsal import Rehearsal, build_world
from api.route_table import CALLERS, CALLS, SECOND
from database.kinds import url_fixture

database_url = url_fixture()


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[Plane]:
    plane = Plane(database_url, tmp_path, Rehearsal)
    with plane.running():
        build_world(plane)
        yield plane


def test_every_route_is_in_the_table(world: Plane) -> None:
    described = set()
    for path, methods in world.routes.openapi()["paths"].items():
        described |= {(method.upper(), path.removeprefix("/api/v1")) for method in methods}
    assert {(method, path) for _, method, path, _, _ in CALLS} == described
    assert described


def test_every_caller_gets_what_the_table_says(world: Plane) -> None:
    world.folder.with_name("second").mkdir()
    wrong = []
    for expected, method, _, path, body in CALLS:
        sent = body
        if isinstance(body, dict) and body.get("path") == SECOND:
            sent = {**body, "path": str(world.folder.with_name("second"))}
        for who, status in zip(CALLERS, expected.split(), strict=True):
            response = world.call(None if who == "anonymous" else who, method, path, sent)
            if str(response.status_code) != status:
                wrong.append(f"{who}: {method} {path} {body}: {response.status_code}, not {status}")
            if response.status_code >= 400:
                assert set(response.json()) == {"error"}
    assert wrong == []


def test_nothing_was_kept(world: Plane) -> None:
    """So that each call above met the same state."""
    before = world.generation(), len(world.verbs())
    world.do("owner", "DELETE", "/workspaces/1")
    world.do("owner", "POST", "/workspaces", {"name": "new"})
    assert (world.generation(), len(world.verbs())) == before
