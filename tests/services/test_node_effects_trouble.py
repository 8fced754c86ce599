"""Servers that are away, frozen, changed by hand, told by several processes: rights end right, and never wider."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from database.kinds import database_fixture
from servers.minio import minio
from servers.s3_server import S3Server
from services.minio_service import Hand, MinioService, put, service_with_node
from workspacesio.cli.server.server_upkeep import ServerUpkeep
from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, NodeEffect, Workspace
from workspacesio.domain.errors import Unavailable
from workspacesio.services import effect_writing, node_effects
from workspacesio.services.effect_writing import LEASE, LOOK_AGAIN
from workspacesio.services.node_effects import (
    continue_effects,
    pending_effects,
    require_settled,
    settle,
    settle_one,
)
from workspacesio.services.node_repair import reconcile
from workspacesio.services.users import disable_user

database = database_fixture("sqlite")
either_database = database_fixture()

ADA, BOB = 2, 3
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["admin:*"]}]}'


@pytest.fixture
def service(database: Database, minio_server: S3Server, tmp_path: Path) -> MinioService:
    return service_with_node(database, minio_server, tmp_path)


@pytest.fixture
def scans(service: MinioService, minio_server: S3Server) -> Workspace:
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x")
    return workspace


@pytest.fixture
def hand(service: MinioService, scans: Workspace) -> Hand:
    """Bob's, who may write."""
    settle_one(service, service.share("ada", scans, "bob", "readwrite"))
    found = service.keys("bob")
    assert found.rights(scans) == "lrw"
    return found


def upkeep(service: MinioService) -> ServerUpkeep:
    return ServerUpkeep(service.database, service.settings, service.keyring, service.drivers)


# --- away


def test_stopped_is_pending_and_started_again_the_worker_enforces(database: Database, tmp_path: Path) -> None:
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        scans = service.workspace("ada", "scans")
        put(server, scans, "x")
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        hand = service.keys("bob")
        assert hand.rights(scans) == "lrw"
        server.process.kill()
        begun = time.monotonic()
        changed = service.unshare("ada", scans, "bob")
        assert settle(service, changed) == [("there", "pending")]
        assert time.monotonic() - begun < 10
        with service.database.read() as session:
            (pending,) = pending_effects(session, node_id=1)
        assert (pending.subject, pending.problem) == ("bob", "The server can't be reached.")
        with pytest.raises(Unavailable) as refusal:
            service.issue("bob")
        assert refusal.value.code == "node_pending"
    with minio(str(tmp_path / "server"), before=server):
        assert hand.reads(scans), "the server doesn't know yet"
        stopped = asyncio.Event()

        async def work() -> None:
            task = asyncio.create_task(upkeep(service).run(stopped))
            while service.effects()["user", BOB].applied_generation < changed.generations[2]:
                await asyncio.sleep(0.05)
            stopped.set()
            await task

        changed.generations[2] = service.effects()["user", BOB].desired_generation
        asyncio.run(asyncio.wait_for(work(), 20))
        assert hand.rights(scans) == ""
        with service.database.read() as session:
            assert pending_effects(session, node_id=1) == []
        assert service.issue("bob").covered == ()


def test_frozen_is_pending_and_nothing_is_called_enforced(database: Database, tmp_path: Path) -> None:
    """Requests go unanswered and are carried out later: what is there is read before and after each writing."""
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        scans = service.workspace("ada", "scans")
        put(server, scans, "x")
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        hand = service.keys("bob")
        with server.process.frozen():
            changed = service.unshare("ada", scans, "bob")
            assert settle_one(service, changed) == "pending"
        assert "in time" in (service.effects()["user", BOB].problem or "")
        assert continue_effects(service) == 0
        assert hand.rights(scans) == ""
        effect = service.effects()["user", BOB]
        assert (effect.problem, effect.refresh_at is None) == (None, False), "it is looked at again"
        service.ahead = LOOK_AGAIN
        assert continue_effects(service) == 0
        assert service.effects()["user", BOB].refresh_at is None


