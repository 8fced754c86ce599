"""Whether a file or object is to be copied again: nothing that was changed is left, nothing else copied twice."""

from __future__ import annotations

import hashlib
import os

import pytest

from workspacesio.client.checksums import etag_of_file
from workspacesio.client.comparing import File, differs
from workspacesio.client.multipart import PART_BYTES
from workspacesio.client.places import Place
from workspacesio.client.references import Located

AT = 1_700_000_000.0
BODY = b"as long as another"
SAME = f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'
OTHER = f'"{hashlib.md5(b"something different", usedforsecurity=False).hexdigest()}"'
UNKNOWN = '"0123456789abcdef0123456789abcdef-0"'


@pytest.fixture
def path(tmp_path: os.PathLike[str]) -> str:
    whole = os.path.join(tmp_path, "file")
    with open(whole, "wb") as file:
        file.write(BODY)
    return whole


def stored(modified: float, etag: str) -> File:
    place = Place(Located({}, "w", "file"), None)  # type: ignore[arg-type]  # nothing is asked of it
    return File(place, len(BODY), modified, etag)


@pytest.mark.parametrize(
    ("written", "etag", "copied"),
    [
        (-100, SAME, False),
        (-100, OTHER, False),  # an older file of the same size: only --checksum tells
        (-0.5, SAME, False),
        (-0.5, OTHER, True),  # written while it was sent
        (-0.5, UNKNOWN, False),
        (0.7, SAME, False),  # sent in the second in which it was written
        (0.7, OTHER, True),
        (0.7, UNKNOWN, True),
        (100, SAME, True),
    ],
)
def test_files_that_go_up(path: str, written: float, etag: str, *, copied: bool) -> None:
    local = File(path, len(BODY), AT + written, made=AT + written)
    assert differs(local, stored(AT, etag)) is copied


@pytest.mark.parametrize(
    ("came", "written", "etag", "copied"),
    [
        (100, 0, SAME, False),
        (100, 0, OTHER, False),  # changed here, with the time of the object
        (100, 1, SAME, True),
        (100, 0.9, OTHER, False),  # of a server that tells parts of seconds
        (0.9, 0, SAME, False),
        (0.9, 0, OTHER, True),  # written again in the second in which it was fetched
        (0.9, 0, UNKNOWN, False),
        (-3600, 0, OTHER, True),  # this clock is behind
        (-3600, 0, SAME, False),
    ],
)
def test_objects_that_come_down(path: str, came: float, written: float, etag: str, *, copied: bool) -> None:
    local = File(path, len(BODY), AT, made=AT + came)
    assert differs(stored(AT + written, etag), local) is copied


def test_contents_are_compared_if_wanted(path: str) -> None:
    local = File(path, len(BODY), AT - 100, made=AT)
    assert not differs(local, stored(AT, SAME), by_content=True)
    assert differs(local, stored(AT, OTHER), by_content=True)
    assert not differs(local, stored(AT, UNKNOWN), by_content=True)
    assert differs(stored(AT, OTHER), stored(AT + 9, SAME), by_content=True)
    assert not differs(stored(AT, SAME), stored(AT + 9, SAME), by_content=True)
    assert differs(File(path, 3, AT - 100), stored(AT, SAME))


def test_the_etag_of_a_file(tmp_path: os.PathLike[str]) -> None:
    parts = [bytes([number]) * PART_BYTES for number in range(2)] + [b"end"]
    path = os.path.join(tmp_path, "big")
    with open(path, "wb") as file:
        file.write(b"".join(parts))
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    made = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-3"
    assert etag_of_file(path, f"{'0' * 32}-3") == made
    assert etag_of_file(path, "0" * 32) == hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    for unknown in (f"{'0' * 32}-2", f"{'0' * 32}-0", "", "0-3", f"{'0' * 32}-x"):
        assert etag_of_file(path, unknown) is None
