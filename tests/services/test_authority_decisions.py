"""The authority, through its memory, answers what the pure decision answers, whatever changed a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from database.kinds import clear, database_fixture, url_fixture
from database.worlds import (
    BUCKETS,
    EXPIRIES,
    GROUPS,
    NODES,
    NOW,
    RootRow,
    ShareRow,
    UserRow,
    WorkspaceRow,
    World,
    add_share,
    narrowings,
    share_facts,
    share_row,
    user_ids,
    worlds,
)
from services.authorities import Server, principal
from services.other_process import other_process
from workspacesio.database.sessions import Database
from workspacesio.database.tables import (
    Credential,
    GroupMember,
    Node,
    Root,
    RootManager,
    Share,
    User,
    Workspace,
)
from workspacesio.domain.authority import ObjectTarget, Permit, Principal
from workspacesio.domain.facts import Narrowing, NodeFacts, RootFacts, ShareFacts
from workspacesio.domain.permissions import Denied, decide
from workspacesio.domain.vocabulary import DATA_ACTIONS, Action, Level, RootType, SubjectKind

database = database_fixture(scope="module")
database_url = url_fixture()


@pytest.fixture(scope="module")
def other_database(database: Database) -> Iterator[Database]:
    """The same database, as another server has it."""
    other = Database(database.url)
    yield other
    other.dispose()


KEYS = ("", "k", "w/k", "w/x/k", "w/x/", "w/x", "w/x/../xy/k", "w2/k", "r/w/x/y/k", "r/w/xy/k", "r/in/w/k")
KEYS += ("r/in/k", "r/k", "s/w/x/k", "s/k", "ä*/w/%/k", "äb/w/k", "w/X/k", "W/k", "w//k", "/w/k", "r/in/w2/x/k")

principals = st.builds(
    lambda user, node, narrowing, credential, seconds: principal(
        user, node, narrowing=narrowing, credential=credential, expires_at=NOW + timedelta(seconds=seconds)
    ),
    user_ids,
    st.sampled_from(NODES),
    st.just(Narrowing()) | narrowings,
    st.sampled_from((101, 102)),
    st.sampled_from((3600, 3600, 2)),
)
rounds = st.tuples(
    st.sampled_from(BUCKETS),
    st.lists(st.tuples(st.sampled_from(sorted(DATA_ACTIONS)), st.sampled_from(KEYS)), min_size=4, max_size=10),
)
"""What each caller asks between two changes, so that memory is used."""


class Model:
    """The world as it should be, beside the database in which another server keeps it."""

    def __init__(self, world: World, database: Database) -> None:
        self.world = world
        self.database = database
        self.revoked: set[int] = set()
        self.next_share = 1000

    def change(self, draw: Callable[[st.SearchStrategy[object]], object]) -> None:
        names = [name for name in dir(self) if name.startswith("_change_")]
        name = draw(st.sampled_from(names))
        with self.database.write() as session:
            getattr(self, str(name))(session, draw)

    def _change_share(self, session: Session, draw: Callable) -> None:
        if not self.world.workspaces:
            return
        workspace = draw(st.sampled_from(sorted(self.world.workspaces)))
        self.next_share += 1
        number = add_share(self.world, workspace, draw(share_facts()), self.next_share)
        if number is not None:
            session.execute(insert(Share).values(**share_row(number, self.world.shares[number])))

    _change_share_again = _change_share
    _change_share_once_more = _change_share

    def _change_unshare(self, session: Session, draw: Callable) -> None:
        if self.world.shares:
            number = draw(st.sampled_from(sorted(self.world.shares)))
            del self.world.shares[number]
            session.delete(session.get_one(Share, number))

    def _change_level_and_expiry(self, session: Session, draw: Callable) -> None:
        if self.world.shares:
            number = draw(st.sampled_from(sorted(self.world.shares)))
            level, expires_at = draw(st.sampled_from(Level)), draw(st.sampled_from(EXPIRIES))
            row = self.world.shares[number]
            facts = replace(row.facts, level=level, expires_at=expires_at)
            self.world.shares[number] = ShareRow(row.workspace, facts)
            session.execute(
                update(Share).where(Share.id == number).values(level=int(level), expires_at=expires_at)
            )

    def _change_user(self, session: Session, draw: Callable) -> None:
        user = draw(user_ids)
        row = replace(self.world.users[user], enabled=draw(st.booleans()))
        self.world.users[user] = row
        session.get_one(User, user).enabled = row.enabled

    def _change_member(self, session: Session, draw: Callable) -> None:
        user, group = draw(user_ids), draw(st.sampled_from(GROUPS))
        row = self.world.users[user]
        if group in row.groups:
            session.execute(delete(GroupMember).where(GroupMember.user_id == user, GroupMember.group_id == group))
        else:
            session.add(GroupMember(user_id=user, group_id=group))
        self.world.users[user] = replace(row, groups=row.groups ^ {group})

    def _change_owner(self, session: Session, draw: Callable) -> None:
        if self.world.workspaces:
            number = draw(st.sampled_from(sorted(self.world.workspaces)))
            owner = draw(user_ids)
            self.world.workspaces[number] = replace(self.world.workspaces[number], owner=owner)
            session.get_one(Workspace, number).owner_id = owner

    def _change_root_type(self, session: Session, draw: Callable) -> None:
        number = draw(st.sampled_from(sorted(self.world.roots)))
        kind = draw(st.sampled_from(RootType))
        row = self.world.roots[number]
        self.world.roots[number] = replace(row, facts=replace(row.facts, type=kind))
        session.get_one(Root, number).type = kind.value

    def _change_node(self, session: Session, draw: Callable) -> None:
        number = draw(st.sampled_from(NODES))
        facts = self.world.nodes[number]
        self.world.nodes[number] = replace(facts, read_only=not facts.read_only)
        session.get_one(Node, number).read_only = not facts.read_only

    def _change_managers(self, session: Session, draw: Callable) -> None:
        number = draw(st.sampled_from(sorted(self.world.roots)))
        row = self.world.roots[number]
        self.world.roots[number] = replace(row, facts=replace(row.facts, managers=frozenset()))
        session.execute(delete(RootManager).where(RootManager.root_id == number))

    def _change_remove_workspace(self, session: Session, draw: Callable) -> None:
        if self.world.workspaces:
            number = draw(st.sampled_from(sorted(self.world.workspaces)))
            del self.world.workspaces[number]
            for share in [share for share, row in self.world.shares.items() if row.workspace == number]:
                del self.world.shares[share]
            session.execute(delete(Workspace).where(Workspace.id == number))

    def _change_make_workspace(self, session: Session, draw: Callable) -> None:
        root = draw(st.sampled_from(sorted(self.world.roots)))
        prefix = draw(st.sampled_from(("w/", "w/x/", "r/w/", "r/in/w/", "s/", "")))
        if self.world.fits(root, prefix):
            self.next_share += 1
            number = self.next_share
            self.world.workspaces[number] = WorkspaceRow(root, prefix, draw(user_ids))
            session.execute(insert(Workspace).values(**self.world.workspace_row(number)))

    def _change_credential(self, session: Session, draw: Callable) -> None:
        number = draw(st.sampled_from((101, 102)))
        self.revoked.add(number)
        session.execute(update(Credential).where(Credential.id == number).values(revoked_at=NOW))

    def answer(self, asked: Principal, action: Action, bucket: str, key: str, now: datetime) -> Permit | None:
        if now >= asked.expires_at:
            return None
        if asked.user_id == self.holder(asked.credential_id) and asked.credential_id in self.revoked:
            return None
        number = self.world.workspace_at(asked.node_id, bucket, key)
        if number is None:
            return None
        prefix = self.world.workspaces[number].prefix
        target = self.world.target(number, key[len(prefix) :])
        verdict = decide(self.world.caller(asked.user_id, asked.narrowing), action, target, now)
        if isinstance(verdict, Denied):
            return None
        return Permit(asked.node_id, bucket, number, prefix + verdict.folder)

    @staticmethod
    def holder(credential: int) -> int:
        return credential - 100


def _save_credentials(database: Database) -> None:
    with database.engine.begin() as connection:
        for number in (101, 102):
            connection.execute(
                insert(Credential).values(
                    id=number,
                    user_id=Model.holder(number),
                    node_id=1,
                    access_key_id=f"WIO{number}",
                    read_only=False,
                    issued_at=NOW,
                    expires_at=NOW + timedelta(hours=1),
                )
            )


@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking worlds takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds(), data=st.data())
def test_decisions_stay_with_the_world(
    database: Database, other_database: Database, world: World, data: st.DataObject
) -> None:
    """One server decides and remembers; another one changes rights; time goes on, and back a little."""
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
    _save_credentials(database)
    model = Model(world, other_database)
    server = Server(database)

    async def ask(asked: Principal, action: Action, bucket: str, key: str) -> None:
        verdict = await server.authority.decide(asked, action, ObjectTarget(bucket, key))
        expected = model.answer(asked, action, bucket, key, server.clock.now)
        if expected is None:
            assert isinstance(verdict, Denied)
        else:
            assert verdict == expected

    async def ask_for_buckets(asked: Principal) -> None:
        readable = {
            root.bucket
            for number, row in world.workspaces.items()
            for root in [world.roots[row.root]]
            if root.node == asked.node_id
            for folder in ("", *(share.folder for share in world.shares_of(number)))
            if model.answer(asked, Action.READ_DATA, root.bucket, row.prefix + folder, server.clock.now)
        }
        assert await server.authority.buckets(asked) == tuple(sorted(readable))

    drawn = data.draw(st.lists(principals, min_size=1, max_size=2), label="callers")
    callers = [replace(one, node_id=node) for one in drawn for node in NODES]
    with asyncio.Runner() as runner:
        for _ in range(data.draw(st.integers(3, 8), label="changes")):
            for asked in callers:
                bucket, questions = data.draw(rounds, label="questions")
                for action, key in questions:
                    runner.run(ask(asked, action, bucket, key))
                runner.run(ask_for_buckets(asked))
            model.change(data.draw)
            seconds = data.draw(st.sampled_from((0, 0, 0, 1e-6, 1, -1, 3600)), label="seconds")
            server.clock.now += timedelta(seconds=seconds)


def _small_world() -> World:
    """User 1 owns `w/` in a private root; 2 in group 1 has the shares; node 1 is run by 4."""
    world = World(
        {1: UserRow(), 2: UserRow(groups=frozenset({1})), 3: UserRow(), 4: UserRow()}, {1: NodeFacts(1, 4)}
    )
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces[1] = WorkspaceRow(1, "w/", 1)
    return world


def _share(kind: SubjectKind, subject: int | None) -> ShareRow:
    return ShareRow(1, ShareFacts(kind, subject, Level.READWRITE, expires_at=NOW + timedelta(minutes=1)))


TAKES_AWAY: dict[str, tuple[ShareRow, str]] = {
    "un-shared": (_share(SubjectKind.USER, 2), "DELETE FROM shares"),
    "un-shared from the group": (_share(SubjectKind.GROUP, 1), "DELETE FROM shares WHERE group_id = 1"),
    "un-shared from everyone": (_share(SubjectKind.EVERYONE, None), "DELETE FROM shares"),
    "lowered": (_share(SubjectKind.USER, 2), "UPDATE shares SET level = 1"),
    "made to expire": (_share(SubjectKind.USER, 2), "UPDATE shares SET expires_at = '2029-01-01 00:00:00.000000'"),
    "another folder": (_share(SubjectKind.USER, 2), "UPDATE shares SET folder = 'other/'"),
    "group left": (_share(SubjectKind.GROUP, 1), "DELETE FROM group_members"),
    "group deleted": (_share(SubjectKind.GROUP, 1), "DELETE FROM groups WHERE id = 1"),
    "user disabled": (_share(SubjectKind.USER, 2), "UPDATE users SET enabled = FALSE WHERE id = 2"),
    "node read-only": (_share(SubjectKind.USER, 2), "UPDATE nodes SET read_only = TRUE"),
    "workspace gone": (_share(SubjectKind.USER, 2), "DELETE FROM workspaces"),
    "credential revoked": (
        _share(SubjectKind.USER, 2),
        "UPDATE credentials SET revoked_at = '2030-01-01 00:00:00.000000'",
    ),
}


def test_what_another_process_takes_away_the_next_decision_refuses(database_url: str) -> None:
    """On two servers with memories of their own, for every way in which a right can go."""
    servers = [Server(Database(database_url)) for _ in range(2)]
    holder = principal(2, credential=102)

    async def may_write(server: Server) -> bool:
        target = ObjectTarget("alpha", "w/x/k")
        return isinstance(await server.authority.decide(holder, Action.WRITE_DATA, target), Permit)

    async def run() -> None:
        with other_process(database_url) as other:
            for name, (share, statement) in TAKES_AWAY.items():
                world = _small_world()
                world.shares[1] = share
                clear(servers[0].database)
                with servers[0].database.engine.begin() as connection:
                    world.save(connection)
                _save_credentials(servers[0].database)
                other.execute("UPDATE users SET username = username")
                for _ in range(2):
                    assert [await may_write(server) for server in servers] == [True, True], name
                other.execute(statement)
                assert [await may_write(server) for server in servers] == [False, False], name

    asyncio.run(run())
    for server in servers:
        server.database.dispose()


def test_a_share_ends_with_its_time_and_nothing_else_happening(database: Database) -> None:
    world = _small_world()
    world.shares[1] = _share(SubjectKind.USER, 2)
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
    server = Server(database)

    async def run() -> None:
        for seconds, expected in ((0, True), (59.999999, True), (60, False), (61, False), (59, True)):
            server.clock.now = NOW + timedelta(seconds=seconds)
            verdict = await server.authority.decide(principal(2), Action.READ_DATA, ObjectTarget("alpha", "w/k"))
            assert isinstance(verdict, Permit) is expected

    asyncio.run(run())


@pytest.mark.parametrize(
    "key",
    ["\0", "w/\0", "w/\ud800", "\udcff", "w/" + "x" * 1023, "w/" + "é" * 512, "w/" * 5000, "/" * 100_000],
)
def test_what_no_key_is_called_is_nowhere(database: Database, key: str) -> None:
    """Databases differ in what they say to it; here it is denied like what isn't there, and not remembered."""
    clear(database)
    with database.engine.begin() as connection:
        _small_world().save(connection)
    server = Server(database)

    async def run() -> None:
        for target in (ObjectTarget("alpha", key), ObjectTarget(key, "w/k")):
            verdict = await server.authority.decide(principal(1), Action.LIST_DATA, target)
            assert verdict == Denied("no_workspace_here")
        assert not server.rights._users
        longest = ObjectTarget("alpha", "w/" + "x" * 1022)
        verdict = await server.authority.decide(principal(1), Action.LIST_DATA, longest)
        assert isinstance(verdict, Permit)

    asyncio.run(run())


def test_denials_say_nothing_of_what_is_out_of_sight(database: Database) -> None:
    """A stranger, with whatever key, is told the same for what is there and what isn't."""
    world = _small_world()
    world.nodes[1] = replace(world.nodes[1], read_only=True)
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
    server = Server(database)
    said = {"level_too_low", "narrowed_to_reading", "node_is_read_only"}

    async def run() -> None:
        for narrowing in (Narrowing(), Narrowing(read_only=True), Narrowing(frozenset({1}), read_only=True)):
            for key in ("w/k", "w/", "nothing/k", ""):
                for action in DATA_ACTIONS:
                    asked = principal(3, narrowing=narrowing)
                    verdict = await server.authority.decide(asked, action, ObjectTarget("alpha", key))
                    assert isinstance(verdict, Denied)
                    assert verdict.reason not in said

    asyncio.run(run())
