"""What `wio index status` prints of roots."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from workspacesio.cli import index_commands, parser


def root(name: str, **other: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "root": name,
        "level": "names",
        "objects": 5,
        "bytes": 10,
        "kept_by": "watching",
        "problem": None,
        "watched_folders": 3,
        "lag_seconds": 0.0,
        "crawl_every_seconds": None,
        "unread_objects": None,
        "unread_bytes": None,
        "unread_lag_seconds": None,
        "last_crawl": None,
        "open_crawl": None,
    }
    return known | other


def test_how_far_contents_are_behind_and_what_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crawl = {"id": 7, "state": "running", "problem": "Nothing has come from the root's storage since noon."}
    roots = [
        root("a", level="content", unread_objects=3, unread_bytes=9, unread_lag_seconds=7_300.0),
        root("b", level="content", unread_objects=0, unread_bytes=0, unread_lag_seconds=0.0),
        root("c", lag_seconds=None, open_crawl=crawl),
        root("d", level="content", unread_objects=2, unread_bytes=9, unread_lag_seconds=None),
    ]
    answer = {"state": "ready", "incomplete": [], "notes": [], "whole": None, "roots": roots}

    class Answering:
        def get(self, path: str) -> dict[str, Any]:
            assert path == "/index"
            return answer

    monkeypatch.setattr(index_commands, "signed_in", Answering)
    assert index_commands.status(parser.parse("index status", [])) == 0
    out, err = capsys.readouterr()
    lines = {line.split()[0]: line for line in out.splitlines() if line[:2] in ("a ", "b ", "c ", "d ")}
    assert "0 s, contents 2 h" in lines["a"]
    assert not [name for name in "bcd" if "contents" in lines[name]]
    assert err == "wio: c: Nothing has come from the root's storage since noon.\n"
    assert index_commands.status(parser.parse("index status", ["--json"])) == 0
    assert json.loads(capsys.readouterr().out) == answer

    answer["roots"] = [root(name, problem="The worker is silent.") for name in "abcdefg"]
    assert index_commands.status(parser.parse("index status", [])) == 0
    assert capsys.readouterr().err == "wio: a, b, c, d, e and 2 more: The worker is silent.\n", "said once"


def test_what_differs_is_told_though_not_all_could_be_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Answering:
        counts: ClassVar[dict[str, int]] = {}

        def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            problem = "Root b could not be compared to its end: The server can't be reached."
            return {
                "id": 1,
                "state": "failed",
                "root": None,
                "counts": self.counts,
                "entries": 5,
                "problem": problem,
            }

    monkeypatch.setattr(index_commands, "signed_in", Answering)
    assert index_commands.verify(parser.parse("index verify", ["--wait"])) == 1
    nothing, said = capsys.readouterr()
    assert (nothing, "Root b could not be compared" in said) == ("", True)
    monkeypatch.setattr(Answering, "counts", {"missing": 2, "changed": 0, "extra": 0, "engine_differs": 0})
    assert index_commands.verify(parser.parse("index verify", ["--wait"])) == 1
    out, err = capsys.readouterr()
    assert "differs from storage: 2 missing" in out
    assert "Root b could not be compared" in err
