"""A stranger with a folder of data types `make run` in a fresh copy, and what it prints next works."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request

import pytest

from servers.process import Process, free_port
from servers.service import PASSWORD

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
def test_make_run_serves_a_tree_and_says_what_to_type(tree: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    clone = str(tmp_path_factory.mktemp("clone"))
    home = str(tmp_path_factory.mktemp("home"))
    _fresh_copy(clone)
    port, s3_port = free_port(), free_port()
    # A home and a shell of one's own: nothing of this test run's environment is there.
    env = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WIO_", "VIRTUAL_ENV", "PYTHON"))
        },
        "HOME": home,
        "PATH": os.environ.get("PATH", os.defpath),
        "WIO_SERVE_OPTIONS": f"--port {port} --s3-port {s3_port}",
    }
    log_path = os.path.join(home, "make-run.log")
    with Process(["make", "run", f"DIR={tree}"], cwd=clone, env=env, log_path=log_path) as running:
        running.wait_until(lambda: "--setup-token" in _text(log_path), timeout=400)
        said = _text(log_path)
        assert f"WorkspacesIO serves {tree}" in said

        def typed(line: str, stdin: str = "") -> str:
            done = subprocess.run(
                line,
                shell=True,
                cwd=clone,
                env=env,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
            return done.stdout

        register = re.search(r"^ +(\S.*wio register .*--setup-token \S+)", said, flags=re.MULTILINE)
        assert register is not None, said
        line = register[1].replace("YOU@EXAMPLE.ORG", "ada@example.org").replace("YOURNAME", "ada")
        typed(line + " --password-stdin", stdin=PASSWORD + "\n")
        wio = os.path.join(".venv", "bin", "wio")
        assert "plates" in typed(f"{wio} root import existing --all --dry-run")
        typed(f"{wio} root import existing plates")
        link = typed(f"{wio} presign plates/raw/a/b").strip()
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"2"


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
