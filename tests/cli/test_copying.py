"""`wio cp`, `mv` and `rm`: up, down and between, over connections that break, and after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from cli.terminal import on_terminal
from servers.service import Person, Service
from servers.tcp_proxy import Proxy, tcp_proxy
from workspacesio.client import multipart, uploads
from workspacesio.client.copy_plan import Copy, LeftOut, Named, plan
from workspacesio.client.copying import Progress, copy_all, name_of
from workspacesio.client.errors import CommandError
from workspacesio.client.moving import remove_source
from workspacesio.client.places import Place
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage
from workspacesio.client.signature import Request

BIG = random.Random(1).randbytes(40_000_000)
SIZES = (0, 1, 1000, uploads.SINGLE_BYTES, uploads.SINGLE_BYTES + 1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two nodes: first and second, each a folder."""
    lab = str(tmp_path_factory.mktemp("lab"))
    for name in ("first", "second"):
        os.makedirs(os.path.join(lab, name))
    running = Service(os.path.join(lab, "first"), base=str(tmp_path_factory.mktemp("service")))
    running.environment["WIO_FOLDER_PATHS"] = lab
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ada(served: Service) -> Person:
    person = served.administrator()
    person.json("node", "add", "folder", "other", os.path.join(os.path.dirname(served.folder), "second"))
    person.wio("root", "create", "other", "second", "--type", "private", "--name", "there")
    person.wio("create", "away", "--root", "there")
    return person


