"""A running service with three people in it: ada runs it, bob and carol are colleagues."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from accidents.api import Api
from servers.installed import installed
from servers.service import PASSWORD, Person, Service

BUCKET = "data"


class Lab:
    """`folder` is what is served, as bucket `data`."""

    def __init__(self, running: Service, folder: str) -> None:
        self.service = running
        self.folder = folder
        self.nobody = Api("127.0.0.1", running.port)
        token = re.search(r"--setup-token (\S+)", running.log())
        assert token is not None
        self.setup_token = token[1]
        self.ada = self.register("ada", setup_token=self.setup_token)
        self.bob = self.register("bob")
        self.carol = self.register("carol")

    def shell(self, username: str, caller: Api) -> Person:
        """The person at a terminal, signed in as the caller, with the MinIO client at hand."""
        person = self.service.person(username)
        person.environment |= {"WIO_TOKEN": str(caller.token), "WIO_MC": installed("mc")}
        return person

    def register(self, username: str, **more: str) -> Api:
        wanted = {"email": f"{username}@example.org", "username": username, "password": PASSWORD, **more}
        answer = self.nobody.call("POST", "/register", wanted)
        assert answer.status == 201, answer
        return Api("127.0.0.1", self.service.port, answer.json["token"])

    def sign_in(self, username: str, password: str = PASSWORD) -> Api:
        wanted = {"email": f"{username}@example.org", "password": password}
        answer = self.nobody.call("POST", "/sign-in", wanted)
        assert answer.status == 200, answer
        return Api("127.0.0.1", self.service.port, answer.json["token"])

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of every route of the API, with 1 for whatever a path names."""
        described = self.nobody.done("GET", "/openapi.json")["paths"]
        return [
            (method.upper(), re.sub(r"\{[^}]*\}", "1", path.removeprefix("/api/v1")))
            for path, methods in described.items()
            for method in methods
        ]

    def processes(self) -> dict[int, int]:
        """The service's processes by their id, with their resident memory in KiB."""
        assert self.service.process is not None
        found = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getpgid(int(entry)) == self.service.process.pid:
                    with open(f"/proc/{entry}/status", encoding="utf-8") as status:
                        memory = re.search(r"VmRSS:\s+(\d+)", status.read())
                    found[int(entry)] = int(memory[1]) if memory else 0
            except (ProcessLookupError, FileNotFoundError):
                continue
        return found

    def path(self, *parts: str) -> str:
        return os.path.join(self.folder, *parts)

    def write(self, path: str, data: bytes = b"x") -> str:
        """A file on disk, by whoever has a shell."""
        whole = self.path(path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(data)
        return whole

    def imported(self, folder: str, *, owner: str = "ada") -> int:
        """The number of the workspace that the folder becomes."""
        report = self.ada.import_folder(folder, owner=owner)
        assert not report["refused"], report
        name = report["workspaces"][0]["name"]
        found: int = self.ada.workspace(f"{owner}/{name}")["id"]
        return found


@contextmanager
def running_lab(base: str, *, options: Sequence[str] = (), **environment: str) -> Iterator[Lab]:
    """Starts the service as users do, with an access log, so that a test can see that nothing leaks into it."""
    folder = os.path.join(base, BUCKET)
    os.makedirs(folder, exist_ok=True)
    running = Service(folder, base=os.path.join(base, "service"), options=options)
    os.makedirs(running.base)
    running.environment = {"WIO_ACCESS_LOG": "1", "WEB_CONCURRENCY": "2", **environment}
    running.start()
    try:
        yield Lab(running, folder)
    finally:
        running.stop()
