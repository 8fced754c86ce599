"""A MinIO server becomes a node: what is there is imported and shared, reached directly, and un-shared at once.

Everything is real: the service, MinIO, mc, boto3. The key that the node is added with has the policy that
docs/minio.md names, and nothing more.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from journeys.conftest import make_tree
from servers.clients import CLIENTS, Refused
from servers.minio import minio
from servers.s3_server import S3Server
from servers.service import PASSWORD, Person, Service, service

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "minio.md")
ADMINISTRATION_KEY, ADMINISTRATION_SECRET = "workspacesio", "the-administration-secret"

OBJECTS = {
    "scans/2026/plate-1.csv": b"well,value\nA1,0.1\n",
    "scans/2026/plate-2.csv": b"well,value\nA1,0.2\n",
    "scans/2026/raw/r\u00e9sum\u00e9 + 100%.txt": b"accents and signs\n",
    "scans/2025/old.csv": b"not shared\n",
    "scans-2/secret.csv": b"another folder with the same beginning\n",
    "other/x": b"x",
}


class Server:
    """A MinIO that can be stopped and started again, with a user that has the documented policy."""

    def __init__(self, folder: str, mc_path: str) -> None:
        self._folder = folder
        self._mc = mc_path
        self._stack = ExitStack()
        self.s3: S3Server = self._stack.enter_context(minio(folder))

    def stop(self) -> None:
        self._stack.close()

    def start(self) -> None:
        self.s3 = self._stack.enter_context(minio(self._folder, before=self.s3))

    def prepare(self, person: Person) -> None:
        """The bucket with what is in it, and the user whose key the node is added with."""
        s3 = self.s3.boto3_client()
        for bucket in ("lab", "homes"):
            s3.create_bucket(Bucket=bucket)
        for key, content in OBJECTS.items():
            s3.put_object(Bucket="lab", Key=key, Body=content)
        with open(DOCUMENT, encoding="utf-8") as file:
            policy = re.search(r"```json\n(.*?)```", file.read(), re.DOTALL)
        assert policy is not None
        path = os.path.join(person.home, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(policy[1])
        self.administer(person, "policy", "create", "server", "workspacesio", path)
        self.administer(person, "user", "add", "server", ADMINISTRATION_KEY, ADMINISTRATION_SECRET)
        self.administer(person, "policy", "attach", "server", "workspacesio", "--user", ADMINISTRATION_KEY)

    def administer(self, person: Person, *arguments: str) -> str:
        """`mc admin …` with the root user's key."""
        host = self.s3.endpoint.removeprefix("http://")
        keys = f"{self.s3.access_key}:{self.s3.secret_key}"
        environment = {"MC_HOST_server": f"http://{keys}@{host}", "MC_CONFIG_DIR": os.path.join(person.home, "mc")}
        done = person.shell(self._mc, "admin", *arguments, env=environment)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, mc_path: str) -> Iterator[Server]:
    started = Server(str(tmp_path_factory.mktemp("minio")), mc_path)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    os.makedirs(folder)
    make_tree(folder)
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture
def people(running: Service, server: Server, mc_path: str) -> tuple[Person, Person]:
    """ada, who added the node `minio` and imported `scans`; and bob."""
    ada = running.administrator()
    bob = running.colleague("bob")
    for person in (ada, bob):
        person.environment["WIO_MC"] = mc_path
    server.prepare(ada)
    said = ada.wio(
        *("node", "add", "minio", "minio", "--endpoint", server.s3.endpoint),
        *("--access-key", ADMINISTRATION_KEY, "--secret-stdin"),
        stdin=ADMINISTRATION_SECRET + "\n",
    )
    assert f"The node minio is the MinIO server at {server.s3.endpoint}." in said
    ada.wio("root", "create", "minio", "lab", "--type", "unmanaged-private")
    ada.wio("root", "create", "minio", "homes", "--prefix", "users", "--type", "private", "--name", "homes")
    return ada, bob


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def keys(person: Person, place: str) -> set[str]:
    lines = person.wio("mc", "ls", "-r", "--json", place).splitlines()
    return {json.loads(line)["key"] for line in lines}


