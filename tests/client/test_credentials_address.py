"""The local address of keys: who gets them, under which name, and what when the service gives none."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workspacesio.client import credentials_address
from workspacesio.client.credentials_address import PATH, CredentialsAddress
from workspacesio.client.errors import CommandError, Refused


def issued(number: int, *, seconds: float = 3600) -> dict[str, Any]:
    return {
        "access_key_id": f"KEY{number}",
        "secret_access_key": "secret",
        "session_token": "token",
        "expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
    }


class Service:
    """What the address asks. `problem`: raised in place of an answer; `held`: it answers when this is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.problem: CommandError | None = None
        self.held = threading.Event()
        self.held.set()

    def issue(self) -> dict[str, Any]:
        self.asked += 1
        self.held.wait(30)
        if self.problem:
            raise self.problem
        return issued(self.asked)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def address(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialsAddress]:
    monkeypatch.setattr(credentials_address, "ONE_ANSWER_SECONDS", 0.0)
    with CredentialsAddress(service.issue, issued(0, seconds=1.5)) as entered:
        yield entered


def ask(
    address: CredentialsAddress,
    *,
    method: str = "GET",
    path: str = PATH,
    host: str | None = None,
    token: str | None = None,
) -> tuple[int, dict[str, Any]]:
    given = address.environment()
    name = given["AWS_CONTAINER_CREDENTIALS_FULL_URI"].split("/")[2]
    connection = http.client.HTTPConnection(name, timeout=10)
    right = given["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    headers = {"Authorization": right if token is None else token, "Host": host or name}
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_keys_as_the_sdks_read_them(address: CredentialsAddress, service: Service) -> None:
    for number in (1, 2):
        status, given = ask(address)
        assert (status, given["AccessKeyId"]) == (200, f"KEY{number}")
        assert set(given) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"token": ""}, 401),
        ({"token": "x" * 43}, 401),
        ({"token": "\u00e9"}, 401),
        ({"host": "evil.example.org"}, 403),
        ({"host": "localhost"}, 403),
        ({"path": "/"}, 404),
        ({"path": PATH + "?x"}, 404),
        ({"method": "POST"}, 405),
        ({"method": "OPTIONS"}, 405),
        ({"method": "DELETE"}, 405),
    ],
)
def test_nobody_else_gets_any(
    address: CredentialsAddress, service: Service, asked: dict[str, str], status: int
) -> None:
    answered, said = ask(address, **asked)
    assert answered == status
    assert set(said) == {"code", "message"}
    assert service.asked == 0


def test_the_secret_is_in_no_other_users_sight(service: Service) -> None:
    with (
        CredentialsAddress(service.issue, issued(0)) as one,
        CredentialsAddress(service.issue, issued(0)) as other,
    ):
        path = one.environment()["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        with open(path, encoding="ascii") as file:
            secret = file.read()
        assert secret == one.environment()["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        assert len(secret) > 40
        assert ask(other, token=secret)[0] == 401
    assert not os.path.exists(os.path.dirname(path))


def test_when_a_right_has_ended_there_are_no_keys(address: CredentialsAddress, service: Service) -> None:
    assert ask(address)[0] == 200
    service.problem = Refused("There is no workspace plates.", status=404, code="not_found")
    assert ask(address) == (403, {"code": "not_found", "message": "There is no workspace plates."})
    service.problem = None
    assert ask(address)[0] == 200


def test_a_service_that_is_away_or_slow_is_waited_for_with_keys_that_are_good(
    address: CredentialsAddress, service: Service
) -> None:
    service.problem = Refused("It is being restarted.", status=503, code="unavailable")
    assert ask(address)[1]["AccessKeyId"] == "KEY0"
    service.problem = CommandError("nothing listens there.")
    assert ask(address)[1]["AccessKeyId"] == "KEY0"
    time.sleep(1.6)
    assert ask(address) == (503, {"code": "Unavailable", "message": "nothing listens there."})
    service.problem = None
    good = ask(address)[1]["AccessKeyId"]
    service.held.clear()
    begun = time.monotonic()
    assert ask(address)[1]["AccessKeyId"] == good
    assert time.monotonic() - begun < 2  # as long as SDKs wait
    before = service.asked
    service.held.set()
    assert before == 5  # and whoever comes meanwhile doesn't ask again


def test_those_who_ask_together_get_the_same(service: Service) -> None:
    with CredentialsAddress(service.issue, issued(0)) as address:
        assert {ask(address)[1]["AccessKeyId"] for _ in range(20)} == {"KEY0"}
    assert service.asked == 0


def test_workers_that_begin_together_wait_for_nothing(service: Service) -> None:
    answered: list[float] = []
    with CredentialsAddress(service.issue, issued(0)) as address:

        def work() -> None:
            begun = time.monotonic()
            assert ask(address)[0] == 200
            answered.append(time.monotonic() - begun)

        workers = [threading.Thread(target=work) for _ in range(200)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    # A second later the system would ask again for those that found no room.
    assert len(answered) == 200
    assert sum(one > 0.9 for one in answered) < 20


def test_who_connects_and_says_nothing_keeps_nobody_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials_address, "MOST_OPEN", 20)
    with CredentialsAddress(service.issue, issued(0)) as address, contextlib.ExitStack() as silent:
        host, port = address.environment()["AWS_CONTAINER_CREDENTIALS_FULL_URI"].split("/")[2].split(":")
        opened = [silent.enter_context(socket.create_connection((host, int(port)))) for _ in range(60)]
        assert ask(address)[0] == 200
        opened[0].settimeout(5)
        assert opened[0].recv(1) == b""
        assert sum(thread.name.startswith("Thread-") for thread in threading.enumerate()) < 60


def test_it_is_gone_at_once(service: Service) -> None:
    with CredentialsAddress(service.issue, issued(0)) as address:
        host, port = address.environment()["AWS_CONTAINER_CREDENTIALS_FULL_URI"].split("/")[2].split(":")
        silent = socket.create_connection((host, int(port)))  # who says nothing holds up nothing
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    with pytest.raises(ConnectionRefusedError):
        ask(address)
    silent.close()
