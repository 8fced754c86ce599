"""A node under test, workspaces on it, and what a credential reaches in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config

from conformance.kinds import Ground, Kind, Place
from servers.service import Person
from servers.signed_connection import Answer, Keys, SignedConnection

SEEDED = {
    "raw/scans/a.csv": b"a\n",
    "raw/scans/deep/b.csv": b"b\n",
    "raw/scans-2/secret.csv": b"another folder with the same beginning\n",
    "raw/let-go/kept.csv": b"kept\n",
    "open/atlas/page.txt": b"page\n",
    "elsewhere/x": b"in no root\n",
}

READING = frozenset({"list", "read"})
WRITING = READING | {"write", "delete"}

_numbers = itertools.count(1)

Credential = dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """Where a workspace lies; as text it is what anybody writes."""

    owner: str
    name: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Node:
    """`abilities`: what the node says of itself. `people` by username."""

    kind: Kind
    name: str
    place: Place
    people: dict[str, Person]
    abilities: dict[str, bool]

    @property
    def ada(self) -> Person:
        return self.people["ada"]

    @property
    def ben(self) -> Person:
        return self.people["ben"]

    def create(self, owner: str, root: str = "private") -> Workspace:
        """A new workspace with `a.txt` and `in/b.txt`."""
        name = f"{self.name}-{next(_numbers)}"
        shown = self.people[owner].json("create", name, "--root", f"{self.name}-{root}")
        made = Workspace(owner, name, shown["bucket"], shown["prefix"])
        for path in ("a.txt", "in/b.txt"):
            self.place.put(made.prefix + path, path.encode())
        return made

    def imported(self, folder: str, root: str = "raw") -> Workspace:
        """A folder of an unmanaged root as a workspace of ada's, under a new name."""
        name = f"{self.name}-{next(_numbers)}"
        self.ada.wio("root", "import", f"{self.name}-{root}", folder, "--name", name)
        return Workspace("ada", name, self.place.bucket, f"{root}/{folder}/")

    def newcomer(self) -> Person:
        """Somebody whom no other test knows."""
        person = self.ada.service.colleague(f"user{next(_numbers)}")
        person.environment["WIO_MC"] = self.ada.environment["WIO_MC"]
        self.people[person.username] = person
        return person

    def credential(self, username: str, *narrowing: str) -> Credential:
        """New keys, for all that the user reaches on the node or narrowed."""
        return self.people[username].token(*(narrowing or ("--node", self.name)), "--fresh")

    def reached(self, credential: Credential, workspace: Workspace, folder: str = "") -> frozenset[str]:
        """Of `list`, `read`, `write` and `delete` in a workspace or folder, what is done; the rest is refused."""
        prefix = workspace.prefix + folder
        probe = f"{prefix}probe-{next(_numbers)}"
        self.place.put(probe, b"probe")
        with connected(credential) as connection:
            path = f"/{workspace.bucket}/{probe}"
            answers = {
                "list": connection.send("GET", f"/{workspace.bucket}", [("list-type", "2"), ("prefix", prefix)]),
                "read": connection.send("GET", path),
                "write": connection.send("PUT", path, body=b"written"),
                "delete": connection.send("DELETE", path),
            }
        return frozenset(name for name, answer in answers.items() if done(answer))


def added(ground: Ground, kind: Kind, name: str) -> Node:
    """A new node with a root of each type; what lies in the unmanaged ones is imported where a test says so."""
    place = kind.add(ground, name)
    for key, data in SEEDED.items():
        place.put(key, data)
    ada = ground.administrator
    for prefix, root_type in (
        ("private", "private"),
        ("public", "public"),
        ("raw", "unmanaged-private"),
        ("open", "unmanaged-public"),
    ):
        ada.wio(
            *("root", "create", name, place.bucket, "--prefix", prefix),
            *("--type", root_type, "--name", f"{name}-{prefix}"),
        )
    people = {username: ada.service.person(username) for username in ("ada", "ben", "eve")}
    return Node(kind, name, place, people, ada.json("node", "show", name)["abilities"])


def done(answer: Answer) -> bool:
    """Whether a request was carried out; fails where the answer is neither that nor a refusal."""
    if answer.status in (200, 204):
        return True
    assert (answer.status, answer.code or "AccessDenied") in (
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
    ), answer
    return False


@contextmanager
def connected(credential: Credential) -> Iterator[SignedConnection]:
    keys = Keys(credential["access_key_id"], credential["secret_access_key"], credential["session_token"])
    connection = SignedConnection(credential["endpoint"], keys, region=credential["region"])
    try:
        yield connection
    finally:
        connection.close()


def send(credential: Credential, method: str, path: str, *query: tuple[str, str], body: bytes = b"") -> Answer:
    with connected(credential) as connection:
        return connection.send(method, path, query, body=body)


def presigned(credential: Credential, operation: str, bucket: str, key: str, *, seconds: int = 604_800) -> str:
    """A link that the holder of the keys signs without asking anybody, for as long as S3 allows."""
    s3 = boto3.client(
        "s3",
        endpoint_url=credential["endpoint"],
        region_name=credential["region"],
        aws_access_key_id=credential["access_key_id"],
        aws_secret_access_key=credential["secret_access_key"],
        aws_session_token=credential["session_token"],
        config=botocore.config.Config(signature_version="s3v4"),
    )
    return str(s3.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds))
