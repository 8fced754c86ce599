"""Wildcards: one meaning, as a walk through the pattern and as the regular expression that engines are given."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.domain.search_patterns import (
    Wild,
    fits_name,
    fits_path,
    fold_pattern,
    folder_comparisons,
    folders_and_names,
    is_wild,
    joined,
    literal_pattern,
    name_expression,
    path_expression,
    pattern_parts,
    printed_readings,
)

patterns = st.text("ab/.*?\\é", max_size=8) | st.text(max_size=4)
names = st.text("ab/.*?\\é\n", max_size=9) | st.text(max_size=4)


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("tif", ["a.tif", "tif", "atifb"], ["ti", ""]),
        ("*.tif", ["a.tif", ".tif"], ["a.tiff", "tif"]),
        ("img_??.jpg", ["img_01.jpg"], ["img_1.jpg", "img_001.jpg"]),
        ("a*b*c", ["abc", "axbxc", "abcbc"], ["ab", "abcd"]),
        ("a**c", ["ac", "abc"], ["abcd"]),
        ("*", ["", "a"], []),
        ("?", ["a", "\n", "é"], ["", "ab"]),
        (r"a\*b", ["a*b", "xa*bx"], ["axb"]),
        (r"a\*b*", ["a*bc"], ["axbc"]),
        ("a\\", ["a\\", "xa\\y"], ["a"]),
        (r"\a", ["a"], ["\\b"]),
        ("[ab]+.", ["[ab]+."], ["a", "ab"]),
    ],
)
def test_names(pattern: str, fitting: list[str], others: list[str]) -> None:
    for name in [*fitting, *others]:
        assert fits_name(pattern, name) is (name in fitting)
        assert bool(re.fullmatch(name_expression(pattern), name)) is (name in fitting)


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("raw/**", ["raw/a", "raw/a/b", "raw/"], ["raw", "xraw/a", "rawb/a"]),
        ("raw/*", ["raw/a", "raw/"], ["raw/a/b"]),
        ("raw/*.tif", ["raw/a.tif"], ["raw/b/a.tif", "x/raw/a.tif"]),
        ("raw/?.tif", ["raw/a.tif"], ["raw//.tif"]),
        ("**/a.txt", ["a.txt", "x/a.txt", "x/y/a.txt"], ["xa.txt"]),
        ("**a.txt", ["a.txt", "xa.txt", "x/a.txt"], ["a.txtb"]),
        ("**/raw/**", ["raw/a", "x/raw/a"], ["xraw/a"]),
        ("**/", ["", "a/"], ["a"]),
        ("**", ["", "a", "a/b"], []),
        ("*/**/b", ["a/x/b", "a/x/y/b"], ["a/b"]),
        ("a", ["a"], ["ab", "x/a"]),
        ("**x*y", ["x/xy", "axby"], ["x/y"]),
    ],
)
def test_paths(pattern: str, fitting: list[str], others: list[str]) -> None:
    for path in [*fitting, *others]:
        assert fits_path(pattern, path) is (path in fitting)
        assert bool(re.fullmatch(path_expression(pattern), path)) is (path in fitting)


@given(patterns, names)
def test_the_expressions_for_engines_mean_the_same(pattern: str, name: str) -> None:
    assert fits_name(pattern, name) == bool(re.fullmatch(name_expression(pattern), name))
    assert fits_path(pattern, name) == bool(re.fullmatch(path_expression(pattern), name))


@given(names)
def test_a_literal_pattern_means_itself(name: str) -> None:
    assert not is_wild(literal_pattern(name))
    assert "".join(map(str, pattern_parts(literal_pattern(name)))) == name
    assert fits_path(literal_pattern(name), name)
    assert fits_name(literal_pattern(name), f"x{name}y")


@given(patterns)
def test_folding_keeps_what_is_wild(pattern: str) -> None:
    folded = fold_pattern(pattern)
    assert fold_pattern(folded) == folded
    assert [part for part in pattern_parts(folded) if isinstance(part, Wild)] == [
        part for part in pattern_parts(pattern) if isinstance(part, Wild)
    ]


def test_folding_is_of_the_letters() -> None:
    assert fold_pattern(r"IMG_*\*É") == r"img_*\*é"


def test_no_pattern_explodes() -> None:
    began = time.monotonic()
    assert not fits_path("*a" * 10 + "b", "a" * 1000)
    assert not fits_path("**a" * 10 + "b", "a" * 1000)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("pattern", "readings"),
    [
        ("plates", [(None, "plates", "")]),
        ("plates/", [(None, "plates", "")]),
        ("plates/raw/*.tif", [(None, "plates", "raw/*.tif"), ("plates", "raw", "*.tif")]),
        ("ada/plates", [(None, "ada", "plates"), ("ada", "plates", "")]),
        (r"my\*plates/a", [(None, "my*plates", "a"), ("my*plates", "a", "")]),
        ("ada:plates/a/b", [("ada", "plates", "a/b")]),
        ("a/*/b", [(None, "a", "*/b")]),
        ("a//b", [(None, "a", "/b")]),
        *((nothing, []) for nothing in ("", "/a", "*", "a*/b", "?/b", "**/a", ":a/b", "a:/b")),
    ],
)
def test_what_a_pattern_means_that_begins_with_a_workspace(
    pattern: str, readings: list[tuple[str | None, str, str]]
) -> None:
    assert printed_readings(pattern) == readings


@pytest.mark.parametrize(
    ("pattern", "divided"),
    [
        ("", [([], [])]),
        ("ab?c", [([], ["ab", Wild.ONE, "c"])]),
        ("a/b/c*", [(["a", "/", "b", "/"], ["c", Wild.ANY])]),
        ("a/*", [(["a", "/"], [Wild.ANY])]),
        ("a/", [(["a", "/"], [])]),
        ("a/**", [(["a", "/", Wild.ANY_WITH_SLASHES], [Wild.ANY])]),
        ("**", [([Wild.ANY_WITH_SLASHES], [Wild.ANY])]),
        ("a**b", [([], ["a", Wild.ANY, "b"]), (["a", Wild.ANY_WITH_SLASHES], [Wild.ANY, "b"])]),
        (
            "**/x***",
            [
                ([Wild.ANY_WITH_SLASHES], ["x", Wild.ANY]),
                ([Wild.ANY_WITH_SLASHES, "/", "x", Wild.ANY_WITH_SLASHES], [Wild.ANY]),
            ],
        ),
    ],
)
def test_the_name_may_begin_behind_the_last_slash_or_within_what_holds_one(
    pattern: str, divided: list[tuple[list[str | Wild], list[str | Wild]]]
) -> None:
    assert folders_and_names(pattern) == divided


@pytest.mark.parametrize(
    ("pattern", "times"),
    [
        *((none, 0) for none in ("", "a", "*", "a/b", "raw/*.tif", "raw/**", "ra**", "**", "**/*.tif")),
        *((once, 1) for once in ("*/", "?/a", "**/a/b", "**/a/**", "raw/*/**", "**a**", "r**x/*")),
        ("**/x**", 1),
        ("**/x/y**", 2),
        ("**a**b**c**", 3),
    ],
)
def test_how_often_all_folders_are_compared(pattern: str, times: int) -> None:
    assert folder_comparisons(pattern) == times


def test_wildcards_that_follow_one_another_in_a_name_are_one() -> None:
    steps = [Wild.ANY_WITH_SLASHES, Wild.ANY, "a", "b", Wild.ONE, Wild.ONE, Wild.ANY, Wild.ANY]
    assert joined(steps) == [Wild.ANY, "ab", Wild.ONE, Wild.ONE, Wild.ANY]
