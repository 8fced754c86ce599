"""What people do in a folder with their own programs is in the index at once, and only what S3 would show."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.event_world import EventWorld
from workspacesio.database.journal_tables import EventSource
from workspacesio.database.tables import Node, Root, Workspace
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel, NodeKind, RootType
from workspacesio.index import hints, watched_workspaces, watching
from workspacesio.index.freshness import KeptBy, freshness_of_roots
from workspacesio.nodes.folder import inotify, watchable, watched_folders
from workspacesio.services.crawl_requests import set_indexing


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked more often which workspaces there are, and told what of them is watched."""
    monkeypatch.setattr(watching, "REFRESH_SECONDS", 0.1)
    monkeypatch.setattr(watching, "WRITE_SECONDS", 0.1)
    monkeypatch.setattr(watching, "LISTEN_SECONDS", 0.02)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EventWorld]:
    made = EventWorld(tmp_path)
    made.add_workspace("a/")
    made.write("a/there")
    yield made
    made.close()


def prepared(world: EventWorld) -> None:
    """Watched, and what was there before is crawled, as by the worker."""
    world.watched(lambda: any(row.reason == CrawlReason.UNHEARD for row in world.rows()))
    while world.crawler.run_one(lambda: False):
        pass
    assert world.indexed(1) == world.listed("a/")


def agrees(world: EventWorld) -> bool:
    """What is listed through a link to a folder is indexed in the folder only."""
    return world.indexed(1) == {
        path: found for path, found in world.listed("a/").items() if not path.startswith("folder-link")
    }


def follows(world: EventWorld, seconds: float = 10.0) -> None:
    """The index comes to be as storage is, and stays so."""
    world.watched(lambda: agrees(world), seconds)
    for _ in range(4):
        world.watch.step()
        world.events.step()
        world.folders.step()
    assert agrees(world)


SHELL = [
    "cp /etc/passwd a/copy && echo more >> a/copy",
    "mkdir -p a/d/e/f && cp /etc/passwd a/d/e/f/x && cp /etc/group a/d/y",
    "mkdir a/m && seq 50 | while read n; do echo $n > a/m/$n; done; mv a/m/1 a/m/one; rm a/m/2 a/m/3",
    "mkdir -p a/t/u && echo 1 > a/t/u/v && mv a/t a/s && echo 2 > a/s/u/w",
    "mkdir -p a/t/u/v && echo 1 > a/t/u/v/w && rm -r a/t",
    "mkdir -p out/x/y && echo 1 > out/x/y/z && mv out/x a/in && echo 2 > a/in/y/z2",
    "mkdir -p a/out/p && echo 1 > a/out/p/q && mv a/out away",
    "echo 1 > a/.swp && mv a/.swp a/there",
    "echo 1 > a/hard && ln a/hard a/hard2 && ln -s hard a/soft && rm a/hard",
    "mkdir a/real && echo 1 > a/real/r && ln -s real a/folder-link && ln -s real/r a/link && echo 2 > a/real/s",
    "mkdir a/re && echo 1 > a/re/r && echo 1 > a/r && ln -s re a/turned && ln -sfn r a/turned",
    "mkdir a/ra && echo 1 > a/ra/r && echo 1 > a/s && ln -s s a/folder-link2 && ln -sfn ra a/folder-link2",
    "echo 1 > a/closed && chmod 600 a/closed && echo 1 > a/opened && chmod 600 a/opened && chmod 644 a/opened",
    "mkdir a/c && echo 1 > a/c/x && chmod 700 a/c",
    "mkdir -m 700 a/o && echo 1 > a/o/x && chmod 755 a/o && echo 2 > a/o/y",
    "mkdir -p a/.workspacesio a/@eaDir/x && echo 1 > a/.workspacesio/x && echo 1 > a/@eaDir/x/y; echo 1 > a/.dot",
    "touch -d 2001-01-01 a/there && truncate -s 12345 a/there",
    "echo 1 > a/x1 && mkfifo a/pipe && rm a/x1 && mkdir a/x1 && echo 2 > a/x1/y && rm -r a/x1 && echo 3 > a/x1",
    "mkdir a/1 a/2 && echo 1 > a/1/x && echo 2 > a/2/y && mv a/1 a/3 && mv a/2 a/1 && mv a/3 a/2",
    "cp -r /usr/share/doc/bash a/docs 2>/dev/null; cp -rL /etc/init.d a/init && mv a/init a/docs2",
]


