"""Patterns of what is not indexed."""

from __future__ import annotations

import time
from functools import cache

import pytest
from hypothesis import example, given, settings
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


@pytest.mark.parametrize(
    "pattern",
    ["*a*a*a*a*a*b", "/**a**a**a**a**b", "/**/a*/**/a*/**/a*/**/b", "*?a*?[ab]*?a*b", "/x/*a" + "*a" * 200 + "b"],
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Meanwhile nothing else goes on in the process, the renewal of its lease included."""
    exclusions = Exclusions([pattern])
    begun = time.process_time()
    for path in ("a" * 120 + "c", "x/" + "a" * 1000, "a/" * 500, "aa/" * 300 + "c"):
        assert not exclusions.excludes_last(path)
    assert time.process_time() - begun < 1


def fits(pattern: str, path: str) -> bool:
    """What the patterns mean, tried out in every way."""

    @cache
    def rest(at: int, of: int) -> bool:
        if at == len(pattern):
            return path[of:] in ("", "/")
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            folders = [of] + [end + 1 for end in range(of, len(path)) if path[end] == "/"]
            return any(rest(at + 3, end) for end in folders)
        if pattern.startswith("**", at):
            return any(rest(at + 2, end) for end in range(of, len(path) + 1))
        if pattern[at] == "*":
            return rest(at + 1, of) or (path[of : of + 1] not in ("", "/") and rest(at, of + 1))
        one = path[of : of + 1]
        return one != "" and (one == pattern[at] or (pattern[at] == "?" and one != "/")) and rest(at + 1, of + 1)

    return rest(0, 0)


@settings(max_examples=500)
@given(pattern=st.text("ab*?/", min_size=1, max_size=9), path=st.text("ab/", min_size=1, max_size=12))
@example(pattern="/**a**/b", path="xaab")
def test_patterns_mean_what_they_say(pattern: str, path: str) -> None:
    inner = pattern.strip("/")
    if inner:
        anchored = pattern.startswith("/") or "/" in inner
        said = fits(inner if anchored else f"**/{inner}", path)
        if pattern.endswith("/"):
            said = said and path.endswith("/") and fits(inner if anchored else f"**/{inner}", path[:-1] + "/")
        assert Exclusions([pattern]).excludes_last(path) == said


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
