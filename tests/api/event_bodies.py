"""What a MinIO server sends to its webhook, as one did (built from its last source, February 2026)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus


def record(key: str, *, bucket: str = "lab", name: str = "s3:ObjectCreated:Put", **changes: Any) -> dict[str, Any]:
    """One event. `encoded` stands for the key as the server would write it; `number` tells requests apart."""
    number = changes.get("number", 1)
    created = name.startswith("s3:ObjectCreated:")
    stored = {"size": 1024, "eTag": "7265f4d211b56873a381d321f586e4a9", "contentType": "text/plain"}
    principal = changes.get("principal", "minio-root")
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": changes.get("at", "2026-11-22T09:59:46.019Z"),
        "eventName": name,
        "userIdentity": {"principalId": principal},
        "requestParameters": {"principalId": principal, "region": "", "sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-id-2": "1fb3dfb2ccfdd705f6bad1476ecddca46d2994cffe15790ea9d247489e44c916",
            "x-amz-request-id": f"18EA824C610A{number:04X}",
            "x-minio-deployment-id": "2338efd6-fd31-499b-9fe1-e74033a72dc4",
            "x-minio-origin-endpoint": "http://127.0.0.1:18824",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": principal},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {
                "key": changes.get("encoded", quote_plus(key)),
                **(stored if created else {}),
                "sequencer": f"18EA824C6111{number:04X}",
            },
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7.0.88"},
    }


def body(*records: dict[str, Any]) -> bytes:
    """The message in which the server sends them; it sends one at a time."""
    first = records[0]
    key = f"{first['s3']['bucket']['name']}/{first['s3']['object']['key']}"
    message = {"EventName": first["eventName"], "Key": key, "Records": list(records)}
    return json.dumps(message, ensure_ascii=False).encode()
