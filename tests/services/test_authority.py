"""Who a key belongs to, and what the endpoint may ask beside decisions."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from database.kinds import clear, database_fixture
from database.worlds import NOW, RootRow, ShareRow, UserRow, WorkspaceRow, World
from services.authorities import KEYRING, Server, issue, principal
from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, Credential, Node, Root, Share, User, Workspace
from workspacesio.domain.authority import Identified, NotIdentified, ObjectTarget, Permit, Principal, Reservation
from workspacesio.domain.errors import Conflict
from workspacesio.domain.facts import Narrowing, NodeFacts, RootFacts, ShareFacts
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Action, Level, RootType, SubjectKind
from workspacesio.services import authority
from workspacesio.services.credentials import Issued, revoke_credential
from workspacesio.services.keys import Keyring
from workspacesio.services.sealed_tokens import TokenContents, seal, secret_access_key

database = database_fixture(scope="module")

BUCKET = ObjectTarget("alpha", "w/k")


@pytest.fixture
def server(database: Database) -> Server:
    """User 1 owns `alpha/w/`, user 2 has `x/` of it for a minute; 3 operates node 1 (a folder of buckets)."""
    world = World(
        {1: UserRow(), 2: UserRow(), 3: UserRow(), 4: UserRow(administrator=True)},
        {1: NodeFacts(1, 3, run_by_service=True), 2: NodeFacts(2, 2)},
    )
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces[1] = WorkspaceRow(1, "w/", 1)
    share = ShareFacts(SubjectKind.USER, 2, Level.READ, "x/", NOW + timedelta(minutes=1))
    world.shares[1] = ShareRow(1, share)
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
        if connection.dialect.name == "postgresql":
            for table in ("roots", "workspaces"):
                connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)")
    return Server(database)


def _identify(server: Server, key: str, token: str | None, now: datetime = NOW) -> Identified | NotIdentified:
    return asyncio.run(server.authority.identify(key, token, now))


def _by(server: Server, issued: Issued, now: datetime = NOW) -> Identified | NotIdentified:
    return _identify(server, issued.access_key_id, issued.session_token, now)


def test_a_credential_says_whose_it_is(server: Server) -> None:
    narrowing = Narrowing(frozenset({1}), read_only=True)
    issued = issue(server.database, 1, narrowing=narrowing)
    identified = _by(server, issued)
    assert isinstance(identified, Identified)
    assert identified.secret_access_key == issued.secret_access_key
    assert identified.principal == Principal(
        1, "user1", 1, issued.credential_id, issued.access_key_id, issued.expires_at, narrowing
    )
    assert issued.secret_access_key not in repr(identified)


def test_it_ends_at_its_time(server: Server) -> None:
    issued = issue(server.database, seconds=60)
    last = issued.expires_at - timedelta(microseconds=1)
    assert isinstance(_by(server, issued, last), Identified)
    for now in (issued.expires_at, issued.expires_at + timedelta(days=400)):
        assert _by(server, issued, now) == NotIdentified("expired")


def test_who_is_refused_and_why(server: Server) -> None:
    one, other = issue(server.database), issue(server.database)
    stranger = TokenContents(1, 1, 1, one.access_key_id, one.expires_at, Narrowing())
    foreign = seal(Keyring("some other service's secret"), stranger)
    for key, token, reason in (
        (one.access_key_id, None, "unknown_key"),
        (one.access_key_id, "", "unknown_key"),
        (one.access_key_id, "nonsense", "bad_token"),
        (one.access_key_id, "x" * 100_000, "bad_token"),
        (one.access_key_id, one.session_token[:-1], "bad_token"),
        (one.access_key_id, other.session_token, "bad_token"),
        (one.access_key_id.lower(), one.session_token, "bad_token"),
        ("", one.session_token, "bad_token"),
        (one.access_key_id, foreign, "bad_token"),
    ):
        assert _identify(server, key, token) == NotIdentified(reason), (key, reason)


@pytest.mark.parametrize("remembered", [True, False])
def test_revoked_is_refused_at_once(server: Server, *, remembered: bool) -> None:
    issued, other = issue(server.database), issue(server.database)
    if remembered:
        assert isinstance(_by(server, issued), Identified)
    with server.database.write() as session:
        revoke_credential(session, user_id=1, credential_id=issued.credential_id, now=NOW)
    assert _by(server, issued) == NotIdentified("revoked")
    assert isinstance(_by(server, other), Identified)


@pytest.mark.parametrize("since", ["nothing", "another user's credential", "the user's own credential"])
def test_a_credential_issued_after_a_backup_is_none_after_its_restoration(server: Server, since: str) -> None:
    """An older database gives the same numbers again, to others; the secret is the same."""
    issued = issue(server.database)
    with server.database.engine.begin() as connection:
        connection.execute(delete(Credential).where(Credential.id == issued.credential_id))
        if since != "nothing":
            user = 1 if "own" in since else 2
            connection.execute(
                insert(Credential).values(
                    id=issued.credential_id,
                    user_id=user,
                    node_id=1,
                    access_key_id="WIOANOTHER",
                    issued_at=NOW,
                    expires_at=NOW + timedelta(hours=1),
                )
            )
    assert _by(Server(server.database), issued) == NotIdentified("revoked")
    assert isinstance(_by(server, issue(server.database)), Identified)


def test_a_user_number_that_another_has_after_a_restoration_opens_nothing(server: Server) -> None:
    issued = issue(server.database, 2)
    with server.database.engine.begin() as connection:
        connection.execute(update(Credential).where(Credential.id == issued.credential_id).values(user_id=1))
    assert _by(Server(server.database), issued) == NotIdentified("revoked")


def test_a_credential_that_is_known_costs_no_query(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = issue(server.database), issue(server.database)
    assert isinstance(_by(server, one), Identified)
    assert isinstance(_by(server, other), Identified)
    monkeypatch.setattr(server.rights, "_database", None)
    for issued in (one, other, one):
        assert isinstance(_by(server, issued), Identified)


@pytest.mark.parametrize("change", ["disabled", "gone"])
def test_a_user_who_is_disabled_or_gone_is_refused_at_once(server: Server, change: str) -> None:
    issued = issue(server.database, 2)
    assert isinstance(_by(server, issued), Identified)
    with server.database.write() as session:
        if change == "disabled":
            session.execute(update(User).where(User.id == 2).values(enabled=False))
        else:
            session.execute(update(Node).where(Node.operator_id == 2).values(operator_id=None))
            session.execute(delete(User).where(User.id == 2))
    assert _by(server, issued) == NotIdentified("revoked")


def test_a_rotated_secret_still_identifies(server: Server) -> None:
    issued = issue(server.database)
    rotated = Server(server.database)
    rotated.authority._keyring = Keyring("a newer secret of ours, a secret for the tests")
    identified = _by(rotated, issued)
    assert isinstance(identified, Identified)
    assert identified.secret_access_key == issued.secret_access_key


def test_identifying_again_opens_no_token_again_and_keeps_few(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "MAX_UNSEALED", 3)
    for _ in range(7):
        issued = issue(server.database)
        assert isinstance(_by(server, issued), Identified)
        assert len(server.authority._unsealed) <= 3
    monkeypatch.setattr(authority, "unseal", None)
    assert isinstance(_by(server, issued), Identified)


def test_a_principal_outlives_neither_its_time_nor_its_revocation(server: Server) -> None:
    """A request may be decided again long after it was identified."""
    issued = issue(server.database, 1, seconds=60)
    identified = _by(server, issued)
    assert isinstance(identified, Identified)
    holder = identified.principal

    async def answers() -> tuple[bool, tuple[str, ...]]:
        decided = await server.authority.decide(holder, Action.WRITE_DATA, BUCKET)
        return isinstance(decided, Permit), await server.authority.buckets(holder)

    assert asyncio.run(answers()) == (True, ("alpha",))
    server.clock.now = issued.expires_at - timedelta(microseconds=1)
    assert asyncio.run(answers()) == (True, ("alpha",))
    server.clock.now = issued.expires_at
    assert asyncio.run(answers()) == (False, ())
    assert asyncio.run(server.authority.decide(holder, Action.WRITE_DATA, BUCKET)) == Denied("credential_expired")
    server.clock.now = NOW
    with server.database.write() as session:
        session.execute(update(Credential).values(revoked_at=NOW))
    assert asyncio.run(answers()) == (False, ())
    assert asyncio.run(server.authority.decide(holder, Action.READ_DATA, BUCKET)) == Denied("credential_revoked")


def test_what_identification_read_serves_the_first_decision_alone(server: Server) -> None:
    """A request is decided by rights that were read after it came; a later one, or a second look, by newer."""
    issued = issue(server.database, 1)
    identified = _by(server, issued)
    assert isinstance(identified, Identified)

    async def decided(rights_seen: int | None) -> bool:
        verdict = await server.authority.decide(identified.principal, Action.WRITE_DATA, BUCKET, rights_seen)
        return isinstance(verdict, Permit)

    assert asyncio.run(decided(identified.rights_seen))
    with server.database.write() as session:
        session.execute(update(User).where(User.id == 1).values(enabled=False))
    assert asyncio.run(decided(identified.rights_seen))
    assert not asyncio.run(decided(None))
    assert not asyncio.run(decided(identified.rights_seen))


def test_where_a_permit_lets_act(server: Server) -> None:
    verdict = asyncio.run(
        server.authority.decide(principal(1), Action.WRITE_DATA, ObjectTarget("alpha", "w/a/../k"))
    )
    assert verdict == Permit(1, "alpha", 1, "w/")
    assert asyncio.run(server.authority.decide(principal(99), Action.READ_DATA, BUCKET)) == Denied("no_such_user")


def test_the_holder_of_a_folder_acts_beneath_that_folder(server: Server) -> None:
    verdict = asyncio.run(
        server.authority.decide(principal(2), Action.READ_DATA, ObjectTarget("alpha", "w/x/y/k"))
    )
    assert verdict == Permit(1, "alpha", 1, "w/x/")


def test_the_holder_of_a_folder_gains_nothing_around_it(server: Server) -> None:
    """User 2 reads `w/x/`: every way to say something beside, above or over it is refused."""

    async def decide(action: Action, key: str) -> bool:
        return isinstance(await server.authority.decide(principal(2), action, ObjectTarget("alpha", key)), Permit)

    async def run() -> None:
        for key in ("w/x/", "w/x/k", "w/x/y/z", "w/x/..k", "w/x/*"):
            assert await decide(Action.READ_DATA, key), key
            assert await decide(Action.LIST_DATA, key), key
            assert not await decide(Action.WRITE_DATA, key), key
        for key in (
            *("", "/", "w", "w/", "w/x", "w/xx", "w/X/k", "w/x\\k", "w/x\0/k", "w//x/k", "/w/x/k", "w/./x/k"),
            *(
                "w/x/../k",
                "w/x/..",
                "w/x/../",
                "w/x/y/../../k",
                "w/x/../x/k",
                "w/*",
                "w/?/k",
                "w/%78/k",
                "w/y/../x/k",
            ),
        ):
            assert not await decide(Action.READ_DATA, key), key
            assert not await decide(Action.LIST_DATA, key), key

    asyncio.run(run())


def test_buckets_are_those_where_something_is_readable(server: Server) -> None:
    async def buckets(user: int, **how: object) -> tuple[str, ...]:
        return await server.authority.buckets(principal(user, **how))  # type: ignore[arg-type]

    async def run() -> None:
        assert await buckets(1) == ("alpha",)
        assert await buckets(2) == ("alpha",)
        assert await buckets(3) == ()  # the operator sees names of workspaces, not contents
        assert await buckets(4) == ()
        assert await buckets(1, node=2) == ()
        assert await buckets(1, narrowing=Narrowing(frozenset({9}))) == ()
        assert await buckets(99) == ()
        server.clock.now = NOW + timedelta(minutes=1)
        assert await buckets(2) == ()

    asyncio.run(run())


def test_buckets_are_of_one_state(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is disabled, and a share to everyone: between the two reads nothing shines through."""
    load = server.authority._load_buckets

    def change_first(asked: object) -> tuple[str, ...]:
        with server.database.write() as session:
            session.execute(update(User).where(User.id == 3).values(enabled=False))
            session.execute(update(Share).values(subject_kind="everyone", user_id=None))
        return load(asked)  # type: ignore[arg-type]

    monkeypatch.setattr(server.authority, "_load_buckets", change_first)
    assert asyncio.run(server.authority.buckets(principal(3))) == ()


