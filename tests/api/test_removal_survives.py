"""Deleting a workspace's objects goes on after an interruption, and nothing is made over what is being deleted."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import select

from api.plane import Plane
from workspacesio.api import workspace_routes
from workspacesio.database.tables import WorkspaceRemoval
from workspacesio.services.storage import wait_on
from workspacesio.services.workspace_removal import continue_removals


@pytest.fixture
def interrupted(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> Plane:
    """A workspace `ada/scans` whose deletion had no time to delete an object."""
    monkeypatch.setattr(workspace_routes, "REMOVAL_SECONDS", -1.0)
    made = plane.workspace("ada", "scans")
    for number in range(20):
        plane.write_file(f"private/ada/scans/{number}.txt")
    answer = plane.do("ada", "DELETE", f"/workspaces/{made['id']}", delete_objects=True)
    assert answer["finished"] is False
    return plane


def test_nobody_reaches_what_is_being_deleted(interrupted: Plane) -> None:
    assert interrupted.do("ada", "GET", "/workspaces") == []
    interrupted.refused(409, "place_taken", "ada", "POST", "/workspaces", {"name": "scans"})
    (interrupted.folder / "x").mkdir()
    body = {"folders": ["private"]}
    (refusal,) = _report(interrupted, body)["refused"]
    assert refusal["folder"] == "private/"


def test_the_worker_goes_on(interrupted: Plane) -> None:
    assert _work(interrupted) == 0
    assert _work(interrupted) == 0
    with interrupted.database.read() as session:
        assert session.scalars(select(WorkspaceRemoval)).all() == []
    assert not list((interrupted.folder / "private").rglob("*.txt"))
    interrupted.workspace("ada", "scans")


def test_a_node_that_is_down_is_tried_again(interrupted: Plane) -> None:
    elsewhere = interrupted.folder.with_name("elsewhere")
    interrupted.folder.rename(elsewhere)
    interrupted.folder.mkdir()
    assert _work(interrupted) == 1
    interrupted.folder.rmdir()
    elsewhere.rename(interrupted.folder)
    assert _work(interrupted) == 0


def _work(plane: Plane) -> int:
    """What the worker does now and then; returns what is left to do."""
    loop = plane.portal.call(_running_loop)
    return continue_removals(plane.database, plane.drivers, wait_on(loop), seconds=30, clock=plane.clock)


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _report(plane: Plane, body: dict[str, object]) -> dict[str, list[dict[str, object]]]:
    response = plane.call("root", "POST", "/roots/existing/import", {**body, "dry_run": True})
    assert response.status_code == 200, response.text
    report: dict[str, list[dict[str, object]]] = json.loads(response.text.splitlines()[-1])["report"]
    return report
