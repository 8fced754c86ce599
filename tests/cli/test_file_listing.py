"""`wio ls`, `tree`, `find`, `stat`, `cat` and `head` on a service, as people type them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli.terminal import complete, on_terminal
from servers.service import Person, Service, service
from servers.tcp_proxy import tcp_proxy
from workspacesio.client.errors import CommandError
from workspacesio.client.objects import content
from workspacesio.client.s3_requests import NodeStorage, S3Refused

BIG = bytes(range(256)) * 40_000
FILES = {
    "data/a.tif": b"12345",
    "data/raw/b.tif": b"1" * 2048,
    "data/raw/deep/c.txt": b"one\ntwo\nthree\n",
    "data/raw.txt": b"beside the folder",
    "data/two\nlines.txt": b"x",
    "data/red\x1b[31m.txt": b"x",
    "data/a + b%20\xe9 100%.txt": b"spelled",
    "data/empty.bin": b"",
    "data/big.bin": BIG,
    "secret/plan.txt": b"for no eyes",
}
OLD = 1_500_000_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("files") / "lab")
    for path, body in FILES.items():
        whole = os.path.join(folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(body)
    os.utime(os.path.join(folder, "data/raw/b.tif"), (OLD, OLD))
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def ada(served: Service) -> Person:
    person = served.administrator()
    person.wio("root", "import", "existing", "data", "secret")
    return person


@pytest.fixture(scope="module")
def ben(served: Service, ada: Person) -> Person:
    """Holds a share of one folder."""
    person = served.colleague("ben")
    ada.wio("share", "data/raw/deep", "ben")
    return person


def names(printed: str) -> list[str]:
    return [line[30:] for line in printed.splitlines()]


def test_a_folder_is_listed_with_every_name(ada: Person) -> None:
    shown = [r"a + b%20é 100%.txt", "a.tif", "big.bin", "empty.bin", "raw.txt", "raw/", r"red\x1b[31m.txt"]
    assert names(ada.wio("ls", "data")) == [*shown, r"two\nlines.txt"]
    assert names(ada.wio("ls", "data/raw")) == ["b.tif", "deep/"] == names(ada.wio("ls", "ada/data/raw/"))
    (row,) = ada.wio("ls", "data/raw/b.tif").splitlines()
    assert re.fullmatch(r" +2\.0 KiB  2017-07-1[34] \d\d:\d\d  raw/b\.tif", row)
    assert names(ada.wio("ls", "-r", "data/raw")) == ["b.tif", "deep/c.txt"]


def test_several_are_listed_under_their_names(ada: Person) -> None:
    said = ada.wio("ls", "data/raw/deep", "secret")
    assert [line for line in said.splitlines() if line.endswith(":")] == ["data/raw/deep:", "secret/:"]


def test_json_is_one_document(ada: Person) -> None:
    listed: list[dict[str, Any]] = ada.json("ls", "-r", "data")
    assert [one["path"] for one in listed] == sorted(path[5:] for path in FILES if path.startswith("data/"))
    by_path = {one["path"]: one for one in listed}
    assert by_path["raw/b.tif"]["size"] == 2048
    assert by_path["raw/b.tif"]["modified"].startswith("2017-07-14T02:40:00")
    assert by_path["a.tif"]["reference"] == "ada/data/a.tif"
    assert {one["kind"] for one in ada.json("ls", "data/raw")} == {"object", "folder"}
    assert ada.json("find", "data", "--name", "nothing") == []


def test_what_is_not_there(ada: Person) -> None:
    assert "there is no data/nope" in ada.refused("ls", "data/nope")
    assert "there is no data/nope/" in ada.refused("ls", "data/nope/")
    assert "there is no data/nope" in ada.refused("stat", "data/nope")
    assert "there is no data/nope" in ada.refused("cat", "data/nope")
    assert "no workspace 'nope'" in ada.refused("ls", "nope")
    folder = ada.run("cat", "data/raw")
    assert (folder.returncode, "is a folder" in folder.stderr) == (2, True)
    assert ada.run("ls", "./data").returncode == 2
    assert ada.run("ls", "--recursive").returncode == 2
    assert ada.run("ls", "--shared", "data").returncode == 2


def test_a_share_of_a_folder_shows_the_way_to_it_and_nothing_else(ben: Person) -> None:
    assert names(ben.wio("ls", "ada/data")) == ["raw/"]
    assert names(ben.wio("ls", "ada/data/raw")) == ["deep/"]
    assert names(ben.wio("ls", "ada/data/raw/deep")) == ["c.txt"]
    assert names(ben.wio("ls", "-r", "ada/data")) == ["raw/deep/c.txt"]
    assert ben.wio("find", "ada/data", "--name", "*").splitlines() == ["ada/data/raw/deep/c.txt"]
    assert ben.wio("tree", "ada/data").split() == ["ada/data/", "└──", "raw/", "└──", "deep/", "└──", "c.txt"]
    assert ben.wio("cat", "ada/data/raw/deep/c.txt") == "one\ntwo\nthree\n"
    there, not_there = ben.refused("cat", "ada/data/a.tif"), ben.refused("cat", "ada/data/nope")
    assert "you don't reach ada/data/a.tif" in there
    assert there.replace("a.tif", "nope") == not_there
    assert ben.refused("ls", "ada/data/raw/b.tif").replace("raw/b.tif", "nope") == ben.refused(
        "ls", "ada/data/nope"
    )
    assert "no workspace 'ada/secret'" in ben.refused("ls", "ada/secret")


def test_a_share_that_was_taken_back_shuts_at_once(served: Service, ada: Person) -> None:
    eve = served.colleague("eve")
    ada.wio("share", "data/raw", "eve")
    assert names(eve.wio("ls", "ada/data/raw")) == ["b.tif", "deep/"]
    assert eve.wio("head", "-c", "1", "ada/data/raw/b.tif") == "1"
    ada.wio("unshare", "data/raw", "eve")
    for command in (
        ("ls", "ada/data/raw"),
        ("head", "ada/data/raw/b.tif"),
        ("find", "ada/data"),
        ("stat", "ada/data"),
    ):
        eve.refused(*command)


def test_the_tree(ada: Person) -> None:
    tree = ada.wio("tree", "data/raw").splitlines()
    assert tree == ["data/raw", "├── b.tif", "└── deep/", "    └── c.txt"]
    assert ada.wio("tree", "-d", "data").splitlines() == ["data/", "└── raw/", "    └── deep/"]
    assert ada.wio("tree", "-L", "1", "data/raw").splitlines() == ["data/raw", "├── b.tif", "└── deep/"]


def test_what_is_found(ada: Person) -> None:
    assert ada.wio("find", "data", "--name", "*.tif").splitlines() == ["data/a.tif", "data/raw/b.tif"]
    assert ada.wio("find", "data/raw", "secret", "--name", "*.t?t").splitlines() == [
        "data/raw/deep/c.txt",
        "secret/plan.txt",
    ]
    assert ada.wio("find", "data", "--path", "raw/*").splitlines() == ["data/raw/b.tif", "data/raw/deep/c.txt"]
    assert ada.wio("find", "data", "--larger", "1KiB", "--smaller", "3kB").splitlines() == ["data/raw/b.tif"]
    assert ada.wio("find", "data", "--older", "4w").splitlines() == ["data/raw/b.tif"]
    assert "data/raw/b.tif" not in ada.wio("find", "data", "--newer", "4w", "-0")
    broken = ada.run("find", "data", "--name", "*lines*")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert r"two\nlines.txt" in broken.stderr
    assert ada.wio("find", "data", "--name", "*lines*", "-0") == "data/two\nlines.txt\0"
    again = ada.shell("bash", "-c", "wio find data --name '*lines*' -0 | xargs -0 wio cat")
    assert (again.returncode, again.stdout) == (0, "x")
    for size in ("x", "1XB", "-1", "1e400", "K", ""):
        assert ada.run("find", "data", "--larger", size).returncode == 2


def test_what_is_stored_with_an_object(served: Service, ada: Person) -> None:
    told = ada.json("stat", "data/raw/b.tif")
    assert (told["size"], told["content_type"], told["address"]) == (2048, "image/tiff", "s3://lab/data/raw/b.tif")
    assert told["modified"].startswith("2017-07-14T02:40:00")
    assert "2,048 bytes (2.0 KiB)" in ada.wio("stat", "data/raw/b.tif")
    both = ada.json("stat", "data", "data/raw")
    assert [(one["kind"], one["address"]) for one in both] == [
        ("workspace", "s3://lab/data/"),
        ("folder", "s3://lab/data/raw/"),
    ]
    credential = ada.token("data")
    environment = {
        "AWS_ACCESS_KEY_ID": credential["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credential["secret_access_key"],
        "AWS_SESSION_TOKEN": credential["session_token"],
    }
    done = ada.shell(
        *("aws", "s3", "cp", "-", "s3://lab/data/told.txt", "--metadata", "camera=two"),
        *("--endpoint-url", credential["endpoint"], "--region", credential["region"]),
        stdin="x",
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert ada.json("stat", "data/told.txt")["metadata"] == {"camera": "two"}
    os.unlink(os.path.join(served.folder, "data", "told.txt"))


def test_bytes_are_printed_as_they_are(ada: Person) -> None:
    done = ada.shell("bash", "-c", "wio cat data/big.bin data/empty.bin data/a.tif | sha256sum")
    assert done.stdout.split()[0] == hashlib.sha256(BIG + b"12345").hexdigest()
    assert ada.wio("head", "-n", "2", "data/raw/deep/c.txt") == "one\ntwo\n"
    assert ada.wio("head", "data/raw/deep/c.txt") == "one\ntwo\nthree\n"
    assert ada.wio("head", "-n", "0", "data/a.tif") == "" == ada.wio("head", "data/empty.bin")
    assert ada.wio("head", "-c", "3", "data/a.tif", "data/empty.bin") == "123"
    assert ada.wio("cat", "data/a + b%20é 100%.txt") == "spelled"
    quiet = ada.shell("bash", "-c", "wio cat data/big.bin | head -c 10 | wc -c; exit ${PIPESTATUS[1]}")
    assert (quiet.stdout.strip(), quiet.stderr) == ("10", "")


def test_on_a_terminal_the_sum_is_told(ada: Person) -> None:
    status, shown = on_terminal(ada, "wio", "ls", "data/raw")
    assert status == 0
    assert b"1 object, 2.0 KiB; 1 folder" in shown


@contextmanager
def storage_through(address: str, ada: Person) -> Iterator[tuple[NodeStorage, list[bool]]]:
    """The service's endpoint through a proxy, and how often keys were asked for."""
    asked: list[bool] = []

    def issue(fresh: bool) -> dict[str, Any]:
        asked.append(fresh)
        issued: dict[str, Any] = json.loads(ada.wio("token", "data", "--json", *(["--fresh"] if fresh else [])))
        return {**issued, "endpoint": address}

    with NodeStorage(issue, patience=5.0) as storage:
        yield storage, asked


