"""What of a query asks for more than names, and queries that ask for names alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workspacesio.domain.search_levels import (
    Lacking,
    asks_of_contents,
    by_name_alone,
    is_below,
    lacking,
    type_by_name,
)
from workspacesio.domain.search_matching import EntryFields, matches, ranked
from workspacesio.domain.search_parsing import parse
from workspacesio.domain.search_types import EXTENSIONS, TYPES, type_of
from workspacesio.domain.vocabulary import IndexLevel

WORDS, TYPE, TAGS, FACTS = Lacking.WORDS, Lacking.TYPES, Lacking.TAGS, Lacking.FACTS

READ = EntryFields(
    workspace_id=1,
    folder_ids=(1,),
    path="raw/plate.csv",
    size=10,
    modified=0,
    content_type="image/tiff",
    user={"project": "apollo"},
    facts={"width": "640"},
    text="embryo stage",
)
BARE = EntryFields(1, (1,), "raw/README", 10, 0, content_type="text/plain", text="plate")

QUERIES = [
    "",
    "plate",
    "embryo",
    '"raw plate"',
    '"embryo stage" or csv',
    "-embryo",
    "not (embryo or type:image)",
    "type:image",
    "type:table",
    "type:other",
    "-type:other",
    "type:text",
    "type:image/tiff",
    "-type:image/tiff",
    "tag:project",
    "tag:width=640",
    "-tag:width",
    "ext:csv -embryo size:>1",
    "name:plate or tag:project",
]


@pytest.mark.parametrize(
    ("text", "names", "metadata"),
    [
        ("ext:csv size:>1 name:a", set(), set()),
        ("plate", {WORDS}, {WORDS}),
        ("-plate", {WORDS}, {WORDS}),
        ("ext:csv (plate or type:image)", {WORDS, TYPE}, {WORDS}),
        ("tag:a type:image/png", {TAGS, TYPE}, {FACTS}),
    ],
)
def test_what_a_level_lacks(text: str, names: set[Lacking], metadata: set[Lacking]) -> None:
    query = parse(text, 0)
    assert lacking(query, IndexLevel.NAMES) == names
    assert lacking(query, IndexLevel.METADATA) == metadata
    assert lacking(query, IndexLevel.CONTENT) == set()


def test_what_depends_on_reading() -> None:
    assert not asks_of_contents(parse("ext:csv", 0), IndexLevel.CONTENT)
    assert asks_of_contents(parse("plate", 0), IndexLevel.CONTENT)
    assert not asks_of_contents(parse("plate", 0), IndexLevel.METADATA)
    assert asks_of_contents(parse("type:image", 0), IndexLevel.METADATA)
    assert asks_of_contents(parse("tag:a", 0), IndexLevel.METADATA)


def test_levels_are_in_order() -> None:
    assert is_below(IndexLevel.NONE, IndexLevel.NAMES)
    assert is_below(IndexLevel.METADATA, IndexLevel.CONTENT)
    assert not is_below(IndexLevel.NAMES, IndexLevel.NAMES)


@pytest.mark.parametrize("text", QUERIES)
@pytest.mark.parametrize("entry", [READ, BARE])
def test_by_name_alone_it_is_as_if_nothing_had_been_read(text: str, entry: EntryFields) -> None:
    query = parse(text, 0)
    forgotten = replace(entry, content_type="", user={}, facts={}, text="")
    asked = by_name_alone(query, frozenset({1}))
    assert matches(asked, entry) == matches(query, forgotten)
    elsewhere = replace(entry, workspace_id=2)
    assert matches(asked, elsewhere) == matches(query, elsewhere)
    assert ranked(asked) == ranked(query)


def test_every_extension_tells_one_type() -> None:
    for extension in EXTENSIONS:
        entry = replace(READ, path=f"a.{extension}", content_type="")
        told = [kind for kind in TYPES if matches(type_by_name(kind), entry)]
        assert told == [type_of(entry.path)]
