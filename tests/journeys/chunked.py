"""PutObject as `aws-chunked` with every chunk signed, which boto3 never sends and other clients do.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from journeys.places import Place

_STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_EMPTY = hashlib.sha256(b"").hexdigest()
CHUNK_BYTES = 64 * 1024


class _StreamingAuth(S3SigV4Auth):  # type: ignore[misc]
    def payload(self, request: Any) -> str:
        return _STREAMING


def put_chunked(place: Place, key: str, data: bytes, headers: dict[str, str]) -> str:
    """Sends it over a connection of its own. Returns the ETag; raises OSError or HTTPException, as http.client
    does, and RuntimeError for any other answer than 200."""
    address = f"{place.credential['endpoint']}/{place.bucket}/{quote(key)}"
    length = sum(len(piece) for piece in _chunks(place, "", "", "", data))
    request = AWSRequest("PUT", address, headers=headers)
    request.headers["Content-Encoding"] = "aws-chunked"
    request.headers["X-Amz-Decoded-Content-Length"] = str(len(data))
    request.headers["Content-Length"] = str(length)
    credential = place.credential
    keys = Credentials(credential["access_key_id"], credential["secret_access_key"], credential["session_token"])
    _StreamingAuth(keys, "s3", credential["region"]).add_auth(request)
    authorization = request.headers["Authorization"]
    scope = authorization.partition("Credential=")[2].partition(",")[0].partition("/")[2]
    seed = authorization.rpartition("Signature=")[2]
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        body = _chunks(place, scope, request.headers["X-Amz-Date"], seed, data)
        connection.request("PUT", parts.path, body=body, headers=dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {content.decode(errors='replace')}")
    return answer.headers["ETag"].strip('"')


def _chunks(place: Place, scope: str, date: str, previous: str, data: bytes) -> Iterator[bytes]:
    key = f"AWS4{place.credential['secret_access_key']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    for start in [*range(0, len(data), CHUNK_BYTES), len(data)]:
        chunk = data[start : start + CHUNK_BYTES]
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{previous}\n{_EMPTY}\n"
        text += hashlib.sha256(chunk).hexdigest()
        previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        yield f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n"
