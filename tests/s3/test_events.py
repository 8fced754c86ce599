"""The event stream: what happens is told, and only to those who may read it when it is told."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from s3.rights import Keys
from s3.world import BUCKET, World
from workspacesio.domain.vocabulary import Level

CREATED = "events=s3%3AObjectCreated%3A%2A"
ALL = CREATED + "&events=s3%3AObjectRemoved%3A%2A"


class Listener:
    """A listening client; `records` grows in a thread."""

    def __init__(self, world: World, query: str, keys: Keys | None, bucket: str) -> None:
        target = f"/{bucket}?{query}"
        self.records: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=20)
        self._connection.request("GET", target, headers=world.signed("GET", target, keys=keys))
        self.response = self._connection.getresponse()
        self.body = b"" if self.response.status == 200 else self.response.read()
        if self.response.status == 200:
            assert self.response.read(1) == b" ", "the first byte says that listening has begun"
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while line := self.response.readline():
                if line.strip():
                    self.records += json.loads(line)["Records"]
        except (OSError, ValueError, AttributeError):
            pass
        self.ended.set()

    @property
    def keys(self) -> list[str]:
        return [record["s3"]["object"]["key"] for record in self.records]

    def wait_for(self, count: int, seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while len(self.records) < count:
            assert time.monotonic() < deadline, f"{len(self.records)} of {count} records came"
            time.sleep(0.01)

    def close(self) -> None:
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


@contextmanager
def listening(
    world: World, query: str = ALL, keys: Keys | None = None, bucket: str = BUCKET
) -> Iterator[Listener]:
    listener = Listener(world, query, keys, bucket)
    try:
        yield listener
    finally:
        listener.close()


def test_what_happens_is_told_in_minio_s_form(world: World) -> None:
    client = world.client()
    client.put_object(Bucket=BUCKET, Key="ada/before", Body=b"1")
    with listening(world) as listener:
        begun = time.monotonic()
        etag = client.put_object(Bucket=BUCKET, Key="ada/a b+é", Body=b"12345")["ETag"]
        listener.wait_for(1)
        assert time.monotonic() - begun < 3
        client.delete_object(Bucket=BUCKET, Key="ada/a b+é")
        listener.wait_for(2)
    created, removed = listener.records
    assert created["eventName"] == "s3:ObjectCreated:Put"
    assert created["s3"]["bucket"]["name"] == BUCKET
    assert created["s3"]["object"]["key"] == "ada%2Fa+b%2B%C3%A9"
    assert (created["s3"]["object"]["size"], created["s3"]["object"]["eTag"]) == (5, etag.strip('"'))
    assert time.strptime(created["eventTime"][:19], "%Y-%m-%dT%H:%M:%S")
    assert removed["eventName"] == "s3:ObjectRemoved:Delete"


def test_prefix_suffix_and_names_are_asked_for(world: World) -> None:
    client = world.client()
    with listening(world, CREATED + "&prefix=ada%2Fin%2F&suffix=.tif") as listener:
        for key in ("ada/out/1.tif", "ada/in/2.txt", "ada/in/3.tif", "ada/in/4.tif"):
            client.put_object(Bucket=BUCKET, Key=key, Body=b"1")
        client.delete_object(Bucket=BUCKET, Key="ada/in/3.tif")
        client.put_object(Bucket=BUCKET, Key="ada/in/5.tif", Body=b"1")
        listener.wait_for(3)
    assert listener.keys == ["ada%2Fin%2F3.tif", "ada%2Fin%2F4.tif", "ada%2Fin%2F5.tif"]


def test_each_event_is_decided_when_it_is_told(world: World) -> None:
    world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    client = world.client()
    with listening(world, keys=world.bob) as listener:
        client.put_object(Bucket=BUCKET, Key="ada/hidden", Body=b"1")
        world.client(world.bob).put_object(Bucket=BUCKET, Key="bob/1", Body=b"1")
        listener.wait_for(1)
        world.rights.share("bob", BUCKET, "ada/", Level.READ)
        client.put_object(Bucket=BUCKET, Key="ada/shared", Body=b"1")
        listener.wait_for(2)
        world.rights.unshare("bob", BUCKET, "ada/")
        client.put_object(Bucket=BUCKET, Key="ada/hidden again", Body=b"1")
        world.client(world.bob).put_object(Bucket=BUCKET, Key="bob/2", Body=b"1")
        listener.wait_for(3)
    assert listener.keys == ["bob%2F1", "ada%2Fshared", "bob%2F2"]


def test_all_buckets_at_once(world: World) -> None:
    with listening(world, bucket="") as listener:
        world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
        listener.wait_for(1)


def test_a_bucket_out_of_sight_is_denied(world: World) -> None:
    for bucket in (BUCKET, "no-such"):
        with listening(world, keys=world.bob, bucket=bucket) as listener:
            assert listener.response.status == 403
            assert b"AccessDenied" in listener.body


def test_unknown_events_are_refused(world: World) -> None:
    with listening(world, "events=nonsense") as listener:
        assert listener.response.status == 400


def test_the_stream_ends_with_the_credential(world: World) -> None:
    short = world.rights.issue("ada", seconds=1.2)
    with listening(world, keys=short) as listener:
        assert listener.ended.wait(4)


@pytest.mark.parametrize("query", [ALL, ALL + "&prefix=ada%2F", ALL + "&prefix=ada"])
def test_the_stream_ends_when_the_right_is_gone(world: World, query: str) -> None:
    """Of what was asked for: another folder in the bucket keeps nobody listening to this one."""
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    if "prefix" in query:
        world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    with listening(world, query, keys=world.bob) as listener:
        assert not listener.ended.wait(1.5)
        world.rights.unshare("bob", BUCKET, "ada/")
        assert listener.ended.wait(2)
        assert listener.records == []
    with listening(world, query, keys=world.bob) as again:
        assert again.response.status == 403
        assert b"AccessDenied" in again.body


def test_the_stream_ends_when_the_credential_is_revoked(world: World) -> None:
    with listening(world, ALL + "&ping=1") as listener:
        world.rights.revoked.add(world.ada.principal.credential_id)
        assert listener.ended.wait(4)


@pytest.mark.parametrize("ping", ["0", "1"])
def test_a_listener_that_goes_away_is_let_go(world: World, ping: str) -> None:
    polled = []
    events_after = world.rights.events_after

    async def counting(*arguments: Any) -> Any:
        polled.append(time.monotonic())
        return await events_after(*arguments)

    world.rights.events_after = counting  # type: ignore[method-assign]
    with listening(world, f"{ALL}&ping={ping}"):
        time.sleep(0.3)
    deadline = time.monotonic() + 9
    while time.monotonic() - polled[-1] < 1.0:
        assert time.monotonic() < deadline, "it is polled for on"
        time.sleep(0.1)
