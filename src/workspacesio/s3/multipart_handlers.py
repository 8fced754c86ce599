"""Uploads in parts: create, upload, complete, abort, and the two listings.

Every step is decided like a write of the object. The parts of an upload count as used space from the moment they
are there; completion turns them into the object's, and abortion gives them back.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from urllib.parse import quote

from workspacesio.domain.authority import Permit
from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.errors import NoSuchUpload
from workspacesio.nodes.values import ObjectInfo, PartInfo, Preconditions, RequestedPart
from workspacesio.s3 import checksums, declared_checksums, multipart
from workspacesio.s3 import xml_documents as xml
from workspacesio.s3.body import expect_body, read_document
from workspacesio.s3.checksums import ChecksumAlgorithm
from workspacesio.s3.conditions import write_preconditions
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.dates import xml_date
from workspacesio.s3.error_answers import error_answer
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import Headers
from workspacesio.s3.object_metadata import checksum_headers, metadata_from, refuse_unsupported
from workspacesio.s3.publishing import give_back, publish, publish_part
from workspacesio.s3.request import Request
from workspacesio.s3.responses import (
    XML,
    Response,
    StreamedResponse,
    no_content,
    xml_response,
)

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


async def create_multipart_upload(context: Context, request: Request) -> Response:
    """A new upload, with the metadata that the object is to have."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    refuse_unsupported(request)
    metadata = metadata_from(request)
    algorithm, checksum_type = _requested_checksum(request)
    upload = await context.driver.create_upload(
        address_of(permit, request.key),
        metadata,
        initiator_id=context.principal.user_id,
        checksum_algorithm=algorithm,
        checksum_type=checksum_type,
    )
    response = xml_response(
        f"<InitiateMultipartUploadResult {xml.NAMESPACE}>{xml.element('Bucket', request.bucket)}"
        f"{xml.element('Key', request.key)}{xml.element('UploadId', upload.upload_id)}"
        "</InitiateMultipartUploadResult>"
    )
    if algorithm is not None and checksum_type is not None:
        response.headers.append(("x-amz-checksum-algorithm", algorithm))
        response.headers.append(("x-amz-checksum-type", checksum_type))
    return response


