"""What the client does when lines, keys, disks, clocks, files and names give trouble: nothing half, and told."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.terminal import on_terminal
from journeys.disks import MIB, disk
from servers.counting_proxy import CountingProxy, counting_proxy
from servers.process import free_port
from servers.s3_server import S3Server
from servers.scripted_server import answering, storage
from servers.scripted_server import whole as answer_of
from servers.service import Person, Service
from workspacesio.cli import removing_commands
from workspacesio.client import connection, ended, s3_requests, uploads
from workspacesio.client.copy_plan import Copy
from workspacesio.client.copying import Progress, copy_all
from workspacesio.client.downloads import download
from workspacesio.client.errors import CommandError, NotAllowed, Refused
from workspacesio.client.places import Item, Place
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage
from workspacesio.client.signature import Request

BIG = random.Random(3).randbytes(24_000_000)
OTHER = random.Random(4).randbytes(24_000_000)
WRONG_CLOCK = "import time\nright = time.time\ntime.time = lambda: right() + {}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, minio_server: S3Server) -> Iterator[Service]:
    """A service with a proxy in front of its endpoint, and another one before the MinIO server that is a node."""
    folder = str(tmp_path_factory.mktemp("trouble") / "lab")
    os.makedirs(folder)
    running = Service(folder, base=str(tmp_path_factory.mktemp("service")))
    minio_server.boto3_client().create_bucket(Bucket="trouble")
    with counting_proxy(running.s3_url) as proxy, counting_proxy(minio_server.endpoint) as there:
        running.environment["WIO_S3_PUBLIC_NAME"] = proxy.endpoint
        running.start()
        try:
            ada = running.administrator()
            ada.wio(
                *("node", "add", "minio", "minio", "--endpoint", minio_server.endpoint),
                *("--public-endpoint", there.endpoint, "--access-key", minio_server.access_key, "--secret-stdin"),
                stdin=minio_server.secret_key + "\n",
            )
            ada.wio("root", "create", "minio", "trouble", "--type", "private", "--name", "there")
            running.colleague("ben")
            running.proxies = {"private": proxy, "there": there}  # type: ignore[attr-defined]
            yield running
            ada.wio("node", "rm", "minio", "--force")
        finally:
            running.stop()
            s3 = minio_server.boto3_client()
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket="trouble"):
                for one in page.get("Contents", ()):
                    s3.delete_object(Bucket="trouble", Key=one["Key"])
            s3.delete_bucket(Bucket="trouble")


@pytest.fixture
def ada(lab: Service) -> Person:
    return lab.person("ada")


@pytest.fixture(params=["private", "there"])
def root(request: pytest.FixtureRequest) -> str:
    """Of the folder node, and of the MinIO node."""
    return str(request.param)


@pytest.fixture
def proxy(lab: Service) -> CountingProxy:
    proxies: dict[str, CountingProxy] = lab.proxies  # type: ignore[attr-defined]
    return proxies["private"]


def named(request: pytest.FixtureRequest) -> str:
    return hashlib.sha256(request.node.name.encode()).hexdigest()[:12]


@pytest.fixture
def data(ada: Person, request: pytest.FixtureRequest) -> str:
    """A workspace of the test's own on the folder node."""
    ada.wio("create", named(request), "--root", "private")
    return named(request)


@pytest.fixture
def here(ada: Person, request: pytest.FixtureRequest) -> str:
    """A folder of the test's own in ada's home, as she types it."""
    os.mkdir(os.path.join(ada.home, f"at-{named(request)}"))
    return f"./at-{named(request)}"


