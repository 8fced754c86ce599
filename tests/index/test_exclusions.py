"""Patterns of what is not indexed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.index.exclusions import Exclusions

CASES = [
    ("*.tmp", ["a.tmp", "b/a.tmp", "x.tmp/inside"], ["a.tmpx", "tmp"]),
    ("cache/", ["cache/x", "a/cache/b/c"], ["cache", "a/cache", "cached/x"]),
    ("/raw/old", ["raw/old", "raw/old/x"], ["a/raw/old", "raw/older", "raw"]),
    ("raw/old", ["raw/old/x"], ["a/raw/old"]),
    ("/top", ["top", "top/x"], ["a/top"]),
    ("/a/**/*.o", ["a/x.o", "a/b/c/x.o"], ["b/x.o", "a/x.oo"]),
    ("/a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
    ("fi?e", ["file", "x/fide"], ["fi/e", "fiile"]),
    ("[a-c]x", ["ax", "cx", "d/bx"], ["dx"]),
    ("[!a-c]x", ["dx"], ["ax", "d/ax"]),
    ("a[", ["a["], ["a"]),
    ("a.b+(c)", ["a.b+(c)"], ["axb+(c)", "a.bb(c)"]),
    ("é", ["é", "x/é/y"], ["e"]),
]


@pytest.mark.parametrize(("pattern", "out", "kept"), CASES)
def test_patterns(pattern: str, out: list[str], kept: list[str]) -> None:
    exclusions = Exclusions([pattern])
    assert [path for path in out if not exclusions.excludes(path)] == []
    assert [path for path in kept if exclusions.excludes(path)] == []


def test_without_patterns_nothing_is_left_out() -> None:
    assert not Exclusions([])
    assert not Exclusions([]).excludes("a/b")


parts = st.text("ab*?[]!-./é\n", min_size=1, max_size=6)


@given(patterns=st.lists(parts.filter(lambda one: one.strip("/")), max_size=4), path=parts)
def test_looking_at_every_part_in_turn_is_the_same(patterns: list[str], path: str) -> None:
    """What a walk does, which looks at the last part only, folder by folder; and no pattern is malformed."""
    exclusions = Exclusions(patterns)
    ends = [at + 1 for at, letter in enumerate(path) if letter == "/"]
    step_by_step = any(exclusions.excludes_last(path[:end]) for end in ends)
    if not path.endswith("/"):
        step_by_step = step_by_step or exclusions.excludes_last(path)
    assert exclusions.excludes(path) == step_by_step
