"""What `wio search` and `wio crawl` print of answers, whatever the names in them: no server is asked."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workspacesio.cli import (
    crawl_commands,
    crawl_progress,
    index_commands,
    output,
    parser,
    root_indexing,
    search_command,
    search_output,
)
from workspacesio.cli.crawl_commands import summary
from workspacesio.cli.search_command import Pages, search_typed
from workspacesio.cli.terminal_text import marked
from workspacesio.client import sign_in
from workspacesio.client.errors import CommandError, Refused, UsageError

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


@pytest.mark.usefixtures("as_bob")
def test_problems_are_told_once_or_each(capsys: pytest.CaptureFixture[str]) -> None:
    pages = Found(result("a.pdf", problem="it is locked\x1b"), result("b.pdf", problem="cut off"), result("c.pdf"))
    search_output.print_results(pages)
    out, err = capsys.readouterr()
    assert "locked" not in out + err
    assert err == "3 objects, 2.9 KiB. Not all of 2 of them could be read; --problems says why.\n"
    search_output.print_results(pages, problems=True)
    out, err = capsys.readouterr()
    assert [line.strip() for line in out.splitlines() if "read" in line] == [
        r"(not all of it could be read: it is locked\x1b)",
        "(not all of it could be read: cut off)",
    ]
    assert err == "3 objects, 2.9 KiB.\n"


@pytest.mark.usefixtures("as_bob")
def test_nothing_is_not_said_of_what_is_not_indexed(capsys: pytest.CaptureFixture[str]) -> None:
    pages = Found()
    pages.first["incomplete"] = [{"code": "not_indexed", "message": "Root existing is not indexed."}]
    search_output.print_results(pages)
    assert capsys.readouterr().err.splitlines() == [
        "wio: Root existing is not indexed.",
        "Nothing fits of what you can reach and is indexed.",
    ]


def facets(count: int, *, others: int = 0) -> dict[str, Any]:
    buckets = [{"key": f"e{number}" if number else "", "count": 2000, "bytes": 3 << 20} for number in range(count)]
    return {
        "total": 2000 * count + others,
        "bytes": 12,
        "facets": {"ext": buckets},
        "others": {"ext": {"count": others, "bytes": others}},
    }


@pytest.mark.parametrize(
    ("answer", "limit", "rows", "more"),
    [
        (
            facets(2),
            10,
            ["EXTENSION  OBJECTS     SIZE", "(none)       2,000  3.0 MiB", "e1           2,000  3.0 MiB"],
            "",
        ),
        (
            facets(3),
            1,
            ["EXTENSION     OBJECTS     SIZE", "(none)          2,000  3.0 MiB", "… and 2 more    4,000  6.0 MiB"],
            "The first 1 of each; --limit N or --all shows more.\n",
        ),
        (
            facets(3, others=7),
            2,
            [
                "EXTENSION          OBJECTS     SIZE",
                "(none)               2,000  3.0 MiB",
                "e1                   2,000  3.0 MiB",
                "… and over 1 more    2,007  3.0 MiB",
            ],
            "The first 2 of each; --limit N or --all shows more.\n",
        ),
        (
            facets(1, others=7),
            1000,
            [
                "EXTENSION         OBJECTS     SIZE",
                "(none)              2,000  3.0 MiB",
                "… and all others        7      7 B",
            ],
            "No more than 1,000 of each are told apart; a narrower query has fewer.\n",
        ),
    ],
)
def test_facets_say_what_they_leave_out(
    answer: dict[str, Any], limit: int, rows: list[str], more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    search_output.print_facets(answer, limit=limit)
    out, err = capsys.readouterr()
    assert out.splitlines()[2:] == rows
    assert err == more


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ([], {"top": 1000}),
        (["--limit", "3", "--depth", "2"], {"top": 1000, "depth": 2}),
        (["--json"], {}),
        (["--json", "--limit", "3"], {"top": 3}),
        (["--json", "--limit", "30000"], {"top": 1000}),
        (["--json", "--all"], {"top": 1000}),
    ],
)
def test_as_many_facets_are_asked_for_as_are_wanted(
    typed: list[str], asked: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    class Answering:
        def get(self, path: str, **query: Any) -> dict[str, Any]:
            sent.append({name: value for name, value in query.items() if value is not None} | {"path": path})
            return {**facets(3), "incomplete": [], "notes": []}

    monkeypatch.setattr(search_command, "signed_in", Answering)
    assert search_command.search(parser.parse("search", ["plate", "--facets", "ext", *typed])) == 0
    assert sent == [{"path": "/aggregate", "q": "plate", "by": "ext", **asked}]


class Crawls:
    """A server that knows these crawls, the newest first; `posted` is what it was asked to do."""

    def __init__(self, *crawls: dict[str, Any]) -> None:
        self.crawls = list(crawls)
        self.posted: list[str] = []

    def pages(self, path: str, last: str, **asked: Any) -> list[dict[str, Any]]:
        return self.crawls

    def get(self, path: str, **asked: Any) -> list[dict[str, Any]]:
        return self.crawls

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        self.posted.append(path)
        return self.crawls[0]


ENDED = {"ended_at": "2020-05-17T12:00:00Z"}


@pytest.mark.parametrize(
    ("command", "state", "said", "posted"),
    [
        (
            "pause",
            "running",
            "Crawl 7 of the root existing is paused; `wio crawl resume --root existing` goes on",
            True,
        ),
        (
            "pause",
            "queued",
            "Crawl 7 of the root existing is paused; `wio crawl resume --root existing` goes on",
            True,
        ),
        ("pause", "paused", "Crawl 7 of the root existing is paused already; `wio crawl resume --root", False),
        ("resume", "paused", "Crawl 7 of the root existing goes on; `wio crawl status --root existing`", True),
        ("resume", "running", "Crawl 7 of the root existing is running already; `wio crawl status", False),
        ("resume", "queued", "Crawl 7 of the root existing waits for the worker already; `wio", False),
    ],
)
def test_what_is_so_already_is_said(
    command: str,
    state: str,
    said: str,
    posted: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Crawls(crawl(state=state), crawl(id=3, state="done", **ENDED))
    monkeypatch.setattr(crawl_commands, "signed_in", lambda: server)
    run = {"pause": crawl_commands.pause, "resume": crawl_commands.resume}[command]
    run(parser.parse(f"crawl {command}", ["--root", "existing"]))
    assert capsys.readouterr().out.startswith(said)
    assert server.posted == ([f"/crawls/7/{command}"] if posted else [])


@pytest.mark.parametrize(
    ("crawls", "why"),
    [
        ([], "nor was anything before; `wio crawl start 'my plates'` begins a crawl"),
        (
            [{"state": "done", **ENDED}],
            ": crawl 7 was done 2020-05-17; `wio crawl start 'my plates'` begins another",
        ),
        (
            [{"state": "failed", **ENDED}],
            ": crawl 7 failed 2020-05-17; `wio crawl start 'my plates'` begins another",
        ),
    ],
)
def test_what_can_not_be_paused_or_let_go(
    crawls: list[dict[str, Any]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawl_commands, "signed_in", lambda: Crawls(*(crawl(**one) for one in crawls)))
    for command, run in (("pause", crawl_commands.pause), ("resume", crawl_commands.resume)):
        with pytest.raises(CommandError) as caught:
            run(parser.parse(f"crawl {command}", ["my plates"]))
        assert why in str(caught.value)


@pytest.mark.parametrize(
    ("command", "state", "why"),
    [
        (
            "pause",
            "running",
            "nothing is crawling there as a whole; crawl 10 is of ada/plates: name that workspace.",
        ),
        (
            "resume",
            "paused",
            "no crawl is paused there as a whole; crawl 10 is of ada/plates: name that workspace.",
        ),
        ("pause", "done", "nothing is crawling there: crawl 7 was done 2020-05-17;"),
    ],
)
def test_a_root_is_not_one_workspace_of_it(
    command: str, state: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Crawls(crawl(id=10, workspace="ada/plates", state=state), crawl(state="done", **ENDED))
    monkeypatch.setattr(crawl_commands, "signed_in", lambda: server)
    run = {"pause": crawl_commands.pause, "resume": crawl_commands.resume}[command]
    with pytest.raises(CommandError) as caught:
        run(parser.parse(f"crawl {command}", ["--root", "existing"]))
    assert str(caught.value).startswith(why)
    assert server.posted == []


def test_whoever_may_not_crawl_is_told_who_may(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crawl_commands, "signed_in", Crawls)
    assert crawl_commands.status(parser.parse("crawl status", ["ada/plates"])) == 0
    out, err = capsys.readouterr()
    assert "that you may see; its owners and managers make one with `wio crawl start ada/plates`." in out + err


@pytest.mark.parametrize(
    ("asked", "others", "said"),
    [
        (
            {"state": "queued", "started_at": None},
            [],
            "waits for the worker; `wio crawl status ada/plates` shows how",
        ),
        ({"state": "queued", "started_at": "2020-05-17T12:00:00Z"}, [], "goes on where it was; `wio crawl status"),
        ({"state": "queued", "started_at": None}, [{"id": 6}], "waits until crawl 6 has ended; `wio crawl status"),
    ],
)
def test_what_becomes_of_a_crawl_that_was_asked_for(
    asked: dict[str, Any],
    others: list[dict[str, Any]],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Crawls(crawl(workspace="ada/plates", **asked), *(crawl(**one) for one in others))
    monkeypatch.setattr(crawl_commands, "signed_in", lambda: server)
    assert crawl_commands.start(parser.parse("crawl start", ["plates"])) == 0
    assert f"Crawl 7 of ada/plates {said}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["plain", "two\nlines", "csi\x9b2J", "del\x7f", "rtl\u202egnp", "tag\U000e0041", "é漢"]
)
def test_json_of_hostile_names_is_what_was_meant(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"path": name, "list": [1, {"a": None}]}
    output.print_json(value)
    out, _ = capsys.readouterr()
    assert json.loads(out) == value
    assert all(line.isprintable() for line in out.splitlines())


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
    assert search_output.pointed(refused, text) == drawn


def test_a_server_that_names_no_place_or_a_wrong_one() -> None:
    for details in ({}, {"at": 9, "length": 1}, {"at": -1, "length": 1}, {"at": "0", "length": 1}):
        refused = Refused("It is wrong.", status=422, code="invalid_query", details=dict(details))
        assert search_output.pointed(refused, "abc") == ""


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
        (["--depth", "2", "plate"], ["--depth", "2", "--", "plate"]),
        (["--facets", "ext,nix", "plate"], ["--facets=ext,nix", "--", "plate"]),
        (["--facets", "folders", "plate"], ["--facets=folders", "--", "plate"]),
        (["--facets", "extension"], ["--facets=extension", "--"]),
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
    assert output.ago("0045-03-14T12:00:00Z") == "0045-03-14"
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
        "kept": {},
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


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (200, RUNNING),
        (len(RUNNING) + 1, RUNNING),
        (len(RUNNING), "120,000 entries, 5.0 GiB, 41,234 a second, about 2 min left"),
        (30, "120,000 entries, 5.0 GiB, 41,"),
    ],
)
def test_progress_is_no_wider_than_the_terminal(columns: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert crawl_progress.fitting(crawl(), "ada/plates") == shown


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
            "differs from storage: 2 missing, 1 extra; `wio crawl start --root existing` makes it true again",
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


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("ext,nix", "not 'ext,nix'; write the query before it."),
        ("folders", "not 'folders'; did you mean folder."),
        ("extension", "not 'extension'; did you mean ext."),
    ],
)
def test_a_facet_that_there_is_not(typed: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_command, "signed_in", lambda: None)
    with pytest.raises(UsageError) as caught:
        search_command.search(parser.parse("search", ["--facets", typed]))
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (["--count", "--limit", "3"], "--limit is not for --count."),
        (["--count", "--sort", "size"], "--sort is not for --count."),
        (["--count", "--oldest"], "--oldest is not for --count."),
        (["--facets", "--sort", "size"], "--sort is not for --facets."),
        (["--facets", "--largest", "--highlight"], "--largest is not for --facets."),
        (["--facets", "--reverse"], "--reverse is not for --facets."),
        (["--paths", "--problems"], "--problems is not for --paths."),
        (["--facets="], "not ''; write the query before it."),
        (["--facets", ""], "not ''; write the query before it."),
    ],
)
def test_an_option_that_would_say_nothing_is_refused(
    typed: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_command, "signed_in", lambda: None)
    with pytest.raises(UsageError) as caught:
        search_command.search(parser.parse("search", ["plate", *typed]))
    assert str(caught.value).endswith(why)


@pytest.mark.parametrize(
    ("typed", "excluded", "why"),
    [
        (
            ["--include", "*.tpm"],
            ["*.tmp", "cache/"],
            "'*.tpm' is not excluded there; excluded are '*.tmp', 'cache/'.",
        ),
        (["--include", "*.tmp"], [], "'*.tmp' is not excluded there; nothing is."),
        (
            ["--include", "a", "--include", "b", "--exclude", "c"],
            ["a"],
            "'b' is not excluded there; excluded are 'a'.",
        ),
    ],
)
def test_only_what_is_excluded_is_taken_back(typed: list[str], excluded: list[str], why: str) -> None:
    with pytest.raises(CommandError) as caught:
        root_indexing.wanted(parser.parse("root set", ["existing", *typed]), lambda: {"exclusions": excluded})
    assert str(caught.value) == why
    change = root_indexing.wanted(
        parser.parse("root set", ["existing", "--include", "a", "--exclude", "c"]),
        lambda: {"exclusions": ["a", "b"]},
    )
    assert change == {"exclusions": ["b", "c"]}


def test_a_word_behind_facets_that_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Answering:
        def get(self, path: str, **query: Any) -> dict[str, Any]:
            return {**facets(0), "incomplete": [], "notes": []}

    monkeypatch.setattr(search_command, "signed_in", Answering)
    assert search_command.search(parser.parse("search", ["--facets", "nix"])) == 0
    assert "fits the query 'nix'; --facets itself takes some of ext,type," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "limit"),
    [
        (["--paths"], None),
        (["--paths", "-0"], None),
        (["--paths", "--limit", "3"], 3),
        ([], 50),
        (["--all"], None),
    ],
)
def test_paths_are_all_unless_said(typed: list[str], limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    def pages(client: object, query: object, most: int | None) -> Found:
        asked.append(most)
        return Found()

    monkeypatch.setattr(search_command, "signed_in", lambda: None)
    monkeypatch.setattr(search_command, "Pages", pages)
    monkeypatch.setattr(search_output, "print_results", lambda *_, **__: None)
    monkeypatch.setattr(search_output, "print_paths", lambda *_, **__: 0)
    assert search_command.search(parser.parse("search", typed)) == 0
    assert asked == [limit]


def test_fewer_paths_than_there_are_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert search_output.print_paths(Found(result("a"), total=200), end="\n") == 0
    assert capsys.readouterr().err == "wio: 1 of 200 objects; --all prints every one.\n"


def test_who_waits_hears_which_crawl_goes_first() -> None:
    assert crawl_progress.line(crawl(state="queued", ahead=6), "zeta") == "zeta: waiting until crawl 6 has ended"
    assert crawl_progress.line(crawl(state="queued", ahead=None), "zeta") == "zeta: waiting for the worker"
    assert crawl_progress.line(crawl(problem="Nothing has come."), "zeta") == "zeta: Nothing has come."


@pytest.mark.parametrize(("root", "ahead"), [("existing", 9), ("other", 7)])
def test_a_crawl_that_gets_no_answer_is_waited_for_by_its_own_root(root: str, ahead: int) -> None:
    class Answering:
        def get(self, path: str, **asked: Any) -> Any:
            silent = crawl(id=9, root="existing", problem="Nothing has come.")
            return [silent, crawl(id=7, root="third")] if path == "/crawls" else crawl(state="queued")

    assert crawl_commands._again(Answering(), crawl(id=11, root=root))["ahead"] == ahead  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "states", "posted"),
    [
        ("pause", {9: "queued", 7: "running", 5: "paused", 3: "done"}, ["/crawls/9/pause", "/crawls/7/pause"]),
        ("resume", {9: "paused", 7: "paused", 5: "queued"}, ["/crawls/7/resume", "/crawls/9/resume"]),
    ],
)
def test_all_that_is_open_of_a_place_is_meant(
    command: str, states: dict[int, str], posted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the one that waits would be paused, and the one that is under way go on."""
    of_workspace = crawl(id=10, workspace="ada/plates", state="running" if command == "pause" else "paused")
    server = Crawls(of_workspace, *(crawl(id=number, state=state) for number, state in states.items()))
    monkeypatch.setattr(crawl_commands, "signed_in", lambda: server)
    run = {"pause": crawl_commands.pause, "resume": crawl_commands.resume}[command]
    run(parser.parse(f"crawl {command}", ["--root", "existing"]))
    assert server.posted == posted
