"""A server that hangs, trickles or is away: each request ends in time, and few wait for it."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from minio.crypto import encrypt

from servers.s3_server import S3Server
from servers.tcp_proxy import Proxy, tcp_proxy
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio import connection as connection_module
from workspacesio.nodes.minio import reach as reach_module
from workspacesio.nodes.minio.connection import REQUEST_SECONDS, Connection, ServerAccess, Unanswered
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.minio.reach import AT_ONCE, PATIENCE_SECONDS, KnownAway, Reach
from workspacesio.nodes.minio.sts import assume_role


@pytest.fixture
def proxy(minio_server: S3Server) -> Iterator[Proxy]:
    with tcp_proxy(minio_server.endpoint) as found:
        yield found


@pytest.fixture
def driver(proxy: Proxy, minio_server: S3Server) -> Iterator[MinioDriver]:
    access = ServerAccess(proxy.endpoint, "us-east-1", minio_server.access_key, minio_server.secret_key)
    found = MinioDriver(Connection(access, AllowedAddresses()), "wio-test-")
    yield found
    found.connection.close()


def elapsed(call: Callable[[], object]) -> tuple[float, NodeDown | None]:
    begun = time.monotonic()
    try:
        call()
    except NodeDown as error:
        return time.monotonic() - begun, error
    return time.monotonic() - begun, None


def test_an_answer_that_trickles_is_given_up_in_time(driver: MinioDriver, proxy: Proxy) -> None:
    """The libraries' own limits begin anew with each byte."""
    proxy.mode = "trickle"
    requests: list[Callable[[], object]] = [
        driver.administration.server,
        driver.bucket_names,
        lambda: assume_role(driver.connection, user="user", secret="secret-of-it", seconds=900),
    ]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(elapsed, requests))
    assert [type(error) for _, error in found] == [Unanswered] * 3
    assert max(took for took, _ in found) < REQUEST_SECONDS + 1
    del found
    gc.collect()  # a socket that was left open fails the test, as a warning
    proxy.mode = "pass"
    driver.connection.reach.look_again()
    assert driver.bucket_names() is not None


def test_a_server_that_hangs_ties_up_few_for_a_short_time(
    driver: MinioDriver, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach_module, "AWAY_SECONDS", 30.0)
    proxy.mode = "hang"
    with ThreadPoolExecutor(60) as threads:
        found = list(threads.map(lambda _: elapsed(driver.administration.policy_names), range(60)))
    assert all(error is not None for _, error in found)
    assert sum(took > PATIENCE_SECONDS + 1 for took, _ in found) <= AT_ONCE
    assert max(took for took, _ in found) < REQUEST_SECONDS + 1
    with ThreadPoolExecutor(60) as threads:
        found = list(threads.map(lambda _: elapsed(driver.administration.policy_names), range(60)))
    assert all(isinstance(error, KnownAway) for _, error in found)
    assert max(took for took, _ in found) < 2
    proxy.mode = "pass"
    driver.connection.reach.look_again()
    assert driver.administration.policy_names(), "found again at once by whoever looks"
    assert elapsed(driver.administration.policy_names)[1] is None


def test_who_is_away_is_asked_by_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach_module, "AWAY_SECONDS", 0.2)
    reach = Reach()

    def fails() -> None:
        raise NodeDown("gone")

    with pytest.raises(NodeDown), reach.request():
        fails()
    assert reach.problem() == "gone"
    with pytest.raises(KnownAway, match="gone"), reach.request():
        pass
    time.sleep(0.25)
    inside, leave = threading.Event(), threading.Event()

    def probe() -> None:
        with reach.request():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=probe)
    thread.start()
    assert inside.wait(5)
    with pytest.raises(KnownAway, match="gone"), reach.request():
        pass
    leave.set()
    thread.join()
    with reach.request():
        assert reach.problem() is None


def test_many_wait_for_their_turn_where_the_server_answers() -> None:
    reach, most, now, lock = Reach(), 0, 0, threading.Lock()

    def ask(_: int) -> None:
        nonlocal most, now
        with reach.request():
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1

    with ThreadPoolExecutor(60) as threads:
        list(threads.map(ask, range(200)))
    assert most == AT_ONCE


def test_few_bodies_are_sealed_at_once(driver: MinioDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 64 MiB."""
    most, now, lock = 0, 0, threading.Lock()

    def counted(body: bytes, secret: str) -> bytes:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        try:
            return encrypt(body, secret)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr("workspacesio.nodes.minio.connection.encrypt", counted)
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(driver.connection.sealed, [b"x"] * 8))) == 8
    assert most == 2
    monkeypatch.setattr(connection_module, "SEALING_SECONDS", 0.0)
    with ThreadPoolExecutor(8) as threads:
        refused = list(threads.map(lambda _: elapsed(lambda: driver.connection.sealed(b"x"))[1], range(8)))
    assert any("at once" in str(error) for error in refused)
