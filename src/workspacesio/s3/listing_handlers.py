"""ListObjects, ListObjectsV2, ListObjectVersions and ListMultipartUploads.

A listing is decided by its prefix, and nothing in it can lead elsewhere: where it goes on (marker,
start-after, continuation token) is held to keys that begin with the prefix, and the driver is given the
permit's folder as the boundary that it doesn't leave.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from workspacesio.domain.authority import ObjectTarget, Permit
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.values import ListPage, ListRequest, Scope, UploadInfo, UploadMarker
from workspacesio.s3 import xml_documents as xml
from workspacesio.s3.context import Context
from workspacesio.s3.dates import xml_date
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, xml_response

MAX_PAGE = 1000

_EMPTY = ListPage((), (), None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the parameters that all listings share say."""

    prefix: str
    delimiter: str
    max_keys: int
    encoding_type: str | None

    @property
    def encode(self) -> xml.Encoding:
        return xml.url_encoded if self.encoding_type else xml.escaped


def _asked(request: Request, limit: str = "max-keys") -> _Asked:
    encoding_type = request.query.get("encoding-type") or None
    if encoding_type not in (None, "url"):
        raise S3Error(
            ErrorCode.InvalidArgument,
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=encoding_type or "",
        )
    return _Asked(
        prefix=request.query.get("prefix") or "",
        delimiter=request.query.get("delimiter") or "",
        max_keys=request.number(limit, MAX_PAGE, most=MAX_PAGE),
        encoding_type=encoding_type,
    )


async def _page(context: Context, request: Request, asked: _Asked, after: str) -> ListPage:
    """One page behind `after`, which may be anything: outside the prefix it means the start or the end."""
    permit = await context.permit(Action.LIST_DATA, request.bucket, asked.prefix)
    if not after.startswith(asked.prefix):
        # Code points order as their UTF-8 does.
        if after > asked.prefix:
            return _EMPTY
        after = ""
    if asked.max_keys == 0:
        return _EMPTY
    return await context.driver.list_objects(
        Scope(permit.bucket, permit.prefix),
        ListRequest(asked.prefix, asked.delimiter, after, asked.max_keys),
    )


def _head(request: Request, asked: _Asked) -> str:
    """The elements that every listing begins with."""
    return (
        f"{xml.element('Name', request.bucket)}<Prefix>{asked.encode(asked.prefix)}</Prefix>"
        f"{xml.element('MaxKeys', asked.max_keys)}"
        + (f"<Delimiter>{asked.encode(asked.delimiter)}</Delimiter>" if asked.delimiter else "")
        + xml.element("EncodingType", asked.encoding_type)
    )


async def list_objects(context: Context, request: Request) -> Response:
    """The first version of the listing."""
    asked = _asked(request)
    marker = request.query.get("marker") or ""
    page = await _page(context, request, asked, marker)
    encode = asked.encode
    following = f"<NextMarker>{encode(page.next_after)}</NextMarker>" if page.next_after is not None else ""
    return xml_response(
        f"<ListBucketResult {xml.NAMESPACE}>{_head(request, asked)}<Marker>{encode(marker)}</Marker>"
        f"{xml.element('IsTruncated', page.next_after is not None)}{following}"
        f"{xml.entries(page.objects, encode, owner=True)}{xml.common_prefixes(page.common_prefixes, encode)}"
        "</ListBucketResult>"
    )


async def list_objects_v2(context: Context, request: Request) -> Response:
    """The second version, with tokens that say where to go on."""
    asked = _asked(request)
    encode = asked.encode
    start_after = request.query.get("start-after") or ""
    token = request.query.get("continuation-token")
    after = start_after if token is None else _after(token, asked.prefix)
    page = await _page(context, request, asked, after)
    with_owner = request.query.get("fetch-owner") == "true"
    count = len(page.objects) + len(page.common_prefixes)
    following = _token(page.next_after) if page.next_after is not None else None
    return xml_response(
        f"<ListBucketResult {xml.NAMESPACE}>{_head(request, asked)}{xml.element('KeyCount', count)}"
        + (f"<StartAfter>{encode(start_after)}</StartAfter>" if start_after else "")
        + xml.element("ContinuationToken", token)
        + xml.element("NextContinuationToken", following)
        + xml.element("IsTruncated", following is not None)
        + xml.entries(page.objects, encode, owner=with_owner)
        + xml.common_prefixes(page.common_prefixes, encode)
        + "</ListBucketResult>"
    )


def _token(after: str) -> str:
    return urlsafe_b64encode(after.encode()).decode("ascii")


def _after(token: str, prefix: str) -> str:
    """The key behind which a continuation goes on. Raises S3Error for what this listing never gave."""
    try:
        after = urlsafe_b64decode(token.encode("ascii")).decode()
    except ValueError:
        after = ""
    if not after or not after.startswith(prefix) or _token(after) != token:
        raise S3Error(
            ErrorCode.InvalidArgument,
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
        )
    return after