def test_what_is_there_is_imported_shared_and_taken_back(
    people: tuple[Person, Person], server: Server, running: Service
) -> None:
    ada, bob = people
    node = ada.json("node", "show", "minio")
    assert (node["kind"], node["state"], node["problems"], node["pending"]) == ("minio", "up", [], [])
    assert ADMINISTRATION_SECRET not in json.dumps(node)
    dry = ada.json("root", "import", "lab", "--all", "--dry-run")
    assert {one["folder"] for one in dry["workspaces"]} == {"scans/", "scans-2/", "other/"}
    assert ada.json("ls") == []
    (scans,) = ada.json("root", "import", "lab", "scans")["workspaces"]
    inside = {key.removeprefix("scans/"): data for key, data in OBJECTS.items() if key.startswith("scans/")}
    assert (scans["objects"], scans["bytes"]) == (len(inside), sum(map(len, inside.values())))
    assert keys(ada, "scans/") == set(inside)

    assert ada.wio("share", "scans/2026", "bob").startswith("bob may read ada/scans/2026/. Enforced.\n")
    credential = bob.token("--node", "minio")
    assert credential["endpoint"] == server.s3.endpoint  # directly, not through this service
    shared = {key for key in OBJECTS if key.startswith("scans/2026/")}
    for name in ("boto3", "mc", "aws"):
        client = CLIENTS[name](credential)
        assert client.list("lab", "scans/2026/") == shared, name
        for key in shared:
            assert client.read("lab", key) == OBJECTS[key], name
        for outside in ("", "scans/", "scans", "scans/2025/", "scans-2/", "other/"):
            with pytest.raises(Refused):
                client.list("lab", outside)
        for key in OBJECTS.keys() - shared:
            with pytest.raises(Refused):
                client.read("lab", key)
        with pytest.raises(Refused):
            client.write("lab", f"scans/2026/{name}", b"no")
    assert keys(bob, "ada/scans/2026/") == {key.removeprefix("scans/2026/") for key in shared}
    assert bob.wio("mc", "cat", "ada/scans/2026/plate-1.csv") == OBJECTS["scans/2026/plate-1.csv"].decode()
    assert bob.run("mc", "pipe", "ada/scans/2026/new", stdin="no").returncode == 1
    assert bob.run("mc", "ls", "ada/scans/2025/").returncode == 1
    link = bob.wio("presign", "ada/scans/2026/plate-1.csv").strip()
    with urlopen(link) as answer:
        assert answer.read() == OBJECTS["scans/2026/plate-1.csv"]
    listed = bob.run("exec", "--node", "minio", "--", "aws", "s3", "ls", "s3://lab/scans/2026/")
    assert "plate-1.csv" in listed.stdout

    # With keys of before, the very next request is refused.
    before = {name: CLIENTS[name](credential) for name in ("boto3", "mc", "aws")}
    assert ada.wio("unshare", "scans/2026", "bob") == "bob has no share of ada/scans/2026/ any more. Enforced.\n"
    for name, client in before.items():
        with pytest.raises(Refused):
            client.read("lab", "scans/2026/plate-1.csv")
        with pytest.raises(Refused):
            client.list("lab", "scans/2026/")
        assert name
    with pytest.raises(HTTPError) as refused:
        urlopen(link)
    with refused.value as answer:
        assert answer.code == 403
    assert "There is no workspace" in bob.refused("mc", "ls", "ada/scans/2026/")
    assert ADMINISTRATION_SECRET not in running.log()


