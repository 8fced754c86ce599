"""The manual's pages: one for whatever can be typed, each of which `groff` sets without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from documents.pages import ROOT
from servers.installed import installed
from workspacesio.cli import registry
from workspacesio.cli.parser import build

SCRIPTS = os.path.join(ROOT, "scripts")


@pytest.fixture(scope="module")
def manual() -> Iterator[dict[str, str]]:
    """Text by file name."""
    sys.path.insert(0, SCRIPTS)
    try:
        import manual_pages

        yield manual_pages.pages()
    finally:
        sys.path.remove(SCRIPTS)


def set_by_groff(folder: str, pages: dict[str, str]) -> str:
    """What groff shows of them, as `man` has it set them; raises AssertionError where it warns."""
    os.makedirs(os.path.join(folder, "man1"))
    for name, text in pages.items():
        with open(os.path.join(folder, "man1", name), "w", encoding="utf-8") as file:
            file.write(text)
    command = [installed("groff"), "-man", "-ww", "-Tutf8", "-Kutf8", "-P-cbou", "-rLL=200n"]
    done = subprocess.run(
        [*command, *(f"man1/{name}" for name in pages)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_groff_has_nothing_to_say(manual: dict[str, str], tmp_path: os.PathLike[str]) -> None:
    whole = {name: text for name, text in manual.items() if not text.startswith(".so ")}
    shown = set_by_groff(str(tmp_path), whole)
    assert shown.count("SEE ALSO") == len(whole) - 1
    assert "wio-workspace-share - give a user, a group or everyone access" in shown


def test_groff_would_say_it(tmp_path: os.PathLike[str]) -> None:
    with pytest.raises(AssertionError, match="SX"):
        set_by_groff(str(tmp_path), {"wio.1": '.TH "WIO" 1\n.SX "OPTIONS"\n'})


def test_whatever_can_be_typed_has_a_page(manual: dict[str, str]) -> None:
    groups = {words.partition(" ")[0] for words in registry.COMMANDS}
    typed = {*registry.COMMANDS, *registry.SHORT_FORMS, *groups}
    assert set(manual) == {"wio.1", *(f"wio-{words.replace(' ', '-')}.1" for words in typed)}
    for text in manual.values():
        if text.startswith(".so "):
            assert os.path.basename(text.split()[1]) in manual


@pytest.mark.parametrize("words", [words for words in registry.COMMANDS if words != "mc"])
def test_every_option_is_on_its_page(manual: dict[str, str], words: str) -> None:
    text = manual[f"wio-{words.replace(' ', '-')}.1"].replace("\\-", "-")
    for action in build(words)._actions:
        assert all(
            f"\\fB{form}" in text for form in action.option_strings if "--help" not in action.option_strings
        )


def test_what_is_typed_can_be_copied_from_a_page(manual: dict[str, str]) -> None:
    """A hyphen that isn't escaped is set as another character, and isn't found or copied as a minus."""
    assert "\\fB\\-\\-dry\\-run\\fR" in manual["wio-sync.1"]
    for name, text in manual.items():
        assert not [line for line in text.splitlines() if line.startswith("'")], name
