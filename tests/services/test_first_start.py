"""What a fresh service makes of a folder: a node and roots over it, and not one file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from database.kinds import database_fixture
from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, Node, Root
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.names import check_bucket
from workspacesio.services.first_start import bucket_name_from_folder, make_local_node, roots_to_import

NOW = datetime(2026, 11, 22, tzinfo=UTC)

database = database_fixture()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "My Data"
    made.mkdir()
    return made


def _make(database: Database, folder: Path, **options: Any) -> bool:
    state = options.pop("state", folder.parent / "state")
    state.mkdir(exist_ok=True)
    with database.write() as session:
        return make_local_node(session, path=folder, state_dir=state, now=NOW, **options)


def _roots(database: Database) -> dict[str, tuple[str, str, str]]:
    with database.read() as session:
        return {root.name: (root.bucket, root.prefix, root.type) for root in session.scalars(select(Root))}


def test_one_bucket_and_three_roots(database: Database, folder: Path) -> None:
    (folder / "scans").mkdir()
    assert _make(database, folder)
    assert _roots(database) == {
        "private": ("my-data", "private/", "private"),
        "public": ("my-data", "public/", "public"),
        "existing": ("my-data", "", "unmanaged-private"),
    }
    assert os.listdir(folder) == ["scans"]
    with database.read() as session:
        node = session.scalars(select(Node)).one()
        assert (node.name, node.operator_id, node.run_by_service) == ("local", None, True)
        assert node.filesystem_identity
        assert session.scalars(select(AuditRecord.verb)).all() == ["node.add"]


def test_again_changes_nothing(database: Database, folder: Path) -> None:
    _make(database, folder)
    before = database.generation()
    assert not _make(database, folder)
    assert not _make(database, folder.parent / "My Data" / ".." / "My Data")
    assert database.generation() == before


@pytest.mark.parametrize(
    "option", [{"buckets": True}, {"bucket": "other"}, {"serve_owner_only": True}, {"cross_filesystems": True}]
)
def test_an_option_that_would_have_no_effect_is_refused(
    database: Database, folder: Path, option: dict[str, Any]
) -> None:
    _make(database, folder, bucket="first")
    with pytest.raises(Conflict, match="was made without --"):
        _make(database, folder, **option)
    assert not _make(database, folder, bucket="first")


def test_where_to_import_from(database: Database, folder: Path) -> None:
    _make(database, folder)
    with database.read() as session:
        assert roots_to_import(session) == ["existing"]


def test_prefixes_that_are_taken_on_disk_are_left_alone(database: Database, folder: Path) -> None:
    (folder / "private").mkdir()
    (folder / "public").write_text("a file")
    (folder / "wio-public").symlink_to("nowhere")
    _make(database, folder)
    roots = _roots(database)
    assert roots["private"][1] == "wio-private/"
    assert roots["public"][1] == "wio-public-2/"


def test_managed_roots_elsewhere(database: Database, folder: Path) -> None:
    _make(database, folder, managed="/workspaces/here", bucket="lab-data")
    roots = _roots(database)
    assert roots["private"] == ("lab-data", "workspaces/here/private/", "private")
    assert roots["public"] == ("lab-data", "workspaces/here/public/", "public")


def test_a_folder_of_buckets(database: Database, folder: Path) -> None:
    for name in ("first", "second.data", "No Bucket", ".hidden"):
        (folder / name).mkdir()
    (folder / "linked").symlink_to("first")
    _make(database, folder, buckets=True)
    assert _roots(database) == {
        "first": ("first", "", "unmanaged-private"),
        "second.data": ("second.data", "", "unmanaged-private"),
    }


def test_another_folder_on_the_same_state_is_refused(database: Database, folder: Path) -> None:
    _make(database, folder)
    other = folder.with_name("other")
    other.mkdir()
    with pytest.raises(Conflict, match="WIO_STATE_DIR"):
        _make(database, other)


def test_folders_that_cannot_be_served(database: Database, folder: Path) -> None:
    with pytest.raises(Conflict, match="overlap"):
        _make(database, folder.parent, state=folder.parent / "state")
    with pytest.raises(Conflict, match="overlap"):
        _make(database, folder, state=folder / "state")
    with pytest.raises(Conflict, match="overlap"):
        _make(database, folder, state=folder)
    with pytest.raises(Invalid):
        _make(database, folder / "missing")


@pytest.mark.parametrize(
    ("name", "bucket"),
    [
        ("data", "data"),
        ("My Data", "my-data"),
        ("Ümläute_2", "ml-ute-2"),
        ("x", "data-x"),
        ("", "data"),
        ("...", "data"),
        ("a..b", "a-b"),
        ("-" * 80 + "a" * 80, "a" * 63),
    ],
)
def test_bucket_names_come_from_folders(name: str, bucket: str) -> None:
    assert bucket_name_from_folder(name) == bucket
    check_bucket(bucket)