def test_nothing_is_enforced_before_the_server_has_heard_of_keys_that_were_ended(
    database: Database, tmp_path: Path
) -> None:
    """The user is to go there, with all rights, but is there still: what was ended is waited for, by everybody."""
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        scans = service.workspace("ada", "scans")
        put(server, scans, "x")
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        hand = service.keys("bob")
        with server.process.frozen():
            _, changed = service.do("root", disable_user, username="bob")
            assert settle(service, changed, nodes=[1]) == [("there", "pending")]
            _, again = service.do("root", disable_user, username="bob")
            assert settle(service, again, nodes=[1]) == [("there", "pending")]
            assert settle(service, service.unshare("ada", scans, "bob"), nodes=[1]) == [("there", "pending")]
        assert continue_effects(service) == 0
        assert hand.rights(scans) == ""


def test_a_node_that_is_away_holds_back_no_revocation_on_another(
    service: MinioService, scans: Workspace, tmp_path: Path
) -> None:
    with minio(str(tmp_path / "first")) as away:
        service.add_node(away, name="away")
        service.issue("bob", node="away")
        settle_one(service, service.share("ada", scans, "bob", "readwrite"))
        hand = service.keys("bob")
        away.process.kill()
        _, changed = service.do("root", disable_user, username="bob")
        assert settle(service, changed) == [("away", "pending"), ("there", "enforced")]
        assert hand.rights(scans) == ""


def test_a_policy_that_only_begins_like_ours_stops_nobody(service: MinioService, scans: Workspace) -> None:
    settle_one(service, service.share("ada", scans, "bob", "readwrite"))
    hand = service.keys("bob")
    name = f"{service.prefix()}u{BOB}-abc"
    service.administration().put_policy(name, DENY)
    reconcile(service, 1)
    settle_one(service, service.unshare("ada", scans, "bob"))
    assert hand.rights(scans) == ""


def test_another_node_is_not_held_up(service: MinioService, scans: Workspace, hand: Hand, tmp_path: Path) -> None:
    with minio(str(tmp_path / "other")) as other:
        service.add_node(other, name="other")
    changed = service.unshare("ada", scans, "bob")
    assert settle(service, changed, nodes=[2]) == [("other", "enforced"), ("there", "enforced")]


# --- changed by hand


def test_a_policy_that_was_edited_by_hand(service: MinioService, scans: Workspace, hand: Hand) -> None:
    settle_one(service, service.unshare("ada", scans, "bob"))
    name = f"{service.prefix()}u{BOB}-1"
    everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    service.administration().put_policy(name, json.dumps({"Version": "2012-10-17", "Statement": [everything]}))
    assert hand.rights(scans) == "lrw"
    report = reconcile(service, 1)
    assert report.repaired == ("The rights of 'bob' had been changed on the server and were restored.",)
    assert hand.rights(scans) == ""
    with service.database.read() as session:
        (audited,) = session.scalars(select(AuditRecord).where(AuditRecord.verb == "node.repair"))
    assert audited.details == {"repaired": list(report.repaired)}
    assert reconcile(service, 1).repaired == ()