def write(person: Person, path: str, content: bytes) -> str:
    whole = os.path.join(person.home, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    with open(whole, "wb") as file:
        file.write(content)
    return whole


def files(folder: str) -> dict[str, bytes]:
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb") as file:
                found[os.path.relpath(os.path.join(at, name), folder)] = file.read()
    return found


def at_home(person: Person, path: str) -> dict[str, bytes]:
    return files(os.path.join(person.home, path))


@contextmanager
def place_in(ada: Person, data: str, *, endpoint: str = "") -> Iterator[Callable[[str], Place]]:
    workspace, issued = ada.json("workspace", "show", data), ada.json("token", data)
    if endpoint:
        issued = {**issued, "endpoint": endpoint}
    with NodeStorage(lambda _: issued, patience=5.0) as node:
        yield lambda path: Place(Located(workspace, data, path), node)


def nothing(*_: object, **__: object) -> None:
    """Nobody listens."""


# --- lines that stall, and lengths that lie --------------------------------------------------------------------


def test_a_line_that_goes_silent_is_given_up_and_what_came_is_kept(
    ada: Person, data: str, here: str, proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(ada.home, here, "cache"))
    big = write(ada, f"{here}/big", BIG)
    for direction in ("up", "down"):
        with place_in(ada, data) as place:
            proxy.stalls_after = 4_000_000
            stalled = proxy.stalled
            if direction == "up":
                uploads.upload(big, place("big"), told=nothing, overwrite=True)
            else:
                details = place("big").details()
                download(place("big"), f"{big}-down", size=details.size, etag=details.etag, told=nothing)
        assert proxy.stalled == stalled + 1, direction
    assert at_home(ada, here) == {"big": BIG, "big-down": BIG}


def test_a_server_that_says_nothing_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 1)
    with answering(lambda _: time.sleep(2) or b"") as endpoint:  # type: ignore[func-returns-value]
        place = Place(Located(WORKSPACE, "w", "x"), storage(endpoint, []))
        begun = time.monotonic()
        with pytest.raises(CommandError, match="didn't answer"):
            download(place, str(tmp_path / "x"), size=3, etag='"e"', told=nothing)
        with pytest.raises(CommandError, match="didn't answer"):
            place.details()
        assert time.monotonic() - begun < 15
        place.storage.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("trickles", ["head", "body"])
def test_a_line_that_trickles_is_given_up_as_one_that_is_silent(
    trickles: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 1)
    asked = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            with one, suppress(OSError):
                asked.append(one.recv(10_000))
                first = int(asked[-1].lower().partition(b"range: bytes=")[2].partition(b"-")[0] or 0)
                body = b"" if asked[-1].startswith(b"HEAD") else (b"abc" * 100)[first:]
                span = [f"Content-Range: bytes {first}-299/300"] if first else []
                answer = answer_of("206 Partial Content" if first else "200 OK", body, 'ETag: "e"', *span)
                begin = 0 if trickles == "head" else answer.index(b"\r\n\r\n") + 4
                one.sendall(answer[:begin])
                for number in range(begin, len(answer) if len(asked) < 3 else 0):
                    one.sendall(answer[number : number + 1])
                    time.sleep(0.1)
                one.sendall(answer[begin:])
                one.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        with storage(f"http://127.0.0.1:{listener.getsockname()[1]}", []) as node:
            node._patience = 10.0
            place = Place(Located(WORKSPACE, "w", "x"), node)
            begun = time.monotonic()
            download(place, str(tmp_path / "x"), size=300, etag='"e"', told=nothing)
            assert time.monotonic() - begun < 12
        listener.shutdown(socket.SHUT_RDWR)
    assert len(asked) == 3
    assert files(str(tmp_path)) == {"x": b"abc" * 100}


KEYS = {
    "access_key_id": "a",
    "secret_access_key": "s",
    "session_token": "",
    "region": "r",
    "workspaces": [],
    "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
}
WORKSPACE = {"owner": "a", "name": "w", "bucket": "b", "prefix": "", "node": "n", "id": 1, "level": "own"}