def test_who_manages_buckets(server: Server) -> None:
    async def may(user: int, **how: object) -> bool:
        return await server.authority.may_manage_buckets(principal(user, **how))  # type: ignore[arg-type]

    def change(**values: object) -> None:
        with server.database.write() as session:
            session.execute(update(Node).where(Node.id == 1).values(**values))

    async def run() -> None:
        assert [await may(user) for user in (1, 2, 3, 4, 99)] == [False, False, True, True, False]
        assert not await may(3, narrowing=Narrowing(read_only=True))
        assert not await may(3, narrowing=Narrowing(frozenset({1})))
        assert not await may(3, node=99)
        assert not await may(3, expires_at=NOW)
        change(read_only=True)
        assert not await may(3)
        change(read_only=False, layout="bucket")
        assert not await may(3)
        change(layout="buckets", run_by_service=False)
        assert [await may(user) for user in (3, 4)] == [True, False]

    asyncio.run(run())


def test_a_new_bucket_is_its_makers_and_nobody_elses(server: Server) -> None:
    async def run() -> None:
        await server.authority.decide(principal(3), Action.READ_DATA, ObjectTarget("new", "k"))
        await server.authority.bucket_created(principal(3), "new")
        for action in (Action.READ_DATA, Action.LIST_DATA, Action.WRITE_DATA):
            for key in ("", "k", "a/b"):
                permit = await server.authority.decide(principal(3), action, ObjectTarget("new", key))
                assert isinstance(permit, Permit)
                assert permit.prefix == ""
                for stranger in (1, 2, 4):
                    assert not await server.authority.decide(principal(stranger), action, ObjectTarget("new", key))
        assert await server.authority.buckets(principal(3)) == ("new",)

    asyncio.run(run())
    with server.database.read() as session:
        root = session.scalars(select(Root).where(Root.bucket == "new")).one()
        assert (root.type, root.create_policy, root.prefix) == ("unmanaged-private", "nobody", "")
        assert session.scalars(select(AuditRecord.verb)).all() == ["bucket.create"]