@pytest.mark.parametrize(
    "change",
    ["removed policy", "attached more", "detached", "disabled", "foreign group", "taken out", "removed user"],
)
def test_everything_else_that_can_be_changed(
    service: MinioService, scans: Workspace, hand: Hand, change: str
) -> None:
    prefix, there = service.prefix(), service.administration()
    name, policy = f"{prefix}u{BOB}", f"{prefix}u{BOB}-1"
    match change:
        case "removed policy":
            there.set_user_policies(name, [])
            there.remove_policy(policy)
        case "attached more":
            there.set_user_policies(name, [policy, "readwrite"])
        case "detached":
            there.set_user_policies(name, [])
        case "disabled":
            service.drivers(1).connection.administer(  # type: ignore[attr-defined]
                "PUT", "set-user-status", {"accessKey": name, "status": "disabled"}
            )
        case "foreign group":
            there.add_to_group("admins-of-others", [name])
        case "taken out":
            there.remove_from_group(f"{prefix}everyone", [name])
        case "removed user":
            there.remove_user(name)
    assert len(reconcile(service, 1).repaired) == 1
    user = there.user(name)
    assert user is not None
    assert (user.enabled, user.policies, user.groups) == (True, {policy}, {f"{prefix}everyone"})
    assert hand.rights(scans) == "lrw"
    assert reconcile(service, 1).repaired == ()


def test_what_belongs_to_nobody_goes_and_what_is_others_stays(
    service: MinioService, scans: Workspace, hand: Hand
) -> None:
    prefix, there = service.prefix(), service.administration()
    others = prefix[:-1] + "x"
    for name in (f"{prefix}u77", f"{others}-u77"):
        there.add_user(name, "some-secret")
        there.add_to_group(name.replace("u77", "g77"), [name])
        there.put_policy(name + "-1", DENY)
    settle_one(service, service.share("ada", scans, "everyone"))
    there.add_to_group(f"{prefix}everyone", [f"{others}-u77"])
    assert len(reconcile(service, 1).repaired) == 4
    assert there.user(f"{prefix}u77") is None
    assert there.group(f"{prefix}g77") is None
    assert there.policy(f"{prefix}u77-1") is None
    kept = there.user(f"{others}-u77")
    assert kept is not None
    assert kept.groups == {f"{others}-g77"}
    assert there.policy(f"{others}-u77-1") is not None
    assert hand.rights(scans) == "lrw"


def test_a_share_that_expired_is_no_change_by_hand(service: MinioService, scans: Workspace, hand: Hand) -> None:
    until = service.clock() + timedelta(seconds=60)
    settle_one(service, service.share("ada", scans, "bob", "readwrite", expires_at=until))
    service.ahead = timedelta(seconds=120)
    assert reconcile(service, 1).repaired == ()
    assert hand.rights(scans) == "", "the policy is without it now, by the clock here"


def test_expiries_too_many_to_tell_apart_are_told_again_in_time(
    service: MinioService, scans: Workspace, hand: Hand, minio_server: S3Server
) -> None:
    """Policies tell 16 moments apart; the later ones end with the 16th until it is told again."""
    now = service.clock()
    for number in range(20):
        put(minio_server, scans, f"{number}/x")
        until = now + timedelta(hours=1, minutes=number)
        changed = service.share("ada", scans, "bob", folder=str(number), expires_at=until)
    settle_one(service, service.unshare("ada", scans, "bob"))
    assert settle_one(service, changed) == "enforced"
    before = service.administration().policy(f"{service.prefix()}u{BOB}-1") or ""
    last = f"{now + timedelta(hours=1, minutes=19):%Y-%m-%dT%H:%M:%SZ}"
    assert last not in before
    service.ahead = timedelta(hours=1, minutes=10)
    assert continue_effects(service) == 0
    after = service.administration().policy(f"{service.prefix()}u{BOB}-1") or ""
    assert last in after
    assert (service.effects()["user", BOB].refresh_at, reconcile(service, 1).repaired) == (None, ())


# --- several processes


@pytest.mark.slow
def test_two_processes_change_the_same_subject_at_once(
    either_database: Database, minio_server: S3Server, tmp_path: Path
) -> None:
    service = service_with_node(either_database, minio_server, tmp_path)
    workspaces = [service.workspace("ada", name) for name in ("one", "two")]
    for workspace in workspaces:
        put(minio_server, workspace, "x")
    service.keys("bob")
    rounds = 12
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "services.minio_toggling",
                either_database.url,
                str(tmp_path),
                str(workspace.id),
                str(rounds),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        for workspace in workspaces
    ]
    for process in processes:
        out, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
        assert int(out) == 2 * rounds, "every change was told in time"
    assert reconcile(service, 1).repaired == ()
    hand = service.keys("bob")
    assert [hand.rights(workspace) for workspace in workspaces] == ["", ""]