def test_while_the_server_is_away_a_change_is_pending(people: tuple[Person, Person], server: Server) -> None:
    ada, bob = people
    ada.wio("root", "import", "lab", "scans")
    ada.wio("share", "scans", "bob")
    client = CLIENTS["boto3"](bob.token("ada/scans"))
    assert client.read("lab", "scans/2025/old.csv") == b"not shared\n"

    server.stop()
    said = ada.wio("unshare", "scans", "bob")
    assert "Pending on minio: not enforced there yet" in said
    shown = ada.wio("node", "show", "minio")
    assert re.search(r"^state +down: ", shown, re.MULTILINE)
    assert "Pending: the rights of bob are not enforced there yet" in shown
    assert ada.run("token", "scans", "--fresh").stderr.count("\n") == 1
    # Nothing else is in the way: folders are served as ever.
    ada.wio("create", "here")
    ada.wio("mc", "pipe", "here/x", stdin="x")
    assert "Enforced." in ada.wio("share", "here", "bob")
    assert "Enforced." in ada.wio("unshare", "here", "bob")

    server.start()

    def enforced() -> bool:
        node = ada.json("node", "show", "minio")
        return node["state"] == "up" and node["pending"] == []

    assert within(60, enforced), ada.wio("node", "show", "minio")
    with pytest.raises(Refused):
        client.read("lab", "scans/2025/old.csv")
    assert keys(ada, "scans/") == {key.removeprefix("scans/") for key in OBJECTS if key.startswith("scans/")}


def test_both_nodes_in_one_listing_and_in_one_command(people: tuple[Person, Person], server: Server) -> None:
    ada, bob = people
    ada.wio("root", "import", "existing", "plates")
    ada.wio("root", "import", "lab", "scans")
    ada.wio("create", "results", "--root", "homes")
    assert {(one["reference"], one["node"]) for one in ada.json("ls")} == {
        ("ada/plates", "local"),
        ("ada/scans", "minio"),
        ("ada/results", "minio"),
    }

    def mc(*arguments: str, stdin: str = "", person: Person = ada) -> str:
        done = person.run("mc", *arguments, stdin=stdin)
        assert done.returncode == 0, done
        for address in (server.s3.endpoint, ada.service.s3_url, "users/ada"):
            assert address not in done.stdout + done.stderr
        return done.stdout

    assert "`plates/2026-01/plate-1.csv` -> `results/plate-1.csv`" in mc(
        "cp", "plates/2026-01/plate-1.csv", "results/"
    )
    assert "`results/plate-1.csv` -> `plates/back.csv`" in mc("cp", "results/plate-1.csv", "plates/back.csv")
    with open(os.path.join(ada.service.folder, "plates", "back.csv"), encoding="utf-8") as file:
        assert file.read() == "well,value\nA1,0.1\n"
    assert "`plates/raw/a/b` -> `results/raw/a/b`" in mc("mirror", "plates/raw/", "results/raw/")
    assert keys(ada, "results/") == {"plate-1.csv", "raw/a-b", "raw/a/b", "raw/a0"}
    assert mc("diff", "plates/raw/", "results/raw/") == ""
    mc("pipe", "results/raw/more", stdin="more")
    assert mc("diff", "plates/raw/", "results/raw/") == "> results/raw/more\n"
    mc("mirror", "results/raw/", "plates/raw/")
    assert mc("cat", "plates/raw/more", "results/raw/more") == "moremore"
    assert [line.split("\t")[-1] for line in mc("du", "plates/raw/", "results/raw/").splitlines()] == [
        "plates/raw",
        "results/raw",
    ]
    assert "`scans/2025/old.csv` -> `results/old.csv`" in mc("mv", "scans/2025/old.csv", "results/old.csv")
    assert mc("find", "results/", "--name", "old*") == "results/old.csv\n"
    assert "results" in mc("tree", "results/")
    assert json.loads(mc("stat", "--json", "results/old.csv"))["name"] == "old.csv"
    assert mc("head", "-n", "1", "results/plate-1.csv") == "well,value\n"
    mc("rm", "-r", "--force", "results/raw/")
    assert keys(ada, "results/") == {"plate-1.csv", "old.csv"}
    assert "doesn't tell of changes" in ada.refused("mc", "watch", "results/")
    for line in (["mirror", "--watch", "results/", "out"], ["find", "--watch", "results/"]):
        assert "can't be used on the node minio" in ada.refused("mc", *line)

    # One credential covers what a user owns and what others shared with them there.
    bob.wio("create", "mine", "--root", "homes")
    ada.wio("share", "results", "bob", "--permission", "readwrite")
    mc("cp", "ada/results/old.csv", "mine/", person=bob)
    mc("pipe", "ada/results/from-bob", stdin="b", person=bob)
    assert mc("cat", "results/from-bob", "plates/back.csv").startswith("b")
    covered = {one["reference"] for one in bob.token("--node", "minio")["workspaces"]}
    assert covered == {"ada/results", "bob/mine"}


