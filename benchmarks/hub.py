"""WorkspacesIO and a MinIO server that it manages, with people who hold keys there: what rights and keys cost."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from servers.minio import minio
from servers.minio_subjects import MinioSubjects
from servers.s3_server import S3Server
from servers.service import Person, Service

NODE, BUCKET = "there", "research"


@dataclass(frozen=True)
class Hub:
    """`subjects`: users that are made on the server beside the service."""

    service: Service
    server: S3Server
    subjects: MinioSubjects
    administrator: Person

    def person(self, username: str) -> Person:
        """Somebody with a workspace of their own and keys of the node."""
        person = self.service.colleague(username)
        person.wio("workspace", "create", f"{username}-data", "--root", "lab")
        person.token("--node", NODE)
        return person


@contextmanager
def start_hub() -> Iterator[Hub]:
    """Both on this machine, with fresh data and state; MinIO as in the other figures."""
    with tempfile.TemporaryDirectory(prefix="workspacesio-bench-") as base:
        for name in ("files", "minio"):
            os.makedirs(os.path.join(base, name))
        with minio(os.path.join(base, "minio"), env={"MINIO_SCANNER_SPEED": "slowest"}) as server:
            subjects = MinioSubjects(server, os.path.join(base, "mc"))
            subjects.root.send("PUT", f"/{BUCKET}")
            service = Service(os.path.join(base, "files"), base=base)
            service.environment["WIO_NODE_ADDRESSES"] = "127.0.0.1"
            service.start()
            try:
                administrator = service.administrator("ada")
                administrator.wio(
                    *("node", "add", "minio", NODE, "--endpoint", server.endpoint),
                    *("--access-key", server.access_key, "--secret-stdin"),
                    stdin=server.secret_key + "\n",
                )
                root = ("--prefix", "lab/", "--type", "private", "--name", "lab")
                administrator.wio("root", "create", NODE, BUCKET, *root)
                administrator.wio("workspace", "create", "data", "--root", "lab")
                administrator.token("--node", NODE)
                yield Hub(service, server, subjects, administrator)
            finally:
                service.stop()
                subjects.root.close()


def api_key(person: Person) -> str:
    """A token for scripts that act as the person."""
    token: str = person.json("api-key", "create", "bench")["token"]
    return token


class Api:
    """A client of the API that keeps its connection."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The answer, which must be a good one."""
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        self._http.request(
            method,
            f"/api/v1{path}" + (f"?{text}" if text else ""),
            None if body is None else json.dumps(body),
            self._headers,
        )
        answer = self._http.getresponse()
        data = answer.read()
        assert answer.status < 300, (method, path, answer.status, data)
        return json.loads(data) if data else None

    def close(self) -> None:
        self._http.close()