def test_reading_goes_on_where_connections_break(served: Service, ada: Person) -> None:
    with tcp_proxy(served.s3_url) as proxy, storage_through(proxy.endpoint, ada) as (storage, _):
        proxy.answered_bytes = 3_000_000
        assert b"".join(content(storage, "lab", "data/big.bin")) == BIG
        assert b"".join(content(storage, "lab", "data/big.bin", first=7_000_000)) == BIG[:7_000_000]
        proxy.answered_bytes = None
        proxy.mode = "refuse"
        storage.disconnect()
        with pytest.raises(CommandError):
            list(content(storage, "lab", "data/big.bin", patience=0.5))


def test_a_replaced_object_is_not_mixed_with_the_one_before(served: Service, ada: Person) -> None:
    whole = os.path.join(served.folder, "data", "changing.bin")
    with open(whole, "wb") as file:
        file.write(b"1" * 8_000_000)
    with tcp_proxy(served.s3_url) as proxy, storage_through(proxy.endpoint, ada) as (storage, _):
        proxy.answered_bytes = 2_000_000
        read: list[bytes] = []
        pieces = content(storage, "lab", "data/changing.bin")
        read.append(next(pieces))
        with open(whole + ".new", "wb") as file:
            file.write(b"2" * 8_000_000)
        os.replace(whole + ".new", whole)
        with pytest.raises(CommandError, match="replaced while it was read"):
            read.extend(pieces)
        assert set(b"".join(read)) == {ord("1")}
    os.unlink(whole)


