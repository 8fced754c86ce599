"""How long it takes until something that was changed is found by searching: samples, taken while others are on
their way, as from a place where somebody always works."""

from __future__ import annotations

import http.client
import json
import math
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from servers.minio import minio
from servers.s3_server import S3Server
from servers.service import Person, Service
from servers.signed_connection import Keys, SignedConnection

POLL_SECONDS = 0.01
GIVEN_UP_SECONDS = 30.0

Write = Callable[[str], None]
"""Puts an object of this name where it is to be found, and returns once that is acknowledged."""


class Search:
    """Asks one question again and again over a kept connection, and notes when it sees a name first."""

    def __init__(self, api_url: str, token: str) -> None:
        parts = urlsplit(api_url)
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, query: str, limit: int = 100) -> Any:
        self._http.request(
            "GET", f"/api/v1/search?q={quote(query)}&sort=modified&limit={limit}", headers=self._headers
        )
        answer = self._http.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        return json.loads(body)

    def paths(self, query: str, limit: int = 100) -> set[str]:
        return {found["path"] for found in self.ask(query, limit)["results"]}

    def close(self) -> None:
        self._http.close()


def seconds_until_found(search: Search, write: Write, samples: int, *, every: float) -> list[float]:
    """From the acknowledgement of each write until it is found; writes begin every so many seconds."""
    mark = "fresh" + secrets.token_hex(3)
    written: dict[str, float] = {}
    failed: list[BaseException] = []

    def write_all() -> None:
        begun = time.monotonic()
        try:
            for number in range(samples):
                time.sleep(max(0.0, begun + number * every - time.monotonic()))
                name = f"{mark}-{number}.dat"
                write(name)
                written[name] = time.monotonic()
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=write_all, daemon=True)
    writer.start()
    found: dict[str, float] = {}
    last = time.monotonic()
    while len(found) < samples and not failed:
        seen = {os.path.basename(path) for path in search.paths(f"name:{mark}-*")}
        now = time.monotonic()
        for name in seen - found.keys():
            found[name] = last = now
        if not writer.is_alive():
            assert now - max(last, *written.values()) < GIVEN_UP_SECONDS, sorted(written.keys() - found.keys())[:5]
        time.sleep(POLL_SECONDS)
    writer.join()
    if failed:
        raise failed[0]
    return sorted(max(0.0, found[name] - at) for name, at in written.items())


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]


@dataclass
class Places:
    """A service over a folder, with a workspace in it, and one on a MinIO server that tells what happens."""

    service: Service
    server: S3Server
    ada: Person
    search: Search
    folder: str
    opened: ExitStack

    def put(self) -> Write:
        """Through our endpoint, with keys of the workspace."""
        keys = self.ada.token("lab")
        connection = SignedConnection(
            self.service.s3_url, Keys(keys["access_key_id"], keys["secret_access_key"], keys["session_token"])
        )

        self.opened.callback(connection.close)

        def write(name: str) -> None:
            answer = connection.send("PUT", f"/{keys['workspaces'][0]['bucket']}/lab/put/{name}", body=b"x" * 1024)
            assert answer.status == 200, answer

        return write

    def minio_put(self) -> Write:
        """Straight to the MinIO server."""
        connection = SignedConnection(
            self.server.endpoint, Keys(self.server.access_key, self.server.secret_key), region=self.server.region
        )

        self.opened.callback(connection.close)

        def write(name: str) -> None:
            answer = connection.send("PUT", f"/lab/private/ada/there/{name}", body=b"x" * 1024)
            assert answer.status == 200, answer

        return write

    def copy(self) -> Write:
        """A plain `cp` into the folder, beside the service."""
        source = os.path.join(self.service.base, "source")
        with open(source, "wb") as file:
            file.write(b"x" * 1024)

        def write(name: str) -> None:
            subprocess.run(["cp", source, os.path.join(self.folder, "lab", name)], check=True)

        return write


@contextmanager
def places(files: int = 0, database_url: str | None = None) -> Iterator[Places]:
    """All of it with fresh data and state. `files` lie in the folder before it is imported."""
    base = tempfile.mkdtemp(prefix="workspacesio-finding-")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        folder = os.path.join(base, "data")
        _fill(os.path.join(folder, "lab"), files)
        server = stack.enter_context(minio(os.path.join(base, "minio")))
        service = Service(folder, base=os.path.join(base, "service"), database_url=database_url)
        os.mkdir(service.base)
        service.start()
        stack.callback(service.stop)
        ada = service.administrator()
        ada.wio("root", "import", "existing", "lab")
        server.boto3_client().create_bucket(Bucket="lab")
        add = ["node", "add", "minio", "minio", "--endpoint", server.endpoint, "--access-key", server.access_key]
        ada.wio(*add, "--secret-stdin", stdin=server.secret_key + "\n")
        ada.wio("root", "create", "minio", "lab", "--prefix", "private", "--type", "private", "--name", "p")
        ada.wio("create", "there", "--root", "p")
        ada.wio("node", "events", "minio", "--apply", "--restart")
        token = ada.json("api-key", "create", "finding")["token"]
        search = Search(service.api_url, token)
        stack.callback(search.close)
        made = Places(service, server, ada, search, folder, stack)
        _wait_until_watched(made)
        yield made


def _fill(folder: str, files: int) -> None:
    os.makedirs(folder)
    for number in range(files):
        if number % 100 == 0:
            os.mkdir(os.path.join(folder, str(number // 100)))
        with open(os.path.join(folder, str(number // 100), f"{number}.txt"), "wb"):
            pass


def _wait_until_watched(places: Places) -> None:
    """Crawled once, and heard of since."""
    deadline = time.monotonic() + 120
    while True:
        roots = {root["root"]: root for root in places.ada.json("index", "status")["roots"]}
        existing = roots["existing"]
        if existing["kept_by"] == "watching" and existing["last_crawl"] is not None and not existing["open_crawl"]:
            break
        assert time.monotonic() < deadline, existing
        time.sleep(0.1)
