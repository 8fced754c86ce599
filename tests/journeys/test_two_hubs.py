"""Two servers of the service on one database, and a MinIO server that is killed and cut off under their hands.

For half a minute random shares of the same users are given and taken back through both. Keys from before are used
straight at MinIO: after each answer `enforced` at once, and all the time beside. In the end rights on MinIO are
what the permission core decides.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from servers.minio import minio
from servers.s3_server import S3Server
from servers.service import PASSWORD, Person, Service
from servers.tcp_proxy import Proxy, tcp_proxy
from workspacesio.database.facts import load_caller, load_workspace_target
from workspacesio.database.sessions import Database
from workspacesio.database.tables import User, Workspace
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action

SEED = 4
SECONDS = 28.0
LANES = 4
USERS = ("bob", "eve")
SUBJECTS = (*USERS, "everyone")
LEVELS = ("", "read", "readwrite")

pytestmark = pytest.mark.xdist_group("two hubs")


class Caller:
    """Ada at one of the servers, straight over HTTP."""

    def __init__(self, hub: Service, token: str) -> None:
        self._hub, self._token = hub, token

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._hub.port, timeout=60)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()


def signed_in(hub: Service, email: str) -> Caller:
    status, answer = Caller(hub, "").call("POST", "/sign-in", {"email": email, "password": PASSWORD})
    assert status == 200, answer
    return Caller(hub, answer["token"])


class Keys:
    """A user's keys from the beginning, used straight at MinIO."""

    def __init__(self, server: S3Server, token: dict[str, Any]) -> None:
        import boto3
        from botocore.config import Config

        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=token["access_key_id"],
            aws_secret_access_key=token["secret_access_key"],
            aws_session_token=token["session_token"],
            config=Config(
                s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2, read_timeout=5
            ),
        )

    def level(self, place: Workspace) -> str | None:
        """What the server lets them do, or None where it doesn't answer."""
        named = {"Bucket": place.bucket, "Key": f"{place.prefix}x"}
        writes = self._may(lambda: self._s3.put_object(**named, Body=b"x"))
        reads = self._may(lambda: self._s3.get_object(**named))
        if reads is None or writes is None:
            return None
        return "readwrite" if writes else "read" if reads else ""

    def _may(self, request: Callable[[], object]) -> bool | None:
        try:
            request()
        except ClientError as error:
            return False if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403 else None
        except BotoCoreError:
            return None
        return True


@dataclass
class Lane:
    """One workspace. `possible`: what each subject may hold on MinIO now, by what was asked and answered."""

    number: int
    workspace: Workspace
    callers: list[Caller]
    keys: dict[str, Keys]
    possible: dict[str, set[str]] = field(default_factory=lambda: {subject: {""} for subject in SUBJECTS})
    changes: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, until: float) -> None:
        chance = Random(SEED * 1000 + self.number)
        while time.monotonic() < until and not self.wrong:
            self._change(chance.choice(self.callers), chance.choice(SUBJECTS), chance.choice(LEVELS))

    def watch(self, until: float) -> None:
        """Beside the changes: nothing wider than what may be there."""
        chance = Random(SEED * 7000 + self.number)
        while time.monotonic() < until and not self.wrong:
            user = chance.choice(USERS)
            before, changes = self._most(user), self.changes
            found = self.keys[user].level(self.workspace)
            with self.lock:
                if found is None or self.changes - changes > 1:
                    continue
            most = max(before, self._most(user), key=LEVELS.index)
            self.counted["looked"] += 1
            if LEVELS.index(found) > LEVELS.index(most):
                self.wrong.append(f"{user} has {found!r} in {self.workspace.name}, and {most!r} at most was valid")

    def _change(self, caller: Caller, subject: str, level: str) -> None:
        with self.lock:
            self.possible[subject].add(level)
            self.changes += 1
        path = f"/workspaces/{self.workspace.id}/shares"
        try:
            if level:
                status, answer = caller.call("POST", path, {"subject": subject, "level": level})
            else:
                status, answer = caller.call("DELETE", f"{path}?subject={quote(subject)}")
        except OSError as error:
            self.wrong.append(f"the service did not answer: {error!r}")
            return
        if status == 404 and not level:
            self.counted["was not shared"] += 1
            return
        if status not in (200, 201):
            self.wrong.append(f"{status}: {answer}")
            return
        state = answer["enforced"]
        states = {one["state"] for one in state} if isinstance(state, list) else {state}
        self.counted[" ".join(sorted(states))] += 1
        if states != {"enforced"}:
            return
        with self.lock:
            self.possible[subject] = {level}
            self.changes += 1
        self._check(subject, level)

    def _check(self, subject: str, level: str) -> None:
        for user in USERS if subject == "everyone" else (subject,):
            found = self.keys[user].level(self.workspace)
            if found is None:
                continue
            self.counted["checked"] += 1
            least, most = self._least(user), self._most(user)
            if not LEVELS.index(least) <= LEVELS.index(found) <= LEVELS.index(most):
                said = f"{subject} {level!r} was enforced in {self.workspace.name}"
                self.wrong.append(f"{said}, and {user} has {found!r}, not {least!r} to {most!r}")

    def _most(self, user: str) -> str:
        with self.lock:
            return max(self.possible[user] | self.possible["everyone"], key=LEVELS.index)

    def _least(self, user: str) -> str:
        with self.lock:
            own, shared = self.possible[user], self.possible["everyone"]
            return max(min(own, key=LEVELS.index), min(shared, key=LEVELS.index), key=LEVELS.index)