def test_a_bucket_that_is_gone_leaves_no_rights(server: Server) -> None:
    async def run() -> None:
        assert await server.authority.decide(principal(1), Action.READ_DATA, BUCKET)
        await server.authority.bucket_deleted(principal(3), "alpha")
        assert await server.authority.decide(principal(1), Action.READ_DATA, BUCKET) == Denied("no_workspace_here")
        # Made again it is its maker's alone, without what was shared before.
        await server.authority.bucket_created(principal(3), "alpha")
        assert not await server.authority.decide(principal(1), Action.READ_DATA, BUCKET)
        assert not await server.authority.decide(principal(2), Action.READ_DATA, ObjectTarget("alpha", "w/x/k"))

    asyncio.run(run())
    with server.database.read() as session:
        assert session.scalars(select(Share.id)).all() == []
        assert session.scalars(select(Workspace.owner_id)).all() == [3]


def test_a_bucket_whose_rights_are_known_is_not_recorded_anew(server: Server) -> None:
    """Its folder vanished and was made again: whoever had rights there would have them in what is new."""
    with pytest.raises(Conflict):
        asyncio.run(server.authority.bucket_created(principal(3), "alpha"))
    with server.database.read() as session:
        assert session.scalars(select(Workspace.owner_id)).all() == [1]


