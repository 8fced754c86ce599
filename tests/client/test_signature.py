"""What the client signs, as MinIO reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from servers.s3_server import S3Server
from workspacesio.client import objects
from workspacesio.client.s3_requests import NodeStorage
from workspacesio.client.signature import Request


def test_metadata_beyond_ascii(minio_server: S3Server) -> None:
    """Values come and go as bytes; what another program wrote is copied to another node as it is."""
    minio_server.boto3_client().create_bucket(Bucket="signatures")
    issued = {
        "endpoint": minio_server.endpoint,
        "access_key_id": minio_server.access_key,
        "secret_access_key": minio_server.secret_key,
        "session_token": "",
        "region": "us-east-1",
        "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    with NodeStorage(lambda _: issued) as node:
        for value in ("plain", "two  blanks ", "\xe9", "è  à".encode().decode("latin-1")):
            headers = {"x-amz-meta-name": value}
            node.read(Request("PUT", "signatures", "one", headers=headers, body=b"x"))
            assert objects.details(node, "signatures", "one").metadata["name"]
