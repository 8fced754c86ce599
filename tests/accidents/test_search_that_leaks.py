"""Accident: search that still shows what was taken away, and questions that keep everybody else waiting.

On a running service, as people use it: what S3 no longer gives is no longer found, with the file's own rights, its
place or its link changed by a shell after it was indexed.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from accidents.api import Api
from accidents.lab import Lab
from index.crawl_world import CrawlWorld
from index.engine_worlds import entry
from workspacesio.api.search_turns import AT_ONCE, MOST_WAITING, SearchTurns
from workspacesio.database.index_tables import Crawl
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.search_matching import MAX_RANKED, EntryFields, rank, ranked
from workspacesio.domain.search_parsing import parse
from workspacesio.domain.search_query import AllOf, AnyOf, Everything, Words, Workspaces
from workspacesio.domain.vocabulary import CrawlState
from workspacesio.index import crawl_folder, tantivy_paging
from workspacesio.index.engine import Entry, SearchRequest, Sort
from workspacesio.index.highlights import highlights
from workspacesio.index.tantivy_answers import Answers
from workspacesio.index.tantivy_engine import TantivyEngine
from workspacesio.nodes.folder.resolve import NodeTree, folder_closed
from workspacesio.nodes.folder.sight import open_folder
from workspacesio.services.crawl_requests import pause_crawl

SOON_SECONDS = 20


def found(caller: Api, q: str = "") -> set[str]:
    """Paths, with which the total and the sum agree."""
    answer = caller.done("GET", "/search", q=q, limit="1000")
    results = answer["results"]
    assert answer["total"] == len(results)
    assert answer["bytes"] == sum(one["size"] for one in results)
    return {one["path"] for one in results}


def counted(caller: Api) -> set[int]:
    """How many there are, by every facet."""
    answer = caller.done("GET", "/aggregate", by="ext,type,owner,workspace,year")
    return {answer["total"], *(sum(one["count"] for one in buckets) for buckets in answer["facets"].values())}


def soon(holds: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < SOON_SECONDS, "it still isn't so"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def closing(lab: Lab) -> int:
    """ada's workspace `plates`, of which bob reads the folder `raw`."""
    for path in ("raw/a.txt", "raw/deep/b.txt", "raw/deep/er/c.txt", "secret/s3cr3t.txt"):
        lab.write(f"plates/{path}", b"x")
    number = lab.imported("plates")
    lab.ada.share(number, "bob", "read", "raw")
    soon(lambda: found(lab.bob) == {"raw/a.txt", "raw/deep/b.txt", "raw/deep/er/c.txt"})
    return number


def test_what_the_shell_closes_is_no_longer_found(lab: Lab, closing: int) -> None:
    everything = found(lab.bob)
    for path in ("plates/raw/a.txt", "plates/raw/deep/er", "plates/raw/deep", "plates/raw", "plates"):
        mode = os.stat(lab.path(path)).st_mode
        below = f"{path.removeprefix('plates').strip('/')}"
        left = {one for one in everything if one != below and below and not one.startswith(f"{below}/")}
        os.chmod(lab.path(path), 0)
        soon(lambda left=left: found(lab.bob) == left)  # type: ignore[misc]
        assert counted(lab.bob) == {len(left)}
        assert lab.bob.done("GET", f"/workspaces/{closing}/sizes")["objects"] == len(left)
        os.chmod(lab.path(path), mode)
        soon(lambda: found(lab.bob) == everything)


def test_what_is_moved_out_of_a_shared_folder_is_no_longer_found(lab: Lab, closing: int) -> None:
    everything = found(lab.bob)
    os.rename(lab.path("plates/raw/deep"), lab.path("plates/secret/deep"))
    soon(lambda: found(lab.bob) == {"raw/a.txt"})
    soon(lambda: "secret/deep/er/c.txt" in found(lab.ada))
    os.rename(lab.path("plates/secret/deep"), lab.path("plates/raw/DEEP"))
    soon(lambda: found(lab.bob) == {one.replace("deep", "DEEP") for one in everything})
    os.rename(lab.path("plates/raw"), lab.path("plates/RAW"))
    soon(lambda: found(lab.bob) == set())
    os.mkdir(lab.path("plates/raw"))
    lab.write("plates/raw/again.txt")
    soon(lambda: found(lab.bob) == {"raw/again.txt"})
    os.unlink(lab.path("plates/raw/again.txt"))
    os.rmdir(lab.path("plates/raw"))
    os.rename(lab.path("plates/RAW"), lab.path("plates/raw"))
    os.rename(lab.path("plates/raw/DEEP"), lab.path("plates/raw/deep"))
    soon(lambda: found(lab.bob) == everything)


