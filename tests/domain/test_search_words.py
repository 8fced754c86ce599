"""The one tokenizer: what is a word, what is the same word, and that engines are fed what queries ask for."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.domain import search_words
from workspacesio.domain.search_words import (
    MAX_WORD_CHARACTERS,
    fold,
    has_phrase,
    indexed_names,
    indexed_text,
    word_groups,
    word_spans,
    words,
)

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
pieced = st.text("aAbZ09_-/. ", max_size=16)
foreign = st.text("aAé\u0301ßДжя東カไทยกำहिन्दीः1٣²ǅ_ /", max_size=16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" -_./ ", []),
        ("raw/2026/IMG_2034-Berlin.tif", ["raw", "2026", "img", "2034", "berlin", "tif"]),
        ("O'Brien", ["o", "brien"]),
        ("a\tb\nc\0d", ["a", "b", "c", "d"]),
        ("ÅNGSTRÖM Straße", ["ångström", "strasse"]),
        ("A\u030angstro\u0308m", ["ångström"]),
        ("МойФайл", ["мойфайл"]),
        ("東京2024年", ["東", "京", "2024", "年"]),
        ("カタカナ", ["カ", "タ", "カ", "ナ"]),
        ("ไทย กำ", ["ไ", "ท", "ย", "ก", "ำ"]),
        ("हिन्दी", ["हिन्दी"]),
        ("한국어 데이터", ["한국어", "데이터"]),
        ("\u0301 a", ["a"]),
        ("🎉 party", ["party"]),
        ("é" + "x" * 100, ["é" + "x" * 63]),
        ("x" * 100, ["x" * 64]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("SampleReads", [["sample", "reads"]]),
        ("sampleReads2024", [["sample", "reads", "2024"]]),
        ("HTMLPage", [["html", "page"]]),
        ("IMG2034", [["img", "2034"]]),
        ("file000123.txt", [["file", "000123"]]),
        ("МойФайл", [["мой", "файл"]]),
        ("ÉtatLibre", [["état", "libre"]]),
        ("E\u0301tatLibre", [["état", "libre"]]),
        ("HTMLÉ\u0301tat", [["html", "é\u0301tat"]]),
        ("HTMLE\u0301tat", [["html", "état"]]),
        ("iPhone", []),
        ("r1 mp3 Sample READS 2024", []),
        ("a3f9c2d1e8b7", []),
        ("ABc", []),
        ("E\u0301Bcd", []),
        ("aGVsbG8Qk3x", []),
        ("TwoWords and MoreWords", [["two", "words"], ["more", "words"]]),
    ],
)
def test_pieces(text: str, pieces: list[list[str]]) -> None:
    assert word_groups(text) == [words(text), *pieces]


@given(st.sampled_from("aAbB0é"), pieced | foreign)
def test_the_quick_way_for_ascii_is_the_same(first: str, text: str) -> None:
    """A letter outside ASCII at the end sends the rest the other way."""
    slow = word_groups(f"{first}{text} é")
    assert [slow[0][:-1], *slow[1:]] == word_groups(first + text)


@given(any_text | pieced | foreign)
def test_engines_are_fed_what_queries_ask_for(text: str) -> None:
    indexed = indexed_text(text)
    assert indexed == " ".join(indexed.split())
    assert all(word == fold(word) and len(word) <= MAX_WORD_CHARACTERS for word in words(text))
    if words(text):
        assert has_phrase(indexed, tuple(words(text)))
        assert all(has_phrase(indexed, (word,)) for word in words(text))
    assert not any("|" in word for word in words(text + "|"))


@given(st.lists((any_text | pieced | st.text("aA0 -", max_size=80)).map(lambda text: text.replace("/", ""))))
def test_names_at_once_have_the_words_of_each(names: list[str]) -> None:
    for some in (names, [name for name in names if name.isascii()]):
        assert indexed_names(some) == [indexed_text(name) for name in some]


def test_names_at_once_are_divided_and_cut_as_each() -> None:
    names = ["", "a" * 70, "b1 c", "reads2024", "", "a", "2024-x"]
    assert indexed_names(names) == [indexed_text(name) for name in names]
    assert indexed_names(names[2:3]) == ["b1 c"]
    assert indexed_names(["a", "0"]) == ["a", "0"]


@given(any_text | pieced | foreign)
def test_spans_are_the_words_where_they_stand(text: str) -> None:
    spans = word_spans(text)
    assert sorted(word for word, _, _ in spans) == sorted(word for group in word_groups(text) for word in group)
    assert all(fold(text[start:end])[:MAX_WORD_CHARACTERS] == word for word, start, end in spans)


@given(any_text, any_text)
def test_a_path_has_the_words_of_its_parts(folder: str, name: str) -> None:
    assert words(f"{folder}/{name}") == words(folder) + words(name)


@given(any_text | foreign)
def test_case_and_the_spelling_of_accents_make_no_difference(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(text)
    assert fold(text.casefold()) == fold(text)


def test_folding_ends_for_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        assert fold(fold(character)) == fold(character)


def test_spans_of_pieces_follow_their_word() -> None:
    assert word_spans("a SampleReads") == [("a", 0, 1), ("samplereads", 2, 13), ("sample", 2, 8), ("reads", 8, 13)]


def test_a_phrase_does_not_go_from_the_words_into_pieces() -> None:
    indexed = indexed_text("raw SampleReads")
    assert indexed == f"raw samplereads {search_words.GROUP} sample reads"
    assert has_phrase(indexed, ("raw", "samplereads"))
    assert has_phrase(indexed, ("sample", "reads"))
    assert not has_phrase(indexed, ("samplereads", "sample"))
    assert not has_phrase(indexed, ("raw", "sample"))
    assert not has_phrase(indexed, ("ample",))


def test_long_texts_take_time_in_proportion() -> None:
    """A megabyte of one word, or of many, is no trap."""
    assert words("x" * 1_000_000) == ["x" * 64]
    assert word_groups("aB" * 500_000)[1:] == []
    assert len(words("né " * 100_000)) == 100_000
