"""ETags that a listing remembers: never one of another state of a file, whatever was done to it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.listed_tree import ListedTree
from workspacesio.nodes.folder.file_record import written_record
from workspacesio.nodes.folder.known_etags import KnownEtags
from workspacesio.nodes.folder.metadata import ATTRIBUTE, derived_etag
from workspacesio.nodes.folder.page_etags import PageEtags
from workspacesio.nodes.values import ObjectMetadata

TICK_SECONDS = 0.02
"""More than one of the filesystem's clock; the trees of these tests count every file as long quiet."""

STORED = ObjectMetadata("5" * 32, checksums={"CRC32": "AAAAAA=="}, checksum_type="FULL_OBJECT")


def later() -> int:
    return time.time_ns() + 60_000_000_000


@pytest.fixture
def tree(tmp_path: Path) -> ListedTree:
    return ListedTree(str(tmp_path / "folder"))


def record(path: str, metadata: ObjectMetadata = STORED) -> None:
    os.setxattr(path, ATTRIBUTE, written_record(os.stat(path), metadata))


def shown(tree: ListedTree) -> tuple[str, str | None]:
    (only,) = tree.page().objects
    return only.etag, only.checksum_algorithm


def test_an_unchanged_file_is_not_asked_for_its_record_again(
    tree: ListedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: tree.write(name) for name in ("derived", "long", "stored")}
    record(paths["stored"])
    record(paths["long"], ObjectMetadata("6" * 32 + "-3"))
    read: list[bytes] = []
    reading = PageEtags._read_of

    def counted(self: PageEtags, fd: int, name: bytes, found: os.stat_result) -> tuple[str, str | None]:
        read.append(name)
        return reading(self, fd, name, found)

    monkeypatch.setattr(PageEtags, "_read_of", counted)
    first = tree.page()
    assert read == [b"derived", b"long", b"stored"]
    assert tree.page() == first
    assert read[3:] == [b"long"]
    assert [(item.etag, item.checksum_algorithm) for item in first.objects] == [
        (derived_etag(os.stat(paths["derived"])), None),
        ("6" * 32 + "-3", None),
        ("5" * 32, "CRC32"),
    ]


def in_place(path: str) -> None:
    """And the mtime set back."""
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"y")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def renamed_over(path: str) -> None:
    with open(path + ".new", "wb") as file:
        file.write(b"z")
    os.rename(path + ".new", path)


CHANGES: dict[str, Callable[[str], None]] = {
    "a record": record,
    "another record": lambda path: record(path, ObjectMetadata("7" * 32)),
    "no record": lambda path: os.removexattr(path, ATTRIBUTE),
    "another time": lambda path: os.utime(path, (1, 1)),
    "in place": in_place,
    "shorter": lambda path: os.truncate(path, 0),
    "another file": renamed_over,
}


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_shows_at_once(tree: ListedTree, change: str, *, recorded: bool) -> None:
    if change == "no record" and not recorded:
        change = "a record"
    path = tree.write("a")
    if recorded:
        record(path)
    assert shown(tree) == shown(tree) == (("5" * 32, "CRC32") if recorded else (derived_etag(os.stat(path)), None))
    time.sleep(TICK_SECONDS)
    CHANGES[change](path)
    folder_fd = os.open(tree.path, os.O_RDONLY)
    asked_anew = tree.records.etag_of(folder_fd, b"a", os.stat(path), side_files=False)
    os.close(folder_fd)
    assert shown(tree) == shown(tree) == asked_anew


def test_what_changed_a_moment_ago_is_not_kept(tree: ListedTree) -> None:
    """It may change again in the same tick, without a trace. So may what comes from the future."""
    path = tree.write("a")
    found = os.stat(path)
    known = KnownEtags()
    for age_ns, kept in ((-10_000_000_000, False), (0, False), (2_500_000_000, False), (2_500_000_001, True)):
        known.keep(found, "8" * 32, None, found.st_ctime_ns + age_ns)
        assert (known.find(found) is not None) is kept


def test_two_files_at_one_place(tree: ListedTree) -> None:
    known = KnownEtags(places=1)
    one, other = os.stat(tree.write("a")), os.stat(tree.write("b"))
    known.keep(one, "1" * 32, "CRC32", later())
    assert known.find(other) is None
    known.keep(other, "2" * 32 + "-0", None, later())
    assert known.find(one) is None
    assert known.find(other) == ("2" * 32 + "-0", None)


@pytest.mark.parametrize("etag", ["a", "1" * 31 + "x", "A" * 32, "1" * 32 + "-12", "", "1" * 16 + " " * 16])
def test_an_etag_of_another_form_is_not_changed(tree: ListedTree, etag: str) -> None:
    known = KnownEtags()
    found = os.stat(tree.write("a"))
    known.keep(found, etag, None, later())
    assert known.find(found) is None


def test_where_records_may_lie_elsewhere_nothing_is_known(tree: ListedTree) -> None:
    """A record in the state folder comes without a trace in the file."""
    path = tree.write("a")
    assert shown(tree) == (derived_etag(os.stat(path)), None)
    tree.records._switch_on(durable=False)
    side = tree.records._side_path(b"%d:%d:%d" % (os.stat(path).st_ino, 1, os.stat(path).st_mtime_ns))
    os.makedirs(os.path.dirname(side), exist_ok=True)
    Path(side).write_bytes(written_record(os.stat(path), STORED))
    assert shown(tree) == ("5" * 32, "CRC32")
