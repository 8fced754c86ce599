"""GetObjectAttributes: what `x-amz-object-attributes` asks for, as a document."""

from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.values import ObjectInfo
from workspacesio.s3 import xml_documents as xml
from workspacesio.s3.context import Context, address_of
from workspacesio.s3.dates import http_date
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.reading_handlers import check_version, refusal_of_conditions
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, xml_response

_ATTRIBUTES = frozenset(("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"))


async def get_object_attributes(context: Context, request: Request) -> Response:
    """Those of `x-amz-object-attributes`, as a document."""
    permit = await context.permit(Action.READ_DATA, request.bucket, request.key)
    check_version(request.key, request.query.get("versionId"))
    asked = [name.strip() for name in request.headers.get("x-amz-object-attributes", "").split(",")]
    if not set(asked) <= _ATTRIBUTES:
        raise S3Error(ErrorCode.InvalidArgument, "Invalid attribute name specified.")
    info = await context.driver.head(address_of(permit, request.key))
    refusal = refusal_of_conditions(request, info)
    if refusal is not None:
        return refusal
    document = ""
    if "ETag" in asked:
        document += xml.element("ETag", info.etag)
    if "Checksum" in asked and info.metadata.checksums:
        elements = xml.checksum_elements(info.metadata.checksums, info.metadata.checksum_type)
        document += f"<Checksum>{elements}</Checksum>"
    if "ObjectParts" in asked and info.metadata.parts:
        document += _parts_document(request, info)
    if "StorageClass" in asked:
        document += xml.element("StorageClass", "STANDARD")
    if "ObjectSize" in asked:
        document += xml.element("ObjectSize", info.size)
    response = xml_response(
        f"<GetObjectAttributesResponse {xml.NAMESPACE}>{document}</GetObjectAttributesResponse>"
    )
    response.headers.append(("last-modified", http_date(info.modified)))
    return response


def _parts_document(request: Request, info: ObjectInfo) -> str:
    """`ObjectParts`; the parts themselves are listed, as in S3, only where they have checksums of their own."""
    marker = _header_number(request, "x-amz-part-number-marker", 0)
    most = min(_header_number(request, "x-amz-max-parts", 1000), 1000)
    parts = info.metadata.parts
    following = [(number, part) for number, part in enumerate(parts, 1) if number > marker]
    shown = following[:most]
    listed = ""
    if any(part.checksums for part in parts):
        listed = "".join(
            f"<Part>{xml.element('PartNumber', number)}{xml.element('Size', part.size)}"
            f"{xml.checksum_elements(part.checksums)}</Part>"
            for number, part in shown
        )
    return (
        f"<ObjectParts>{xml.element('PartsCount', len(parts))}{xml.element('PartNumberMarker', marker)}"
        f"{xml.element('NextPartNumberMarker', shown[-1][0] if shown else 0)}{xml.element('MaxParts', most)}"
        f"{xml.element('IsTruncated', len(following) > len(shown))}{listed}</ObjectParts>"
    )


def _header_number(request: Request, name: str, default: int) -> int:
    text = request.headers.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise S3Error(ErrorCode.InvalidArgument, f"Provided {name} not an integer", ArgumentName=name)
    return int(text)
