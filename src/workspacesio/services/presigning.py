"""Presigned links: one object, one method, one expiry, signed with a credential that was issued for it.

Signature Version 4 in the query, as "Authenticating Requests: Using Query Parameters" of the Amazon S3 API
Reference has it; the payload of an upload is not signed.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from workspacesio.services.credentials import Issued

MAX_EXPIRY = timedelta(days=7)


def presigned_address(
    *, endpoint: str, region: str, credential: Issued, bucket: str, key: str, method: str, now: datetime
) -> str:
    """The address that does `method` on the object until the credential expires, or for a week."""
    parts = urlsplit(endpoint)
    # Clients leave a default port out of the Host header, which is signed.
    host = parts.netloc.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))
    path = parts.path.rstrip("/") + "/" + quote(f"{bucket}/{key}", safe="/-_.~")
    timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{region}/s3/aws4_request"
    lifetime = min(credential.expires_at - now.replace(microsecond=0), MAX_EXPIRY)
    query = "&".join(
        f"{name}={quote(value, safe='-_.~')}"
        for name, value in sorted(
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{credential.access_key_id}/{scope}",
                "X-Amz-Date": timestamp,
                "X-Amz-Expires": str(int(lifetime.total_seconds())),
                "X-Amz-Security-Token": credential.session_token,
                "X-Amz-SignedHeaders": "host",
            }.items()
        )
    )
    canonical = "\n".join([method, path, query, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key_bytes = f"AWS4{credential.secret_access_key}".encode()
    for step in scope.split("/"):
        key_bytes = hmac.digest(key_bytes, step.encode(), hashlib.sha256)
    signature = hmac.new(key_bytes, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{parts.scheme}://{host}{path}?{query}&X-Amz-Signature={signature}"
