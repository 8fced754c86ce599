"""What a query means of one entry: the reference that engines are held to."""

from __future__ import annotations

import pytest

from workspacesio.domain.search_matching import EntryFields, matches, rank
from workspacesio.domain.search_parsing import parse
from workspacesio.domain.search_query import AnyOf, Folders, Named, Not, Query, Workspaces

NOW = 1_800_000_000_000_000
DAY = 86_400_000_000
ENTRY = EntryFields(
    workspace_id=7,
    folder_ids=(70, 71, 72),
    path="raw/Session_2/SampleReads.TIF",
    size=1500,
    modified=NOW - 10 * DAY,
    content_type="image/tiff",
    user={"Instrument": "Zeiss LSM"},
    tags={"project": "apollo"},
    facts={"width": "640"},
    text="Embryo stage twelve",
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "raw",
        "RAW",
        "samplereads",
        "reads",
        '"session 2"',
        "session_2",
        '"stage twelve"',
        "embryo raw",
        "sample session",
        "name:samp",
        "name:*.tif",
        "*.tif",
        "path:raw",
        "path:raw/**",
        "path:RAW/*/*.tif",
        "raw/*/*",
        "ext:tif",
        "ext:.TIF",
        "type:image",
        "type:image/tiff",
        "type:IMAGE/TIFF",
        "size:1500",
        "size:>=1.5K",
        "size:..1500",
        "modified:<30d",
        "modified:10d..10d",
        "tag:project",
        "tag:project=Apollo",
        'tag:instrument="zeiss lsm"',
        "tag:width=640",
        "-draft",
        "not (draft or ext:jpg)",
        "draft or raw",
        "(draft or raw) and ext:tif",
    ],
)
def test_found(text: str) -> None:
    assert matches(parse(text, NOW), ENTRY)


@pytest.mark.parametrize(
    "text",
    [
        "draft",
        '"sample session"',
        '"reads tif"',
        '"tif embryo"',
        "amplereads",
        "name:raw",
        "name:samp?",
        "path:/session_2",
        "path:/raw/*",
        "ext:tiff",
        'ext:""',
        "type:video",
        "type:image/png",
        "size:<1500",
        "size:0.5",
        "modified:>30d",
        "modified:<7d",
        "tag:apollo",
        "tag:project=",
        "tag:project=saturn",
        "-raw",
        "raw -ext:tif",
        "draft or ext:jpg",
    ],
)
def test_not_found(text: str) -> None:
    assert not matches(parse(text, NOW), ENTRY)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Workspaces(frozenset({7, 8})), True),
        (Workspaces(frozenset({8})), False),
        (Folders(frozenset({72, 1})), True),
        (Folders(frozenset({7})), False),
        (AnyOf(()), False),
        (Not(AnyOf(())), True),
    ],
)
def test_places(query: Query, expected: bool) -> None:
    assert matches(query, ENTRY) is expected


def test_a_name_that_was_not_resolved_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="resolved"):
        matches(Named("owner", "ada"), ENTRY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("samplereads", 2),
        ("reads", 2),
        ("raw", 1),
        ("embryo", 0),
        ("raw reads", 3),
        ("raw or reads", 3),
        ("reads -raw", 2),
        ("ext:tif", 0),
    ],
)
def test_rank(text: str, expected: int) -> None:
    assert rank(parse(text, NOW), ENTRY) == expected
