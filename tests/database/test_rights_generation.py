"""The generation rises with every change of rights, whoever makes it and however, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session

from database.kinds import clear, database_fixture
from database.worlds import NOW, RootRow, ShareRow, UserRow, WorkspaceRow, World
from workspacesio.database.journal_tables import ObjectEvent, Usage
from workspacesio.database.sessions import Database
from workspacesio.database.tables import (
    ApiKey,
    AuditRecord,
    Base,
    Credential,
    Group,
    GroupMember,
    Node,
    OneTimeToken,
    RightsCarried,
    Root,
    RootCreator,
    RootManager,
    ServiceSetting,
    Share,
    SignIn,
    SignInAttempt,
    User,
    Workspace,
    WorkspaceRemoval,
)
from workspacesio.domain.facts import NodeFacts, RootFacts, ShareFacts
from workspacesio.domain.vocabulary import Level, RootType, SubjectKind

database = database_fixture(scope="module")

Change = Callable[[Session], object]

LATER = NOW + timedelta(days=1)
CREDENTIAL = {
    "user_id": 1,
    "node_id": 1,
    "access_key_id": "WIONEW",
    "read_only": False,
    "issued_at": NOW,
    "expires_at": LATER,
}
SHARE = {
    "workspace_id": 1,
    "folder": "new/",
    "subject_kind": "everyone",
    "level": 1,
    "created_at": NOW,
}
EVENT = {"name": "e", "at": NOW, "node_id": 1, "bucket": "alpha", "key": "k", "workspace_id": 1, "user_id": 1}
AUDIT = {"at": NOW, "actor": "ada", "verb": "v", "target": "t", "details": {}}


@pytest.fixture(autouse=True)
def _some_world(database: Database) -> None:
    world = World({1: UserRow(groups=frozenset({1})), 2: UserRow()}, {1: NodeFacts(1, 1)})
    world.roots[1] = RootRow(
        1, "alpha", "", RootFacts(1, RootType.PRIVATE, frozenset({1}), creators=frozenset({2}))
    )
    world.workspaces[1] = WorkspaceRow(1, "w/", 1)
    world.shares[1] = ShareRow(1, ShareFacts(SubjectKind.USER, 2, Level.OWN))
    world.shares[2] = ShareRow(1, ShareFacts(SubjectKind.GROUP, 1, Level.READ))
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)
        connection.execute(insert(Credential).values(**CREDENTIAL | {"id": 1000, "access_key_id": "WIOOLD"}))
        connection.execute(insert(Usage).values(workspace_id=1, bytes=1, objects=1))
        session = {"id": 1000, "user_id": 1, "token_hash": b"0", "created_at": NOW}
        connection.execute(insert(SignIn).values(**session, expires_at=LATER))
        connection.execute(insert(ApiKey).values(**session, name="old"))
        if connection.dialect.name == "postgresql":
            for table in ("users", "groups", "nodes", "roots", "workspaces", "shares"):
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)"))


def _added(row: Base) -> Change:
    return lambda session: session.add(row)


def _set(table: type[Base], key: object, **values: object) -> Change:
    def change(session: Session) -> None:
        row = session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)

    return change


def _deleted(table: type[Base], key: object) -> Change:
    return lambda session: session.delete(session.get_one(table, key))


def _executed(statement: object) -> Change:
    return lambda session: session.execute(statement)  # type: ignore[call-overload]


def _upserted(session: Session) -> None:
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    dialect_insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    statement = dialect_insert(Credential).values(**CREDENTIAL | {"access_key_id": "WIOOLD"})
    session.execute(statement.on_conflict_do_update(index_elements=["access_key_id"], set_={"revoked_at": NOW}))


def _loaded_only(session: Session) -> None:
    session.scalars(select(Share).where(Share.workspace_id == 1)).all()
    session.execute(text("SELECT 1"))


CHANGES_OF_RIGHTS: dict[str, Change] = {
    # By the session's own rows.
    "new user": lambda session: session.add(User(email="e", username="u", created_at=NOW)),
    "disabled user": _set(User, 1, enabled=False),
    "administrator": _set(User, 2, administrator=True),
    "new member": lambda session: session.add(GroupMember(group_id=1, user_id=2, manager=False)),
    "member left": _deleted(GroupMember, (1, 1)),
    "node read-only": _set(Node, 1, read_only=True),
    "root's type": _set(Root, 1, type="public"),
    "root manager gone": _deleted(RootManager, (1, 1)),
    "root creator gone": _deleted(RootCreator, (1, 2)),
    "handed over": _set(Workspace, 1, owner_id=2),
    "new share": lambda session: session.add(Share(**SHARE)),
    "share lowered": _set(Share, 1, level=1),
    "share expires": _set(Share, 1, expires_at=NOW),
    "un-shared": _deleted(Share, 1),
    "credential revoked": _set(Credential, 1000, revoked_at=NOW),
    "credential deleted": _deleted(Credential, 1000),
    # What goes with the row by the database's own cascade.
    "group deleted": _deleted(Group, 1),
    "workspace deleted": _deleted(Workspace, 1),
    "group deleted in bulk": _executed(delete(Group).where(Group.id == 1)),
    # In bulk, by Core, by hand.
    "bulk update": _executed(update(Share).values(level=1)),
    "bulk update of users": _executed(update(User).where(User.id == 1).values(enabled=False)),
    "bulk update returning": _executed(update(Share).where(Share.id == 1).values(level=1).returning(Share.id)),
    "bulk delete": _executed(delete(Share).where(Share.id == 1)),
    "insert values": _executed(insert(Share).values(**SHARE)),
    "insert many": lambda session: session.execute(insert(Share), [SHARE, SHARE | {"folder": "more/"}]),
    "insert from select": _executed(
        insert(RootManager).from_select(["root_id", "user_id"], select(RootCreator.root_id, RootCreator.user_id))
    ),
    "core table": _executed(Share.__table__.delete()),
    "legacy bulk save": lambda session: session.bulk_save_objects([Share(**SHARE)]),
    "legacy bulk update": lambda session: session.bulk_update_mappings(Share.__mapper__, [{"id": 1, "level": 1}]),
    "connection": lambda session: session.connection().execute(update(Share).values(level=1)),
    "text": _executed(text("DELETE FROM shares")),
    "credentials revoked in bulk": _executed(update(Credential).values(revoked_at=NOW)),
    "credential upserted": _upserted,
    "session ended": _executed(delete(SignIn).where(SignIn.id == 1000)),
    "API key revoked": _set(ApiKey, 1000, revoked_at=NOW),
    "in a savepoint": lambda session: _in_savepoint(session, update(Share).values(level=1)),
}

CHANGES_OF_NONE: dict[str, Change] = {
    "reading": _loaded_only,
    "new credential": lambda session: session.add(Credential(**CREDENTIAL)),
    "new credential, inserted": _executed(insert(Credential).values(**CREDENTIAL)),
    "audit": lambda session: session.add(AuditRecord(**AUDIT)),
    "audit, inserted": _executed(insert(AuditRecord).values(**AUDIT)),
    "event": lambda session: session.add(ObjectEvent(**EVENT)),
    "events deleted": _executed(delete(ObjectEvent)),
    "usage": _set(Usage, 1, bytes=7),
    "usage in bulk": _executed(update(Usage).values(bytes=7)),
    "session": lambda session: session.add(SignIn(user_id=1, token_hash=b"1", created_at=NOW, expires_at=LATER)),
    "API key": lambda session: session.add(ApiKey(user_id=1, name="n", token_hash=b"1", created_at=NOW)),
    "one-time token": lambda session: session.add(OneTimeToken(purpose="setup", token_hash=b"1", created_at=NOW)),
    "failed sign-in": lambda session: session.add(SignInAttempt(subject=b"1", at=NOW)),
    "setting": lambda session: session.add(ServiceSetting(name="n", value="v")),
    "removal of objects": lambda session: session.add(
        WorkspaceRemoval(workspace_id=9, reference="r", node_id=1, bucket="b", prefix="p/", created_at=NOW)
    ),
    "bulk update that meets nothing": _executed(update(Share).where(Share.id == 99).values(level=1)),
    "bulk delete that meets nothing": _executed(delete(Credential).where(Credential.expires_at < NOW)),
}


def _change_and_fail(session: Session) -> None:
    session.execute(update(Share).values(level=1))
    session.flush()
    raise LookupError


def _in_savepoint(session: Session, statement: object) -> None:
    with session.begin_nested():
        session.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", CHANGES_OF_RIGHTS)
def test_a_change_of_rights_raises_the_generation(database: Database, name: str) -> None:
    before = database.generation()
    with database.write() as session:
        CHANGES_OF_RIGHTS[name](session)
    assert database.generation() == before + 1


@pytest.mark.parametrize("name", CHANGES_OF_NONE)
def test_anything_else_does_not(database: Database, name: str) -> None:
    before = database.generation()
    with database.write() as session:
        CHANGES_OF_NONE[name](session)
    assert database.generation() == before


def test_a_change_that_is_rolled_back_does_not(database: Database) -> None:
    before = database.generation()
    with pytest.raises(LookupError), database.write() as session:
        _change_and_fail(session)
    assert database.generation() == before
    with database.read() as session:
        assert session.get_one(Share, 1).level == Level.OWN
    # And nothing of it clings to the connection.
    with database.write() as session:
        session.add(AuditRecord(**AUDIT))
    assert database.generation() == before


def test_several_changes_of_one_use_case_raise_it_once(database: Database) -> None:
    before = database.generation()
    with database.write() as session:
        for name in ("handed over", "share lowered", "bulk update", "new share"):
            CHANGES_OF_RIGHTS[name](session)
    assert database.generation() == before + 1


@pytest.mark.parametrize("name", CHANGES_OF_RIGHTS)
def test_the_journal_refuses_changes_of_rights(database: Database, name: str) -> None:
    before = database.generation()
    with pytest.raises(RuntimeError, match="rights are changed in"), database.journal() as session:
        CHANGES_OF_RIGHTS[name](session)
    assert database.generation() == before
    with database.read() as session:
        assert session.get_one(Share, 1).level == Level.OWN
        assert session.get_one(User, 1).enabled


@pytest.mark.parametrize("name", CHANGES_OF_NONE)
def test_the_journal_takes_everything_else(database: Database, name: str) -> None:
    before = database.generation()
    with database.journal() as session:
        CHANGES_OF_NONE[name](session)
    assert database.generation() == before


def test_nothing_of_a_read_is_kept(database: Database) -> None:
    before = database.generation()
    with database.read() as session:
        session.execute(update(Share).values(level=1))
    with database.read() as session:
        assert session.get_one(Share, 1).level == Level.OWN
    assert database.generation() == before


def test_every_table_whose_rows_go_with_facts_of_decisions_says_so() -> None:
    """A cascade is silent: the parent must be marked, or its removal would change rights unnoticed."""
    carried = {mapper.class_.__tablename__: mapper.class_.carries_rights for mapper in Base.registry.mappers}
    for table in Base.metadata.tables.values():
        for key in table.foreign_keys:
            if key.ondelete == "CASCADE" and carried[table.name] is not RightsCarried.NEVER:
                assert carried[key.column.table.name] is RightsCarried.ALWAYS, (table.name, key.column.table.name)