def test_disabling_handing_over_and_deleting_hold_for_keys_of_before(people: tuple[Person, Person]) -> None:
    ada, bob = people
    for name in ("first", "second"):
        bob.wio("create", name, "--root", "homes")
        bob.wio("mc", "pipe", f"{name}/x", stdin=name)
    client = CLIENTS["boto3"](bob.token("--node", "minio"))
    assert client.read("homes", "users/bob/first/x") == b"first"
    ada.wio("workspace", "hand-over", "bob/first", "ada")
    with pytest.raises(Refused):
        client.read("homes", "users/bob/first/x")
    assert ada.wio("mc", "cat", "first/x") == "first"
    assert client.read("homes", "users/bob/second/x") == b"second"
    assert bob.wio("workspace", "delete", "second", "--delete-objects") == "bob/second is deleted.\n"
    with pytest.raises(Refused):
        client.write("homes", "users/bob/second/x", b"again")
    bob.wio("create", "third", "--root", "homes")
    client = CLIENTS["boto3"](bob.token("--node", "minio"))
    client.write("homes", "users/bob/third/x", b"third")
    assert "refused from now on" in ada.wio("user", "disable", "bob")
    with pytest.raises(Refused):
        client.read("homes", "users/bob/third/x")


def test_a_key_is_replaced_and_what_is_missing_is_said(people: tuple[Person, Person], server: Server) -> None:
    ada, bob = people
    assert bob.run("node", "show", "minio").returncode == 1
    # A key with no administration rights, or with a wrong secret, is refused before anything is changed.
    server.administer(ada, "user", "add", "server", "plain", "a-plain-secret")
    server.administer(ada, "policy", "attach", "server", "readwrite", "--user", "plain")
    for key, secret in (("plain", "a-plain-secret"), (ADMINISTRATION_KEY, "wrong-secret")):
        add = ["node", "add", "minio", "again", "--endpoint", server.s3.endpoint, "--access-key", key]
        refused = ada.run(*add, "--secret-stdin", stdin=secret + "\n")
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert secret not in refused.stderr
        changed = ada.run("node", "set", "minio", "--access-key", key, "--secret-stdin", stdin=secret + "\n")
        assert changed.returncode == 1
    assert [one["name"] for one in ada.json("node", "ls")] == ["local", "minio"]
    # The secret is changed on the server: the node says so, and is told the new one.
    server.administer(ada, "user", "add", "server", ADMINISTRATION_KEY, "another-secret")
    assert within(10, lambda: ada.json("node", "show", "minio")["state"] == "down")
    ada.wio("node", "set", "minio", "--secret-stdin", stdin="another-secret\n")
    assert ada.json("node", "show", "minio")["state"] == "up"
    ada.wio("create", "mine", "--root", "homes")
    ada.wio("mc", "pipe", "mine/x", stdin="x")


def test_removing_the_node_leaves_the_server_as_it_was(people: tuple[Person, Person], server: Server) -> None:
    ada, bob = people

    def ours() -> list[str]:
        listed = server.administer(ada, "user", "ls", "server") + server.administer(ada, "policy", "ls", "server")
        listed += server.administer(ada, "group", "ls", "server")
        return [word for word in listed.split() if word.startswith("wio-")]

    before: Any = {
        key["Key"]: key["ETag"] for key in server.s3.boto3_client().list_objects_v2(Bucket="lab")["Contents"]
    }
    ada.wio("root", "import", "lab", "scans")
    ada.wio("share", "scans", "bob")
    client = CLIENTS["boto3"](bob.token("ada/scans"))
    assert ours()
    assert "--force" in ada.refused("node", "rm", "minio")
    ada.wio("node", "rm", "minio", "--force")
    assert ours() == []
    with pytest.raises(Refused):
        client.read("lab", "scans/2025/old.csv")
    after = {key["Key"]: key["ETag"] for key in server.s3.boto3_client().list_objects_v2(Bucket="lab")["Contents"]}
    assert after == before
    assert "workspacesio" in server.administer(ada, "policy", "ls", "server")


