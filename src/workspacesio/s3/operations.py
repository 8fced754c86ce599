"""THE table: every operation of the S3 catalogue, by method, place and what marks it in the query or the
headers.

A request is at the service (`/`), at a bucket or at an object. The key in the query that makes it another
operation than the plain one (`?uploads`, `?tagging`) is its subresource. Where several operations share
method, place and subresource, the first whose further marks are there is meant; they stand in that order.

Sources: the operations of botocore's service model of S3 (a test compares), and MinIO's ListenNotification.
What has no handler is answered NotImplemented by name.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple

from workspacesio.s3 import (
    attribute_handlers,
    bucket_handlers,
    copy_handlers,
    delete_handlers,
    event_handlers,
    listing_handlers,
    multipart_handlers,
    put_handlers,
    reading_handlers,
    tagging_handlers,
)
from workspacesio.s3.context import Context
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response

Handler = Callable[[Context, Request], Awaitable[Response]]


class Place(Enum):
    """What a path names."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class Operation(NamedTuple):
    """One row. `query`: further keys that must be in the query, with `=value` where one is asked for."""

    name: str
    method: str
    place: Place
    subresource: str = ""
    handler: Handler | None = None
    query: tuple[str, ...] = ()
    header: str = ""

    def fits(self, request: Request) -> bool:
        """Whether the further marks are there."""
        if self.header and self.header not in request.headers:
            return False
        for mark in self.query:
            name, _, value = mark.partition("=")
            found = request.query.get(name)
            if found is None or (value and found != value):
                return False
        return True


def _rows(place: Place, subresource: str, methods: dict[str, str]) -> list[Operation]:
    """Operations that are not there, by method."""
    return [Operation(name, method, place, subresource) for method, name in methods.items()]


_S, _B, _O = Place.SERVICE, Place.BUCKET, Place.OBJECT

IMPLEMENTED = (
    Operation("ListBuckets", "GET", _S, "", bucket_handlers.list_buckets),
    Operation("ListenNotification", "GET", _S, "events", event_handlers.listen_notification),
    Operation("ListenBucketNotification", "GET", _B, "events", event_handlers.listen_notification),
    Operation("CreateBucket", "PUT", _B, "", bucket_handlers.create_bucket),
    Operation("DeleteBucket", "DELETE", _B, "", bucket_handlers.delete_bucket),
    Operation("HeadBucket", "HEAD", _B, "", bucket_handlers.head_bucket),
    Operation("GetBucketLocation", "GET", _B, "location", bucket_handlers.get_bucket_location),
    Operation("GetBucketVersioning", "GET", _B, "versioning", bucket_handlers.get_bucket_versioning),
    Operation("ListObjectsV2", "GET", _B, "list-type", listing_handlers.list_objects_v2, query=("list-type=2",)),
    Operation("ListObjects", "GET", _B, "", listing_handlers.list_objects),
    Operation("ListObjects", "GET", _B, "list-type", listing_handlers.list_objects, query=("list-type=1",)),
    Operation("ListObjectVersions", "GET", _B, "versions", listing_handlers.list_object_versions),
    Operation("ListMultipartUploads", "GET", _B, "uploads", listing_handlers.list_multipart_uploads),
    Operation("DeleteObjects", "POST", _B, "delete", delete_handlers.delete_objects),
    Operation("GetObject", "GET", _O, "", reading_handlers.get_object),
    Operation("HeadObject", "HEAD", _O, "", reading_handlers.head_object),
    Operation("GetObjectAttributes", "GET", _O, "attributes", attribute_handlers.get_object_attributes),
    Operation("CopyObject", "PUT", _O, "", copy_handlers.copy_object, header="x-amz-copy-source"),
    Operation("PutObject", "PUT", _O, "", put_handlers.put_object),
    Operation("DeleteObject", "DELETE", _O, "", delete_handlers.delete_object),
    Operation("CreateMultipartUpload", "POST", _O, "uploads", multipart_handlers.create_multipart_upload),
    Operation("UploadPartCopy", "PUT", _O, "uploadId", copy_handlers.upload_part_copy, header="x-amz-copy-source"),
    Operation("UploadPart", "PUT", _O, "uploadId", multipart_handlers.upload_part),
    Operation("CompleteMultipartUpload", "POST", _O, "uploadId", multipart_handlers.complete_multipart_upload),
    Operation("AbortMultipartUpload", "DELETE", _O, "uploadId", multipart_handlers.abort_multipart_upload),
    Operation("ListParts", "GET", _O, "uploadId", multipart_handlers.list_parts),
    Operation("GetObjectTagging", "GET", _O, "tagging", tagging_handlers.get_object_tagging),
    Operation("PutObjectTagging", "PUT", _O, "tagging", tagging_handlers.put_object_tagging),
    Operation("DeleteObjectTagging", "DELETE", _O, "tagging", tagging_handlers.delete_object_tagging),
)

