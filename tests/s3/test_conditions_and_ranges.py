"""Conditional headers and ranges, as RFC 9110 and S3 have them: the pure part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.nodes.values import ByteRange, Preconditions
from workspacesio.s3.conditions import (
    COPY_SOURCE,
    Outcome,
    etag_listed,
    evaluate,
    parse_copy_range,
    parse_range,
    write_preconditions,
)
from workspacesio.s3.dates import http_date, parse_http_date, xml_date
from workspacesio.s3.error_codes import S3Error

MODIFIED = 1_800_000_000.75
SAME = http_date(MODIFIED)
EARLIER = http_date(MODIFIED - 10)
LATER = http_date(MODIFIED + 10)

PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({}, PROCEED),
        ({"if-match": '"abc"'}, PROCEED),
        ({"if-match": "abc"}, PROCEED),
        ({"if-match": "*"}, PROCEED),
        ({"if-match": '"x", "abc"'}, PROCEED),
        ({"if-match": '"x"'}, FAILED),
        ({"if-match": 'W/"abc"'}, FAILED),
        ({"if-none-match": '"abc"'}, NOT_MODIFIED),
        ({"if-none-match": 'W/"abc"'}, NOT_MODIFIED),
        ({"if-none-match": "*"}, NOT_MODIFIED),
        ({"if-none-match": '"x"'}, PROCEED),
        ({"if-modified-since": SAME}, NOT_MODIFIED),
        ({"if-modified-since": LATER}, NOT_MODIFIED),
        ({"if-modified-since": EARLIER}, PROCEED),
        ({"if-modified-since": "yesterday"}, PROCEED),
        ({"if-unmodified-since": SAME}, PROCEED),
        ({"if-unmodified-since": LATER}, PROCEED),
        ({"if-unmodified-since": EARLIER}, FAILED),
        ({"if-unmodified-since": "-1"}, PROCEED),
        # Precedence: an entity tag outweighs a time.
        ({"if-match": '"abc"', "if-unmodified-since": EARLIER}, PROCEED),
        ({"if-match": '"x"', "if-unmodified-since": LATER}, FAILED),
        ({"if-none-match": '"abc"', "if-modified-since": EARLIER}, NOT_MODIFIED),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, PROCEED),
        ({"if-match": '"abc"', "if-none-match": '"abc"'}, NOT_MODIFIED),
    ],
)
def test_conditions(headers: dict[str, str], outcome: Outcome) -> None:
    assert evaluate(headers, "abc", MODIFIED) is outcome
    of_a_source = {COPY_SOURCE + name: value for name, value in headers.items()}
    assert evaluate(of_a_source, "abc", MODIFIED, COPY_SOURCE) is outcome
    assert evaluate(of_a_source, "abc", MODIFIED) is PROCEED


@given(st.text(max_size=40))
def test_an_etag_is_never_found_in_text_without_it(text: str) -> None:
    found = etag_listed(text, "5d41402abc4b2a76b9719d911017c592", weak=True)
    assert found == (text.strip() == "*")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=5-9", ByteRange(5, 9)),
        ("bytes=5-", ByteRange(5, None)),
        ("bytes=-5", ByteRange(None, 5)),
        ("bytes=-0", ByteRange(None, 0)),
        ("BYTES = 1 - 2", ByteRange(1, 2)),
        ("bytes=9-5", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=+1-2", None),
        ("bytes=١-٢", None),
        ("", None),
        ("bytes=" + "9" * 30 + "-", None),
    ],
)
def test_ranges(value: str, expected: ByteRange | None) -> None:
    assert parse_range(value) == expected


@given(st.text(max_size=30))
def test_no_range_raises(text: str) -> None:
    parse_range(text)
    parse_http_date(text)


def test_copy_ranges() -> None:
    assert parse_copy_range("bytes=2-4", 5) == ByteRange(2, 4)
    for value in ("bytes=2-5", "bytes=4-2", "bytes=2-", "bytes=-2", "2-4"):
        with pytest.raises(S3Error):
            parse_copy_range(value, 5)


def test_preconditions_of_writes() -> None:
    assert write_preconditions({}) == Preconditions()
    assert write_preconditions({"if-none-match": "*"}) == Preconditions(if_none_match=True)
    assert write_preconditions({"if-match": '"abc"'}) == Preconditions(if_match="abc")


@pytest.mark.parametrize(
    "headers",
    [
        {"if-none-match": '"abc"'},
        {"if-match": "*"},
        {"if-match": '"a", "b"'},
        {"if-match": '"a"', "if-none-match": "*"},
        {"if-modified-since": SAME},
        {"if-unmodified-since": SAME},
    ],
)
def test_a_condition_that_s3_does_not_have_for_writes_is_refused_not_ignored(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error) as raised:
        write_preconditions(headers)
    assert raised.value.status == 501


@given(st.floats(min_value=-1e12, max_value=1e14))
def test_every_time_of_a_file_can_be_written(moment: float) -> None:
    assert len(xml_date(moment)) == 24
    shown = parse_http_date(http_date(moment))
    assert shown is not None
    assert http_date(shown) == http_date(moment)
    assert evaluate({"if-modified-since": http_date(moment)}, "x", moment) is NOT_MODIFIED
    assert evaluate({"if-unmodified-since": http_date(moment)}, "x", moment) is PROCEED
