"""The task of the index worker: what is due is looked at, by the level of its root, and told to the recorder."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from index.crawl_world import run
from index.extraction import samples
from index.extraction.extracting import Extracting
from index.extraction.samples import WORD
from index.reference_engine import ReferenceEngine
from workspacesio.domain.search_levels import is_below
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue import Due, EngineRow
from workspacesio.index.catalogue_contents import Enriched
from workspacesio.index.catalogue_readings import Readings
from workspacesio.index.engine_feed import EngineFeed
from workspacesio.index.extraction import fresh_entries, walks
from workspacesio.index.extraction.costs import content_cost
from workspacesio.index.extraction.protocol import Extractor, Limits
from workspacesio.index.extraction.registry import METADATA_STAMP, Registry
from workspacesio.index.extraction.waiting import waiting_contents
from workspacesio.index.found import Found
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.values import ObjectAddress, ObjectInfo, ObjectMetadata


def test_levels_one_after_the_other(extracting: Extracting) -> None:
    world = extracting.world
    world.write("a/notes.txt", f"my {WORD}".encode())
    world.write("a/deep/picture", samples.image())
    world.write("empty", b"")
    extracting.crawl()
    extracting.settle()
    assert extracting.contents() == {}

    extracting.level(IndexLevel.METADATA)
    extracting.settle()
    assert {path: (found.content_type, found.text) for path, found in extracting.contents().items()} == {
        "a/notes.txt": ("text/plain", ""),
        "a/deep/picture": ("image/png", ""),
    }
    assert set(extracting.stamps().values()) == {METADATA_STAMP}

    extracting.level(IndexLevel.CONTENT)
    extracting.settle()
    found = extracting.contents()
    assert found["a/notes.txt"].text == f"my {WORD}"
    assert found["a/deep/picture"].facts["width"] == "40"
    assert set(extracting.stamps().values()) <= extracting.registry.content_stamps

    extracting.level(IndexLevel.METADATA)
    extracting.settle()
    assert extracting.contents()["a/notes.txt"].text == ""

    extracting.level(IndexLevel.NAMES)
    extracting.settle()
    assert extracting.contents() == {}
    assert set(extracting.stamps().values()) == {None}


def test_an_unchanged_tree_costs_nothing_and_a_changed_file_only_itself(extracting: Extracting) -> None:
    world = extracting.world
    for number in range(20):
        world.write(f"f{number}.txt", f"text {number}".encode())
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    extracting.settle()
    assert extracting.task.looked == 20
    extracting.settle()
    world.write("f3.txt", b"something else")
    extracting.crawl()
    extracting.settle()
    assert extracting.task.looked == 21
    assert extracting.contents()["f3.txt"].text == "something else"


def test_each_file_is_read_once_however_often_is_committed(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = extracting.world.recorder
    monkeypatch.setattr(recorder, "commit_if_due", recorder.commit)
    monkeypatch.setattr("workspacesio.index.extraction.task.RECORDED_AT_ONCE", 7)
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.0)
    for number in range(150):
        extracting.world.write(f"{number % 5}/{number}.txt", b"text")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    extracting.settle()
    extracting.settle()
    assert extracting.task.looked == len(extracting.contents()) == 150


def test_it_is_written_down_what_is_held_and_what_is_read_through(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, number = extracting.world, extracting.workspace_id
    enrich = world.recorder.enrich

    def known() -> Readings:
        return world.catalogue.readings()

    def enrich_what_may_be_held(found: Sequence[tuple[Due, Enriched]]) -> int:
        assert not is_below(known().rows[number].held, level)
        return enrich(found)

    level = IndexLevel.CONTENT
    monkeypatch.setattr(world.recorder, "enrich", enrich_what_may_be_held)
    world.write("a.txt", b"text")
    extracting.crawl()
    extracting.settle()
    assert known().rows == {}, "only names were ever known"
    extracting.level(IndexLevel.CONTENT)
    extracting.settle()
    extracting.settle()
    row = known().rows[number]
    assert (row.held, row.looked, row.is_open) == (IndexLevel.CONTENT, IndexLevel.CONTENT, False)
    assert known().changed == frozenset()

    world.write("b.txt", b"text")
    extracting.crawl()
    assert known().changed == {number}
    extracting.settle()
    extracting.settle()
    assert (known().rows[number].is_open, known().changed) == (False, frozenset())
    through = known().rows[number].through

    extracting.task.close()
    extracting.task = extracting.new_task()
    before = known()
    extracting.task._walks.begin()
    assert known() == before, "nothing is to be read again for a new start"
    extracting.settle()
    assert known().rows[number].through >= through

    level = IndexLevel.METADATA
    extracting.level(level)
    assert known().rows[number].held is IndexLevel.CONTENT
    extracting.settle()
    extracting.settle()
    assert known().rows[number][:2] == (IndexLevel.METADATA, IndexLevel.METADATA)
    extracting.level(IndexLevel.NAMES)
    extracting.settle()
    extracting.settle()
    assert known().rows == {}


def test_what_readers_do_not_find_yet_is_not_called_read_nor_forgotten(extracting: Extracting) -> None:
    world, number = extracting.world, extracting.workspace_id
    world.write("a.txt", b"text")
    extracting.crawl()
    extracting.level(IndexLevel.CONTENT)
    feed = EngineFeed(EngineRow(1, "reference", "serving", 0), ReferenceEngine())
    assert feed.is_behind
    world.recorder.feeds.append(feed)
    extracting.settle()
    assert extracting.contents() != {}
    assert world.catalogue.readings().rows[number].is_open
    world.recorder.feeds.clear()
    extracting.settle()
    extracting.settle()
    assert not world.catalogue.readings().rows[number].is_open
    world.recorder.feeds.append(feed)
    extracting.level(IndexLevel.NAMES)
    extracting.settle()
    assert extracting.contents() == {}
    assert world.catalogue.readings().rows[number].held is IndexLevel.CONTENT
    world.recorder.feeds.clear()
    extracting.settle()
    assert world.catalogue.readings().rows == {}


def test_a_workspace_gets_its_turn_while_another_is_read(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.0)
    world = extracting.world
    for number in range(300):
        world.write(f"{number}.txt", b"text")
    extracting.crawl()
    extracting.level(IndexLevel.CONTENT)
    extracting.task.step()
    small = world.add_workspace("small/")
    world.recorder.put(small, "new.txt", Found("new.txt", 4, 1, "e"))
    world.recorder.commit()
    for _ in range(20):
        extracting.task.step()
        if small in {walk.wanted.workspace_id for walk in extracting.task._walks._turns.values()}:
            break
    else:
        raise AssertionError("it waits for the other")
    assert len(extracting.contents()) < 300


def test_what_is_not_to_be_read_any_more_is_not_read(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.0)
    for number in range(300):
        extracting.world.write(f"{number}.txt", b"text")
    extracting.crawl()
    extracting.level(IndexLevel.CONTENT)
    extracting.task.step()
    extracting.level(IndexLevel.NAMES)
    extracting.settle()
    extracting.settle()
    assert 0 < extracting.task.looked < 100
    assert extracting.contents() == {}
    assert extracting.world.catalogue.readings().rows == {}


def test_a_better_extractor_looks_again_at_its_own_files(extracting: Extracting) -> None:
    extracting.world.write("a.txt", b"text")
    extracting.world.write("b.png", samples.image())
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    extracting.settle()
    extracting.task.close()
    better = [
        Extractor(one.name, one.version + (one.name == "image"), one.content_types, one.function, one.libraries)
        for one in extracting.registry.extractors
    ]
    extracting.task = extracting.new_task(Registry(better))
    extracting.settle()
    assert extracting.task.looked == 1
    assert extracting.stamps()["b.png"] == "1:image/2"


def test_metadata_of_the_file_record_is_kept(extracting: Extracting) -> None:
    driver = extracting.world.driver
    assert isinstance(driver, FolderDriver)
    address = ObjectAddress("data", "a.bin", "")
    metadata = ObjectMetadata(
        headers={"content-type": "application/x-mine"}, user={"campaign": "alpine"}, tags={"stage": "raw"}
    )

    async def put() -> ObjectInfo:
        staged = await driver.stage(address, expected_size=3, hashers=())
        await staged.write(b"\x01\x02\x03")
        await staged.finish()
        return (await staged.publish(metadata)).info

    stored = run(put())
    extracting.level(IndexLevel.METADATA)
    extracting.crawl()
    extracting.settle()
    found = extracting.contents()["a.bin"]
    assert (found.content_type, found.user, found.tags) == (
        "application/x-mine",
        {"campaign": "alpine"},
        {"stage": "raw"},
    )

    run(driver.set_metadata(address, replace(stored.metadata, tags={"stage": "done"}), expected=stored))
    extracting.crawl()
    extracting.world.recorder.read_again(extracting.workspace_id, ["a.bin"])  # as the event says
    extracting.world.recorder.commit()
    assert extracting.contents()["a.bin"].tags == {"stage": "raw"}
    extracting.settle()
    assert extracting.contents()["a.bin"].tags == {"stage": "done"}


def test_a_file_that_changed_since_the_crawl_is_left_until_it_is_known(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_entries, "AGAIN_SECONDS", 0.2)
    extracting.world.write("a.txt", b"old")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    extracting.world.write("a.txt", b"newer")
    extracting.settle()
    assert extracting.contents() == {}
    time.sleep(0.3)
    extracting.settle()
    assert extracting.contents() == {}
    extracting.crawl()
    extracting.settle()
    assert extracting.contents()["a.txt"].text == "newer"
    assert extracting.task.looked == 1


def test_a_file_that_is_as_it_was_found_again_is_looked_at_again(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_entries, "AGAIN_SECONDS", 0.2)
    path = extracting.world.write("a.txt", b"text")
    then = os.stat(path).st_mtime_ns
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    os.utime(path, ns=(then, then + 10**9))
    extracting.settle()
    os.utime(path, ns=(then, then))
    extracting.settle(lambda: bool(extracting.contents()))
    assert extracting.contents()["a.txt"].text == "text"


def is_read_by_a_child(path: str) -> bool:
    """Whether another process has it open."""
    for place in glob.glob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(place) == path and not place.startswith(f"/proc/{os.getpid()}/"):
                return True
    return False


def test_what_changes_while_it_is_read_is_dropped(naughty: Extracting, monkeypatch: pytest.MonkeyPatch) -> None:
    path = naughty.world.write("a.sleep", b"text")
    naughty.level(IndexLevel.CONTENT)
    naughty.crawl()
    while not naughty.task._flying:
        naughty.task.step()
    until = time.monotonic() + 20
    while not is_read_by_a_child(path):
        assert time.monotonic() < until
    with open(path, "ab") as file:
        file.write(b" and more")
    naughty.settle()
    assert naughty.stamps() == {"a.sleep": None}


def test_hostile_files_cost_their_own_entries(naughty: Extracting) -> None:
    kinds = ("allocate", "sleep", "spin", "crash", "leave", "recurse", "absent", "lacking")
    for kind in kinds:
        naughty.world.write(f"a.{kind}", b"text")
        naughty.world.write(f"z.{kind}.threads", b"text")
    naughty.level(IndexLevel.CONTENT)
    naughty.crawl()
    naughty.settle()
    found = naughty.contents()
    assert len(found) == 2 * len(kinds)
    assert {path for path, one in found.items() if one.problem} == {f"a.{kind}" for kind in kinds}
    assert naughty.task.problems == len(kinds)
    assert naughty.stamps()["a.lacking"] == "1:lacking/3-"


def test_a_file_that_may_not_be_opened_says_so_and_a_vanished_one_nothing(extracting: Extracting) -> None:
    extracting.world.write("gone.txt", b"text")
    extracting.world.write("a.txt", b"text")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    os.unlink(extracting.world.folder / "gone.txt")
    extracting.settle()
    assert set(extracting.contents()) == {"a.txt"}


def test_a_link_that_was_put_in_the_place_of_a_file_is_not_followed(extracting: Extracting) -> None:
    extracting.world.write("a.txt", b"text")
    (extracting.world.base / "secret").write_bytes(b"text")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    path = extracting.world.folder / "a.txt"
    found = path.stat()
    path.unlink()
    path.symlink_to(extracting.world.base / "secret")
    os.utime(extracting.world.base / "secret", ns=(found.st_atime_ns, found.st_mtime_ns))
    extracting.settle()
    assert extracting.contents() == {}


def test_what_a_link_brings_in_from_outside_its_folder_is_not_read(extracting: Extracting) -> None:
    """A share of that folder alone would show it. Whatever the crawl recorded."""
    world = extracting.world
    world.write("secret.txt", b"a secret")
    world.write("shared/below/b.txt", b"b text")
    world.write("shared/a.txt", b"a text")
    links = {"up.txt": "../secret.txt", "down.txt": "below/b.txt", "folder": "below", "home": ".."}
    for name, target in links.items():
        (world.folder / "shared" / name).symlink_to(target)
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    for path in ("shared/up.txt", "shared/down.txt", "shared/folder/b.txt", "shared/home/secret.txt"):
        found = os.stat(world.folder / path)
        name = path.rpartition("/")[2]
        world.recorder.put(
            extracting.workspace_id, path, Found(name, found.st_size, found.st_mtime_ns // 1000, "e")
        )
    world.recorder.commit()
    extracting.settle()
    assert {path: found.text for path, found in extracting.contents().items()} == {
        "secret.txt": "a secret",
        "shared/a.txt": "a text",
        "shared/below/b.txt": "b text",
        "shared/down.txt": "b text",
        "shared/folder/b.txt": "b text",
    }


def test_a_node_that_is_down_is_waited_for(extracting: Extracting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "DOWN_SECONDS", 0.2)
    world = extracting.world
    world.write("a.txt", b"text")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    os.rename(world.folder, world.base / "away")
    extracting.settle()
    assert extracting.contents() == {}
    os.rename(world.base / "away", world.folder)
    time.sleep(0.3)
    extracting.settle(lambda: bool(extracting.contents()))


def test_no_faster_than_the_rate(extracting: Extracting) -> None:
    for number in range(6):
        extracting.world.write(f"{number}.txt", b"text")
    extracting.level(IndexLevel.METADATA, rate=10)
    extracting.crawl()
    began = time.monotonic()
    extracting.settle(lambda: len(extracting.contents()) == 6)
    assert time.monotonic() - began > 0.45


def test_waiting_and_costs_are_counted(extracting: Extracting) -> None:
    extracting.world.write("a.txt", b"text")
    extracting.world.write("b.txt", b"more text")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    left = partial(
        waiting_contents, catalogue=extracting.world.catalogue, registry=extracting.registry, root_ids={1}
    )
    with extracting.world.database.read() as session:
        assert content_cost(session, extracting.world.catalogue, extracting.registry, root_id=1) == (2, 13)
        assert left(session) == {1: (2, 13, None)}
        assert left(session, root_ids={2}) == {}
    extracting.settle()
    with extracting.world.database.read() as session:
        assert left(session) == {1: (0, 0, None)}


def test_idle_processes_end_and_come_again(extracting: Extracting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspacesio.index.extraction.task.REST_SECONDS", 0.0)
    extracting.world.write("a.txt", b"text")
    extracting.level(IndexLevel.CONTENT)
    extracting.crawl()
    extracting.settle()
    assert extracting.task._nursery._process is None
    extracting.world.write("b.txt", b"text")
    extracting.crawl()
    extracting.settle()
    assert set(extracting.contents()) == {"a.txt", "b.txt"}


def test_closing_breaks_off_what_takes_long(naughty: Extracting) -> None:
    naughty.limits = Limits(seconds=60.0)
    naughty.task.close()
    naughty.task = naughty.new_task()
    naughty.world.write("a.sleep", b"text")
    naughty.level(IndexLevel.CONTENT)
    naughty.crawl()
    while not naughty.task._flying:
        naughty.task.step()
    began = time.monotonic()
    naughty.task.close()
    assert time.monotonic() - began < 5
    assert naughty.stamps() == {"a.sleep": None}
