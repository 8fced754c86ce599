"""Durations, ends, tables, proxies and the other small things that are typed or shown."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.cli import output, times
from workspacesio.cli.user_commands import read_emails
from workspacesio.client.connection import proxy_for
from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.references import FORCED, is_plainly_local
from workspacesio.client.sign_in import check_server

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("7d", 604800), ("4w", 2419200)]
)
def test_durations(text: str, seconds: int) -> None:
    assert times.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0s", "-1d", "1.5h", "7 d", "７d", "1y"])
def test_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no duration"):
        times.duration(text)


def test_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert times.end("30s", now=NOW) == "2026-11-22T10:00:30Z"
    assert times.end("7d", now=NOW) == "2026-11-29T10:00:00Z"
    assert times.end("2027-01-31T12:00:00+02:00", now=NOW) == "2027-01-31T10:00:00Z"


def test_a_date_holds_until_its_end() -> None:
    ends = datetime.fromisoformat(times.end("2027-01-31", now=NOW)).astimezone()
    assert (ends.year, ends.month, ends.day, ends.hour, ends.minute) == (2027, 1, 31, 23, 59)


@pytest.mark.parametrize("text", ["2020-01-31", "2026-13-01", "2026-1-1", "99999999999d"])
def test_no_end(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        times.end(text, now=NOW)


@given(st.sampled_from("./~"), st.text(), st.booleans())
def test_a_local_path_never_becomes_a_workspace(first: str, rest: str, removes: bool) -> None:
    assert is_plainly_local(first + rest, lambda _: False, removes=removes)


@given(st.text())
def test_a_forced_workspace_is_never_local(rest: str) -> None:
    assert not is_plainly_local(FORCED + rest, lambda _: True)


def test_what_exists_is_local_but_not_for_rm() -> None:
    assert is_plainly_local("report.pdf", lambda _: True)
    assert not is_plainly_local("report.pdf", lambda _: True, removes=True)
    assert not is_plainly_local("data/report.pdf", lambda _: True)
    assert not is_plainly_local("data", lambda _: False)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("https://Lab.Example.org/", "https://lab.example.org"),
        ("HTTP://127.0.0.1:8100", "http://127.0.0.1:8100"),
        ("https://example.org/wio/", "https://example.org/wio"),
    ],
)
def test_addresses(typed: str, address: str) -> None:
    assert check_server(typed) == address


@pytest.mark.parametrize("typed", ["lab.example.org", "ftp://x", "https://", "https://u:p@x", "https://x?y", ""])
def test_no_address(typed: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a server"):
        check_server(typed)


@pytest.mark.parametrize(
    ("scheme", "host", "environment", "proxy"),
    [
        ("https", "a.example", {"https_proxy": "http://p:1"}, "http://p:1"),
        ("http", "a.example", {"https_proxy": "http://p:1"}, None),
        ("http", "a.example", {"HTTP_PROXY": "http://p:1"}, None),
        ("http", "a.example", {"all_proxy": "http://p:1"}, "http://p:1"),
        ("https", "a.example", {"https_proxy": "http://p:1", "no_proxy": "b.example, .example"}, None),
        ("https", "aexample", {"https_proxy": "http://p:1", "no_proxy": "example"}, "http://p:1"),
        ("https", "a.example", {"https_proxy": "http://p:1", "no_proxy": "*"}, None),
        ("http", "localhost", {"http_proxy": "http://p:1"}, None),
    ],
)
def test_proxies(scheme: str, host: str, environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(scheme, host, environment) == proxy


def test_tables_are_aligned_and_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(["NAME", "N"], [["日本", 5], ["a\x1b[2Jb", 1000]], empty="-")
    assert capsys.readouterr().out == "NAME          N\n日本          5\na\\x1b[2Jb  1000\n"
    output.print_table(["NAME"], [], empty="Nothing.")
    assert capsys.readouterr().out == "Nothing.\n"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB"), (3 << 60, "3072.0 PiB")],
)
def test_sizes(count: int, text: str) -> None:
    assert output.size(count) == text


@pytest.mark.parametrize(
    ("table", "emails"),
    [
        ("a@x.org\nb@x.org\n", ["a@x.org", "b@x.org"]),
        ("name,email\nAda,a@x.org\n\nBen, b@x.org \n", ["a@x.org", "b@x.org"]),
        ("\ufeffEmail\na@x.org\n", ["a@x.org"]),
    ],
)
def test_tables_of_people(table: str, emails: list[str], tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "people.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(table)
    assert read_emails(path) == emails


def test_a_missing_table(tmp_path: os.PathLike[str]) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        read_emails(os.path.join(tmp_path, "none.csv"))