def test_keys_that_ended_are_asked_for_again_once(served: Service, ada: Person) -> None:
    with storage_through(served.s3_url, ada) as (storage, asked):
        for one in ada.json("credential", "ls"):
            ada.run("credential", "revoke", str(one["id"]))
        assert b"".join(content(storage, "lab", "data/a.tif")) == b"12345"
        assert asked == [False, True]
        with pytest.raises(S3Refused) as refused:
            next(content(storage, "lab", "secret/plan.txt"))
        assert refused.value.status == 403
        assert asked == [False, True]


@pytest.mark.parametrize(("wrong", "said"), [(7300, "2 h ahead of"), (-7300, "2 h behind")])
def test_a_clock_that_is_wrong_is_said_with_by_how_much(
    served: Service, ada: Person, monkeypatch: pytest.MonkeyPatch, wrong: int, said: str
) -> None:
    with storage_through(served.s3_url, ada) as (storage, _):
        right = time.time
        monkeypatch.setattr(time, "time", lambda: right() + wrong)
        storage._renew_at = storage._ends_at = right() + 100_000  # for the clock is wrong for them, too
        with pytest.raises(S3Refused) as refused:
            list(content(storage, "lab", "data/a.tif"))
    assert f"this machine's clock is {said}" in str(refused.value)
    assert str(refused.value).endswith("set it, and try again.")


