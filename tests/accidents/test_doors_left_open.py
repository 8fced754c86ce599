"""Accident: doors left open. Nobody gets in who wasn't let in, nothing comes out that shows a secret, and no
header, body or address makes a door where there is none."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import sqlite3
import stat
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
from accidents.wire import Answer, Keys, encoded, everything_back, exchange, send
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


def routes(lab: Lab) -> list[tuple[str, str]]:
    described = lab.nobody.done("GET", "/openapi.json")["paths"]
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "1", path.removeprefix("/api/v1")))
        for path, methods in described.items()
        for method in methods
    ]


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Lab:
    lab.write("ws/file", b"content")
    lab.imported("ws")
    return lab


# --- the API without being signed in -----------------------------------------------------------------------


def test_every_route_but_five_wants_a_token(scene: Lab) -> None:
    found = routes(scene)
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
            # A body that says nothing may be told so before anybody asks who sent it; it tells nothing of anything.
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
    for more in ({}, {"invitation": token}, {"setup_token": ""}, {"setup_token": token[:-1]}, {"setup_token": token + "A"},
                 {"setup_token": token.upper()}, {"setup_token": "wiot_" + "A" * 43}, {"setup_token": "%"},
                 {"administrator": True}, {"is_admin": True}, {"setup_token": None}):  # fmt: skip
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


# --- secrets -----------------------------------------------------------------------------------------------


def test_secrets_are_in_no_answer_log_argument_or_file_that_others_may_read(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_lab(str(tmp_path_factory.mktemp("secrets"))) as lab:
        lab.write("ws/file", b"x")
        lab.imported("ws")
        reset = lab.ada.done("POST", "/users/carol/password-reset")["token"]
        (invited,) = lab.ada.done("POST", "/users/invitations", {"emails": ["ivan@example.org"]})
        key = lab.ada.done("POST", "/api-keys", {"name": "k"})["token"]
        credential = lab.ada.issue()
        keys = Keys.of(credential)
        link = lab.ada.done("POST", "/presign", {"reference": "ws/file"})["url"]
        signature = link.partition("X-Amz-Signature=")[2]
        link_token = re.search(r"Security-Token=([^&]*)", link)
        assert link_token is not None
        secrets = {
            "password": PASSWORD,
            "session": str(lab.ada.token),
            "another session": str(lab.bob.token),
            "api key": key,
            "reset": reset,
            "invitation": invited["token"],
            "secret key": credential["secret_access_key"],
            "session token": credential["session_token"],
            "signature": signature,
            "token of a link": link_token[1],
        }
        with open(os.path.join(lab.service.state_dir, "secret"), encoding="utf-8") as file:
            secrets["the key of all keys"] = file.read().strip()

        # Every kind of request, sound and broken.
        target = link.partition(f":{keys.port}")[2]
        for sent in (target, target + "x", target.replace("ws/file", "ws/absent"), f"/{BUCKET}/ws/file?x=%"):
            send(keys.host, keys.port, "GET", sent, {})
        for broken in (
            {"authorization": "AWS4-HMAC-SHA256 " + secrets["secret key"]},
            {"authorization": "Bearer " + key},
        ):
            answer = keys.send("GET", f"/{BUCKET}/ws/file", keys.sign("GET", "/") | broken)
            assert answer.status in (400, 403)
        for answer in (keys.get(f"/{BUCKET}/ws/absent"), keys.list(BUCKET, ""), keys.put("/", b"x")):
            assert answer.status >= 400
        for raw in (
            json.dumps({"email": "a@b", "password": 5, "x": PASSWORD}).encode(),
            b'{"password": "' + PASSWORD.encode(),
        ):
            lab.nobody.call("POST", "/sign-in", raw=raw)
            lab.nobody.call("POST", "/register", raw=raw)
        lab.nobody.call("POST", "/password-reset", {"token": reset, "password": "short"})
        answers = [lab.ada.call(method, path) for method, path in routes(lab) if method == "GET"]
        answers.append(lab.ada.call("GET", f"/nope/{key}"))
        answers += [lab.nobody.call("POST", "/sign-in", {"email": PASSWORD, "password": PASSWORD})]

        for name, value in secrets.items():
            for answer in answers:
                assert value.encode() not in answer.body, (name, answer)
        columns = ("password_hash", "token_hash", "secret_access", "session_token", "argon2", "setup_token")
        for answer in answers:
            if b'"openapi"' not in answer.body:
                assert not any(column.encode() in answer.body for column in columns), answer

        time.sleep(0.3)
        log = lab.service.log()
        assert "GET" in log, "the access log is on, or this proves nothing"
        for name, value in secrets.items():
            assert value not in log, name
        for pid in descendants(lab.service):
            with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                arguments = cmdline.read()
            for name, value in secrets.items():
                assert value.encode() not in arguments, name

        stored = [value for name, value in secrets.items() if name not in ("the key of all keys",)]
        for folder, _, files in os.walk(lab.service.state_dir):
            for file_name in files:
                path = os.path.join(folder, file_name)
                mode = stat.S_IMODE(os.stat(path).st_mode)
                outer = stat.S_IMODE(os.stat(lab.service.state_dir).st_mode)
                assert outer & 0o077 == 0, oct(outer)
                assert file_name != "secret" or mode & 0o077 == 0, (path, oct(mode))
                with open(path, "rb") as file:
                    held = file.read()
                for value in stored:
                    assert value.encode() not in held, path
                assert secrets["the key of all keys"].encode() not in held or file_name == "secret", path
        staging = (
            stat.S_IMODE(os.stat(lab.path(".workspacesio")).st_mode)
            if os.path.exists(lab.path(".workspacesio"))
            else 0
        )
        assert staging & 0o077 == 0, oct(staging)


def descendants(running: Service) -> list[int]:
    """The processes of the service."""
    assert running.process is not None
    group = running.process.pid
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getpgid(int(entry)) == group:
                    found.append(int(entry))
            except ProcessLookupError:
                continue
    assert len(found) >= 5
    return found


def test_the_database_holds_hashes_and_no_s3_secret(scene: Lab) -> None:
    scene.ada.issue()
    with sqlite3.connect(os.path.join(scene.service.state_dir, "workspacesio.sqlite3")) as connection:
        columns = {
            row[1] for table in tables(connection) for row in connection.execute(f"PRAGMA table_info('{table}')")
        }
        hashes = [row[0] for row in connection.execute("SELECT password_hash FROM users")]
    connection.close()
    assert not columns & {"password", "secret", "secret_access_key", "session_token", "token"}
    assert all(one.startswith("$argon2id$") for one in hashes)


def tables(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


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


# --- headers -----------------------------------------------------------------------------------------------


HOSTS = [
    "evil.example.org", "evil.example.org:1", "a@b", "a:b@c", "evil.example.org/path", "evil.example.org?x",
    "evil#x", "\t", "",
    "[::1]", "[::1]:99", "[::1", "a b", "a,b", "-", "..", "a" * 300, "127.0.0.1:99999", "x:y", "%00",
    "<script>", "localhost:",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_no_host_header_puts_more_than_a_name_into_an_address(scene: Lab, host: str) -> None:
    for more in ({}, {"X-Forwarded-Host": "forwarded.example.org", "X-Forwarded-Proto": "gopher"}):
        answer = scene.nobody.call("GET", "/service", headers={"Host": host, **more})
        assert answer.status in (200, 400), answer
        if answer.status != 200:
            continue
        for name in ("s3_address", "public_address"):
            address = answer.json[name]
            assert re.fullmatch(r"http://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", address), (
                address
            )
            assert "forwarded" not in address
            assert "gopher" not in address
        assert answer.json["s3_address"].endswith(f":{scene.service.s3_port}")
    # Another caller's answer is their own.
    assert "evil" not in json.dumps(scene.nobody.done("GET", "/service"))


def test_a_forged_host_signs_no_link_that_works_and_hurts_nobody_else(scene: Lab) -> None:
    answer = scene.ada.call("POST", "/presign", {"reference": "ws/file"}, headers={"Host": "evil.example.org"})
    assert answer.json["url"].startswith(f"http://evil.example.org:{scene.service.s3_port}/")
    target = answer.json["url"].partition(f":{scene.service.s3_port}")[2]
    assert send("127.0.0.1", scene.service.s3_port, "GET", target, {}).status == 403
    assert "evil" not in scene.ada.done("POST", "/presign", {"reference": "ws/file"})["url"]


OVERRIDES = ["response-content-type", "response-content-language", "response-expires", "response-cache-control",
             "response-content-disposition", "response-content-encoding"]  # fmt: skip

INJECTIONS = [
    "a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "\r\n\r\n<html>", "a\0b",
    "\u560d\u560aX-Injected: 1",
    "a\u2028X-Injected: 1", "\u00e9", "\U0001f600", "\x7f", "a\tb", "x" * 9000, "\x85",
    "\u010d\u010aX-Injected: 1",
]  # fmt: skip


@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize("name", OVERRIDES)
def test_no_override_injects_a_header(scene: Lab, name: str, injected: str) -> None:
    keys = scene.ada.keys("ws")
    answer = keys.get(f"/{BUCKET}/ws/file?{name}={encoded(injected)}")
    no_injection(answer)


def no_injection(answer: Answer) -> None:
    assert answer.status in (200, 400), answer
    assert "x-injected" not in answer.headers
    if answer.status == 200:
        assert answer.body == b"content"
        assert answer.headers["content-length"] == "7"


def test_no_metadata_injects_a_header(scene: Lab) -> None:
    keys = scene.ada.keys("ws")
    target = f"/{BUCKET}/ws/meta"
    words = ["=?UTF-8?B?YQ0KWC1JbmplY3RlZDogMQ==?=", "=?UTF-8?Q?a=0D=0AX-Injected:_1?=", "=?utf-8?q?=0a?=",
    "=?UTF-8?B?AA==?=",
             "=?iso-2022-jp?B?GyRC?=", "=?utf-7?Q?+AA0ACg-X-Injected?=", "=?rot13?Q?a?=",
             "=?unicode_escape?Q?=5Cx0d=5Cx0aX?=",
             "=?idna?Q?xn--?=", "=?punycode?Q?a-?=", "=?utf-16?B?DQAKAA==?="]  # fmt: skip
    for word in words:
        for name in (
            "x-amz-meta-a",
            "content-disposition",
            "cache-control",
            "content-language",
            "expires",
            "content-type",
        ):
            put = keys.put(target, b"content", {name: word})
            assert put.status in (200, 400), put
            no_injection(keys.get(target))
    for raw in (b"x-amz-meta-a: a\rX-Injected: 1", b"x-amz-meta-a: a\n X-Injected: 1", b"x-amz-meta-a: a\0b",
    b"x-amz-meta-\xff: 1",
                b"x-amz-meta-a: \xff\xfe", b"x-amz-meta-a b: 1", b"x-amz-meta-a\t: 1",
                b" x-amz-meta-a: 1"):  # fmt: skip
        head = keys.head_of("PUT", target, keys.sign("PUT", target) | {"content-length": "0"})
        answer = exchange(keys.host, keys.port, head.replace(b"\r\n\r\n", b"\r\n" + raw + b"\r\n\r\n"))
        assert answer is None or answer.status in (400, 403), (raw, answer)
        got = keys.get(target)
        assert "x-injected" not in got.headers


def test_no_tag_or_checksum_injects_anything_into_a_document(scene: Lab) -> None:
    keys = scene.ada.keys("ws")
    target = f"/{BUCKET}/ws/file"
    for value in ("</Value></Tag><Injected/>", "&x;", "]]>", "<!--", "\u2028", "%3C"):
        body = f"<Tagging><TagSet><Tag><Key>k</Key><Value>{value.replace('&', '&amp;').replace('<', '&lt;')}</Value></Tag></TagSet></Tagging>"
        put = keys.put(f"{target}?tagging", body.encode())
        assert put.status in (200, 400), put
        got = keys.get(f"{target}?tagging")
        assert b"<Injected/>" not in got.body
    for query in ("prefix=%3CInjected/%3E", "marker=%3CInjected/%3E&prefix=ws/",
    "delimiter=%3CInjected/%3E&prefix=ws/",
                  "list-type=2&start-after=%3CInjected/%3E&prefix=ws/", "max-keys=%3CInjected/%3E",
                  "encoding-type=%3CInjected/%3E"):  # fmt: skip
        assert b"<Injected/>" not in keys.get(f"/{BUCKET}?{query}").body, query


def test_every_answer_of_the_api_is_hardened_and_none_opens_another_origin(scene: Lab) -> None:
    answers = [
        scene.bob.call("GET", "/me"),
        scene.nobody.call("GET", "/me"),
        scene.nobody.call("GET", "/service"),
        scene.nobody.call("GET", "/nope"),
        scene.nobody.call("POST", "/sign-in", raw=b"{"),
        scene.nobody.call("POST", "/sign-in", raw=b"x" * 1_048_577),
        scene.nobody.send("OPTIONS", "/api/v1/me"),
    ]
    for origin in (
        "https://evil.example.org",
        "null",
        "http://localhost:8100",
        f"http://127.0.0.1:{scene.service.port}",
    ):
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        answers.append(scene.nobody.send("OPTIONS", "/api/v1/credentials", headers=headers))
        answers.append(scene.bob.call("GET", "/me", headers={"Origin": origin}))
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store", answer
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not [name for name in answer.headers if name.startswith("access-control")], answer
        assert "set-cookie" not in answer.headers
        server = answer.headers.get("server", "")
        assert not re.search(r"\d", server), server


def test_the_endpoint_opens_to_no_origin_that_was_not_named(scene: Lab) -> None:
    keys = scene.ada.keys("ws")
    for origin in ("https://evil.example.org", "null", "*", "http://localhost:8100"):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = send(keys.host, keys.port, "OPTIONS", f"/{BUCKET}/ws/file", preflight)
        assert answer.status == 403, answer
        got = keys.request("GET", f"/{BUCKET}/ws/file", headers={"origin": origin}, unsigned=["origin"])
        for one in (answer, got):
            assert not [name for name in one.headers if name.startswith("access-control")], one


# --- bodies ------------------------------------------------------------------------------------------------


def test_a_form_or_a_text_of_another_site_is_no_request(scene: Lab) -> None:
    body = json.dumps({"email": "bob@example.org", "password": PASSWORD}).encode()
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "", "text/json",
                       "application/xml", "text/plain; application/json"):  # fmt: skip
        answer = scene.nobody.call("POST", "/sign-in", raw=body, headers={"Content-Type": media_type})
        assert answer.status == 415, (media_type, answer)


JSON_BODIES: dict[str, bytes] = {
    "too large": b'{"email": "' + b"a" * 1_100_000 + b'"}',
    "deep lists": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep field": b'{"email":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "many keys": b"{" + b",".join(b'"k%d":1' % number for number in range(80_000)) + b"}",
    "a long number": b'{"duration_seconds": ' + b"9" * 500_000 + b"}",
    "infinite": b'{"duration_seconds": 1e999}',
    "not a number": b'{"duration_seconds": NaN}',
    "minus nothing": b'{"duration_seconds": -Infinity}',
    "half a pair": b'{"email": "\\ud800", "password": "\\udfff"}',
    "nul": b'{"email": "a\\u0000b@example.org", "password": "xxxxxxxxxxxx"}',
    "not utf-8": b'{"email": "\xff\xfe"}',
    "utf-16": '{"email": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"email": "a@b"}',
    "twice": b'{"email": "bob@example.org", "email": "carol@example.org", "password": "x"}',
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
    "empty": b"",
    "blank": b"   ",
    "half": b'{"email"',
    "two": b'{"email": "a@b", "password": "x"}{}',
    "prototype": b'{"__proto__": {"administrator": true}, "constructor": {}, "__class__": 1}',
    "lists for texts": b'{"email": ["bob@example.org"], "password": {"$ne": null}}',
}


@pytest.mark.parametrize("name", JSON_BODIES)
def test_no_json_brings_the_api_down_or_gets_in(scene: Lab, name: str) -> None:
    began = time.monotonic()
    for method, path in (
        ("POST", "/sign-in"), ("POST", "/register"), ("POST", "/password-reset"), ("POST", "/credentials"),
        ("POST", "/workspaces"), ("POST", "/presign"), ("POST", "/api-keys"), ("PATCH", "/service"), ("POST",
        "/roots/existing/import"),
    ):  # fmt: skip
        try:
            answer = scene.carol.call(method, path, raw=JSON_BODIES[name])
        except ConnectionError:  # refused before all of it was sent
            assert name == "too large"
            continue
        assert answer.status in (400, 401, 403, 404, 413, 415, 422), (path, answer.status, answer.body[:300])
        assert answer.error
        assert len(answer.body) < 20_000, (path, len(answer.body))
    assert time.monotonic() - began < 20
    assert scene.carol.call("GET", "/me").status == 200


XML_BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">%b]>
<%b><Object><Key>&n;</Key></Object></%b>"""


