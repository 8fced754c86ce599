"""The client where nothing of the server is installed: its wheel, what it depends on, and Python's own library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from servers.service import PASSWORD, Service

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPENDS_ON = ("argcomplete", "fsspec", "obstore", "platformdirs")
THEY_DEPEND_ON = ("typing_extensions.py",)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of packages: the wheel's, and what it depends on without extras."""
    built, installed = (str(tmp_path_factory.mktemp(name)) for name in ("built", "installed"))
    copy = str(tmp_path_factory.mktemp("source") / "copy")
    shutil.copytree(
        ROOT,
        copy,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "tests", "benchmarks", "__pycache__", ".*_cache", "node_modules"
        ),
    )
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", built]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (wheel,) = (os.path.join(built, name) for name in os.listdir(built))
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
        (about,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        required = [
            line.partition(": ")[2]
            for line in packed.read(about).decode().splitlines()
            if line.startswith("Requires-Dist: ") and "extra ==" not in line
        ]
    assert [one.partition(">")[0] for one in required] == list(DEPENDS_ON)
    for name in DEPENDS_ON:
        shutil.copytree(os.path.join(sysconfig.get_path("purelib"), name), os.path.join(installed, name))
    for name in THEY_DEPEND_ON:
        shutil.copy(os.path.join(sysconfig.get_path("purelib"), name), installed)
    return installed


def test_the_client_alone_signs_in_and_works(running: Service, alone: str, tmp_path: os.PathLike[str]) -> None:
    running.administrator().wio("root", "import", "existing", "docs")
    home = str(tmp_path)
    environment = {"HOME": home, "PATH": os.defpath, "PYTHONPATH": alone, "PYTHONWARNINGS": "error"}

    def wio(*arguments: str, stdin: str = "") -> str:
        # -S: nothing that is installed is seen.
        command = [sys.executable, "-S", "-m", "workspacesio.cli.main", *arguments]
        done = subprocess.run(
            command,
            env=environment,
            cwd=home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "share data where it lies" in wio("--help")
    wio("login", running.api_url, "ada@example.org", "--password-stdin", stdin=PASSWORD + "\n")
    assert "docs/" in wio("ls")
    assert "report.txt" in wio("ls", "docs")
    wio("cp", "-r", "docs/", "./copied")
    with open(os.path.join(home, "copied", "report.txt"), encoding="utf-8") as file:
        assert file.read() == "docs/report.txt\n"
    os.rename(os.path.join(home, "copied", "report.txt"), os.path.join(home, "copied", "second.txt"))
    wio("sync", "./copied", "docs")
    assert wio("cat", "docs/second.txt") == "docs/report.txt\n"
    wio("rm", "docs/second.txt")
    assert "AWS_SESSION_TOKEN" in wio("token", "docs")
    assert "credential_process" in wio("config", "aws", "docs")
