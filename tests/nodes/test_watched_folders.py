"""Watching folders where the system sets limits and filesystems are mounted: by the real system's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodes.conftest import Mount
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.watched_folders import WatchedFolders
from workspacesio.nodes.values import Scope


class Told:
    """Notes what a listener is told."""

    def __init__(self) -> None:
        self.objects: set[str] = set()
        self.folders: set[str] = set()
        self.ready: set[int] = set()
        self.problems: dict[int, str | None] = {}

    def object_changed(self, workspace_id: int, path: str) -> None:
        self.objects.add(path)

    def folder_changed(self, workspace_id: int, path: str) -> None:
        self.folders.add(path)

    def prepared(self, workspace_id: int) -> None:
        self.ready.add(workspace_id)

    def given_up(self, workspace_id: int, problem: str | None) -> None:
        self.problems[workspace_id] = problem

    def overflowed(self) -> None:
        raise AssertionError


class Watched:
    def __init__(self, base: Path) -> None:
        self.told = Told()
        self.folders = WatchedFolders(self.told)
        self.tree = NodeTree(str(base), FolderLayout.BUCKET, "data", cross_filesystems=True)
        self.tree.check()

    def begin(self, prefix: str, *, one_filesystem: bool = False) -> None:
        assert self.folders.begin(1, self.tree, Scope("data", prefix), one_filesystem=one_filesystem)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not holds():
            self.folders.step(0.02)
            assert time.monotonic() < deadline, vars(self.told)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    os.chmod(tmp_path, 0o755)
    (tmp_path / "w/d").mkdir(parents=True)
    made = Watched(tmp_path)
    yield made
    made.folders.close()
    made.tree.close()


LIMITED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from nodes.test_watched_folders import Watched
from workspacesio.nodes.folder.inotify import Inotify, WatchLimit
from workspacesio.nodes.values import Scope
base = Path(sys.argv[2])
watched = Watched(base)
watched.begin("w/")
watched.until(lambda: watched.told.problems)
print(watched.told.problems[1])
print(watched.folders.folders(1), len(watched.folders._by_watch))
assert watched.folders.begin(2, watched.tree, Scope("data", "small/"))
watched.until(lambda: watched.told.ready)
print(watched.told.ready)
try:
    kept = [Inotify() for _ in range(10)]
except WatchLimit as error:
    print(error)
"""


def test_the_systems_limits(tmp_path: Path) -> None:
    """In a namespace with limits of its own: 20 watches, 4 queues."""
    os.chmod(tmp_path, 0o755)
    for number in range(30):
        (tmp_path / f"w/{number}").mkdir(parents=True)
    (tmp_path / "small/d").mkdir(parents=True)
    limits = "echo 20 > /proc/sys/user/max_inotify_watches; echo 4 > /proc/sys/user/max_inotify_instances"
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    shell = f'{limits}; exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", shell, "sh", sys.executable, "-c", LIMITED]
    done = subprocess.run([*command, tests, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    problem, left, ready, queues = done.stdout.splitlines()
    assert "watches no more folders (user.max_inotify_watches is 20); raise that" in problem
    assert left == "0 0"
    assert ready == "{2}"
    assert queues == "user.max_inotify_instances is 4"


def test_filesystems_that_are_mounted_inside(watched: Watched, mount: Mount) -> None:
    point = mount("w/d/mounted", "tmpfs")
    point.chmod(0o755)
    (point / "e").mkdir()
    watched.begin("w/")
    watched.until(lambda: bool(watched.told.ready))
    assert watched.folders.folders(1) == 4
    (point / "e/x").touch()
    watched.until(lambda: "d/mounted/e/x" in watched.told.objects)


def test_other_filesystems_are_not_entered_unless_told_so(watched: Watched, mount: Mount) -> None:
    point = mount("w/d/mounted", "tmpfs")
    point.chmod(0o755)
    watched.begin("w/", one_filesystem=True)
    watched.until(lambda: bool(watched.told.ready))
    assert watched.folders.folders(1) == 2


def test_a_filesystem_inside_that_tells_nothing(watched: Watched, mount: Mount) -> None:
    """proc stands for a network's: the kernel is told nothing of what changes there."""
    mount("w/d/mounted", "proc")
    watched.begin("w/")
    watched.until(lambda: bool(watched.told.problems))
    assert "doesn't tell what other machines change" in (watched.told.problems[1] or "")
    assert watched.folders.folders(1) == 0


def test_a_workspace_that_is_unmounted(watched: Watched, mount: Mount) -> None:
    point = mount("m", "tmpfs")
    point.chmod(0o755)
    watched.begin("m/")
    watched.until(lambda: bool(watched.told.ready))
    subprocess.run(["umount", str(point)], check=True)
    watched.until(lambda: watched.told.problems == {1: None})
    assert watched.folders.folders(1) == 0
