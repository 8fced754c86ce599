"""What the service itself does with objects on a MinIO server, and to which addresses it connects."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import secrets
import threading
from typing import ClassVar

import pytest

from servers.minio import minio
from servers.s3_server import S3Server
from workspacesio.nodes.addresses import AllowedAddresses, is_never_allowed, plain_address
from workspacesio.nodes.errors import NodeDown, NoSuchBucket
from workspacesio.nodes.minio import driver as minio_driver
from workspacesio.nodes.minio import listing_pages
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import AddressNotAllowed, Connection, NotPermitted, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.minio.object_stats import stat_by_listing, stat_object
from workspacesio.nodes.minio.sts import assume_role
from workspacesio.nodes.values import ListRequest, ObjectAddress, Preconditions, Scope, StoredObject
from workspacesio.services.storage import Storage


def driver_of(server: S3Server, **changed: str) -> MinioDriver:
    given = {
        "endpoint": server.endpoint,
        "region": server.region,
        "access_key": server.access_key,
        "secret": server.secret_key,
    }
    return MinioDriver(Connection(ServerAccess(**{**given, **changed}), AllowedAddresses()), "wio-test-")


@pytest.fixture
def driver(minio_server: S3Server) -> MinioDriver:
    return driver_of(minio_server)


@pytest.fixture
def bucket(minio_server: S3Server) -> str:
    name = f"bucket-{secrets.token_hex(4)}"
    minio_server.boto3_client().create_bucket(Bucket=name)
    return name


def fill(server: S3Server, bucket: str, *keys: str) -> None:
    for key in keys:
        server.boto3_client().put_object(Bucket=bucket, Key=key, Body=b"four")


def test_pages_hold_each_key_once_in_the_order_of_their_bytes(
    driver: MinioDriver, minio_server: S3Server, bucket: str
) -> None:
    keys = [f"a/{name}" for name in ("1", "1-1", "2/2", "10", "B", "a b", "é", "ℵ", "𝔞", "z+%2F")]
    fill(minio_server, bucket, *keys, "b/x", "a-b/x")
    found, after = [], ""
    while True:
        request = ListRequest("a/", after=after, max_keys=3)
        page = asyncio.run(driver.list_objects(Scope(bucket, "a/"), request))
        assert len(page.objects) <= 3
        found += page.objects
        if page.next_after is None:
            break
        after = page.next_after
    assert [one.key for one in found] == sorted(keys, key=str.encode)
    assert {one.size for one in found} == {4}


def test_what_is_deleted_is_gone_and_again_is_no_error(
    driver: MinioDriver, minio_server: S3Server, bucket: str
) -> None:
    fill(minio_server, bucket, "a/x", "a/y")
    for _ in range(2):
        asyncio.run(driver.delete(ObjectAddress(bucket, "a/x", "a/")))
    assert [one.key for one in driver.objects(bucket, "")] == ["a/y"]
    with pytest.raises(ValueError, match="preconditions"):
        asyncio.run(driver.delete(ObjectAddress(bucket, "a/y", "a/"), Preconditions(if_none_match=True)))


def test_a_workspace_is_emptied_of_what_the_server_hides_behind_an_object(
    driver: MinioDriver, minio_server: S3Server, bucket: str
) -> None:
    """MinIO shows `a/x/y` in no listing as long as there is an object `a/x`."""
    fill(minio_server, bucket, "a/x", "a/x/y", "a/x/y/z", "b/x")
    assert [one.key for one in driver.objects(bucket, "a/")] == ["a/x"]
    deleted = Storage(driver, asyncio.run).delete_objects(bucket, "a/", stop=lambda: False)
    assert (deleted.objects, deleted.finished) == (3, True)
    assert [one.key for one in driver.objects(bucket, "")] == ["b/x"]


def test_folders_and_what_lies_loose(driver: MinioDriver, minio_server: S3Server, bucket: str) -> None:
    fill(minio_server, bucket, "r/one/x", "r/two/deep/x", "r/loose", "other/x")
    assert driver.folders(bucket, "r/") == (["one", "two"], ["loose"])
    assert sorted(driver.folders(bucket, "")[0]) == ["other", "r"]


def test_a_bucket_that_is_not_there(driver: MinioDriver) -> None:
    with pytest.raises(NoSuchBucket):
        list(driver.objects("no-such-bucket", ""))
    with pytest.raises(NoSuchBucket):
        driver.folders("no-such-bucket", "")


def test_what_is_at_keys_now(driver: MinioDriver, minio_server: S3Server, bucket: str) -> None:
    keys = ["a/1", "a/b c+%2F", "a/é/𝔞", "a/marker/", "a/x"]
    fill(minio_server, bucket, *(key for key in keys if key != "a/marker/"))
    client = minio_server.boto3_client()
    client.put_object(Bucket=bucket, Key="a/marker/", Body=b"")
    absent = ["a/0", "a/", "a", "a/x/", "a/x/y", "a//1", "a/../1", "a/" + "n" * 1100]
    told = asyncio.run(driver.stat_objects(Scope(bucket, "a/"), absent + keys))
    assert told[: len(absent)] == [None] * len(absent)
    shown = [(one.key, one.size, one.etag, int(one.modified) * 1_000_000) for one in driver.objects(bucket, "a/")]
    found = [one for one in told if one is not None]
    assert sorted((one.key, one.size, one.etag, one.modified) for one in found) == shown
    client.put_object(Bucket=bucket, Key="a/x", Body=b"more")
    (again,) = asyncio.run(driver.stat_objects(Scope(bucket, "a/"), ["a/x"]))
    assert again is not None
    assert again.stamp != found[-1].stamp


def test_an_object_whose_head_is_refused_is_told_from_the_listing(minio_server: S3Server, bucket: str) -> None:
    """MinIO answers HEAD of an object that is encrypted with a customer's key with 400; that key needs TLS."""
    driver = driver_of(minio_server)
    fill(minio_server, bucket, "a/x", "a/xy")
    by_head = asyncio.run(driver.stat_objects(Scope(bucket, ""), ["a/x"]))[0]
    assert stat_by_listing(driver.s3, bucket, "a/x") == by_head
    assert stat_by_listing(driver.s3, bucket, "a/") is None
    assert stat_by_listing(driver.s3, bucket, "a/../x") is None


