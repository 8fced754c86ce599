"""Deleting a workspace's objects goes on after an interruption, and nothing is made over what is being deleted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from api.plane import Plane
from workspacesio.api import workspace_routes
from workspacesio.database.tables import WorkspaceRemoval
from workspacesio.services.storage import Storage, wait_on
from workspacesio.services.workspace_removal import continue_removal, pending_removals


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
    with interrupted.database.read() as session:
        ((removal_id, node_id),) = pending_removals(session)
    loop = interrupted.portal.call(_running_loop)
    storage = Storage(interrupted.drivers(node_id), wait_on(loop))
    deleted = continue_removal(
        interrupted.database, storage, removal_id=removal_id, seconds=30, now=interrupted.clock()
    )
    assert (deleted.objects, deleted.finished) == (20, True)
    again = continue_removal(
        interrupted.database, storage, removal_id=removal_id, seconds=30, now=interrupted.clock()
    )
    assert (again.objects, again.finished) == (0, True)
    with interrupted.database.read() as session:
        assert session.scalars(select(WorkspaceRemoval)).all() == []
    assert not list((interrupted.folder / "private").rglob("*.txt"))
    interrupted.workspace("ada", "scans")


async def _running_loop() -> object:
    import asyncio

    return asyncio.get_running_loop()


def _report(plane: Plane, body: dict[str, object]) -> dict[str, list[dict[str, object]]]:
    import json

    response = plane.call("root", "POST", "/roots/existing/import", {**body, "dry_run": True})
    assert response.status_code == 200, response.text
    report: dict[str, list[dict[str, object]]] = json.loads(response.text.splitlines()[-1])["report"]
    return report
