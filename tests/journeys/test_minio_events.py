"""What happens on a MinIO server is heard by those who may: real MinIO, mc and service, on both databases.

On SQLite the node's own key sets the server up, on PostgreSQL somebody types the commands that `wio node events`
prints. The key has the policy that docs/minio.md names, and the rights that it names for this.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from servers.minio import minio
from servers.postgresql import PostgresqlServer
from servers.process import Process, free_port
from servers.s3_server import S3Server
from servers.service import Person, Service
from workspacesio.nodes.minio.event_target import CONFIGURATION_ACTIONS

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "minio.md")
KEY, SECRET = "workspacesio", "the-administration-secret"
QUIET_SECONDS = 0.8


@dataclass
class Place:
    """A service, a MinIO server that tells it, and people; ada owns `w` there, in lab/private/ada/w/."""

    service: Service
    server: S3Server
    mc_path: str
    by_hand: bool
    ada: Person = field(init=False)
    bob: Person = field(init=False)
    carol: Person = field(init=False)

    def mc(self, *arguments: str) -> str:
        done = self.ada.shell(self.mc_path, *arguments, env=self.alias())
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def alias(self) -> dict[str, str]:
        host = self.server.endpoint.removeprefix("http://")
        keys = f"{self.server.access_key}:{self.server.secret_key}"
        return {"MC_HOST_ALIAS": f"http://{keys}@{host}", "MC_CONFIG_DIR": os.path.join(self.ada.home, "mc")}

    def put(self, path: str, size: int = 1536) -> None:
        """Straight at the server, with its root user's keys."""
        local = os.path.join(self.ada.home, "object")
        with open(local, "wb") as file:
            file.write(b"x" * size)
        self.mc("cp", "--quiet", local, f"ALIAS/lab/private/ada/w/{path}")

    def remove(self, path: str) -> None:
        self.mc("rm", f"ALIAS/lab/private/ada/w/{path}")

    def add_key(self, name: str, more: tuple[str, ...]) -> None:
        """A user of the server with the documented policy, and further rights."""
        with open(DOCUMENT, encoding="utf-8") as file:
            policy = json.loads((re.search(r"```json\n(.*?)```", file.read(), re.DOTALL) or [""])[1])
        for kind in ("admin:", "s3:"):
            actions = [one for one in more if one.startswith(kind)]
            where = {} if kind == "admin:" else {"Resource": ["arn:aws:s3:::*"]}
            if actions:
                policy["Statement"].append({"Effect": "Allow", "Action": actions, **where})
        path = os.path.join(self.ada.home, f"{name}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(policy, file)
        self.mc("admin", "policy", "create", "ALIAS", name, path)
        self.mc("admin", "user", "add", "ALIAS", name, SECRET)
        self.mc("admin", "policy", "attach", "ALIAS", name, "--user", name)

    def add_node(self, name: str, key: str) -> None:
        add = ["node", "add", "minio", name, "--endpoint", self.server.endpoint, "--access-key", key]
        self.ada.wio(*add, "--secret-stdin", stdin=SECRET + "\n")

    def wait_for_server(self) -> None:
        """After it was told to restart: it goes on answering for a moment."""
        time.sleep(1.0)
        self.server.process.wait_for_http(f"{self.server.endpoint}/minio/health/cluster")

    def set_up(self) -> None:
        """Afterwards the server tells what happens in the bucket `lab`."""
        if not self.by_hand:
            assert self.ada.run("node", "events", "minio", "--apply").returncode == 1, "it must be restarted"
            assert "tells of changes in lab" in self.ada.wio("node", "events", "minio", "--apply", "--restart")
            return
        printed = self.ada.wio("node", "events", "minio")
        commands = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
        assert [one.partition(" ALIAS")[0].rpartition("mc ")[2] for one in commands] == [
            "admin config export", "admin service restart", "event add"
        ]  # fmt: skip
        for command in commands:
            assert "wioe_" not in command
            # Restarting asks for a terminal, unless JSON is wanted.
            shell = command.replace("mc admin service", "mc --json admin service")
            path = f"{os.path.dirname(self.mc_path)}:{self.service.path}"
            done = self.ada.shell("sh", "-c", shell, env={**self.alias(), "PATH": path})
            assert done.returncode == 0, (shell, done.stdout, done.stderr)
            if "restart" in shell:
                self.wait_for_server()
        assert "tells of changes in lab" in self.ada.wio("node", "events", "minio")


class Watcher:
    """`wio mc watch` of somebody."""

    def __init__(self, person: Person, *arguments: str) -> None:
        command = ["wio", "mc", "watch", *arguments]
        self.process = subprocess.Popen(
            command, env=person.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=person.home
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, count: int, seconds: float = 15.0) -> list[str]:
        until(lambda: len(self.lines) >= count or self.process.poll() is not None, seconds)
        assert len(self.lines) >= count, (self.lines, self.process.poll(), self.process.stderr)
        return self.lines

    def ended(self, seconds: float = 10.0) -> tuple[int, str]:
        status = self.process.wait(seconds)
        self._reader.join(5)
        assert self.process.stderr is not None
        return status, self.process.stderr.read()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self._reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def until(holds: Callable[[], bool], seconds: float) -> float:
    """Wait for it; returns how long that took."""
    begun = time.monotonic()
    while not holds() and time.monotonic() - begun < seconds:
        time.sleep(0.02)
    return time.monotonic() - begun


@contextmanager
def watching(place: Place, *who: tuple[Person, list[str]]) -> Iterator[list[Watcher]]:
    """Everybody hears: what they may see is told on the way in, by an object that all of them may read."""
    watchers = [Watcher(person, *arguments) for person, arguments in who]
    try:
        deadline = time.monotonic() + 20
        number = 0
        while not all(one.lines or one.process.poll() is not None for one in watchers):
            assert time.monotonic() < deadline, [(one.lines, one.process.poll()) for one in watchers]
            place.ada.wio("mc", "pipe", "--quiet", f"w/sub/hello{number}", stdin=b"x")
            number += 1
            time.sleep(0.5)
        heard = -1
        while heard != (heard := sum(len(one.lines) for one in watchers)):
            time.sleep(QUIET_SECONDS)  # the rest of the greetings
        for one in watchers:
            one.lines.clear()
        yield watchers
    finally:
        for one in watchers:
            one.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mc_path: str
) -> Iterator[Place]:
    base = str(tmp_path_factory.mktemp("events"))
    os.mkdir(os.path.join(base, "data"))
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            postgresql: PostgresqlServer = request.getfixturevalue("postgresql_server")
            url = postgresql.create_database()
        server = stack.enter_context(minio(os.path.join(base, "minio")))
        service = Service(os.path.join(base, "data"), base=os.path.join(base, "service"), database_url=url)
        os.mkdir(service.base)
        service.start()
        stack.callback(service.stop)
        place = Place(service, server, mc_path, by_hand=request.param == "postgresql")
        place.ada = service.administrator()
        place.bob, place.carol = service.colleague("bob"), service.colleague("carol")
        for person in (place.ada, place.bob, place.carol):
            person.environment["WIO_MC"] = mc_path
        server.boto3_client().create_bucket(Bucket="lab")
        place.add_key(KEY, CONFIGURATION_ACTIONS)
        place.add_node("minio", KEY)
        place.ada.wio("root", "create", "minio", "lab", "--prefix", "private", "--type", "private", "--name", "p")
        place.ada.wio("create", "w", "--root", "p")
        assert "doesn't tell of changes" in place.ada.refused("mc", "watch", "w")
        place.set_up()
        yield place


