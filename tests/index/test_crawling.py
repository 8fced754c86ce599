"""A crawl ends with the index equal to what the node lists, whatever lies there and however it is interrupted."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crawl_world import BUCKET, CrawlWorld
from workspacesio.database.tables import Workspace
from workspacesio.domain import crawl_reasons
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel
from workspacesio.index import crawl_folder, crawling, folder_reading
from workspacesio.index.crawl_sources import ROOT_MISSING, Place
from workspacesio.index.crawl_subtree import sync_subtree
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Found
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.survey import Reason
from workspacesio.nodes.values import ObjectAddress, ObjectMetadata
from workspacesio.services.crawl_requests import pause_crawl, resume_crawl, set_indexing

NAMES = ("a", "b", "ab", "a-b", "a b", "é", "日本", ".hidden", "x" * 200, "z.tif", "lost+found", "@eaDir")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CrawlWorld]:
    made = CrawlWorld(tmp_path)
    yield made
    made.close()


def folder_driver(world: CrawlWorld) -> FolderDriver:
    assert isinstance(world.driver, FolderDriver)
    return world.driver


def test_a_second_crawl_changes_what_changed(world: CrawlWorld) -> None:
    workspace = world.add_workspace("")
    for number in range(30):
        world.write(f"a/{number % 3}/{number}", b"x" * number)
    first = world.crawl()
    assert first.state == CrawlState.DONE
    assert (first.entries, first.new, first.changed, first.unchanged, first.gone) == (30, 30, 0, 0, 0)
    assert first.bytes == sum(range(30))
    world.check(workspace)

    world.write("a/0/0", b"changed")
    world.write("b/new")
    (world.folder / "a/1/1").unlink()
    second = world.crawl()
    assert (second.new, second.changed, second.unchanged, second.gone) == (1, 1, 28, 1)
    assert second.expected_entries == 30
    world.check(workspace)


def test_a_file_in_the_place_of_another_of_the_same_size_and_time_is_noticed(world: CrawlWorld) -> None:
    workspace = world.add_workspace("")
    path = world.write("a", b"one")
    world.crawl()
    before = os.stat(path)
    other = world.write("b", b"two")
    os.rename(other, path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.crawl().changed == 1
    world.check(workspace)


# --- random trees ---------------------------------------------------------------------------------------------


def _folders(world: CrawlWorld) -> list[Path]:
    return [Path(path) for path, _, _ in os.walk(world.folder)]


def _links(world: CrawlWorld) -> int:
    return sum(path.is_symlink() for path in world.folder.rglob("*"))


def _change(world: CrawlWorld, chance: random.Random) -> None:
    """One thing that people do to a tree."""
    folder = chance.choice(_folders(world))
    name = chance.choice(NAMES)
    target = folder / name
    what = chance.randrange(12)
    if target.is_fifo():
        return
    try:
        if what <= 3:
            target.write_bytes(b"x" * chance.randrange(100))
            target.chmod(chance.choice([0o644, 0o644, 0o644, 0o600, 0o640]))
        elif what <= 5:
            target.mkdir(mode=0o755)
        elif what == 6:
            folder.chmod(chance.choice([0o755, 0o755, 0o700]) if folder != world.folder else 0o755)
        elif what == 7 and _links(world) < 4:  # with more, ways through the listed tree are too many
            to = os.path.relpath(chance.choice(_folders(world)) / chance.choice(NAMES), folder)
            target.symlink_to(chance.choice([to, "..", "/etc", ".", "nowhere"]))
        elif what == 8:
            os.mkfifo(target)
        elif what == 9:
            (folder / os.fsdecode(b"not-utf8-\xff")).write_bytes(b"x")
        elif what == 10 and target.is_symlink():
            target.unlink()
        elif what == 10 and target.is_dir() and folder != target:
            shutil.rmtree(target)
        elif what == 10:
            target.unlink()
        else:
            os.rename(chance.choice(_folders(world)) / chance.choice(NAMES), target)
    except OSError:
        return


def _mark_a_folder(world: CrawlWorld, chance: random.Random) -> None:
    """A folder that is an object of its own, as clients make them."""
    key = f"{chance.choice('abc')}/marked-{chance.randrange(3)}/"

    async def publish() -> None:
        staged = await folder_driver(world).stage(ObjectAddress(BUCKET, key, ""), expected_size=0, hashers=())
        await staged.finish()
        await staged.publish(ObjectMetadata())

    try:
        asyncio.run(publish())
    except Exception:
        return


def _is_found_elsewhere(world: CrawlWorld, path: str) -> bool:
    """By a link to a folder, or to a file that is not beneath the folder that holds the link."""
    at = str(world.folder)
    for name in path.split("/"):
        holder = os.path.realpath(at)
        at = os.path.join(at, name)
        if os.path.islink(at) and (os.path.isdir(at) or not os.path.realpath(at).startswith(holder + "/")):
            return True
    return False


@pytest.mark.parametrize("seed", range(8))
def test_any_tree_under_any_changes_is_indexed_as_it_is_listed(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd seeds read every folder as if it were a huge one; of three, one serves what is closed."""
    if seed % 2:
        monkeypatch.setattr(folder_reading, "BIG", 2)
        monkeypatch.setattr("workspacesio.index.big_folder.STRETCH", 3)
    chance = random.Random(seed)
    world = CrawlWorld(tmp_path, options={"serve_owner_only": seed % 3 == 0})
    try:
        inside = chance.choice(["", "a/"])
        workspace = world.add_workspace(inside)
        (world.folder / "a").mkdir()
        for _ in range(6):
            for _ in range(chance.randrange(40)):
                _change(world, chance)
            _mark_a_folder(world, chance)
            (world.folder / "a").mkdir(exist_ok=True)
            row = world.crawl()
            assert (row.state, row.problem) == (CrawlState.DONE, None)
            listed = {
                path: found
                for path, found in world.listed(inside).items()
                if not _is_found_elsewhere(world, inside + path)
            }
            assert world.indexed(workspace) == listed
            assert row.entries == len(listed)
            assert row.bytes == sum(size for size, _ in listed.values())
    finally:
        world.close()


