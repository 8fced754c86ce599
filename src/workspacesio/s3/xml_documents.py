"""S3's XML documents, written as strings: a page of 1,000 entries is to cost about 2 ms, no tree is built.

Element names and their order are those of the Amazon S3 API reference. Every text that isn't a number or a
constant of this module goes through `escaped` or `Encoding`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote

from workspacesio.nodes.values import BucketInfo, ObjectInfo, ObjectSummary, PartInfo
from workspacesio.s3.dates import xml_date

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

OWNER_ID = "workspacesio"
"""The one owner that S3's documents name. Who owns a workspace is said by the API, to those who may know."""

OWNER = f"<Owner><ID>{OWNER_ID}</ID><DisplayName>{OWNER_ID}</DisplayName></Owner>"
INITIATOR = f"<Initiator><ID>{OWNER_ID}</ID><DisplayName>{OWNER_ID}</DisplayName></Initiator>"

_SPECIAL = re.compile("[&<>\"'\\x00-\\x1f\\x7f\ufffe\uffff]")
_REPLACEMENTS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.\-~/]")


def escaped(text: str) -> str:
    """`text` as the content of an element.

    Control characters, which XML 1.0 can't hold, become references to characters, as in S3's own answers; clients
    that meet such keys ask for `encoding-type=url`.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _REPLACEMENTS.get(found[0]) or f"&#{ord(found[0])};", text)


def url_encoded(text: str) -> str:
    """`text` as `encoding-type=url` asks for: percent-encoded UTF-8, slashes kept."""
    if _NOT_PLAIN.search(text) is None:
        return text
    return quote(text, safe="/-_.~")


Encoding = Callable[[str], str]
"""How keys and prefixes are written in a listing: `escaped` or `url_encoded`."""


def element(name: str, text: str | int | None) -> str:
    """An element, or nothing where there is no value."""
    if text is None:
        return ""
    if text is True or text is False:
        return f"<{name}>{'true' if text else 'false'}</{name}>"
    return f"<{name}>{escaped(str(text))}</{name}>"


def checksum_elements(checksums: Mapping[str, str], checksum_type: str | None = None) -> str:
    """`ChecksumCRC32` and its like, and what they cover."""
    elements = "".join(element(f"Checksum{algorithm}", value) for algorithm, value in checksums.items())
    return elements + element("ChecksumType", checksum_type if elements else None)


# --- errors ------------------------------------------------------------------------------------------------


def error_document(code: str, message: str, fields: Mapping[str, str], resource: str, request_id: str) -> str:
    """`Error`: Code and Message first, then what the error says besides."""
    extra = "".join(element(name, value) for name, value in fields.items() if name != "Resource")
    return (
        f"<Error>{element('Code', code)}{element('Message', message)}{extra}"
        f"{element('Resource', fields.get('Resource', resource))}{element('RequestId', request_id)}</Error>"
    )


# --- buckets -----------------------------------------------------------------------------------------------


def buckets_document(
    buckets: Sequence[BucketInfo], *, region: str, prefix: str | None, continuation_token: str | None
) -> str:
    """`ListAllMyBucketsResult`."""
    entries = "".join(
        f"<Bucket><Name>{escaped(bucket.name)}</Name><CreationDate>{xml_date(bucket.created_at)}</CreationDate>"
        f"{element('BucketRegion', region)}</Bucket>"
        for bucket in buckets
    )
    return (
        f"<ListAllMyBucketsResult {NAMESPACE}>{OWNER}<Buckets>{entries}</Buckets>"
        f"{element('Prefix', prefix)}{element('ContinuationToken', continuation_token)}</ListAllMyBucketsResult>"
    )


# --- listings ----------------------------------------------------------------------------------------------


def entries(objects: Sequence[ObjectSummary], encode: Encoding, *, owner: bool) -> str:
    """`Contents` of ListObjects and ListObjectsV2."""
    tail = f"<StorageClass>STANDARD</StorageClass>{OWNER if owner else ''}</Contents>"
    keys = _encoded([found.key for found in objects], encode)
    etags = _encoded([found.etag for found in objects], escaped)
    return "".join(
        [
            f"<Contents><Key>{key}</Key><LastModified>{xml_date(found.modified)}</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag>{_algorithm(found.checksum_algorithm)}"
            f"<Size>{found.size}</Size>{tail}"
            for key, etag, found in zip(keys, etags, objects, strict=True)
        ]
    )


def _encoded(texts: list[str], encode: Encoding) -> list[str]:
    """Each text encoded. Encodings go by characters, so where that changes nothing in all, it does in none."""
    joined = "".join(texts)
    return texts if encode(joined) == joined else [encode(text) for text in texts]


@lru_cache(maxsize=64)
def _algorithm(name: str | None) -> str:
    return element("ChecksumAlgorithm", name)


def versions(objects: Iterable[ObjectSummary], encode: Encoding) -> str:
    """`Version` of ListObjectVersions: each object is its only version, `null`, as where versioning never was."""
    tail = f"<StorageClass>STANDARD</StorageClass>{OWNER}</Version>"
    return "".join(
        [
            f"<Version><Key>{encode(found.key)}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
            f"<LastModified>{xml_date(found.modified)}</LastModified>"
            f"<ETag>&quot;{escaped(found.etag)}&quot;</ETag><Size>{found.size}</Size>{tail}"
            for found in objects
        ]
    )


def common_prefixes(prefixes: Iterable[str], encode: Encoding) -> str:
    """`CommonPrefixes`."""
    return "".join([f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes])


# --- objects -----------------------------------------------------------------------------------------------


def copy_document(root: str, info: ObjectInfo | PartInfo, checksum_type: str | None = None) -> str:
    """`CopyObjectResult` or `CopyPartResult`."""
    checksums = info.checksums if isinstance(info, PartInfo) else info.metadata.checksums
    return (
        f"<{root} {NAMESPACE}><LastModified>{xml_date(info.modified)}</LastModified>"
        f"<ETag>&quot;{escaped(info.etag)}&quot;</ETag>{checksum_elements(checksums, checksum_type)}</{root}>"
    )


def tagging_document(tags: Mapping[str, str]) -> str:
    """`Tagging`."""
    tag_set = "".join(f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in tags.items())
    return f"<Tagging {NAMESPACE}><TagSet>{tag_set}</TagSet></Tagging>"


def delete_document(results: Iterable[str]) -> str:
    """`DeleteResult` of `deleted_element` and `delete_error_element`."""
    return f"<DeleteResult {NAMESPACE}>{''.join(results)}</DeleteResult>"


def deleted_element(key: str, version_id: str | None) -> str:
    """A key that isn't there any more."""
    return f"<Deleted>{element('Key', key)}{element('VersionId', version_id)}</Deleted>"


def delete_error_element(key: str, version_id: str | None, code: str, message: str) -> str:
    """A key that was not deleted, and why."""
    return (
        f"<Error>{element('Key', key)}{element('VersionId', version_id)}{element('Code', code)}"
        f"{element('Message', message)}</Error>"
    )
