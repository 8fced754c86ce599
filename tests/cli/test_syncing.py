"""`wio sync`, `diff` and `pipe` on a service, as people type them."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from cli.terminal import on_terminal
from servers.service import Person, Service, service
from workspacesio.client.comparing import Pair, pairs
from workspacesio.client.copy_plan import Patterns, local_files

OLD = 1_600_000_000
BIG = random.Random(2).randbytes(30_000_000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("sync") / "lab")
    os.makedirs(folder)
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def ada(served: Service) -> Person:
    return served.administrator()


@pytest.fixture
def data(ada: Person, request: pytest.FixtureRequest) -> str:
    """A workspace of the test's own, by name."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    ada.wio("create", name, "--root", "private")
    return name


@pytest.fixture
def here(ada: Person, data: str) -> str:
    """A folder of the test's own in ada's home, as she types it."""
    os.mkdir(os.path.join(ada.home, f"at-{data}"))
    return f"./at-{data}"


def write(person: Person, path: str, content: bytes, *, at: float | None = OLD) -> None:
    whole = os.path.join(person.home, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    with open(whole, "wb") as file:
        file.write(content)
    if at is not None:
        os.utime(whole, (at, at))


def content(person: Person, folder: str) -> dict[str, bytes]:
    found = {}
    top = os.path.join(person.home, folder)
    for at, _, names in os.walk(top):
        for name in names:
            with open(os.path.join(at, name), "rb") as file:
                found[os.path.relpath(os.path.join(at, name), top)] = file.read()
    return found


TREE = {"a.csv": b"a", "a-b/x": b"1", "a/x": b"2", "a/y.tif": b"3", "ü/%20": b"4", "big.bin": BIG}


def test_up_and_down_and_nothing_to_do(ada: Person, data: str, here: str) -> None:
    for path, body in TREE.items():
        write(ada, f"{here}/up/{path}", body)
    told = ada.json("sync", f"{here}/up", data)
    assert (told["copied"], told["equal"], told["failed"]) == (len(TREE), 0, [])
    told = ada.json("sync", f"{here}/up", data)
    assert (told["copied"], told["equal"]) == (0, len(TREE))
    told = ada.json("sync", data, f"{here}/down")
    assert told["copied"] == len(TREE)
    assert content(ada, f"{here}/down") == TREE
    for once_more in ((data, f"{here}/down"), (f"{here}/down", data)):
        told = ada.json("sync", *once_more)
        assert (told["copied"], told["equal"]) == (0, len(TREE))
    assert ada.run("diff", f"{here}/up", data).returncode == 0


def test_only_what_differs_is_copied(ada: Person, data: str, here: str) -> None:
    for path, body in TREE.items():
        write(ada, f"{here}/{path}", body)
    ada.wio("sync", here, f"{data}/sub")
    write(ada, f"{here}/a.csv", b"longer")
    write(ada, f"{here}/a/x", b"5", at=time.time() + 5)
    write(ada, f"{here}/new", b"new")
    os.unlink(os.path.join(ada.home, here, "ü/%20"))
    different = ada.run("diff", here, f"{data}/sub/")
    assert (different.returncode, different.stdout.splitlines()) == (1, ["! a.csv", "< new", "> ü/%20"])
    planned = ada.run("sync", "--dry-run", "--delete", here, f"{data}/sub")
    assert [line.rpartition("/")[2] for line in planned.stdout.splitlines()] == ["a.csv", "x", "new", "%20"]
    told = ada.json("sync", here, f"{data}/sub")
    assert (told["copied"], told["equal"], told["deleted"]) == (3, 3, 0)
    assert ada.wio("cat", f"{data}/sub/a/x") == "5"
    assert ada.wio("cat", f"{data}/sub/ü/%20") == "4"
    told = ada.json("sync", "--delete", here, f"{data}/sub")
    assert (told["deleted"], told["failed"]) == (1, [])
    assert ada.run("diff", here, f"{data}/sub").returncode == 0


def test_contents_are_compared_when_asked(ada: Person, data: str, here: str) -> None:
    write(ada, f"{here}/a", b"one")
    ada.wio("sync", here, data)
    write(ada, f"{here}/a", b"two")  # as long, and as old
    assert ada.json("sync", here, data)["copied"] == 0
    assert ada.run("diff", here, data).returncode == 0
    assert ada.run("diff", "--checksum", here, data).stdout == "! a\n"
    assert ada.json("sync", "--checksum", here, data)["copied"] == 1
    assert ada.wio("cat", f"{data}/a") == "two"
    assert ada.json("sync", "--checksum", here, data)["copied"] == 0


def test_what_is_as_young_as_its_copy(ada: Person, data: str, here: str) -> None:
    time.sleep(1.01 - time.time() % 1)  # so that it is sent in the second in which it is written
    write(ada, f"{here}/new", b"first", at=None)
    write(ada, f"{here}/big", BIG, at=None)
    assert ada.json("sync", here, data)["copied"] == 2
    assert ada.json("sync", here, data)["copied"] == 0
    for text, later in (("other", -0.1), ("third", 0.1)):
        modified = datetime.fromisoformat(ada.json("stat", f"{data}/new")["modified"]).timestamp()
        write(ada, f"{here}/new", text.encode(), at=modified + later)
        assert ada.json("sync", here, data)["copied"] == 1
        assert ada.wio("cat", f"{data}/new") == text


def test_deleting_is_asked_for_and_never_by_mistake(ada: Person, data: str, here: str) -> None:
    for name in ("a", "b", "c"):
        write(ada, f"{here}/down/{name}", b"x")
    write(ada, f"{here}/up/a", b"x")
    ada.wio("sync", f"{here}/up", data)
    command = ("wio", "sync", "--delete", data, f"{here}/down")
    status, shown = on_terminal(ada, *command, typed=[(b"for ever? [y/N] ", b"n\n")])
    assert (status, b"Delete 2 objects, 2 B in" in shown) == (0, True)
    assert set(content(ada, f"{here}/down")) == {"a", "b", "c"}
    told = ada.json("sync", "--delete", "--exclude", "b", data, f"{here}/down")
    assert (told["deleted"], set(content(ada, f"{here}/down"))) == (1, {"a", "b"})
    # A source that isn't there, or can't be read whole, empties nothing.
    assert "there is no folder" in ada.refused("sync", "--delete", f"{here}/nope", data)
    for nothing in (f"{data}/nope", f"{data}/nope/"):
        for command in (("sync", "--delete"), ("diff",)):
            assert "there is no" in ada.refused(*command, nothing, f"{here}/down")
    assert "there is no folder" in ada.refused("diff", f"{here}/nope", data)
    assert set(content(ada, f"{here}/down")) == {"a", "b"}
    os.symlink("..", os.path.join(ada.home, here, "up", "loop"))
    os.unlink(os.path.join(ada.home, here, "up", "a"))
    done = ada.run("sync", "--delete", f"{here}/up", data)
    assert "nothing is deleted" in done.stderr
    assert ada.wio("cat", f"{data}/a") == "x"
    os.unlink(os.path.join(ada.home, here, "up", "loop"))
    assert "is its disk there?" in ada.refused("sync", "--delete", "--yes", f"{here}/up", data)
    assert "is its disk there?" in ada.refused("sync", "--delete", "--include", "b", data, f"{here}/down")
    assert (ada.wio("cat", f"{data}/a"), set(content(ada, f"{here}/down"))) == ("x", {"a", "b"})
    for paths in ((f"{here}/up", f"{here}/down"), (data, f"{data}/x"), (data,)):
        assert ada.run("sync", *paths).returncode == 2


def test_nothing_is_written_through_a_link(ada: Person, data: str, here: str) -> None:
    """Nor compared: what lies elsewhere isn't in this folder. Links to files are replaced, and not followed."""
    for name in ("link/one", "plain/two", "three", "plain/.wio-0123.part"):
        ada.wio("pipe", f"{data}/{name}", stdin="new")
    folder, elsewhere = os.path.join(ada.home, here), os.path.join(ada.home, f"{here}-elsewhere")
    os.makedirs(elsewhere)
    os.symlink(elsewhere, os.path.join(folder, "link"))
    os.symlink(os.path.join(elsewhere, "kept"), os.path.join(folder, "three"))
    for command in ("sync", "cp -r"):
        done = ada.run(*command.split(), f"{data}/", f"{here}/")
        assert (done.returncode, "is a link, which is not followed" in done.stderr) == (1, True)
        assert "are called so here while they come" in done.stderr
    assert os.listdir(elsewhere) == []
    assert sorted(os.listdir(folder)) == ["link", "plain", "three"]
    assert os.listdir(os.path.join(folder, "plain")) == ["two"]
    assert not os.path.islink(os.path.join(folder, "three"))
    ada.wio("sync", f"{data}/link", f"{here}/link")
    assert os.listdir(elsewhere) == ["one"]


def test_the_pace_is_held(ada: Person, data: str, here: str) -> None:
    for number in range(4):
        write(ada, f"{here}/{number}", BIG[:500_000])
    begun = time.monotonic()
    assert ada.json("sync", "--bandwidth", "1MB", here, data)["copied"] == 4
    assert time.monotonic() - begun > 1.5


def test_standard_input_becomes_an_object(served: Service, ada: Person, data: str) -> None:
    ada.wio("pipe", f"{data}/small.csv", stdin="a,b\n")
    assert ada.json("stat", f"{data}/small.csv")["content_type"] == "text/csv"
    ada.wio("pipe", f"{data}/big", stdin=BIG)
    with open(os.path.join(served.folder, "private", "ada", data, "big"), "rb") as file:
        assert file.read() == BIG
    ada.wio("pipe", f"{data}/empty")
    assert ada.json("stat", f"{data}/empty")["size"] == 0
    assert ada.run("pipe", f"{data}/", stdin="x").returncode == 2
    assert "no workspace" in ada.refused("pipe", "nope/x")
    cut = ada.shell("bash", "-c", f"(head -c 20000000 /dev/zero; sleep 6) | timeout -s INT 2 wio pipe {data}/cut")
    assert cut.returncode != 0
    assert [one["path"] for one in ada.json("ls", data)] == ["big", "empty", "small.csv"]


def test_both_sides_come_in_one_order(tmp_path: os.PathLike[str]) -> None:
    names = ["a", "a-b/c", "a.b", "a/b", "a/b-c", "a0", "b/", "ü", "z/y/x", "z/y.x", "z/y-x"]
    for name in names:
        whole = (
            os.path.join(tmp_path, "one", name)
            if not name.startswith("a/")
            else os.path.join(tmp_path, "one", f"d{name}")
        )
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        if not name.endswith("/"):
            with open(whole, "wb"):
                pass
    listed = [path for path, _ in local_files(os.path.join(tmp_path, "one"))]
    assert listed == sorted(listed, key=str.encode)
    assert len(listed) == len(names) - 1
    both = list(pairs(os.path.join(tmp_path, "one"), os.path.join(tmp_path, "none"), Patterns()))
    assert all(isinstance(one, Pair) and one.target is None for one in both)
    same = list(pairs(os.path.join(tmp_path, "one"), os.path.join(tmp_path, "one"), Patterns(exclude=["z/*"])))
    assert len(same) == len(listed) - 3
    assert all(isinstance(one, Pair) and one.source is not None and one.target is not None for one in same)