@pytest.mark.parametrize("command", SHELL)
def test_what_a_shell_does(world: EventWorld, command: str) -> None:
    prepared(world)
    subprocess.run(command, shell=True, cwd=world.folder, check=True, umask=0o022)
    follows(world)
    with world.database.read() as session:
        assert freshness_of_roots(session)[1].freshness.kept_by is KeptBy.WATCHING


def test_all_of_it_at_once(world: EventWorld) -> None:
    """While folders are still being prepared, and more than one thing at a time."""
    for number in range(300):
        world.write(f"a/deep/{number % 20}/{number}/x")
    world.watch.step()
    running = [
        subprocess.Popen(command, shell=True, cwd=world.folder, umask=0o022, stderr=subprocess.DEVNULL)
        for command in SHELL
    ]
    for process in running:
        while process.poll() is None:
            world.watch.step()
            world.events.step()
            world.folders.step()
    prepared_by = time.monotonic() + 10
    while not any(row.reason == CrawlReason.UNHEARD for row in world.rows()):
        world.watch.step()
        assert time.monotonic() < prepared_by
    while world.crawler.run_one(lambda: False):
        pass
    follows(world)


def test_folders_that_are_closed_opened_and_moved_away(world: EventWorld) -> None:
    world.write("a/d/e/x")
    prepared(world)
    assert watched_paths(world) == ["", "d/", "d/e/"]
    os.chmod(world.folder / "a/d", 0o700)
    world.watched(lambda: agrees(world) and watched_paths(world) == [""])
    assert list(world.indexed(1)) == ["there"]
    os.chmod(world.folder / "a/d", 0o755)
    world.watched(lambda: agrees(world) and watched_paths(world) == ["", "d/", "d/e/"])
    os.rename(world.folder / "a/d", world.folder / "d")
    world.watched(lambda: agrees(world) and watched_paths(world) == [""])


def test_rsync_and_editors_write_beside_and_rename(world: EventWorld) -> None:
    prepared(world)
    for number in range(30):
        part = world.folder / f"a/.there.{number}~"
        part.write_bytes(b"x" * number)
        os.rename(part, world.folder / "a/there")
    follows(world)
    assert list(world.indexed(1)) == ["there"]


def test_names_that_are_no_text_harm_nobody(world: EventWorld) -> None:
    prepared(world)
    world.write(b"a/\xff\xfe")
    world.write(b"a/\xff/x")
    world.write("a/" + "n" * 255)
    world.write("a/ä\n\x01")
    follows(world)
    assert set(world.indexed(1)) == {"there", "n" * 255, "ä\n\x01"}


def test_it_is_quick(world: EventWorld) -> None:
    prepared(world)
    world.write("a/new")
    assert world.watched(lambda: agrees(world)) < 1.0


def test_our_own_writes_are_told_twice_and_recorded_once(world: EventWorld) -> None:
    prepared(world)
    world.write("a/there", b"anew")
    follows(world)
    change = world.catalogue.change_number()
    world.journal("a/there")
    world.context.hints.add_object(1, 1, "there")
    world.context.hints.add_folder(1, 1, "")
    world.settle()
    assert world.catalogue.change_number() == change


def test_what_was_changed_before_the_worker_began_is_crawled(world: EventWorld) -> None:
    prepared(world)
    world.end()
    world.write("a/meanwhile")
    world.write("a/there", b"in place")
    world.begin()
    world.watched(lambda: any(row.state == CrawlState.QUEUED for row in world.rows()))
    (crawl,) = [row for row in world.rows() if row.state == CrawlState.QUEUED]
    assert (crawl.reason, crawl.workspace_id, crawl.gentle) == (CrawlReason.UNHEARD, None, True)
    assert world.crawler.run_one(lambda: False)
    assert agrees(world)


def test_a_folder_that_went_while_nobody_watched_is_found_gone(world: EventWorld) -> None:
    prepared(world)
    world.end()
    os.rename(world.folder / "a", world.folder / "away")
    world.begin()
    world.watched(lambda: any(row.state == CrawlState.QUEUED for row in world.rows()))
    assert world.crawler.run_one(lambda: False)
    assert world.indexed(1) == {}


