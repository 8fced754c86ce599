"""An import that takes long says how far it is: a rewritten line on a terminal, lines now and then elsewhere."""

from __future__ import annotations

import sys
import time

import pytest

from workspacesio.cli.import_command import Progress


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool, seconds: list[float]
) -> str:
    clock = iter([0.0, *seconds])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    progress = Progress()
    for count, _ in enumerate(seconds, start=1):
        progress.show({"entries": count * 1000, "bytes": count << 30})
    progress.end()
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_nothing_within_two_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for terminal in (True, False):
        assert shown(monkeypatch, capsys, terminal=terminal, seconds=[0.1, 1.0, 1.9]) == ""


def test_lines_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(monkeypatch, capsys, terminal=False, seconds=[1.0, 2.1, 3.0, 11.0, 12.2, 13.0])
    assert said == "2,000 entries, 2.0 GiB\n5,000 entries, 5.0 GiB\n"


def test_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(monkeypatch, capsys, terminal=True, seconds=[1.0, 2.1, 2.2, 2.4])
    assert said == "\r\x1b[K2,000 entries, 2.0 GiB\r\x1b[K4,000 entries, 4.0 GiB\r\x1b[K"
