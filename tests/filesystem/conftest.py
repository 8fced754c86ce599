"""A service with a folder and a MinIO server; somebody to whom one folder of a workspace is shared, no more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from servers.s3_server import S3Server
from servers.service import Person, Service
from workspacesio.client.filesystem import FileSystem

BUCKET = "shelf"


@dataclass
class Shelf:
    """A workspace of Ada's on one node, whose folder `open/` is shared with Ben, to write, and nothing else."""

    owner: Person
    guest: Person
    name: str

    @property
    def folder(self) -> str:
        """As Ben writes the shared folder."""
        return f"ada/{self.name}/open"

    def share(self, level: str = "readwrite") -> None:
        self.owner.wio("share", f"{self.name}/open", "ben", "--permission", level)

    def unshare(self) -> None:
        self.owner.wio("unshare", f"{self.name}/open", "ben")


@pytest.fixture(scope="session")
def shelves(tmp_path_factory: pytest.TempPathFactory, minio_server: S3Server) -> Iterator[dict[str, Shelf]]:
    """One on each kind of node."""
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    os.makedirs(folder)
    service = Service(folder, base=str(tmp_path_factory.mktemp("service")))
    service.environment["WIO_DURABILITY"] = "process"  # it is not the power that fails here
    service.start()
    try:
        minio_server.boto3_client().create_bucket(Bucket=BUCKET)
        ada, ben = service.administrator(), service.colleague("ben")
        ada.wio(
            *("node", "add", "minio", "minio", "--endpoint", minio_server.endpoint),
            *("--access-key", minio_server.access_key, "--secret-stdin"),
            stdin=minio_server.secret_key + "\n",
        )
        ada.wio("root", "create", "minio", BUCKET, "--type", "private", "--name", "onminio")
        ada.wio("create", "files")
        ada.wio("create", "objects", "--root", "onminio")
        made = {"folder": Shelf(ada, ben, "files"), "minio": Shelf(ada, ben, "objects")}
        for shelf in made.values():
            ada.wio("pipe", f"{shelf.name}/closed/secret.txt", stdin="not yours")
            ada.wio("pipe", f"{shelf.name}/open/note.txt", stdin="yours")
            shelf.share()
        yield made
    finally:
        service.stop()


@pytest.fixture(params=["folder", "minio"])
def shelf(request: pytest.FixtureRequest, shelves: dict[str, Shelf]) -> Shelf:
    return shelves[request.param]


@pytest.fixture
def signed_in_as_ben(shelves: dict[str, Shelf], monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, with what `wio login` left in his home."""
    sign_in_as(shelves["folder"].guest, monkeypatch)


def sign_in_as(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", person.home)
    monkeypatch.setenv("WIO_API_URL", person.service.api_url)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "WIO_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fs(signed_in_as_ben: None) -> Iterator[FileSystem]:
    """Ben's, fresh for each test."""
    made = FileSystem(skip_instance_cache=True)
    yield made
    made.close()