@pytest.mark.parametrize("size", [1000, 3_000_000])
@pytest.mark.parametrize("lie", ["longer", "shorter", "more follows"])
def test_lengths_that_lie(size: int, lie: str, tmp_path: Any) -> None:
    body = BIG[:size]
    etag = f'ETag: "{hashlib.md5(body).hexdigest()}"'
    asked = []

    def answer(head: bytes) -> bytes:
        asked.append(head)
        begin = int(head.lower().partition(b"range: bytes=")[2].partition(b"-")[0] or 0)
        status = "206 Partial Content" if begin else "200 OK"
        span = [f"Content-Range: bytes {begin}-{size - 1}/{size}"] if begin else []
        honest = answer_of(status, body[begin:], etag, *span)
        if len(asked) > 1 and lie != "shorter":
            return honest
        said = {"longer": size + 5, "shorter": size - 5}.get(lie, size)
        lied = honest.replace(
            f"Content-Length: {size - begin}".encode(), f"Content-Length: {said - begin}".encode()
        )
        return lied + (b"and more" if lie == "more follows" else b"")

    target = str(tmp_path / "x")
    with answering(answer) as endpoint, storage(endpoint, []) as node:
        place = Place(Located(WORKSPACE, "w", "x"), node)
        got: Any = None
        try:
            download(place, target, size=size, etag=etag.partition('"')[2].rstrip('"'), told=nothing)
        except CommandError as error:
            got = str(error)
            assert not os.path.exists(target)
            assert lie != "more follows"
            assert any(said in got for said in ("copy it again", "replaced", "parts", "begin anew")), got
        if got is None:
            with open(target, "rb") as file:
                assert file.read() == body
        # The line that lied goes on for nobody: the next request gets its own answer.
        asked.append(b"honest from now on")
        if lie != "shorter":
            download(place, target, size=size, etag=etag.partition('"')[2].rstrip('"'), told=nothing)
            assert files(str(tmp_path)) == {"x": body}


def test_a_line_that_breaks_in_the_middle_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_requests, "UNDER_WAY_SECONDS", 0.2)
    monkeypatch.setattr(s3_requests, "FIRST_PAUSE_SECONDS", 0.01)
    asked = []

    def answer(head: bytes) -> bytes:
        asked.append(head)
        if len(asked) < 6:
            time.sleep(0.3)
            return b""
        return answer_of("200 OK", b"", 'ETag: "e"')

    with answering(answer) as endpoint, storage(endpoint, []) as node:
        node._patience = 0.1
        node.read(Request("PUT", "b", "x", body=b"abc"))
    assert len(asked) == 6
    asked.clear()
    put = Request("PUT", "b", "x", body=b"abc")
    with (
        answering(lambda head: asked.append(head) or b"") as endpoint,  # type: ignore[func-returns-value]
        storage(endpoint, []) as node,
    ):
        node._patience = 0.1
        with pytest.raises(CommandError):
            node.read(put)
    assert 1 < len(asked) < 20