only_on_sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""For what doesn't depend on the database."""


def test_who_may_see_it_hears_it_and_nobody_else(place: Place) -> None:
    place.ada.wio("share", "w/sub", "bob")
    everybody = (
        (place.ada, ["w/"]),
        (place.ada, ["--json", "w/sub/"]),
        (place.bob, ["ada/w/"]),
        (place.bob, ["ada/w/sub/"]),
    )
    with watching(place, *everybody) as (owner, as_json, whole, folder):
        place.put("sub/in 1+é.txt")
        place.put("out.txt", 20 * 1024)
        place.remove("sub/in 1+é.txt")
        lines = [re.sub(r"^\[[0-9T:.-]+Z\] ", "", one) for one in owner.wait_for(3)]
        assert sorted(lines) == [  # without a queue the server tells several at once, in any order
            "       s3:ObjectRemoved:Delete w/sub/in 1+é.txt",
            "1.5 KiB s3:ObjectCreated:Put w/sub/in 1+é.txt",
            "20 KiB s3:ObjectCreated:Put w/out.txt",
        ]
        told = [json.loads(one) for one in as_json.wait_for(2)]
        assert {(one["status"], one["events"]["path"], one["events"]["size"]) for one in told} == {
            ("success", "w/sub/in 1+é.txt", 1536), ("success", "w/sub/in 1+é.txt", 0)
        }  # fmt: skip
        for watcher in (whole, folder):
            assert [one.rpartition("] ")[2].split(" ", 3)[-1] for one in watcher.wait_for(2)]
            assert all(one.endswith("ada/w/sub/in 1+é.txt") for one in watcher.lines)
            assert len(watcher.lines) == 2
        place.ada.wio("unshare", "w/sub", "bob")
        begun = time.monotonic()
        for watcher in (whole, folder):
            status, said = watcher.ended()
            assert status == 1
            assert said.startswith("wio: watching ada:w")
            assert said.count("\n") == 1
        assert time.monotonic() - begun < 2.0
        place.put("sub/later")
        owner.wait_for(4)
        assert len(whole.lines) == len(folder.lines) == 2
    assert "There is no workspace" in place.carol.refused("mc", "watch", "ada/w/")


