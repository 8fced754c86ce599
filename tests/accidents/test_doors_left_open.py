"""Accident: doors left open. Nobody gets in who wasn't let in, nothing comes out that shows a secret, and no
header, body or address makes a door where there is none."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accidents.api import Api, JsonAnswer
from accidents.lab import BUCKET, Lab, running_lab
from accidents.wire import encoded, send
from servers.service import PASSWORD, Service
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.services.sign_in_limits import begin_attempt

OPEN_ROUTES = {
    ("GET", "/service"),
    ("GET", "/health"),
    ("POST", "/register"),
    ("POST", "/sign-in"),
    ("POST", "/password-reset"),
}


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Lab:
    lab.write("ws/file", b"content")
    lab.imported("ws")
    return lab


# --- the API without being signed in -----------------------------------------------------------------------


def test_every_route_but_five_wants_a_token(scene: Lab) -> None:
    found = scene.routes()
    assert set(found) >= OPEN_ROUTES
    for method, path in found:
        if (method, path) in OPEN_ROUTES:
            continue
        body = {} if method in ("POST", "PATCH") else None
        for token in (
            None,
            "",
            "x",
            "wios_x",
            "wiok_x",
            "wiot_x",
            scene.setup_token,
            "wios_" + "A" * 43,
            "A" * 5000,
        ):
            answer = Api(scene.nobody.host, scene.nobody.port, token).call(method, path, body)
            if path.startswith(
                "/events/minio/"
            ):  # it wants a node's token, and 403 is what its server's log explains
                assert (answer.status, answer.json["error"]["code"]) == (403, "wrong_event_token")
                continue
            # A body that says nothing may be told so before anybody asks who sent it.
            assert answer.status in (401, 422), (method, path, token, answer)
            if answer.status == 401:
                assert answer.error == "not_signed_in"
                assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_counts_in_the_authorization_header_alone(scene: Lab) -> None:
    token = scene.bob.token
    for headers in (
        {"Authorization": f"Basic {token}"},
        {"Authorization": f"Token {token}"},
        {"Authorization": str(token)},
        {"Cookie": f"token={token}; session={token}; Authorization=Bearer {token}"},
        {"X-Authorization": f"Bearer {token}"},
        {"X-Api-Key": str(token)},
        {"Proxy-Authorization": f"Bearer {token}"},
    ):
        assert scene.nobody.call("GET", "/me", headers=headers).status == 401, headers
    for name in ("token", "access_token", "authorization", "api_key"):
        assert scene.nobody.call("GET", "/me", **{name: str(token)}).status == 401
    assert scene.nobody.call("GET", "/me", headers={"Authorization": f"bearer {token}"}).status == 200


PATHS = [
    "/api/v1/../v1/me", "/api/v1/./me", "/api/v1//me", "//api/v1/me", "/api/v1/me/", "/API/v1/me",
    "/api/v1/ME", "/api/v1/me;a=b",
    "/api/v1/me%2f", "/api/v1%2fme", "/api%2fv1%2fme", "/api/v1/%6de", "/api/v1/me%00", "/api/v1/me%20",
    "/api/v1/service/../me",
    "/api/v1/service/..%2fme", "/api/v1/%2e%2e/v1/me", "/api/v2/me", "/me", "/", "/admin", "/docs", "/redoc",
    "/openapi.json",
    "/api/v1/docs", "/.env", "/.git/config", "/api/v1/../../etc/passwd", "/..%2f..%2fetc/passwd",
    "/%c0%ae%c0%ae/etc/passwd",
    "/metrics", "/debug", "/static/../secret", "/-/health", "/minio/admin/v3/info",
    "http://evil.example/api/v1/me", "*",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_spelling_of_an_address_goes_round_the_door(scene: Lab, path: str) -> None:
    answer = scene.nobody.send("GET", path)
    assert answer.status in (400, 401, 404, 405), answer
    assert b"root:" not in answer.body
    assert b"bob" not in answer.body
    signed_in = scene.bob.send("GET", path)
    assert signed_in.status in (200, 400, 404, 405), signed_in
    assert "location" not in signed_in.headers


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "1.0", "1e0", "01", "+1", "%201", "1%20", "0x1", "%31", "%D9%A1", "1%2Fshares", "1%2F..%2F2",
    "1;2", "1,2",
     "9223372036854775808", "99999999999999999999999999", "1' OR '1'='1", "NaN", "null", "*", "..", "%00",
     "1%00", "1%0a"],
)  # fmt: skip
def test_an_id_is_a_number_in_its_one_range_and_nothing_else(scene: Lab, number: str) -> None:
    path = f"/api/v1/workspaces/{encoded(number, '%')}"
    for caller, statuses in ((scene.nobody, (401, 404, 422)), (scene.carol, (404, 405, 422))):
        answer = caller.send("GET", path)
        assert answer.status in statuses, answer
        deleted = caller.send("DELETE", path)
        assert deleted.status in statuses, deleted


def test_the_endpoint_answers_nobody_but_for_its_health(scene: Lab) -> None:
    host, port = "127.0.0.1", scene.service.s3_port
    assert send(host, port, "GET", "/-/health", {}).body == b"ok\n"
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND", "CONNECT"):
        for target in ("/", f"/{BUCKET}", f"/{BUCKET}/ws/file", "/-/health/", "/-/metrics", "/minio/health/live",
                       "/minio/admin/v3/info", "/-/health/../data/ws/file", "//-/health",
                       "/favicon.ico"):  # fmt: skip
            if method == "CONNECT":
                continue
            answer = send(host, port, method, target, {})
            assert answer.status == 403, (method, target, answer)
            assert b"content" not in answer.body
    for query in (
        "?Action=AssumeRole",
        "?AWSAccessKeyId=x&Signature=y&Expires=9999999999",
        "?X-Amz-Algorithm=none",
    ):
        assert send(host, port, "GET", f"/{BUCKET}/ws/file{query}", {}).status in (400, 403)


def test_only_the_address_that_was_asked_for_is_listened_on(scene: Lab) -> None:
    for port in (scene.service.port, scene.service.s3_port):
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.2", port))


# --- the first visitor -------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that nobody has registered with."""
    base = tmp_path_factory.mktemp("fresh")
    (base / "data").mkdir()
    running = Service(str(base / "data"), base=str(base))
    running.start()
    yield running
    running.stop()