@pytest.mark.parametrize("has_answered", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_a_server_that_is_gone_is_said_once(up: bool, has_answered: bool, tmp_path: Any) -> None:
    port, told = free_port(), []
    (tmp_path / "file").write_bytes(b"abc")
    with NodeStorage(lambda _: KEYS | {"endpoint": f"http://127.0.0.1:{port}"}, patience=0.5) as node:
        node._has_answered = has_answered
        place = Place(Located(WORKSPACE, "w", "x"), node)
        ends = (str(tmp_path / "file"), place) if up else (place, str(tmp_path / "came"))
        steps = [Copy(*ends, 3, "e") for _ in range(40)]
        with pytest.raises(
            CommandError, match=r"Nothing more is tried: 0 were copied before, 40 are left"
        ) as said:
            copy_all(steps, Progress(), overwrite=True, tell=told.append)
    assert f"nothing listens at http://127.0.0.1:{port}" in str(said.value)
    assert ("any more" in str(said.value)) == has_answered
    assert told == []


# --- keys and rights that end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_share_that_is_taken_back_in_the_middle(
    lab: Service, ada: Person, here: str, root: str, direction: str, request: pytest.FixtureRequest
) -> None:
    data, ben, count = named(request), lab.person("ben"), 60
    ada.wio("create", data, "--root", root)
    if direction == "down":
        for number in range(count):
            write(ada, f"{here}/{number:03}", BIG[: 300_000 + number])
        ada.wio("sync", here, data)
    for number in range(count):
        write(ben, f"mine-{data}/{number:03}", OTHER[: 300_000 + number])
    ada.wio("share", data, "ben", "--permission", "readwrite")
    folders = (f"./mine-{data}", f"ada/{data}") if direction == "up" else (f"ada/{data}", f"./got-{data}")
    command = ["wio", "sync", "--bandwidth", "2MB", *folders]
    running = subprocess.Popen(command, env=ben.env(), cwd=ben.home, stderr=subprocess.PIPE, text=True)
    got = os.path.join(ben.home, f"got-{data}")

    def come() -> int:
        if direction == "up":
            return len(ada.json("ls", data))
        return len([name for name in os.listdir(got) if not name.startswith(".")]) if os.path.isdir(got) else 0

    deadline = time.monotonic() + 60
    while come() < 8:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    ada.wio("unshare", data, "ben")
    begun = time.monotonic()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert time.monotonic() - begun < 15
    last = said.splitlines()[-1]
    assert "Nothing more is tried: " in last, said
    assert "are left, and the same command goes on with them." in last
    assert len(said.splitlines()) < 5, said
    copied, left = (int(last.partition(before)[2].split()[0]) for before in ("tried: ", "before, "))
    assert copied + left == count
    there = {one["path"]: one["size"] for one in ada.json("ls", data)}
    if direction == "up":
        assert copied <= len(there) < count
        assert all(size == 300_000 + int(name) for name, size in there.items())
    else:
        assert all(body == BIG[: 300_000 + int(name)] for name, body in files(got).items())
    ada.wio("share", data, "ben", "--permission", "readwrite")
    again = ben.run("sync", *folders)
    assert again.returncode == 0, again.stderr
    assert len(ada.json("ls", data)) == count
    ada.wio("workspace", "delete", data, "--delete-objects", "--yes")


def test_keys_that_end_while_the_service_is_away() -> None:
    asked = []

    def issue(_: bool) -> dict[str, Any]:
        asked.append(1)
        if len(asked) == 2:
            raise Refused("The node's server doesn't answer.", status=503)
        if len(asked) == 3:
            raise CommandError("nothing listens there.")
        until = (datetime.now(UTC) + timedelta(seconds=1 if len(asked) == 1 else 3600)).isoformat()
        keys = {"access_key_id": str(len(asked)), "secret_access_key": "s", "session_token": "", "region": "r"}
        return {**keys, "endpoint": "http://127.0.0.1:9", "expires_at": until}

    with NodeStorage(issue, patience=10.0) as node:
        assert node.keys().access_key_id == "1"
        time.sleep(1.1)
        assert node.keys().access_key_id == "4"


def test_a_session_that_has_ended_is_said_once(lab: Service, ada: Person, data: str, here: str) -> None:
    for number in range(60):
        write(ada, f"{here}/{number:03}", BIG[:300_000])
    carl = lab.colleague("carl")
    ada.wio("share", data, "carl", "--permission", "readwrite")
    for number in range(60):
        write(carl, f"mine/{number:03}", BIG[:300_000])
    command = ["wio", "sync", "--bandwidth", "2MB", "./mine", f"ada/{data}"]
    running = subprocess.Popen(command, env=carl.env(), cwd=carl.home, stderr=subprocess.PIPE, text=True)
    while len(ada.json("ls", data)) < 8:
        time.sleep(0.05)
    ada.wio("user", "disable", "carl")
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "wio login" in said.splitlines()[-1], said
    assert "Nothing more is tried" in said.splitlines()[-1]
    assert len(said.splitlines()) < 5


READ, WRITE, NONE = [{"id": 1, "level": "read", "folders": []}], [{"id": 1, "level": "own", "folders": []}], []
IN_A_FOLDER = [{"id": 1, "level": None, "folders": [{"folder": "x/", "level": "readwrite"}]}]