def _requested_checksum(request: Request) -> tuple[str | None, str | None]:
    """Algorithm and type of the object's checksum."""
    name = request.headers.get("x-amz-checksum-algorithm")
    requested_type = request.headers.get("x-amz-checksum-type")
    if name is None:
        if requested_type is not None:
            raise S3Error(
                ErrorCode.InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        return None, None
    algorithm = declared_checksums.parse_algorithm(name)
    return algorithm.value, declared_checksums.multipart_type(algorithm, requested_type).value


async def upload_part(context: Context, request: Request) -> Response:
    """One part, which replaces an earlier one of its number."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    refuse_unsupported(request)
    upload_id, number = multipart.named_part(request)
    address = address_of(permit, request.key)
    upload = await context.driver.upload(address, upload_id)
    also = [ChecksumAlgorithm.MD5]
    if upload.checksum_algorithm is not None:
        also.append(ChecksumAlgorithm(upload.checksum_algorithm))
    expected = expect_body(context, request, also=tuple(also))
    if expected.algorithm is not None and expected.algorithm not in also and len(also) > 1:
        raise S3Error(
            ErrorCode.InvalidRequest,
            f"Checksum Type mismatch occurred, expected checksum Type: {also[1].value.lower()}, "
            f"actual checksum Type: {expected.algorithm.value.lower()}",
        )
    staged = await context.driver.stage_part(
        address, upload_id, number, expected_size=expected.size, hashers=expected.hashers
    )
    try:
        await expected.pour_into(staged)
        values = expected.checksums
        for algorithm in also[1:]:
            values[algorithm.value] = checksums.encode(expected.digest(algorithm))
        part = await publish_part(
            context,
            permit,
            address,
            staged,
            upload_id=upload_id,
            number=number,
            etag=expected.etag,
            checksums=values,
        )
    except BaseException:
        await staged.discard()
        raise
    headers: Headers = [("etag", f'"{part.etag}"')]
    return Response(200, headers + checksum_headers(expected.checksums, None))


# --- completion --------------------------------------------------------------------------------------------

_under_way: set["asyncio.Future[ObjectInfo]"] = set()
"""Completions whose client may have gone: they are carried to their end all the same."""


async def complete_multipart_upload(context: Context, request: Request) -> Response:
    """The parts become the object. Where that takes long, blanks keep the connection open ahead of the answer."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    upload_id = multipart.named_upload(request)
    preconditions = write_preconditions(request.headers)
    document = await read_document(context, request, checksum_is_of_object=True)
    requested = multipart.parse_completion(document)
    completing = asyncio.ensure_future(
        _complete(
            context,
            request,
            permit=permit,
            upload_id=upload_id,
            requested=requested,
            preconditions=preconditions,
        )
    )
    _under_way.add(completing)
    completing.add_done_callback(_under_way.discard)
    seconds = context.settings.keepalive_seconds
    done, _ = await asyncio.wait({completing}, timeout=seconds)
    if done:
        return xml_response(_completion_document(request, await completing))
    return StreamedResponse(200, [XML], _awaited(completing, request, seconds))


async def _awaited(
    completing: "asyncio.Future[ObjectInfo]", request: Request, seconds: float
) -> AsyncGenerator[bytes, None]:
    """Blanks until the completion has ended, then its document: `Error` in it is an error, whatever the status."""
    yield _DECLARATION
    while not completing.done():
        yield b" "
        await asyncio.wait({completing}, timeout=seconds)
    try:
        document = _completion_document(request, completing.result())
    except Exception as error:
        answer = error_answer(error, request.request_id)
        document = xml.error_document(
            answer.code.name, answer.message, answer.fields, request.path, request.request_id
        )
    yield document.encode("utf-8", "replace")


async def _complete(
    context: Context,
    request: Request,
    *,
    permit: Permit,
    upload_id: str,
    requested: Sequence[RequestedPart],
    preconditions: Preconditions,
) -> ObjectInfo:
    driver = context.driver
    address = address_of(permit, request.key)
    etag = multipart.etag_of(requested)
    try:
        upload = await driver.upload(address, upload_id)
        there = await multipart.all_parts(driver, address, upload_id)
        parts = multipart.chosen_parts(requested, there)
        computed = multipart.object_checksums(upload, parts)
        size = sum(part.size for part in parts)
        multipart.check_declared(request.headers, upload, computed, size)
        staged = await driver.complete_upload(address, upload_id, requested)
    except NoSuchUpload:
        # It was completed before, or just now by another request, which did all that there was to do.
        return await driver.completed_upload(address, upload_id, requested)
    metadata = replace(
        upload.metadata,
        etag=etag,
        checksums=computed,
        checksum_type=upload.checksum_type if computed else None,
        parts=tuple(PartInfo(part.number, part.size, "", part.checksums) for part in parts),
    )
    try:
        published = await publish(
            context,
            permit,
            address,
            staged,
            metadata,
            event="s3:ObjectCreated:CompleteMultipartUpload",
            preconditions=preconditions,
            counted_bytes=sum(part.size for part in there.values()),
        )
    except BaseException:
        await staged.discard()
        raise
    return published.info


def _completion_document(request: Request, info: ObjectInfo) -> str:
    host = request.headers.get("host", "")
    location = f"{request.scheme}://{host}/{quote(request.bucket)}/{quote(request.key)}"
    return (
        f"<CompleteMultipartUploadResult {xml.NAMESPACE}>{xml.element('Location', location)}"
        f"{xml.element('Bucket', request.bucket)}{xml.element('Key', request.key)}"
        f"<ETag>&quot;{xml.escaped(info.etag)}&quot;</ETag>"
        f"{xml.checksum_elements(info.metadata.checksums, info.metadata.checksum_type)}"
        "</CompleteMultipartUploadResult>"
    )


async def abort_multipart_upload(context: Context, request: Request) -> Response:
    """The upload and its parts are gone, and the space that they took is given back."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    upload_id = multipart.named_upload(request)
    freed = await context.driver.abort_upload(address_of(permit, request.key), upload_id)
    await give_back(context, permit, freed, 0)
    return no_content()


# --- listings ----------------------------------------------------------------------------------------------


async def list_parts(context: Context, request: Request) -> Response:
    """The parts of an upload, for whoever may write the object."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    upload_id = multipart.named_upload(request)
    marker = request.number("part-number-marker", 0)
    most = request.number("max-parts", 1000, most=1000)
    address = address_of(permit, request.key)
    upload = await context.driver.upload(address, upload_id)
    parts: list[PartInfo] = []
    more = False
    if most > 0:
        parts, more = await context.driver.parts(address, upload_id, after=marker, max_parts=most)
    listed = "".join(
        f"<Part>{xml.element('PartNumber', part.number)}"
        f"<LastModified>{xml_date(part.modified)}</LastModified>"
        f"<ETag>&quot;{xml.escaped(part.etag)}&quot;</ETag>{xml.element('Size', part.size)}"
        f"{xml.checksum_elements(part.checksums)}</Part>"
        for part in parts
    )
    return xml_response(
        f"<ListPartsResult {xml.NAMESPACE}>{xml.element('Bucket', request.bucket)}"
        f"{xml.element('Key', request.key)}{xml.element('UploadId', upload_id)}"
        f"{xml.INITIATOR}{xml.OWNER}<StorageClass>STANDARD</StorageClass>"
        f"{xml.element('PartNumberMarker', marker)}"
        f"{xml.element('NextPartNumberMarker', parts[-1].number if parts else marker)}"
        f"{xml.element('MaxParts', most)}{xml.element('IsTruncated', more)}"
        f"{xml.element('ChecksumAlgorithm', upload.checksum_algorithm)}"
        f"{xml.element('ChecksumType', upload.checksum_type)}{listed}</ListPartsResult>"
    )