def registration(username: str, **more: Any) -> dict[str, Any]:
    return {"email": f"{username}@example.org", "username": username, "password": PASSWORD, **more}


def test_the_first_visitor_is_nobody_and_the_setup_token_makes_one_administrator(fresh: Service) -> None:
    nobody = Api("127.0.0.1", fresh.port)
    found = re.search(r"--setup-token (\S+)", fresh.log())
    assert found is not None
    token = found[1]
    wrong = ["", token[:-1], token + "A", token.upper(), "wiot_" + "A" * 43, "%", None]
    others: list[dict[str, Any]] = [{}, {"invitation": token}, {"administrator": True}, {"is_admin": True}]
    for more in (*others, *({"setup_token": one} for one in wrong)):
        answer = nobody.call("POST", "/register", registration("mallory", **more))
        assert answer.status in (403, 422), (more, answer)
    assert nobody.call("POST", "/sign-in", {"email": "mallory@example.org", "password": PASSWORD}).status == 401
    assert nobody.done("GET", "/service")["has_administrator"] is False
    assert token not in nobody.call("GET", "/service").body.decode()

    with ThreadPoolExecutor(6) as pool:
        racers = [
            pool.submit(nobody.call, "POST", "/register", registration(f"racer{number}", setup_token=token))
            for number in range(6)
        ]
        answers = [racer.result() for racer in racers]
    assert sorted(answer.status for answer in answers) == [201, 403, 403, 403, 403, 403]
    (winner,) = [answer for answer in answers if answer.status == 201]
    assert winner.json["user"]["administrator"] is True

    again = nobody.call("POST", "/register", registration("late", setup_token=token))
    assert (again.status, again.error) == (403, "bad_token")
    open_registration = nobody.call("POST", "/register", registration("plain"))
    assert open_registration.status == 201
    assert open_registration.json["user"]["administrator"] is False
    assert nobody.call("POST", "/register", registration("plain2", administrator=True)).status == 422
    environment = {"WIO_STATE_DIR": fresh.state_dir, "PATH": fresh.path, "HOME": fresh.base}
    printed = subprocess.run(
        ["wio", "admin", "setup-token"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert printed.returncode == 1
    assert "wiot_" not in printed.stdout + printed.stderr
    fresh.restart()
    assert "--setup-token" not in fresh.log()


def test_closed_doors_of_registration_stay_closed(scene: Lab) -> None:
    try:
        scene.ada.done("PATCH", "/service", {"registration": "invitation"})
        answer = scene.nobody.call("POST", "/register", registration("ivan"))
        assert (answer.status, answer.error) == (403, "invitation_needed")
        # Nobody learns who has an account.
        taken = scene.nobody.call("POST", "/register", registration("bob"))
        assert (taken.status, taken.body) == (answer.status, answer.body)
        (invited,) = scene.ada.done("POST", "/users/invitations", {"emails": ["ivan@example.org"]})
        other = registration("ivan", invitation=invited["token"]) | {"email": "other@example.org"}
        assert scene.nobody.call("POST", "/register", other).status == 403
        scene.ada.done("PATCH", "/service", {"registration": "closed"})
        invitation = registration("ivan", invitation=invited["token"])
        assert scene.nobody.call("POST", "/register", invitation).error == "registration_closed"
        scene.ada.done("PATCH", "/service", {"registration": "invitation"})
        assert scene.nobody.call("POST", "/register", invitation).status == 201
        again = scene.nobody.call("POST", "/register", registration("ivan2", invitation=invited["token"]))
        assert again.status == 403
        assert scene.bob.call("PATCH", "/service", {"registration": "open"}).status == 403
    finally:
        scene.ada.done("PATCH", "/service", {"registration": "open"})


# --- guessing ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A service that believes the X-Forwarded-For of this machine."""
    with running_lab(str(tmp_path_factory.mktemp("proxied")), WIO_TRUSTED_PROXIES="127.0.0.1,10.0.0.1") as lab:
        yield lab


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A service whose accounts are being guessed at."""
    with running_lab(str(tmp_path_factory.mktemp("guessed")), WIO_TRUSTED_PROXIES="10.0.0.1") as lab:
        yield lab


def guess(lab: Lab, account: str, password: str = "wrong password", **headers: str) -> JsonAnswer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lab.nobody.call("POST", "/sign-in", {"email": account, "password": password}, headers=sent)


def already_failed(lab: Lab, times: int, *, account: str | None = None, address: str = "127.0.0.1") -> None:
    """As if somebody had guessed wrong so many times a moment ago, without the work of hashing each guess."""
    database = Database(sqlite_url(Path(lab.service.state_dir) / "workspacesio.sqlite3"))
    try:
        with database.write() as session:
            for number in range(times):
                now = datetime.now(UTC)
                begin_attempt(session, account=account or f"victim{number}@example.org", address=address, now=now)
    finally:
        database.dispose()


def test_guessing_is_limited_whatever_an_untrusted_peer_says_of_its_address(guessed: Lab) -> None:
    already_failed(guessed, 6, account="bob@example.org")
    statuses = [
        guess(
            guessed,
            account,
            X_Forwarded_For=f"203.0.113.{number}",
            X_Real_IP=f"203.0.113.{number}",
            Forwarded=f"for=203.0.113.{number}",
        ).status
        for number, account in enumerate(["bob@example.org", "BOB@example.org", " bob@example.org ", "bob", "bob"])
    ]
    assert statuses == [401, 401, 401, 401, 429]
    right = guess(guessed, "bob@example.org", PASSWORD, X_Forwarded_For="198.51.100.7")
    assert (right.status, right.error) == (429, "too_many_attempts")
    assert int(right.headers["retry-after"]) > 0
    # It holds for what needs the current password too, and others aren't shut out.
    change = guessed.bob.call(
        "POST", "/me/password", {"current_password": "wrong password", "new_password": PASSWORD}
    )
    assert change.status == 429
    assert guess(guessed, "carol@example.org", PASSWORD).status == 200


def test_an_account_that_does_not_exist_is_limited_and_answered_alike(guessed: Lab) -> None:
    answers = {}
    for account in ("nobody@example.org", "carol@example.org"):
        already_failed(guessed, 8, account=account)
        answers[account] = [guess(guessed, account) for _ in range(3)]
    unknown, known = answers.values()
    assert [one.status for one in unknown] == [401, 401, 429]
    assert [one.status for one in known] == [401, 401, 429]
    assert {one.body for one in unknown[:2]} == {one.body for one in known[:2]}
    assert guess(guessed, "carol@example.org", PASSWORD).status == 429


def test_a_disabled_account_is_only_told_so_with_the_right_password(proxied: Lab) -> None:
    proxied.register("heidi")
    proxied.ada.done("POST", "/users/heidi/disable")
    wrong, unknown = guess(proxied, "heidi@example.org"), guess(proxied, "nobody2@example.org")
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)
    assert guess(proxied, "heidi@example.org", PASSWORD).error == "user_disabled"


def test_behind_a_trusted_proxy_the_address_is_the_last_one_that_the_proxy_saw(proxied: Lab) -> None:
    already_failed(proxied, 9, account="bob@example.org", address="198.51.100.1")
    already_failed(proxied, 9, account="bob@example.org", address="198.51.100.2")
    # What a client itself wrote before the proxy added its address counts for nothing.
    spoofed = [
        guess(proxied, "bob@example.org", X_Forwarded_For=f"203.0.113.{n}, 198.51.100.1").status for n in (1, 2)
    ]
    assert spoofed == [401, 429]
    # A chain of trusted proxies is walked to its beginning.
    through = [
        guess(proxied, "bob@example.org", X_Forwarded_For=f"203.0.113.{n}, 198.51.100.2, 10.0.0.1").status
        for n in (1, 2)
    ]
    assert through == [401, 429]
    # From another address the account goes on, until its own limit.
    assert guess(proxied, "bob@example.org", PASSWORD, X_Forwarded_For="198.51.100.99").status == 200
    for number in range(10):
        already_failed(proxied, 1, account="bob@example.org", address=f"192.0.2.{number}")
    assert guess(proxied, "bob@example.org", PASSWORD, X_Forwarded_For="198.51.100.98").status == 429


def test_guessing_one_password_for_many_accounts_is_limited_by_address(proxied: Lab) -> None:
    already_failed(proxied, 98, address="198.51.100.50")
    statuses = [guess(proxied, f"other{n}@example.org", X_Forwarded_For="198.51.100.50").status for n in range(4)]
    assert statuses == [401, 401, 429, 429]


def test_the_many_addresses_of_one_network_of_version_6_are_one(proxied: Lab) -> None:
    for number in range(9):
        already_failed(proxied, 1, account="ada@example.org", address=f"2001:db8:1:2::{number:x}")
    statuses = [guess(proxied, "ada@example.org", X_Forwarded_For=f"2001:db8:1:2:{n}::1").status for n in (1, 2)]
    assert statuses == [401, 429]
    assert guess(proxied, "ada@example.org", PASSWORD, X_Forwarded_For="2001:db8:1:3::1").status == 200


def test_long_passwords_cost_nothing(scene: Lab) -> None:
    began = time.monotonic()
    for size in (5_000, 900_000):
        answer = scene.nobody.call("POST", "/sign-in", {"email": "carol@example.org", "password": "p" * size})
        assert answer.status == 422
        assert b"ppp" not in answer.body
    assert time.monotonic() - began < 2


def test_each_service_makes_its_own_secret_and_a_short_one_is_refused(
    tmp_path_factory: pytest.TempPathFactory, scene: Lab, guessed: Lab, proxied: Lab
) -> None:
    base = tmp_path_factory.mktemp("short")
    (base / "data").mkdir()
    command = ["wio", "serve", str(base / "data"), "--port", "1", "--s3-port", "2"]
    for secret in ("changeme", "a" * 32 + ",short"):
        environment = {"PATH": scene.service.path, "WIO_STATE_DIR": str(base / "state"), "WIO_SECRET": secret}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1, done
        assert "WIO_SECRET" in done.stderr
        assert secret not in done.stderr
    made = set()
    for lab in (scene, guessed, proxied):
        with open(os.path.join(lab.service.state_dir, "secret"), encoding="utf-8") as file:
            made.add(file.read().strip())
    assert len(made) == 3
    assert min(map(len, made)) >= 64


# --- the server's own network and folders ------------------------------------------------------------------


def test_no_node_makes_the_server_call_or_serve_what_it_should_not(scene: Lab, tmp_path: object) -> None:
    os.symlink("/etc", scene.path("ws/etc"))
    service = scene.service
    for wanted in (
        {"kind": "minio", "name": "n", "endpoint": "http://169.254.169.254/"},
        {"kind": "s3", "name": "n", "endpoint": "http://127.0.0.1:22"},
        {"kind": "folder", "name": "n", "path": "http://127.0.0.1/"},
        {"kind": "folder", "name": "n", "path": "/etc"},
        {"kind": "folder", "name": "n", "path": "/"},
        {"kind": "folder", "name": "n", "path": "relative"},
        {"kind": "folder", "name": "n", "path": f"{scene.folder}/../../etc"},
        {"kind": "folder", "name": "n", "path": f"{scene.folder}/ws/etc"},
        {"kind": "folder", "name": "n", "path": scene.folder},
        {"kind": "folder", "name": "n", "path": f"{scene.folder}/ws"},
        {"kind": "folder", "name": "n", "path": f"{scene.folder}-beside"},
        {"kind": "folder", "name": "n", "path": service.state_dir},
        {"kind": "folder", "name": "n", "path": os.path.dirname(service.state_dir)},
        {"kind": "folder", "name": "../n", "path": f"{scene.folder}/ws"},
        {"kind": "folder", "name": "n", "path": "/proc/self/root"},
        {"kind": "folder", "name": "n", "path": "\0"},
    ):
        answer = scene.ada.call("POST", "/nodes", wanted)
        assert answer.status in (409, 422), (wanted, answer)
        assert scene.bob.call("POST", "/nodes", wanted).status in (403, 422), wanted
    assert [one["name"] for one in scene.ada.done("GET", "/nodes")] == ["local"]
    os.unlink(scene.path("ws/etc"))


def test_a_second_server_on_the_same_state_says_so(scene: Lab) -> None:
    environment = {
        "PATH": scene.service.path,
        "WIO_STATE_DIR": scene.service.state_dir,
        "HOME": scene.service.base,
    }
    done = subprocess.run(
        ["wio", "serve", scene.folder, "--port", "1", "--s3-port", "2"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Another server" in done.stderr
    assert "Traceback" not in done.stderr
    assert scene.bob.call("GET", "/me").status == 200
