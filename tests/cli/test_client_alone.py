"""The client where nothing of the server is installed: by pip, from its wheel, into an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from servers.installed import cache_dir
from servers.service import PASSWORD, Service

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INSTALLED = {"argcomplete", "fsspec", "obstore", "platformdirs", "typing-extensions", "workspacesio"}
MOST_BYTES = 40 << 20
"""What docs/files.md says of it, and no more."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The environment's folder of programs."""
    built, folder = (str(tmp_path_factory.mktemp(name)) for name in ("built", "alone"))
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
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    # In the versions of the lock file, which isn't hashed here: pip takes no wheel without a hash beside others.
    constraints = os.path.join(built, "constraints.txt")
    with open(os.path.join(ROOT, "requirements", "dev.txt"), encoding="utf-8") as locked:
        pins = re.findall(r"^[A-Za-z0-9._-]+==[^ ;\\\n]+", locked.read(), re.MULTILINE)
    with open(constraints, "w", encoding="utf-8") as file:
        file.write("\n".join(pins))
    pip = [sys.executable, "-m", "pip", "--python", os.path.join(folder, "bin", "python"), "--quiet"]
    options = [
        "--cache-dir",
        os.path.join(cache_dir(), "pip"),
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
    ]
    subprocess.run([*pip, "install", *options, "--constraint", constraints, wheel], check=True)
    return os.path.join(folder, "bin")


def test_few_and_light_dependencies(alone: str) -> None:
    (packages,) = (
        os.path.join(alone, "..", "lib", name, "site-packages")
        for name in os.listdir(os.path.join(alone, "..", "lib"))
    )
    names = {
        name.partition("-")[0].replace("_", "-") for name in os.listdir(packages) if name.endswith(".dist-info")
    }
    assert names == INSTALLED
    size = sum(os.path.getsize(os.path.join(at, name)) for at, _, files in os.walk(packages) for name in files)
    assert 1 << 20 < size < MOST_BYTES


def test_the_client_alone_signs_in_and_works(running: Service, alone: str, tmp_path: os.PathLike[str]) -> None:
    running.administrator().wio("root", "import", "existing", "docs")
    home = str(tmp_path)
    environment = {"HOME": home, "PATH": os.pathsep.join([alone, os.defpath]), "PYTHONWARNINGS": "error"}

    def wio(*arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [os.path.join(alone, "wio"), *arguments],
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
    assert f"credential_process = {alone}/wio token" in wio("config", "aws", "docs")
    assert (
        wio("exec", "docs", "--", "sh", "-c", "echo ${AWS_CONTAINER_CREDENTIALS_FULL_URI%:*}")
        == "http://127.0.0.1\n"
    )
    script = "import workspacesio; print(workspacesio.Client().workspace('docs').ls()[0].path)"
    python = [os.path.join(alone, "python"), "-c", script]
    assert subprocess.check_output(python, env=environment, text=True) == "report.txt\n"
    serve = subprocess.run(
        [os.path.join(alone, "wio"), "serve", home], check=False, env=environment, capture_output=True, text=True
    )
    assert (serve.returncode, "pip install 'FOLDER[server]'" in serve.stderr) == (1, True)