@pytest.fixture
def data(served: Service, ada: Person, request: pytest.FixtureRequest) -> Iterator[str]:
    """A workspace of the test's own, by name."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    ada.wio("create", name, "--root", "private")
    yield name
    ada.wio("workspace", "delete", name, "--delete-objects", "--yes")


@pytest.fixture
def here(ada: Person, tmp_path: os.PathLike[str]) -> str:
    """A folder of the test's own in ada's home, as she types it."""
    folder = os.path.join(ada.home, os.path.basename(tmp_path))
    os.mkdir(folder)
    return f"./{os.path.basename(folder)}"


def whole(person: Person, path: str) -> str:
    return os.path.join(person.home, path)


def write(person: Person, path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(whole(person, path)), exist_ok=True)
    with open(whole(person, path), "wb") as file:
        file.write(content)


def read(person: Person, path: str) -> bytes:
    with open(whole(person, path), "rb") as file:
        return file.read()


def below(folder: str) -> set[str]:
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def stored(served: Service, data: str) -> str:
    return os.path.join(served.folder, "private", "ada", data)


def test_there_and_back_in_every_size(served: Service, ada: Person, data: str, here: str) -> None:
    for size in SIZES:
        write(ada, f"{here}/up/{size}/ü %20 x.bin", BIG[:size])
    said = ada.run("cp", "-r", f"{here}/up/", f"{data}/")
    assert (said.returncode, said.stdout) == (0, "")
    assert "5 objects, 32.0 MiB copied" in said.stderr
    for size in SIZES:
        with open(os.path.join(stored(served, data), str(size), "ü %20 x.bin"), "rb") as file:
            assert file.read() == BIG[:size]
    ada.wio("cp", "-r", f"{data}/", f"{here}/down")
    assert below(whole(ada, f"{here}/down")) == {f"{size}/ü %20 x.bin" for size in SIZES}
    for size in SIZES:
        assert read(ada, f"{here}/down/{size}/ü %20 x.bin") == BIG[:size]


def test_where_things_go(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/res/a.csv", b"a")
    write(ada, f"{here}/res/sub/b.csv", b"b")

    def goes(*paths: str) -> set[str]:
        listed = ada.run("cp", "-r", "--dry-run", *paths)
        assert listed.returncode == 0, listed.stderr
        return {line.partition(" -> ")[2] for line in listed.stdout.splitlines()}

    into, new = {"res/a.csv", "res/sub/b.csv"}, {"a.csv", "sub/b.csv"}
    assert goes(f"{here}/res", f"{data}/x/") == {f"{data}/x/{path}" for path in into}
    assert goes(f"{here}/res", data) == {f"{data}/{path}" for path in into}
    assert goes(f"{here}/res", f"{data}/x") == {f"{data}/x/{path}" for path in new}
    assert goes(f"{here}/res/", f"{data}/x/") == {f"{data}/x/{path}" for path in new}
    assert goes(f"{here}/res/a.csv", f"{data}/x") == {f"{data}/x"}
    assert goes(f"{here}/res/a.csv", f"{here}/res/sub/b.csv", f"{data}/x") == {
        f"{data}/x/a.csv",
        f"{data}/x/b.csv",
    }
    for contents in ("res/.", "res/sub/.."):
        assert goes(f"{here}/{contents}", f"{data}/x/") == {f"{data}/x/{path}" for path in new}
    assert goes(f"{here}/res/", data, "--include", "*.csv", "--exclude", "sub/*") == {f"{data}/a.csv"}
    ada.wio("cp", "-r", f"{here}/res", f"{data}/")
    assert goes(f"{data}/res", here) == {f"{here}/{path}" for path in into}
    assert goes(f"{data}/", here) == {f"{here}/{path}" for path in into}
    assert goes(data, here) == {f"{here}/{data}/{path}" for path in into}
    assert goes(f"{data}/res", f"{here}/new") == {f"{here}/new/{path}" for path in new}
    assert goes(f"{data}/res/", "away/y") == {f"away/y/{path}" for path in new}
    assert ada.json("ls", "-r", "away") == []


def test_wrong_usage_copies_nothing(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/a", b"a")
    write(ada, f"{here}/d/b", b"b")
    for paths in (
        (f"{here}/d", f"{data}/"),
        (f"{here}/a", f"{here}/b"),
        (f"{here}/a",),
        ("-r", f"{data}/", f"{data}/inner/"),
        (f"{here}/a", f"{here}/d/b", f"{data}/", f"{here}/nofolder"),
    ):
        done = ada.run("cp", *paths)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.count("\n") == 1
    assert "there is no file" in ada.refused("cp", f"{here}/nope", f"{data}/")
    assert f"there is no {data}/nope" in ada.refused("cp", f"{data}/nope", here)
    for command in (("cp", "-r"), ("mv", "-r")):
        assert f"there is no {data}/nope/" in ada.refused(*command, f"{data}/nope/", here)
    for command in ("find", "tree", "ls"):
        assert f"there is no {data}/nope/" in ada.refused(command, f"{data}/nope/")
    assert "no workspace 'nope/x'" in ada.refused("cp", f"{here}/a", "nope/x")
    assert ada.json("ls", "-r", data) == []


def test_names_that_mean_nothing(ada: Person, data: str, here: str) -> None:
    for paths in ((f"{data}/a", "-"), ("-", f"{data}/a"), (here, os.fsdecode(f"{data}/".encode() + b"\xff"))):
        refused = ada.run("cp", *paths)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "\\x1b[31mred" in ada.refused("cat", f"{data}/\x1b[31mred")
    write(ada, f"{here}/t.csv.gz", b"packed")
    ada.wio("cp", f"{here}/t.csv.gz", f"{data}/")
    assert ada.json("stat", f"{data}/t.csv.gz")["content_type"] == "application/gzip"


def test_a_file_that_is_gone_holds_up_no_other(tmp_path: os.PathLike[str]) -> None:
    from workspacesio.client.comparing import Pair, pairs
    from workspacesio.client.copy_plan import Patterns

    for name in ("a", "b", "c"):
        with open(os.path.join(tmp_path, name), "wb"):
            pass
    found = pairs(str(tmp_path), os.path.join(tmp_path, "none"), Patterns())
    first = next(found)
    os.unlink(os.path.join(tmp_path, "b"))
    assert isinstance(first, Pair)
    assert [type(one) for one in found] == [LeftOut, Pair]


def test_folders_of_any_depth_and_no_parts_of_downloads(tmp_path: os.PathLike[str]) -> None:
    from workspacesio.client.copy_plan import local_files

    # Each level costs two bytes of a path, which has at most 4,096.
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        with suppress(FileExistsError):
            os.mkdir("a", dir_fd=at)
        below, at = at, os.open("a", os.O_RDONLY, dir_fd=at)
        os.close(below)
    for name in ("leaf", ".wio-0123.part"):
        os.close(os.open(name, os.O_CREAT, dir_fd=at))
    os.close(at)
    assert [path for path, _ in local_files(str(tmp_path))] == ["a/" * 1500 + "leaf"]
    ((_, too_deep),) = local_files(str(tmp_path) + "/a/.." * 300)  # a path of more than 4,096 bytes on the way
    assert isinstance(too_deep, LeftOut)
    assert too_deep.failed
    subprocess.run(["rm", "-rf", os.path.join(tmp_path, "a")], check=True)


def test_two_of_one_name_are_not_made_one(ada: Person, data: str, here: str) -> None:
    for path in ("one/x", "two/x", "two/y"):
        write(ada, f"{here}/{path}", path.encode())
    for command in ("cp", "mv"):
        done = ada.run(command, f"{here}/one/x", f"{here}/two/x", f"{data}/")
        assert (done.returncode, "two of these are called 'x'" in done.stderr) == (2, True)
    done = ada.run("mv", "-r", f"{here}/one/", f"{here}/two/", data)
    assert (done.returncode, f"another one goes to {data}/x" in done.stderr) == (1, True)
    assert below(whole(ada, here)) == {"two/x"}
    assert ada.wio("cat", f"{data}/x", f"{data}/y") == "one/xtwo/y"


def test_what_is_no_file_is_left_out_and_told(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/d/a", b"linked")
    os.symlink("a", whole(ada, f"{here}/d/link"))
    os.symlink("..", whole(ada, f"{here}/d/up"))
    os.symlink("nowhere", whole(ada, f"{here}/d/broken"))
    os.mkfifo(whole(ada, f"{here}/d/pipe"))
    os.mkdir(whole(ada, f"{here}/d/empty"))
    with open(os.fsencode(whole(ada, f"{here}/d/")) + b"\xff", "wb"):
        pass
    done = ada.run("cp", "-r", "--json", f"{here}/d/", f"{data}/")
    told = json.loads(done.stdout)
    assert (done.returncode, told["copied"], told["failed"]) == (0, 2, [])
    reasons = {os.path.basename(one["name"]): one["reason"] for one in told["left_out"]}
    assert set(reasons) == {"up", "broken", "pipe", "\udcff"}
    assert "link to a folder" in reasons["up"]
    assert [one["path"] for one in ada.json("ls", "-r", data)] == ["a", "link"]
    assert ada.wio("cat", f"{data}/link") == "linked"


def test_names_that_no_local_file_can_have() -> None:
    class Hostile(Place):
        def is_folder(self) -> bool:
            return True

        def details(self) -> Any:
            raise AssertionError

        def at(self, path: str) -> Hostile:
            return Hostile(Located(self.workspace, self.typed, path), self.storage)

        def walk(self) -> Iterator[Any]:
            from workspacesio.client.places import Item

            long = "é" * 128 + "/x"
            for path in ("../../x", "a/../../x", "/etc/x", "a//b", "a/./b", "a\0b", long, "fine", "folder/"):
                yield Item(path, 1)
            yield Item("empty/", 0)

    workspace = {"owner": "a", "name": "w", "bucket": "b", "prefix": "w/", "node": "n", "id": 1, "level": "read"}
    source = Hostile(Located(workspace, "w", ""), None)  # type: ignore[arg-type]
    steps = list(plan([Named("w/", source)], Named("t/", "t"), recursive=True))
    assert [step.target for step in steps if not isinstance(step, LeftOut)] == [os.path.join("t", "fine")]
    assert sum(isinstance(step, LeftOut) for step in steps) == 8


def test_within_a_node_and_between_nodes(served: Service, ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/a/small.csv", b"small")
    write(ada, f"{here}/a/big.bin", BIG)
    ada.wio("cp", "-r", f"{here}/a/", f"{data}/a")
    assert "can't be copied to itself" in ada.run("mv", "-r", f"{data}/a", data).stderr
    ada.wio("cp", "-r", f"{data}/a", f"{data}/b/")
    assert [one["path"] for one in ada.json("ls", "-r", f"{data}/b")] == ["b/a/big.bin", "b/a/small.csv"]
    ada.wio("cp", "-r", f"{data}/a", "away/")
    second = os.path.join(os.path.dirname(served.folder), "second", "ada", "away", "a")
    assert below(second) == {"small.csv", "big.bin"}
    with open(os.path.join(second, "big.bin"), "rb") as file:
        assert file.read() == BIG
    assert ada.json("stat", "away/a/small.csv")["content_type"] == "text/csv"
    ada.wio("mv", "-r", "away/a", f"{here}/moved")
    assert below(whole(ada, f"{here}/moved")) == {"small.csv", "big.bin"}
    assert ada.json("ls", "-r", "away") == []
    ada.wio("mv", f"{here}/moved/small.csv", f"{data}/moved.csv")
    assert not os.path.exists(whole(ada, f"{here}/moved/small.csv"))
    assert ada.wio("cat", f"{data}/moved.csv") == "small"


def test_what_is_stored_with_an_object_goes_with_it(served: Service, ada: Person, data: str) -> None:
    kept = {
        "Content-Type": "text/csv",
        "Content-Encoding": "gzip",
        "Content-Language": "de",
        "Content-Disposition": 'attachment; filename="x"',
        "Cache-Control": "no-store",
    }
    with through_a_proxy(served, ada, data) as (_, place):
        at = place("packed")
        headers = {**kept, "x-amz-meta-run": "7"}
        at.storage.read(Request("PUT", at.bucket, at.key(), headers=headers, body=b"packed"))
    ada.wio("cp", f"{data}/packed", "away/packed")
    workspace, issued = ada.json("workspace", "show", "away"), ada.json("token", "away")
    with NodeStorage(lambda _: issued) as storage:
        there = Place(Located(workspace, "away", "packed"), storage).details()
    assert (there.content_headers, there.metadata) == (kept, {"run": "7"})
    ada.wio("rm", "away/packed")


def test_overwriting_is_asked_for_on_a_terminal(ada: Person, data: str, here: str) -> None:
    for name in ("a", "b", "c"):
        write(ada, f"{here}/{name}", b"new")
    ada.wio("cp", f"{here}/a", f"{data}/")
    ada.wio("cp", f"{here}/b", f"{data}/")
    write(ada, f"{here}/a", b"newer")
    command = ("wio", "cp", "-r", f"{here}/", f"{data}/")
    status, shown = on_terminal(ada, *command, typed=[(b"already. Overwrite? [y/N] ", b"n\n")])
    assert (status, b"/a and 1 other exist already" in shown) == (1, True)
    assert b"2 not overwritten" in shown
    assert (ada.wio("cat", f"{data}/a"), ada.wio("cat", f"{data}/c")) == ("new", "new")
    status, shown = on_terminal(ada, *command, typed=[(b"already. Overwrite? [y/N] ", b"y\n")])
    assert (status, ada.wio("cat", f"{data}/a")) == (0, "newer")
    write(ada, f"{here}/a", b"mine")
    status, _ = on_terminal(ada, "wio", "cp", f"{data}/a", here, typed=[(b"Overwrite? [y/N] ", b"n\n")])
    assert (status, read(ada, f"{here}/a")) == (1, b"mine")
    status, _ = on_terminal(ada, "wio", "cp", "--yes", f"{data}/a", here)
    assert (status, read(ada, f"{here}/a")) == (0, b"newer")


def test_who_may_only_read(served: Service, ada: Person, data: str, here: str) -> None:
    ben = served.colleague("ben")
    write(ada, f"{here}/x/1", b"1")
    ada.wio("cp", "-r", f"{here}/x", f"{data}/")
    ada.wio("share", f"{data}/x", "ben")
    ben.wio("cp", "-r", f"ada/{data}", "./got")
    assert below(whole(ben, "got")) == {"x/1"}
    assert "you may read" in ben.refused("cp", "./got/x/1", f"ada/{data}/x/2")
    refused = ben.refused("mv", f"ada/{data}/x/1", "./moved")
    assert "it is copied, but stays where it was: you may read" in refused
    assert "You may read here, but not write" in ben.refused("rm", f"ada/{data}/x/1")
    assert "you don't reach" in ben.refused("cp", "./got/x/1", f"ada/{data}/y/2")
    assert [one["path"] for one in ada.json("ls", "-r", data)] == ["x/1"]
    ada.wio("unshare", f"{data}/x", "ben")
    ben.refused("cp", f"ada/{data}/x/1", "./again")
    assert not os.path.exists(whole(ben, "again"))


def test_what_is_deleted(ada: Person, data: str, here: str) -> None:
    for name in ("a", "b/1", "b/2", "b/two\nlines", "c"):
        write(ada, f"{here}/{name}", b"x")
    ada.wio("cp", "-r", f"{here}/", f"{data}/")
    assert ada.run("rm", f"{data}/b").returncode == 2
    assert ada.run("rm", f"{here}/a").returncode == 2
    assert len(ada.wio("rm", "-r", "--dry-run", f"{data}/b").splitlines()) == 3
    status, shown = on_terminal(ada, "wio", "rm", "-r", f"{data}/b", typed=[(b"for ever? [y/N] ", b"\n")])
    assert (status, b"Delete 3 objects, 3 B" in shown) == (1, True)
    assert len(ada.json("ls", "-r", data)) == 5
    ada.wio("rm", "-r", f"{data}/b", f"{data}/c")
    assert [one["path"] for one in ada.json("ls", "-r", data)] == ["a"]
    status, _ = on_terminal(ada, "wio", "rm", f"{data}/a")
    assert (status, ada.json("ls", "-r", data)) == (0, [])
    assert "there is no" in ada.refused("rm", f"{data}/a")


@contextmanager
def through_a_proxy(served: Service, ada: Person, data: str) -> Iterator[tuple[Proxy, Callable[[str], Place]]]:
    with tcp_proxy(served.s3_url) as proxy:
        workspace = ada.json("workspace", "show", data)

        def issue(fresh: bool) -> dict[str, Any]:
            del fresh
            issued: dict[str, Any] = ada.json("token", data)
            return {**issued, "endpoint": proxy.endpoint}

        with NodeStorage(issue, patience=5.0) as storage:
            yield proxy, lambda path: Place(Located(workspace, data, path), storage)


def test_an_upload_survives_cut_connections(
    served: Service, ada: Person, data: str, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", whole(ada, f"{here}/cache"))
    write(ada, f"{here}/big", BIG)
    with through_a_proxy(served, ada, data) as (proxy, place):
        cut = proxy.cut_request(3, answered=True)
        told: list[int] = []
        big = whole(ada, f"{here}/big")
        uploads.upload(big, place("big"), told=lambda count, **_: told.append(count), overwrite=True)
        assert cut.done
        assert sum(told) == len(BIG)
    with open(os.path.join(stored(served, data), "big"), "rb") as file:
        assert file.read() == BIG
    assert below(whole(ada, f"{here}/cache/workspacesio/uploads")) == set()


def test_parts_of_another_content_are_not_gone_on_with(
    served: Service, ada: Person, data: str, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", whole(ada, f"{here}/cache"))
    write(ada, f"{here}/big", BIG)
    big = whole(ada, f"{here}/big")
    status = os.stat(big)

    kept = []

    def breaks_off(_: int, **__: object) -> None:
        raise CommandError("it is so.")

    def goes_on(_: int, **by: bool) -> None:
        kept.append("kept" in by)

    with through_a_proxy(served, ada, data) as (_, place):
        with pytest.raises(CommandError, match="it is so"):
            uploads.upload(big, place("big"), told=breaks_off, overwrite=True)
        assert len(os.listdir(whole(ada, f"{here}/cache/workspacesio/uploads"))) == 1
        with open(big, "r+b") as file:  # as a program does that sets times back
            file.write(b"another")
        os.utime(big, ns=(status.st_atime_ns, status.st_mtime_ns))
        uploads.upload(big, place("big"), told=goes_on, overwrite=True)
    assert True in kept
    with open(os.path.join(stored(served, data), "big"), "rb") as file:
        assert file.read() == b"another" + BIG[7:]


def test_an_upload_that_was_killed_sends_only_what_is_missing(
    served: Service, ada: Person, data: str, here: str
) -> None:
    size = 12 * multipart.PART_BYTES
    write(ada, f"{here}/big", (BIG * 3)[:size])
    with tcp_proxy(served.s3_url) as proxy:
        workspace = ada.json("workspace", "show", data)
        issued = {**ada.json("token", data), "endpoint": proxy.endpoint}
        code = f"""
