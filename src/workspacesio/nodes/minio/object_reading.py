"""What a server tells of one object, and pieces of one version of it, from a thread; with the node's own keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from minio import Minio

from workspacesio.nodes.errors import NodeError, NoSuchObject, ObjectChanged
from workspacesio.nodes.minio.failures import RequestRefused, failures
from workspacesio.nodes.stamps import whole_seconds
from workspacesio.nodes.values import DEFAULT_CONTENT_TYPE, ObjectAddress

_USER_METADATA = "x-amz-meta-"
_TAG_COUNT = "x-amz-tagging-count"
_GONE = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion"})


@dataclass(frozen=True, slots=True)
class ServerObject:
    """`modified` in microseconds, of whole seconds. `content_type` '' where none was said."""

    size: int
    modified: int
    etag: str
    content_type: str
    user: Mapping[str, str]
    tags: Mapping[str, str]


def described(s3: Minio, address: ObjectAddress) -> ServerObject:
    """HEAD, and GetObjectTagging where there are tags. Raises NoSuchObject, RequestRefused, NodeDown."""
    try:
        with failures():
            found = s3.stat_object(address.bucket, address.key)
            headers = {name.lower(): str(value) for name, value in (found.metadata or {}).items()}
            tags = s3.get_object_tags(address.bucket, address.key) if headers.get(_TAG_COUNT, "0") != "0" else None
    except NodeError as error:
        raise _named(error) from error
    content_type = headers.get("content-type", "")
    return ServerObject(
        size=found.size or 0,
        modified=whole_seconds(found.last_modified.timestamp() if found.last_modified else 0.0),
        etag=(found.etag or "").strip('"'),
        content_type="" if content_type == DEFAULT_CONTENT_TYPE else content_type,
        user={
            name.removeprefix(_USER_METADATA): value
            for name, value in headers.items()
            if name.startswith(_USER_METADATA)
        },
        tags=dict(tags or {}),
    )


def piece(s3: Minio, address: ObjectAddress, etag: str, offset: int, length: int) -> bytes:
    """Of the version with this ETag. Raises ObjectChanged, NoSuchObject, RequestRefused, NodeDown."""
    try:
        with failures():
            answer = s3.get_object(
                address.bucket, address.key, offset, length, request_headers={"If-Match": f'"{etag}"'}
            )
            return answer.data
    except NodeError as error:
        raise _named(error) from error


def _named(error: NodeError) -> NodeError:
    if isinstance(error, RequestRefused) and error.code in _GONE:
        return NoSuchObject("There is no such object.")
    if isinstance(error, RequestRefused) and error.code == "PreconditionFailed":
        return ObjectChanged("The object was changed while it was being read.")
    return error
