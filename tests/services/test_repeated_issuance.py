"""Keys for a request that was decided before are as good as decided keys, or there are none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from database.kinds import database_fixture
from servers.s3_server import S3Server
from services.minio_service import Hand, MinioService, service_with_node
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Credential, NodeEffect, Rights, User
from workspacesio.services.credentials import revoke_credentials_of
from workspacesio.services.decided_requests import REMEMBERED
from workspacesio.services.node_effects import marked, settle_one
from workspacesio.services.repeated_issuance import RepeatedIssuance

database = database_fixture("sqlite")


@pytest.fixture
def service(database: Database, minio_server: S3Server, tmp_path: Path) -> MinioService:
    return service_with_node(database, minio_server, tmp_path)


def numbers(service: MinioService) -> list[int]:
    with service.database.read() as session:
        return list(session.scalars(select(Credential.id).order_by(Credential.id)))


def test_each_has_keys_and_a_row_of_its_own(service: MinioService) -> None:
    own, other = service.workspace("ada", "own"), service.workspace("bob", "other")
    first = service.issue("ada", workspaces=frozenset({own.id}), read_only=True)
    assert first.decided is not None
    again = RepeatedIssuance().issue(service, first.decided)

    assert again is not None
    assert again.access_key_id != first.issued.access_key_id
    assert timedelta() <= again.expires_at - first.issued.expires_at < timedelta(minutes=1)
    hand = Hand(replace(first, issued=again))
    assert (hand.lists(own), hand.writes(own), hand.lists(other)) == (True, False, False)
    with service.database.read() as session:
        old, new = session.scalars(select(Credential).order_by(Credential.id)).all()
    assert (new.id, new.access_key_id) == (again.credential_id, again.access_key_id)
    for name in ("user_id", "node_id", "narrowed_to", "read_only", "sign_in_id", "api_key_id", "revoked_at"):
        assert getattr(new, name) == getattr(old, name), name


def _rights_move(service: MinioService) -> None:
    service.user("somebody")


def _the_server_is_behind(service: MinioService) -> None:
    with service.database.journal() as session:
        session.execute(update(NodeEffect).values(desired_generation=NodeEffect.desired_generation + 1))


def _the_servers_user_is_another(service: MinioService) -> None:
    with service.database.journal() as session:
        session.execute(update(NodeEffect).where(NodeEffect.subject_kind == "user").values(identity=7))


def _all_keys_ended(service: MinioService) -> None:
    with service.database.write() as session:
        user_id = session.scalars(select(User.id).where(User.username == "ada")).one()
        revoke_credentials_of(session, user_id=user_id, now=service.clock())
        changed = marked(session)
    assert settle_one(service, changed) == "enforced"


def _time_passes(service: MinioService) -> None:
    service.ahead += REMEMBERED


@pytest.mark.parametrize(
    "change",
    [_rights_move, _the_server_is_behind, _the_servers_user_is_another, _all_keys_ended, _time_passes],
)
def test_what_changed_meanwhile_is_decided_anew(service: MinioService, change: object) -> None:
    decided = service.issue("ada").decided
    assert decided is not None
    before = numbers(service)
    assert callable(change)
    change(service)
    assert RepeatedIssuance().issue(service, decided) is None
    assert numbers(service) == before


def test_nothing_is_remembered_past_what_ends_by_the_clock(service: MinioService) -> None:
    shared = service.workspace("bob", "shared")
    soon = service.clock() + timedelta(seconds=30)
    service.share("bob", shared, "ada", expires_at=soon)
    first = service.issue("ada")
    assert first.decided is not None
    assert first.decided.holds_until == soon

    ends = service.clock() + timedelta(seconds=970)
    session = service.issue("bob", door=service.door("bob", expires_at=ends))
    assert session.decided is not None
    assert session.decided.holds_until == ends - timedelta(seconds=960)
    assert service.issue("bob", duration=timedelta(seconds=900)).decided is None


def test_a_server_that_is_away_is_left_to_the_way_that_says_so(service: MinioService) -> None:
    decided = service.issue("ada").decided
    assert decided is not None
    assert RepeatedIssuance().issue(service, replace(decided, name="nobody-there")) is None


def test_those_that_come_together_are_written_together(service: MinioService) -> None:
    decided = [one for name in ("ada", "bob", "eve") if (one := service.issue(name).decided) is not None]
    with service.database.read() as session:
        generation = session.scalar(select(Rights.generation))
    issuance = RepeatedIssuance()
    commits: list[object] = []
    count = commits.append
    event.listen(service.database.engine, "commit", count)
    with issuance._writing, ThreadPoolExecutor(12) as threads:
        asked = [threads.submit(issuance.issue, service, decided[number % 3]) for number in range(12)]
        while len(issuance._waiting) < 12:
            assert not any(one.done() for one in asked)
        issuance._writing.release()
        found = [one.result() for one in asked]
        issuance._writing.acquire()
    event.remove(service.database.engine, "commit", count)

    assert len(commits) == 1
    by_user: dict[int, set[str]] = {}
    with service.database.read() as session:
        for one in found:
            assert one is not None
            row = session.get_one(Credential, one.credential_id)
            assert row.access_key_id == one.access_key_id
            by_user.setdefault(row.user_id, set()).add(row.access_key_id)
        assert session.scalar(select(Rights.generation)) == generation
    assert sorted(len(keys) for keys in by_user.values()) == [4, 4, 4]
