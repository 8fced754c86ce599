"""GetObject and HeadObject: the whole, a range or a part, on conditions.

What was opened is what is looked at, so that conditions, headers and bytes speak of one version.
"""

import re
from typing import NamedTuple

from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.driver import OpenedObject
from workspacesio.nodes.errors import ObjectChanged, RangeNotSatisfiable
from workspacesio.nodes.values import ByteRange, ObjectAddress, ObjectInfo
from workspacesio.s3.checksums import ChecksumType
from workspacesio.s3.conditions import (
    CONDITIONAL_HEADERS,
    Outcome,
    evaluate,
    parse_range,
    unquoted,
)
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.dates import http_date, parse_http_date, whole_seconds
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import Headers
from workspacesio.s3.object_metadata import (
    checksum_headers,
    object_headers,
)
from workspacesio.s3.request import Request
from workspacesio.s3.responses import ObjectResponse, Response

_VERSION_ID = re.compile(r"[A-Za-z0-9._\-]{32}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_OVERRIDES = {
    "response-content-type": "content-type",
    "response-content-language": "content-language",
    "response-expires": "expires",
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
}

_CONDITIONAL = frozenset(CONDITIONAL_HEADERS)


def check_version(key: str, version: str | None) -> None:
    """Only the version `null` exists. Raises S3Error NoSuchVersion or InvalidArgument for any other."""
    if version is None or version == "null":
        return
    if _VERSION_ID.fullmatch(version) is not None:
        raise S3Error(ErrorCode.NoSuchVersion, Key=key, VersionId=version)
    raise S3Error(
        ErrorCode.InvalidArgument,
        "Invalid version id specified",
        ArgumentName="versionId",
        ArgumentValue=version,
    )


async def get_object(context: Context, request: Request) -> Response:
    """The bytes, or a range of them, or a part, or why not."""
    permit = await context.permit_at_start(Action.READ_DATA, request.bucket, request.key)
    address = address_of(permit, request.key)
    headers = request.headers
    if not request.query.pairs and "range" not in headers:
        opened = await context.driver.open(address)
        selection = _EVERYTHING
    else:
        check_version(request.key, request.query.get("versionId"))
        selection = await _selection(context, request, address)
        opened = await _open_selected(context, address, selection)
    try:
        answer = refusal_of_conditions(request, opened.info)
        if answer is not None:
            await opened.close()
            return answer
        answer = _described(request, opened.info, opened.first_byte, opened.size_to_send, selection)
        body = opened.small()
        if body is None:
            return ObjectResponse(answer.status, answer.headers, opened)
        answer.body = body
    except BaseException:
        await opened.close()
        raise
    await opened.close()
    return answer


async def head_object(context: Context, request: Request) -> Response:
    """As GetObject, without the bytes."""
    permit = await context.permit_at_start(Action.READ_DATA, request.bucket, request.key)
    address = address_of(permit, request.key)
    check_version(request.key, request.query.get("versionId"))
    if "range" not in request.headers and "partNumber" not in request.query:
        info = await context.driver.head(address)
        return refusal_of_conditions(request, info) or _described(request, info, 0, info.size, _EVERYTHING)
    selection = await _selection(context, request, address)
    opened = await _open_selected(context, address, selection)
    try:
        return refusal_of_conditions(request, opened.info) or _described(
            request, opened.info, opened.first_byte, opened.size_to_send, selection
        )
    finally:
        await opened.close()


class _Selection(NamedTuple):
    """The bytes that are asked for, of which version where that was looked at (else None)."""

    byte_range: ByteRange | None = None
    part_number: int | None = None
    info: ObjectInfo | None = None


_EVERYTHING = _Selection()


async def _selection(context: Context, request: Request, address: ObjectAddress) -> _Selection:
    """What `Range` or `partNumber` select. Looks at the object first where the selection depends on it."""
    headers = request.headers
    wanted = headers.get("range")
    part_number = _part_number(request)
    if part_number is not None:
        if wanted is not None:
            raise S3Error(
                ErrorCode.InvalidRequest, "Cannot specify both Range header and partNumber query parameter"
            )
        info = await context.driver.head(address)
        return _Selection(_part_range(info, part_number), part_number, info)
    byte_range = parse_range(wanted) if wanted is not None else None
    if byte_range is None:
        return _EVERYTHING
    if "if-range" not in headers and not _CONDITIONAL & headers.keys():
        return _Selection(byte_range)
    # A range counts only where the conditions let the request proceed (RFC 9110 13.2.2): they come before 416.
    info = await context.driver.head(address)
    if evaluate(headers, info.etag, info.modified) is not Outcome.PROCEED:
        return _Selection(info=info)
    if not _if_range_holds(headers.get("if-range"), info):
        return _Selection(info=info)
    return _Selection(byte_range, info=info)


