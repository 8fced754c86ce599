"""docs/search.md says what the query language does: every example on it is asked."""

from __future__ import annotations

import os
import re
import shlex
from datetime import UTC, datetime

import pytest

from workspacesio.api.search_turns import AT_ONCE
from workspacesio.cli import parser
from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_fields import EXAMPLES, FIELDS, MAX_PHRASE_WORDS, MAX_WILDCARDS
from workspacesio.domain.search_matching import EntryFields, matches
from workspacesio.domain.search_parsing import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_FOLDER_COMPARISONS,
    MAX_PATTERNS,
    MAX_TERMS,
    parse,
)
from workspacesio.domain.search_query import AnyOf, Named, Query
from workspacesio.domain.search_types import TYPES
from workspacesio.index.asking import microseconds

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs/search.md")
NOW = microseconds(datetime(2026, 3, 15, 12, tzinfo=UTC))

with open(PAGE, encoding="utf-8") as file:
    TEXT = file.read()


def rows(*heading: str) -> list[list[str]]:
    """Of all tables with this heading."""
    found = []
    table = None
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if cells is None or table is None:
            table = cells
        elif tuple(table) == heading and set("".join(cells)) != {"-"}:
            found.append(cells)
    return found


ENTRIES = [
    EntryFields(1, (1,), path.strip("`"), int(size), microseconds(datetime.fromisoformat(day).replace(tzinfo=UTC)))
    for path, size, day in rows("object", "bytes", "changed")
]
FINDING = rows("query", "finds")
REFUSED = rows("query", "answer")


def test_the_page_has_examples() -> None:
    assert len(ENTRIES) == 7
    assert len(FINDING) > 30
    assert len(REFUSED) > 4


def in_one_workspace(query: Query) -> Query:
    """The objects of the page lie in a workspace that no query names."""
    match query:
        case AnyOf(parts):
            return AnyOf(tuple(in_one_workspace(part) for part in parts if not isinstance(part, Named)))
        case _:
            return query


@pytest.mark.parametrize(("text", "found"), FINDING)
def test_what_is_found(text: str, found: str) -> None:
    query = in_one_workspace(parse(text.strip("`"), NOW))
    assert {entry.path for entry in ENTRIES if matches(query, entry)} == set(re.findall("`([^`]+)`", found))


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text.strip("`"), NOW)
    assert str(caught.value) == sentence.replace("\\`", "`")


def test_the_other_examples_are_queries() -> None:
    examples = re.findall(r"^wio search\b(.*?)(?:  .*)?$", TEXT, flags=re.MULTILINE)
    assert len(examples) == 13
    for typed in examples:
        words = shlex.split(typed.partition(" | ")[0])
        parse(" ".join(parser.parse("search", words).query), NOW)
    for text in [
        *re.findall(r"^tag:.*$", TEXT, flags=re.MULTILINE),
        *re.findall(r"`((?:in|owner|public):\S+)`", TEXT),
    ]:
        parse(text, NOW)


def test_every_field_type_and_limit_is_named() -> None:
    assert all(f"`{field}:" in TEXT for field in FIELDS)
    types = re.search("<!-- types -->(.*)<!-- /types -->", TEXT)
    assert types is not None
    assert types[1] == ", ".join(TYPES)
    for number in (f"{MAX_CHARACTERS:,} characters", f"{MAX_TERMS} terms", f"{MAX_DEPTH} deep"):
        assert number in TEXT
    assert f"{MAX_PHRASE_WORDS} words" in TEXT
    assert f"at most {MAX_WILDCARDS} wildcards" in TEXT
    assert f"{MAX_PATTERNS} of them with wildcards" in TEXT
    assert f"at most {MAX_FOLDER_COMPARISONS} patterns of folders" in TEXT
    assert f"{AT_ONCE} searches" in TEXT
    assert set(EXAMPLES) == set(FIELDS)
