"""The SQL twin lists exactly what the decision allows, on random worlds, on both databases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database.kinds import clear, database_fixture
from database.worlds import (
    BUCKETS,
    FOLDERS,
    GROUPS,
    NODES,
    NOW,
    PATHS,
    USERS,
    RootRow,
    ShareRow,
    UserRow,
    WorkspaceRow,
    World,
    narrowings,
    worlds,
)
from workspacesio.database.facts import (
    load_caller,
    load_group_target,
    load_place,
    load_root_target,
    load_workspace_target,
)
from workspacesio.database.index_tables import Crawl
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Group, Node, Root, Workspace
from workspacesio.database.visibility import readable_buckets, readable_folders, seen_workspaces
from workspacesio.database.visible_places import (
    managed_roots,
    named_roots,
    owned_workspaces,
    seen_crawls,
    seen_groups,
    seen_nodes,
    seen_roots,
)
from workspacesio.domain.facts import Caller, Narrowing, NodeFacts, RootFacts, ShareFacts, Target
from workspacesio.domain.permissions import Denied, decide
from workspacesio.domain.vocabulary import Action, Level, RootType, SubjectKind

database = database_fixture(scope="module")

on_databases = settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking worlds takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)

KEYS = ("", "k", "w/k", "w", "w2/", "r/w/x/k", "r/in/w/k", "r/in/k", "s/k", "ä*/w/", "äb/w/k", "r")
NEEDED = {Action.READ_DATA: Level.READ, Action.LIST_DATA: Level.READ, Action.WRITE_DATA: Level.READWRITE}


@on_databases
@given(world=worlds(), narrowed=st.lists(narrowings, min_size=1, max_size=2))
def test_listings_agree_with_the_decision(database: Database, world: World, narrowed: list[Narrowing]) -> None:
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
        _save_crawls(connection, world)
    with database.read() as session:
        _facts_are_the_worlds(session, world)
        for user in USERS:
            for narrowing in (Narrowing(), *narrowed):
                caller = load_caller(session, user, narrowing)
                assert caller == world.caller(user, narrowing)
                _check_workspaces(session, world, caller)
                _check_places(session, world, caller)
                _check_crawls(session, world, caller)


def _check_workspaces(session: Session, world: World, caller: Caller) -> None:
    seen = [row[0] for row in session.execute(seen_workspaces(caller, NOW))]
    assert sorted(seen) == [
        number for number in world.workspaces if decide(caller, Action.SEE_WORKSPACE, world.target(number), NOW)
    ]
    held: dict[int, list[ShareFacts]] = {}
    for workspace, folder, level in session.execute(readable_folders(caller, NOW)):
        held.setdefault(workspace, []).append(ShareFacts(SubjectKind.EVERYONE, None, Level(level), folder))
    assert set(held) <= set(world.workspaces)
    for number in world.workspaces:
        for path in PATHS:
            target = world.target(number, path)
            level = max((row.level for row in held.get(number, []) if row.covers(path)), default=0)
            for action, needed in NEEDED.items():
                _same(caller, action, target, expected=level >= needed)
            _same(caller, Action.SHARE_WORKSPACE, target, expected=level >= Level.OWN)
    for node in NODES:
        buckets = list(session.scalars(readable_buckets(caller, node, NOW)))
        assert buckets == [bucket for bucket in BUCKETS if _reads_something(world, caller, node, bucket)]


def _same(caller: Caller, action: Action, target: Target, *, expected: bool) -> None:
    verdict = decide(caller, action, target, NOW)
    assert bool(verdict) is expected or (verdict == Denied("node_is_read_only") and action is Action.WRITE_DATA)


def _reads_something(world: World, caller: Caller, node: int, bucket: str) -> bool:
    return any(
        decide(caller, Action.READ_DATA, world.target(number, folder), NOW)
        for number, row in world.workspaces.items()
        if (world.roots[row.root].node, world.roots[row.root].bucket) == (node, bucket)
        for folder in FOLDERS
    )


def _check_places(session: Session, world: World, caller: Caller) -> None:
    nodes = sorted(session.scalars(seen_nodes(caller)))
    assert nodes == [
        number for number, facts in world.nodes.items() if decide(caller, Action.SEE_NODE, Target(facts), NOW)
    ]
    roots = sorted(session.scalars(seen_roots(caller)))
    assert roots == [
        number
        for number, row in world.roots.items()
        if decide(caller, Action.SEE_ROOT, Target(world.nodes[row.node], row.facts), NOW)
    ]
    reads_whole = {
        world.workspaces[number].root
        for number in world.workspaces
        if decide(caller, Action.READ_DATA, world.target(number), NOW)
    }
    assert set(session.scalars(named_roots(caller, NOW))) == {*roots, *reads_whole}
    groups = sorted(session.scalars(seen_groups(caller)))
    assert groups == [
        number
        for number in GROUPS
        if decide(caller, Action.SEE_GROUP, load_group_target(session, session.get_one(Group, number)), NOW)
    ]
    owned = sorted(session.scalars(owned_workspaces(caller)))
    assert owned == [
        number
        for number in world.workspaces
        if decide(caller, Action.SEE_WORKSPACE, world.target(number), NOW)
        and world.workspaces[number].owner == caller.user_id
    ]


def _save_crawls(connection: Connection, world: World) -> None:
    """One of each root, and one of each workspace."""
    rows = [{"root_id": number, "workspace_id": None} for number in world.roots]
    rows += [{"root_id": row.root, "workspace_id": number} for number, row in world.workspaces.items()]
    for row in rows:
        connection.execute(insert(Crawl).values(state="done", reason="request", created_at=NOW, **row))


def _check_crawls(session: Session, world: World, caller: Caller) -> None:
    """Seen are those of what the caller, with a key that isn't narrowed to reading, might start."""

    def may(action: Action, target: Target) -> bool:
        verdict = decide(caller, action, target, NOW)
        return bool(verdict) or verdict == Denied("narrowed_to_reading")

    roots = [
        number
        for number, row in world.roots.items()
        if may(Action.CHANGE_ROOT, Target(world.nodes[row.node], row.facts))
    ]
    assert sorted(session.scalars(managed_roots(caller))) == sorted(roots)
    workspaces = [number for number in world.workspaces if may(Action.CRAWL_WORKSPACE, world.target(number))]
    seen = session.execute(
        select(Crawl.root_id, Crawl.workspace_id).where(Crawl.id.in_(seen_crawls(caller)))
    ).all()
    assert sorted(root for root, workspace in seen if workspace is None) == sorted(roots)
    assert sorted(workspace for _, workspace in seen if workspace is not None) == sorted(workspaces)


