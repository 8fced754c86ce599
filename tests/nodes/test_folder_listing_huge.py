"""A folder with very many files: quick pages on every process, little memory, and no snapshot that lies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.listed_tree import ListedTree
from workspacesio.nodes.folder import snapshots as module
from workspacesio.nodes.folder.scan import read_window
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.folder.sorted_names import (
    Names,
    NamesInMemory,
    NamesInSnapshot,
    NamesReadAgain,
    stamp_of,
)

COUNT = 60_000


def key_of(index: int) -> str:
    """Not in the order in which they are made."""
    return f"sample-{index * 7919 % 60_013:05}-scan.tif"


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListedTree]:
    tree = ListedTree(str(tmp_path_factory.mktemp("huge") / "node"))
    for index in range(COUNT):
        os.close(os.open(os.path.join(tree.path, key_of(index)), os.O_CREAT | os.O_WRONLY, 0o644))
    tree.link("a-link", key_of(0))
    time.sleep(module.QUIET_SECONDS + 0.1)
    yield tree
    tree.close()


def snapshot_files(tree: ListedTree) -> list[str]:
    directory = os.path.join(tree.state, "listings", "1")
    return [name for name in os.listdir(directory) if not name.endswith(".lock")]


def test_all_keys_come_in_order_from_one_snapshot(huge: ListedTree) -> None:
    expected = ["a-link", *sorted(key_of(index) for index in range(COUNT))]
    assert huge.keys() == expected
    assert len(snapshot_files(huge)) == 1


def test_a_later_page_is_quick_in_a_process_that_has_not_seen_the_folder(huge: ListedTree) -> None:
    huge.page(max_keys=1)
    script = (
        "import sys, time\n"
        "from nodes.listed_tree import ListedTree\n"
        "tree = ListedTree(sys.argv[1])\n"
        "best = 9.0\n"
        "for number in range(5):\n"
        "    tree.snapshots = type(tree.snapshots)(tree.state + '/listings/1')\n"
        "    began = time.process_time()\n"
        "    page = tree.page(after='sample-30000')\n"
        "    best = min(best, time.process_time() - began)\n"
        "with open('/proc/self/status') as status:\n"
        "    peak = next(line for line in status if line.startswith('VmHWM')).split()[1]\n"
        "print(len(page.objects), page.objects[0].key, best, peak)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", script, huge.path], env=environment, capture_output=True, text=True, check=True
    )
    count, first, seconds, peak_kib = done.stdout.split()
    assert (count, first) == ("1000", next(key for key in huge.keys("sample-30") if key > "sample-30000"))
    assert float(seconds) < 0.05
    assert int(peak_kib) < 200 * 1024


def test_pages_of_a_folder_that_keeps_changing_hold_every_stable_key_once(huge: ListedTree) -> None:
    stop = threading.Event()
    path = os.path.join(huge.path, "zz-passing")

    def keep_changing() -> None:
        while not stop.wait(0.002):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            os.remove(path)

    thread = threading.Thread(target=keep_changing)
    thread.start()
    try:
        page = huge.page("sample-0")
        keys = [item.key for item in page.objects]
        while page.next_after is not None:
            page = huge.page("sample-0", after=page.next_after)
            keys += [item.key for item in page.objects]
    finally:
        stop.set()
        thread.join()
    assert keys == sorted(key for key in map(key_of, range(COUNT)) if key.startswith("sample-0"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """A folder of 20 files that was quiet for long, opened."""
    path = tmp_path / "folder"
    path.mkdir()
    for index in range(20):
        (path / f"file-{index:02}").touch()
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "listings" / "1")


def later(seconds: float = 60.0) -> dict[str, object]:
    """Arguments for Snapshots whose clock is ahead, for which a folder of five is huge."""
    return {"small": 5, "chunk": 4, "now_ns": lambda: time.time_ns() + int(seconds * 1e9)}


def all_names(names: Names, fd: int) -> list[str]:
    found: list[str] = []
    at_least, complete = "", False
    while not complete:
        more, complete = names.from_name(fd, at_least)
        found += more
        at_least = found[-1] + "\0"
    return found


FILES = [f"file-{index:02}" for index in range(20)]


def test_one_process_writes_and_another_maps_the_same_file(folder: int, directory: str) -> None:
    first = Snapshots(directory, **later()).names(folder)  # type: ignore[arg-type]
    files = os.listdir(directory)
    second = Snapshots(directory, **later()).names(folder)  # type: ignore[arg-type]
    assert isinstance(first, NamesInSnapshot)
    assert isinstance(second, NamesInSnapshot)
    assert all_names(first, folder) == all_names(second, folder) == FILES
    assert os.listdir(directory) == files


def test_a_folder_that_changed_a_moment_ago_is_not_kept(folder: int, directory: str) -> None:
    store = Snapshots(directory, small=5, chunk=4)
    os.utime(folder)
    assert isinstance(store.names(folder), NamesReadAgain)
    assert not os.path.exists(directory)


def test_a_folder_with_times_in_the_future_is_kept_when_it_was_seen_quiet(
    folder: int, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.05)
    ahead = time.time() + 3600
    os.utime(folder, (ahead, ahead))
    store = Snapshots(directory, small=5, chunk=4)
    assert isinstance(store.names(folder), NamesReadAgain)
    time.sleep(0.06)
    assert isinstance(store.names(folder), NamesInSnapshot)


def test_a_change_makes_the_snapshot_invalid_in_every_process(folder: int, directory: str) -> None:
    stores = [Snapshots(directory, **later()) for _ in range(2)]  # type: ignore[arg-type]
    for store in stores:
        store.names(folder)
    time.sleep(0.015)
    os.close(os.open("file-05-new", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    for store in stores:
        assert "file-05-new" in all_names(store.names(folder), folder)
    time.sleep(0.015)
    os.remove("file-05-new", dir_fd=folder)
    for store in stores:
        assert all_names(store.names(folder), folder) == FILES


@pytest.mark.parametrize("damage", ["empty", "short", "another boot", "garbage"])
def test_damaged_snapshots_are_not_believed(folder: int, directory: str, damage: str) -> None:
    Snapshots(directory, **later()).names(folder)  # type: ignore[arg-type]
    (name,) = [name for name in os.listdir(directory) if not name.endswith(".lock")]
    path = os.path.join(directory, name)
    with open(path, "rb") as file:
        content = file.read()
    damaged = {
        "empty": b"",
        "short": content[:-8],
        "another boot": content[:8] + b"f" * 36 + content[44:],
        "garbage": os.urandom(len(content)),
    }[damage]
    with open(path, "wb") as file:
        file.write(damaged)
    assert all_names(Snapshots(directory, **later()).names(folder), folder) == FILES  # type: ignore[arg-type]
    with open(path, "rb") as file:
        assert file.read() == content


def test_a_state_folder_that_takes_nothing_only_costs_time(folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    names = Snapshots(str(tmp_path / "file" / "below"), **later()).names(folder)  # type: ignore[arg-type]
    assert isinstance(names, NamesReadAgain)
    assert all_names(names, folder) == FILES


def test_the_oldest_snapshots_go_when_there_are_too_many(tmp_path: Path, directory: str) -> None:
    store = Snapshots(directory, max_bytes=3_000, **later())  # type: ignore[arg-type]
    kept = []
    for number in range(6):
        path = tmp_path / str(number)
        path.mkdir()
        for index in range(30):
            (path / f"{'name' * 5}-{index}").touch()
        fd = os.open(path, os.O_RDONLY)
        store.names(fd)
        stamp = stamp_of(fd)
        kept.append(os.path.join(directory, f"{stamp.device:x}-{stamp.inode:x}"))
        os.utime(kept[-1], (number, number))
        os.close(fd)
    assert [os.path.exists(path) for path in kept] == [False, False, False, False, True, True]
    assert not [name for name in os.listdir(directory) if name.startswith("new-")]


def test_snapshots_are_for_the_service_only(folder: int, directory: str) -> None:
    """They hold names of files that not everybody may know."""
    Snapshots(directory, **later()).names(folder)  # type: ignore[arg-type]
    assert os.stat(directory).st_mode & 0o077 == 0
    (name,) = [name for name in os.listdir(directory) if not name.endswith(".lock")]
    assert os.stat(os.path.join(directory, name)).st_mode & 0o077 == 0


def test_what_many_threads_ask_at_once_is_sorted_once(
    folder: int, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_by = []
    write_snapshot = module.write_snapshot

    def counted(*arguments: object) -> object:
        sorted_by.append(threading.get_ident())
        time.sleep(0.2)
        return write_snapshot(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_snapshot", counted)
    stores = [Snapshots(directory, **later()) for _ in range(4)]  # type: ignore[arg-type]
    path = f"/proc/self/fd/{folder}"
    found: list[list[str]] = []

    def ask(store: Snapshots) -> None:
        fd = os.open(path, os.O_RDONLY)
        found.append(all_names(store.names(fd), fd))
        os.close(fd)

    threads = [threading.Thread(target=ask, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [FILES] * 4
    assert len(sorted_by) == 1


def test_memory_that_is_kept_in_the_process_is_bounded(tmp_path: Path, directory: str) -> None:
    store = Snapshots(directory, small=5_000, now_ns=lambda: time.time_ns() + 60_000_000_000)
    path = tmp_path / "many"
    for number in range(3):
        (path / str(number)).mkdir(parents=True)
        for index in range(module.WORTH_KEEPING):
            (path / str(number) / f"{index}").touch()
    fds = [os.open(path / str(number), os.O_RDONLY) for number in range(3)]
    first = store.names(fds[0])
    assert isinstance(first, NamesInMemory)
    assert store.names(fds[0]) is first
    store._max_kept_names = 2 * module.WORTH_KEEPING
    for fd in fds[1:]:
        store.names(fd)
    assert store.names(fds[2]) is store.names(fds[2])
    assert store.names(fds[0]) is not first
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_a_window_is_the_first_names_of_the_rest(folder: int, count: int) -> None:
    for at_least in ("", "file-03", "file-035", "file-19", "g"):
        rest = [name for name in FILES if name >= at_least]
        assert read_window(folder, at_least, count) == (rest[:count], len(rest) <= count)