def test_names_of_new_buckets_are_free_ones(server: Server) -> None:
    """Roots have one name space, a user's workspaces another; a pattern in a name is no pattern."""
    with server.database.write() as session:
        session.execute(update(Root).values(name="data"))
        session.execute(update(Workspace).values(name="data", owner_id=3))
    asyncio.run(server.authority.bucket_created(principal(3), "data"))
    with server.database.read() as session:
        root = session.scalars(select(Root).where(Root.bucket == "data")).one()
        workspace = session.scalars(select(Workspace).where(Workspace.bucket == "data")).one()
        assert (root.name, workspace.name) == ("data-2", "data-2")


def test_room_is_reserved_for_every_write_as_long_as_there_are_no_limits(server: Server) -> None:
    async def run() -> None:
        permit = Permit(1, "alpha", 1, "w/")
        made = [await server.authority.reserve(permit, principal(1), 10, 1) for _ in range(3)]
        assert all(isinstance(one, Reservation) for one in made)
        assert len({one.reservation_id for one in made if isinstance(one, Reservation)}) == 3
        first, second, _ = made
        assert isinstance(first, Reservation)
        assert isinstance(second, Reservation)
        await server.authority.commit(first, 9, 1)
        await server.authority.release(second)

    asyncio.run(run())


def test_secrets_belong_to_the_node(server: Server) -> None:
    one, two = issue(server.database, 2, 1), issue(server.database, 2, 2)
    assert one.secret_access_key != secret_access_key(KEYRING, 2, one.access_key_id)
    identified = _by(server, two)
    assert isinstance(identified, Identified)
    assert identified.principal.node_id == 2
