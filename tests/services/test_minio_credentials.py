"""Keys of a MinIO server do there exactly what the permission core allows, from the first request on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from database.kinds import database_fixture
from servers.s3_server import S3Server
from services.minio_service import MinioService, put, service_with_node
from workspacesio.database.facts import load_caller, load_workspace_target
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Credential, Workspace
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.facts import Narrowing
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action
from workspacesio.services.credentials import revoke_credential, revoke_credentials_of
from workspacesio.services.node_effects import marked, settle_one

database = database_fixture("sqlite")


@pytest.fixture
def service(database: Database, minio_server: S3Server, tmp_path: Path) -> MinioService:
    return service_with_node(database, minio_server, tmp_path)


def decided(service: MinioService, user_id: int, workspace: Workspace, path: str) -> str:
    """What `decide` says of the user, in the letters of `Hand.rights`."""
    with service.database.read() as session:
        row = session.get_one(Workspace, workspace.id)
        caller = load_caller(session, user_id)
        assert caller is not None
        target = load_workspace_target(session, row, path)
        actions = {"l": Action.LIST_DATA, "r": Action.READ_DATA, "w": Action.WRITE_DATA}
        return "".join(
            letter for letter, action in actions.items() if decide(caller, action, target, service.clock())
        )


def test_keys_do_what_is_decided_in_every_workspace(service: MinioService, minio_server: S3Server) -> None:
    """Own, shared at each level, with a group, with everyone, in a public root, one folder only, not at all."""
    group = service.group("lab", 3, 4)
    own = service.workspace("ada", "own")
    read, written = service.workspace("bob", "read"), service.workspace("bob", "written")
    grouped, everybody = service.workspace("bob", "grouped"), service.workspace("bob", "everybody")
    folder, public = service.workspace("bob", "folder"), service.workspace("bob", "public", "public")
    hidden = service.workspace("bob", "hidden")
    service.share("bob", read, "ada")
    service.share("bob", written, "ada", "readwrite")
    service.share("bob", grouped, "@lab", "readwrite")
    service.share("bob", everybody, "everyone")
    service.share("bob", folder, "ada", "readwrite", folder="in")
    workspaces = (own, read, written, grouped, everybody, folder, public, hidden)
    for workspace in workspaces:
        put(minio_server, workspace, "x", "in/x", "in-other/x")
    compared = 0
    hands = {user_id: service.keys(name) for user_id, name in ((2, "ada"), (3, "bob"), (4, "eve"))}
    for user_id, hand in hands.items():
        for workspace in workspaces:
            for path in ("x", "in/x", "in-other/x"):
                assert hand.rights(workspace, path) == decided(service, user_id, workspace, path), (
                    user_id,
                    workspace.prefix,
                    path,
                )
                compared += 1
    assert compared == 3 * 8 * 3
    assert group == 1
    assert hands[2].rights(folder, "in/x") == "lrw"
    assert hands[2].rights(hidden) == ""


def test_the_answer_says_where_and_what(service: MinioService, minio_server: S3Server) -> None:
    workspace = service.workspace("ada", "scans")
    there = service.issue("ada")
    assert (there.endpoint, there.region) == (minio_server.endpoint, "us-east-1")
    assert [(one.name, one.bucket, one.prefix) for one in there.covered] == [
        ("scans", workspace.bucket, workspace.prefix)
    ]
    assert there.issued.secret_access_key not in repr(there)
    assert there.issued.session_token not in repr(there)
    with service.database.read() as session:
        row = session.scalars(select(Credential)).one()
    assert (row.access_key_id, row.user_id, row.node_id) == (there.issued.access_key_id, 2, 1)
    assert abs(row.expires_at - service.clock() - timedelta(hours=1)) < timedelta(seconds=10)


def test_a_narrowed_key_reaches_nothing_else(service: MinioService, minio_server: S3Server) -> None:
    one, other = service.workspace("ada", "one"), service.workspace("ada", "other")
    put(minio_server, one, "x")
    put(minio_server, other, "x")
    narrowed = service.keys("ada", workspaces=frozenset({one.id}))
    assert (narrowed.rights(one), narrowed.rights(other)) == ("lrw", "")
    reading = service.keys("ada", workspaces=frozenset({one.id}), read_only=True)
    assert (reading.rights(one), reading.rights(other)) == ("lr", "")
    everywhere = service.keys("ada", read_only=True)
    assert (everywhere.rights(one), everywhere.rights(other)) == ("lr", "lr")


def test_narrowing_to_what_is_not_shared_gives_nothing(service: MinioService, minio_server: S3Server) -> None:
    hidden = service.workspace("bob", "hidden")
    put(minio_server, hidden, "x")
    assert service.keys("ada", workspaces=frozenset({hidden.id})).rights(hidden) == ""


def test_a_narrowing_that_is_too_long_is_refused_with_the_limit(service: MinioService) -> None:
    ids = frozenset(service.workspace("ada", f"a-rather-long-name-of-a-workspace-{n:03}").id for n in range(20))
    with pytest.raises(Invalid) as refusal:
        service.issue("ada", workspaces=ids)
    assert refusal.value.code == "narrowing_too_long"
    assert refusal.value.details["limit"] == 2048
    with service.database.read() as session:
        assert session.scalars(select(Credential)).all() == []


def test_keys_shorter_than_the_server_issues_end_on_time(service: MinioService, minio_server: S3Server) -> None:
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    hand = service.keys("ada", duration=timedelta(seconds=15))
    assert hand.rights(workspace) == "lrw"
    assert hand.there.issued.expires_at - service.clock() <= timedelta(seconds=15)
    wait_until(hand.there.issued.expires_at, service)
    assert hand.rights(workspace) == ""


def test_keys_live_no_longer_than_the_session_they_were_made_with(service: MinioService) -> None:
    door = service.door("ada", expires_at=service.clock() + timedelta(minutes=20))
    there = service.issue("ada", door=door)
    assert there.issued.expires_at <= service.clock() + timedelta(minutes=20)


def test_a_narrowed_api_key_makes_keys_as_narrow(service: MinioService, minio_server: S3Server) -> None:
    one, other = service.workspace("ada", "one"), service.workspace("ada", "other")
    put(minio_server, one, "x")
    put(minio_server, other, "x")
    door = service.door("ada", narrowing=Narrowing(frozenset({one.id}), read_only=True))
    hand = service.keys("ada", door=door)
    assert (hand.rights(one), hand.rights(other)) == ("lr", "")


def test_ending_one_ends_all_of_the_users_there_for_good(service: MinioService, minio_server: S3Server) -> None:
    """MinIO would accept keys again when a user of the same name is made: so no name is used twice."""
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    first, second = service.keys("ada"), service.keys("ada")
    others = service.keys("bob")
    with service.database.write() as session:
        revoke_credential(session, user_id=2, credential_id=first.there.issued.credential_id, now=service.clock())
        changed = marked(session)
    assert settle_one(service, changed) == "enforced"
    assert (first.rights(workspace), second.rights(workspace)) == ("", "")
    fresh = service.keys("ada")
    assert fresh.rights(workspace) == "lrw"
    assert (first.rights(workspace), second.rights(workspace)) == ("", "")
    with service.database.read() as session:
        rows = {row.id: row.revoked_at for row in session.scalars(select(Credential))}
    ended = {first.there.issued.credential_id, second.there.issued.credential_id}
    assert {credential for credential, revoked_at in rows.items() if revoked_at} == ended
    assert others.there.issued.credential_id in rows
    assert [name for name in service.administration().user_names() if name.startswith(service.prefix())]


def test_ending_a_session_ends_what_was_issued_with_it(service: MinioService, minio_server: S3Server) -> None:
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    hand = service.keys("ada", door=service.door("ada", sign_in_id=7))
    with service.database.write() as session:
        revoke_credentials_of(session, sign_in_id=8, now=service.clock())
        assert not marked(session)
        revoke_credentials_of(session, sign_in_id=7, now=service.clock())
        changed = marked(session)
    assert settle_one(service, changed) == "enforced"
    assert hand.rights(workspace) == ""


def test_a_user_that_somebody_removed_on_the_server_gets_keys_again(
    service: MinioService, minio_server: S3Server
) -> None:
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    service.keys("ada")
    service.administration().remove_user(f"{service.prefix()}u2")
    assert service.keys("ada").rights(workspace) == "lrw"


def test_a_secret_that_somebody_changed_on_the_server_is_set_again(
    service: MinioService, minio_server: S3Server
) -> None:
    """So it is too when WIO_SECRET was replaced."""
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    service.keys("ada")
    service.administration().add_user(f"{service.prefix()}u2", "another-secret")
    assert service.keys("ada").rights(workspace) == "lrw"


def test_keys_on_a_node_that_is_being_removed_are_refused(service: MinioService) -> None:
    from workspacesio.database.tables import Node

    service.workspace("ada", "scans")
    with service.database.write() as session:
        session.get_one(Node, 1).leaving = True
    with pytest.raises(Conflict) as refusal:
        service.issue("ada")
    assert refusal.value.code == "node_leaving"


def wait_until(moment: object, service: MinioService) -> None:
    import time

    while service.clock() <= moment:  # type: ignore[operator]
        time.sleep(0.05)