def test_many_keys_that_lie_together_are_told_by_pages(
    minio_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = driver_of(minio_server)
    near = [f"a/near {number}+/k" for number in range(60)] + [f"a/{number:03}" for number in range(60)]
    far = [f"far/{number}/{name}" for number in range(40) for name in "abcd"]
    near.append("a/")
    for key in [*near, *far]:
        driver.s3.put_object(bucket, key, io.BytesIO(key.encode()), len(key))
    asked = near[::2] + [f"a/absent{number}" for number in range(60)] + [f"{key}x" for key in near[:20]]
    one_by_one = [stat_object(driver.s3, bucket, key) for key in asked]
    heads = []
    monkeypatch.setattr(minio_driver, "stat_object", lambda *place: (heads.append(place), stat_object(*place))[1])
    assert asyncio.run(driver.stat_objects(Scope(bucket, "a/"), asked)) == one_by_one
    assert sum(found is not None for found in one_by_one) == 61
    assert len(heads) < 30
    monkeypatch.setattr(listing_pages, "PAGE_KEYS", 20)
    assert asyncio.run(driver.stat_objects(Scope(bucket, "a/"), asked)) == one_by_one
    monkeypatch.setattr(listing_pages, "PAGE_KEYS", 40)
    assert asyncio.run(driver.stat_objects(Scope(bucket, "a/"), asked)) == one_by_one
    heads.clear()
    scattered = far[::40] + [f"none/{number}/x" for number in range(0, 200, 2)]
    assert [one is not None for one in asyncio.run(driver.stat_objects(Scope(bucket, ""), scattered))] == [
        key in far for key in scattered
    ]


def test_nothing_is_told_of_keys_in_a_missing_bucket(driver: MinioDriver) -> None:
    for keys in (["a/x"], [f"a/{number}" for number in range(200)]):
        with pytest.raises(NoSuchBucket):
            asyncio.run(driver.stat_objects(Scope("no-such-bucket", ""), keys))


def test_buckets(driver: MinioDriver, bucket: str) -> None:
    assert bucket in [one.name for one in asyncio.run(driver.buckets())]
    asyncio.run(driver.check())


@pytest.mark.parametrize("changed", [{"secret": "wrong-secret"}, {"access_key": "nobody-here"}])
def test_wrong_keys_are_a_node_that_is_down(minio_server: S3Server, changed: dict[str, str]) -> None:
    with pytest.raises(NotPermitted) as refusal:
        asyncio.run(driver_of(minio_server, **changed).check())
    assert isinstance(refusal.value, NodeDown)
    assert "wrong-secret" not in repr(refusal.value)


def test_a_server_that_is_away(tmp_path: object) -> None:
    with minio(str(tmp_path)) as server:
        driver = driver_of(server)
        asyncio.run(driver.check())
    for request in (driver.check, lambda: driver.list_objects(Scope("bucket", ""), ListRequest(""))):
        with pytest.raises(NodeDown):
            asyncio.run(request())


def test_a_user_without_rights_gets_keys_without_rights(driver: MinioDriver, bucket: str) -> None:
    driver.administration.add_user("wio-test-u1", "some-secret-of-it")
    keys = assume_role(driver.connection, user="wio-test-u1", secret="some-secret-of-it", seconds=10)
    assert keys.secret_access_key not in repr(keys)
    with pytest.raises(NotPermitted):
        assume_role(driver.connection, user="wio-test-u1", secret="another-secret", seconds=10)
    driver.administration.remove_user("wio-test-u1")


def test_a_policy_may_have_any_letters_up_to_the_servers_size(driver: MinioDriver) -> None:
    """With JSON that spells each of these letters in six characters it would not be taken."""
    places = ",".join(f'"arn:aws:s3:::bucket/{"é" * 30}{n}/*"' for n in range(200))
    statement = f'{{"Effect":"Allow","Action":["s3:GetObject"],"Resource":[{places}]}}'
    document = f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
    assert 17_000 < len(document.encode()) < 18_000
    driver.administration.put_policy("wio-test-u1-1", document)
    assert driver.administration.policy("wio-test-u1-1")
    driver.administration.remove_policy("wio-test-u1-1")
    assert driver.administration.policy("wio-test-u1-1") is None


# --- addresses


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
@pytest.mark.parametrize("entries", [(), ("0.0.0.0/0", "::/0"), ("evil.example.org",)])
def test_metadata_and_link_local_addresses_are_never_allowed(address: str, entries: tuple[str, ...]) -> None:
    assert is_never_allowed(plain_address(address))
    assert not AllowedAddresses.of(entries).permits("evil.example.org", address)


@pytest.mark.parametrize(
    ("entries", "host", "address", "allowed"),
    [
        ((), "minio.lan", "10.1.2.3", True),
        (("10.0.0.0/8",), "minio.lan", "10.1.2.3", True),
        (("10.0.0.0/8",), "minio.lan", "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "minio.lan", "192.168.1.1", False),
        (("10.1.2.3",), "minio.lan", "10.1.2.3", True),
        (("10.1.2.3",), "minio.lan", "10.1.2.4", False),
        (("2001:db8::/32",), "minio.lan", "2001:db8::7", True),
        (("2001:db8::/32",), "minio.lan", "10.1.2.3", False),
        (("minio.lan",), "MINIO.lan.", "10.1.2.3", True),
        (("minio.lan",), "minio.lan.example.org", "10.1.2.3", False),
    ],
)
def test_which_addresses_are_allowed(entries: tuple[str, ...], host: str, address: str, allowed: bool) -> None:
    assert AllowedAddresses.of(entries).permits(host, address) is allowed


def test_nothing_is_sent_to_an_address_that_is_not_allowed(minio_server: S3Server) -> None:
    access = ServerAccess(minio_server.endpoint, "us-east-1", minio_server.access_key, minio_server.secret_key)
    connection = Connection(access, AllowedAddresses.of(["10.0.0.0/8"]))
    for request in (connection.date, lambda: connection.administer("GET", "info"), connection.s3.list_buckets):
        with pytest.raises(AddressNotAllowed):
            request()


def test_redirects_are_not_followed() -> None:
    class Elsewhere(http.server.BaseHTTPRequestHandler):
        seen: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.seen.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        connection = Connection(ServerAccess(endpoint, "us-east-1", "key", "secret-of-it"), AllowedAddresses())
        for request in (connection.date, lambda: connection.administer("GET", "info")):
            with pytest.raises(NodeDown):
                request()
        assert "/elsewhere" not in Elsewhere.seen
        connection.close()
        server.shutdown()


@pytest.mark.parametrize("date", ["Sun, 22 Nov 2026 20:00:00 GMT", "Sun, 22 Nov 2026 20:00:00 -0000", "nonsense"])
@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'"x"', b"<a>", b"\xff"])
def test_a_server_that_answers_as_none_does_is_down(body: bytes, date: str) -> None:
    """Whatever it says: an answer of another shape is never an error of ours, nor taken for something."""

    class Odd(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", date)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        access = ServerAccess(f"http://127.0.0.1:{server.server_port}", "us-east-1", "key", "secret-of-it")
        connection = Connection(access, AllowedAddresses())
        administration = Administration(connection)
        for request in (
            administration.server,
            administration.user_names,
            lambda: administration.user("u"),
            lambda: administration.group("g"),
            lambda: administration.policy("p"),
            lambda: assume_role(connection, user="u", secret="secret-of-u", seconds=3600),
        ):
            with pytest.raises(NodeDown):
                request()
        connection.close()
        server.shutdown()


def test_who_may_list_but_not_read_hears_what_is_there(minio_server: S3Server, bucket: str) -> None:
    fill(minio_server, bucket, "a/x")
    administration = driver_of(minio_server).administration
    secret = secrets.token_urlsafe(24)
    administration.add_user("lists-only", secret)
    found: dict[bool, list[StoredObject | None]] = {}
    for reads in (False, True):
        actions = ["s3:ListBucket", *(["s3:GetObject"] if reads else [])]
        allowed = {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::*"]}
        administration.put_policy("lists-only", json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
        administration.set_user_policies("lists-only", ["lists-only"])
        driver = driver_of(minio_server, access_key="lists-only", secret=secret)
        assert driver.may_read(bucket) is reads
        found[reads] = asyncio.run(driver.stat_objects(Scope(bucket, "a/"), ["a/x", "a/y"]))
    assert found[False] == found[True]
    assert [one is not None for one in found[True]] == [True, False]