async def list_object_versions(context: Context, request: Request) -> Response:
    """As a bucket that never had versioning answers: every object is its own only version."""
    asked = _asked(request)
    encode = asked.encode
    marker = request.query.get("key-marker") or ""
    version_marker = request.query.get("version-id-marker")
    if version_marker and not marker:
        raise S3Error(
            ErrorCode.InvalidArgument,
            "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker",
            ArgumentValue=version_marker,
        )
    page = await _page(context, request, asked, marker)
    following = ""
    if page.next_after is not None:
        following = f"<NextKeyMarker>{encode(page.next_after)}</NextKeyMarker>"
        if not page.common_prefixes or page.next_after != page.common_prefixes[-1]:
            following += "<NextVersionIdMarker>null</NextVersionIdMarker>"
    return xml_response(
        f"<ListVersionsResult {xml.NAMESPACE}>{_head(request, asked)}"
        f"<KeyMarker>{encode(marker)}</KeyMarker>"
        f"<VersionIdMarker>{xml.escaped(version_marker or '')}</VersionIdMarker>"
        f"{following}{xml.element('IsTruncated', page.next_after is not None)}"
        f"{xml.versions(page.objects, encode)}{xml.common_prefixes(page.common_prefixes, encode)}"
        "</ListVersionsResult>"
    )


# --- uploads -----------------------------------------------------------------------------------------------


async def list_multipart_uploads(context: Context, request: Request) -> Response:
    """Uploads under way below the prefix, but only those of keys that the principal may write."""
    asked = _asked(request, "max-uploads")
    key_marker = request.query.get("key-marker") or ""
    id_marker = (request.query.get("upload-id-marker") or "") if key_marker else ""
    permit = await context.permit(Action.LIST_DATA, request.bucket, asked.prefix)
    shown: list[_Row] = []
    truncated = False
    async for row in _rows(context, permit, asked, UploadMarker(key_marker, id_marker)):
        truncated = 0 < asked.max_keys == len(shown)
        if truncated or not asked.max_keys:
            break
        shown.append(row)
    encode = asked.encode
    next_key, next_id = (shown[-1].key, shown[-1].upload_id) if truncated else ("", "")
    return xml_response(
        f"<ListMultipartUploadsResult {xml.NAMESPACE}>{xml.element('Bucket', request.bucket)}"
        f"<KeyMarker>{encode(key_marker)}</KeyMarker>{xml.element('UploadIdMarker', id_marker)}"
        + (f"<NextKeyMarker>{encode(next_key)}</NextKeyMarker>" if truncated else "")
        + (xml.element("NextUploadIdMarker", next_id) if truncated else "")
        + f"<Prefix>{encode(asked.prefix)}</Prefix>"
        + (f"<Delimiter>{encode(asked.delimiter)}</Delimiter>" if asked.delimiter else "")
        + xml.element("EncodingType", asked.encoding_type)
        + xml.element("MaxUploads", asked.max_keys)
        + xml.element("IsTruncated", truncated)
        + "".join(_upload_element(row.upload, asked) for row in shown if row.upload is not None)
        + xml.common_prefixes([row.key for row in shown if row.upload is None], encode)
        + "</ListMultipartUploadsResult>"
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """An upload, or a common prefix (then `upload` is None) in the place of its first upload."""

    key: str
    upload_id: str
    upload: UploadInfo | None


async def _rows(
    context: Context, permit: Permit, asked: _Asked, after: UploadMarker
) -> AsyncGenerator[_Row, None]:
    """What lies behind `after`, page by page: uploads of keys that the principal may write, common prefixes."""
    writable: tuple[str, bool] = ("", False)
    common = after.key if _common_prefix(after.key, asked) == after.key else None
    more = True
    while more:
        scope = Scope(permit.bucket, permit.prefix)
        uploads, more = await context.driver.uploads(scope, asked.prefix, after=after, max_uploads=MAX_PAGE)
        for upload in uploads:
            after = UploadMarker(upload.key, upload.upload_id)
            if common is not None and upload.key.startswith(common):
                continue
            if upload.key != writable[0]:
                writable = (upload.key, await _may_write(context, permit.bucket, upload.key))
            if not writable[1]:
                continue
            common = _common_prefix(upload.key, asked)
            if common is None:
                yield _Row(upload.key, upload.upload_id, upload)
            else:
                yield _Row(common, "", None)


def _common_prefix(key: str, asked: _Asked) -> str | None:
    """What the key is shown as where it has the delimiter behind the prefix."""
    if not asked.delimiter or not key.startswith(asked.prefix):
        return None
    end = key.find(asked.delimiter, len(asked.prefix))
    return None if end < 0 else key[: end + len(asked.delimiter)]


async def _may_write(context: Context, bucket: str, key: str) -> bool:
    verdict = await context.authority.decide(context.principal, Action.WRITE_DATA, ObjectTarget(bucket, key))
    return not isinstance(verdict, Denied)


def _upload_element(upload: UploadInfo, asked: _Asked) -> str:
    return (
        f"<Upload><Key>{asked.encode(upload.key)}</Key>{xml.element('UploadId', upload.upload_id)}"
        f"{xml.INITIATOR}{xml.OWNER}<StorageClass>STANDARD</StorageClass>"
        f"<Initiated>{xml_date(upload.initiated)}</Initiated>"
        f"{xml.element('ChecksumAlgorithm', upload.checksum_algorithm)}"
        f"{xml.element('ChecksumType', upload.checksum_type)}</Upload>"
    )