NOT_IMPLEMENTED = (
    # Not in the catalogue, but in the API reference: the form upload of browsers.
    Operation("PostObject", "POST", _B, ""),
    Operation("PostObject", "POST", _O, ""),
    *_rows(_B, "abac", {"GET": "GetBucketAbac", "PUT": "PutBucketAbac"}),
    *_rows(
        _B,
        "accelerate",
        {"GET": "GetBucketAccelerateConfiguration", "PUT": "PutBucketAccelerateConfiguration"},
    ),
    *_rows(_B, "acl", {"GET": "GetBucketAcl", "PUT": "PutBucketAcl"}),
    *(
        row
        for subresource, name in (
            ("analytics", "Analytics"),
            ("intelligent-tiering", "IntelligentTiering"),
            ("inventory", "Inventory"),
            ("metrics", "Metrics"),
        )
        for row in (
            Operation(f"GetBucket{name}Configuration", "GET", _B, subresource, query=("id",)),
            Operation(f"ListBucket{name}Configurations", "GET", _B, subresource),
            Operation(f"PutBucket{name}Configuration", "PUT", _B, subresource),
            Operation(f"DeleteBucket{name}Configuration", "DELETE", _B, subresource),
        )
    ),
    *_rows(_B, "cors", {"GET": "GetBucketCors", "PUT": "PutBucketCors", "DELETE": "DeleteBucketCors"}),
    *_rows(
        _B,
        "encryption",
        {"GET": "GetBucketEncryption", "PUT": "PutBucketEncryption", "DELETE": "DeleteBucketEncryption"},
    ),
    *_rows(
        _B,
        "lifecycle",
        {
            "GET": "GetBucketLifecycleConfiguration",
            "PUT": "PutBucketLifecycleConfiguration",
            "DELETE": "DeleteBucketLifecycle",
        },
    ),
    *_rows(_B, "logging", {"GET": "GetBucketLogging", "PUT": "PutBucketLogging"}),
    *_rows(
        _B,
        "metadataConfiguration",
        {
            "GET": "GetBucketMetadataConfiguration",
            "POST": "CreateBucketMetadataConfiguration",
            "DELETE": "DeleteBucketMetadataConfiguration",
        },
    ),
    *_rows(
        _B,
        "metadataTable",
        {
            "GET": "GetBucketMetadataTableConfiguration",
            "POST": "CreateBucketMetadataTableConfiguration",
            "DELETE": "DeleteBucketMetadataTableConfiguration",
        },
    ),
    Operation("UpdateBucketMetadataAnnotationTableConfiguration", "PUT", _B, "metadataAnnotationTable"),
    Operation("UpdateBucketMetadataInventoryTableConfiguration", "PUT", _B, "metadataInventoryTable"),
    Operation("UpdateBucketMetadataJournalTableConfiguration", "PUT", _B, "metadataJournalTable"),
    *_rows(
        _B,
        "notification",
        {"GET": "GetBucketNotificationConfiguration", "PUT": "PutBucketNotificationConfiguration"},
    ),
    *_rows(
        _B,
        "object-lock",
        {"GET": "GetObjectLockConfiguration", "PUT": "PutObjectLockConfiguration"},
    ),
    *_rows(
        _B,
        "ownershipControls",
        {
            "GET": "GetBucketOwnershipControls",
            "PUT": "PutBucketOwnershipControls",
            "DELETE": "DeleteBucketOwnershipControls",
        },
    ),
    *_rows(_B, "policy", {"GET": "GetBucketPolicy", "PUT": "PutBucketPolicy", "DELETE": "DeleteBucketPolicy"}),
    *_rows(_B, "policyStatus", {"GET": "GetBucketPolicyStatus"}),
    *_rows(
        _B,
        "publicAccessBlock",
        {
            "GET": "GetPublicAccessBlock",
            "PUT": "PutPublicAccessBlock",
            "DELETE": "DeletePublicAccessBlock",
        },
    ),
    *_rows(
        _B,
        "replication",
        {"GET": "GetBucketReplication", "PUT": "PutBucketReplication", "DELETE": "DeleteBucketReplication"},
    ),
    *_rows(_B, "requestPayment", {"GET": "GetBucketRequestPayment", "PUT": "PutBucketRequestPayment"}),
    *_rows(_B, "session", {"GET": "CreateSession"}),
    *_rows(
        _B,
        "tagging",
        {"GET": "GetBucketTagging", "PUT": "PutBucketTagging", "DELETE": "DeleteBucketTagging"},
    ),
    *_rows(_B, "versioning", {"PUT": "PutBucketVersioning"}),
    *_rows(
        _B,
        "website",
        {"GET": "GetBucketWebsite", "PUT": "PutBucketWebsite", "DELETE": "DeleteBucketWebsite"},
    ),
    *_rows(_O, "acl", {"GET": "GetObjectAcl", "PUT": "PutObjectAcl"}),
    Operation("GetObjectAnnotation", "GET", _O, "annotation", query=("annotationName",)),
    Operation("ListObjectAnnotations", "GET", _O, "annotation"),
    *_rows(_O, "annotation", {"PUT": "PutObjectAnnotation", "DELETE": "DeleteObjectAnnotation"}),
    *_rows(_O, "encryption", {"PUT": "UpdateObjectEncryption"}),
    *_rows(_O, "legal-hold", {"GET": "GetObjectLegalHold", "PUT": "PutObjectLegalHold"}),
    *_rows(_O, "renameObject", {"PUT": "RenameObject"}),
    *_rows(_O, "restore", {"POST": "RestoreObject"}),
    *_rows(_O, "retention", {"GET": "GetObjectRetention", "PUT": "PutObjectRetention"}),
    *_rows(_O, "select", {"POST": "SelectObjectContent"}),
    *_rows(_O, "torrent", {"GET": "GetObjectTorrent"}),
)

