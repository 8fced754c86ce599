"""What a MinIO server and its network can do to us: said clearly, right in the end, never called enforced."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from database.kinds import database_fixture
from servers.minio import minio
from servers.s3_server import S3Server
from servers.tcp_proxy import Proxy, tcp_proxy
from services.minio_service import Hand, MinioService, put, service_with_node
from workspacesio.cli.server import server_upkeep
from workspacesio.cli.server.server_upkeep import ServerUpkeep
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.errors import Conflict, Invalid, NotFound, Unavailable
from workspacesio.domain.vocabulary import RootType
from workspacesio.nodes.minio.connection import Connection
from workspacesio.services.imports import Wanted, plan_import
from workspacesio.services.minio_nodes import change_minio_node, node_state
from workspacesio.services.minio_removal import remove_minio_node
from workspacesio.services.node_effects import continue_effects, minio_driver, pending_effects, settle, settle_one
from workspacesio.services.node_repair import reconcile
from workspacesio.services.node_secrets import server_user_secret
from workspacesio.services.workspaces import place_workspace

database = database_fixture("sqlite")

BOB = 3


@pytest.fixture
def proxy(minio_server: S3Server) -> Iterator[Proxy]:
    with tcp_proxy(minio_server.endpoint) as found:
        yield found


@pytest.fixture
def service(database: Database, minio_server: S3Server, proxy: Proxy, tmp_path: Path) -> MinioService:
    """Its node is reached through the proxy; keys are tried past it."""
    return service_with_node(database, replace(minio_server, endpoint=proxy.endpoint), tmp_path)


@pytest.fixture
def scans(service: MinioService, minio_server: S3Server) -> Workspace:
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    return workspace


def past(server: S3Server, service: MinioService, username: str) -> Hand:
    """The user's keys, used straight at the server."""
    return Hand(replace(service.issue(username), endpoint=server.endpoint))


@pytest.fixture
def hand(service: MinioService, scans: Workspace, minio_server: S3Server) -> Hand:
    """Bob's, who may write."""
    settle_one(service, service.share("ada", scans, "bob", "readwrite"))
    found = past(minio_server, service, "bob")
    assert found.rights(scans) == "lrw"
    return found


def upkeep(service: MinioService) -> ServerUpkeep:
    return ServerUpkeep(service.database, service.settings, service.keyring, service.drivers)


def disable(connection: Connection, name: str) -> None:
    connection.administer("PUT", "set-user-status", {"accessKey": name, "status": "disabled"})


def run_upkeep(service: MinioService, until: threading.Event, seconds: float = 20) -> None:
    """The worker's part, until the event."""

    async def work() -> None:
        stopped = asyncio.Event()
        task = asyncio.create_task(upkeep(service).run(stopped))
        await asyncio.wait_for(asyncio.to_thread(until.wait, seconds), seconds + 1)
        stopped.set()
        await task

    asyncio.run(work())
    assert until.is_set()


# --- hung


def test_a_server_that_hangs_slows_nobody_else(
    service: MinioService, scans: Workspace, hand: Hand, proxy: Proxy, minio_server: S3Server
) -> None:
    service.add_node(minio_server, name="other")
    bucket = f"bucket-{service.prefix(2)[4:8]}"
    minio_server.boto3_client().create_bucket(Bucket=bucket)
    service.root(bucket, "", RootType.PRIVATE, "elsewhere", node="other")
    there = service.workspace("ada", "there", "elsewhere")
    folders = [f"f{number}" for number in range(30)]
    proxy.cut_off("hang")

    def change(folder: str) -> float:
        begun = time.monotonic()
        assert settle_one(service, service.share("ada", scans, "bob", folder=folder)) == "pending"
        return time.monotonic() - begun

    with ThreadPoolExecutor(40) as threads:
        hanging = [threads.submit(change, folder) for folder in folders]
        listing = threads.submit(asyncio.run, service.drivers(1).check())
        for level in ("read", "readwrite", "read"):
            begun = time.monotonic()
            assert settle_one(service, service.share("ada", there, "eve", level)) in ("enforced", "pending")
            service.keys("eve", node="other")
            assert time.monotonic() - begun < 4, "the other node goes on"
        assert max(one.result() for one in hanging) < 9
        assert listing.exception() is not None
    begun = time.monotonic()
    assert settle_one(service, service.unshare("ada", scans, "bob")) == "pending"
    with pytest.raises(Unavailable):
        service.issue("bob")
    assert time.monotonic() - begun < 3, "known to be away"
    proxy.mode = "pass"
    assert node_state(service, 1).problems == (), "found again by whoever looks"
    assert continue_effects(service) == 0
    assert hand.rights(scans) == ""