def bombs(root: bytes) -> dict[str, bytes]:
    laughs = b"".join(b'<!ENTITY %c "%b">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(13))
    inner = b"<Object><Key>%b</Key></Object>"
    return {
        "laughs": XML_BOMB % (laughs, root, root),
        "external": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><%b><Object><Key>&x;</Key></Object></%b>'
        % (root, root),
        "network": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><%b/>' % root,
        "parameter": b'<!DOCTYPE a [<!ENTITY %% p SYSTEM "http://127.0.0.1:1/">%%p;]><' + root + b"/>",
        "bare doctype": b"<!DOCTYPE a><%b/>" % root,
        "include": b'<%b xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></%b>'
        % (root, root),
        "undefined": b"<%b>" % root + inner % b"&x;" + b"</%b>" % root,
        "utf-16 doctype": f"<!DOCTYPE a><{root.decode()}/>".encode("utf-16"),
        "another encoding": b'<?xml version="1.0" encoding="cp037"?>' + b"<%b/>" % root,
        "unknown encoding": b'<?xml version="1.0" encoding="nope"?>' + b"<%b/>" % root,
        "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-' + root + b"/+AD4-",
        "deep": b"<%b>" % root + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</%b>" % root,
        "wide": b"<%b>" % root + b"<a/>" * 500_000 + b"</%b>" % root,
        "attributes": b"<%b " % root + b" ".join(b'a%d="1"' % n for n in range(600_000)) + b"/>",
        "long name": b"<" + b"a" * 1_000_000 + b"/>",
        "long text": b"<%b>" % root + inner % (b"k" * 1_000_000) + b"</%b>" % root,
        "too long": b"<%b>" % root + b" " * 9_000_000 + b"</%b>" % root,
        "instruction": b"<?php system('id') ?><%b/>" % root,
        "cdata": b"<%b>" % root + inner % b"<![CDATA[../../etc/passwd]]>" + b"</%b>" % root,
        "nul": b"<%b>\0</%b>" % (root, root),
        "half": b"<%b><Object>" % root,
        "two": b"<%b/><%b/>" % (root, root),
        "empty": b"",
        "text": b"hello",
    }


@pytest.mark.parametrize("name", bombs(b"x"))
def test_no_document_defines_an_entity_reads_a_file_or_brings_the_endpoint_down(scene: Lab, name: str) -> None:
    keys = scene.ada.keys("ws")
    before = memory(scene.service)
    began = time.monotonic()
    upload = keys.request("POST", f"/{BUCKET}/ws/bomb?uploads").texts("UploadId")[0]
    for root, method, target in (
        (b"Delete", "POST", f"/{BUCKET}?delete"),
        (b"Tagging", "PUT", f"/{BUCKET}/ws/file?tagging"),
        (b"CompleteMultipartUpload", "POST", f"/{BUCKET}/ws/bomb?uploadId={upload}"),
    ):
        answer = keys.request(method, target, bombs(root)[name])
        allowed = (200, 400) if name in ("cdata", "long text", "instruction") and root == b"Delete" else (400,)
        assert answer.status in allowed, (root, answer.status, answer.body[:300])
        assert b"root:" not in answer.body
        assert b"hahaha" not in answer.body
    assert keys.request("DELETE", f"/{BUCKET}/ws/bomb?uploadId={upload}").status == 204
    assert time.monotonic() - began < 10
    assert memory(scene.service) - before < 150_000, "KiB more than before"
    assert keys.get(f"/{BUCKET}/ws/file").body == b"content"


def memory(running: Service) -> int:
    """Resident KiB of the whole service."""
    total = 0
    for pid in descendants(running):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                found = re.search(r"VmRSS:\s+(\d+)", status.read())
        except FileNotFoundError:
            continue
        total += int(found[1]) if found else 0
    return total


# --- requests that are two -----------------------------------------------------------------------------------


def both_servers(lab: Lab) -> list[tuple[int, str]]:
    return [(lab.service.port, "/api/v1/health"), (lab.service.s3_port, "/-/health")]


SMUGGLED = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    b"Content-Length: 0, 44\r\n\r\n",
    b"Content-Length: +0\r\n\r\n",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 0x0\r\n\r\n",
    b"Content-Length: 1e1\r\n\r\n0123456789",
    b"Content-Length: 99999999999999999999\r\n\r\n",
    b"Content-Length : 0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n",
    b"Transfer-Encoding: identity\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 100_000 + b"\r\nx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: " + b"a" * 100_000 + b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
    b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"Expect: something\r\nContent-Length: 0\r\n\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
]


