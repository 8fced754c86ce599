"""Crawling a real MinIO: equal to its listing, wherever it is interrupted, and nothing dropped when it is away."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import SnowballObject

from index.crawl_world import BUCKET, CrawlWorld
from servers.minio import minio
from servers.s3_server import S3Server
from workspacesio.domain.vocabulary import CrawlState
from workspacesio.index import crawl_server, crawling, key_ranges
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.minio.listing_pages import ListedObject, PageAnswer
from workspacesio.services.crawl_requests import set_indexing

OBJECTS = 4_000


def _driver(server: S3Server, allowed: AllowedAddresses | None = None) -> MinioDriver:
    access = ServerAccess(server.endpoint, server.region, server.access_key, server.secret_key)
    return MinioDriver(Connection(access, allowed or AllowedAddresses()), "wio-test-")


def _client(server: S3Server) -> Minio:
    address = server.endpoint.removeprefix("http://")
    return Minio(address, server.access_key, server.secret_key, secure=False)


def _put(client: Minio, keys: list[str], content: bytes = b"x") -> None:
    for first in range(0, len(keys), 2_000):
        objects = [
            SnowballObject(key, data=io.BytesIO(content), length=len(content))
            for key in keys[first : first + 2_000]
        ]
        client.upload_snowball_objects(BUCKET, objects)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Thousands of objects: wide folders and deep ones, names that sort unlike their folders, and any letters."""
    with minio(str(tmp_path_factory.mktemp("crawled"))) as server:
        client = _client(server)
        client.make_bucket(BUCKET)
        keys = [f"ws/{number % 5}/{number % 37}/file-{number}" for number in range(OBJECTS)]
        keys += [f"ws/a-b/{number}" for number in range(20)] + ["ws/a/x", "ws/a/y z+ü&<.txt", "ws/a0", "ws/日本/é"]
        keys += [f"other/{number}" for number in range(20)]
        _put(client, keys)
        client.put_object(BUCKET, "ws/marked/", io.BytesIO(b""), 0)
        yield server


@pytest.fixture
def world(filled: S3Server, tmp_path: Path) -> Iterator[CrawlWorld]:
    made = CrawlWorld(tmp_path, driver=_driver(filled))
    yield made
    made.close()


@pytest.mark.parametrize("range_keys", [10**9, 300])
def test_the_index_is_what_the_server_lists(
    world: CrawlWorld, filled: S3Server, monkeypatch: pytest.MonkeyPatch, range_keys: int
) -> None:
    """In one go, and at many places at once."""
    monkeypatch.setattr(crawl_server, "RANGE_KEYS", range_keys)
    monkeypatch.setattr(crawl_server, "QUICK_PAGE_SECONDS", 0)
    workspace = world.add_workspace("ws/", objects=OBJECTS)
    row = world.crawl()
    assert (row.state, row.problem) == (CrawlState.DONE, None)
    listed = world.listed("ws/")
    assert len(listed) == OBJECTS + 25
    assert world.indexed(workspace) == listed
    assert (row.entries, row.new) == (len(listed), len(listed))
    assert world.crawl().unchanged == len(listed)

    client = _client(filled)
    _put(client, ["ws/0/0/file-new", "ws/1/1/file-1"], b"changed")
    removed = [*sorted(listed)[::400], "a-b/3"]
    for path in removed:
        client.remove_object(BUCKET, f"ws/{path}")
    row = world.crawl()
    assert row.gone == len(set(removed))
    assert row.new == 1
    assert world.indexed(workspace) == world.listed("ws/")
    _put(client, [f"ws/{path}" for path in removed if not path.endswith("/")])
    client.remove_object(BUCKET, "ws/0/0/file-new")


