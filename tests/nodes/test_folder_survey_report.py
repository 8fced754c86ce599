"""A survey counts what listings will show, tells what they won't, and why, and changes nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings

from nodes.listed_tree import NOBODY, ListedTree, as_nobody
from nodes.test_folder_listing_order import TREES, build
from workspacesio.nodes.errors import KeyNotPossible, NoSuchBucket, NoSuchObject
from workspacesio.nodes.folder.metadata import FolderRecord
from workspacesio.nodes.folder.survey import MAX_EXAMPLES, Reason, SurveyReport, survey
from workspacesio.nodes.values import ObjectMetadata, Scope


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[ListedTree]:
    made = ListedTree(str(tmp_path / "node"))
    yield made
    made.close()


def reasons(report: SurveyReport) -> dict[Reason, tuple[int, list[str]]]:
    return {reason: (noted.count, sorted(noted.examples)) for reason, noted in report.not_served.items()}


def assert_agrees_with_listing(tree: ListedTree, boundary: str = "") -> None:
    objects, after = [], ""
    while True:
        page = tree.page(boundary, after=after, boundary=boundary)
        objects += page.objects
        if page.next_after is None:
            break
        after = page.next_after
    report = tree.survey(boundary)
    assert report.objects == len(objects)
    assert report.bytes == sum(item.size for item in objects)
    tops: dict[str, list[int]] = {}
    for item in objects:
        top, slash, _ = item.key[len(boundary) :].partition("/")
        if slash:
            tops.setdefault(top, []).append(item.size)
    counted = {top.name: (top.objects, top.bytes) for top in report.top_folders if top.objects}
    assert counted == {name: (len(sizes), sum(sizes)) for name, sizes in tops.items()}


@given(plan=TREES)
@settings(max_examples=150, deadline=None)
def test_the_survey_of_a_random_tree_counts_what_a_listing_shows(plan: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = ListedTree(os.path.join(os.path.realpath(folder), "node"))
        build(tree, plan)
        assert_agrees_with_listing(tree)
        for name in os.listdir(tree.path):
            if os.path.isdir(os.path.join(tree.path, name)) and not os.path.islink(os.path.join(tree.path, name)):
                assert_agrees_with_listing(tree, name + "/")
        tree.close()


def test_every_reason_is_counted_with_its_paths(tree: ListedTree, tmp_path: Path) -> None:
    tree.write("ws/shown/file", b"1234")
    tree.write(b"ws/caf\xe9")
    tree.write(b"ws/shown/\xff\xfe/file")
    long = "/".join(["x" * 250] * 4)
    tree.write(f"ws/{long}/{'y' * 40}")
    os.mkfifo(os.path.join(tree.path, "ws/fifo"))
    tree.write("ws/.snapshot/file")
    tree.write("ws/shown/@eaDir/file")
    os.chmod(tree.write("ws/private"), 0o600)
    tree.write("ws/closed/file")
    os.chmod(os.path.join(tree.path, "ws/closed"), 0o700)
    (tmp_path / "outside").write_text("secret")
    tree.write("other/file")
    tree.link("ws/nowhere", "gone")
    tree.link("ws/out", str(tmp_path / "outside"))
    tree.link("ws/other", "../other/file")
    tree.link("ws/shown/up", "..")
    tree.link("ws/to-private", "private")
    report = tree.survey("ws/")
    assert reasons(report) == {
        Reason.NOT_UTF8: (2, ["caf\\xe9", "shown/\\xff\\xfe"]),
        Reason.TOO_LONG: (1, [f"{long}/{'y' * 40}"]),
        Reason.SPECIAL: (1, ["fifo"]),
        Reason.SYSTEM_FOLDER: (2, [".snapshot", "shown/@eaDir"]),
        Reason.OWNER_ONLY: (2, ["closed/", "private"]),
        Reason.LINK_NOWHERE: (1, ["nowhere"]),
        Reason.LINK_OUTSIDE: (2, ["other", "out"]),
        Reason.LINK_NOT_SERVED: (2, ["shown/up", "to-private"]),
    }
    assert (report.objects, report.bytes) == (1, 4)
    assert_agrees_with_listing(tree, "ws/")


def test_what_the_service_may_not_read_is_reported(tree: ListedTree) -> None:
    tree.write("ws/shown")
    closed = tree.folder("ws/closed")
    file = tree.write("ws/file")
    for path in (closed, file):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, 0)
        os.chmod(path, 0o055)
    with as_nobody():
        report = tree.survey("ws/")
    assert reasons(report) == {Reason.UNREADABLE: (2, ["closed/", "file"])}
    assert report.objects == 1


def test_examples_are_few_however_many_there_are(tree: ListedTree) -> None:
    for index in range(100):
        os.mkfifo(os.path.join(tree.path, f"fifo-{index}"))
    noted = tree.survey().not_served[Reason.SPECIAL]
    assert noted.count == 100
    assert len(noted.examples) == MAX_EXAMPLES


def test_owners_of_the_folder_and_of_the_folders_in_it_are_told(tree: ListedTree) -> None:
    for number, name in enumerate(("ada", "bob")):
        tree.write(f"home/{name}/data/file", b"x" * (number + 1))
        if os.geteuid() == 0:
            os.chown(os.path.join(tree.path, "home", name), 1000 + number, 0)
    tree.folder("home/empty")
    tree.write("home/file")
    report = tree.survey("home/")
    uids = (1000, 1001) if os.geteuid() == 0 else (os.geteuid(), os.geteuid())
    assert report.uid == os.geteuid()
    assert sorted((top.name, top.uid, top.objects, top.bytes) for top in report.top_folders) == [
        ("ada", uids[0], 1, 1),
        ("bob", uids[1], 1, 2),
        ("empty", os.geteuid(), 0, 0),
    ]


def test_marked_folders_count_as_objects(tree: ListedTree) -> None:
    fd = os.open(tree.folder("ws/marked"), os.O_RDONLY)
    marker = FolderRecord(True, ObjectMetadata(etag="d41d8cd98f00b204e9800998ecf8427e"), 1.0)
    tree.records.write_folder(fd, os.fstat(fd).st_ino, marker, durable=False)
    os.close(fd)
    assert tree.survey("ws/").objects == 1
    assert_agrees_with_listing(tree, "ws/")


def test_folders_deeper_and_wider_than_are_kept_open(tree: ListedTree) -> None:
    deep = "/".join("d" * 60)
    tree.write(f"{deep}/file")
    for index in range(60):
        tree.write(f"{deep}/folder-{index}/file")
    open_before = len(os.listdir("/proc/self/fd"))
    assert tree.survey().objects == 61
    assert len(tree.keys()) == 61
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_progress_is_told_and_ends_the_survey_when_it_raises(tree: ListedTree) -> None:
    for index in range(3_500):
        tree.write(f"{index % 7}/file-{index}", b"12")
    told: list[tuple[int, int]] = []
    report = tree.survey(progress=lambda entries, size: told.append((entries, size)))
    assert [entries for entries, _ in told] == [1_000, 2_000, 3_000, 3_507]
    assert told[-1][1] == report.bytes == 7_000
    open_before = len(os.listdir("/proc/self/fd"))

    class Cancelled(Exception): ...

    def cancel(entries: int, _bytes: int) -> None:
        if entries == 2_000:
            raise Cancelled

    with pytest.raises(Cancelled):
        tree.survey(progress=cancel)
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_a_folder_that_is_none_is_refused(tree: ListedTree) -> None:
    tree.write("file")
    tree.folder("real")
    tree.link("link", "real")
    with pytest.raises(NoSuchObject):
        tree.survey("missing/")
    for boundary in ("file/", "link/"):
        with pytest.raises((KeyNotPossible, NoSuchObject)):
            tree.survey(boundary)
    with pytest.raises(NoSuchBucket):
        survey(tree.tree, tree.records, Scope("other", ""))
