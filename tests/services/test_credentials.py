"""Short-lived keys: how long, how narrow, what they cover now, and that they end at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from database.kinds import clear, database_fixture
from database.worlds import NOW, UserRow, World, worlds
from services.authorities import KEYRING, issue
from workspacesio.database.facts import load_caller
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Credential, Node
from workspacesio.domain.errors import Invalid, NotFound
from workspacesio.domain.facts import Narrowing, NodeFacts
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action
from workspacesio.services.credentials import (
    MIN_SECONDS,
    active_credentials,
    covered_workspaces,
    revoke_credential,
    revoke_credentials_of,
)
from workspacesio.services.sealed_tokens import MAX_NARROWED_WORKSPACES, MAX_TOKEN_CHARACTERS, unseal

database = database_fixture(scope="module")

NEEDED = ((Action.READ_DATA, 1), (Action.WRITE_DATA, 2), (Action.SHARE_WORKSPACE, 3))


@pytest.fixture
def users(database: Database) -> Database:
    clear(database)
    with database.engine.begin() as connection:
        World({1: UserRow(), 2: UserRow()}, {1: NodeFacts(1, 1), 2: NodeFacts(2, 1)}).save(connection)
    return database


def _active(database: Database, user: int = 1) -> list[int]:
    with database.read() as session:
        return [row.id for row in active_credentials(session, user_id=user, now=NOW)]


def test_what_is_issued_is_recorded_without_its_secrets(users: Database) -> None:
    narrowing = Narrowing(frozenset({5, 3}), read_only=True)
    issued = issue(users, 1, 2, narrowing=narrowing, seconds=60)
    with users.read() as session:
        row = session.get_one(Credential, issued.credential_id)
        assert (row.user_id, row.node_id, row.access_key_id) == (1, 2, issued.access_key_id)
        assert (row.narrowed_to, row.read_only, row.revoked_at) == ([3, 5], True, None)
        assert (row.issued_at, row.expires_at) == (NOW, issued.expires_at)
        stored = repr([getattr(row, column.name) for column in Credential.__table__.columns])
    assert issued.secret_access_key not in stored
    assert issued.session_token not in stored
    assert issued.secret_access_key not in repr(issued)
    assert issued.session_token not in repr(issued)


def test_the_token_says_what_the_row_says(users: Database) -> None:
    narrowing = Narrowing(frozenset({5, 3}), read_only=True)
    issued = issue(users, 1, 2, narrowing=narrowing)
    opened = unseal(KEYRING, issued.session_token)
    assert opened is not None
    contents, _ = opened
    assert (contents.credential_id, contents.user_id, contents.node_id) == (issued.credential_id, 1, 2)
    assert (contents.access_key_id, contents.expires_at) == (issued.access_key_id, issued.expires_at)
    assert contents.narrowing == narrowing


@pytest.mark.parametrize("seconds", [MIN_SECONDS, 3600, 12 * 3600])
def test_it_lives_as_long_as_was_asked_for_in_whole_seconds(users: Database, seconds: int) -> None:
    issued = issue(users, seconds=seconds)
    assert issued.expires_at == (NOW + timedelta(seconds=seconds)).replace(microsecond=0)


@pytest.mark.parametrize("seconds", [-1, 0, MIN_SECONDS - 0.001, 12 * 3600 + 0.001, 10**9])
def test_it_lives_neither_shorter_nor_longer_than_allowed(users: Database, seconds: float) -> None:
    with pytest.raises(Invalid) as refusal:
        issue(users, seconds=seconds)
    assert refusal.value.code == "invalid_duration"
    assert _active(users) == []


def test_it_lives_no_longer_than_what_it_was_made_with(users: Database) -> None:
    """A session or API key that ends sooner: a credential never makes a longer-lived one."""
    ends = NOW + timedelta(seconds=30.5)
    assert issue(users, seconds=3600, latest_expiry=ends).expires_at == ends.replace(microsecond=0)
    later = NOW + timedelta(days=1)
    assert issue(users, seconds=60, latest_expiry=later).expires_at < later


def test_it_is_narrowed_to_what_a_token_can_say(users: Database) -> None:
    most = frozenset(range(2**31, 2**31 + MAX_NARROWED_WORKSPACES))
    assert len(issue(users, narrowing=Narrowing(most)).session_token) < MAX_TOKEN_CHARACTERS
    with pytest.raises(Invalid) as refusal:
        issue(users, narrowing=Narrowing(most | {1}))
    assert refusal.value.code == "too_many_workspaces"


def test_issuing_changes_nobodys_rights_and_revoking_does(users: Database) -> None:
    before = users.generation()
    issued = issue(users)
    assert users.generation() == before
    with users.write() as session:
        revoke_credential(session, user_id=1, credential_id=issued.credential_id, now=NOW)
    assert users.generation() == before + 1


def test_one_ends_ones_own_and_nobody_elses(users: Database) -> None:
    mine, other = issue(users, 1), issue(users, 2)
    for number in (other.credential_id, 10**6):
        with pytest.raises(NotFound), users.write() as session:
            revoke_credential(session, user_id=1, credential_id=number, now=NOW)
    with users.write() as session:
        revoke_credential(session, user_id=1, credential_id=mine.credential_id, now=NOW)
    with users.write() as session:
        revoke_credential(session, user_id=1, credential_id=mine.credential_id, now=NOW + timedelta(hours=1))
        assert session.get_one(Credential, mine.credential_id).revoked_at == NOW
    assert (_active(users, 1), _active(users, 2)) == ([], [other.credential_id])


def test_what_was_made_with_a_session_or_key_ends_with_it(users: Database) -> None:
    row = {
        "user_id": 1,
        "node_id": 1,
        "read_only": False,
        "issued_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    made_with = [{"sign_in_id": 7}, {"sign_in_id": 8}, {"api_key_id": 7}, {}, {"user_id": 2, "sign_in_id": None}]
    with users.engine.begin() as connection:
        for number, how in enumerate(made_with, 501):
            values = {"id": number, "access_key_id": f"WIO{number}", "sign_in_id": None, "api_key_id": None}
            connection.execute(insert(Credential).values(row | values | how))
        expired = {"id": 600, "access_key_id": "WIO600", "sign_in_id": 7, "expires_at": NOW}
        connection.execute(insert(Credential).values(row | expired))
    for how, left in (
        ({"sign_in_id": 7}, [502, 503, 504]),
        ({"api_key_id": 7}, [502, 504]),
        ({"user_id": 1}, []),
    ):
        with users.write() as session:
            revoke_credentials_of(session, now=NOW, **how)
        assert _active(users, 1) == left
    assert _active(users, 2) == [505]
    with users.read() as session:
        assert session.get_one(Credential, 600).revoked_at is None


@pytest.mark.parametrize("how", [{}, {"user_id": 1, "sign_in_id": 2}, {"user_id": None}])
def test_ending_everything_by_accident_is_impossible(users: Database, how: dict[str, int | None]) -> None:
    with pytest.raises(ValueError, match="exactly one"), users.write() as session:
        revoke_credentials_of(session, now=NOW, **how)  # type: ignore[arg-type]


@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(world=worlds(), read_only=st.booleans())
def test_what_is_said_to_be_covered_is_what_is_allowed(
    database: Database, world: World, *, read_only: bool
) -> None:
    """For each folder that is named the level is right, and every readable workspace is named."""
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
    with database.read() as session:
        for user in world.users:
            for node in world.nodes:
                caller = load_caller(session, user, Narrowing(read_only=read_only))
                assert caller is not None
                covered = covered_workspaces(session, caller=caller, node=session.get_one(Node, node), now=NOW)
                assert len({one.workspace_id for one in covered}) == len(covered)
                for one in covered:
                    row = world.workspaces[one.workspace_id]
                    assert (one.prefix, one.owner) == (row.prefix, f"user{row.owner}")
                    best = dict(one.folders)
                    for folder in best:
                        level = max(level for held, level in best.items() if folder.startswith(held))
                        target = replace(world.target(one.workspace_id, folder), node=NodeFacts(node, 0))
                        for action, needed in NEEDED:
                            assert bool(decide(caller, action, target, NOW)) is (level >= needed)
                named = {one.workspace_id for one in covered}
                for number, row in world.workspaces.items():
                    if world.roots[row.root].node == node and number not in named:
                        assert not decide(caller, Action.READ_DATA, world.target(number), NOW)


def test_no_row_is_left_of_what_was_refused(users: Database) -> None:
    with pytest.raises(Invalid):
        issue(users, seconds=1)
    with users.read() as session:
        assert session.scalars(select(Credential.id)).all() == []