SAME_AS = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    # The same request to another host.
    "ListDirectoryBuckets": "ListBuckets",
    # The same request as a form upload to a bucket of that name.
    "WriteGetObjectResponse": "PostObject",
}
"""Operations of the catalogue that can't be told from another one by their request."""

_Key = tuple[str, Place, str]

_TABLE: dict[_Key, tuple[Operation, ...]] = {}
for _row in (*IMPLEMENTED, *NOT_IMPLEMENTED):
    _place = (_row.method, _row.place, _row.subresource)
    _TABLE[_place] = (*_TABLE.get(_place, ()), _row)

SUBRESOURCES = frozenset(subresource for _, _, subresource in _TABLE if subresource)


def find_operation(request: Request) -> Operation:
    """The operation that is meant. Raises S3Error MethodNotAllowed or, for two at once, InvalidArgument."""
    place = Place.OBJECT if request.key else Place.BUCKET if request.bucket else Place.SERVICE
    subresource = ""
    for name, _ in request.query.pairs:
        if name in SUBRESOURCES and name != subresource:
            if subresource:
                raise S3Error(
                    ErrorCode.InvalidArgument,
                    "Conflicting query string parameters: " + ", ".join(sorted((subresource, name))),
                    ArgumentName="ResourceType",
                    ArgumentValue=name,
                )
            subresource = name
    for operation in _TABLE.get((request.method, place, subresource), ()):
        if operation.fits(request):
            return operation
    raise S3Error(ErrorCode.MethodNotAllowed, Method=request.method, ResourceType=place.value.upper())
