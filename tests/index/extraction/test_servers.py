"""Objects on a server: described by HEAD and tags, read in pieces of one version, and paid for as was allowed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crawl_world import CrawlWorld
from index.extraction import samples
from index.extraction.extracting import Extracting
from index.extraction.samples import WORD
from servers.s3_server import S3Server
from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.vocabulary import IndexLevel, NodeKind
from workspacesio.index.extraction.nursery_client import NurseryLost
from workspacesio.index.extraction.registry import METADATA_STAMP, installed
from workspacesio.index.found import Found
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.stamps import object_stamp, whole_seconds


class OnServer(Extracting):
    """With a bucket of its own on MinIO; `record` tells the recorder of an object as a crawl does."""

    server: S3Server
    bucket: str

    def put(self, key: str, body: bytes, **options: object) -> None:
        self.server.boto3_client().put_object(Bucket=self.bucket, Key=key, Body=body, **options)
        self.record(key)

    def record(self, key: str) -> None:
        head = self.server.boto3_client().head_object(Bucket=self.bucket, Key=key)
        size, modified = head["ContentLength"], whole_seconds(head["LastModified"].timestamp())
        etag = head["ETag"].strip('"')
        found = Found(key.rpartition("/")[2], size, modified, etag, object_stamp(size, modified, etag))
        self.world.recorder.put(self.workspace_id, key, found)
        self.world.recorder.commit()

    def charge(self, allowed: int | None) -> None:
        with self.world.database.write() as session:
            session.get_one(Node, 1).kind = NodeKind.AWS
            session.get_one(RootIndexing, 1).content_allowed_bytes = allowed

    def paid(self) -> int:
        with self.world.database.read() as session:
            return session.get_one(RootIndexing, 1).content_read_bytes


@pytest.fixture
def on_server(tmp_path: Path, minio_server: S3Server) -> Iterator[OnServer]:
    access = ServerAccess(
        minio_server.endpoint, minio_server.region, minio_server.access_key, minio_server.secret_key
    )
    world = CrawlWorld(tmp_path, driver=MinioDriver(Connection(access, AllowedAddresses()), "wio-test-"))
    found = OnServer(world, world.add_workspace(""), installed())
    found.server, found.bucket = minio_server, f"bucket-{secrets.token_hex(4)}"
    minio_server.boto3_client().create_bucket(Bucket=found.bucket)
    with world.database.write() as session:
        session.get_one(Node, 1).kind = NodeKind.MINIO
        session.get_one(Workspace, found.workspace_id).bucket = found.bucket
    yield found
    found.task.close()
    world.close()


def test_metadata_tags_and_content(on_server: OnServer) -> None:
    on_server.put(
        "a/paper.pdf", samples.pdf(), Metadata={"campaign": "alpine"}, Tagging="stage=raw&by=ada%20l",
        ContentType="application/x-wrong",
    )  # fmt: skip
    on_server.put("blob", b"\x00\x01\x02", ContentType="application/x-mine")
    on_server.put("empty.txt", b"")
    on_server.level(IndexLevel.CONTENT)
    on_server.settle()
    found = on_server.contents()
    assert found["a/paper.pdf"].content_type == "application/pdf"
    assert WORD in found["a/paper.pdf"].text
    assert found["a/paper.pdf"].user == {"campaign": "alpine"}
    assert found["a/paper.pdf"].tags == {"stage": "raw", "by": "ada l"}
    assert found["blob"].content_type == "application/x-mine"


def test_another_version_than_the_recorded_one_is_not_read(on_server: OnServer) -> None:
    on_server.put("a.txt", b"old text")
    on_server.server.boto3_client().put_object(Bucket=on_server.bucket, Key="a.txt", Body=b"new text")
    on_server.level(IndexLevel.CONTENT)
    on_server.settle()
    assert on_server.contents() == {}
    assert on_server.stamps() == {"a.txt": None}
    on_server.server.boto3_client().delete_object(Bucket=on_server.bucket, Key="a.txt")
    on_server.settle()
    assert on_server.stamps() == {"a.txt": None}


def test_a_version_that_is_replaced_between_two_pieces_is_given_up(on_server: OnServer) -> None:
    from workspacesio.index.catalogue import Due
    from workspacesio.index.extraction.sources import opened
    from workspacesio.nodes.errors import ObjectChanged
    from workspacesio.nodes.values import Scope

    on_server.put("a.txt", b"old text")
    [due] = on_server.world.catalogue.due(on_server.workspace_id, current=(), after=None, limit=10)
    assert isinstance(due, Due)
    assert on_server.world.driver is not None
    scope = Scope(on_server.bucket, "")
    reading = opened(on_server.world.driver, scope, due)
    source = reading.__enter__()
    assert source.file is not None
    assert source.file.read_at is not None
    assert source.file.read_at(4, 4) == b"text"
    on_server.server.boto3_client().put_object(Bucket=on_server.bucket, Key="a.txt", Body=b"new text")
    assert source.file.read_at(0, 4) == b""
    with pytest.raises(ObjectChanged):
        reading.__exit__(None, None, None)


def test_nothing_is_read_of_a_server_that_charges_until_it_is_allowed(on_server: OnServer) -> None:
    on_server.put("a.txt", b"a" * 1000, Metadata={"campaign": "alpine"}, ContentType="text/x-said")
    on_server.put("b.txt", b"b" * 1000)
    on_server.put("c.txt", b"c" * 1000)
    on_server.level(IndexLevel.CONTENT)
    on_server.charge(None)
    on_server.settle()
    found = on_server.contents()
    assert (found["a.txt"].content_type, found["a.txt"].user) == ("text/x-said", {"campaign": "alpine"})
    assert {one.text for one in found.values()} == {""}
    assert on_server.paid() == 0
    assert set(on_server.stamps().values()) == {METADATA_STAMP}

    on_server.charge(2500)
    on_server.settle()
    read = [path for path, one in on_server.contents().items() if one.text]
    assert len(read) == 2
    assert on_server.paid() == 2000
    on_server.settle()
    assert on_server.paid() == 2000

    on_server.charge(3000)
    on_server.settle()
    assert on_server.paid() == 3000
    on_server.settle()
    assert {one.text[:1] for one in on_server.contents().values()} == {"a", "b", "c"}
    assert on_server.paid() == 3000


def test_what_is_allowed_is_not_used_up_by_what_was_not_read(
    on_server: OnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_server.put("a.txt", b"a" * 1000)
    on_server.level(IndexLevel.CONTENT)
    on_server.charge(1500)

    def lost(*_: object) -> None:
        raise NurseryLost("The processes that read contents are gone.")

    monkeypatch.setattr(on_server.task, "_look", lost)
    on_server.settle()
    monkeypatch.undo()
    on_server.task._walks._down_until.clear()
    on_server.settle(lambda: bool(on_server.contents()), seconds=5)
    assert on_server.contents()["a.txt"].text == "a" * 1000


def test_what_was_told_is_paid_for_once_and_of_the_same_allowance(on_server: OnServer) -> None:
    for key in "abc":
        on_server.put(f"{key}.txt", key.encode() * 1000)
    on_server.level(IndexLevel.CONTENT)
    on_server.charge(1500)
    on_server.world.recorder.told.clear()
    on_server.put("new.txt", b"n" * 1000)
    on_server.settle()
    assert [path for path, one in on_server.contents().items() if one.text] == ["new.txt"]
    assert on_server.paid() == 1000
    on_server.charge(10_000)
    on_server.settle()
    on_server.settle()
    assert len(on_server.contents()) == 4
    assert on_server.paid() == 4000
