"""More numbers than a statement takes parameters: 65,535 on PostgreSQL, 250,000 on SQLite."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from database.kinds import database_fixture
from database.worlds import NOW, RootRow, UserRow, WorkspaceRow, World
from workspacesio.database.sessions import Database
from workspacesio.database.visibility import readable_folders, seen_workspaces
from workspacesio.database.visible_places import owned_workspaces, seen_crawls, seen_groups
from workspacesio.domain.facts import Caller, Narrowing, NodeFacts, RootFacts
from workspacesio.domain.vocabulary import RootType
from workspacesio.index.places import load_places
from workspacesio.index.searching import workspace_labels

database = database_fixture(scope="module")

MANY = range(2, 260_002)
WORLD = World(
    users={1: UserRow(groups=frozenset({2}))},
    nodes={1: NodeFacts(1, 1)},
    roots={1: RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))},
    workspaces={number: WorkspaceRow(1, f"w{number}/", 1) for number in (1, 2, MANY[-1])},
)
"""Workspace 1 is not among the many."""

CALLER = Caller(1, groups=frozenset(MANY), narrowing=Narrowing(frozenset(MANY)))
LISTINGS = {
    "readable_folders": (readable_folders(CALLER, NOW), {2, MANY[-1]}),
    "seen_workspaces": (seen_workspaces(CALLER, NOW), {2, MANY[-1]}),
    "owned_workspaces": (owned_workspaces(CALLER), {2, MANY[-1]}),
    "seen_crawls": (seen_crawls(CALLER), set()),
    "seen_groups": (seen_groups(Caller(1, groups=frozenset(MANY))), {2}),
}


@pytest.fixture(scope="module")
def world(database: Database) -> Database:
    with database.engine.begin() as connection:
        WORLD.save(connection)
    return database


def test_many_workspaces_are_labelled_and_placed(world: Database) -> None:
    with world.read() as session:
        labels = workspace_labels(session, MANY)
        assert {number: label.name for number, label in labels.items()} == {2: "w2", MANY[-1]: f"w{MANY[-1]}"}
        assert load_places(session, MANY).keys() == {2, MANY[-1]}
        assert workspace_labels(session, ()) == {}
        assert load_places(session, ()) == {}


@pytest.mark.parametrize("name", LISTINGS)
def test_a_caller_may_have_many_groups_and_be_narrowed_to_many_workspaces(world: Database, name: str) -> None:
    listing, found = LISTINGS[name]
    with world.read() as session:
        assert {row[0] for row in session.execute(select(listing.subquery()))} == found
