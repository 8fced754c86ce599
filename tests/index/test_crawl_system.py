"""The installed system's own files, as they lie there: found by a crawl as `find` and `du` find them.

The node takes no writes, and whether anything was written is looked at.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crawl_world import BUCKET, CrawlWorld
from workspacesio.domain.names import STAGING_FOLDER, SYSTEM_FOLDERS
from workspacesio.domain.vocabulary import CrawlState, FolderLayout
from workspacesio.nodes.errors import NodeReadOnly
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.filesystem import read_identity
from workspacesio.nodes.values import ObjectAddress

AT_LEAST = 200_000

PRUNED = [word for name in sorted(SYSTEM_FOLDERS) for word in ("-name", name, "-o")][:-1]


def _find(place: str, *what: str) -> list[str]:
    """What `find` prints of each thing in a place, but for what lies in system folders."""
    command = ["find", place, "-xdev", "(", *PRUNED, ")", "-prune", "-o", *what]
    return (
        subprocess.run(command, capture_output=True, check=True)
        .stdout.decode(errors="surrogateescape")
        .split("\n")[:-1]
    )


def _places() -> Iterator[str]:
    """Folders with files of the system and of Python, as many as hold enough together."""
    found = 0
    taken: list[str] = []
    wanted = ["/usr", os.path.dirname(os.path.dirname(os.path.realpath(sys.base_prefix))), sys.prefix, "/var/lib"]
    for place in [*wanted, "/opt", "/home", os.path.expanduser("~")]:
        real = os.path.realpath(place)
        apart = not any(real.startswith(one + "/") or one.startswith(real + "/") or real == one for one in taken)
        if os.path.isdir(real) and apart and real != "/":
            taken.append(real)
            found += len(_find(real, "-type", "f", "-printf", "\\n"))
            yield real
        if found >= AT_LEAST:
            return


@pytest.fixture
def system(tmp_path: Path) -> Iterator[CrawlWorld]:
    """The whole machine as a node that takes no writes."""
    driver = FolderDriver(
        1,
        "/",
        FolderLayout.BUCKET,
        BUCKET,
        tmp_path / "state",
        read_only=True,
        serve_owner_only=True,
        filesystem_identity=read_identity("/"),
    )
    world = CrawlWorld(tmp_path, driver=driver)
    yield world
    world.close()


def _entries(world: CrawlWorld, workspace_id: int) -> dict[str, int]:
    with world.catalogue.store.reading() as statements:
        rows = statements.rows(
            "SELECT f.path, e.name, e.size FROM catalogue_folders f "
            "JOIN catalogue_entries e ON e.folder_id = f.id WHERE f.workspace_id = ?",
            (workspace_id,),
        )
    return {path + name: size for path, name, size in rows}


def _is_through_a_link(path: str, links: set[str]) -> bool:
    ends = [at for at, letter in enumerate(path) if letter == "/"]
    return any(path[:end] in links for end in [*ends, len(path)])


def test_the_installed_system_is_counted_as_find_and_du_count_it(system: CrawlWorld) -> None:
    places = {place: system.add_workspace(place[1:] + "/") for place in _places()}
    row = system.crawl()
    assert (row.state, row.problem) == (CrawlState.DONE, None)
    system.recorder.commit()
    counted = 0
    for place, workspace in places.items():
        entries = _entries(system, workspace)
        usage = system.catalogue.usage(workspace, "")
        assert usage is not None
        assert tuple(usage) == (len(entries), sum(entries.values()))
        links = set(_find(place, "-type", "l", "-printf", "%P\\n"))
        own = {path: size for path, size in entries.items() if not _is_through_a_link(path, links)}
        sizes = [int(size) for size in _find(place, "-type", "f", "-printf", "%s\\n")]
        assert (len(own), sum(own.values())) == (len(sizes), sum(sizes)), place
        others = sum(int(size) for size in _find(place, "-not", "-type", "f", "-printf", "%s\\n"))
        du = subprocess.run(["du", "-xsbl", place], capture_output=True, text=True, check=True).stdout
        assert sum(own.values()) == int(du.split()[0]) - others, place
        for path in [path for path in entries if path not in own][::50]:
            real = os.path.realpath(os.path.join(place, path), strict=True)
            assert real.startswith(place + "/")
            assert os.stat(real).st_size == entries[path]
        counted += len(own)
    assert counted >= AT_LEAST
    again = system.crawl()
    assert (again.new, again.changed, again.gone, again.unchanged) == (0, 0, 0, row.entries)


def test_nothing_is_written_there(system: CrawlWorld) -> None:
    workspace = system.add_workspace("usr/bin/")
    before = {place: os.stat(place).st_mtime_ns for place in ("/", "/usr", "/usr/share", "/usr/bin")}
    times = [entry.stat(follow_symlinks=False).st_ctime_ns for entry in os.scandir("/usr/bin")]
    system.crawl()
    assert len(_entries(system, workspace)) > 0
    assert {place: os.stat(place).st_mtime_ns for place in before} == before
    assert [entry.stat(follow_symlinks=False).st_ctime_ns for entry in os.scandir("/usr/bin")] == times
    assert not os.path.exists(f"/{STAGING_FOLDER}")
    assert system.driver is not None
    with pytest.raises(NodeReadOnly):
        asyncio.run(system.driver.check_writable())
    with pytest.raises(NodeReadOnly):
        asyncio.run(system.driver.delete(ObjectAddress(BUCKET, "usr/bin/none", "usr/")))
