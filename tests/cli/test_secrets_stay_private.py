"""Session tokens and credentials: kept where nobody else reads them, sent only where they belong, never shown."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.home import WIO, Home
from workspacesio.client import credential_cache, private_files, sign_in
from workspacesio.client.errors import CommandError

SERVER = "http://127.0.0.1:1"  # nothing listens there: what works, works from the cache
ANSWER = {"user": {"email": "ada@example.org", "username": "ada"}, "token": "wios_secret", "expires_at": None}


def credential(seconds: float = 3600) -> dict[str, Any]:
    return {
        "id": 1,
        "access_key_id": "AKIA1",
        "secret_access_key": "it's $ecret",
        "session_token": "to+ken/=",
        "expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
        "endpoint": "http://127.0.0.1:8101",
        "region": "us-east-1",
        "workspaces": [],
    }


def request(*workspaces: str) -> dict[str, Any]:
    return {"workspaces": list(workspaces), "node": None, "read_only": False, "duration_seconds": None}


@pytest.fixture
def signed_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home in which ada is signed in to a server that is away; the umask hides nothing."""
    for name in ("WIO_API_URL", "WIO_TOKEN", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home.folder)
    before = os.umask(0)
    try:
        sign_in.remember(SERVER, ANSWER)
        yield home
    finally:
        os.umask(before)


def cache_key() -> str:
    return sign_in.current().cache_key


def files(folder: str) -> list[str]:
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]


def test_files_are_for_their_owner_alone(signed_in: Home) -> None:
    credential_cache.put(cache_key(), request("data"), credential())
    credential_cache.put_references(cache_key(), {"read data/": {"parts": 1}})
    found = files(signed_in.folder)
    assert len(found) == 3
    for path in found:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_a_file_is_private_before_it_holds_anything(signed_in: Home) -> None:
    """It is made anew, under a name that nobody can have put there, and never gets its mode only afterwards."""
    trace = os.path.join(signed_in.folder, "trace")
    code = "from workspacesio.client import sign_in; sign_in.remember('http://127.0.0.1:2', " + repr(ANSWER) + ")"
    python = os.path.join(os.path.dirname(WIO), "python")
    audit = (
        "import sys, os\n"
        "def hook(event, arguments):\n"
        "    if event == 'os.chmod':\n"
        "        os.write(log, b'chmod 0\\n')\n"
        "    if event == 'open' and isinstance(arguments[0], str) and 'config.json' in arguments[0]:\n"
        f"        os.write(log, f'{{arguments[0]}} {{arguments[2]:o}}\\n'.encode())\n"
        f"log = os.open({trace!r}, os.O_CREAT | os.O_WRONLY)\n"
        "sys.addaudithook(hook)\n"
    )
    subprocess.run([python, "-c", audit + code], env=signed_in.environment, check=True)
    with open(trace, encoding="utf-8") as file:
        opened = [line.split() for line in file]
    written = [int(flags, 8) for path, flags in opened if path.endswith(".tmp")]
    assert written
    assert all(flags & os.O_EXCL and flags & os.O_NOFOLLOW for flags in written)
    assert not [path for path, flags in opened if not path.endswith(".tmp") and int(flags, 8) & os.O_WRONLY]
    assert "chmod" not in [path for path, _ in opened]


def test_a_readable_file_is_made_private(signed_in: Home) -> None:
    path = private_files.config_path()
    os.chmod(path, 0o644)
    assert "could be read by others" in signed_in.run("token").stderr
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_link_or_somebody_elses_file_is_not_believed(signed_in: Home) -> None:
    path = private_files.config_path()
    os.rename(path, path + ".elsewhere")
    os.symlink(path + ".elsewhere", path)
    with pytest.raises(CommandError, match="not signed in"):
        sign_in.current()
    if os.geteuid() == 0:
        os.unlink(path)
        os.rename(path + ".elsewhere", path)
        os.chown(path, 12345, 12345)
        with pytest.raises(CommandError, match="not signed in"):
            sign_in.current()


def test_a_broken_file_is_no_sign_in(signed_in: Home) -> None:
    for content in ("", "{", "[]", '{"servers": 3}', '{"servers": {"http://127.0.0.1:1": 5}, "current": 4}'):
        with open(private_files.config_path(), "w", encoding="utf-8") as file:
            file.write(content)
        done = signed_in.run("ls")
        assert done.returncode == 1
        assert "not signed in" in done.stderr


