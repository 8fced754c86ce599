"""Names, extensions, types, years and tags, as engines and reference take them from an entry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.domain.search_types import (
    MAX_TAG_CHARACTERS,
    TYPES,
    extension_of,
    media_type,
    name_of,
    tag_term,
    tag_terms,
    type_of,
    year_of,
)


@pytest.mark.parametrize(
    ("path", "name", "extension"),
    [
        ("raw/a.TIF", "a.TIF", "tif"),
        ("a.tar.gz", "a.tar.gz", "gz"),
        ("Makefile", "Makefile", ""),
        ("a.b/Makefile", "Makefile", ""),
        (".bashrc", ".bashrc", ""),
        ("..x", "..x", ""),
        (".config.json", ".config.json", "json"),
        ("a.", "a.", ""),
        ("v1.2 final", "v1.2 final", ""),
        ("a.\tx", "a.\tx", ""),
        ("a." + "x" * 16, "a." + "x" * 16, "x" * 16),
        ("a." + "x" * 17, "a." + "x" * 17, ""),
        ("a." + "ß" * 9, "a." + "ß" * 9, ""),
        ("a.C++", "a.C++", "c++"),
        ("a/b/", "", ""),
        ("", "", ""),
    ],
)
def test_names_and_extensions(path: str, name: str, extension: str) -> None:
    assert name_of(path) == name
    assert extension_of(path) == extension


@pytest.mark.parametrize(
    ("path", "content_type", "expected"),
    [
        ("a.tif", "", "image"),
        ("a", "", "other"),
        ("a.unheard", "", "other"),
        ("a.txt", "IMAGE/PNG; q=1", "image"),
        ("a.tif", "application/octet-stream", "image"),
        ("a.py", "text/plain", "code"),
        ("a", "text/plain; charset=utf-8", "text"),
        ("a.docx", "application/zip", "document"),
        ("a.unheard", "application/zip", "archive"),
        ("a.svg", "text/xml", "image"),
        ("a", "text/x-unheard", "text"),
        ("a", "application/x-hdf5", "data"),
        ("a.csv", "application/x-unheard", "table"),
        ("a", "nonsense", "other"),
        ("a.mp4", "", "video"),
        ("a.flac", "", "audio"),
        ("a.parquet", "", "table"),
        ("a.nc", "", "data"),
        ("a.zip", "", "archive"),
    ],
)
def test_types(path: str, content_type: str, expected: str) -> None:
    assert type_of(path, content_type) == expected
    assert expected in TYPES


def test_media_types_are_compared_without_parameters() -> None:
    assert media_type(" Image/TIFF ; x=1") == "image/tiff"
    assert media_type("") == ""


@given(st.datetimes(timezones=st.just(UTC)))
def test_years_are_those_of_the_calendar(moment: datetime) -> None:
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert year_of(microseconds) == moment.year


@pytest.mark.parametrize("moment", [-(2**63), -1, 0, 2**63 - 1])
def test_every_number_has_a_year(moment: int) -> None:
    assert -300_000 < year_of(moment) < 300_000
    assert year_of(-1) == 1969
    assert year_of(0) == 1970


def test_tags_are_found_by_key_and_by_value() -> None:
    terms = tag_terms({"Project": "Apollo  11"}, {"width": "640"})
    assert tag_term("project", "apollo 11") in terms
    assert tag_term("PROJECT", None) in terms
    assert tag_term("width", "640") in terms
    assert len(terms) == 4
    assert tag_terms({"a\tb": "c"}) == {"a b", "a b\tc"}
    assert tag_term("a", "b") not in tag_terms({"a\tb": ""})
    assert len(tag_term("k" * 1000, "v" * 1000)) == 2 * MAX_TAG_CHARACTERS + 1
    assert tag_term("a", "") in tag_terms({"a": ""})
