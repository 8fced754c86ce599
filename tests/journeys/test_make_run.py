"""A stranger with a folder of data types `make run` in a fresh copy, and does what it says.

Every command is typed as it is printed, as README.md has it, or as the first hour of an administrator has it, in
the shell of somebody with a home of their own.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.request

import pytest

from accidents.wire import Keys, from_every_worker, send
from documents.readers import Hour, Reader
from journeys.certificates import make_certificate
from journeys.conftest import TREE
from journeys.doors import Doors
from journeys.fresh_copy import Shell, fresh_copy, own_environment
from servers.process import Process, free_port

# What a person keeps in a file of their own: nothing in it names this service.
SCRIPT = """
import boto3
for entry in boto3.client("s3").list_objects_v2(Bucket="data", Prefix="plates/")["Contents"]:
    print(entry["Key"])
"""


# What the page says that lies in /srv/data.
SERVED = {
    "plates/2026-01/plate-1.csv": b"well,value\nA1,0.1\n",
    "plates/2026-01/plate-2.csv": b"well,value\nA1,0.2\n",
    "plates/README.txt": b"made by a plate reader\n",
    "microscopy/embryo-01.tif": bytes(2_000_000),
    "microscopy/embryo-02.tif": bytes(1_250_000),
    "thesis/chapter-1.txt": b"a draft\n",
}

THREE_DAYS = 3 * 86400 + 60


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh copy, in which nothing has been made yet when the first of these tests begins."""
    folder = str(tmp_path_factory.mktemp("clone"))
    fresh_copy(folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_make_run_to_a_share_that_is_taken_back(
    clone: str, tree: str, tmp_path_factory: pytest.TempPathFactory, mc_path: str
) -> None:
    port, s3_port = free_port(), free_port()
    kept = own_environment()
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_hour_of_an_administrator(clone: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """docs/first-hour-nas.md, command by command."""
    port, s3_port = free_port(), free_port()
    certificate = make_certificate(str(tmp_path_factory.mktemp("tls")), "DNS:localhost")
    served = str(tmp_path_factory.mktemp("srv") / "data")
    changed = time.time() - THREE_DAYS
    for path, data in SERVED.items():
        os.makedirs(os.path.dirname(os.path.join(served, path)), exist_ok=True)
        with open(os.path.join(served, path), "wb") as file:
            file.write(data)
        os.utime(os.path.join(served, path), (changed, changed))
    trusting = dict.fromkeys(("SSL_CERT_FILE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE"), certificate.authority)
    bobs_path = os.pathsep.join([os.path.join(clone, ".venv", "bin"), os.path.dirname(sys.executable), os.defpath])
    people = {
        name: Reader(home, {**own_environment(), **own, "HOME": home})
        for name, own, home in (
            (name, own, str(tmp_path_factory.mktemp(name)))
            for name, own in (
                ("ada", trusting),
                ("nas", {"WIO_SERVE_OPTIONS": f"--port {port} --s3-port {s3_port}"}),
                ("bob", {**trusting, "PATH": bobs_path}),
            )
        )
    }
    places = {
        "/opt/workspacesio": clone,
        "/srv/data": served,
        "/etc/ssl/nas.pem": certificate.certificate,
        "/etc/ssl/nas.key": certificate.key,
        "https://nas.example.org:8100": f"https://localhost:{port}",
        "https://nas.example.org:8101": f"https://localhost:{s3_port}",
        "http://localhost:8100": f"http://localhost:{port}",
        "http://localhost:8101": f"http://localhost:{s3_port}",
        "--host 0.0.0.0": f"--host 127.0.0.1 --port {port} --s3-port {s3_port}",
    }
    hour = Hour(people, places)
    with hour.left_running:
        hour.read("first-hour-nas.md")


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
