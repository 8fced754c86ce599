"""A database that is locked, gone, replaced, stopped or stuck: refused rather than stale, then on as before."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from journeys.places import Place, own_workspace, place_of
from journeys.processes import descendants, wait_until
from servers.postgresql import PostgresqlServer, postgresql
from servers.process import ServerFailed, frozen
from servers.service import Person, Service, service

pytestmark = pytest.mark.xdist_group("database trouble")

AWAY = "The database can't be used at the moment; try again shortly."
UNDECIDED = "Rights can't be checked at the moment; try again shortly."
REPLACED = "The database file was removed or replaced while the service ran; restart the service."


def check_works(ada: Person, place: Place) -> None:
    """Reads and writes, of objects and of rights, over connections to both workers."""
    for _ in range(4):
        s3 = place.client()
        s3.put_object(Bucket=place.bucket, Key=place.key("written"), Body=b"written")
        assert s3.get_object(Bucket=place.bucket, Key=place.key("kept"))["Body"].read() == b"kept"
    assert ada.json("workspace", "show", "work")["name"] == "work"
    ada.wio("share", "work", "bob")
    ada.wio("unshare", "work", "bob")


def check_refused(ada: Person, place: Place, sentence: str) -> None:
    """Every request, at both workers and at the API, within a few seconds."""
    begun = time.monotonic()
    for _ in range(4):
        s3 = place.client(timeout=20)
        named = {"Bucket": place.bucket, "Key": place.key("kept")}
        for call in (
            lambda s3=s3, named=named: s3.get_object(**named),
            lambda s3=s3, named=named: s3.put_object(**named, Body=b"lost"),
            lambda s3=s3, named=named: s3.delete_object(**named),
            lambda s3=s3: s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix),
        ):
            with pytest.raises(ClientError) as refused:
                call()
            answer = refused.value.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert answer["Error"]["Code"] == "ServiceUnavailable"
            assert answer["Error"]["Message"] == UNDECIDED
    for arguments in (("ls",), ("share", "work", "bob"), ("create", "another")):
        assert ada.refused(*arguments) == f"wio: {sentence}"
    assert time.monotonic() - begun < 30


def filled(running: Service) -> tuple[Person, Place]:
    ada = running.administrator()
    running.colleague("bob")
    place = own_workspace(ada, "work")
    place.client().put_object(Bucket=place.bucket, Key=place.key("kept"), Body=b"kept")
    return ada, place


# --- SQLite ------------------------------------------------------------------------------------------------


def database_files(running: Service) -> list[str]:
    return [name for name in os.listdir(running.state_dir) if name.startswith("workspacesio.sqlite3")]


@contextmanager
def locked(running: Service) -> Iterator[sqlite3.Connection]:
    """As a backup program or somebody with `sqlite3` would hold it."""
    path = os.path.join(running.state_dir, "workspacesio.sqlite3")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.close()


def test_a_locked_database_lets_reads_go_on_and_writes_wait(running: Service) -> None:
    ada, place = filled(running)
    bob = running.person("bob")
    ada.wio("share", "work", "bob")
    theirs = place_of(bob, "ada/work")

    with locked(running) as connection:
        begun = time.monotonic()
        for _ in range(4):
            s3 = theirs.client()
            assert s3.get_object(Bucket=place.bucket, Key=place.key("kept"))["Body"].read() == b"kept"
            place.client().put_object(Bucket=place.bucket, Key=place.key("while locked"), Body=b"too")
        assert "work" in ada.wio("ls")
        assert time.monotonic() - begun < 5
        freeing = threading.Timer(2, lambda: connection.execute("ROLLBACK"))
        freeing.start()
        ada.wio("unshare", "work", "bob")
        assert time.monotonic() - begun > 1.5
        freeing.join()
    for _ in range(4):
        with pytest.raises(ClientError, match="AccessDenied"):
            theirs.client().get_object(Bucket=place.bucket, Key=place.key("kept"))

    with locked(running):
        begun = time.monotonic()
        assert ada.refused("share", "work", "bob") == f"wio: {AWAY}"
        assert time.monotonic() - begun < 25
    ada.wio("share", "work", "bob")
    wait_until(
        lambda: ada.json("workspace", "show", "work")["objects"] == 2,
        "what was written while the database was locked is counted",
    )


def test_a_removed_or_replaced_database_is_refused_until_it_is_back(running: Service, tmp_path: Path) -> None:
    ada, place = filled(running)
    for name in database_files(running):
        shutil.move(os.path.join(running.state_dir, name), tmp_path / name)
    check_refused(ada, place, REPLACED)
    assert database_files(running) == []
    for name in os.listdir(tmp_path):
        if name.startswith("workspacesio.sqlite3"):
            shutil.move(tmp_path / name, os.path.join(running.state_dir, name))
    check_works(ada, place)

    path = os.path.join(running.state_dir, "workspacesio.sqlite3")
    older = str(tmp_path / "older")
    with sqlite3.connect(path) as source, sqlite3.connect(older) as target:
        source.backup(target)
    source.close()
    target.close()
    ada.wio("share", "work", "bob")
    os.replace(older, path)
    check_refused(ada, place, REPLACED)

    running.restart()
    check_works(ada, place)


# --- PostgreSQL --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL of this module's own: it is stopped while others use theirs."""
    with postgresql() as started:
        yield started


@pytest.fixture
def on_postgresql(server: PostgresqlServer, tree: str, tmp_path: Path) -> Iterator[Service]:
    with service(tree, base=str(tmp_path), database_url=server.create_database()) as running:
        yield running


def test_a_stopped_postgresql_is_refused_and_comes_back(server: PostgresqlServer, on_postgresql: Service) -> None:
    ada, place = filled(on_postgresql)
    check_works(ada, place)
    for _ in range(2):
        server.stop()
        check_refused(ada, place, AWAY)
        server.start()
        check_works(ada, place)
    wait_until(
        lambda: ada.json("workspace", "show", "work")["objects"] == 2,
        "what happened while the database was away is counted",
    )
    assert "Traceback" not in on_postgresql.log()


def test_a_stuck_postgresql_is_refused_within_seconds(server: PostgresqlServer, on_postgresql: Service) -> None:
    ada, place = filled(on_postgresql)
    stuck = [server.process.pid, *descendants(server.process.pid)]
    with frozen(*stuck):
        begun = time.monotonic()
        for _ in range(2):
            with pytest.raises(ClientError, match="ServiceUnavailable"):
                place.client(timeout=20).get_object(Bucket=place.bucket, Key=place.key("kept"))
        assert time.monotonic() - begun < 15
    check_works(ada, place)


def test_a_postgresql_that_is_not_there_yet_is_said_in_one_sentence(
    server: PostgresqlServer, tree: str, tmp_path: Path
) -> None:
    running = Service(tree, base=str(tmp_path), database_url=server.create_database())
    server.stop()
    try:
        with pytest.raises(ServerFailed, match=f"wio serve: {AWAY}"):
            running.start()
        assert "Traceback" not in running.log()
    finally:
        server.start()
    os.unlink(running.log_path)
    running.start()
    running.stop()