def test_who_lost_the_lease_has_it_told_again(
    service: MinioService, scans: Workspace, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process stands still between its writing and giving the lease back, for longer than the lease."""
    other = MinioService(Database(service.database.url), service.folder)
    stands_still, goes_on = threading.Event(), threading.Event()
    real = effect_writing.converge

    def slow(*arguments: object, **options: object) -> object:
        if threading.current_thread().name == "slow":
            stands_still.set()
            assert goes_on.wait(30)
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(effect_writing, "converge", slow)
    changed = service.unshare("ada", scans, "bob")
    thread = threading.Thread(target=lambda: continue_effects(service), name="slow")
    thread.start()
    assert stands_still.wait(10)
    other.ahead = LEASE + timedelta(seconds=1)
    settle_one(other, changed)
    assert hand.rights(scans) == ""
    share = other.share("ada", scans, "bob", "read")
    assert settle_one(other, share) == "enforced"
    goes_on.set()
    thread.join()
    other.ahead = timedelta()
    # The slow one wrote what it had read, and knows that it may have undone the other's.
    effect = service.effects()["user", BOB]
    assert effect.applied_generation < effect.desired_generation
    assert continue_effects(other) == 0
    assert hand.rights(scans) == "lr"
    other.database.dispose()


def test_what_a_killed_process_left_is_finished_by_another(
    service: MinioService, scans: Workspace, hand: Hand
) -> None:
    changed = service.unshare("ada", scans, "bob")
    with service.database.journal() as session:
        row = session.get_one(NodeEffect, service.effects()["user", BOB].id)
        row.lease_holder, row.lease_until = "a process that was killed", service.clock() + LEASE
    assert settle_one(service, changed, seconds=0.2) == "pending", "nobody else writes while the lease lasts"
    service.ahead = LEASE + timedelta(seconds=1)
    assert continue_effects(service) == 0
    assert hand.rights(scans) == ""


def test_what_could_not_be_told_stops_new_keys(
    service: MinioService, scans: Workspace, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys with rights that are not right yet are not given out."""
    lab = service.group("lab", BOB)
    service.share("ada", scans, "@lab")
    with service.database.journal() as session:
        row = session.get_one(NodeEffect, service.effects()["group", lab].id)
        row.lease_holder, row.lease_until = "another", service.clock() + LEASE
    changed = service.share("ada", scans, "@lab", "readwrite")
    monkeypatch.setattr(node_effects, "SETTLE_SECONDS", 0.2)
    with pytest.raises(Unavailable) as refusal:
        require_settled(service, changed)
    assert refusal.value.code == "node_pending"


# --- secrets


def test_no_secret_is_in_a_log_an_error_or_a_table(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with minio(str(tmp_path / "server")) as server:
        service = service_with_node(database, server, tmp_path)
        scans = service.workspace("ada", "scans")
        issued = service.issue("ada").issued
        server.process.kill()
        settle_one(service, service.share("ada", scans, "everyone"))
        try:
            service.issue("ada")
        except Unavailable as error:
            told = repr(error) + str(error.details) + repr(error.__cause__) + repr(error.__context__)
    secrets = (server.secret_key, issued.secret_access_key, issued.session_token)
    driver = service.drivers(1)
    shown = caplog.text + told + repr(driver.connection.access) + repr(vars(driver))  # type: ignore[attr-defined]
    with database.engine.connect() as connection:
        for table in ("nodes", "node_effects", "credentials", "audit"):
            shown += repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
    assert "bob" not in secrets
    for secret in secrets:
        assert secret not in shown