@pytest.mark.parametrize(
    ("answer", "down", "up"),
    [
        (Refused("sign in again.", status=401), "sign in again.", "sign in again."),
        (Refused("there is no such workspace.", status=404), "refused.", "refused."),
        (Refused("it is away.", status=503), "", ""),
        (CommandError("nothing listens there."), "", ""),
        (NONE, "refused.", "refused."),
        (READ, "", "refused."),
        (WRITE, "", ""),
        (IN_A_FOLDER, "", ""),
    ],
)
def test_who_issues_the_keys_is_asked_what_a_refusal_means(answer: Any, down: str, up: str) -> None:
    asked = []

    def issue(fresh: bool) -> dict[str, Any]:
        asked.append(fresh)
        if fresh and isinstance(answer, Exception):
            raise answer
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        keys = {"access_key_id": "a", "secret_access_key": "s", "session_token": "", "region": "r"}
        return {**keys, "endpoint": "http://127.0.0.1:9", "expires_at": until, "workspaces": answer}

    with NodeStorage(issue) as node:
        place = Place(Located(WORKSPACE, "w", "x"), node)
        assert ended.why(NotAllowed("refused."), Copy(place, "./x", 1)) == down
        assert ended.why(NotAllowed("refused."), Copy("./x", place, 1)) == up
        assert asked == [False, True, True]
        assert ended.why(CommandError("something else."), Copy(place, "./x", 1)) == ""
        assert len(asked) == 3


# --- clocks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "words"), [(3 * 3600, "3 h ahead of"), (-26 * 3600, "1 d behind")])
def test_a_wrong_clock_is_said_with_by_how_much(
    ada: Person, here: str, root: str, seconds: int, words: str, request: pytest.FixtureRequest
) -> None:
    data = named(request)
    ada.wio("create", data, "--root", root)
    for number in range(30):
        write(ada, f"{here}/{number}", b"x")
    write(ada, f"{here}-python/sitecustomize.py", WRONG_CLOCK.format(seconds + 90).encode())
    wrong = {"PYTHONPATH": os.path.join(ada.home, f"{here}-python")}
    for command in (("ls", data), ("sync", here, data), ("sync", data, f"{here}-down"), ("rm", f"{data}/x")):
        done = ada.shell("wio", *command, env=wrong)
        assert done.returncode == 1, (command, done.stderr)
        assert f"this machine's clock is {words}" in done.stderr, (command, done.stderr)
        assert "set it" in done.stderr
        assert done.stderr.count("\n") == 1, (command, done.stderr)
    assert ada.json("ls", data) == []
    ada.wio("sync", here, data)


# --- the pace --------------------------------------------------------------------------------------------------


