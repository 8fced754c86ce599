"""Every call of MinIO's S3 API, as its router has them (cmd/api-router.go, February 2026).

Those of an object are sent to keys that the caller doesn't reach, and to keys that may only be read. Headers that
make another call of a request stand behind ` | `.
"""

OBJECT_CALLS = tuple(
    """\
HEAD
GET
GET ?versionId=null
GET ?partNumber=1
GET ?attributes | x-amz-object-attributes: ETag
GET ?uploadId=x
GET ?acl
GET ?tagging
GET ?retention
GET ?legal-hold
GET ?lambdaArn=arn:minio:s3-object-lambda::x:webhook
GET ?torrent
GET | x-minio-extract: true
PUT
PUT | x-amz-copy-source: /lab/mine/a/k
PUT | x-amz-copy-source: /lab/mine/a/k, x-amz-metadata-directive: REPLACE
PUT | x-amz-meta-snowball-auto-extract: true
PUT | x-amz-write-offset-bytes: 5
PUT | x-amz-replication-status: REPLICA
PUT | x-minio-source-replication-request: true, x-minio-source-mtime: 2020-01-01T00:00:00Z
PUT | x-amz-tagging: a=b
PUT | x-amz-acl: public-read
PUT ?partNumber=1&uploadId=x
PUT ?partNumber=1&uploadId=x | x-amz-copy-source: /lab/mine/a/k
PUT ?acl
PUT ?tagging
PUT ?retention
PUT ?legal-hold
PUT ?torrent
POST ?uploads
POST ?uploadId=x
POST ?select&select-type=2
POST ?restore
DELETE
DELETE ?versionId=null
DELETE | x-amz-bypass-governance-retention: true
DELETE | x-minio-force-delete: true
DELETE | x-minio-source-deletemarker: true, x-minio-source-replication-request: true
DELETE ?uploadId=x
DELETE ?acl
DELETE ?tagging
""".splitlines()
)

READING = {
    "HEAD",
    "GET",
    "GET ?versionId=null",
    "GET ?partNumber=1",
    "GET ?tagging",
    "GET ?lambdaArn=arn:minio:s3-object-lambda::x:webhook",
    "GET | x-minio-extract: true",
    "POST ?select&select-type=2",
}
"""Calls that whoever may read an object may make of it."""

BUCKET_CALLS = tuple(
    """\
GET ?policy
GET ?policyStatus
GET ?lifecycle
GET ?encryption
GET ?object-lock
GET ?replication
GET ?notification
GET ?events=s3:ObjectCreated:*&prefix=mine/a/
GET ?replication-reset-status&arn=a
GET ?replication-metrics
GET ?replication-metrics=2
GET ?replication-check
GET ?acl
GET ?cors
GET ?website
GET ?accelerate
GET ?requestPayment
GET ?logging
GET ?tagging
GET ?uploads
GET ?uploads&prefix=mine/a/
GET
GET ?prefix=secret/
GET ?list-type=2&prefix=secret/
GET ?list-type=2&metadata=true&prefix=secret/
GET ?versions&prefix=secret/
GET ?versions&metadata=true&prefix=secret/
GET ?inventory
GET ?metrics
GET ?publicAccessBlock
GET ?ownershipControls
GET ?intelligent-tiering
GET ?analytics
PUT
PUT ?policy
PUT ?lifecycle
PUT ?encryption
PUT ?object-lock
PUT ?replication
PUT ?replication-reset&arn=a
PUT ?versioning
PUT ?notification
PUT ?tagging
PUT ?acl
PUT ?cors
PUT ?website
PUT ?accelerate
PUT ?requestPayment
PUT ?logging
PUT ?inventory
PUT ?metrics
PUT ?publicAccessBlock
PUT ?ownershipControls
PUT ?intelligent-tiering
PUT ?analytics
DELETE
DELETE | x-minio-force-delete: true
DELETE ?policy
DELETE ?lifecycle
DELETE ?encryption
DELETE ?replication
DELETE ?tagging
DELETE ?cors
DELETE ?website
DELETE ?inventory
""".splitlines()
)