def test_a_long_comparison_delays_no_revocation(
    service: MinioService, scans: Workspace, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    compares, told = threading.Event(), threading.Event()

    def long(*_: object) -> None:
        compares.set()
        assert told.wait(20)

    monkeypatch.setattr(server_upkeep, "reconcile", long)

    def revoke() -> None:
        assert compares.wait(10)
        service.unshare("ada", scans, "bob")
        deadline = time.monotonic() + 10
        while hand.reads(scans) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not hand.reads(scans):
            told.set()

    with ThreadPoolExecutor(1) as threads:
        revoked = threads.submit(revoke)
        run_upkeep(service, told)
        revoked.result()


# --- removal that was broken off


def test_a_node_whose_removal_was_broken_off_says_so_and_can_be_removed(
    service: MinioService, scans: Workspace, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("workspacesio.services.minio_removal.remove_everything", dies)
        with pytest.raises(KeyboardInterrupt):
            remove_minio_node(service, service.door("root").write, name="there", force=True)
    (problem,) = node_state(service, 1).problems
    assert problem == "The node is being removed; go on with `wio node rm there`."
    assert hand.rights(scans) == ""
    with service.door("ada").read() as (session, actor, now):
        with pytest.raises(Conflict) as refusal:
            place_workspace(session, actor=actor, name="new", public=False, root="private", now=now)
        assert refusal.value.code == "node_leaving"
    with service.door("root").read() as (session, actor, now):
        with pytest.raises(Conflict) as refusal:
            plan_import(session, actor=actor, root="old", wanted=[Wanted("x", "ada")], name=None, now=now)
        assert refusal.value.code == "node_leaving"
    with pytest.raises(Conflict) as refusal:
        service.share("ada", scans, "eve")
    assert refusal.value.code == "node_leaving"
    prefix, there = service.prefix(), service.administration()
    assert remove_minio_node(service, service.door("root").write, name="there", force=True).left_on_server is None
    assert not there.inventory(prefix)
    with pytest.raises(NotFound):
        node_state(service, 1)


# --- the service's own secret


def test_secrets_of_the_servers_users_follow_a_new_secret_of_the_service(
    service: MinioService, scans: Workspace, hand: Hand, minio_server: S3Server
) -> None:
    name = f"{service.prefix()}u{BOB}"
    old = server_user_secret(service.keyring, 1, name)
    renewed = MinioService(
        Database(service.database.url), service.folder, secret=f"a new secret of the service,{service.secret}"
    )
    new = server_user_secret(renewed.keyring, 1, name)
    assert lists_as(minio_server, name, old)
    assert not lists_as(minio_server, name, new)
    assert reconcile(renewed, 1).repaired == (), "nobody's doing"
    assert lists_as(minio_server, name, new)
    assert not lists_as(minio_server, name, old)
    assert hand.rights(scans) == "lrw", "keys issued before go on"
    before = renewed.effects()["user", BOB].secret_key_id
    assert reconcile(renewed, 1).repaired == ()
    assert renewed.effects()["user", BOB].secret_key_id == before is not None
    renewed.database.dispose()


def lists_as(server: S3Server, name: str, secret: str) -> bool:
    """Whether it is the user's secret."""
    from botocore.exceptions import ClientError

    client = replace(server, access_key=name, secret_key=secret).boto3_client()
    try:
        client.list_buckets()
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("SignatureDoesNotMatch", "InvalidAccessKeyId")
    return True


# --- requests that were cut


@pytest.mark.parametrize("answered", [True, False])
def test_a_request_that_was_cut_is_read_back(
    service: MinioService, scans: Workspace, hand: Hand, proxy: Proxy, *, answered: bool
) -> None:
    """Each request of an un-share in turn: it never arrives, or it is carried out and the answer is lost."""
    cut_ones = 0
    for number in range(1, 40):
        assert hand.rights(scans) == "lrw"
        cut = proxy.cut_request(number, answered=answered)
        state = settle_one(service, service.unshare("ada", scans, "bob"))
        assert state == "pending" or hand.rights(scans) == ""
        cut_ones += cut.done
        proxy.cut = None
        assert continue_effects(service) == 0
        assert hand.rights(scans) == ""
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        assert continue_effects(service) == 0
        if not cut.done:
            assert state == "enforced"
            break
    assert cut_ones >= 4, "reading, writing, reading again"


# --- states


def test_a_bucket_that_vanished(
    service: MinioService, scans: Workspace, hand: Hand, minio_server: S3Server
) -> None:
    client = minio_server.boto3_client()
    client.delete_object(Bucket=scans.bucket, Key=scans.prefix + "x")
    client.delete_bucket(Bucket=scans.bucket)
    state = node_state(service, 1)
    assert state.problems == ()
    said = [one for one in state.warnings if "not on the server any more" in one]
    assert len(said) == 3, "one for each root in it"
    assert settle_one(service, service.unshare("ada", scans, "bob")) == "enforced"
    client.create_bucket(Bucket=scans.bucket)
    put(minio_server, scans, "x")
    assert hand.rights(scans) == ""
    assert not [one for one in node_state(service, 1).warnings if "any more" in one]


@pytest.mark.parametrize("change", ["edited", "removed user", "emptied group"])
def test_what_somebody_changed_there_is_said_and_restored_without_a_restart(
    service: MinioService, scans: Workspace, hand: Hand, change: str
) -> None:
    prefix, there = service.prefix(), service.administration()
    name = f"{prefix}u{BOB}"
    group = service.group("lab", BOB)
    settle_one(service, service.join(group, 4))
    settle_one(service, service.share("ada", scans, "@lab"))
    continue_effects(service)
    match change:
        case "edited":
            there.put_policy(f"{name}-1", there.policy(f"{prefix}everyone-1") or DENY)
        case "removed user":
            there.remove_user(name)
        case "emptied group":
            there.remove_from_group(f"{prefix}everyone", [name])
    done = threading.Event()

    def look() -> None:
        while "'bob' had been changed" not in " ".join(node_state(service, 1).warnings):
            time.sleep(0.1)
        done.set()

    threading.Thread(target=look, daemon=True).start()
    run_upkeep(service, done)
    assert node_state(service, 1).problems == ()
    assert hand.rights(scans) == "lrw"


DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}'


def test_a_key_that_is_disabled_and_enabled_again(
    service: MinioService, scans: Workspace, hand: Hand, minio_server: S3Server
) -> None:
    connection, root = minio_driver(service, 1).connection, service.administration()
    key = f"key-{service.prefix()[4:8]}"
    root.add_user(key, "the secret of the key")
    root.set_user_policies(key, ["consoleAdmin"])
    change_minio_node(
        service, service.door("root").write, name="there", access_key=key, secret="the secret of the key"
    )
    disable(connection, key)
    assert node_state(service, 1).problems == (
        "The server doesn't know the node's access key, or it is disabled there.",
    )
    assert settle_one(service, service.unshare("ada", scans, "bob")) == "pending"
    with pytest.raises(Unavailable):
        service.issue("bob")
    assert hand.rights(scans) == "lrw", "no wider than before"
    root.enable_user(key)
    assert continue_effects(service) == 0
    assert node_state(service, 1).problems == ()
    assert hand.rights(scans) == ""


def test_a_clock_that_is_wrong(service: MinioService) -> None:
    service.ahead = timedelta(minutes=3)
    (problem,) = node_state(service, 1).problems
    assert "clock" in problem
    service.ahead = timedelta()
    assert node_state(service, 1).problems == ()


# --- another server


def test_an_empty_server_in_its_place_is_noticed(database: Database, tmp_path: Path) -> None:
    with minio(str(tmp_path / "first")) as server, tcp_proxy(server.endpoint) as proxy:
        service = service_with_node(database, replace(server, endpoint=proxy.endpoint), tmp_path)
        scans = service.workspace("ada", "scans")
        put(server, scans, "x")
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        hand = past(server, service, "bob")
        with minio(str(tmp_path / "second"), env={"MINIO_ROOT_PASSWORD": server.secret_key}) as empty:
            proxy.targets = [empty.endpoint]
            proxy.cut_off("pass")
            assert settle_one(service, service.unshare("ada", scans, "bob")) == "pending"
            assert hand.rights(scans) == "lrw", "the one that was added still says so"
            (problem,) = node_state(service, 1).problems
            assert "Another server answers" in problem
            with pytest.raises(Unavailable):
                reconcile(service, 1)
            with pytest.raises(Unavailable):
                service.issue("ada")
            # Taken for the node's from now on, and told everything.
            change_minio_node(service, service.door("root").write, name="there", secret=server.secret_key)
            assert node_state(service, 1).problems == ()
            assert continue_effects(service) == 0
            assert reconcile(service, 1).repaired == ()
            assert replace(empty, secret_key=server.secret_key).boto3_client().list_buckets()["Buckets"] == []


def test_the_first_server_back_in_its_place_is_told(database: Database, tmp_path: Path) -> None:
    with (
        minio(str(tmp_path / "first")) as server,
        minio(str(tmp_path / "second"), env={"MINIO_ROOT_PASSWORD": server.secret_key}) as empty,
        tcp_proxy(server.endpoint) as proxy,
    ):
        service = service_with_node(database, replace(server, endpoint=proxy.endpoint), tmp_path)
        scans = service.workspace("ada", "scans")
        put(server, scans, "x")
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        hand = past(server, service, "bob")
        proxy.targets = [server.endpoint, empty.endpoint]
        proxy.cut_off("pass")
        assert "Another server answers" in node_state(service, 1).problems[0], "now this one, now that one"
        assert settle_one(service, service.unshare("ada", scans, "bob")) == "pending"
        with pytest.raises(Invalid) as refusal:
            service.add_node(replace(server, endpoint=proxy.endpoint), name="both")
        assert "don't belong together" in str(refusal.value)
        proxy.targets = [server.endpoint]
        assert node_state(service, 1).problems == ()
        assert continue_effects(service) == 0
        assert hand.rights(scans) == ""
        with service.database.read() as session:
            assert pending_effects(session, node_id=1) == []
            assert session.get_one(Node, 1).deployment_id
        assert settle(service, service.share("ada", scans, "bob")) == [("there", "enforced")]
