"""A copy of the project as a clone holds it, and somebody who types in it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from cli.terminal import at_terminal
from servers.service import PASSWORD

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def own_environment() -> dict[str, str]:
    """What a shell of somebody's own has: nothing of this test run."""
    ours = ("WIO_", "WEB_", "AWS_", "RCLONE_", "MC_", "VIRTUAL_ENV", "PYTHON", "XDG_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


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


def fresh_copy(target: str) -> None:
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
