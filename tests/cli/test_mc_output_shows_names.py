"""Bucket paths in mc's output become workspace names, however the stream is cut, and nothing else changes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.cli.mc_output import Renamer, Shown

ENDPOINT = "http://127.0.0.1:8101"


def shown(typed: str, prefix: str, *, bucket: str = "lab") -> Shown:
    return Shown(typed=typed, alias="w0a1b2", endpoint=ENDPOINT, bucket=bucket, prefix=prefix)


WORKSPACES = [
    shown("data", "private/ada/data/"),
    shown("ada/data2", "private/ada/data2/"),
    shown("ben/R&D", "private/ben/R&D/"),
    shown("all", "", bucket="whole"),
]


def renamed(text: str, *, verb: str = "cp", as_json: bool = False, workspaces: list[Shown] = WORKSPACES) -> str:
    renamer = Renamer(workspaces, verb=verb, as_json=as_json)
    return (renamer.feed(text.encode()) + renamer.end()).decode()


@pytest.mark.parametrize(
    ("verb", "printed", "expected"),
    [
        (
            "cp",
            "`w0a1b2/lab/private/ada/data/a` -> `w0a1b2/lab/private/ada/data2/a`\n",
            "`data/a` -> `ada/data2/a`\n",
        ),
        ("rm", "Removed `w0a1b2/lab/private/ada/data`.", "Removed `data`."),
        ("tree", "w0a1b2/lab/private/ada/data/\n└─ sub\n", "data/\n└─ sub\n"),
        ("tree", "\x1b[1mw0a1b2/lab/private/ada/data\x1b[0m", "\x1b[1mdata\x1b[0m"),
        ("diff", f"< {ENDPOINT}/lab/private/ada/data/x y\n", "< data/x y\n"),
        ("ls", "w0a1b2/whole/x", "all/x"),
        ("ls", "w0a1b2/lab/private/ada/other/x", "w0a1b2/lab/private/ada/other/x"),
        ("ls", "w0a1b2/lab/private/ada/data3", "w0a1b2/lab/private/ada/data3"),
        ("find", f"{ENDPOINT}/lab/private/ada/data/x?X-Amz-Algorithm=A", None),
        ("du", "39B\t3 objects\tlab/private/ada/data\n", "39B\t3 objects\tdata\n"),
        (
            "du",
            "39B\t3 objects\tlab/private/ada/data/lab/private/ada/data/\n",
            "39B\t3 objects\tdata/lab/private/ada/data/\n",
        ),
        ("ls", "lab/private/ada/data/\n", None),
    ],
)
def test_text(verb: str, printed: str, expected: str | None) -> None:
    assert renamed(printed, verb=verb) == (printed if expected is None else expected)


def test_json() -> None:
    printed = (
        '{"key":"w0a1b2/lab/private/ben/R\\u0026D/a.txt","url":"http://127.0.0.1:8101/lab/private/ada/data/"}\n'
    )
    assert renamed(printed, as_json=True) == '{"key":"ben/R\\u0026D/a.txt","url":"data/"}\n'
    assert renamed('{"prefix":"lab/private/ada/data/sub"}\n', verb="du", as_json=True) == '{"prefix":"data/sub"}\n'


pieces = st.lists(
    st.sampled_from(
        [
            "w0a1b2/lab/private/ada/data",
            "w0a1b2/lab/private/ada/data/",
            "w0a1b2/lab/private/ada/data2/x",
            f"{ENDPOINT}/lab/private/ada/data/",
            "w0a1b2/lab/pri",
            "\tlab/private/ada/data",
            "w0a1b2",
            "w",
            "http:",
            "`",
            "\n",
            "\r 50% ",
            "/",
            "ä",
            "日本",
        ]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@given(pieces, st.lists(st.integers(1, 60), max_size=20), st.sampled_from(["cp", "find", "du"]))
def test_any_cut_gives_the_same(text: str, cuts: list[int], verb: str) -> None:
    data = text.encode()
    places = [0, *itertools.accumulate(cuts), len(data)]
    renamer = Renamer(WORKSPACES, verb=verb, as_json=False)
    cut = b"".join(
        renamer.feed(data[a:b]) for a, b in itertools.pairwise(sorted(min(p, len(data)) for p in places))
    )
    assert (cut + renamer.end()).decode() == renamed(text, verb=verb)


@given(st.binary(max_size=200))
def test_other_bytes_are_left_alone(data: bytes) -> None:
    renamer = Renamer(WORKSPACES, verb="cp", as_json=False)
    assert renamer.feed(data) + renamer.end() == data


def test_a_progress_bar_is_not_held_back() -> None:
    renamer = Renamer(WORKSPACES, verb="cp", as_json=False)
    assert renamer.feed(b"\rdata/a.txt: 10 MiB / 1 GiB  1%") == b"\rdata/a.txt: 10 MiB / 1 GiB  1%"
    assert renamer.feed(b"Continue? [y/N] ") == b"Continue? [y/N] "