import json, sys, time
from workspacesio.client import uploads
from workspacesio.client.places import Place
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage
sent = 0
def told(count, kept=False):
    global sent
    sent += count
    print(sent, flush=True)
    time.sleep(0.05)
storage = NodeStorage(lambda fresh: json.loads({json.dumps(json.dumps(issued))}))
place = Place(Located(json.loads({json.dumps(json.dumps(workspace))}), {data!r}, "big"), storage)
uploads.upload({whole(ada, f"{here}/big")!r}, place, told=told, overwrite=True)
"""
        python = os.path.join(os.path.dirname(os.path.realpath(served_wio())), "python")
        command = [python, "-c", code]
        first = subprocess.Popen(command, env=ada.env(), stdout=subprocess.PIPE, text=True)
        assert first.stdout is not None
        while int(first.stdout.readline()) < 5 * multipart.PART_BYTES:
            pass
        first.send_signal(signal.SIGKILL)
        first.communicate()
        assert not os.path.exists(os.path.join(stored(served, data), "big"))
        before = proxy.received_bytes
        second = subprocess.run(command, env=ada.env(), capture_output=True, text=True, check=False)
        assert second.returncode == 0, second.stderr
        sent = proxy.received_bytes - before
        assert sent <= size - 4 * multipart.PART_BYTES, sent
    with open(os.path.join(stored(served, data), "big"), "rb") as file:
        assert file.read() == (BIG * 3)[:size]


def served_wio() -> str:
    from cli.home import WIO

    return WIO


def test_a_download_that_was_killed_goes_on(served: Service, ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/big", BIG * 4)
    ada.wio("cp", f"{here}/big", f"{data}/")
    command = ["wio", "cp", f"{data}/big", f"{here}/down"]
    first = subprocess.Popen(command, env=ada.env(), cwd=ada.home, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (kept := [name for name in os.listdir(whole(ada, here)) if name.endswith(".part")]):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    part = whole(ada, f"{here}/{kept[0]}")
    while os.path.getsize(part) < len(BIG):
        time.sleep(0.001)
    first.kill()
    first.wait()
    if os.path.exists(whole(ada, f"{here}/down")):  # it was done before it was killed
        os.rename(whole(ada, f"{here}/down"), part)
        os.truncate(part, len(BIG))
    have = os.path.getsize(part)
    assert len(BIG) <= have <= 4 * len(BIG)
    told = ada.json("cp", f"{data}/big", f"{here}/down")
    assert told["copied"] == 1
    assert read(ada, f"{here}/down") == BIG * 4
    assert below(whole(ada, here)) == {"big", "down"}


def test_interrupted_by_the_keyboard_it_ends_at_once(ada: Person, data: str, here: str) -> None:
    for number in range(8):
        write(ada, f"{here}/many/{number}", b"")
        os.truncate(whole(ada, f"{here}/many/{number}"), 300_000_000)
    kept = whole(ada, ".cache/workspacesio/uploads")
    for command in (
        ("cp", "-r", f"{here}/many/", f"{data}/"),
        ("sync", "--bandwidth", "50kB", f"{here}/many", data),
    ):
        shutil.rmtree(kept, ignore_errors=True)
        heard = ["env", "--default-signal=INT", "wio"]  # what runs in the background of a shell ignores ^C
        running = subprocess.Popen([*heard, *command], env=ada.env(), cwd=ada.home, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not os.path.isdir(kept) or len(os.listdir(kept)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, said = running.communicate(timeout=60)
        told = b"wio: stopped; 0 of 8 objects were copied, and the same command goes on.\n"
        assert (running.returncode, said) == (130, told)
        assert time.monotonic() - begun < 8
    assert ada.json("ls", "-r", data) == []


def test_many_large_files_need_few_connections(ada: Person, data: str, here: str) -> None:
    for number in range(40):
        write(ada, f"{here}/{number}", b"")
        os.truncate(whole(ada, f"{here}/{number}"), uploads.SINGLE_BYTES + 1)
    limited = ada.shell("bash", "-c", f"ulimit -n 110; wio cp -r {here}/ {data}/")
    assert (limited.returncode, "40 objects" in limited.stderr) == (0, True), limited.stderr


def test_a_damaged_part_is_noticed(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/one", BIG[:10_000_000])
    ada.wio("cp", f"{here}/one", f"{data}/")
    first = subprocess.Popen(["wio", "cp", f"{data}/one", f"{here}/down"], env=ada.env(), cwd=ada.home)
    first.wait()
    # What a crash may leave: the length is there, the bytes are not.
    os.unlink(whole(ada, f"{here}/down"))
    with through_name(ada, data, here) as part:
        with open(part, "wb") as file:
            file.truncate(5_000_000)
        assert "did not come as it is stored; copy it again" in ada.run("cp", f"{data}/one", f"{here}/down").stderr
        assert not os.path.exists(whole(ada, f"{here}/down"))
        ada.wio("cp", f"{data}/one", f"{here}/down")
    assert read(ada, f"{here}/down") == BIG[:10_000_000]


@contextmanager
def through_name(ada: Person, data: str, here: str) -> Iterator[str]:
    """The path under which the command keeps what has come of `one`."""
    from workspacesio.client.downloads import part_path

    workspace, issued = ada.json("workspace", "show", data), ada.json("token", data)
    with NodeStorage(lambda _: issued) as storage:
        place = Place(Located(workspace, data, "one"), storage)
        details = place.details()
        yield part_path(place, whole(ada, f"{here}/down"), details.size, details.etag)


def test_an_object_that_was_replaced_since_it_was_listed(ada: Person, data: str, here: str) -> None:
    from workspacesio.client.downloads import download

    ada.wio("pipe", f"{data}/one", stdin="as it is now")
    workspace, issued = ada.json("workspace", "show", data), ada.json("token", data)
    with NodeStorage(lambda _: issued) as storage:
        place = Place(Located(workspace, data, "one"), storage)
        etag = '"d41d8cd98f00b204e9800998ecf8427f"'
        download(place, whole(ada, f"{here}/down"), size=3, etag=etag, told=lambda *_, **__: None)
    assert read(ada, f"{here}/down") == b"as it is now"
    assert below(whole(ada, here)) == {"down"}


def test_a_file_that_goes_on_changing(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/log", b"x" * 30_000_000)
    script = f"while true; do printf x >> {whole(ada, f'{here}/log')}; done"
    with subprocess.Popen(["bash", "-c", script]) as writer:
        try:
            done = ada.run("cp", f"{here}/log", f"{data}/")
        finally:
            writer.kill()
    assert (done.returncode, "goes on changing" in done.stderr) == (1, True)
    assert ada.json("ls", "-r", data) == []


def test_a_full_disk(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/big", BIG)
    ada.wio("cp", f"{here}/big", f"{data}/")
    limited = ada.shell("bash", "-c", f"ulimit -f 10000; wio cp {data}/big {here}/down")
    assert limited.returncode != 0
    assert not os.path.exists(whole(ada, f"{here}/down"))
    ada.wio("cp", f"{data}/big", f"{here}/down")
    assert read(ada, f"{here}/down") == BIG


def test_what_was_changed_since_it_was_copied_is_not_removed(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/one", b"first")
    ada.wio("pipe", f"{data}/one", stdin="first")
    workspace, issued = ada.json("workspace", "show", data), ada.json("token", data)
    with NodeStorage(lambda _: issued) as storage:
        place = Place(Located(workspace, data, "one"), storage)

        def written(step: Copy) -> None:
            if isinstance(step.source, Place):
                ada.wio("pipe", f"{data}/one", stdin=f"not {os.path.basename(name_of(step.target))}")
            else:
                write(ada, f"{here}/one", b"second")
            remove_source(step)

        here_one = whole(ada, f"{here}/one")
        up = Copy(here_one, place.at("up"), 5)
        down = Copy(place, whole(ada, f"{here}/down"), 5, place.details().etag)
        within = Copy(place, place.at("within"), 8)
        for step in (up, down, within):
            result = copy_all([step], Progress(), overwrite=True, then=written)
            assert (result.copied, "was changed since it was copied" in result.failed[0].reason) == (0, True)
        assert (read(ada, f"{here}/one"), read(ada, f"{here}/down")) == (b"second", b"first")
        again = copy_all([Copy(here_one, place.at("up"), 6)], Progress(), overwrite=True, then=remove_source)
        assert (again.copied, os.path.exists(here_one)) == (1, False)
    assert [ada.wio("cat", f"{data}/{name}") for name in ("one", "up", "within")] == [
        "not within",
        "second",
        "not down",
    ]


def test_a_right_that_has_ended_ends_the_copy(served: Service, ada: Person, data: str, here: str) -> None:
    for number in range(40):
        write(ada, f"{here}/{number}", b"x")
    ada.wio("cp", "-r", f"{here}/", f"{data}/")
    eve = served.colleague("eve")
    ada.wio("share", data, "eve")
    for number in range(40):
        write(eve, f"up/{number}", b"x")
    done = eve.run("cp", "-r", "./up/", f"ada/{data}/")
    assert done.returncode == 1
    assert done.stderr.count("you may read") == 1
    assert "Nothing more is tried: 0 were copied before, 40 are left" in done.stderr


def test_no_connection_is_left_open(served: Service, ada: Person, data: str, here: str) -> None:
    for number in range(12):
        write(ada, f"{here}/{number}", b"x" * 1000)
    workspace, issued = ada.json("workspace", "show", data), ada.json("token", data)
    with NodeStorage(lambda _: issued) as storage:
        place = Place(Located(workspace, data, ""), storage)
        steps = [Copy(whole(ada, f"{here}/{number}"), place.at(str(number)), 1000) for number in range(12)]
        assert copy_all(steps, Progress(), overwrite=True).copied == 12
        held = set(storage._sockets)
        assert held
    assert all(one.fileno() == -1 for one in held)
    del served