@pytest.mark.parametrize("seed", range(3))
def test_it_goes_on_where_it_was(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(crawl_server, "FLUSH_KEYS", 1)
    monkeypatch.setattr(crawl_server, "RANGE_KEYS", 500)
    monkeypatch.setattr(crawl_server, "QUICK_PAGE_SECONDS", 0)
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    chance = random.Random(seed)
    workspace = world.add_workspace("ws/", objects=OBJECTS)
    crawl_id = world.request()
    stops = 0
    while world.row(crawl_id).state == CrawlState.QUEUED:
        left = chance.randrange(1, 60)
        counter = iter(range(left))
        world.crawler.run_one(lambda counter=counter: next(counter, None) is None)
        stops += 1
    assert stops > 3
    assert world.indexed(workspace) == world.listed("ws/")
    assert world.row(crawl_id).entries == len(world.listed("ws/"))


def test_exclusions_hold_on_servers(world: CrawlWorld) -> None:
    workspace = world.add_workspace("ws/")
    with world.database.write() as session:
        set_indexing(session, root_id=1, exclusions=["[1-4]/", "a0"], now=world.now)
    assert world.crawler.run_one(lambda: False)
    expected = {path for path in world.listed("ws/") if path[0] not in "1234" and path != "a0"}
    assert world.indexed(workspace).keys() == {
        path
        for path in expected
        if "/1/" not in path and "/2/" not in path and "/3/" not in path and "/4/" not in path
    }


def test_a_server_that_goes_away_drops_nothing(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ranges, "WAITS", (0.0,))
    workspace = world.add_workspace("ws/")
    world.crawl()
    before = world.indexed(workspace)
    from workspacesio.index import crawl_sources

    real, asked = crawl_sources.ask_page, iter(range(3))

    def away(*arguments: Any, **options: Any) -> PageAnswer:
        if next(asked, None) is None:
            raise NodeDown("The server did not answer in time.")
        return real(*arguments, **options)

    monkeypatch.setattr(crawl_sources, "ask_page", away)
    row = world.crawl()
    assert (row.state, row.problem) == (CrawlState.FAILED, "The server did not answer in time.")
    assert world.indexed(workspace) == before
    monkeypatch.undo()
    world.pass_time(minutes=11)
    assert world.queue.schedule_due() == 1
    assert world.crawler.run_one(lambda: False)
    assert world.rows()[-1].state == CrawlState.DONE


def test_a_bucket_that_is_gone_drops_nothing(world: CrawlWorld) -> None:
    workspace = world.add_workspace("ws/")
    world.crawl()
    before = len(world.indexed(workspace))
    with world.database.write() as session:
        from workspacesio.database.tables import Root, Workspace

        session.get_one(Root, 1).bucket = session.get_one(Workspace, workspace).bucket = "gone"
    row = world.crawl()
    assert row.state == CrawlState.FAILED
    assert "Bucket" in (row.problem or "")
    assert len(world.indexed(workspace)) == before > OBJECTS


def test_listings_go_to_allowed_addresses_only(filled: S3Server, tmp_path: Path) -> None:
    world = CrawlWorld(tmp_path, driver=_driver(filled, AllowedAddresses.of(["192.0.2.0/24"])))
    try:
        world.add_workspace("ws/")
        row = world.crawl()
        assert row.state == CrawlState.FAILED
        assert "WIO_NODE_ADDRESSES" in (row.problem or "")
    finally:
        world.close()


PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>%s</ListBucketResult>
"""
CONTENTS = (
    "<Contents><Key>a+b%%2B%%C3%%A9</Key><LastModified>2026-11-22T18:32:11.987Z</LastModified>"
    "<ETag>%s</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


@pytest.mark.parametrize("etag", ["&#34;e-1&#34;", "&quot;e-1&quot;", '"e-1"', "e-1"])
def test_pages_are_read_as_servers_write_them(etag: str) -> None:
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>"
    prefixes = "<CommonPrefixes><Prefix>c+d/</Prefix></CommonPrefixes>"
    answer = PageAnswer((PAGE % (more + CONTENTS % etag + prefixes)).encode())
    assert (answer.last_key, answer.token) == ("a b+é", "a&b")
    page = answer.read()
    expected = ListedObject("a b+é", 7, 1_795_372_331, "e-1")
    assert (list(page.objects), list(page.common_prefixes), page.token) == ([expected], ["c d/"], "a&b")


def test_pages_in_another_order_go_through_the_parser() -> None:
    other = "<Contents><Size>7</Size><Key>a</Key><ETag>&quot;e&quot;</ETag><LastModified>2026-11-22T18:32:11Z"
    other += "</LastModified></Contents>"
    aws = "<Contents><Key>b</Key><LastModified>2026-11-22T18:32:12.000Z</LastModified><ETag>&quot;f&quot;</ETag>"
    aws += "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>8</Size>"
    aws += "<StorageClass>STANDARD</StorageClass></Contents>"
    aws += "<IsTruncated>false</IsTruncated>"
    answer = PageAnswer((PAGE % (other + aws)).encode())
    assert (answer.last_key, answer.token) == ("b", None)
    page = answer.read()
    assert list(page.objects) == [
        ListedObject("a", 7, 1_795_372_331, "e"),
        ListedObject("b", 8, 1_795_372_332, "f"),
    ]
    assert list(PageAnswer((PAGE % aws).encode()).read().objects) == [ListedObject("b", 8, 1_795_372_332, "f")]


@pytest.mark.parametrize(
    ("told", "size"), [("9" * 18, 10**18 - 1), (str(2**63 - 1), 2**63 - 1), ("9" * 4000, 2**63 - 1), ("-7", 0)]
)
def test_a_size_that_no_database_holds_is_the_largest_that_one_does(told: str, size: int) -> None:
    page = PAGE % ((CONTENTS % "e").replace("<Size>7<", f"<Size>{told}<") + "<IsTruncated>false</IsTruncated>")
    assert [one.size for one in PageAnswer(page.encode()).read().objects] == [size]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"<html/>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        (PAGE % ("<IsTruncated>true</IsTruncated>" + CONTENTS % "e")).encode(),
        b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>\xff</Key></Contents></ListBucketResult>",
    ],
)
def test_what_is_no_listing_is_no_empty_one(answer: bytes) -> None:
    with pytest.raises(NodeDown):
        PageAnswer(answer)
