"""From request headers to an object's stored metadata, and back to response headers.

Content headers, user metadata (`x-amz-meta-*`, up to 2 KB, RFC 2047 where a value is not ASCII) and tags,
as "PutObject" in the Amazon S3 API reference has them. Headers that ask for what this endpoint doesn't do
(encryption, locks, ACLs, other storage classes) are refused by name: none is ignored in silence.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import unquote_plus

from workspacesio.nodes.values import CONTENT_HEADERS, DEFAULT_CONTENT_TYPE, ObjectInfo, ObjectMetadata
from workspacesio.s3.checksums import HEADER_PREFIX
from workspacesio.s3.dates import http_date
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import Headers
from workspacesio.s3.request import Request
from workspacesio.s3.streaming_body import stored_content_encoding

USER_PREFIX = "x-amz-meta-"
MAX_USER_BYTES = 2048
MAX_TAGS = 10

_ACCEPTED_ACLS = frozenset(("private", "bucket-owner-full-control"))

_REFUSED_PREFIXES = ("x-amz-server-side-encryption", "x-amz-object-lock-", "x-amz-grant-")
_REFUSED = frozenset(("x-amz-write-offset-bytes", "x-amz-mfa", "x-amz-bucket-object-lock-enabled"))

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ENCODED_WORD = re.compile(r"=\?[A-Za-z0-9\-]+\?[BbQq]\?[^?\s]*\?=")
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")


def refuse_unsupported(request: Request) -> None:
    """Raise S3Error for headers that ask for what isn't done here, and for values that didn't arrive readable."""
    headers = request.headers
    for name in headers:
        if name.startswith("x-amz-") and (name.startswith(_REFUSED_PREFIXES) or name in _REFUSED):
            if name == "x-amz-bucket-object-lock-enabled" and headers[name].lower() == "false":
                continue
            raise S3Error(
                ErrorCode.NotImplemented,
                f"The header {name} asks for functionality that is not implemented",
                Header=name,
            )
    for name in request.unreadable_headers:
        if name.startswith("x-amz-") or name in CONTENT_HEADERS:
            raise S3Error(
                ErrorCode.InvalidArgument,
                "Headers must be US-ASCII; encode other text as RFC 2047 says.",
                ArgumentName=name,
            )
    acl = headers.get("x-amz-acl")
    if acl is not None and acl not in _ACCEPTED_ACLS:
        raise S3Error(ErrorCode.AccessControlListNotSupported)
    if headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise S3Error(ErrorCode.InvalidStorageClass)


def metadata_from(request: Request) -> ObjectMetadata:
    """What the headers of a put, of a new upload or of a replacing copy say; without ETag and checksums."""
    return ObjectMetadata(
        headers=_content_headers(request.headers),
        user=_user_metadata(request.headers),
        tags=tags_from_header(request.headers),
    )


def _content_headers(headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in CONTENT_HEADERS:
        value = headers.get(name)
        if name == "content-encoding":
            value = stored_content_encoding(value)
        if value:
            found[name] = value
    return found


def _user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    size = 0
    for name, value in headers.items():
        if not name.startswith(USER_PREFIX):
            continue
        short = name[len(USER_PREFIX) :]
        text = _decoded(value)
        size += len(short.encode()) + len(text.encode())
        found[short] = text
    if size > MAX_USER_BYTES:
        raise S3Error(ErrorCode.MetadataTooLarge, Size=size, MaxSizeAllowed=MAX_USER_BYTES)
    return found


def _decoded(value: str) -> str:
    """A value as RFC 2047 means it; what is no encoded word, or a wrong one, is taken as it stands."""
    if "=?" not in value or _ENCODED_WORD.search(value) is None:
        return value
    try:
        pieces = decode_header(value)
        text = "".join(
            piece.decode(charset or "ascii") if isinstance(piece, bytes) else piece for piece, charset in pieces
        )
    except (HeaderParseError, LookupError, ValueError):
        return value
    return value if not text or _CONTROL.search(text) else text


def _encoded(value: str) -> str:
    """A value as a header can carry it: other than printable ASCII as an encoded word of RFC 2047."""
    if _PRINTABLE.fullmatch(value) is not None:
        return value
    return f"=?UTF-8?B?{b64encode(value.encode('utf-8', 'replace')).decode('ascii')}?="


# --- tags --------------------------------------------------------------------------------------------------


def tags_from_header(headers: Mapping[str, str]) -> dict[str, str]:
    """The tags of `x-amz-tagging`, which is encoded as a query. Raises S3Error InvalidTag or InvalidArgument."""
    text = headers.get("x-amz-tagging")
    if not text:
        return {}
    pairs = []
    for piece in text.split("&"):
        key, _, value = piece.partition("=")
        try:
            pairs.append((unquote_plus(key, errors="strict"), unquote_plus(value, errors="strict")))
        except UnicodeDecodeError:
            raise S3Error(
                ErrorCode.InvalidArgument,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
                "without tag name duplicates.",
            ) from None
    return checked_tags(pairs)


def checked_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Tags within S3's limits: up to 10, keys of 1 to 128 and values of up to 256 characters. Raises S3Error."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= 128 or _CONTROL.search(key):
            raise S3Error(ErrorCode.InvalidTag, "The TagKey you have provided is invalid")
        if len(value) > 256 or _CONTROL.search(value):
            raise S3Error(ErrorCode.InvalidTag, "The TagValue you have provided is invalid")
        if key in tags:
            raise S3Error(ErrorCode.InvalidTag, "Cannot provide multiple Tags with the same key")
        if key.startswith("aws:"):
            raise S3Error(ErrorCode.InvalidTag, "System tags cannot be added/updated by requester")
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise S3Error(ErrorCode.BadRequest, f"Object tags cannot be greater than {MAX_TAGS}")
    return tags


# --- back to headers ---------------------------------------------------------------------------------------


def object_headers(info: ObjectInfo, *, with_checksums: bool) -> Headers:
    """The headers that describe an object, but for its length."""
    metadata = info.metadata
    headers = [
        ("etag", f'"{metadata.etag}"'),
        ("last-modified", http_date(info.modified)),
        ("accept-ranges", "bytes"),
    ]
    stored = metadata.headers
    if "content-type" not in stored:
        headers.append(("content-type", DEFAULT_CONTENT_TYPE))
    if stored:
        headers += stored.items()
    if metadata.user:
        headers += [(USER_PREFIX + name, _encoded(value)) for name, value in metadata.user.items()]
    if metadata.tags:
        headers.append(("x-amz-tagging-count", str(len(metadata.tags))))
    if with_checksums:
        headers += checksum_headers(metadata.checksums, metadata.checksum_type)
    return headers


def checksum_headers(checksums: Mapping[str, str], checksum_type: str | None) -> Headers:
    """`x-amz-checksum-crc32` and its like, and what they cover."""
    if not checksums:
        return []
    headers = [(HEADER_PREFIX + algorithm.lower(), value) for algorithm, value in checksums.items()]
    if checksum_type is not None:
        headers.append(("x-amz-checksum-type", checksum_type))
    return headers
