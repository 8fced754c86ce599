"""A key still has one owner at most, and it is the one of the deepest root, where rows say what can't be."""

from __future__ import annotations

from database.kinds import database_fixture
from database.worlds import RootRow, UserRow, WorkspaceRow, World
from workspacesio.database.facts import load_place
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node
from workspacesio.domain.facts import NodeFacts, RootFacts
from workspacesio.domain.vocabulary import RootType

database = database_fixture()


def _place(database: Database, world: World, key: str) -> int | None:
    with database.engine.begin() as connection:
        world.save(connection)
    with database.read() as session:
        return load_place(session, session.get_one(Node, 1), "alpha", key).workspace_id


def _world() -> World:
    world = World({1: UserRow(), 2: UserRow()}, {1: NodeFacts(1, 1)})
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces[1] = WorkspaceRow(1, "w/", 1)
    return world


def test_a_root_in_a_workspace_takes_its_keys(database: Database) -> None:
    world = _world()
    world.roots[2] = RootRow(1, "alpha", "w/in/", RootFacts(2, RootType.PRIVATE))
    assert _place(database, world, "w/in/key") is None


def test_of_nested_workspaces_the_deepest_has_the_key(database: Database) -> None:
    world = _world()
    world.workspaces[2] = WorkspaceRow(1, "w/in/", 2)
    assert _place(database, world, "w/in/key") == 2