def test_long_paths_are_told_and_left_out_where_listings_leave_them_out(world: CrawlWorld) -> None:
    workspace = world.add_workspace("")
    fd = os.open(world.folder, os.O_RDONLY)
    for _ in range(6):
        os.mkdir("d" * 200, dir_fd=fd)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
        for name in ("f", "f" * 15, "f" * 25):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd))
    os.close(fd)
    row = world.crawl()
    listed = world.listed()
    assert world.indexed(workspace) == listed
    assert max(len(path) for path in listed) == 1020
    assert row.problems[Reason.TOO_LONG]["count"] == 2


def test_what_is_not_indexed_is_counted_with_examples(world: CrawlWorld) -> None:
    world.add_workspace("")
    world.write(b"a/\xff-name")
    world.write("a/closed", mode=0o600)
    os.symlink("/etc/passwd", world.folder / "a" / "out")
    os.mkfifo(world.folder / "a" / "pipe")
    problems = world.crawl().problems
    assert problems[Reason.NOT_UTF8] == {"count": 1, "examples": ["a/\\xff-name"]}
    assert problems[Reason.OWNER_ONLY] == {"count": 1, "examples": ["a/closed"]}
    assert problems[Reason.SPECIAL]["count"] == 1
    assert problems[folder_reading.LINK_NOT_FOLLOWED] == {"count": 1, "examples": ["a/out"]}


def test_links_to_folders_do_not_multiply_what_is_indexed(world: CrawlWorld) -> None:
    """A link to the next folder in each would make 2**30 paths to the one file."""
    workspace = world.add_workspace("")
    at = "top/"
    for _ in range(30):
        os.makedirs(world.folder / at / "b")
        os.symlink("b", world.folder / at / "l")
        at += "b/"
    world.write(at + "x")
    row = world.crawl()
    assert list(world.indexed(workspace)) == [at + "x"]
    assert row.problems[folder_reading.LINK_TO_FOLDER]["count"] == 30
    place = Place(workspace, BUCKET, "", "")
    sync_subtree(folder_driver(world), world.recorder, place, "top/l/", exclusions=Exclusions(()))
    assert list(world.indexed(workspace)) == [at + "x"]


# --- interrupted ----------------------------------------------------------------------------------------------