def _facts_are_the_worlds(session: Session, world: World) -> None:
    """What is loaded for a decision is what was stored, by id and by key."""
    for number, row in world.roots.items():
        loaded = load_root_target(session, session.get_one(Root, number))
        assert loaded == Target(world.nodes[row.node], row.facts)
    for number in world.workspaces:
        assert load_workspace_target(session, session.get_one(Workspace, number), "x/k") == world.target(
            number, "x/k"
        )
    for node in world.nodes:
        for bucket in BUCKETS:
            for key in (
                "",
                "k",
                "w/k",
                "w",
                "w2/",
                "r/w/x/k",
                "r/in/w/k",
                "r/in/k",
                "s/k",
                "ä*/w/",
                "äb/w/k",
                "r",
            ):
                place = load_place(session, session.get_one(Node, node), bucket, key)
                expected = world.workspace_at(node, bucket, key)
                assert place.workspace_id == expected
                if expected is not None:
                    path = key.removeprefix(world.workspaces[expected].prefix)
                    assert place.target == world.target(expected, path)
                    assert place.prefix + path == key


def test_a_user_who_does_not_exist_is_no_caller(database: Database) -> None:
    clear(database)
    with database.read() as session:
        assert load_caller(session, 1) is None


@pytest.mark.parametrize("folder", ["x", "x/y", "%"])
def test_the_database_refuses_a_shared_folder_without_its_slash(database: Database, folder: str) -> None:
    """`a` would cover `ab/`."""
    world = World({1: UserRow()}, {1: NodeFacts(1, 1)})
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces[1] = WorkspaceRow(1, "w/", 1)
    world.shares[1] = ShareRow(1, ShareFacts(SubjectKind.EVERYONE, None, Level.READ, folder))
    clear(database)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        world.save(connection)
