"""Groups on a real MinIO server: memberships and shares hold on the next request, with keys that are out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from database.kinds import database_fixture
from servers.s3_server import S3Server
from services.minio_service import MinioService, put, service_with_node
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Group, GroupMember, NodeEffect, User
from workspacesio.domain.errors import NotFound
from workspacesio.nodes.minio.connection import Answer, Connection
from workspacesio.services.group_members import add_member, remove_member
from workspacesio.services.groups import create_group, delete_group
from workspacesio.services.node_effects import continue_effects, settle_one
from workspacesio.services.node_repair import reconcile

database = database_fixture("sqlite")
MEMBERS = 1000


@pytest.fixture
def service(database: Database, minio_server: S3Server, tmp_path: Path) -> MinioService:
    """The group `lab`, which eve manages."""
    made = service_with_node(database, minio_server, tmp_path)
    made.enforced("eve", create_group, name="lab")
    return made


def test_a_membership_holds_on_the_next_request(service: MinioService, minio_server: S3Server) -> None:
    scans = service.workspace("ada", "scans")
    put(minio_server, scans, "x", "sub/y")
    assert settle_one(service, service.share("ada", scans, "@lab", "readwrite", folder="sub/")) == "enforced"
    bob = service.keys("bob")
    assert bob.rights(scans, "sub/y") == ""
    service.enforced("eve", add_member, name="lab", username="bob", manager=None)
    assert (bob.rights(scans, "sub/y"), bob.rights(scans)) == ("lrw", "")
    service.enforced("eve", remove_member, name="lab", username="bob")
    assert bob.rights(scans, "sub/y") == ""
    # Whoever leaves by themselves is out as soon.
    service.enforced("eve", add_member, name="lab", username="bob", manager=None)
    assert bob.rights(scans, "sub/y") == "lrw"
    service.enforced("bob", remove_member, name="lab", username="bob")
    assert bob.rights(scans, "sub/y") == ""
    assert service.keys("eve").rights(scans, "sub/y") == "lrw"
    with pytest.raises(NotFound):
        service.do("bob", delete_group, name="lab")
    (node_id,) = {row.node_id for row in service.effects().values()}
    assert reconcile(service, node_id).repaired == ()


def test_who_left_unheard_gets_nothing_of_what_the_group_is_given(
    service: MinioService, minio_server: S3Server
) -> None:
    """The server hears of the memberships no later than of the share."""
    scans = service.workspace("ada", "scans")
    put(minio_server, scans, "x")
    service.enforced("eve", add_member, name="lab", username="bob", manager=None)
    bob = service.keys("bob")
    service.do("eve", remove_member, name="lab", username="bob")
    assert settle_one(service, service.share("ada", scans, "@lab")) == "enforced"
    assert not bob.reads(scans)
    assert service.keys("eve").reads(scans)


def test_a_group_goes_from_the_server_with_what_rests_on_it(service: MinioService, minio_server: S3Server) -> None:
    scans = service.workspace("ada", "scans")
    put(minio_server, scans, "x")
    service.enforced("eve", add_member, name="lab", username="bob", manager=None)
    assert settle_one(service, service.share("ada", scans, "@lab", "own")) == "enforced"
    service.user("dan")
    assert settle_one(service, service.share("bob", scans, "dan")) == "enforced"
    bob, dan, eve = service.keys("bob"), service.keys("dan"), service.keys("eve")
    assert [hand.reads(scans) for hand in (bob, dan, eve)] == [True, True, True]
    before = set(service.administration().group_names())
    gone = service.enforced("eve", delete_group, name="lab")
    assert (gone.shares, sorted(gone.nodes.values())) == (2, ["there"])
    assert [hand.reads(scans) for hand in (bob, dan, eve)] == [False, False, False]
    assert service.keys("ada").reads(scans)
    left = before - set(service.administration().group_names())
    assert len(left) == 1
    assert next(iter(left)).startswith(service.prefix())
    assert continue_effects(service) == 0
    # Also one that was never shared with, and is known to the server from its members alone.
    service.enforced("bob", create_group, name="empty")
    beside = set(service.administration().group_names())
    service.enforced("bob", delete_group, name="empty")
    assert len(beside - set(service.administration().group_names())) == 1
    # Another group of that name begins with nothing.
    service.enforced("bob", create_group, name="lab")
    assert not bob.reads(scans)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Administration requests, by what they ask for."""
    asked: Counter[str] = Counter()
    administer = Connection.administer

    def count(
        self: Connection, method: str, command: str, query: Mapping[str, str] | None = None, **options: Any
    ) -> Answer:
        # The server's identity is looked at now and then, whatever is told.
        asked[command] += command != "info"
        return administer(self, method, command, query, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "administer", count)
        yield asked


def fill(service: MinioService, group: str) -> None:
    """A thousand members, who all have keys on the node as far as the service knows."""
    (node_id,) = {row.node_id for row in service.effects().values()}
    with service.database.write() as session:
        for number in range(MEMBERS - 1):
            name = f"member{number}"
            session.add(User(email=f"{name}@example.org", username=name, enabled=True, created_at=service.clock()))
        session.flush()
        ids = session.scalars(select(User.id).where(User.username.like("member%"))).all()
        group_id = session.scalars(select(Group.id).where(Group.name == group)).one()
        session.execute(
            insert(GroupMember), [{"group_id": group_id, "user_id": one, "manager": False} for one in ids]
        )
        effects = [
            {
                "node_id": node_id,
                "subject_kind": "user",
                "subject_id": one,
                "desired_generation": 1,
                "applied_generation": 1,
                "identity": 1,
                "active": True,
                "applied_documents": 1,
            }
            for one in ids
        ]
        session.execute(insert(NodeEffect), effects)


def test_a_share_of_a_large_group_is_one_document(
    service: MinioService, minio_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand members or one: as many requests, and one policy written for a share given or taken."""
    scans, other = service.workspace("ada", "scans"), service.workspace("ada", "other")
    put(minio_server, scans, "x")
    assert settle_one(service, service.share("ada", other, "@lab")) == "enforced"
    eve = service.keys("eve")

    def give_and_take() -> list[Counter[str]]:
        found = []
        with counted(monkeypatch) as given:
            assert settle_one(service, service.share("ada", scans, "@lab")) == "enforced"
        assert eve.reads(scans)
        with counted(monkeypatch) as taken:
            assert settle_one(service, service.unshare("ada", scans, "@lab")) == "enforced"
        assert not eve.reads(scans)
        found += [given, taken]
        return found

    alone = give_and_take()
    fill(service, "lab")
    crowd = give_and_take()
    assert [+asked for asked in crowd] == [+asked for asked in alone]
    for asked in crowd:
        assert asked["add-canned-policy"] == 1, asked
        assert asked.total() <= 6, asked
        assert not set(asked) & {"add-user", "update-group-members", "set-user-or-group-policy"}, asked
