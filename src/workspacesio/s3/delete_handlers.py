"""DeleteObject and DeleteObjects."""

import asyncio
from dataclasses import dataclass

from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.values import NO_PRECONDITIONS, Preconditions
from workspacesio.s3 import xml_documents as xml
from workspacesio.s3.body import read_document
from workspacesio.s3.conditions import unquoted, write_preconditions
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.error_answers import error_answer
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.publishing import give_back, happened
from workspacesio.s3.reading_handlers import check_version
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, no_content, xml_response
from workspacesio.s3.xml_parsing import Element, parse_xml

MAX_KEYS = 1000

_AT_ONCE = 16
"""Deletions of one request under way together: each waits for the disk, and sixteen wait as long as one."""

_DIRECTORY_BUCKETS_ONLY = ("x-amz-if-match-last-modified-time", "x-amz-if-match-size")


async def delete_object(context: Context, request: Request) -> Response:
    """The object is gone; that there was none is no error."""
    for name in _DIRECTORY_BUCKETS_ONLY:
        if name in request.headers:
            raise S3Error(
                ErrorCode.NotImplemented,
                f"The header {name} asks for functionality that is not implemented",
                Header=name,
            )
    preconditions = write_preconditions(request.headers)
    if preconditions.if_none_match:
        raise S3Error(ErrorCode.NotImplemented, Header="if-none-match")
    await _delete(context, request.bucket, request.key, request.query.get("versionId"), preconditions)
    return no_content()


async def _delete(
    context: Context, bucket: str, key: str, version: str | None, preconditions: Preconditions
) -> None:
    """Decide, delete, give back the space, record. Raises S3Error or what the driver raises."""
    permit = await context.permit(Action.WRITE_DATA, bucket, key)
    check_version(key, version)
    address = address_of(permit, key)
    deleted = await context.driver.delete(address, preconditions)
    if deleted is None:
        return
    await give_back(context, permit, deleted.size, 1)
    await happened(context, permit, key, "s3:ObjectRemoved:Delete", delta_bytes=-deleted.size, delta_objects=-1)


@dataclass(frozen=True, slots=True)
class _Named:
    """A key as the document names it."""

    key: str
    version_id: str | None
    etag: str | None


async def delete_objects(context: Context, request: Request) -> Response:
    """Up to 1,000 keys, each decided and answered for itself."""
    named, quiet = _parse(await read_document(context, request))
    results: list[str] = []
    for start in range(0, len(named), _AT_ONCE):
        batch = named[start : start + _AT_ONCE]
        results += await asyncio.gather(*[_delete_named(context, request, item, quiet=quiet) for item in batch])
    return xml_response(xml.delete_document(results))


async def _delete_named(context: Context, request: Request, item: _Named, *, quiet: bool) -> str:
    """The element that says what became of the key; '' for a success that nobody wants to hear of."""
    try:
        if not item.key:
            raise S3Error(ErrorCode.InvalidArgument, "A key must not be empty.")
        preconditions = NO_PRECONDITIONS if item.etag is None else Preconditions(if_match=item.etag)
        await _delete(context, request.bucket, item.key, item.version_id, preconditions)
    except Exception as error:
        answer = error_answer(error, request.request_id)
        return xml.delete_error_element(item.key, item.version_id, answer.code.name, answer.message)
    return "" if quiet else xml.deleted_element(item.key, item.version_id)


def _parse(body: bytes) -> tuple[list[_Named], bool]:
    """The keys of a `Delete` document, and whether only errors are to be answered. Raises S3Error MalformedXML."""
    root = parse_xml(body, "Delete")
    elements = root.all("Object")
    if not elements or len(elements) > MAX_KEYS:
        raise S3Error(ErrorCode.MalformedXML)
    return [_named(element) for element in elements], (root.find("Quiet") or "").strip().lower() == "true"


def _named(element: Element) -> _Named:
    if element.find("LastModifiedTime") is not None or element.find("Size") is not None:
        raise S3Error(ErrorCode.NotImplemented, "Conditions on time and size are for directory buckets only.")
    etag = element.find("ETag")
    return _Named(
        element.required("Key"),
        element.find("VersionId") or None,
        unquoted(etag) if etag else None,
    )
