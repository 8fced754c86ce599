"""WorkspacesIO itself, started as its users start it: `wio serve`, and people who type `wio`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from servers.process import Process, ServerFailed, free_port

PASSWORD = "a password for tests"


@dataclass
class Person:
    """Somebody with a shell and a home of their own. `wio` runs the command line as they would."""

    service: Service
    username: str
    home: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return f"{self.username}@example.org"

    def env(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("LANG", "TMPDIR") if key in os.environ}
        return {
            **kept,
            "HOME": self.home,
            "PATH": self.service.path,
            "WIO_API_URL": self.service.api_url,
            **self.environment,
        }

    def run(
        self, *arguments: str, stdin: str | bytes = b"", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """`wio ARGUMENTS`, whatever its exit status."""
        return self.shell("wio", *arguments, stdin=stdin, timeout=timeout)

    def shell(
        self, *command: str, stdin: str | bytes = b"", timeout: float = 120, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Any command in the person's environment."""
        completed = subprocess.run(
            command,
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            env={**self.env(), **(env or {})},
            capture_output=True,
            timeout=timeout,
            cwd=self.home,
            check=False,
        )
        return subprocess.CompletedProcess(
            command,
            completed.returncode,
            completed.stdout.decode(errors="surrogateescape"),
            completed.stderr.decode(errors="surrogateescape"),
        )

    def wio(self, *arguments: str, stdin: str | bytes = b"") -> str:
        """`wio ARGUMENTS`, which must succeed; returns what it printed."""
        completed = self.run(*arguments, stdin=stdin)
        assert completed.returncode == 0, f"wio {arguments}: {completed.stdout}{completed.stderr}"
        return completed.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.wio(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        """`wio ARGUMENTS`, which must fail with status 1 and one sentence; returns the sentence."""
        completed = self.run(*arguments)
        assert completed.returncode == 1, f"wio {arguments} was not refused: {completed.stdout}"
        assert "Traceback" not in completed.stderr
        return completed.stderr.strip()

    def token(self, *arguments: str) -> dict[str, Any]:
        """A fresh credential, as `wio token --json` prints it."""
        answer: dict[str, Any] = self.json("token", *arguments)
        return answer


class Service:
    """A running `wio serve`. `log` is what it printed; the state folder stays when it is stopped and started."""

    def __init__(
        self, folder: str, *, base: str, database_url: str | None = None, options: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.base = base
        self.database_url = database_url
        self.options = list(options)
        self.port, self.s3_port = free_port(), free_port()
        self.state_dir = os.path.join(base, "state")
        self.log_path = os.path.join(base, "serve.log")
        self.environment: dict[str, str] = {}
        self.before_command: list[str] = []
        """A command that starts the command behind it, with fewer rights for example."""
        self.process: Process | None = None
        self.path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
        self._people: dict[str, Person] = {}

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def s3_url(self) -> str:
        return f"http://127.0.0.1:{self.s3_port}"

    def start(self) -> None:
        environment = {"WIO_STATE_DIR": self.state_dir, "PATH": self.path, **self.environment}
        if self.database_url is not None:
            environment["WIO_DATABASE_URL"] = self.database_url
        command = [os.path.join(os.path.dirname(sys.executable), "wio"), "serve", self.folder]
        command += ["--port", str(self.port), "--s3-port", str(self.s3_port), *self.options]
        self.process = Process([*self.before_command, *command], log_path=self.log_path, env=environment)
        try:
            self.process.wait_until(lambda: self.api_url in self.log() or self._announced(), timeout=60)
        except ServerFailed:
            self.process.stop()
            raise

    def _announced(self) -> bool:
        return "WorkspacesIO" in self.log() and "S3 " in self.log()

    def log(self) -> str:
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()
            self.process = None

    def kill(self) -> None:
        """SIGKILL to everything that `wio serve` started."""
        assert self.process is not None
        self.process.kill()
        self.process = None

    def restart(self) -> None:
        self.stop()
        os.unlink(self.log_path)
        self.start()

    def person(self, username: str) -> Person:
        """A person with a home, not registered yet; the same one each time."""
        if username not in self._people:
            home = os.path.join(self.base, "homes", username)
            os.makedirs(home, exist_ok=True)
            self._people[username] = Person(self, username, home)
        return self._people[username]

    def administrator(self, username: str = "ada") -> Person:
        """The first administrator, registered with the setup token that `wio serve` printed."""
        token = re.search(r"--setup-token (\S+)", self.log())
        assert token is not None, self.log()
        person = self.person(username)
        person.wio(
            "register",
            person.email,
            username,
            "--setup-token",
            token[1],
            "--password-stdin",
            stdin=PASSWORD + "\n",
        )
        return person

    def colleague(self, username: str) -> Person:
        """Somebody who registered openly and is signed in."""
        person = self.person(username)
        person.wio("register", person.email, username, "--password-stdin", stdin=PASSWORD + "\n")
        return person


@contextmanager
def service(
    folder: str, *, base: str, database_url: str | None = None, options: Sequence[str] = ()
) -> Iterator[Service]:
    """Starts WorkspacesIO on a folder, and stops it. `base` holds its state, its log and people's homes."""
    os.makedirs(base, exist_ok=True)
    running = Service(folder, base=base, database_url=database_url, options=options)
    running.start()
    try:
        yield running
    finally:
        running.stop()
