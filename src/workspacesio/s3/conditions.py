"""Conditional requests and ranges: RFC 9110, sections 13 and 14, as S3 applies them. Pure.

Precedence (RFC 9110 13.2.2, and "GetObject" in the Amazon S3 API reference): where `If-Match` is given,
`If-Unmodified-Since` is not looked at; where `If-None-Match` is given, `If-Modified-Since` is not looked at.
"""

import re
from collections.abc import Mapping
from enum import Enum

from workspacesio.nodes.values import NO_PRECONDITIONS, ByteRange, Preconditions
from workspacesio.s3.dates import parse_http_date, whole_seconds
from workspacesio.s3.error_codes import ErrorCode, S3Error

CONDITIONAL_HEADERS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")

COPY_SOURCE = "x-amz-copy-source-"
"""Before the name of a conditional header, it speaks of the source of a copy."""


class Outcome(Enum):
    """What the conditions say about an object that is there."""

    PROCEED = 200
    NOT_MODIFIED = 304
    FAILED = 412


def evaluate(headers: Mapping[str, str], etag: str, modified: float, prefix: str = "") -> Outcome:
    """What the conditional headers, named with `prefix`, say about an object with this ETag and POSIX time."""
    if_match = headers.get(f"{prefix}if-match")
    if if_match is not None:
        if not etag_listed(if_match, etag, weak=False):
            return Outcome.FAILED
    else:
        limit = _date(headers, f"{prefix}if-unmodified-since")
        if limit is not None and whole_seconds(modified) > limit:
            return Outcome.FAILED
    if_none_match = headers.get(f"{prefix}if-none-match")
    if if_none_match is not None:
        if etag_listed(if_none_match, etag, weak=True):
            return Outcome.NOT_MODIFIED
    else:
        limit = _date(headers, f"{prefix}if-modified-since")
        if limit is not None and whole_seconds(modified) <= limit:
            return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def _date(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    return None if text is None else parse_http_date(text)


def etag_listed(value: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags (RFC 9110 8.8.3) or `*` holds `etag`, which is strong and without quotes.

    Tags without quotes count too, as in S3. `weak`: tags marked `W/` are compared as well.
    """
    if value.strip() == "*":
        return True
    for item in value.split(","):
        tag = item.strip()
        if tag.startswith("W/"):
            if not weak:
                continue
            tag = tag[2:]
        if unquoted(tag) == etag:
            return True
    return False


def unquoted(tag: str) -> str:
    """An entity tag without its quotes, however it was written."""
    tag = tag.strip()
    return tag[1:-1] if len(tag) > 1 and tag[0] == tag[-1] == '"' else tag


def write_preconditions(headers: Mapping[str, str]) -> Preconditions:
    """What a write's `If-Match` and `If-None-Match` demand.

    Raises S3Error NotImplemented for conditions that S3 doesn't have for writes: ignoring one would lose data.
    """
    if_match, if_none_match = headers.get("if-match"), headers.get("if-none-match")
    for name in ("if-modified-since", "if-unmodified-since"):
        if name in headers:
            raise _not_implemented(name)
    if if_match is None and if_none_match is None:
        return NO_PRECONDITIONS
    if if_match is not None and if_none_match is not None:
        raise _not_implemented("if-none-match")
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise _not_implemented("if-none-match")
        return Preconditions(if_none_match=True)
    assert if_match is not None
    etag = unquoted(if_match)
    if etag == "*" or "," in etag or etag.startswith("W/"):
        raise _not_implemented("if-match")
    return Preconditions(if_match=etag)


def _not_implemented(header: str) -> S3Error:
    return S3Error(
        ErrorCode.NotImplemented,
        "A header you provided implies functionality that is not implemented",
        Header=header,
    )


_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.ASCII | re.IGNORECASE)


def parse_range(value: str) -> ByteRange | None:
    """One range of bytes, or None where the whole is to be sent: no such range, or several (as S3 does)."""
    match = _RANGE.fullmatch(value)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return ByteRange(None, int(last)) if last else None
    if not last:
        return ByteRange(int(first), None)
    return ByteRange(int(first), int(last)) if int(first) <= int(last) else None


_COPY_RANGE = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})", re.ASCII)


def parse_copy_range(value: str, size: int) -> ByteRange:
    """The range of `x-amz-copy-source-range`, both ends of which must be inside the source of `size` bytes.

    Raises S3Error InvalidArgument or, for a range that goes beyond the source, InvalidRange.
    """
    match = _COPY_RANGE.fullmatch(value.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise S3Error(
            ErrorCode.InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=value,
        )
    if int(match[2]) >= size:
        raise S3Error(ErrorCode.InvalidRange, f"Range specified is not valid for source object of size: {size}")
    return ByteRange(int(match[1]), int(match[2]))
