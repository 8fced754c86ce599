"""ETags of a listing's page: by either system call the same as file by file."""

import errno
import os
from pathlib import Path

import pytest

from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.metadata import MetadataStore, derived_etag
from workspacesio.nodes.folder.page_etags import PageEtags
from workspacesio.nodes.values import ObjectMetadata

LONG = {"note": "x" * 2_000}

KINDS = {
    "plain": None,
    "stored \u00e9": ObjectMetadata(etag="0" * 32),
    "checksummed": ObjectMetadata(etag="1" * 32, checksums={"CRC32": "AAAAAA=="}, checksum_type="FULL_OBJECT"),
    "long": ObjectMetadata(etag="2" * 32, user=LONG),
    "longest": ObjectMetadata(etag="3" * 32, user={f"note-{number}": "x" * 1_000 for number in range(8)}),
}


@pytest.fixture(params=["getxattrat", "lgetxattr"])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On a kernel older than 6.13 both are the same."""
    if request.param == "lgetxattr":
        monkeypatch.setattr(syscalls, "HAS_GETXATTRAT", False)
    return str(request.param)


@pytest.mark.parametrize("name", KINDS)
def test_as_file_by_file(call: str, name: str, tmp_path: Path) -> None:
    store = MetadataStore(str(tmp_path / "state"), 1)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_bytes(b"content")
    metadata = KINDS[name]
    if metadata is not None:
        fd = os.open(folder / name, os.O_RDWR)
        store.write(fd, os.fstat(fd), metadata, durable=False)
        os.close(fd)
    found = os.lstat(folder / name)
    folder_fd = os.open(folder, os.O_RDONLY)
    try:
        shown = PageEtags(store).of(folder_fd, name.encode(), found)
        alone = store.etag_of(folder_fd, name.encode(), found, side_files=store.looks_for_side_files())
    finally:
        os.close(folder_fd)
    assert shown == alone
    assert shown[0] == (derived_etag(found) if metadata is None else metadata.etag)


def test_the_call_answers_with_a_value_or_why_there_is_none(call: str, tmp_path: Path) -> None:
    """A call with wrong arguments fails, and all would be looked up the slow way."""
    (tmp_path / "with").touch()
    (tmp_path / "without").touch()
    os.setxattr(tmp_path / "with", b"user.one", b"value")
    folder_fd = os.open(tmp_path, os.O_RDONLY)
    try:
        read = syscalls.AttributeReader(b"user.one", 100).read
        answers = [read(folder_fd, name) for name in (b"with", b"without", b"missing")]
    finally:
        os.close(folder_fd)
    assert answers == [b"value", errno.ENODATA, errno.ENOENT]
