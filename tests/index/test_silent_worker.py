"""Whoever asks how far the index is behind is told when nobody takes anything in any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from database.kinds import clear, database_fixture
from database.worlds import NOW, RootRow, UserRow, WorkspaceRow, World
from workspacesio.database.index_tables import IndexLease, RootFreshness
from workspacesio.database.sessions import Database
from workspacesio.domain.facts import Caller, NodeFacts, RootFacts
from workspacesio.domain.vocabulary import RootType
from workspacesio.index.opening import IndexReader
from workspacesio.index.status import RootStatus, index_status
from workspacesio.services.actors import Actor
from workspacesio.settings import Settings

database = database_fixture()

BEAT = timedelta(seconds=5)


def _watched(database: Database) -> None:
    """A root that is watched, whose worker was there at NOW."""
    world = World({1: UserRow()}, {1: NodeFacts(1, 1)})
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces[1] = WorkspaceRow(1, "w/", 1)
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
        connection.execute(
            insert(IndexLease).values(
                name="index_writer", holder="one", fence=1, beat=1, heartbeat_at=NOW, until=NOW + 4 * BEAT
            )
        )
        connection.execute(insert(RootFreshness).values(root_id=1, kept_by="watching", folders=3, since=NOW))


def test_a_worker_that_says_nothing_is_told_of(database: Database, tmp_path: Path) -> None:
    _watched(database)
    index = IndexReader(Settings(state_dir=tmp_path), database.url)

    def status(after: timedelta) -> RootStatus:
        with database.read() as session:
            return index_status(session, index=index, actor=Actor(Caller(1), "ada"), now=NOW + after).roots[0]

    there = status(BEAT)
    assert there.freshness is not None
    assert (there.freshness.freshness.problem, there.lag_seconds) == (None, 0)
    silent = status(timedelta(minutes=2))
    assert silent.freshness is not None
    assert "has not been heard of since 2030-01-01 12:00:00 UTC" in str(silent.freshness.freshness.problem)
    assert silent.lag_seconds == 120
    index.close()
