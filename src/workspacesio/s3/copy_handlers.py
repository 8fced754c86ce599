"""CopyObject and UploadPartCopy: inside one node, by the filesystem's own means where no hash has to be
computed.

The source is decided like a read of its own (READ_DATA), the target like a write, and both again before the
copy becomes visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.values import ByteRange, ObjectAddress, ObjectInfo, ObjectMetadata
from workspacesio.s3 import checksums, declared_checksums
from workspacesio.s3.checksums import ChecksumAlgorithm, ChecksumHasher, ChecksumType
from workspacesio.s3.conditions import (
    COPY_SOURCE,
    Outcome,
    evaluate,
    parse_copy_range,
    write_preconditions,
)
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.multipart import named_part
from workspacesio.s3.object_metadata import metadata_from, refuse_unsupported, tags_from_header
from workspacesio.s3.publishing import SourceOfCopy, decide_again, happened, publish, publish_part
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, xml_response
from workspacesio.s3.xml_documents import copy_document

_NOT_COPIED = "x-amz-website-redirect-location"


@dataclass(frozen=True, slots=True)
class _Source:
    """The object to copy from, as it was when the copy was decided."""

    address: ObjectAddress
    info: ObjectInfo
    decided: SourceOfCopy


def _named_source(value: str) -> tuple[str, str]:
    """Bucket and key of `x-amz-copy-source`: percent-encoded, with or without a leading slash, with a version."""
    name, _, version = value.partition("?versionId=")
    try:
        bucket, _, key = unquote(name, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = key = ""
    if not bucket or not key:
        raise S3Error(
            ErrorCode.InvalidArgument,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=value,
        )
    if version not in ("", "null"):
        raise S3Error(ErrorCode.NoSuchVersion)
    return bucket, key


async def _source(context: Context, request: Request) -> _Source:
    """The source, permitted, there, and as the `x-amz-copy-source-if-*` headers want it. Raises S3Error."""
    bucket, key = _named_source(request.headers["x-amz-copy-source"])
    permit = await context.permit(Action.READ_DATA, bucket, key)
    address = address_of(permit, key)
    info = await context.driver.head(address)
    if evaluate(request.headers, info.etag, info.modified, COPY_SOURCE) is not Outcome.PROCEED:
        raise S3Error(ErrorCode.PreconditionFailed)
    return _Source(address, info, SourceOfCopy(permit, bucket, key))


def _directive(request: Request, name: str) -> bool:
    """Whether the directive says REPLACE."""
    value = request.headers.get(name, "COPY")
    if value not in ("COPY", "REPLACE"):
        raise S3Error(ErrorCode.InvalidArgument, f"Unknown {name}.", ArgumentName=name, ArgumentValue=value)
    return value == "REPLACE"


async def copy_object(context: Context, request: Request) -> Response:
    """A copy with the source's metadata and tags, or with the request's. Onto itself: new metadata, same bytes."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    refuse_unsupported(request)
    source = await _source(context, request)
    replaces_metadata = _directive(request, "x-amz-metadata-directive")
    replaces_tags = _directive(request, "x-amz-tagging-directive")
    metadata = _copied_metadata(
        request, source.info, replaces_metadata=replaces_metadata, replaces_tags=replaces_tags
    )
    preconditions = write_preconditions(request.headers)
    target = address_of(permit, request.key)
    algorithm = _requested_algorithm(request)

    if source.address.bucket == target.bucket and source.address.key == target.key:
        if not replaces_metadata and not replaces_tags and algorithm is None:
            raise S3Error(
                ErrorCode.InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing "
                "the object's metadata, storage class, website redirect location or encryption attributes.",
            )
        if algorithm is None and preconditions.if_match is None and not preconditions.if_none_match:
            await decide_again(context, permit, target, source.decided)
            info = await context.driver.set_metadata(target, metadata, expected=source.info)
            await happened(context, permit, target.key, "s3:ObjectCreated:Copy", size=info.size, etag=info.etag)
            return xml_response(copy_document("CopyObjectResult", info, info.metadata.checksum_type))

    hasher = checksums.new_hasher(algorithm) if algorithm is not None else None
    staged = await context.driver.stage_copy(
        source.address,
        target,
        source_etag=source.info.etag,
        hashers=[] if hasher is None else [hasher],
    )
    try:
        await staged.finish()
        if algorithm is not None and hasher is not None:
            metadata = replace(
                metadata,
                checksums={algorithm.value: checksums.encode(hasher.digest())},
                checksum_type=ChecksumType.FULL_OBJECT.value,
            )
        published = await publish(
            context,
            permit,
            target,
            staged,
            metadata,
            event="s3:ObjectCreated:Copy",
            preconditions=preconditions,
            source=source.decided,
        )
    except BaseException:
        await staged.discard()
        raise
    info = published.info
    return xml_response(copy_document("CopyObjectResult", info, info.metadata.checksum_type))


def _copied_metadata(
    request: Request, source: ObjectInfo, *, replaces_metadata: bool, replaces_tags: bool
) -> ObjectMetadata:
    """The target's metadata. The bytes are the source's, so its ETag names them as well as any."""
    stored = source.metadata
    if replaces_metadata:
        wanted = metadata_from(request)
        headers, user = wanted.headers, wanted.user
    else:
        headers = {name: value for name, value in stored.headers.items() if name != _NOT_COPIED}
        user = dict(stored.user)
    return ObjectMetadata(
        etag=stored.etag,
        headers=headers,
        user=user,
        tags=tags_from_header(request.headers) if replaces_tags else stored.tags,
        checksums=stored.checksums,
        checksum_type=stored.checksum_type,
        parts=stored.parts,
    )


def _requested_algorithm(request: Request) -> ChecksumAlgorithm | None:
    name = request.headers.get("x-amz-checksum-algorithm")
    return None if name is None else declared_checksums.parse_algorithm(name)


async def upload_part_copy(context: Context, request: Request) -> Response:
    """A part that is a range of an object on the same node."""
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    upload_id, number = named_part(request)
    source = await _source(context, request)
    target = address_of(permit, request.key)
    upload = await context.driver.upload(target, upload_id)
    byte_range: ByteRange | None = None
    if "x-amz-copy-source-range" in request.headers:
        byte_range = parse_copy_range(request.headers["x-amz-copy-source-range"], source.info.size)
    wanted = {ChecksumAlgorithm.MD5}
    if upload.checksum_algorithm is not None:
        wanted.add(ChecksumAlgorithm(upload.checksum_algorithm))
    hashers: dict[ChecksumAlgorithm, ChecksumHasher] = {name: checksums.new_hasher(name) for name in wanted}
    fed: Sequence[ChecksumHasher] = tuple(hashers.values())
    staged = await context.driver.stage_part_copy(
        source.address,
        target,
        upload_id,
        number,
        byte_range,
        source_etag=source.info.etag,
        hashers=fed,
    )
    try:
        await staged.finish()
        values = {}
        if upload.checksum_algorithm is not None:
            digest = hashers[ChecksumAlgorithm(upload.checksum_algorithm)].digest()
            values[upload.checksum_algorithm] = checksums.encode(digest)
        part = await publish_part(
            context,
            permit,
            target,
            staged,
            upload_id=upload_id,
            number=number,
            etag=hashers[ChecksumAlgorithm.MD5].digest().hex(),
            checksums=values,
            source=source.decided,
        )
    except BaseException:
        await staged.discard()
        raise
    return xml_response(copy_document("CopyPartResult", part))