def _tree(world: CrawlWorld, chance: random.Random, files: int = 300) -> None:
    for number in range(files):
        depth = chance.randrange(4)
        folder = "/".join(chance.choice(["a", "b", "a-b", "c.d"]) for _ in range(depth))
        world.write(f"{folder}/f{number}".lstrip("/"))


@pytest.mark.parametrize("seed", range(4))
def test_a_crawl_that_is_put_back_goes_on_where_it_was(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at every step, in stretches of folders too; nothing is listed twice but the folders on the way."""
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    monkeypatch.setattr(crawling, "STEP_ENTRIES", 1)
    monkeypatch.setattr(folder_reading, "BIG", 8)
    monkeypatch.setattr("workspacesio.index.big_folder.STRETCH", 5)
    chance = random.Random(seed)
    world = CrawlWorld(tmp_path)
    try:
        first, second = world.add_workspace("a/"), world.add_workspace("b/")
        _tree(world, chance)
        world.crawl()
        for folder in ("a", "b"):
            shutil.rmtree(world.folder / folder)
        _tree(world, chance)
        crawl_id = world.request()
        steps = 0
        while world.row(crawl_id).state == CrawlState.QUEUED:
            assert world.crawler.run_one(_after(chance.randrange(3)))
            steps += 1
        row = world.row(crawl_id)
        assert steps > 10
        world.check(first, "a/")
        world.check(second, "b/")
        assert row.entries == len(world.listed("a/")) + len(world.listed("b/"))
        assert row.new + row.changed + row.unchanged == row.entries
    finally:
        world.close()


def _after(steps: int) -> _After:
    return _After(steps)


class _After:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_folders_before_the_position_are_not_opened_again(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    world.add_workspace("")
    for letter in "abcdef":
        world.write(f"{letter}/{letter}/file")
    crawl_id = world.request()
    world.crawler.run_one(_after(6))
    position = world.row(crawl_id).position
    assert position is not None
    assert position["at"][1] == "c/c/"
    opened: list[bytes] = []
    real = crawl_folder.open_folder
    monkeypatch.setattr(crawl_folder, "open_folder", lambda tree, place: opened.append(place) or real(tree, place))
    world.crawler.run_one(lambda: False)
    assert opened[:3] == [b"", b"c", b"c/c"]
    assert b"b" not in opened
    assert b"a/a" not in opened


def test_a_paused_crawl_stops_and_goes_on(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    monkeypatch.setattr(crawling, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(crawling, "COMMIT_SECONDS", 0.0)
    workspace = world.add_workspace("")
    for number in range(20):
        world.write(f"{number}/file")
    crawl_id = world.request()
    calls = _After(8)

    def pause_after_some() -> bool:
        if calls():
            with world.database.write() as session:
                row = session.get_one(type(world.row(crawl_id)), crawl_id)
                if row.state == CrawlState.RUNNING:
                    pause_crawl(row)
        return False

    world.crawler.run_one(pause_after_some)
    row = world.row(crawl_id)
    assert (row.state, row.lease_holder) == (CrawlState.PAUSED, None)
    assert 0 < len(world.indexed(workspace)) < 20
    assert not world.crawler.run_one(lambda: False)
    with world.database.write() as session:
        resume_crawl(session.get_one(type(row), crawl_id))
    assert world.crawler.run_one(lambda: False)
    assert world.row(crawl_id).state == CrawlState.DONE
    world.check(workspace)


def test_a_crawl_that_somebody_waits_for_goes_first(world: CrawlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    monkeypatch.setattr(crawling, "REPORT_SECONDS", 0.0)
    root = world.add_root("other", "other/")
    world.add_workspace("other/x/", root_id=root)
    world.add_workspace("big/")
    for number in range(10):
        world.write(f"big/{number}/file")
        world.write(f"other/x/{number}")
    slow = world.request(reason=CrawlReason.SCHEDULE)
    asked: list[int] = []

    def ask() -> bool:
        if not asked:
            asked.append(world.request(root_id=root))
        return False

    world.crawler.run_one(ask)
    assert world.row(slow).state == CrawlState.QUEUED
    world.crawler.run_one(lambda: False)
    assert world.row(asked[0]).state == CrawlState.DONE
    world.crawler.run_one(lambda: False)
    assert world.row(slow).state == CrawlState.DONE


# --- nothing is dropped for being out of reach ------------------------------------------------------------------


def test_a_node_that_is_gone_drops_nothing(world: CrawlWorld) -> None:
    workspace = world.add_workspace("")
    world.write("a/b")
    world.crawl()
    before = world.indexed(workspace)
    os.rename(world.folder, world.base / "elsewhere")
    row = world.crawl()
    assert row.state == CrawlState.FAILED
    assert "missing" in (row.problem or "")
    (world.folder).mkdir()
    row = world.crawl()
    assert row.state == CrawlState.FAILED
    assert world.indexed(workspace) == before


def test_a_node_that_goes_while_it_is_walked_drops_nothing(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawling, "STEP_FOLDERS", 1)
    monkeypatch.setattr(crawling, "REPORT_SECONDS", 0.0)
    workspace = world.add_workspace("")
    for number in range(9):
        world.write(f"{number}/file")
    world.crawl()
    before = world.indexed(workspace)
    gone = _After(4)

    def vanish() -> bool:
        if gone() and world.folder.exists():
            os.rename(world.folder, world.base / "elsewhere")
            for folder in (world.base / "elsewhere").iterdir():
                shutil.rmtree(folder)
        return False

    row = world.crawl(vanish)
    assert row.state == CrawlState.FAILED
    assert world.indexed(workspace) == before


def test_an_empty_root_looks_like_one_that_is_not_mounted(world: CrawlWorld) -> None:
    root = world.add_root("nas", "nas/")
    workspace = world.add_workspace("nas/a/", root_id=root)
    world.write("nas/a/x")
    world.write("nas/b/x")
    world.crawl(root_id=root)
    shutil.rmtree(world.folder / "nas" / "a")
    shutil.rmtree(world.folder / "nas" / "b")
    row = world.crawl(root_id=root)
    assert list(row.problems) == [ROOT_MISSING]
    assert world.indexed(workspace).keys() == {"x"}
    world.write("nas/b/x")
    assert world.crawl(root_id=root).gone == 1
    assert world.indexed(workspace) == {}


def test_an_empty_workspace_is_kept_where_filesystems_are_mounted_in_the_node(tmp_path: Path) -> None:
    world = CrawlWorld(tmp_path, options={"cross_filesystems": True})
    try:
        workspace = world.add_workspace("a/")
        file = world.write("a/x")
        world.crawl()
        os.unlink(file)
        assert list(world.crawl().problems) == [crawl_reasons.NOT_MOUNTED]
        assert world.indexed(workspace).keys() == {"x"}
    finally:
        world.close()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_folder_that_can_not_be_read_keeps_its_entries(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    workspace = world.add_workspace("")
    for path in ("a/1", "bad/2", "bad/deep/3", "c/4"):
        world.write(path)
    world.crawl()
    world.write("c/5")
    (world.folder / "a/1").unlink()
    real = crawl_folder.open_folder

    def broken(tree: object, place: bytes) -> int:
        if place == b"bad":
            raise OSError(code, os.strerror(code))
        return real(tree, place)  # type: ignore[arg-type]

    monkeypatch.setattr(crawl_folder, "open_folder", broken)
    row = world.crawl()
    assert (row.state, row.gone, row.new) == (CrawlState.DONE, 1, 1)
    assert row.problems == {crawl_reasons.KEPT: {"count": 1, "examples": ["bad/"]}}
    assert world.indexed(workspace).keys() == {"bad/2", "bad/deep/3", "c/4", "c/5"}


def test_a_file_that_the_storage_fails_to_tell_of_stays_as_it_is(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = world.add_workspace("")
    for name in ("a", "b"):
        world.write(name)
    world.crawl()
    before = world.indexed(workspace)
    world.write("a", b"changed")

    def broken(*_: object) -> object:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(folder_reading.PageEtags, "of", broken)
    row = world.crawl()
    assert row.problems == {crawl_reasons.KEPT: {"count": 1, "examples": ["a"]}}
    assert world.indexed(workspace) == before


# --- beside events ----------------------------------------------------------------------------------------------


def test_what_events_recorded_meanwhile_is_newer_than_the_listing(
    world: CrawlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = world.add_workspace("")
    for name in ("gone", "kept"):
        world.write(f"a/{name}")
    world.crawl()
    real = folder_reading.FolderReader.read

    def read_then_change(reader: object, folder: object, known: object, **options: object) -> object:
        seen = real(reader, folder, known, **options)  # type: ignore[arg-type]
        if folder.path == "a/":  # type: ignore[attr-defined]
            os.unlink(world.folder / "a" / "gone")
            world.recorder.drop_many(workspace, ["a/gone"])
            world.write("a/new")
            world.recorder.put(workspace, "a/new", Found("new", 1, 5, "etag", 7))
        return seen

    monkeypatch.setattr(folder_reading.FolderReader, "read", read_then_change)
    assert world.crawl().state == CrawlState.DONE
    assert world.indexed(workspace).keys() == {"a/kept", "a/new"}
    monkeypatch.undo()
    world.crawl()
    world.check(workspace)


def test_one_folder_is_made_true_again(world: CrawlWorld) -> None:
    workspace = world.add_workspace("w/")
    for path in ("w/a/1", "w/a/b/2", "w/c/3"):
        world.write(path)
    world.crawl()
    world.write("w/a/b/new")
    shutil.rmtree(world.folder / "w" / "c")
    counts = sync_subtree(
        folder_driver(world), world.recorder, Place(workspace, BUCKET, "w/", ""), "a/", exclusions=Exclusions(())
    )
    assert (counts.new, counts.gone, counts.unchanged) == (1, 0, 2)
    assert world.indexed(workspace).keys() == {"a/1", "a/b/2", "a/b/new", "c/3"}
    place = Place(workspace, BUCKET, "w/", "")
    sync_subtree(folder_driver(world), world.recorder, place, "c/", exclusions=Exclusions(()))
    world.check(workspace, "w/")


# --- settings ---------------------------------------------------------------------------------------------------


def test_exclusions_and_levels_are_made_so_by_the_crawl_that_they_ask_for(world: CrawlWorld) -> None:
    workspace = world.add_workspace("")
    for path in ("a/x.tmp", "a/x.tif", "cache/deep/y", "b/cache/z", "b/cached"):
        world.write(path)
    world.crawl()

    def set_and_crawl(**options: object) -> set[str]:
        with world.database.write() as session:
            set_indexing(session, root_id=1, now=world.now, **options)  # type: ignore[arg-type]
        assert world.crawler.run_one(lambda: False)
        return set(world.indexed(workspace))

    assert set_and_crawl(exclusions=["*.tmp", "cache/"]) == {"a/x.tif", "b/cached"}
    assert set_and_crawl(exclusions=[]) == set(world.listed())
    assert set_and_crawl(level=IndexLevel.NONE) == set()
    assert set_and_crawl(level=IndexLevel.NAMES) == set(world.listed())


def test_workspaces_that_are_no_more_are_dropped(world: CrawlWorld) -> None:
    workspace, other = world.add_workspace("a/"), world.add_workspace("b/")
    world.write("a/x")
    world.write("b/x")
    world.crawl()
    with world.database.write() as session:
        session.delete(session.get_one(Workspace, workspace))
    world.crawl(workspace_id=other)
    assert world.recorder.workspaces() == [other]


def test_other_filesystems_are_left_alone_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node serves them; the crawl stays on its own filesystem, and drops nothing of the others."""
    world = CrawlWorld(tmp_path, options={"cross_filesystems": True})
    try:
        workspace = world.add_workspace("")
        for path in ("here/1", "mounted/2"):
            world.write(path)
        real = os.fstat
        mounted = os.stat(world.folder / "mounted").st_ino

        def fstat(fd: int) -> os.stat_result:
            found = real(fd)
            if found.st_ino != mounted:
                return found
            return os.stat_result([*found[:2], found.st_dev + 1, *found[3:]], {})

        monkeypatch.setattr(crawl_folder.os, "fstat", fstat)
        row = world.crawl()
        assert world.indexed(workspace).keys() == {"here/1"}
        assert row.problems == {Reason.OTHER_FILESYSTEM: {"count": 1, "examples": ["mounted/"]}}
        world.crawl(cross_filesystems=True)
        assert world.indexed(workspace).keys() == {"here/1", "mounted/2"}
        world.crawl()
        assert world.indexed(workspace).keys() == {"here/1", "mounted/2"}
    finally:
        world.close()
