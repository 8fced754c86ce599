"""Accident: secrets in answers, logs, arguments, error texts, and in files that others may read."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import time

import pytest

from accidents.lab import BUCKET, Lab, running_lab
from accidents.wire import Keys, send
from servers.service import PASSWORD


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
        answers = [lab.ada.call(method, path) for method, path in lab.routes() if method == "GET"]
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
        for pid in lab.processes():
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


def test_the_database_holds_hashes_and_no_s3_secret(lab: Lab) -> None:
    lab.ada.issue()
    with sqlite3.connect(os.path.join(lab.service.state_dir, "workspacesio.sqlite3")) as connection:
        columns = {
            row[1] for table in tables(connection) for row in connection.execute(f"PRAGMA table_info('{table}')")
        }
        hashes = [row[0] for row in connection.execute("SELECT password_hash FROM users")]
    connection.close()
    assert not columns & {"password", "secret", "secret_access_key", "session_token", "token"}
    assert all(one.startswith("$argon2id$") for one in hashes)


def tables(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
