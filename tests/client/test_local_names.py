"""Names that files can't have here, and names that are one for this system."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import cast

import pytest

from workspacesio.client.copy_plan import Ends, LeftOut
from workspacesio.client.local_names import POSIX, WINDOWS, Rules, Taken, folded, reason_against, rules_for
from workspacesio.client.operating_system import is_junction
from workspacesio.client.references import is_windows_path

MACOS = Rules(folds=True, composes=True)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("a/b:c", "there is : in its name"),
        ("what?", "there is ? in its name"),
        ("back\\slash", "there is \\ in its name"),
        ("new\nline", "there is '\\n' in its name"),
        ("dir./x", "ends with a dot"),
        ("x ", "ends with a blank"),
        ("nul", "NUL is a device"),
        ("raw/Com1.tar.gz", "COM1 is a device"),
        ("LPT\u00b2", "LPT\u00b2 is a device"),
        ("con .txt", "CON is a device"),
        ("x" * 256, "longer than the 255 characters"),
        ("\U0001f600" * 128, "longer than the 255 characters"),
        ("/".join(["x" * 100] * 3), "longer than the 259 characters"),
    ],
)
def test_what_windows_cannot_hold(path: str, says: str) -> None:
    assert says in reason_against(path, "/data", WINDOWS)
    if "\u00b2" not in path and len(path.encode()) < 256:
        assert reason_against(path, "/data", POSIX) == ""


@pytest.mark.parametrize(
    "path", ["a/b.txt", ".hidden", "a.b.c", "con1", "COM10", "nulls/x", "com", "\u00e4" * 200, "a b/c d"]
)
def test_what_windows_can_hold(path: str) -> None:
    assert reason_against(path, "/data", WINDOWS) == ""


@pytest.mark.parametrize("rules", [POSIX, WINDOWS, MACOS])
@pytest.mark.parametrize("path", ["../x", "a/../b", "a//b", "a/./b", "a\0b", "/x", "x/"])
def test_nothing_leads_out_of_the_target(path: str, rules: Rules) -> None:
    assert reason_against(path, "/data", rules) == "no local file can have this name"


def test_lengths_of_posix_are_bytes() -> None:
    assert "255 bytes" in reason_against("\u00e4" * 128, "/data", POSIX)
    assert reason_against("\u00e4" * 127, "/data", POSIX) == ""


def clashes(rules: Rules, *paths: str) -> list[str]:
    taken = Taken(rules)
    return [path for path in paths if taken.reason_against(path)]


def test_names_that_differ_in_case_are_one_name() -> None:
    assert clashes(WINDOWS, "A.txt", "B", "a.txt", "b/c") == ["a.txt", "b/c"]
    assert clashes(WINDOWS, "Dir/x", "Dir/y", "dir/x", "dir/z") == ["dir/x", "dir/z"]
    assert clashes(WINDOWS, "a/X", "a/x", "b/x") == ["a/x"]
    assert clashes(WINDOWS, "a/B/x", "a/b/x", "a/c", "ab") == ["a/b/x"]
    assert clashes(POSIX, "A", "a") == []
    assert "'Dir' has the same name" in _second(WINDOWS, "Dir/x", "dir/y")


def _second(rules: Rules, one: str, other: str) -> str:
    taken = Taken(rules)
    assert taken.reason_against(one) == ""
    return taken.reason_against(other)


def test_case_is_folded_character_by_character() -> None:
    assert folded("stra\u00dfe", WINDOWS) == "STRA\u00dfE"
    assert clashes(WINDOWS, "\u00c4", "\u00e4") == ["\u00e4"]
    assert clashes(WINDOWS, "a\u0308", "\u00e4") == []
    assert clashes(MACOS, "a\u0308", "\u00e4") == ["\u00e4"]


def test_no_more_is_remembered_than_open_folders() -> None:
    taken = Taken(WINDOWS)
    for number in range(1000):
        assert taken.reason_against(f"{number:04}/x/y") == ""
    assert sum(len(names) for _, names in taken._open) == 1000 + 2


def test_the_rules_of_this_machine(tmp_path: os.PathLike[str]) -> None:
    other = os.path.join(os.path.dirname(str(tmp_path)), os.path.basename(str(tmp_path)).swapcase())
    rules = rules_for(os.path.join(str(tmp_path), "not", "there"))
    assert (rules.windows, rules.folds) == (os.name == "nt", os.path.exists(other))
    assert rules.composes == (sys.platform == "darwin")
    assert os.listdir(tmp_path) == []
    for name in ("x", "X", "123"):  # two spellings of a name tell nothing but that both are there
        with open(os.path.join(str(tmp_path), name), "w", encoding="utf-8"):
            pass
    assert rules_for(str(tmp_path)).folds == os.path.exists(other)


def test_ends_below_a_local_folder(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(tmp_path)
    monkeypatch.setattr("workspacesio.client.copy_plan.rules_for", lambda _: WINDOWS)
    ends = Ends(folder)
    assert ends.below("raw/a") == os.path.join(folder, "raw", "a")
    ends.take("raw/b")
    for path in ("raw/B", "RAW/c", "raw/c?"):
        assert isinstance(ends.below(path), LeftOut), path
    with open(os.path.join(folder, "here"), "w", encoding="utf-8"):
        pass
    there = ends.below("here", is_new=True)
    assert isinstance(there, LeftOut)
    assert "differs from it in case only" in there.reason
    assert ends.below("here") == os.path.join(folder, "here")


@pytest.mark.parametrize("text", ["C:/data", "c:\\data", "C:", "data\\raw", "\\\\nas\\share"])
def test_paths_of_windows(text: str) -> None:
    assert is_windows_path(text)


@pytest.mark.parametrize("text", ["data/raw", "c:data", "ada:plates/raw", "a", "wio:x", ""])
def test_no_paths_of_windows(text: str) -> None:
    assert not is_windows_path(text)


def test_junctions_of_windows_are_links() -> None:
    """Nothing here makes one; what Windows says of it is a tag."""
    for tag, expected in ((0xA0000003, True), (0xA000000C, False), (0, False)):
        entry = SimpleNamespace(stat=lambda *, follow_symlinks, tag=tag: SimpleNamespace(st_reparse_tag=tag))
        assert is_junction(cast("os.DirEntry[str]", entry)) is expected
