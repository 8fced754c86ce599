"""Moving, and names that read like patterns or paths: nothing goes, or comes to lie, where it wasn't meant."""

from __future__ import annotations

import io
import os
import uuid
from typing import Any

import pytest

from filesystem.conftest import Shelf
from workspacesio.client import server_copies
from workspacesio.client.filesystem import FileSystem
from workspacesio.client.places import Place


@pytest.fixture
def top(shelf: Shelf) -> str:
    """A folder of the test's own, in the shared one."""
    return f"{shelf.folder}/{uuid.uuid4().hex}"


def test_names_that_read_like_patterns(fs: FileSystem, top: str, tmp_path: os.PathLike[str]) -> None:
    for name in ("*", "[ab]", "a", "b", "x"):
        fs.pipe_file(f"{top}/{name}", name.encode())
    fs.get(f"{top}/[ab]", f"{tmp_path}/")
    assert os.listdir(tmp_path) == ["[ab]"]
    fs.rm(f"{top}/*")
    assert fs.ls(top, detail=False) == [f"{top}/{name}" for name in ("[ab]", "a", "b", "x")]
    fs.rm(f"{top}/[ab]")
    fs.rm(f"{top}/[ab]")
    assert fs.find(top) == [f"{top}/x"]


def test_moving_deletes_what_was_copied(fs: FileSystem, top: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/one", "a/two", "a/in/three"):
        fs.pipe_file(f"{top}/{name}", name.encode())
    with pytest.raises(IsADirectoryError):
        fs.mv(f"{top}/a", f"{top}/b")
    with pytest.raises(OSError, match="no workspace"):
        fs.mv(f"{top}/a", "ben/nowhere/a", recursive=True)
    assert len(fs.find(f"{top}/a")) == 3

    copy = server_copies.copy

    def meanwhile(source: Place, *given: Any, **named: Any) -> str:
        etag = copy(source, *given, **named)
        if source.path.endswith("/two"):
            fs.pipe_file(f"{top}/a/two", b"another one")
            fs.pipe_file(f"{top}/a/new", b"came meanwhile")
        return etag

    monkeypatch.setattr(server_copies, "copy", meanwhile)
    with pytest.raises(OSError, match="was changed since it was copied"):
        fs.mv(f"{top}/a", f"{top}/b", recursive=True)
    monkeypatch.undo()
    assert fs.cat_file(f"{top}/a/two") == b"another one"
    assert fs.cat_file(f"{top}/a/new") == b"came meanwhile"
    assert fs.cat_file(f"{top}/b/two") == b"a/two"
    fs.mv(f"{top}/a", f"{top}/c", recursive=True)
    assert not fs.exists(f"{top}/a")
    assert fs.cat_file(f"{top}/c/two") == b"another one"


def test_no_local_path_is_made_of_a_name_that_leads_elsewhere(
    fs: FileSystem, top: str, tmp_path: os.PathLike[str]
) -> None:
    for given in (os.path.join(tmp_path, "one"), str(tmp_path), io.BytesIO()):
        with pytest.raises(OSError, match="no local file"):
            fs.get_file(f"{top}/../note.txt", given)