@pytest.mark.parametrize("tail", SMUGGLED)
def test_no_request_hides_another_one(scene: Lab, tail: bytes) -> None:
    """Behind a proxy that reads the lengths otherwise, the rest would be taken for somebody else's request."""
    hidden = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for port, path in both_servers(scene):
        data = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode() + tail + hidden
        received = everything_back("127.0.0.1", port, data)
        answers = received.count(b"HTTP/1.1 ") - received.count(b"HTTP/1.1 100")
        conflicting = b"Content-Length" in tail and (
            b"Transfer-Encoding" in tail or tail.count(b"Content-Length") > 1
        )
        assert answers <= (1 if conflicting and b"chunked" not in tail else 2), (tail, received)
        assert b"HTTP/1.1 5" not in received.replace(b"HTTP/1.1 501", b""), received
        assert exchange("127.0.0.1", port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status == 200  # type: ignore[union-attr]


HEADS = [
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /?" + b"a=b&" * 30_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5_000)) + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"a" * 300_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 20_000 + b"\r\n\r\n",
    b"A" * 100_000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET\r\n\r\n",
    b"\r\n\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=" + b"0-1," * 30_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: " + b"9" * 50_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: repr(head[:40]))
def test_no_head_brings_a_server_down(scene: Lab, head: bytes) -> None:
    for port, path in both_servers(scene):
        answer = exchange("127.0.0.1", port, head, timeout=2)
        assert answer is None or answer.status < 500 or answer.status == 501, answer
        assert answer is None or b"Traceback" not in answer.body
        health = exchange("127.0.0.1", port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert health is not None
        assert health.status == 200


def test_many_idle_connections_shut_nobody_out(scene: Lab) -> None:
    for port, path in both_servers(scene):
        idle = []
        try:
            for number in range(300):
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"")
                idle.append(connection)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            for connection in idle:
                connection.close()


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
