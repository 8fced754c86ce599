"""What `wio search` and `wio crawl` print of answers, whatever the names in them: no server is asked."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workspacesio.cli import crawl_progress, index_commands, output, parser, search_output, sign_in
from workspacesio.cli.crawl_commands import summary
from workspacesio.cli.errors import Refused, UsageError
from workspacesio.cli.search_command import Pages, search_typed
from workspacesio.cli.terminal_text import marked

RED, PLAIN = "\x1b[1;31m", "\x1b[0m"


class Found(Pages):
    """An answer that has one page."""

    def __init__(self, *results: dict[str, Any], total: int | None = None) -> None:
        self.first = {
            "total": len(results) if total is None else total,
            "bytes": 3000,
            "incomplete": [],
            "notes": [],
        }
        self._found = results

    def results(self) -> Iterator[dict[str, Any]]:
        return iter(self._found)


def result(path: str, **fields: Any) -> dict[str, Any]:
    return {
        "owner": "ada",
        "workspace": "plates",
        "path": path,
        "size": 1536,
        "modified": (datetime.now(UTC) - timedelta(hours=5)).isoformat(),
        "highlights": [],
        "problem": None,
        **fields,
    }


@pytest.fixture
def as_bob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "current", lambda: sign_in.SignIn(server="http://x", token="t", username="bob"))


@pytest.mark.usefixtures("as_bob")
def test_rows_and_what_is_said_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    search_output.print_results(Found(result("a/b.csv"), result("mine.txt", owner="bob"), total=12345))
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "      SIZE  MODIFIED    PATH",
        "   1.5 KiB  5 h ago     ada/plates/a/b.csv",
        "   1.5 KiB  5 h ago     plates/mine.txt",
    ]
    assert err == "2 of 12,345 objects, 2.9 KiB in all; --limit N or --all shows more.\n"
    search_output.print_results(Found())
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("Nothing that you can reach fits")


@pytest.mark.usefixtures("as_bob")
def test_hostile_names_move_no_cursor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "a\x1b[2J\r\nb\u202etxt.csv"
    for terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        search_output.print_results(
            Found(result(hostile, problem="bad\x1b]0;\x07", highlights=[{"text": hostile, "ranges": [(0, 3)]}]))
        )
        out, _ = capsys.readouterr()
        left = out.replace(RED, "").replace(PLAIN, "").replace("\x1b[1m", "").replace("\x1b[2m", "")
        assert all(line.isprintable() for line in left.splitlines()), left
        assert r"a\x1b[2J\r\nb\u202etxt.csv" in left
        assert (RED in out) is terminal


def test_matches_are_marked_in_safe_text() -> None:
    assert marked("a\nb plate", [(4, 9)], colours=True) == rf"a\nb {RED}plate{PLAIN}"
    assert marked("plate plate", [(6, 11), (0, 5)], colours=True) == f"{RED}plate{PLAIN} {RED}plate{PLAIN}"
    assert marked("plate", [(0, 5)], colours=False) == "plate"
    # What overlaps or lies outside is left as it is.
    assert marked("plate", [(0, 3), (2, 5), (4, 90)], colours=True) == f"{RED}pla{PLAIN}te"


def test_paths_are_exact_and_one_a_line(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    pages = Found(result("a b"), result("two\nlines"), result("\u00e4\x1b"))
    assert search_output.print_paths(pages, end="\0") == 0
    out, _ = capsysbinary.readouterr()
    assert out == "ada/plates/a b\0ada/plates/two\nlines\0ada/plates/\u00e4\x1b\0".encode()
    assert search_output.print_paths(pages, end="\n") == 1
    out, err = capsysbinary.readouterr()
    assert out == "ada/plates/a b\nada/plates/\u00e4\x1b\n".encode()
    assert rb"ada/plates/two\nlines" in err
    assert b"-0" in err


@pytest.mark.parametrize(
    ("text", "at", "length", "drawn"),
    [
        ("siz:>1GB", 0, 4, "  siz:>1GB\n  ^^^^"),
        ("a (b", 2, 1, "  a (b\n    ^"),
        ("a or", 2, 2, "  a or\n    ^^"),
        ("a\nb (", 4, 1, "  a\\nb (\n       ^"),
        ("\u6f22\u5b57 x:1", 3, 2, "  \u6f22\u5b57 x:1\n       ^^"),
        ("(", 1, 1, "  (\n   ^"),
        ("w " * 60 + "x:", 120, 2, "  ..." + "w " * 25 + "x:\n     " + " " * 50 + "^^"),
        ("x:" + " w" * 60, 0, 2, "  x:" + " w" * 34 + "...\n  ^^"),
        ("\ud800x", 0, 1, "  \\ud800x\n  ^^^^^^"),
    ],
)
def test_the_place_of_a_mistake(text: str, at: int, length: int, drawn: str) -> None:
    refused = Refused("It is wrong.", status=422, code="invalid_query", details={"at": at, "length": length})
    assert search_output.pointed(refused, text) == f"It is wrong.\n{drawn}"


def test_a_server_that_names_no_place_or_a_wrong_one() -> None:
    for details in ({}, {"at": 9, "length": 1}, {"at": -1, "length": 1}, {"at": "0", "length": 1}):
        refused = Refused("It is wrong.", status=422, code="invalid_query", details=dict(details))
        assert search_output.pointed(refused, "abc") == "It is wrong."


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["-draft", "plate"], ["--", "-draft", "plate"]),
        (["plate", "--limit", "3", "or", "x"], ["--limit", "3", "--", "plate", "or", "x"]),
        (["--facets", "ext,year", "plate"], ["--facets=ext,year", "--", "plate"]),
        (["--facets", "plate", "--json"], ["--facets", "--json", "--", "plate"]),
        (["--facets=ext", "plate"], ["--facets=ext", "--", "plate"]),
        (["--", "--json", "-0"], ["--", "--json", "-0"]),
        (["-0", "--paths", "x"], ["-0", "--paths", "--", "x"]),
        (["--sort"], ["--sort", "--"]),
        ([], ["--"]),
    ],
)
def test_words_of_a_query_are_no_options(typed: list[str], meant: list[str]) -> None:
    assert search_typed(typed) == meant


def test_wrong_usage_is_said_in_a_sentence() -> None:
    assert parser.parse("search", ["-draft", "plate", "--all"]).query == ["-draft", "plate"]
    for typed in (
        ["x", "--draft"],
        ["x", "--limit", "0"],
        ["x", "--limit", "many"],
        ["x", "--sort", "colour"],
        ["x", "--sort"],
        ["x", "--all", "--limit", "3"],
        ["x", "--count", "--paths"],
        ["x", "--largest", "--oldest"],
    ):
        with pytest.raises(UsageError, match="wio search --help"):
            parser.parse("search", typed)


def test_ages() -> None:
    now = datetime.now(UTC)
    expected = {1: "1 s ago", 130: "2 min ago", 4000: "1 h ago", 90_000: "1 d ago", 27 * 86_400: "27 d ago"}
    for seconds, text in expected.items():
        assert output.ago((now - timedelta(seconds=seconds)).isoformat()) == text
    assert output.ago("2020-05-17T12:00:00Z") == "2020-05-17"
    assert output.ago((now + timedelta(days=400)).isoformat())[:2] == "20"
    assert output.ago(None) == "-"
    assert output.ago("0001-01-01T00:00:00Z")


def crawl(**fields: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "root": "existing",
        "workspace": None,
        "state": "running",
        "entries": 120_000,
        "bytes": 5 << 30,
        "new": 3,
        "changed": 2,
        "gone": 1,
        "seconds": 90.0,
        "entries_per_second": 41_234.5,
        "seconds_left": 130.0,
        "not_indexed": {},
        "problem": None,
        **fields,
    }


def followed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    terminal: bool,
    looks: list[dict[str, Any]],
) -> str:
    clock = itertools.count(0.0, 6.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    given = iter(looks)
    assert crawl_progress.follow(lambda: next(given), "ada/plates") == looks[-1]
    out, err = capsys.readouterr()
    assert out == ""
    return err


RUNNING = "ada/plates: 120,000 entries, 5.0 GiB, 41,234 a second, about 2 min left"


def test_progress_on_a_terminal_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = followed(
        monkeypatch, capsys, terminal=True, looks=[crawl(state="queued"), crawl(), crawl(state="done")]
    )
    assert said == f"\r\x1b[Kada/plates: waiting for the worker\r\x1b[K{RUNNING}\r\x1b[K"


def test_progress_elsewhere_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = crawl(entries_per_second=None, seconds_left=None)
    said = followed(monkeypatch, capsys, terminal=False, looks=[crawl(), crawl(), unknown, crawl(state="paused")])
    assert said == f"{RUNNING}\n"


def test_how_a_crawl_ended() -> None:
    assert summary(crawl(state="done")) == (
        "The crawl of the root existing is done: 120,000 entries, 5.0 GiB in 1 min; 3 new, 2 changed, 1 gone."
    )
    assert "failed: the node is down" in summary(crawl(state="failed", problem="the node is down"))
    assert "`wio crawl resume --root existing` goes on" in summary(crawl(state="paused"))


def work(**counts: int) -> dict[str, Any]:
    return {"state": "done", "root": "existing", "entries": 1234, "counts": counts}


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        (
            {"missing": 0, "changed": 0, "extra": 0},
            0,
            "The index of existing is what storage holds: 1,234 entries",
        ),
        (
            {"missing": 2, "changed": 0, "extra": 1},
            1,
            "differs from storage: 2 missing, 1 extra; `wio crawl start`",
        ),
        ({"missing": 0, "engine_differs": 3}, 1, "of 3 workspaces isn't what was indexed; `wio index rebuild`"),
    ],
)
def test_what_a_comparison_found(
    found: dict[str, int],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    class Answering:
        def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            asked.append((path, body))
            return work(**found)

    monkeypatch.setattr(index_commands, "signed_in", Answering)
    assert index_commands.verify(parser.parse("index verify", ["--root", "existing", "--wait"])) == status
    assert asked == [("/index/verify", {"root": "existing"})]
    out, err = capsys.readouterr()
    assert (said in out, err) == (True, "")