class Trouble:
    """MinIO behind a proxy: killed and started again, cut off, cut in the middle, hanging."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.server = self._stack.enter_context(minio(folder))
        self.proxy: Proxy = self._stack.enter_context(tcp_proxy(self.server.endpoint))
        self.kills = 0

    def run(self, until: float) -> None:
        chance = Random(SEED)
        troubles = [self._kill, self._kill, self._cut_off, self._cut, self._hang, self._cut_requests, self._freeze]
        while time.monotonic() < until:
            for trouble in chance.sample(troubles, len(troubles)):
                if time.monotonic() > until:
                    return
                trouble(chance)
                time.sleep(chance.uniform(1, 3))

    def _kill(self, chance: Random) -> None:
        self.server.process.kill()
        self.kills += 1
        time.sleep(chance.uniform(0, 0.5))
        self.server = self._stack.enter_context(minio(self._folder, before=self.server))

    def _cut_off(self, chance: Random) -> None:
        self.proxy.cut_off("refuse")
        time.sleep(chance.uniform(0.2, 1))
        self.proxy.mode = "pass"

    def _cut(self, chance: Random) -> None:
        for _ in range(10):
            self.proxy.cut_off("pass")
            time.sleep(chance.uniform(0.02, 0.3))

    def _hang(self, _: Random) -> None:
        self.proxy.mode = "hang"
        time.sleep(1.5)
        self.proxy.mode = "pass"

    def _freeze(self, _: Random) -> None:
        """Requests are given up, and carried out afterwards."""
        with self.server.process.frozen():
            time.sleep(5.5)

    def _cut_requests(self, chance: Random) -> None:
        for _ in range(8):
            self.proxy.cut_request(chance.randint(1, 12), answered=chance.random() < 0.7)
            time.sleep(chance.uniform(0.1, 0.4))

    def stop(self) -> None:
        self._stack.close()


@contextmanager
def in_threads(*work: Callable[[], None]) -> Iterator[None]:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


@pytest.fixture
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    found = Trouble(str(tmp_path_factory.mktemp("minio")))
    yield found
    found.stop()


@pytest.fixture
def hubs(tree: str, tmp_path_factory: pytest.TempPathFactory, postgresql_url: str) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        started = []
        for name in ("first", "second"):
            hub = Service(tree, base=str(tmp_path_factory.mktemp(name)), database_url=postgresql_url)
            hub.environment["WIO_SECRET"] = "a secret of both servers"
            hub.start()
            stack.callback(hub.stop)
            started.append(hub)
            if name == "first":
                # A server that starts without an administrator ends the setup token of the one before.
                hub.administrator()
        yield started


@pytest.fixture
def lanes(hubs: list[Service], trouble: Trouble, postgresql_url: str) -> list[Lane]:
    ada = hubs[0].person("ada")
    people = {name: hubs[0].colleague(name) for name in USERS}
    client = trouble.server.boto3_client()
    client.create_bucket(Bucket="homes")
    ada.wio(
        *("node", "add", "minio", "there", "--endpoint", trouble.proxy.endpoint),
        *("--public-endpoint", trouble.server.endpoint),
        *("--access-key", trouble.server.access_key, "--secret-stdin"),
        stdin=trouble.server.secret_key + "\n",
    )
    ada.wio("root", "create", "there", "homes", "--prefix", "users", "--type", "private", "--name", "homes")
    for number in range(LANES):
        ada.wio("create", f"w{number}", "--root", "homes")
    workspaces = all_workspaces(postgresql_url)
    for one in workspaces:
        client.put_object(Bucket=one.bucket, Key=f"{one.prefix}x", Body=b"x")
    keys = {name: Keys(trouble.server, keys_of(person)) for name, person in people.items()}
    callers = [signed_in(hub, ada.email) for hub in hubs]
    return [Lane(number, one, callers, keys) for number, one in enumerate(workspaces)]


def keys_of(person: Person) -> dict[str, Any]:
    return person.token("--node", "there")


def all_workspaces(url: str) -> list[Workspace]:
    database = Database(url)
    with database.read() as session:
        found = [one for one in session.query(Workspace).order_by(Workspace.id) if one.name.startswith("w")]
    database.dispose()
    return found


def decided(url: str, username: str, workspace_id: int) -> str:
    """What the permission core says of the user, from the facts in the database."""
    database = Database(url)
    now = datetime.now(UTC)
    with database.read() as session:
        user = session.query(User).filter(User.username == username).one()
        caller = load_caller(session, user.id)
        assert caller is not None
        target = load_workspace_target(session, session.get_one(Workspace, workspace_id), "x")
        reads = bool(decide(caller, Action.READ_DATA, target, now))
        writes = bool(decide(caller, Action.WRITE_DATA, target, now))
    database.dispose()
    return LEVELS[reads + writes]


@pytest.mark.slow
@pytest.mark.timeout(240)
# Connections to servers that were killed in the middle of an answer are collected as they are.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_rights_end_right_and_are_never_wider_in_between(
    hubs: list[Service],
    lanes: list[Lane],
    trouble: Trouble,
    postgresql_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    until = time.monotonic() + SECONDS
    with in_threads(
        *(lambda lane=lane: lane.run(until) for lane in lanes),  # type: ignore[misc]
        *(lambda lane=lane: lane.watch(until) for lane in lanes),  # type: ignore[misc]
    ):
        # In this thread: a server ends with the thread that started it.
        trouble.run(until)
    trouble.proxy.cut = None
    trouble.proxy.cut_off("pass")
    counted = sum((lane.counted for lane in lanes), Counter())
    wrong = [one for lane in lanes for one in lane.wrong]
    with capsys.disabled():
        said = ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))
        print(f"\nTwo servers, one MinIO killed {trouble.kills} times (seed {SEED}): {said}. Wrong: {len(wrong)}.")
    assert not wrong, "\n".join(wrong)
    assert trouble.kills >= 1
    assert min(counted["enforced"], counted["pending"], counted["checked"], counted["looked"]) >= 10

    begun = time.monotonic()
    while (state := lanes[0].callers[1].call("GET", "/nodes/there")[1])["pending"]:
        assert time.monotonic() - begun < 45, state
        time.sleep(0.2)
    for lane in lanes:
        for user in USERS:
            found = lane.keys[user].level(lane.workspace)
            assert found == decided(postgresql_url, user, lane.workspace.id), (user, lane.workspace.name)
    assert state["state"] == "up", state
    for hub in hubs:
        assert "Traceback" not in hub.log()
