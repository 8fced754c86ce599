"""A regular user adds a second MinIO server, imports what is in a bucket, and shares a folder of it with a group.

Everything is real: the service, two MinIO servers, mc, boto3, and people who type `wio`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from journeys.conftest import make_tree
from servers.clients import CLIENTS, Refused
from servers.minio import minio
from servers.s3_server import S3Server
from servers.service import Person, Service

OBJECTS = {
    "plates/2026/plate-1.csv": b"well,value\nA1,0.1\n",
    "plates/2026/raw/a b+c.txt": b"signs\n",
    "plates/2025/old.csv": b"not shared\n",
    "other/x": b"x",
}


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, S3Server]]:
    """The administrator's, with an empty bucket `homes`, and bob's, with the bucket `old` of existing objects."""
    with (
        minio(str(tmp_path_factory.mktemp("first"))) as first,
        minio(str(tmp_path_factory.mktemp("second"))) as second,
    ):
        first.boto3_client().create_bucket(Bucket="homes")
        s3 = second.boto3_client()
        s3.create_bucket(Bucket="old")
        for key, content in OBJECTS.items():
            s3.put_object(Bucket="old", Key=key, Body=content)
        yield first, second


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory, servers: tuple[S3Server, S3Server]) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    os.makedirs(folder)
    make_tree(folder)
    started = Service(folder, base=str(tmp_path_factory.mktemp("service")))
    listed = [server.endpoint.removeprefix("http://") for server in servers]
    started.environment["WIO_NODE_ADDRESSES"] = ",".join(listed)
    started.start()
    try:
        yield started
    finally:
        started.stop()


def add(person: Person, name: str, server: S3Server) -> tuple[int, str, str]:
    done = person.run(
        *("node", "add", "minio", name, "--endpoint", server.endpoint),
        *("--access-key", server.access_key, "--secret-stdin"),
        stdin=server.secret_key + "\n",
    )
    return done.returncode, done.stdout, done.stderr


def test_a_regular_user_brings_a_server(
    running: Service, servers: tuple[S3Server, S3Server], mc_path: str
) -> None:
    first, second = servers
    ada, bob, carol = running.administrator(), running.colleague("bob"), running.colleague("carol")
    for person in (ada, bob, carol):
        person.environment["WIO_MC"] = mc_path
    assert add(ada, "labs", first)[0] == 0
    ada.wio("root", "create", "labs", "homes", "--type", "private", "--name", "homes")

    # Nobody else may, until the administrator says so.
    assert ada.wio("node", "adders") == "nobody\n"
    status, _, said = add(bob, "bobs", second)
    assert (status, said.count("\n")) == (1, 1)
    assert "wio node adders" in said
    assert ada.wio("node", "adders", "bob") == "bob\n"
    assert "Only an administrator may do that" in carol.refused("node", "adders", "everyone")
    assert add(carol, "hers", second)[0] == 1
    assert bob.run("node", "add", "folder", "f", running.folder).returncode == 1
    # Not to where only this machine reaches: the service's own ports aren't listed.
    for endpoint in (running.api_url, running.s3_url, "http://127.0.0.1:1"):
        refused = bob.run(
            *("node", "add", "minio", "inside", "--endpoint", endpoint, "--access-key", "k", "--secret-stdin"),
            stdin="secret-of-k\n",
        )
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "WIO_NODE_ADDRESSES" in refused.stderr
    status, said, _ = add(bob, "bobs", second)
    assert status == 0
    assert f"The node bobs is the MinIO server at {second.endpoint}." in said

    # Each operator sees their own.
    assert {one["name"] for one in bob.json("node", "ls")} == {"bobs"}
    assert {one["name"] for one in ada.json("node", "ls")} == {"local", "labs"}
    assert carol.json("node", "ls") == []
    for person, name in ((ada, "bobs"), (bob, "labs"), (carol, "bobs")):
        for command in (f"show {name}", f"set {name} --public-endpoint http://127.0.0.1:1", f"rm {name} -y"):
            assert "no such node" in person.refused("node", *command.split())
    for person in (ada, bob, carol):
        for command in ("node ls", "root ls", "audit", "ls"):
            shown = person.wio(*command.split(), "--json")
            assert first.secret_key not in shown
            assert second.secret_key not in shown

    # What is there becomes a workspace, and a folder of it is shared with a group.
    bob.wio("root", "create", "bobs", "old", "--type", "unmanaged-private", "--name", "bobs-old")
    (plates,) = bob.json("root", "import", "bobs-old", "plates")["workspaces"]
    assert (plates["objects"], plates["bytes"]) == (
        3,
        sum(len(OBJECTS[key]) for key in OBJECTS if "plates" in key),
    )
    assert "you manage it" in bob.wio("group", "create", "lab")
    assert bob.wio("group", "add", "lab", "carol") == "carol is a member of lab. Enforced.\n"
    assert "@lab may read bob/plates/2026/. Enforced." in bob.wio("share", "plates/2026", "@lab")

    # Both nodes in one listing of the colleague, who reads with any client.
    carol.wio("create", "notes", "--root", "homes")
    carol.wio("create", "here")
    assert {(one["reference"], one["node"]) for one in carol.json("ls")} == {
        ("carol/notes", "labs"),
        ("carol/here", "local"),
        ("bob/plates", "bobs"),
    }
    assert carol.wio("ls").count("\n") == 4
    credential = carol.token("--node", "bobs")
    assert credential["endpoint"] == second.endpoint
    shared = {key for key in OBJECTS if key.startswith("plates/2026/")}
    hands = {name: CLIENTS[name](credential) for name in ("boto3", "mc")}
    for client in hands.values():
        assert client.list("old", "plates/2026/") == shared
        for key, content in OBJECTS.items():
            if key in shared:
                assert client.read("old", key) == content
            else:
                with pytest.raises(Refused):
                    client.read("old", key)
        with pytest.raises(Refused):
            client.write("old", "plates/2026/new", b"no")
    assert carol.wio("mc", "cat", "bob/plates/2026/plate-1.csv") == OBJECTS["plates/2026/plate-1.csv"].decode()
    carol.wio("mc", "cp", "bob/plates/2026/plate-1.csv", "notes/")
    assert carol.wio("mc", "cat", "notes/plate-1.csv") == OBJECTS["plates/2026/plate-1.csv"].decode()
    # The administrator of the service sees neither the workspace nor what is in it.
    assert "bob/plates" not in {one["reference"] for one in ada.json("ls")}
    assert ada.run("mc", "ls", "bob/plates/").returncode == 1

    # Out of the group, the next request with old keys is refused; the group goes with its share.
    assert bob.wio("group", "remove", "lab", "carol") == "carol is no member of lab any more. Enforced.\n"
    for client in hands.values():
        with pytest.raises(Refused):
            client.read("old", "plates/2026/plate-1.csv")
    assert bob.wio("group", "add", "lab", "carol", "--manager") == "carol is a manager of lab. Enforced.\n"
    assert hands["boto3"].read("old", "plates/2026/plate-1.csv") == OBJECTS["plates/2026/plate-1.csv"]
    assert [one["username"] for one in carol.json("group", "show", "lab")["members"]] == ["bob", "carol"]
    assert "carol" in bob.wio("group", "show", "lab")
    assert [one["name"] for one in carol.json("group", "ls")] == ["lab"]
    assert carol.wio("group", "delete", "lab", "-y") == "The group lab is gone, and 1 share with it. Enforced.\n"
    for client in hands.values():
        with pytest.raises(Refused):
            client.read("old", "plates/2026/plate-1.csv")
    assert "no such group" in bob.refused("group", "show", "lab")

    bob.wio("node", "rm", "bobs", "--force", "-y")
    assert {key["Key"] for key in second.boto3_client().list_objects_v2(Bucket="old")["Contents"]} == set(OBJECTS)
    assert second.secret_key not in running.log()
    assert json.dumps(ada.json("audit")).count(second.secret_key) == 0
