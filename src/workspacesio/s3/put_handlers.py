"""PutObject."""

from dataclasses import replace

from workspacesio.domain.vocabulary import Action
from workspacesio.s3.body import expect_body
from workspacesio.s3.checksums import ChecksumType
from workspacesio.s3.conditions import write_preconditions
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.exchange import Headers
from workspacesio.s3.object_metadata import checksum_headers, metadata_from, refuse_unsupported
from workspacesio.s3.publishing import publish
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response


async def put_object(context: Context, request: Request) -> Response:
    """A new object, or a new content of one, visible when all of it is there and as it was declared."""
    permit = await context.permit_at_start(Action.WRITE_DATA, request.bucket, request.key)
    refuse_unsupported(request)
    metadata = metadata_from(request)
    preconditions = write_preconditions(request.headers)
    expected = expect_body(context, request)
    address = address_of(permit, request.key)
    staged = await context.driver.stage(address, expected_size=expected.size, hashers=expected.hashers)
    try:
        await expected.pour_into(staged)
        checksum_type = ChecksumType.FULL_OBJECT.value if expected.algorithm is not None else None
        metadata = replace(metadata, etag=expected.etag, checksums=expected.checksums, checksum_type=checksum_type)
        published = await publish(
            context,
            permit,
            address,
            staged,
            metadata,
            event="s3:ObjectCreated:Put",
            preconditions=preconditions,
        )
    except BaseException:
        await staged.discard()
        raise
    stored = published.info.metadata
    headers: Headers = [("etag", f'"{stored.etag}"')]
    return Response(200, headers + checksum_headers(stored.checksums, stored.checksum_type))
