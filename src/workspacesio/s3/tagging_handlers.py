"""GetObjectTagging, PutObjectTagging and DeleteObjectTagging."""

from collections.abc import Mapping
from dataclasses import replace

from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.driver import NodeDriver
from workspacesio.nodes.errors import ObjectChanged
from workspacesio.nodes.values import ObjectAddress, ObjectInfo
from workspacesio.s3.body import read_document
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.object_metadata import checked_tags
from workspacesio.s3.publishing import happened
from workspacesio.s3.reading_handlers import check_version
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, no_content, xml_response
from workspacesio.s3.xml_documents import tagging_document
from workspacesio.s3.xml_parsing import parse_xml

_ATTEMPTS = 5


async def get_object_tagging(context: Context, request: Request) -> Response:
    """The tags, which whoever may read the object may see."""
    permit = await context.permit(Action.READ_DATA, request.bucket, request.key)
    check_version(request.key, request.query.get("versionId"))
    info = await context.driver.head(address_of(permit, request.key))
    return xml_response(tagging_document(info.metadata.tags))


async def put_object_tagging(context: Context, request: Request) -> Response:
    """Other tags in the place of the old ones."""
    await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    tags = _parse(await read_document(context, request))
    await _set_tags(context, request, tags, "s3:ObjectTagging:Put")
    return Response(200, [])


async def delete_object_tagging(context: Context, request: Request) -> Response:
    """No tags any more."""
    await _set_tags(context, request, {}, "s3:ObjectTagging:Delete")
    return no_content()


async def _set_tags(context: Context, request: Request, tags: Mapping[str, str], event: str) -> None:
    permit = await context.permit(Action.WRITE_DATA, request.bucket, request.key)
    check_version(request.key, request.query.get("versionId"))
    changed = await _replaced(context.driver, address_of(permit, request.key), tags)
    await happened(context, permit, request.key, event, size=changed.size, etag=changed.etag)


async def _replaced(driver: NodeDriver, address: ObjectAddress, tags: Mapping[str, str]) -> ObjectInfo:
    """The object with these tags and all else as it is, also when others change that at the same time.

    Raises ObjectChanged when they go on doing so.
    """
    attempts = _ATTEMPTS
    while True:
        info = await driver.head(address)
        attempts -= 1
        try:
            return await driver.set_metadata(address, replace(info.metadata, tags=dict(tags)), expected=info)
        except ObjectChanged:
            if not attempts:
                raise


def _parse(body: bytes) -> dict[str, str]:
    root = parse_xml(body, "Tagging")
    sets = root.all("TagSet")
    if len(sets) != 1:
        raise S3Error(ErrorCode.MalformedXML)
    tags = sets[0].all("Tag")
    return checked_tags((tag.required("Key"), tag.required("Value")) for tag in tags)