def test_watching_shows_what_one_may_see_and_ends_with_the_right(served: Service, ada: Person) -> None:
    del served
    eve = ada.service.colleague("eva")
    ada.wio("share", "data/raw", "eva")
    command = ["wio", "watch", "--json", "ada/data/raw"]
    with subprocess.Popen(
        command, env=eve.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        stop = threading.Event()

        def write() -> None:
            while not stop.wait(0.3):
                ada.wio("pipe", "data/hidden", stdin="x")
                ada.wio("pipe", "data/raw/two\nlines", stdin="four")
                ada.wio("rm", "data/raw/two\nlines")

        writer = threading.Thread(target=write)
        writer.start()
        seen = [json.loads(watching.stdout.readline()) for _ in range(4)]
        stop.set()
        writer.join()
        ada.wio("unshare", "data/raw", "eva")
        rest, said = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert "watching ada:data/raw has ended" in said
    seen += map(json.loads, rest.splitlines())
    assert {one["path"] for one in seen} == {"raw/two\nlines"}
    assert {(one["event"].partition(":")[2].partition(":")[0], one["size"]) for one in seen} == {
        ("ObjectCreated", 4),
        ("ObjectRemoved", None),
    }
    assert all(one["reference"] == "ada/data/raw/two\nlines" for one in seen)
    ada.wio("rm", "data/hidden")


def test_paths_are_completed(ada: Person, ben: Person) -> None:
    assert complete(ada, "wio ls data/r") == {"data/raw/", "data/raw.txt"}
    assert complete(ada, "wio cat data/raw/d") == {"data/raw/deep/"}
    assert complete(ada, "wio cp ada/data/raw/") == {"ada/data/raw/b.tif", "ada/data/raw/deep/"}
    assert complete(ben, "wio ls ada/data/") == {"ada/data/", "ada/data/raw/"}
    assert complete(ben, "wio ls ada/data/raw/d") == {"ada/data/raw/deep/"}
    assert complete(ben, "wio ls ada/secret/") == set()
    os.mkdir(os.path.join(ada.home, "datasets"))
    assert {"data/", "datasets/"} <= complete(ada, "wio cp data")
    assert complete(ada, "wio cp ./data") == {"./datasets/"}
    os.rmdir(os.path.join(ada.home, "datasets"))
