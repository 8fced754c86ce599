"""A server that keeps no policies of ours becomes a node: by a plain user's key on MinIO, by a role as AWS has it.

Keys hold the rights of the moment, and commands say when something that is taken back takes effect. Everything is
real: the service, MinIO, its own STS (which stands in for AWS's), mc, boto3.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from servers.clients import CLIENTS, Refused
from servers.minio import minio
from servers.minio_subjects import MinioSubjects
from servers.s3_server import S3Server
from servers.service import Person, Service, service

ROLE = "arn:aws:iam::123456789012:role/science/workspacesio"
OBJECTS = {
    "scans/2026/plate-1.csv": b"well,value\nA1,0.1\n",
    "scans/2026/raw/r\u00e9sum\u00e9 + 100%.txt": b"accents and signs\n",
    "scans/2025/old.csv": b"not shared\n",
    "scans-2/secret.csv": b"another folder with the same beginning\n",
}
SECRET = "backendbackend"
AT_EXPIRY = re.compile(r"On [a-z]+ it takes effect at (\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) at the latest")


@dataclass(frozen=True)
class Places:
    """A node, its bucket of old data with the workspace `scans` in it, and the bucket in which others are made."""

    name: str
    lab: str
    homes: str
    scans: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A MinIO with a user `backend`, whose only policy is the server's own `readwrite`."""
    folder = str(tmp_path_factory.mktemp("minio"))
    with minio(folder) as started:
        MinioSubjects(started, folder).add_user("backend", ["readwrite"])
        yield started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    os.makedirs(folder)
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def people(running: Service, mc_path: str) -> tuple[Person, Person]:
    """ada, who runs the service, and bob."""
    both = running.administrator(), running.colleague("bob")
    for person in both:
        person.environment["WIO_MC"] = mc_path
    return both


@pytest.fixture(scope="module", params=["plain", "role"])
def node(request: pytest.FixtureRequest, people: tuple[Person, Person], server: S3Server) -> Iterator[Places]:
    """A node that ada added, with the imported `scans` and the root in which people make workspaces."""
    ada, _ = people
    name = request.param
    s3 = server.boto3_client()
    for bucket in (f"{name}-lab", f"{name}-homes"):
        s3.create_bucket(Bucket=bucket)
    for key, content in OBJECTS.items():
        s3.put_object(Bucket=f"{name}-lab", Key=key, Body=content)
    said = ada.wio("node", "add", *ADDED[name](server), "--secret-stdin", stdin=SECRET + "\n")
    assert "takes effect when the last ones have run out" in said
    ada.wio("root", "create", name, f"{name}-lab", "--type", "unmanaged-private", "--name", f"{name}-lab")
    ada.wio(
        "root",
        "create",
        name,
        f"{name}-homes",
        "--prefix",
        "users",
        "--type",
        "private",
        "--name",
        f"{name}-homes",
    )
    ada.wio("root", "import", f"{name}-lab", "scans")
    ada.wio("workspace", "rename", "scans", f"{name}-scans")
    yield Places(name, f"{name}-lab", f"{name}-homes", f"{name}-scans")
    before = s3.list_objects_v2(Bucket=f"{name}-lab")["KeyCount"]
    said = ada.wio("node", "rm", name, "--force", "--yes")
    assert "Keys that were issued before work on the server until" in said
    assert s3.list_objects_v2(Bucket=f"{name}-lab")["KeyCount"] == before


def plain(server: S3Server) -> list[str]:
    return ["minio", "plain", "--endpoint", server.endpoint, "--access-key", "backend", "--plain"]


def role(server: S3Server) -> list[str]:
    addresses = ["--sts-endpoint", server.endpoint, "--s3-endpoint", server.endpoint, "--region", "us-east-1"]
    return ["aws", "role", *addresses, "--role-arn", ROLE, "--external-id", "lab-7", "--access-key", "backend"]


ADDED = {"plain": plain, "role": role}


def latest(said: str) -> float:
    """The time that a command named, in POSIX seconds."""
    found = AT_EXPIRY.search(said)
    assert found is not None, said
    return datetime.fromisoformat(found[1]).astimezone().timestamp()


def test_shared_used_and_taken_back_at_expiry(people: tuple[Person, Person], node: Places) -> None:
    ada, bob = people
    said = ada.wio("share", f"{node.scans}/2026", "bob")
    assert "Enforced." in said
    assert "Taking this back takes effect up to 60 minutes later" in said
    credential = bob.token(f"ada/{node.scans}", "--duration", "15s")
    link = bob.wio("presign", f"ada/{node.scans}/2026/plate-1.csv", "--expires", "15s").strip()
    with urlopen(link) as answer:
        assert answer.read() == OBJECTS["scans/2026/plate-1.csv"]
    shared = {key for key in OBJECTS if key.startswith("scans/2026/")}
    for kind in ("boto3", "mc"):
        client = CLIENTS[kind](credential)
        assert client.read(node.lab, "scans/2026/plate-1.csv") == OBJECTS["scans/2026/plate-1.csv"]
        assert client.list(node.lab, "scans/2026/") == shared
        for outside in ("scans/2025/", "scans-2/"):
            with pytest.raises(Refused):
                client.list(node.lab, outside)
        for key in ("scans/2025/old.csv", "scans-2/secret.csv"):
            with pytest.raises(Refused):
                client.read(node.lab, key)
        with pytest.raises(Refused):
            client.write(node.lab, "scans/2026/new", b"no")
    # These keys are the last: nothing ends them, and the command says until when they work.
    said = ada.wio("unshare", f"{node.scans}/2026", "bob")
    at = latest(said)
    assert time.time() < at < time.time() + 60
    client = CLIENTS["boto3"](credential)
    assert client.read(node.lab, "scans/2026/plate-1.csv") == OBJECTS["scans/2026/plate-1.csv"]
    assert "There is no workspace" in bob.refused("mc", "ls", f"ada/{node.scans}/2026/")
    while works(lambda: client.read(node.lab, "scans/2026/plate-1.csv")) or works(lambda: urlopen(link).close()):
        assert time.time() < at
        time.sleep(0.5)