def test_no_burst_goes_before_the_pace(ada: Person, data: str, here: str, proxy: CountingProxy) -> None:
    for name in ("a", "b", "c"):
        write(ada, f"{here}/{name}", BIG)
    before = len(proxy.exchanges)
    command = ["wio", "sync", "--bandwidth", "4MB", here, data]
    running = subprocess.Popen(command, env=ada.env(), cwd=ada.home, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (begun := [one.begun for one in proxy.exchanges[before:] if "uploads" in one.query]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(max(0.0, begun[0] + 4.5 - time.monotonic()))
        sent = sum(one.sent_bytes for one in proxy.exchanges[before:])
        passed = time.monotonic() - begun[0]
    finally:
        running.kill()
        running.wait()
    assert 8 << 20 <= sent < 4e6 * (passed + 1)


# --- disks and files -------------------------------------------------------------------------------------------


def test_a_disk_that_fills_and_has_room_again(
    ada: Person, data: str, here: str, proxy: CountingProxy, tmp_path: Any
) -> None:
    write(ada, f"{here}/big", BIG)
    write(ada, f"{here}/small", b"s")
    write(ada, f"{here}/zmall", BIG[:900_000])
    ada.wio("sync", here, data)
    with disk(str(tmp_path), size=40 * MIB) as small:
        with open(os.path.join(small.point, "old"), "wb") as file, suppress(OSError):
            file.write(bytes(small.free() - 12_000_000))
        os.mkdir(os.path.join(small.point, "got"))
        with open(os.path.join(small.point, "got", "big"), "wb") as file:
            file.write(b"as it was")
        done = ada.run("sync", data, os.path.join(small.point, "got"))
        assert (done.returncode, "No space left on device" in done.stderr) == (1, True), done.stderr
        assert "kept in" in done.stderr
        got = {name: body for name, body in files(os.path.join(small.point, "got")).items() if name[0] != "."}
        assert got["big"] == b"as it was"
        assert all(body == at_home(ada, here)[name] for name, body in got.items() if name != "big")
        os.unlink(os.path.join(small.point, "old"))
        before = len(proxy.exchanges)
        ada.wio("sync", data, os.path.join(small.point, "got"))
        assert files(os.path.join(small.point, "got")) == at_home(ada, here)
        came = sum(one.answered_bytes for one in proxy.exchanges[before:] if one.path.endswith("/big"))
        assert came < 16_000_000


@pytest.mark.parametrize("to", ["shrinks", "grows", "is replaced", "is gone"])
def test_a_file_that_changes_while_it_is_sent(
    ada: Person, data: str, here: str, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(ada.home, f"{here}-cache"))
    path = write(ada, f"{here}/big", BIG)
    changed = []

    def told(*_: object, **__: object) -> None:
        if changed:
            return
        changed.append(to)
        if to == "shrinks":
            os.truncate(path, 17_000_000)
        elif to == "grows":
            with open(path, "ab") as file:
                file.write(b"more")
        else:
            os.rename(path, f"{path}-away")
            if to == "is replaced":
                write(ada, f"{here}/big", OTHER)

    with place_in(ada, data) as place:
        if to == "is gone":  # the same file goes on being read: it is whole as it was
            uploads.upload(path, place("big"), told=told, overwrite=True)
            expected = BIG
        else:
            uploads.upload(path, place("big"), told=told, overwrite=True)
            expected = at_home(ada, here)["big" if to != "is replaced" else "big-away"]
        with open(os.path.join(ada.home, "got"), "wb") as file:
            file.writelines(place("big").content())
    with open(os.path.join(ada.home, "got"), "rb") as file:
        assert file.read() == expected
    assert changed
    records = os.path.join(ada.home, f"{here}-cache", "workspacesio", "uploads")
    assert not os.path.isdir(records) or os.listdir(records) == []


def test_an_object_that_is_replaced_or_deleted_while_it_comes(
    ada: Person, data: str, here: str, proxy: CountingProxy
) -> None:
    path = write(ada, f"{here}/big", BIG)
    write(ada, f"{here}/other", OTHER)
    for then in (["cp", "--yes", f"{here}/other", f"{data}/big"], ["rm", f"{data}/big"]):
        ada.wio("cp", f"{here}/big", f"{data}/big")
        done = []

        def told(*_: object, then: list[str] = then, done: list[int] = done, **__: object) -> None:
            if not done:
                done.append(1)
                ada.wio(*then)
                proxy.break_off()

        with place_in(ada, data) as place:
            details = place("big").details()
            if then[0] == "cp":
                download(place("big"), f"{path}-down", size=details.size, etag=details.etag, told=told)
                assert at_home(ada, here)["big-down"] == OTHER
            else:
                with pytest.raises(CommandError, match="there is no"):
                    download(place("big"), f"{path}-none", size=details.size, etag=details.etag, told=told)
                assert not os.path.exists(f"{path}-none")


# --- two at one time -------------------------------------------------------------------------------------------


def test_two_synchronisations_into_one_place(
    ada: Person, here: str, root: str, request: pytest.FixtureRequest
) -> None:
    data = named(request)
    ada.wio("create", data, "--root", root)
    ada.wio("create", f"{data}-2", "--root", root)
    names = [f"{number:03}" for number in range(40)]
    for side, body in (("one", BIG), ("two", OTHER)):
        for name in names:
            write(ada, f"{here}/{side}/{name}", body[: 20_000 + int(name)])
        write(ada, f"{here}/{side}/big", body[:18_000_000])

    def both(*commands: list[str]) -> list[str]:
        running = [
            subprocess.Popen(["wio", *command], env=ada.env(), cwd=ada.home, stderr=subprocess.PIPE, text=True)
            for command in commands
        ]
        said = [one.communicate(timeout=120)[1] for one in running]
        return [text for one, text in zip(running, said, strict=True) if one.returncode]

    def is_one_or_other(found: dict[str, bytes]) -> None:
        ones, others = at_home(ada, f"{here}/one"), at_home(ada, f"{here}/two")
        assert found.keys() == ones.keys()
        assert all(body in (ones[name], others[name]) for name, body in found.items())

    assert both(["sync", f"{here}/one", data], ["sync", f"{here}/two", data]) == []
    ada.wio("sync", data, f"{here}/seen")
    is_one_or_other(at_home(ada, f"{here}/seen"))
    ada.wio("sync", f"{here}/two", f"{data}-2")
    assert both(["sync", data, f"{here}/down"], ["sync", f"{data}-2", f"{here}/down"]) == []
    is_one_or_other(at_home(ada, f"{here}/down"))
    # The very same twice: whatever the one does not do is being done by the other.
    assert both(["sync", f"{here}/one", f"{data}/same"], ["sync", f"{here}/one", f"{data}/same"]) == []
    for said in both(["sync", f"{data}/same", f"{here}/same"], ["sync", f"{data}/same", f"{here}/same"]):
        told = [line for line in said.splitlines() if line.startswith("wio: ")]
        assert told
        assert all("is written by another copy under way" in line for line in told), said
    ada.wio("sync", f"{data}/same", f"{here}/same")
    assert at_home(ada, f"{here}/same") == at_home(ada, f"{here}/one")


# --- names -----------------------------------------------------------------------------------------------------


def test_a_file_where_the_other_side_has_a_folder(ada: Person, data: str, here: str) -> None:
    for path in ("up/a", "up/b/c", "up/z", "down/a/b", "down/b"):
        write(ada, f"{here}/{path}", path.encode())
    ada.wio("cp", f"{here}/up/z", f"{data}/a/b")
    ada.wio("cp", f"{here}/up/z", f"{data}/b")
    up = ada.run("sync", f"{here}/up", data)
    assert up.returncode == 1
    assert len([line for line in up.stderr.splitlines() if line.startswith("wio: ")]) == 2, up.stderr
    assert sorted(one["path"] for one in ada.json("ls", "-r", data)) == ["a/b", "b", "z"]
    write(ada, f"{here}/down2/a", b"file")
    write(ada, f"{here}/down2/b/c", b"in a folder")
    down = ada.run("sync", data, f"{here}/down2")
    told = [line for line in down.stderr.splitlines() if line.startswith("wio: ")]
    assert (down.returncode, len(told)) == (1, 2), down.stderr
    assert any("is a folder here" in line for line in told), told
    assert at_home(ada, f"{here}/down2") == {"a": b"file", "b/c": b"in a folder", "z": b"up/z"}


def test_names_as_long_as_they_may_be(ada: Person, data: str, here: str) -> None:
    prefix = ada.json("workspace", "show", data)["prefix"]
    room = 1024 - len(prefix)
    segments = ["s" * 200] * (room // 201)
    longest = "/".join([*segments, "x" * (room - 201 * len(segments))])
    assert len(f"{prefix}{longest}") == 1024
    name = "é" * 127 + "y"  # 255 bytes
    for path in (longest, f"{longest}1", name):
        write(ada, f"{here}/{path}", path[-9:].encode())
    said = ada.run("sync", here, data)
    assert said.returncode == 0
    assert "its name is too long for S3" in said.stderr
    assert said.stderr.count("wio: ") == 1
    assert sorted(one["path"] for one in ada.json("ls", "-r", data)) == sorted([longest, name])
    ada.wio("sync", data, f"{here}-down")
    assert at_home(ada, f"{here}-down") == {longest: longest[-9:].encode(), name: name[-9:].encode()}


# --- proxies on the way ----------------------------------------------------------------------------------------


def test_the_way_goes_through_the_proxy_that_the_environment_names(
    lab: Service, ada: Person, data: str, here: str
) -> None:
    write(ada, f"{here}/x", b"x")
    write(ada, f"{here}/big", BIG[:18_000_000])
    nobody = f"http://127.0.0.1:{free_port()}"
    done = ada.shell("wio", "sync", here, data, env={"http_proxy": nobody, "https_proxy": nobody})
    assert done.returncode == 0, done.stderr  # what is on this machine needs none
    with counting_proxy(lab.s3_url) as forward:
        issued = {**ada.json("token", data), "endpoint": "http://files.example.test"}
        workspace = ada.json("workspace", "show", data)
        os.environ["http_proxy"] = forward.endpoint
        try:
            with NodeStorage(lambda _: issued, patience=0.5) as node:
                place = Place(Located(workspace, data, "y"), node)
                uploads.upload(os.path.join(ada.home, here, "big"), place, told=nothing, overwrite=True)
                details = place.details()
                target = os.path.join(ada.home, here, "y")
                download(place, target, size=details.size, etag=details.etag, told=nothing)
            assert forward.exchanges
            os.environ["no_proxy"] = "example.test"
            with NodeStorage(lambda _: issued, patience=0.5) as node, pytest.raises(CommandError) as refused:
                Place(Located(workspace, data, "y"), node).details()
            assert "files.example.test" in str(refused.value)
        finally:
            del os.environ["http_proxy"]
            os.environ.pop("no_proxy", None)
    assert at_home(ada, here)["y"] == BIG[:18_000_000]


# --- what is kept of uploads -----------------------------------------------------------------------------------


def test_records_of_uploads_that_nobody_goes_on_with(ada: Person, data: str, here: str) -> None:
    kept = os.path.join(ada.home, ".cache", "workspacesio", "uploads")
    os.makedirs(kept, exist_ok=True)
    for name, days in (("old", 31), ("new", 6)):
        with open(os.path.join(kept, f"{name}.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        os.utime(file.name, (time.time() - days * 86400,) * 2)
    write(ada, f"{here}/big", BIG)
    ada.wio("cp", f"{here}/big", f"{data}/")
    assert [name for name in os.listdir(kept) if name in ("old.json", "new.json")] == ["new.json"]
    os.unlink(os.path.join(kept, "new.json"))


# --- deleting --------------------------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_through_and_not_gathered(ada: Person, data: str, here: str) -> None:
    folder = os.path.join(ada.service.folder, ada.json("workspace", "show", data)["prefix"])
    for number in range(2300):
        at = os.path.join(folder, f"x/{number % 7}")
        os.makedirs(at, exist_ok=True)
        with open(os.path.join(at, f"{number}-{'long' * 40}"), "wb"):
            pass
    write(ada, f"{here}/y", b"y")
    ada.wio("cp", f"{here}/y", f"{data}/")
    status, shown = on_terminal(ada, "wio", "rm", "-r", f"{data}/x", typed=[(b"for ever? [y/N] ", b"n\n")])
    assert (status, b"Delete 2,300 objects, 0 B" in shown) == (1, True)
    assert len(ada.wio("rm", "-r", "--dry-run", f"{data}/x").splitlines()) == 2300
    done = ada.run("rm", "-r", f"{data}/x", f"{data}/x/3", f"{data}/y")
    assert (done.returncode, "deleted" in done.stderr) == (0, True), done.stderr
    assert ada.json("ls", "-r", data) == []
    pages: list[int] = []

    class Watched(Place):
        def walk(self) -> Iterator[Item]:
            return (Item(f"{number}", 1) for number in range(60_000))

        def remove_all(self, items: Sequence[Item]) -> list[str]:
            pages.append(len(items))
            return [f"w/{items[0].path}: it stays"] if len(pages) == 1 else []

    tracemalloc.start()
    try:
        place = Watched(Located(WORKSPACE, "w", ""), None)  # type: ignore[arg-type]
        assert removing_commands._remove([(place, None)]) == 1
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert (max(pages), sum(pages)) == (1000, 60_000)
