"""The table of mc's flags is mc's own, and arguments are read as mc reads them."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.cli import mc_flags

HIDDEN_VALUE_FLAGS = {"conn-read-deadline", "conn-write-deadline", "pipe-max-size"}
"""mc takes them but doesn't show them (cmd/flags.go, cmd/pipe-main.go)."""


@pytest.mark.parametrize("verb", mc_flags.VERBS)
def test_flags_with_a_value_are_those_of_mc(verb: str, mc_path: str, tmp_path: os.PathLike[str]) -> None:
    answer = subprocess.run(
        [mc_path, verb, "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "MC_CONFIG_DIR": str(tmp_path)},
        check=True,
    )
    shown = set()
    for line in answer.stdout.splitlines():
        spelled = re.match(r"  (-[^ ]+(?: value)?(?:, -[^ ]+(?: value)?)*)(?:  |$)", line)
        if spelled and " value" in spelled[1]:
            shown |= {name.removesuffix(" value").lstrip("-") for name in spelled[1].split(", ")}
    assert shown == mc_flags.VALUE_FLAGS[verb] - HIDDEN_VALUE_FLAGS


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
positions = words.filter(lambda word: not word.startswith("-")) | st.just("-")
plain_flags = st.sampled_from(["--recursive", "-r", "--json", "--force", "--name=x", "-q", "--unknown"])


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str], list[int]]:
    """A verb, arguments, and the indexes that are positions, known from how the arguments were made."""
    verb = draw(st.sampled_from(mc_flags.VERBS))
    arguments: list[str] = []
    places: list[int] = []
    for kind in draw(st.lists(st.sampled_from(["position", "flag", "value", "joined"]), max_size=8)):
        if kind == "position":
            places.append(len(arguments))
            arguments.append(draw(positions))
        elif kind == "flag":
            arguments.append(draw(plain_flags))
        else:
            name = draw(st.sampled_from(["-", "--"])) + draw(st.sampled_from(sorted(mc_flags.VALUE_FLAGS[verb])))
            value = draw(words | st.sampled_from(["name/", "--", "--json", "ada/data/x"]))
            arguments += [name, value] if kind == "value" else [f"{name}={value}"]
    if draw(st.booleans()):
        arguments.append("--")
        rest = draw(st.lists(words | st.just("--json"), max_size=3))
        places += range(len(arguments), len(arguments) + len(rest))
        arguments += rest
    return verb, arguments, places


@given(command_lines())
def test_only_positions_are_taken_for_workspaces(line: tuple[str, list[str], list[int]]) -> None:
    verb, arguments, places = line
    assert mc_flags.positions(verb, arguments) == places
    assert sorted(mc_flags.purposes(verb, arguments)) == places


@given(command_lines())
def test_a_value_is_not_a_flag(line: tuple[str, list[str], list[int]]) -> None:
    verb, arguments, places = line
    kinds = mc_flags.kinds(verb, arguments)
    expected = any(
        argument == "--json" and kind == "flag" for argument, kind in zip(arguments, kinds, strict=True)
    )
    assert mc_flags.has_flag(verb, arguments, "json") == expected
    assert all(kinds[index] == "position" for index in places)


@pytest.mark.parametrize(
    ("verb", "arguments", "expected"),
    [
        ("cp", ["a/x", "b/y", "c/"], {0: "read", 1: "read", 2: "write"}),
        ("cp", ["--recursive", "a/", "--older-than", "1d", "c/"], {1: "read", 4: "write"}),
        ("cp", ["a/"], {0: "read"}),
        ("mv", ["a/x", "b/"], {0: "write", 1: "write"}),
        ("rm", ["a/x", "b/x"], {0: "write", 1: "write"}),
        ("mirror", ["a/", "b/"], {0: "read", 1: "write"}),
        ("mirror", ["--active-active", "a/", "b/"], {1: "write", 2: "write"}),
        ("diff", ["a/", "b/"], {0: "read", 1: "read"}),
        ("find", ["a/", "--name", "b/"], {0: "read"}),
        ("pipe", ["a/x"], {0: "write"}),
        ("stat", ["a/x"], {0: "read"}),
    ],
)
def test_purposes(verb: str, arguments: list[str], expected: dict[int, str]) -> None:
    assert mc_flags.purposes(verb, arguments) == expected


def test_what_find_executes_may_write() -> None:
    assert mc_flags.only_reads("find", ["a/", "--name", "*"], [0])
    assert not mc_flags.only_reads("find", ["a/", "--exec", "mc rm {}"], [0])
    assert not mc_flags.only_reads("cp", ["x", "a/"], [1])


@pytest.mark.parametrize(
    ("argv", "count"),
    [
        (["ls", "a/"], 0),
        (["--json", "ls"], 1),
        (["--config-dir", "ls", "ls"], 2),
        (["-C=x", "ls"], 1),
        (["-q"], 1),
    ],
)
def test_flags_before_the_verb(argv: list[str], count: int) -> None:
    assert mc_flags.before_verb(argv) == count


@pytest.mark.parametrize(
    ("line", "watched"),
    [
        ("watch --json a/ b/", [1, 2]),
        ("ls a/", []),
        ("find a/ --watch", [0]),
        ("find a/ --name --watch", []),
        ("find a/ --name -w", []),
        ("mirror a/ b/", []),
        ("mirror -w a/ b/", [1]),
        ("mirror --overwrite --watch a/ b/", [2]),
        ("mirror --active-active a/ b/", [1]),
        ("mirror --exclude --watch a/ b/", []),
    ],
)
def test_what_mc_watches(line: str, watched: list[int]) -> None:
    verb, *arguments = line.split()
    assert mc_flags.watched(verb, arguments) == watched