def test_one_command_line_for_all_nodes(people: tuple[Person, Person], node: Places) -> None:
    ada, bob = people
    ada.wio("share", f"{node.scans}/2026", "bob")
    listed = bob.wio("mc", "ls", "-r", "--json", f"ada/{node.scans}/2026/").splitlines()
    assert {json.loads(line)["key"] for line in listed} == {"plate-1.csv", "raw/r\u00e9sum\u00e9 + 100%.txt"}
    bob.wio("create", f"mine-{node.name}", "--root", node.homes)
    # Keys are fetched anew, so that what was made or shared a moment ago is in them.
    bob.wio("mc", "cp", f"ada/{node.scans}/2026/plate-1.csv", f"mine-{node.name}/")
    assert bob.wio("mc", "cat", f"mine-{node.name}/plate-1.csv").encode() == OBJECTS["scans/2026/plate-1.csv"]
    command = [
        "exec",
        "--node",
        node.name,
        "--",
        "aws",
        "s3",
        "ls",
        f"s3://{node.homes}/users/bob/mine-{node.name}/",
    ]
    assert "plate-1.csv" in bob.run(*command).stdout
    # The key that lives longest decides: those of `wio mc` have a quarter of an hour.
    (there,) = ada.json("unshare", f"{node.scans}/2026", "bob")["enforced"]
    assert (there["node"], there["state"]) == (node.name, "at_expiry")
    assert 13 * 60 < datetime.fromisoformat(there["at"]).timestamp() - time.time() < 17 * 60
    said = bob.wio("workspace", "delete", f"mine-{node.name}", "--delete-objects")
    assert 13 * 60 < latest(said) - time.time() < 17 * 60


def test_every_change_says_when(people: tuple[Person, Person], running: Service, node: Places) -> None:
    ada, _ = people
    carl = running.colleague(f"carl-{node.name}")
    # While nobody holds keys there is nothing to wait for; the owner's own are none of the share's.
    ada.token(node.scans, "--duration", "20s")
    ada.wio("share", node.scans, carl.username, "--permission", "readwrite")
    assert "Enforced." in ada.wio("share", node.scans, carl.username)
    carl.wio("create", f"other-{node.name}", "--root", node.homes)
    credential = carl.token("--node", node.name, "--duration", "20s")
    (listed,) = carl.json("credential", "ls")
    changes = (
        carl.wio("credential", "revoke", str(listed["id"])),
        ada.wio("unshare", node.scans, carl.username),
        ada.wio("workspace", "hand-over", f"{carl.username}/other-{node.name}", "ada"),
        ada.wio("user", "disable", carl.username),
    )
    for said in changes:
        assert 5 < latest(said) - time.time() < 70
    assert "has ended" not in changes[0]
    assert CLIENTS["boto3"](credential).list(node.homes, f"users/{carl.username}/other-{node.name}/") == set()
    ada.wio("workspace", "delete", f"other-{node.name}")


def test_what_does_not_fit_is_refused_and_never_cut(people: tuple[Person, Person], node: Places) -> None:
    ada, bob = people
    names = [f"{node.name}-{'long' * 25}-{number}" for number in range(8)]
    for name in names:
        bob.wio("create", name, "--root", node.homes)
    refused = bob.refused("token", "--node", node.name)
    assert re.search(r"need \d+ characters of policy, and its server takes 2048", refused)
    assert "name the workspaces" in refused
    # `wio mc` narrows by itself to what it is told.
    bob.wio("mc", "pipe", f"{names[0]}/x", stdin="x")
    narrowed = CLIENTS["boto3"](bob.token(names[0], "--read-only"))
    assert narrowed.read(node.homes, f"users/bob/{names[0]}/x") == b"x"
    for name in names[:2]:
        with pytest.raises(Refused):
            narrowed.write(node.homes, f"users/bob/{name}/y", b"no")
    assert "between 15 s and 1 h" in bob.refused("token", names[0], "--duration", "2h")
    assert "?" in ada.refused("share", f"{node.scans}/what?", "bob")


def test_shown_and_changed(people: tuple[Person, Person], node: Places, server: S3Server) -> None:
    ada, _ = people
    shown = ada.json("node", "show", node.name)
    assert (shown["state"], shown["problems"]) == ("up", [])
    assert shown["abilities"]["immediate_revocation"] is False
    assert SECRET not in json.dumps(shown)
    assert ada.run("node", "set", node.name, "--secret-stdin", stdin="not-the-secret\n").returncode == 1
    ada.wio("node", "set", node.name, "--secret-stdin", stdin=SECRET + "\n")
    ada.wio("node", "set", node.name, "--public-endpoint", server.endpoint.replace("127.0.0.1", "localhost"))
    assert ada.token(node.scans)["endpoint"].startswith("http://localhost:")
    assert ada.wio("mc", "cat", f"{node.scans}/2025/old.csv") == "not shared\n"


def test_without_the_flag_the_answer_names_it(people: tuple[Person, Person], server: S3Server) -> None:
    ada, _ = people
    add = ["node", "add", *plain(server)[:-1], "--secret-stdin"]
    refused = ada.run(*add, stdin=SECRET + "\n")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "--plain" in refused.stderr


def works(request: Callable[[], object]) -> bool:
    try:
        request()
    except (Refused, HTTPError):
        return False
    return True
