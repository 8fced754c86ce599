"""The query language: what is written means exactly one tree, and whatever is wrong is said where it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_fields import EXAMPLES, FIELDS, MAX_PHRASE_WORDS, MAX_WILDCARDS
from workspacesio.domain.search_parsing import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_FOLDER_COMPARISONS,
    MAX_PATTERNS,
    MAX_TERMS,
    parse,
)
from workspacesio.domain.search_patterns import literal_pattern
from workspacesio.domain.search_quantities import MOST
from workspacesio.domain.search_query import (
    AllOf,
    AnyOf,
    Everything,
    HasExtension,
    HasTag,
    ModifiedBetween,
    Named,
    NameMatches,
    Not,
    OfType,
    PathMatches,
    Query,
    SizeBetween,
    Words,
)
from workspacesio.domain.search_types import TYPES
from workspacesio.domain.search_words import fold, words

MOMENT = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)


def at(year: int, month: int = 1, day: int = 1, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


NOW = at(2026, 3, 15, 12, 30)
DAY = 86_400_000_000
A, B, C = Words(("a",)), Words(("b",)), Words(("c",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Everything()),
        (" \t\n", Everything()),
        ("*", Everything()),
        ("**", Everything()),
        ("a", A),
        ("A", A),
        ("raw-data_2", Words(("raw", "data", "2"))),
        ('"raw data"', Words(("raw", "data"))),
        ('raw" data"', Words(("raw", "data"))),
        (r'"say \"a\" \\ b\c"', Words(("say", "a", "b", "c"))),
        ('"or"', Words(("or",))),
        ('"size:3"', Words(("size", "3"))),
        ('"*.tif"', Words(("tif",))),
        ("12:30", Words(("12", "30"))),
        ("a b", AllOf((A, B))),
        ("a and b", AllOf((A, B))),
        ("a AND b c", AllOf((A, B, C))),
        ("a or b", AnyOf((A, B))),
        ("a OR b Or c", AnyOf((A, B, C))),
        ("a b or c", AnyOf((AllOf((A, B)), C))),
        ("a (b or c)", AllOf((A, AnyOf((B, C))))),
        ("(a b) c", AllOf((AllOf((A, B)), C))),
        ("((a))", A),
        ("(a)(b)", AllOf((A, B))),
        ("-a", Not(A)),
        ("not a", Not(A)),
        ("NOT -a", Not(Not(A))),
        ("--a", Not(Not(A))),
        ("-(a or b)", Not(AnyOf((A, B)))),
        ("a -b", AllOf((A, Not(B)))),
        ("a or not b", AnyOf((A, Not(B)))),
        ("a-b", Words(("a", "b"))),
        ("*.TIF", NameMatches("*.tif")),
        ("img_??", NameMatches("img_??")),
        (r"a\*b", Words(("a", "b"))),
        ("raw/*.tif", AnyOf((PathMatches("raw/*.tif"), Named("path", "raw/*.tif")))),
        ("*/Raw/*.tif", PathMatches("*/raw/*.tif")),
        ("Raw/a", AnyOf((Words(("raw", "a")), Named("path", "Raw/a")))),
        ('"raw data/a*"', AnyOf((Words(("raw", "data", "a")), Named("path", r"raw data/a\*")))),
        ("a/?b", AnyOf((PathMatches("a/?b"), Named("path", "a/?b")))),
        ("/raw/**", PathMatches("raw/**")),
        ("name:Read", NameMatches("read")),
        ('name:"scan (1)*"', NameMatches("scan (1)*")),
        (r'name:"a\*b"', NameMatches(r"a\*b")),
        (r'name:"a\\b"', NameMatches(r"a\\b")),
        (r'name:"a\"b"', NameMatches('a"b')),
        (r"name:a\*b", NameMatches(r"a\*b")),
        ("NAME:a", NameMatches("a")),
        ("path:Raw", AnyOf((PathMatches("raw"), PathMatches("raw/**"), Named("path", "Raw")))),
        ("path:/raw", AnyOf((PathMatches("raw"), PathMatches("raw/**")))),
        ("path:raw/", AnyOf((PathMatches("raw/**"), Named("path", "raw/")))),
        ("path:ra*", PathMatches("ra*")),
        ("path:/Raw/*", PathMatches("raw/*")),
        ('path:"raw data/**"', AnyOf((PathMatches("raw data/**"), Named("path", "raw data/**")))),
        (
            r'path:"ada:it\"s/a: b\\c"',
            AnyOf(
                (
                    PathMatches(r'ada:it"s/a: b\\c'),
                    PathMatches(r'ada:it"s/a: b\\c/**'),
                    Named("path", r'ada:it"s/a: b\\c'),
                )
            ),
        ),
        ("path:/", Everything()),
        ("ext:tif", HasExtension("tif")),
        ("ext:.TIF", HasExtension("tif")),
        ("ext:*.tif", HasExtension("tif")),
        ("ext:tar.gz", NameMatches("*.tar.gz")),
        ('ext:""', HasExtension("")),
        ("ext:c++", HasExtension("c++")),
        ("type:Image", OfType("image")),
        ("type:image/TIFF", OfType("image/tiff")),
        ("size:0", SizeBetween(0, 0)),
        ("size:=5", SizeBetween(5, 5)),
        ("size:>1GB", SizeBetween(10**9 + 1, None)),
        ("size:>=1GiB", SizeBetween(2**30, None)),
        ("size:=>1k", SizeBetween(1000, None)),
        ("size:<1.5KB", SizeBetween(None, 1499)),
        ("size:<=1.5Ki", SizeBetween(None, 1536)),
        ("size:>0.5", SizeBetween(1, None)),
        ("size:>=0.5", SizeBetween(1, None)),
        ("size:<0.5", SizeBetween(None, 0)),
        ("size:<=0.5", SizeBetween(None, 0)),
        ("size:0.5", AnyOf(())),
        ("size:<0", AnyOf(())),
        (f"size:>{MOST}", AnyOf(())),
        (f"size:>={MOST}", SizeBetween(MOST, None)),
        ("size:1..2K", SizeBetween(1, 2000)),
        ("size:1..", SizeBetween(1, None)),
        ("size:..2MiB", SizeBetween(None, 2**21)),
        ("size:2..1", AnyOf(())),
        ('size:"1 .. 2 TB"', SizeBetween(1, 2 * 10**12)),
        ("size:3PiB", SizeBetween(3 * 2**50, 3 * 2**50)),
        ("modified:2025", ModifiedBetween(at(2025), at(2026) - 1)),
        ("modified:2024", ModifiedBetween(at(2024), at(2025) - 1)),
        ("modified:2026-02", ModifiedBetween(at(2026, 2), at(2026, 3) - 1)),
        ("modified:2026-01-31", ModifiedBetween(at(2026, 1, 31), at(2026, 2) - 1)),
        ("modified:>2026-01-31", ModifiedBetween(at(2026, 2), None)),
        ("modified:>=2026-01-31", ModifiedBetween(at(2026, 1, 31), None)),
        ("modified:<2026-01-31", ModifiedBetween(None, at(2026, 1, 31) - 1)),
        ("modified:<=2026-01-31", ModifiedBetween(None, at(2026, 2) - 1)),
        ("modified:2026-01..2026-02-03", ModifiedBetween(at(2026), at(2026, 2, 4) - 1)),
        ("modified:2026..", ModifiedBetween(at(2026), None)),
        ("modified:..2026", ModifiedBetween(None, at(2027) - 1)),
        ("modified:2027..2026", AnyOf(())),
        ("modified:2026-01-31T12:30", ModifiedBetween(at(2026, 1, 31, 12, 30), at(2026, 1, 31, 12, 31) - 1)),
        (
            "modified:2026-01-31t12:30:05z",
            ModifiedBetween(at(2026, 1, 31, 12, 30, 5), at(2026, 1, 31, 12, 30, 6) - 1),
        ),
        ("modified:>=2026-01-31T12:30+02:00", ModifiedBetween(at(2026, 1, 31, 10, 30), None)),
        ('modified:">=2026-01-31 12:30:05.25"', ModifiedBetween(at(2026, 1, 31, 12, 30, 5) + 250_000, None)),
        (
            "modified:2026-01-31T12:30:05.25",
            ModifiedBetween(at(2026, 1, 31, 12, 30, 5) + 250_000, at(2026, 1, 31, 12, 30, 5) + 259_999),
        ),
        ("modified:9999", ModifiedBetween(at(9999), at(9999, 12, 31) + DAY - 1)),
        ("modified:today", ModifiedBetween(at(2026, 3, 15), at(2026, 3, 16) - 1)),
        ("modified:>=Yesterday", ModifiedBetween(at(2026, 3, 14), None)),
        ("modified:<30d", ModifiedBetween(NOW - 30 * DAY + 1, None)),
        ("modified:<=30d", ModifiedBetween(NOW - 30 * DAY, None)),
        ("modified:>1w", ModifiedBetween(None, NOW - 7 * DAY - 1)),
        ("modified:>=2Y", ModifiedBetween(None, NOW - 730 * DAY)),
        ("modified:<90m", ModifiedBetween(NOW - 90 * 60_000_000 + 1, None)),
        ("modified:7d..30d", ModifiedBetween(NOW - 30 * DAY, NOW - 7 * DAY)),
        ("modified:30d..7d", ModifiedBetween(NOW - 30 * DAY, NOW - 7 * DAY)),
        ("modified:<999999999y", ModifiedBetween(-MOST + 1, None)),
        ("tag:project", HasTag("project", None)),
        ("tag:project=Apollo", HasTag("project", "Apollo")),
        ('tag:project="Apollo 11 = moon"', HasTag("project", "Apollo 11 = moon")),
        ("tag:project=", HasTag("project", "")),
        ("owner:ada", Named("owner", "ada")),
        ("in:ada/data/raw", Named("in", "ada/data/raw")),
        ('in:"field notes"', Named("in", "field notes")),
        ("in:ada:data", Named("in", "ada:data")),
        ("node:local", Named("node", "local")),
        ("root:Private", Named("root", "Private")),
        ("public:yes", Named("public", "yes")),
        ("public:NO", Not(Named("public", "yes"))),
    ],
)
def test_what_is_written_means(text: str, expected: Query) -> None:
    assert parse(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "place", "length", "sentence"),
    [
        ("siez:3", 0, 5, "There is no field `siez:`; did you mean `size:`."),
        ("a USER:ada", 2, 5, "There is no field `user:`; did you mean `owner:`."),
        (
            "http://x",
            0,
            5,
            "There is no field `http:`; put quotes around it to look for these words, or use one of",
        ),
        ("name:", 4, 1, "name: has no value; write it right behind the colon, such as name:*.tif."),
        ('owner:""', 6, 2, "owner: has no value; write it right behind the colon, such as owner:ada."),
        ("size: >3", 4, 1, "size: has no value"),
        ("a & b", 2, 1, "'&' holds no letter and no digit; write `and`."),
        ("a || b", 2, 2, "'||' holds no letter and no digit; write `or`."),
        ('"--"', 0, 4, "'--' holds no letter and no digit; a character alone is found in names with"),
        ('""', 0, 2, "'' holds no letter and no digit"),
        ("a or", 2, 2, "Something to look for is missing behind this; write it"),
        ("or a", 0, 2, "Something to look for is missing before this; write it"),
        ("a or or b", 2, 2, "Something to look for is missing behind this"),
        ("a not", 2, 3, "Something to look for is missing behind this"),
        ("and", 0, 3, "Something to look for is missing before this"),
        ("()", 0, 1, "There is nothing in these parentheses; remove them."),
        ("a (", 2, 1, "There is nothing in these parentheses"),
        ("a (b or c", 2, 1, "This parenthesis is not closed; close it"),
        (")", 0, 1, "This parenthesis closes none"),
        ("a) b", 1, 1, "This parenthesis closes none"),
        ("a or)", 2, 2, "Something to look for is missing behind this"),
        ("scan(1)", 4, 1, "This parenthesis touches a word; put quotes around what it belongs to"),
        ('a "b c', 2, 1, "These quotes are not closed"),
        ("path:raw\\ data/**", 8, 1, "A backslash doesn't join words as in a shell; put quotes around what has"),
        ("a raw\\\tdata", 5, 1, "A backslash doesn't join words as in a shell"),
        ('"a\\"', 0, 1, "These quotes are not closed"),
        ('"a\\', 0, 1, "These quotes are not closed"),
        ("a - b", 2, 1, "A minus stands right before what it excludes; write -draft, or not draft."),
        ("a -", 2, 1, "A minus stands right before what it excludes"),
        ("-)", 0, 1, "Something to look for is missing behind this"),
        ("name:raw/a", 5, 5, "A name holds no slash; use path: for folders"),
        ("name:" + "*a" * 11, 5, 22, f"A pattern has at most {MAX_WILDCARDS} wildcards; leave some out."),
        ("a-" * 51, 0, 102, f"A phrase has at most {MAX_PHRASE_WORDS} words; leave some out."),
        ("ext:tif,jpg", 4, 7, "'tif,jpg' is no extension; write one, such as ext:tif, or (ext:tif or ext:jpg)."),
        ("ext:t?f", 4, 3, "'t?f' is no extension"),
        (
            "ext:abcdefghijklmnopq",
            4,
            17,
            "An extension has at most 16 characters; write name:*.abcdefghijklmnopq.",
        ),
        ("type:images", 5, 6, "There is no type 'images'; did you mean type:image."),
        ("type:image/*", 5, 7, "There is no type 'image/*'; did you mean type:image."),
        ("type:/x", 5, 2, "There is no type '/x'; the types are image, video,"),
        ("size:big", 5, 3, "'big' is no size; write a number with B, KB, MB"),
        ("size:>", 5, 1, "'>' is no size"),
        ("size:-3", 5, 2, "'-3' is no size"),
        ("size:3i", 5, 2, "'3i' is no size"),
        ("size:>1..2", 5, 5, "'>1..2' is no range"),
        ("size:..", 5, 2, "'..' is no range"),
        ("size:9999PB..", 5, 8, "Nothing is as large as that"),
        ("modified:soon", 9, 4, "'soon' is no date; write a date or an age in s, m, h, d, w or y"),
        ("modified:2026-13", 9, 7, "'2026-13' is a date that the calendar doesn't have"),
        ("modified:2026-02-30", 9, 10, "'2026-02-30' is a date that the calendar doesn't have"),
        ("modified:0000", 9, 4, "'0000' is a date that the calendar doesn't have"),
        ("modified:30d", 9, 3, "'30d' is an age alone; write modified:<30d for newer, modified:>30d for older."),
        ("modified:7d..2026", 9, 8, "'7d..2026' is no range of ages; write it like modified:7d..30d."),
        ("modified:2026..7d", 9, 8, "'2026..7d' is no date"),
        ("modified:<7d..8d", 9, 7, "'<7d..8d' is no range of ages"),
        ("modified:<>3d", 9, 4, "'<>3d' is no date"),
        ("tag:=x", 4, 2, "A tag has a key; write tag:key or tag:key=value."),
        ("public:maybe", 7, 5, "'maybe' is neither yes nor no; write public:yes or public:no."),
        ("a\0b", 1, 1, "No name holds this character; leave it out."),
        ("ab\ud800", 2, 1, "No name holds this character; leave it out."),
        (
            "a" * (MAX_CHARACTERS + 1),
            MAX_CHARACTERS,
            1,
            "A query has at most 2000 characters; leave something out.",
        ),
        (
            "-" * (MAX_DEPTH + 1) + "a",
            MAX_DEPTH + 1,
            1,
            f"A query nests at most {MAX_DEPTH} deep; make it flatter.",
        ),
        ("(" * 1000, MAX_DEPTH + 1, 1, f"A query nests at most {MAX_DEPTH} deep"),
        ("a " * (MAX_TERMS + 1), 2 * MAX_TERMS, 1, f"A query has at most {MAX_TERMS} terms and words of"),
        ('"a b" ' * 51, 300, 1, f"A query has at most {MAX_TERMS} terms and words of phrases; leave some out."),
        ("path:**a**b** " * 3, 28, 13, f"A query has at most {MAX_FOLDER_COMPARISONS} patterns of folders; write"),
        ("*/x **/a/** " * 3, 28, 7, f"A query has at most {MAX_FOLDER_COMPARISONS} patterns of folders; write"),
        ("*.a " * 11, 40, 3, "A query has at most 10 patterns with wildcards; leave some out."),
        ("type:" + "x" * 100, 5, 100, f"There is no type '{'x' * 39}…'"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, place: int, length: int, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text, NOW)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(f"{caught.value.details['hint']}.")
    assert (caught.value.details["at"], caught.value.details["length"]) == (place, length)
    assert caught.value.code == "invalid_query"


def test_as_much_as_is_allowed_is_taken() -> None:
    parse("-" * MAX_DEPTH + "a", NOW)
    parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, NOW)
    parse("a " * MAX_TERMS, NOW)
    parse('"a b" ' * (MAX_TERMS // 2), NOW)
    parse("*.a " * MAX_PATTERNS + "path:b " * 20, NOW)
    parse("path:**/a/** " * MAX_FOLDER_COMPARISONS + "path:a/** **/*.a " * 2, NOW)
    parse("a" * MAX_CHARACTERS, NOW)
    parse("name:" + "*a" * MAX_WILDCARDS, NOW)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a and a", "a"),
        ("a or A or a", "a"),
        ("a b a", "a b"),
        ("(a or a) (a and a)", "a"),
        ("-a -a b", "-a b"),
        ('"a b" or "a-b" or c', '"a b" or c'),
    ],
)
def test_what_is_said_twice_is_looked_for_once(text: str, same: str) -> None:
    assert parse(text, NOW) == parse(same, NOW)


def test_every_field_has_an_example_that_is_right() -> None:
    assert set(EXAMPLES) == set(FIELDS)
    for field, text in EXAMPLES.items():
        assert text.startswith(f"{field}:")
        parse(text, NOW)


fragments = st.sampled_from(
    [
        *(f"{field}:" for field in FIELDS),
        *'a*?"\\()-<>=./: \0é',
        *("or", "and", "not", "..", "1", "30d", "GB", "2026-01-01", "raw/", "\ud800", "yes", "image", " "),
    ]
)


@given(st.text(max_size=60) | st.lists(fragments, max_size=15).map("".join) | st.binary().map(repr))
@example("size:" + "9" * 1000)
@example("modified:" + "9" * 9 + "y.." + "9" * 9 + "y")
@example("size:" + "٣")
@example("modified:<٣d")
@example('"' * 999)
def test_anything_else_is_this_error(text: str) -> None:
    error = refused(text)
    if error is not None:
        assert error.code == "invalid_query"
        place, length = error.details["at"], error.details["length"]
        assert isinstance(place, int)
        assert isinstance(length, int)
        assert 0 <= place <= len(text)
        assert 0 <= length <= len(text) - place or place == len(text)


def refused(text: str) -> Invalid | None:
    try:
        parse(text, NOW)
    except Invalid as error:
        return error
    return None


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quoted_pattern(pattern: str) -> str:
    """Its own backslashes stay: they say the same in quotes."""
    return '"' + pattern.replace('"', '\\"') + '"'


values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
leaves: st.SearchStrategy[tuple[str, Query]] = st.one_of(
    values.filter(lambda text: words(text) and "/" not in text).map(
        lambda text: (quoted(text), Words(tuple(words(text))))
    ),
    values.filter(lambda text: "/" not in text).map(
        lambda text: (f"name:{quoted_pattern(literal_pattern(text))}", NameMatches(literal_pattern(fold(text))))
    ),
    values.map(lambda text: (f"owner:{quoted(text)}", Named("owner", text))),
    st.tuples(values.filter(lambda key: key.strip() and "=" not in key), st.none() | values).map(
        lambda pair: (f"tag:{quoted(pair[0] if pair[1] is None else '='.join(map(str, pair)))}", HasTag(*pair))
    ),
    st.tuples(st.integers(0, MOST // 2), st.integers(0, MOST // 2)).map(
        lambda pair: (f"size:{min(pair)}..{max(pair)}", SizeBetween(min(pair), max(pair)))
    ),
    st.sampled_from(TYPES).map(lambda kind: (f"type:{kind}", OfType(kind))),
)


def joined(word: str, kind: type[AllOf] | type[AnyOf]) -> object:
    def make(parts: list[tuple[str, Query]]) -> tuple[str, Query]:
        queries = tuple(dict.fromkeys(query for _, query in parts))
        return word.join(f"({text})" for text, _ in parts), queries[0] if len(queries) == 1 else kind(queries)

    return make


queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(joined(" ", AllOf)),  # type: ignore[arg-type]
        st.lists(inner, min_size=2, max_size=3).map(joined(" and ", AllOf)),  # type: ignore[arg-type]
        st.lists(inner, min_size=2, max_size=3).map(joined(" or ", AnyOf)),  # type: ignore[arg-type]
        inner.map(lambda pair: (f"-({pair[0]})", Not(pair[1]))),
        inner.map(lambda pair: (f"not ({pair[0]})", Not(pair[1]))),
    ),
    max_leaves=6,
)


@given(queries)
def test_whatever_is_meant_can_be_written(pair: tuple[str, Query]) -> None:
    text, query = pair
    assert parse(text, NOW) == query