def test_a_link_that_is_turned_elsewhere_finds_nothing(lab: Lab, closing: int) -> None:
    everything = found(lab.bob)
    os.symlink("deep/b.txt", lab.path("plates/raw/link.txt"))
    os.symlink("deep", lab.path("plates/raw/folder"))
    soon(lambda: found(lab.bob) == everything | {"raw/link.txt"})  # through a link to a folder nothing is found
    for name, target in (("link.txt", "../secret/s3cr3t.txt"), ("folder", "../secret")):
        os.symlink(target, lab.path("plates/raw/new"))
        os.rename(lab.path("plates/raw/new"), lab.path(f"plates/raw/{name}"))
    soon(lambda: found(lab.bob) == everything)
    for name in ("link.txt", "folder"):
        os.unlink(lab.path(f"plates/raw/{name}"))
    # Links that pass other links are followed to their end before it is said where they lie.
    os.symlink("../secret", lab.path("plates/raw/deep/out"))
    os.symlink("deep/out/s3cr3t.txt", lab.path("plates/raw/far.txt"))
    os.symlink("deep/er/../../../secret/s3cr3t.txt", lab.path("plates/raw/up.txt"))
    lab.write("plates/raw/last.txt")
    soon(lambda: found(lab.bob) == everything | {"raw/last.txt"})
    for name in ("deep/out", "far.txt", "up.txt", "last.txt"):
        os.unlink(lab.path(f"plates/raw/{name}"))
    soon(lambda: found(lab.bob) == everything)


def test_hidden_and_system_folders_are_not_watched_in(lab: Lab, closing: int) -> None:
    everything = found(lab.bob)
    for name in (".snapshot", ".zfs", "@eaDir", "#recycle", ".minio.sys"):
        os.makedirs(lab.path(f"plates/raw/{name}/in"))
        lab.write(f"plates/raw/{name}/in/s3cr3t.txt")
    lab.write("plates/raw/last.txt")
    soon(lambda: found(lab.bob) == everything | {"raw/last.txt"})
    os.unlink(lab.path("plates/raw/last.txt"))
    soon(lambda: found(lab.bob) == everything)


def test_a_workspace_made_anew_over_the_same_folder_shows_nothing_of_the_old(lab: Lab, closing: int) -> None:
    lab.write("again/one.txt")
    first = lab.imported("again")
    lab.ada.share(first, "carol")
    soon(lambda: found(lab.carol) == {"one.txt"})
    lab.ada.done("POST", f"/workspaces/{first}/release")
    assert found(lab.carol) == set()
    second = lab.imported("again", owner="bob")
    assert second != first
    assert found(lab.carol) == set()
    soon(lambda: "one.txt" in found(lab.bob))
    assert found(lab.carol) == set()
    assert "one.txt" not in found(lab.ada)


def test_queries_are_in_no_log(lab: Lab, closing: int) -> None:
    lab.bob.done("GET", "/search", q="wordthatisnowhere")
    lab.bob.call("GET", "/search", q="wordthatisnowhere and (")
    assert "wordthatisnowhere" not in lab.service.log()
    assert "s3cr3t" not in lab.service.log()


