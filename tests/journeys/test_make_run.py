"""The first hour: a stranger with a folder of data types `make run` in a fresh copy, and does what it says.

Every command is typed as it is printed or as README.md has it, in the shell of somebody with a home of their own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass

import pytest

from accidents.wire import Keys, from_every_worker, send
from cli.terminal import at_terminal
from journeys.conftest import TREE
from journeys.doors import Doors
from servers.process import Process, free_port
from servers.service import PASSWORD

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# What a person keeps in a file of their own: nothing in it names this service.
SCRIPT = """
import boto3
for entry in boto3.client("s3").list_objects_v2(Bucket="data", Prefix="plates/")["Contents"]:
    print(entry["Key"])
"""


@dataclass(frozen=True)
class Shell:
    """Somebody's shell: where they are, and their environment."""

    folder: str
    env: dict[str, str]

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def types(self, line: str) -> str:
        """A line that works; returns what it printed."""
        done = self.run(line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def is_refused(self, line: str) -> str:
        """A line that fails and says why; returns what it said."""
        done = self.run(line)
        assert done.returncode != 0, f"{line} was not refused: {done.stdout}"
        assert "Traceback" not in done.stderr
        return done.stderr

    def types_with_password(self, line: str) -> str:
        """A line that asks for a new password on the terminal."""
        secret = PASSWORD.encode() + b"\n"
        asked = [(b"New password: ", secret), (b"New password again: ", secret)]
        status, shown = at_terminal(["bash", "-c", line], folder=self.folder, env=self.env, typed=asked)
        assert status == 0, f"{line}: {shown.decode()}"
        assert PASSWORD.encode() not in shown
        return shown.decode()


def _fresh_copy(target: str) -> None:
    """What a clone holds: the files that git knows or would take."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    present = b"\0".join(
        name for name in names.split(b"\0") if name and os.path.exists(os.path.join(ROOT.encode(), name))
    )
    packed = subprocess.run(
        ["tar", "--null", "-cf", "-", "-T", "-"], cwd=ROOT, input=present, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-xf", "-"], cwd=target, input=packed, check=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_make_run_to_a_share_that_is_taken_back(
    tree: str, tmp_path_factory: pytest.TempPathFactory, mc_path: str
) -> None:
    clone = str(tmp_path_factory.mktemp("clone"))
    _fresh_copy(clone)
    port, s3_port = free_port(), free_port()
    # Homes and shells of their own: nothing of this test run's environment is there.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WIO_", "WEB_", "AWS_", "RCLONE_", "MC_", "VIRTUAL_ENV", "PYTHON", "XDG_"))
    }
    home, bobs_home = (str(tmp_path_factory.mktemp(name)) for name in ("ada", "bob"))
    log_path = os.path.join(home, "make-run.log")
    ada = Shell(clone, {**kept, "HOME": home, "WIO_SERVE_OPTIONS": f"--port {port} --s3-port {s3_port}"})
    with Process(["make", "run", f"DIR={tree}"], cwd=clone, env=ada.env, log_path=log_path) as running:
        running.wait_until(lambda: "--setup-token" in _text(log_path), timeout=400)
        said = _text(log_path)
        assert f"WorkspacesIO serves {tree}" in said
        api = _printed(said, r"API +(\S+)")

        register, dry_run, take, share = (
            _printed(said, rf"^ +(\S.*{words}.*)$")
            for words in ("wio register", "--dry-run", "wio root import existing FOLDER", "wio share")
        )
        ada.types_with_password(register.replace("YOU@EXAMPLE.ORG", "ada@example.org").replace("YOURNAME", "ada"))
        assert "plates" in ada.types(dry_run)
        ada.types(take.replace("FOLDER", "plates"))
        link = ada.types(".venv/bin/wio presign plates/raw/a/b").strip()
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"2"

        path = os.pathsep.join([os.path.join(clone, ".venv", "bin"), os.path.dirname(mc_path), kept["PATH"]])
        bob = Shell(bobs_home, {**kept, "HOME": bobs_home, "PATH": path, "WIO_MC": mc_path})
        bob.types_with_password(f"wio register {api} bob@example.org bob")
        assert "plates" not in bob.types("wio ls")
        bob.is_refused("wio ls ada/plates")
        found = "wio search 'plate ext:csv' --count"
        ada.types(f"for i in $(seq 300); do [ $(.venv/bin/{found}) = 2 ] && exit; sleep 0.1; done; exit 1")
        assert bob.types(found) == "0\n"
        said = ada.types(share.replace("FOLDER", "plates").replace("COLLEAGUE", "bob"))
        assert said.startswith("bob may read ada/plates/. Enforced.\n")

        _write(bobs_home, "my_boto3_script.py", SCRIPT)
        reading = [
            "wio cat ada/plates/raw/a/b",
            "wio mc cat ada/plates/raw/a/b",
            'wio exec ada/plates -- aws s3 cp "$(wio path ada/plates/raw/a/b)" -',
            'curl --fail --silent --show-error "$(wio presign ada/plates/raw/a/b)"',
        ]
        script = f'eval "$(wio token --format env)" && {sys.executable} my_boto3_script.py'
        names = {path for path in TREE if path.startswith("plates/")}
        assert bob.types(found) == "2\n"
        assert json.loads(bob.types("wio du ada/plates --json"))["objects"] == len(names)
        assert "ada/plates" in bob.types("wio ls")
        assert "raw/" in bob.types("wio ls ada/plates")
        assert set(bob.types(script).splitlines()) == names
        assert [bob.types(line) for line in reading] == ["2"] * 4
        bob.is_refused("echo no | wio mc pipe ada/plates/new")
        bob.is_refused('echo no | wio exec ada/plates -- aws s3 cp - "$(wio path ada/plates/new)"')
        credential = json.loads(bob.types("wio token ada/plates --json"))
        links = [link, bob.types("wio presign ada/plates/raw/a/b").strip()]
        doors = Doors(credential)
        doors.let_in_readers()

        assert ada.types(".venv/bin/wio unshare plates bob").endswith("Enforced.\n")

        doors.are_shut()
        keys = Keys.of(credential)
        target = links[1].removeprefix(f"http://{keys.host}:{keys.port}")
        asked = from_every_worker(lambda: send(keys.host, keys.port, "GET", target, {}))
        assert {answer.status for answer in asked} == {403}
        for line in [*reading, "wio ls ada/plates"]:
            bob.is_refused(line)
        assert "plates" not in bob.types("wio ls")
        assert bob.types(found) == "0\n"
        bob.is_refused("wio du ada/plates")
        with urllib.request.urlopen(links[0]) as answer:  # ada's own
            assert answer.read() == b"2"
        assert {path for path in TREE if not os.path.exists(os.path.join(tree, path))} == set()
        assert sorted(os.listdir(os.path.join(tree, "plates"))) == sorted({path.split("/")[1] for path in names})


def _printed(said: str, pattern: str) -> str:
    """What a line of it says, to be typed."""
    found = re.search(pattern, said, flags=re.MULTILINE)
    assert found is not None, said
    return found[1].strip()


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