def test_a_token_goes_to_its_own_server_only(signed_in: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_in.current().token == "wios_secret"
    monkeypatch.setenv("WIO_API_URL", "https://elsewhere.example")
    with pytest.raises(CommandError, match="not signed in to https://elsewhere"):
        sign_in.current()
    monkeypatch.setenv("WIO_TOKEN", "wiok_other")
    caller = sign_in.current()
    assert (caller.server, caller.token) == ("https://elsewhere.example", "wiok_other")
    assert "wiok" not in caller.cache_key
    monkeypatch.delenv("WIO_API_URL")
    assert sign_in.current().server == SERVER


def test_a_cached_credential_needs_no_server(signed_in: Home) -> None:
    credential_cache.put(cache_key(), request("data"), credential())
    done = signed_in.run("token", "data")
    assert (done.returncode, done.stderr) == (0, "")
    shell = subprocess.run(
        [
            "sh",
            "-c",
            done.stdout + 'printf "%s|" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == "AKIA1|it's $ecret|to+ken/=|"
    assert json.loads(signed_in.run("token", "data", "--json").stdout)["expires_at"]
    process = json.loads(signed_in.run("token", "data", "--format", "process").stdout)
    assert process["Version"] == 1
    assert set(process) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    executed = signed_in.run("exec", "data", "--", "sh", "-c", "echo $AWS_ENDPOINT_URL_S3 $AWS_PROFILE; exit 7")
    assert (executed.returncode, executed.stdout) == (7, "http://127.0.0.1:8101\n")
    # SIGPIPE and SIGXFSZ (bits 13 and 25), which Python ignores, are not ignored by what it becomes.
    ignored = signed_in.run("exec", "data", "--", "grep", "SigIgn", "/proc/self/status").stdout.split()[1]
    assert int(ignored, 16) & (1 << 12 | 1 << 24) == 0


@pytest.mark.parametrize(
    "arguments", [["token"], ["token", "other"], ["token", "data", "--read-only"], ["token", "data", "--fresh"]]
)
def test_another_request_is_another_credential(signed_in: Home, arguments: list[str]) -> None:
    credential_cache.put(cache_key(), request("data"), credential())
    assert "nothing listens" in signed_in.run(*arguments).stderr


def test_a_list_of_everything_is_never_an_old_one(signed_in: Home) -> None:
    credential_cache.put(cache_key(), request(), credential())
    assert signed_in.run("token").returncode == 0
    assert "nothing listens" in signed_in.run("token", "--json").stderr


def test_a_credential_is_used_until_shortly_before_it_ends(
    signed_in: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, now = cache_key(), time.time()
    credential_cache.put(key, request("data"), credential(3600))
    for later, kept in ((0, True), (3000, True), (3300, False), (3600, False), (-100, False)):
        monkeypatch.setattr(time, "time", lambda later=later: now + 1 + later)
        assert (credential_cache.get(key, request("data")) is not None) == kept, later
    monkeypatch.setattr(time, "time", lambda: now + 2000)
    assert credential_cache.get(key, request("data"), left=0.5) is None
    assert credential_cache.get(key, request("data"), left=0.3) is not None


def test_short_lives_leave_time_to_use_them(signed_in: Home) -> None:
    credential_cache.put(cache_key(), request("data"), credential(30))
    assert credential_cache.get(cache_key(), request("data")) is not None


def test_nothing_is_left_after_logging_out(signed_in: Home) -> None:
    credential_cache.put(cache_key(), request("data"), credential())
    done = signed_in.run("logout")
    assert done.returncode == 1
    assert "signed out here, but the session at the server goes on" in done.stderr
    assert signed_in.run("token", "data").returncode == 1
    for path in files(signed_in.folder):
        with open(path, encoding="utf-8") as file:
            content = file.read()
        assert "wios_secret" not in content
        assert "AKIA1" not in content


def test_signing_in_again_forgets_the_credentials_of_before(signed_in: Home) -> None:
    key = cache_key()
    credential_cache.put(key, request("data"), credential())
    sign_in.remember(SERVER, ANSWER)
    assert cache_key() != key
    assert credential_cache.get(key, request("data")) is None


def test_a_home_that_cannot_be_written(home: Home) -> None:
    with open(os.path.join(home.folder, ".config"), "w", encoding="utf-8"):
        pass
    code = (
        "import sys; from workspacesio.cli import main; from workspacesio.client import sign_in\n"
        f"main.run = lambda _: sign_in.remember({SERVER!r}, {ANSWER!r})\n"
        "sys.exit(main.main([]))"
    )
    python = os.path.join(os.path.dirname(WIO), "python")
    done = subprocess.run([python, "-c", code], env=home.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "can't be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_is_not_an_argument(home: Home) -> None:
    for command in (["login", "a@x.org"], ["register", "a@x.org", "ada"], ["passwd"]):
        assert home.run(*command, "--password", "x").returncode == 2