def test_folders_that_are_closed_to_the_service_too_are_no_longer_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a service that doesn't run as root, which can't open what is closed; and the rest is crawled."""

    def opened(tree: NodeTree, place: bytes) -> int:
        if folder_closed(os.stat(place, dir_fd=tree.root_fd).st_mode):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_folder(tree, place)

    monkeypatch.setattr(crawl_folder, "open_folder", opened)
    world = CrawlWorld(tmp_path)
    first, second = world.add_workspace("one/"), world.add_workspace("two/")
    for path in ("one/a/b/x", "one/y", "two/z"):
        (world.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (world.folder / path).write_bytes(b"x")
    assert world.crawl().state == CrawlState.DONE
    os.chmod(world.folder / "one/a", 0)
    assert world.crawl().state == CrawlState.DONE
    assert set(world.indexed(first)) == {"y"}
    os.chmod(world.folder / "one", 0)
    (world.folder / "two/later").write_bytes(b"x")
    assert world.crawl().state == CrawlState.DONE
    assert (set(world.indexed(first)), set(world.indexed(second))) == (set(), {"z", "later"})
    os.chmod(world.folder / "one", 0o755)
    os.chmod(world.folder / "one/a", 0o755)
    assert world.crawl().state == CrawlState.DONE
    assert set(world.indexed(first)) == {"a/b/x", "y"}
    world.close()


# --- questions that keep everybody else waiting ---------------------------------------------------------------


def seconds(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def test_words_are_marked_in_little_time_however_many_are_asked_for() -> None:
    """A page has a hundred entries, each with 256 KiB of text that a query nearly fits everywhere."""
    text = "a " * 131_072
    asked = [("a",) * 8 + (f"b{number}",) for number in range(100)]
    assert seconds(lambda: highlights(asked, "x", text)) < 1
    assert highlights([("needle",)], "x", f"{text}Needle") == ((f"{'a ' * 40}Needle", ((80, 86),)),)


def test_relevance_looks_at_few_of_many_words() -> None:
    many = parse(" or ".join(f'"a b{number}"' for number in range(50)), 0)
    assert ranked(many) == [Words(("a", f"b{number}")) for number in range(MAX_RANKED)]
    assert rank(many, EntryFields(1, (1,), "a b0 a b1/a b49.txt", 1, 0)) == 2


def test_the_engine_goes_through_few_ranks(tmp_path: Path) -> None:
    """Each rank is a search of its own: a hundred words made two hundred of them, and one page took 18 seconds."""
    paths = {1: "w12 w11.txt", 2: "w12.txt", 3: "w1.txt"}
    engine = TantivyEngine(tmp_path)
    writer = engine.writer()
    writer.put([Entry(n, 1, (1,), path, n, n, "", "", {}, {}, {}, "", "") for n, path in paths.items()])
    writer.commit()
    reader = engine.reader()
    words = AnyOf(tuple(Words((f"w{number}",)) for number in range(1, 13)))
    wanted = AllOf((Workspaces(frozenset({1})), words))
    page = reader.search(
        SearchRequest(query=wanted, sort=Sort.RELEVANCE, descending=True, limit=50, after=None, highlight=False)
    )
    assert [hit.id for hit in page.hits] == [3, 2, 1]
    writer.close()
    reader.close()


class Passes:
    """Counts how often an engine goes through what a query finds."""

    def __init__(self, searcher: Any) -> None:
        self._searcher = searcher
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        self.count += name in ("search", "aggregate")
        return getattr(self._searcher, name)


def test_a_page_takes_few_passes_for_any_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With eight words there are seventeen ranks; each was a pass, through all of the query."""
    engine = TantivyEngine(tmp_path)
    writer = engine.writer()
    writer.put([entry(n, " ".join(f"w{word}" for word in range(n % 9)), modified=n % 7) for n in range(1, 2000)])
    writer.commit()
    reader = engine.reader()
    monkeypatch.setattr(tantivy_paging, "SORTED_HERE", 10)
    passes = Passes(reader._searcher())  # type: ignore[attr-defined]
    monkeypatch.setattr(reader, "_newest", lambda: (passes, Answers()))
    words = tuple(Words((f"w{number}",)) for number in range(8))
    after, pages = None, 0
    while pages == 0 or after is not None:
        passes.count = 0
        after = reader.search(SearchRequest(AnyOf((*words, Everything())), limit=300, after=after)).next_after
        # Of these, one is for the total, one for what is shown.
        assert passes.count <= 7
        pages += 1
    assert pages == 7
    writer.close()
    reader.close()


def test_one_user_does_not_take_all_threads_with_searches() -> None:
    turns = SearchTurns(wait_seconds=0.05)
    with turns.turn(1), turns.turn(1):
        with pytest.raises(Unavailable, match="Your other searches are not done yet") as caught, turns.turn(1):
            pass
        assert caught.value.code == "busy"
        with turns.turn(2), turns.turn(2):
            pass
    with turns.turn(1), turns.turn(1):
        pass


def test_searches_of_one_user_wait_for_one_another_and_only_a_few_do() -> None:
    turns = SearchTurns(wait_seconds=20)
    let_go = threading.Event()
    running: list[int] = []

    def search() -> str:
        try:
            with turns.turn(1):
                running.append(1)
                let_go.wait(20)
        except Unavailable as error:
            return error.code
        return "done"

    asked = AT_ONCE + MOST_WAITING + 3
    with ThreadPoolExecutor(asked) as threads:
        answers = [threads.submit(search) for _ in range(asked)]
        refused = [each.result(10) for each in islice(as_completed(answers), 3)]
        assert refused == ["busy"] * 3
        assert len(running) == AT_ONCE
        let_go.set()
        assert sorted(each.result(10) for each in answers) == ["busy"] * 3 + ["done"] * (asked - 3)


def test_whoever_pauses_their_own_crawl_holds_up_nobody_elses(tmp_path: Path) -> None:
    """An owner's crawl of a workspace is theirs; the crawls of the whole root come as its manager set them."""
    world = CrawlWorld(tmp_path)
    own = world.add_workspace("own/")
    world.add_workspace("others/")
    crawl_id = world.request(workspace_id=own)
    with world.database.write() as session:
        pause_crawl(session.get_one(Crawl, crawl_id))
    world.pass_time(days=2)
    assert world.queue.schedule_due() == 1
    assert [row.workspace_id for row in world.rows() if row.id != crawl_id] == [None]
    assert world.queue.schedule_due() == 0
    world.close()