def test_a_folder_that_went_before_it_was_watched_again_is_found_gone(world: EventWorld) -> None:
    prepared(world)
    for level in (IndexLevel.NONE, IndexLevel.NAMES):
        with world.database.write() as session:
            set_indexing(session, root_id=1, level=level, now=world.now)
        while world.crawler.run_one(lambda: False):
            pass
        world.watch._refresh_at = world.watch._read_at = 0.0
        if level is IndexLevel.NONE:
            world.watch.step()
    assert world.indexed(1) == world.listed("a/")
    os.rename(world.folder / "a", world.folder / "away")
    world.watched(lambda: world.indexed(1) == {})


def test_workspaces_come_and_go(world: EventWorld) -> None:
    prepared(world)
    workspace_id = world.add_workspace("b/")
    world.watch._read_at = world.watch._refresh_at = 0.0  # it is seen before its folder is there
    for _ in range(3):
        world.watch.step()
    world.write("b/d/x")  # its folder is made by somebody in a shell
    world.watched(lambda: world.indexed(workspace_id) == world.listed("b/"))
    world.write("b/d/y")
    world.watched(lambda: world.indexed(workspace_id) == world.listed("b/"))
    assert len(world.rows()) == 1
    os.rename(world.folder / "b", world.folder / "elsewhere")
    world.watched(lambda: world.indexed(workspace_id) == {})
    os.rename(world.folder / "elsewhere", world.folder / "b")
    world.watched(lambda: world.indexed(workspace_id) == world.listed("b/"))
    with world.database.write() as session:
        session.delete(session.get_one(Workspace, workspace_id))
    world.watch._refresh_at = 0.0
    world.watch.step()
    world.write("b/late")
    world.events._vanished_at = 0.0
    world.watched(lambda: world.recorder.workspaces() == [1])
    follows(world)