def test_keys_end_with_others_of_the_user_and_commands_get_new_ones(
    people: tuple[Person, Person], server: Server
) -> None:
    _, bob = people
    bob.wio("create", "mine", "--root", "homes")
    bob.wio("mc", "pipe", "mine/x", stdin="x")
    laptop = Person(bob.service, "bob", os.path.join(bob.home, "laptop"))
    os.makedirs(laptop.home)
    laptop.environment.update(bob.environment)
    laptop.wio("login", bob.service.api_url, bob.email, "--password-stdin", stdin=PASSWORD + "\n")
    credential = bob.token("--node", "minio")
    assert bob.wio("mc", "cat", "mine/x") == laptop.wio("mc", "cat", "mine/x") == "x"
    said = laptop.wio("credential", "revoke", str(laptop.json("credential", "ls")[-1]["id"]))
    assert said == "The credential has ended, and all others of yours on that node with it.\n"
    with pytest.raises(Refused):
        CLIENTS["boto3"](credential).read("homes", "users/bob/mine/x")
    assert laptop.wio("mc", "cat", "mine/x") == "x"
    # Cached keys fail once, and are then forgotten.
    assert bob.run("mc", "cat", "mine/x").returncode == 1
    assert bob.wio("mc", "cat", "mine/x") == "x"


def test_what_a_policy_can_not_say_is_refused_and_never_widened(
    people: tuple[Person, Person], server: Server
) -> None:
    ada, _ = people
    names = [f"{'long' * 14}-{number}" for number in range(14)]
    for name in names:
        ada.wio("create", name, "--root", "homes")
    assert "2048" in ada.refused("token", *names)
    # Nobody asked `wio mc` for narrow keys.
    ada.wio("mc", "pipe", f"{names[0]}/x", stdin="x")
    printed = ada.wio("mc", "du", *(f"{name}/" for name in names)).splitlines()
    assert [line.split("\t")[-1] for line in printed] == names
    narrowed = CLIENTS["boto3"](ada.token(names[0], "--read-only"))
    assert narrowed.read("homes", f"users/ada/{names[0]}/x") == b"x"
    for key in (f"users/ada/{names[0]}/y", f"users/ada/{names[1]}/y"):
        with pytest.raises(Refused):
            narrowed.write("homes", key, b"no")
    with pytest.raises(Refused):
        narrowed.list("homes", f"users/ada/{names[1]}/")

    server.s3.boto3_client().put_object(Bucket="lab", Key="odd*name/in/x", Body=b"x")
    ada.wio("root", "import", "lab", "scans")
    refused = ada.run("root", "import", "lab", "odd*name")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "odd*name" in refused.stderr
    ada.wio("mc", "pipe", "scans/what?/x", stdin="x")
    assert "?" in ada.refused("share", "scans/what?", "bob")
    assert "Enforced." in ada.wio("share", "scans", "bob")


def test_a_new_workspace_holds_nothing(people: tuple[Person, Person]) -> None:
    ada, _ = people
    ada.wio("create", "new", "--root", "homes")
    assert ada.wio("mc", "ls", "new/") == ada.wio("mc", "ls", "-r", "new") == ""
    assert ada.wio("mc", "du", "new/") == "0B\t0 objects\tnew\n"
    ada.wio("mc", "pipe", "new/a/b", stdin="x")
    assert keys(ada, "new/") == {"a/b"}
    ada.wio("mc", "rm", "new/a/b")
    assert ada.wio("mc", "ls", "new/") == ""


def test_a_share_ends_in_time_while_the_service_is_stopped(
    people: tuple[Person, Person], running: Service
) -> None:
    ada, bob = people
    ada.wio("root", "import", "lab", "scans")
    shared_at = time.monotonic()
    ada.wio("share", "scans", "bob", "--expires", "15s")
    client = CLIENTS["boto3"](bob.token("--node", "minio"))
    running.stop()
    assert client.read("lab", "scans/2025/old.csv") == b"not shared\n"

    def refused() -> bool:
        try:
            client.read("lab", "scans/2025/old.csv")
        except Refused:
            return True
        return False

    assert within(30, refused)
    assert 14 <= time.monotonic() - shared_at < 30
