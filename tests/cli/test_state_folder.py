"""What is taken for a state folder: a new or empty one, or one of ours; never one with other people's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workspacesio.cli.server.state import hold_state_folder, prepare_state
from workspacesio.domain.errors import Invalid
from workspacesio.settings import Settings


def _mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


@pytest.mark.parametrize("holds", ["report.txt", ".bashrc", "projects/x", "metadata.csv", "locks/x|report.txt"])
def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(tmp_path: Path, holds: str) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    for name in holds.split("|"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    before = sorted(os.listdir(folder))
    with pytest.raises(Invalid) as refused:
        prepare_state(Settings(state_dir=folder))
    assert str(refused.value) == (
        f"The folder {folder} holds files that are not this service's; name an empty or a new one with "
        "WIO_STATE_DIR."
    )
    assert sorted(os.listdir(folder)) == before
    assert _mode(folder) == 0o755


@pytest.mark.parametrize("made", ["new", "empty", "a new filesystem"])
def test_a_new_or_empty_folder_becomes_one(tmp_path: Path, made: str) -> None:
    folder = tmp_path / "state"
    if made != "new":
        folder.mkdir()
        folder.chmod(0o755)
    if made == "a new filesystem":
        (folder / "lost+found").mkdir()
    state = prepare_state(Settings(state_dir=folder))
    assert _mode(folder) == 0o700
    os.close(hold_state_folder(state, alone=True))
    # And it is one of ours from then on, whatever else is put there.
    (folder / "notes.txt").write_text("x")
    folder.chmod(0o750)
    prepare_state(Settings(state_dir=folder))
    assert _mode(folder) == 0o700


@pytest.mark.parametrize(
    "kept", ["workspacesio.sqlite3|secret|copy.sh", "secret", "secret|metadata/x", "serve.lock"]
)
def test_what_was_restored_or_begun_is_ours(tmp_path: Path, kept: str) -> None:
    folder = tmp_path / "state"
    for name in kept.split("|"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    prepare_state(Settings(state_dir=folder, secret="s" * 32))