def test_a_folder_that_comes_and_goes_is_looked_at_once(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(world)
    workspaces = world.watch._workspaces
    for _ in range(4):
        os.rename(world.folder / "a", world.folder / "away")
        while not workspaces._states[1].missing:
            workspaces.step(0.02)
        os.rename(world.folder / "away", world.folder / "a")
        workspaces.look_after()
    looked: list[int] = []
    real = workspaces._is_where_it_was

    def look(workspace_id: int) -> bool:
        looked.append(workspace_id)
        return real(workspace_id)

    monkeypatch.setattr(workspaces, "_is_where_it_was", look)
    workspaces.look_after()
    assert looked == [1]


def test_a_folder_above_that_is_moved_away(world: EventWorld) -> None:
    """Of which the kernel tells nothing to who watches what is below."""
    world.write("up/b/x")
    workspace_id = world.add_workspace("up/b/")
    prepared(world)
    assert world.indexed(workspace_id) == world.listed("up/b/")
    os.rename(world.folder / "up", world.folder / "down")
    world.watched(lambda: world.indexed(workspace_id) == {})
    world.write("up/b/other")
    world.watched(lambda: world.indexed(workspace_id) == world.listed("up/b/"))


def test_folders_that_are_served_from_now_on_are_watched(world: EventWorld) -> None:
    world.write("a/own/x")
    os.chmod(world.folder / "a/own", 0o700)
    prepared(world)
    assert watched_paths(world) == [""]
    world.context.nodes[1].change(read_only=False, serve_owner_only=True, cross_filesystems=False)  # type: ignore[attr-defined]
    follows(world)
    assert watched_paths(world) == ["", "own/"]
    world.write("a/own/y")
    follows(world)


def test_what_is_not_indexed_is_not_watched(world: EventWorld) -> None:
    with world.database.write() as session:
        set_indexing(session, root_id=1, exclusions=["cache/"], now=world.now)
    world.write("a/cache/d/x")
    world.watched(lambda: status(world, 1) is KeptBy.WATCHING and agrees_but(world, "cache/"))
    assert watched_paths(world) == [""]
    world.write("a/cache/e/y")
    world.write("a/z")
    world.watched(lambda: agrees_but(world, "cache/"))
    assert watched_paths(world) == [""]
    with world.database.write() as session:
        set_indexing(session, root_id=1, level=IndexLevel.NONE, now=world.now)
    world.watch._refresh_at = world.watch._read_at = 0.0
    world.watch.step()
    assert watched_paths(world) == []


def agrees_but(world: EventWorld, folder: str) -> bool:
    while world.crawler.run_one(lambda: False):
        pass
    shown = {path: found for path, found in world.listed("a/").items() if not path.startswith(folder)}
    return world.indexed(1) == shown


def watched_paths(world: EventWorld) -> list[str]:
    folders = world.watch._workspaces._folders
    return [] if folders is None else sorted(one.path for one in folders._by_watch.values())


def test_where_the_system_lets_us_watch_no_more(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workspace that is too big is let go of, says so, and the others are watched."""
    for number in range(30):
        world.write(f"a/{number}/x")
    world.write("b/x")
    root_id = world.add_root("second", "b/")
    workspace_id = world.add_workspace("b/", root_id=root_id)
    add = inotify.Inotify.add
    count = [0]

    def limited(self: inotify.Inotify, folder_fd: int) -> int:
        if count[0] >= 10:
            count[0] = 0
            raise inotify.WatchLimit("fs.inotify.max_user_watches is 10")
        count[0] += 1
        return add(self, folder_fd)

    monkeypatch.setattr(inotify.Inotify, "add", limited)
    world.watched(lambda: status(world, root_id) is KeptBy.WATCHING)
    assert status(world, 1) is KeptBy.EVENTS
    with world.database.read() as session:
        problem = freshness_of_roots(session)[1].freshness.problem
    assert problem is not None
    assert "max_user_watches is 10" in problem
    world.write("b/y")
    world.watched(lambda: workspace_id in world.recorder.workspaces())
    monkeypatch.setattr(watched_workspaces, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(inotify.Inotify, "add", add)
    for state in world.watch._workspaces._states.values():
        state.retry_at = 0.0
    world.watched(lambda: status(world, 1) is KeptBy.WATCHING)


def status(world: EventWorld, root_id: int) -> KeptBy | None:
    with world.database.read() as session:
        known = freshness_of_roots(session).get(root_id)
    return None if known is None else known.freshness.kept_by


def test_where_the_system_has_no_queue_left(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: inotify.Inotify) -> None:
        raise inotify.WatchLimit("fs.inotify.max_user_instances is 128")

    monkeypatch.setattr(inotify.Inotify, "__init__", none_left)
    world.watched(lambda: status(world, 1) is KeptBy.EVENTS)
    world.write("a/x")
    world.journal("a/x")
    world.settle()
    assert "x" in world.indexed(1)


def test_network_filesystems_are_not_watched(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watchable.why_not_watched(0x6969) is not None
    assert "NFS" in (watchable.why_not_watched(0x6969) or "")
    assert "FUSE" in (watchable.why_not_watched(0x65735546) or "")
    assert watchable.why_not_watched(0xEF53) is None
    monkeypatch.setattr(watched_workspaces, "why_not_watched", lambda _: watchable.why_not_watched(0xFE534D42))
    world.watched(lambda: status(world, 1) is KeptBy.EVENTS)
    with world.database.read() as session:
        assert "SMB" in (freshness_of_roots(session)[1].freshness.problem or "")
    assert watched_paths(world) == []


def test_a_node_that_is_away_is_watched_when_it_is_back(world: EventWorld, tmp_path: Path) -> None:
    os.rename(world.folder, tmp_path / "unmounted")
    world.watched(lambda: status(world, 1) is KeptBy.EVENTS)
    os.rename(tmp_path / "unmounted", world.folder)
    for state in world.watch._workspaces._states.values():
        state.retry_at = 0.0
    world.watched(lambda: status(world, 1) is KeptBy.WATCHING)
    prepared(world)
    world.write("a/x")
    follows(world)


def test_what_is_imported_is_crawled_and_not_gone_through_besides(world: EventWorld) -> None:
    prepared(world)
    world.write("b/d/x")
    workspace_id = world.add_workspace("b/")
    crawl_id = world.request(workspace_id=workspace_id, reason=CrawlReason.IMPORT)
    world.watch._read_at = 0.0
    world.watched(lambda: len(watched_paths(world)) == 3)
    for _ in range(20):
        world.watch.step()
        world.folders.step()
    assert world.context.hints.waiting() == 0
    assert world.rows()[-1].id == crawl_id
    assert world.crawler.run_one(lambda: False)
    assert world.row(crawl_id).new == 1


def test_more_happens_than_the_queue_holds(world: EventWorld) -> None:
    """The kernel drops what comes then; the folders are watched anew, and crawled."""
    prepared(world)
    done = len(world.rows())
    size = inotify.limit("fs.inotify.max_queued_events")
    assert size is not None
    script = f"""
import os
for n in range({size}):
    os.close(os.open(f'a/f{{n % 50}}', os.O_CREAT | os.O_WRONLY, 0o644))
    if n % 50 == 49:
        for m in range(50): os.unlink(f'a/f{{m}}')
os.makedirs('a/unheard/of')
open('a/unheard/of/x', 'w').close()
"""
    subprocess.run([sys.executable, "-c", script], cwd=world.folder, check=True, umask=0o022)
    world.watched(lambda: len(world.rows()) > done)
    while world.crawler.run_one(lambda: False):
        pass
    follows(world)
    world.write("a/unheard/of/y")
    follows(world)


def test_servers_that_tell_are_crawled_when_the_worker_begins(world: EventWorld) -> None:
    """What they told while the service was away, they told nobody."""
    with world.database.write() as session:
        for name, kind in (("told", NodeKind.MINIO), ("silent", NodeKind.MINIO), ("cloud", NodeKind.AWS)):
            node = Node(name=name, kind=kind, endpoint="http://127.0.0.1:1", created_at=world.now)
            session.add(node)
            session.flush()
            session.add(
                Root(
                    name=name,
                    node_id=node.id,
                    bucket="b",
                    prefix="",
                    type=RootType.UNMANAGED_PRIVATE,
                    created_at=world.now,
                )
            )
            if name == "told":
                session.add(EventSource(node_id=node.id, token_number=1))
    world.watched(lambda: status(world, 4) is not None)
    with world.database.read() as session:
        found = {root: known.freshness for root, known in freshness_of_roots(session).items()}
        told = session.get_one(EventSource, 2)
    assert [found[root].kept_by for root in (2, 3, 4)] == [KeptBy.EVENTS, KeptBy.CRAWLS, KeptBy.CRAWLS]
    assert ["`wio node events" in (found[root].problem or "") for root in (2, 3, 4)] == [True, True, False]
    assert (2, None, CrawlReason.UNHEARD) in {(row.root_id, row.workspace_id, row.reason) for row in world.rows()}
    assert not {3, 4} & {row.root_id for row in world.rows()}
    assert told.heard_at is None
    with world.database.write() as session:
        session.get_one(EventSource, 2).heard_at = world.now
    world.watched(lambda: known_problem(world, 2) is None)


def known_problem(world: EventWorld, root_id: int) -> str | None:
    with world.database.read() as session:
        return freshness_of_roots(session)[root_id].freshness.problem


def test_hints_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MAX_OBJECTS", 10)
    monkeypatch.setattr(hints, "MAX_FOLDERS", 5)
    made = hints.Hints()
    for number in range(11):
        made.add_object(1, 1, str(number))
    assert made.take_objects(1, 100) == {}
    assert made.take_folder(set()) == (1, 1, "")
    for number in range(20):
        made.add_folder(1, 1, f"x/{number}/")
    made.add_folder(2, 3, "y/")
    assert made.take_folder({2}) == (1, 1, "x/")
    assert made.take_folder({2}) is None
    assert made.take_folder(set()) == (2, 3, "y/")
    made.add_folder(1, 1, "x/")
    made.add_folder(1, 1, "x/y/")
    assert made.waiting() == 1


def test_folders_are_prepared_in_slices(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, what happens meanwhile is heard in between."""
    for number in range(400):
        world.write(f"a/{number % 7}/{number}/x")
    monkeypatch.setattr(watched_folders, "SLICE_SECONDS", 0.001)
    world.watch.step()
    assert 0 < len(watched_paths(world)) < 400
    assert status(world, 1) in (None, KeptBy.EVENTS)
    world.write("a/early")
    world.watched(lambda: "early" in world.indexed(1))
    prepared(world)
    assert len(watched_paths(world)) == 408
