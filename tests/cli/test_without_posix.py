"""The client on a system that isn't POSIX, as far as this one can be made to look like it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from servers.exfat import exfat
from servers.service import PASSWORD, Person, Service, service

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "without_posix.py")
PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(SCRIPT))), "src", "workspacesio")
MIB = 1 << 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("portable") / "lab")
    for name in ("plates/a.csv", "odd/Read.me", "odd/read.me", "odd/a:b", "odd/nul.txt", "odd/fine", "odd/raw./x"):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(name)
    with open(os.path.join(folder, "plates/large"), "wb") as file:
        file.write(os.urandom(MIB) * 20)
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        started.administrator().wio("root", "import", "existing", "plates", "odd")
        yield started


@pytest.fixture
def visitor(served: Service, tmp_path: os.PathLike[str]) -> Person:
    """Ada in an empty home, on another machine so to say."""
    return Person(served, "ada", str(tmp_path))


def elsewhere(
    person: Person, *arguments: str, stdin: str = "", status: int = 0
) -> subprocess.CompletedProcess[str]:
    done = person.shell(sys.executable, SCRIPT, *arguments, stdin=stdin)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_every_module_of_the_client_can_be_imported(visitor: Person) -> None:
    """All but those of the server, and that for terminals of POSIX."""
    names = [
        f"workspacesio.{part}.{name.removesuffix('.py')}"
        for part in ("client", "cli")
        for name in sorted(os.listdir(os.path.join(PACKAGE, part)))
        if name.endswith(".py") and name not in ("__init__.py", "mc_run.py")
    ]
    assert len(names) > 60
    imports = "; ".join(f"import {name}" for name in names)
    script = f"import without_posix; without_posix.forget(); {imports}"
    done = visitor.shell(sys.executable, "-c", script, env={"PYTHONPATH": os.path.dirname(SCRIPT)})
    assert done.returncode == 0, done.stderr


def test_signing_in_and_copying(visitor: Person) -> None:
    home = visitor.home
    assert "share data where it lies" in elsewhere(visitor, "--help").stdout
    elsewhere(visitor, "login", "ada@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    assert "plates/" in elsewhere(visitor, "ls").stdout
    assert "a.csv" in elsewhere(visitor, "ls", "plates").stdout
    elsewhere(visitor, "cp", "-r", "plates/", "./copied")
    large = os.path.join(home, "copied", "large")
    assert os.path.getsize(large) == 20 * MIB
    # In parts that several threads read.
    os.rename(large, os.path.join(home, "copied", "second"))
    elsewhere(visitor, "sync", "./copied", "plates/more")
    elsewhere(visitor, "cp", "plates/more/second", "./again")
    with (
        open(os.path.join(home, "copied", "second"), "rb") as one,
        open(os.path.join(home, "again"), "rb") as other,
    ):
        assert one.read() == other.read()
    assert "2 equal" in elsewhere(visitor, "sync", "./copied", "plates/more").stderr
    elsewhere(visitor, "rm", "-r", "plates/more")
    elsewhere(visitor, "logout")


def test_a_command_with_keys(visitor: Person) -> None:
    elsewhere(visitor, "login", "ada@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    listed = elsewhere(visitor, "exec", "plates", "--", "aws", "s3", "ls", "s3://lab/plates/a.csv")
    assert listed.stdout.endswith("a.csv\n")
    assert elsewhere(visitor, "exec", "plates", "--", "sh", "-c", "exit 9", status=9).stdout == ""


def test_mc_by_pipes(visitor: Person, mc_path: str) -> None:
    visitor.environment["WIO_MC"] = mc_path
    elsewhere(visitor, "login", "ada@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    assert "a.csv" in elsewhere(visitor, "mc", "ls", "plates/").stdout
    assert elsewhere(visitor, "mc", "cat", "plates/a.csv").stdout == "plates/a.csv"
    refused = elsewhere(visitor, "mc", "cat", "plates/none", status=1)
    assert "plates/none" in refused.stderr
    assert "lab/" not in refused.stderr


def test_names_that_windows_cannot_hold_are_told(visitor: Person) -> None:
    elsewhere(visitor, "login", "ada@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    told = elsewhere(visitor, "--windows-names", "cp", "-r", "--dry-run", "odd/", "./out").stdout
    assert told.count("left out: ") == 4
    for reason in ("there is :", "NUL is a device", "ends with a dot", "'Read.me' has the same name"):
        assert reason in told
    for command in ("cp -r odd/ ./out", "sync odd ./out", "sync --delete odd ./out"):
        done = elsewhere(visitor, "--windows-names", *command.split())
        assert done.stderr.count("wio: odd/") == 4
        assert "4 left out" in done.stderr
        assert sorted(os.listdir(os.path.join(visitor.home, "out"))) == ["Read.me", "fine"]
    assert "nothing is deleted" not in done.stderr
    # Here all of them can be held.
    elsewhere(visitor, "sync", "odd", "./all")
    assert len(os.listdir(os.path.join(visitor.home, "all"))) == 6


def test_names_that_are_one_on_a_disk_that_folds_case(visitor: Person, tmp_path: os.PathLike[str]) -> None:
    visitor.wio("login", "ada@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    with exfat(str(tmp_path)) as disk:
        done = visitor.run("sync", "odd", os.path.join(disk, "odd"))
        assert "odd/read.me: 'Read.me' has the same name" in done.stderr
        assert "odd/a:b" in done.stderr  # which it doesn't take, whoever asks
        with open(os.path.join(disk, "odd", "Read.me"), encoding="utf-8") as file:
            assert file.read() == "odd/Read.me"
        os.rename(os.path.join(disk, "odd", "fine"), os.path.join(disk, "odd", "FINE"))
        done = visitor.run("sync", "--delete", "odd", os.path.join(disk, "odd"))
        assert "differs from it in case only" in done.stderr
        assert "nothing is deleted" in done.stderr
