"""A server becomes a node only with everything that it takes, and goes without a trace of ours."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from database.kinds import database_fixture
from servers.minio import minio
from servers.process import free_port
from servers.s3_server import S3Server
from services.minio_service import MinioService, put, service_with_node
from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, Credential, Node, NodeEffect, Workspace
from workspacesio.domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.minio.fitness import ADMINISTRATION_ACTIONS, release_warnings
from workspacesio.nodes.minio.names import user_name
from workspacesio.services.keys import Keyring
from workspacesio.services.minio_nodes import (
    NO_ADMINISTRATION,
    CheckedServer,
    add_minio_node,
    change_minio_node,
    check_server,
    node_state,
)
from workspacesio.services.minio_removal import remove_minio_node
from workspacesio.services.node_effects import continue_effects, settle_one
from workspacesio.services.node_secrets import open_secret, seal_secret
from workspacesio.services.root_indexing import change_indexing

database = database_fixture("sqlite")


@pytest.fixture
def empty(database: Database, tmp_path: Path) -> MinioService:
    service = MinioService(database, tmp_path)
    service.user("root", administrator=True)
    service.user("ada")
    return service


@pytest.fixture
def service(database: Database, minio_server: S3Server, tmp_path: Path) -> MinioService:
    return service_with_node(database, minio_server, tmp_path)


UNKNOWN_KEY = "The server doesn't know the node's access key, or it is disabled there."


def check(service: MinioService, server: S3Server, **changed: Any) -> CheckedServer:
    given = {
        "endpoint": server.endpoint,
        "public_endpoint": None,
        "region": None,
        "access_key": server.access_key,
        "secret": server.secret_key,
        "by_administrator": True,
    }
    return check_server(service, **{**given, **changed})


def administration(server: S3Server) -> Administration:
    access = ServerAccess(server.endpoint, server.region, server.access_key, server.secret_key)
    return Administration(Connection(access, AllowedAddresses()))


def everything(server: S3Server) -> tuple[set[str], set[str], set[str]]:
    there = administration(server)
    return set(there.user_names()), set(there.group_names()), set(there.policy_names())


def key_with(server: S3Server, *actions: str, with_objects: str = "s3:*") -> tuple[str, str]:
    """A user on the server that may do these, and this with objects: everything, if nothing else is said."""
    name, secret = f"key-{secrets.token_hex(4)}", secrets.token_hex(12)
    statements = [{"Effect": "Allow", "Action": [with_objects], "Resource": ["arn:aws:s3:::*"]}]
    if actions:
        statements.append({"Effect": "Allow", "Action": list(actions)})
    there = administration(server)
    there.put_policy(name, json.dumps({"Version": "2012-10-17", "Statement": statements}))
    there.add_user(name, secret)
    there.set_user_policies(name, [name])
    return name, secret


# --- adding


def test_a_server_that_does(empty: MinioService, minio_server: S3Server) -> None:
    before = everything(minio_server)
    checked = check(empty, minio_server, public_endpoint="https://data.example.org/")
    assert (checked.endpoint, checked.public_endpoint) == (minio_server.endpoint, "https://data.example.org")
    assert checked.region == "us-east-1"
    assert everything(minio_server) == before, "checking leaves nothing behind"
    assert minio_server.secret_key not in repr(checked)
    with empty.door("root").write() as (session, actor, now):
        node = add_minio_node(
            session,
            actor=actor,
            keyring=empty.keyring,
            name="there",
            server=checked,
            read_only=False,
            now=now,
        )
        assert (node.kind, node.operator_id, node.run_by_service) == ("minio", 1, False)
        assert minio_server.secret_key.encode() not in (node.sealed_secret or b"")
        assert open_secret(empty.keyring, node.id, node.sealed_secret or b"") == minio_server.secret_key
    assert node_state(empty, node.id).problems == ()


def test_the_least_rights_that_the_documents_name_do(empty: MinioService, minio_server: S3Server) -> None:
    access_key, secret = key_with(minio_server, *ADMINISTRATION_ACTIONS)
    assert check(empty, minio_server, access_key=access_key, secret=secret)


@pytest.mark.parametrize("missing", ADMINISTRATION_ACTIONS)
def test_each_right_that_is_missing_is_named(empty: MinioService, minio_server: S3Server, missing: str) -> None:
    others = [action for action in ADMINISTRATION_ACTIONS if action != missing]
    access_key, secret = key_with(minio_server, *others)
    before = everything(minio_server)
    with pytest.raises(Invalid) as refusal:
        check(empty, minio_server, access_key=access_key, secret=secret)
    assert refusal.value.code == "server_unfit"
    expected = f"The node's access key needs the right {missing}."
    if missing == "admin:ServerInfo":
        expected = NO_ADMINISTRATION
    assert refusal.value.details["problems"] == [expected]
    if not missing.startswith("admin:Delete"):
        assert everything(minio_server) == before, "what was tried is gone"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"secret": "not the secret"}, "The server refuses the secret of the node's access key."),
        ({"access_key": "nobody-here"}, UNKNOWN_KEY),
    ],
)
def test_keys_that_are_wrong(
    empty: MinioService, minio_server: S3Server, changed: dict[str, str], problem: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        check(empty, minio_server, **changed)
    assert refusal.value.details["problems"] == [problem]
    assert "not the secret" not in repr(refusal.value)


def test_a_server_that_is_not_there(empty: MinioService, minio_server: S3Server) -> None:
    with pytest.raises(Invalid) as refusal:
        check(empty, minio_server, endpoint=f"http://127.0.0.1:{free_port()}")
    assert refusal.value.details["problems"] == ["The server can't be reached."]


def test_a_server_that_is_no_minio(empty: MinioService, versitygw_server: S3Server) -> None:
    with pytest.raises(Invalid) as refusal:
        check(empty, versitygw_server)
    assert refusal.value.code == "server_unfit"


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(minutes=-2)])
def test_a_clock_that_differs(empty: MinioService, minio_server: S3Server, ahead: timedelta) -> None:
    empty.ahead = ahead
    with pytest.raises(Invalid) as refusal:
        check(empty, minio_server)
    (problem,) = refusal.value.details["problems"]  # type: ignore[misc]
    assert "clock" in problem


def test_releases_that_should_be_updated() -> None:
    old, unknown = release_warnings("2025-09-07T16:13:09Z"), release_warnings("DEVELOPMENT.GOGET")
    assert any("2025-09-07" in sentence for sentence in old)
    assert any("doesn't tell its release" in sentence for sentence in unknown)
    assert len(release_warnings("2025-10-15T17:29:55Z")) == len(old) - 1


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "minio.example.org",
        "ftp://minio.example.org",
        "http://",
        "http://user:secret@minio.example.org",
        "http://minio.example.org/path",
        "http://minio.example.org?x=y",
        "http://minio.example.org:99999",
        "http://[::1",
    ],
)
def test_what_is_no_address(empty: MinioService, minio_server: S3Server, endpoint: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check(empty, minio_server, endpoint=endpoint)
    assert refusal.value.code == "invalid_address"


@pytest.mark.parametrize("allowed", [("10.0.0.0/8",), ("minio.example.org",), ("192.0.2.1", "2001:db8::/32")])
def test_an_address_that_is_not_allowed_is_sent_nothing(
    empty: MinioService, minio_server: S3Server, allowed: tuple[str, ...]
) -> None:
    empty.settings = replace(empty.settings, node_addresses=allowed)
    with pytest.raises(Invalid) as refusal:
        check(empty, minio_server)
    assert refusal.value.code == "address_not_allowed"


@pytest.mark.parametrize("allowed", [("127.0.0.0/8",), ("127.0.0.1",), ()])
def test_an_address_that_is_allowed(empty: MinioService, minio_server: S3Server, allowed: tuple[str, ...]) -> None:
    empty.settings = replace(empty.settings, node_addresses=allowed)
    assert check(empty, minio_server)


def test_a_name_is_judged_by_what_it_leads_to(empty: MinioService, minio_server: S3Server) -> None:
    """At each connection: names can be pointed elsewhere later."""
    port = minio_server.endpoint.rpartition(":")[2]
    empty.settings = replace(empty.settings, node_addresses=("localhost",))
    assert check(empty, minio_server, endpoint=f"http://localhost:{port}")
    empty.settings = replace(empty.settings, node_addresses=("10.0.0.0/8",))
    with pytest.raises(Invalid):
        check(empty, minio_server, endpoint=f"http://localhost:{port}")


def test_only_administrators_add_and_names_are_taken_once(empty: MinioService, minio_server: S3Server) -> None:
    with pytest.raises(Refused):
        empty.add_node(minio_server, by="ada")
    empty.add_node(minio_server)
    with pytest.raises(Conflict):
        empty.add_node(minio_server)
    empty.add_node(minio_server, name="the-same-server-again")
    assert empty.prefix(1) != empty.prefix(2)
    again = node_state(empty, 2).warnings
    assert [one for one in again if "is on the same server" in one and "'there'" in one], again


# --- changing, looking after


def test_a_new_secret_is_tried_before_it_is_kept(service: MinioService, minio_server: S3Server) -> None:
    with pytest.raises(Invalid) as refusal:
        change_minio_node(service, service.door("root").write, name="there", secret="another secret")
    assert refusal.value.code == "server_unfit"
    service.workspace("ada", "scans")
    service.keys("ada")
    access_key, secret = key_with(minio_server, *ADMINISTRATION_ACTIONS)
    change_minio_node(
        service,
        service.door("root").write,
        name="there",
        access_key=access_key,
        secret=secret,
        public_endpoint="https://data.example.org:9000",
    )
    assert node_state(service, 1).problems == ()
    assert settle_one(service, service.share("ada", service.workspace("ada", "more"), "bob")) == "enforced"
    assert service.issue("bob").endpoint == "https://data.example.org:9000"
    with service.database.read() as session:
        records = session.scalars(select(AuditRecord).where(AuditRecord.verb == "node.change")).all()
        assert len(records) == 1
        assert secret not in repr([vars(record) for record in records])
    with pytest.raises(NotFound):
        change_minio_node(service, service.door("ada").write, name="there", secret=secret)


def test_a_root_whose_objects_may_not_be_read_shows_where_more_than_names_is_wanted(
    service: MinioService, minio_server: S3Server
) -> None:
    access_key, secret = key_with(minio_server, *ADMINISTRATION_ACTIONS, with_objects="s3:List*")
    change_minio_node(service, service.door("root").write, name="there", access_key=access_key, secret=secret)

    def told() -> list[str]:
        state = node_state(service, 1)
        assert state.problems == ()
        return [one for one in state.warnings if "s3:GetObject" in one]

    assert told() == []
    service.do("root", change_indexing, name="private", changes={"level": IndexLevel.CONTENT})
    (warning,) = told()
    assert "'private'" in warning
    access_key, secret = key_with(minio_server, *ADMINISTRATION_ACTIONS)
    change_minio_node(service, service.door("root").write, name="there", access_key=access_key, secret=secret)
    assert told() == []


def test_a_key_that_was_revoked_shows_and_holds_nothing_up_for_good(
    service: MinioService, minio_server: S3Server
) -> None:
    access_key, secret = key_with(minio_server, *ADMINISTRATION_ACTIONS)
    change = {"name": "there", "access_key": access_key, "secret": secret}
    change_minio_node(service, service.door("root").write, **change)
    scans = service.workspace("ada", "scans")
    put(minio_server, scans, "x")
    settle_one(service, service.share("ada", scans, "bob"))
    hand = service.keys("bob")
    administration(minio_server).remove_user(access_key)
    assert node_state(service, 1).problems == (UNKNOWN_KEY,)
    assert settle_one(service, service.unshare("ada", scans, "bob")) == "pending"
    (pending,) = node_state(service, 1).pending
    assert (pending.subject, pending.problem) == ("bob", UNKNOWN_KEY)
    change = {"access_key": minio_server.access_key, "secret": minio_server.secret_key}
    change_minio_node(service, service.door("root").write, name="there", **change)
    assert continue_effects(service) == 0
    assert hand.rights(scans) == ""


def test_a_node_that_is_down_says_so(database: Database, tmp_path: Path) -> None:
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        server.process.kill()
        assert node_state(service, 1).problems == ("The server can't be reached.",)


# --- secrets


def test_a_sealed_secret_opens_on_its_node_and_with_its_key_only() -> None:
    old, new = "the first secret of all", "the second secret of all"
    sealed = seal_secret(Keyring(old), 7, "of the node")
    assert open_secret(Keyring(f"{new},{old}"), 7, sealed) == "of the node"
    for keyring, node in ((Keyring(old), 8), (Keyring(new), 7)):
        with pytest.raises(Unavailable) as refusal:
            open_secret(keyring, node, sealed)
        assert refusal.value.code == "node_secret"
    with pytest.raises(Unavailable):
        open_secret(Keyring(old), 7, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(Unavailable):
        open_secret(Keyring(old), 7, b"")


def test_user_names_fit_the_server_and_differ() -> None:
    prefix = "wio-a1b2-"
    assert user_name(prefix, 12, 1) == "wio-a1b2-u12"
    names = {user_name(prefix, user, identity) for user in (1, 12, 121) for identity in range(1, 1000)}
    assert len(names) == 3 * 999
    assert max(map(len, names)) <= 20
    with pytest.raises(ValueError, match="room"):
        user_name(prefix, 10**9, 10**6)


# --- removing


def test_a_removed_node_leaves_nothing_of_ours_and_all_of_others(
    service: MinioService, minio_server: S3Server
) -> None:
    before = everything(minio_server)
    service.add_node(minio_server, name="second")
    scans = service.workspace("ada", "scans")
    put(minio_server, scans, "x")
    lab = service.group("lab", 3)
    for subject in ("bob", "@lab", "everyone"):
        settle_one(service, service.share("ada", scans, subject))
    hands = [service.keys(name) for name in ("ada", "bob", "eve")]
    during = everything(minio_server)
    assert len(during[0]) == len(before[0]) + 3
    with pytest.raises(Conflict) as refusal:
        remove_minio_node(service, service.door("root").write, name="there", force=False)
    assert refusal.value.code == "node_not_empty"
    assert hands[0].rights(scans) == "lrw", "refused, and nothing happened"
    assert remove_minio_node(service, service.door("root").write, name="there", force=True).left_on_server is None
    assert everything(minio_server) == before
    assert [hand.rights(scans) for hand in hands] == ["", "", ""]
    assert lab == 1
    client = minio_server.boto3_client()
    assert client.get_object(Bucket=scans.bucket, Key=scans.prefix + "x")["Body"].read() == b"x"
    with service.database.read() as session:
        assert list(session.scalars(select(Node.name))) == ["second"]
        assert session.scalars(select(NodeEffect)).all() == []
        assert session.scalars(select(Credential)).all() == []


def test_a_node_whose_server_is_away_stays_as_it_was(database: Database, tmp_path: Path) -> None:
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        scans = service.workspace("ada", "scans")
        put(server, scans, "x")
        hand = service.keys("ada")
        with service.door("ada").write() as (session, _, _now):
            row = session.get_one(Workspace, scans.id)
            session.delete(row)
    with pytest.raises(Unavailable) as refusal:
        remove_minio_node(service, service.door("root").write, name="there", force=False)
    assert refusal.value.code == "node_down"
    with service.database.read() as session:
        assert not session.get_one(Node, 1).leaving
    with minio(str(tmp_path / "server"), before=server):
        assert continue_effects(service) == 0
        assert hand.rights(scans) == "", "what had been marked in vain is told"
        assert service.issue("ada")
        remove_minio_node(service, service.door("root").write, name="there", force=False)
        assert not [name for name in everything(server)[0] if name.startswith("wio-")]


def test_forced_it_says_what_is_left_on_the_server(database: Database, tmp_path: Path) -> None:
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        service.workspace("ada", "scans")
        service.keys("ada")
        prefix = service.prefix()
    removed = remove_minio_node(service, service.door("root").write, name="there", force=True)
    assert prefix in (removed.left_on_server or "")
    with service.database.read() as session:
        assert session.scalars(select(Node)).all() == []