@only_on_sqlite
def test_a_stream_ends_within_a_second_of_its_session(place: Place) -> None:
    dora = place.service.person("dora")
    if not os.path.exists(os.path.join(dora.home, ".config")):
        place.service.colleague("dora")
    dora.environment["WIO_MC"] = place.mc_path
    place.ada.wio("share", "w", "dora")
    with watching(place, (dora, ["ada/w/"])) as (watcher,):
        place.ada.wio("user", "disable", "dora")
        took = until(lambda: watcher.process.poll() is not None, 10)
        status, said = watcher.ended()
        assert (status, took < 1.5) == (1, True), took
        assert "not signed in" in said


@only_on_sqlite
def test_nothing_is_lost_while_the_service_is_away(place: Place) -> None:
    """The server keeps it in its queue; the watcher goes on where it was."""
    queue = os.path.join(place.service.base, "queue")
    place.ada.wio("node", "events", "minio", "--apply", "--restart", "--queue-dir", queue)
    with watching(place, (place.ada, ["w/"])) as (watcher,):
        place.service.stop()
        for number in range(5):
            place.put(f"away/{number}")
        place.service.start()

        def heard() -> list[str]:
            return sorted(one.rpartition("/")[2] for one in watcher.lines if "/away/" in one)

        until(lambda: len(heard()) >= 5, 40)
        time.sleep(QUIET_SECONDS)
        assert heard() == ["0", "1", "2", "3", "4"], "each once"


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_another_process_of_the_service_streams_what_one_was_told(place: Place, tmp_path: Path) -> None:
    """The first process takes what the server tells; the stream is another's."""
    assert place.service.database_url is not None
    with open(os.path.join(place.service.state_dir, "secret"), encoding="utf-8") as file:
        secret = file.read().strip()
    port = free_port()
    environment = {
        "WIO_STATE_DIR": str(tmp_path / "state"),
        "WIO_SECRET": secret,
        "WIO_DATABASE_URL": place.service.database_url,
        "PATH": place.service.path,
    }
    command = ["wio", "serve", "--role", "api", "--port", str(port)]
    with Process(command, env=environment, log_path=str(tmp_path / "api.log")) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/api/v1/health")
        key = place.ada.json("api-key", "create", "second")["token"]
        other = Person(place.service, "ada", str(tmp_path / "home"))
        os.mkdir(other.home)
        other.environment |= {"WIO_API_URL": f"http://127.0.0.1:{port}", "WIO_TOKEN": key, "WIO_MC": place.mc_path}
        with watching(place, (other, ["w/"])) as (watcher,):
            place.put("second")
            assert watcher.wait_for(1)[0].endswith("w/second")


@only_on_sqlite
def test_a_key_without_the_rights_is_told_which(place: Place) -> None:
    place.add_key("weak", ())
    place.add_node("weak", "weak")
    said = place.ada.refused("node", "events", "weak", "--apply")
    for right in CONFIGURATION_ACTIONS:
        assert right in said
    place.ada.wio("node", "rm", "weak", "--yes", "--force")


def test_what_was_set_is_taken_away_with_the_node(place: Place) -> None:
    """And nothing that somebody else set. Comes last."""
    place.ada.wio("node", "rm", "minio", "--yes", "--force")
    told = place.mc("event", "ls", "ALIAS/lab")
    if place.by_hand:
        assert ":webhook" in told
    else:
        assert told == ""
        place.mc("--json", "admin", "service", "restart", "ALIAS")
        place.wait_for_server()
        assert "notify_webhook:wio" not in place.mc("admin", "config", "export", "ALIAS")