def _if_range_holds(value: str | None, info: ObjectInfo) -> bool:
    """RFC 9110 13.1.5: a strong entity tag, or the exact time."""
    if value is None:
        return True
    if value.lstrip().startswith(('"', "W/")):
        return unquoted(value) == info.etag
    return parse_http_date(value) == whole_seconds(info.modified) or unquoted(value) == info.etag


async def _open_selected(context: Context, address: ObjectAddress, selection: _Selection) -> OpenedObject:
    try:
        opened = await context.driver.open(address, selection.byte_range)
    except RangeNotSatisfiable as error:
        raise S3Error(ErrorCode.InvalidRange, ActualObjectSize=error.size) from None
    if selection.info is not None and opened.info.etag != selection.info.etag:
        await opened.close()
        raise ObjectChanged("The object was changed while it was being opened.")
    return opened


def _part_number(request: Request) -> int | None:
    if "partNumber" not in request.query:
        return None
    number = request.number("partNumber", 0)
    if not 1 <= number <= 10_000:
        raise S3Error(
            ErrorCode.InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=str(number),
        )
    return number


def _part_range(info: ObjectInfo, number: int) -> ByteRange | None:
    """Where a part lies. An object that wasn't uploaded in parts is its own first part."""
    parts = info.metadata.parts
    if not parts:
        if number != 1:
            raise S3Error(ErrorCode.InvalidPartNumber)
        return None
    if number > len(parts):
        raise S3Error(ErrorCode.InvalidPartNumber)
    first = sum(part.size for part in parts[: number - 1])
    size = parts[number - 1].size
    return ByteRange(first, first + size - 1) if size else None


def refusal_of_conditions(request: Request, info: ObjectInfo) -> Response | None:
    """The 304 that the conditional headers ask for, or None. Raises S3Error PreconditionFailed."""
    if not _CONDITIONAL & request.headers.keys():
        return None
    outcome = evaluate(request.headers, info.etag, info.modified)
    if outcome is Outcome.PROCEED:
        return None
    if outcome is Outcome.FAILED:
        condition = "If-Match" if "if-match" in request.headers else "If-Unmodified-Since"
        raise S3Error(ErrorCode.PreconditionFailed, Condition=condition)
    headers: Headers = [("etag", f'"{info.etag}"'), ("last-modified", http_date(info.modified))]
    headers += [
        (name, info.metadata.headers[name])
        for name in ("cache-control", "expires")
        if name in info.metadata.headers
    ]
    return Response(304, headers)


def _described(request: Request, info: ObjectInfo, first: int, size: int, selection: _Selection) -> Response:
    """Status and headers of the `size` bytes from `first` on that were selected."""
    number = selection.part_number
    partial = selection.byte_range is not None or number is not None
    wants_checksums = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    headers = object_headers(info, with_checksums=wants_checksums and not partial)
    if partial and size > 0:
        headers.append(("content-range", f"bytes {first}-{first + size - 1}/{info.size}"))
    if number is not None and (parts := info.metadata.parts):
        headers.append(("x-amz-mp-parts-count", str(len(parts))))
        if wants_checksums and info.metadata.checksum_type == ChecksumType.COMPOSITE:
            headers += checksum_headers(parts[number - 1].checksums, info.metadata.checksum_type)
    if request.query.pairs:
        headers = _overridden(request, headers)
    headers.append(("content-length", str(size)))
    return Response(206 if partial else 200, headers)


def _overridden(request: Request, headers: Headers) -> Headers:
    """With the `response-*` parameters in the place of what is stored."""
    replaced = {}
    for parameter, name in _OVERRIDES.items():
        value = request.query.get(parameter)
        if value is None:
            continue
        if _CONTROL.search(value):
            raise S3Error(ErrorCode.InvalidArgument, "Header value cannot be represented", ArgumentName=parameter)
        replaced[name] = value
    if not replaced:
        return headers
    return [header for header in headers if header[0] not in replaced] + list(replaced.items())
