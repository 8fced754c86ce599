"""AWS Signature Version 4 in the Authorization header ("Signing AWS API requests", AWS General Reference)."""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
CHECKSUM = "x-amz-checksum-crc32"


class Keys:
    """Of one credential; `session_token` is "" where there is none."""

    __slots__ = ("_day", "_key", "access_key_id", "region", "secret_access_key", "session_token")

    def __init__(self, access_key_id: str, secret_access_key: str, session_token: str, region: str) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.session_token = session_token
        self.region = region
        self._day = ""
        self._key = b""

    def signing_key(self, day: str) -> bytes:
        """Derived once for each day."""
        if day != self._day:
            key = f"AWS4{self.secret_access_key}".encode()
            for part in (day, self.region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._key = day, key
        return self._key


class Request:
    """One to an S3 server. `query`: names and values as they are meant, not yet encoded."""

    __slots__ = ("_path", "body", "bucket", "headers", "key", "method", "query")

    def __init__(
        self,
        method: str,
        bucket: str,
        key: str = "",
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.bucket = bucket
        self.key = key
        self.query = list(query)
        self.headers = dict(headers or {})
        self.body = body
        self._path = ""

    def path(self) -> str:
        """`/BUCKET/KEY`, with every byte percent-encoded that RFC 3986 doesn't leave as it is."""
        if not self._path:
            self._path = "/" + quote(f"{self.bucket}/{self.key}" if self.key else self.bucket, safe="/-_.~")
        return self._path

    def query_string(self) -> str:
        """In the order in which it is signed."""
        return "&".join(
            sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in self.query)
        )


def signed_headers(
    keys: Keys, request: Request, host: str, *, at: float, is_secret: bool = False
) -> dict[str, str]:
    """The request's headers, and those that the signature adds; all of them and `host` are signed.

    `at`: seconds since 1970. `is_secret`: nobody between here and the server can alter what is sent, so that a
    body whose checksum stands in the headers needs no other one.
    """
    moment = _moment(int(at))
    if is_secret and CHECKSUM in request.headers:
        digest = UNSIGNED
    else:
        digest = hashlib.sha256(request.body).hexdigest() if request.body else EMPTY
    whole = {**request.headers, "x-amz-content-sha256": digest, "x-amz-date": moment}
    if keys.session_token:
        whole["x-amz-security-token"] = keys.session_token
    named = {name.lower(): _trimmed(value) for name, value in {**whole, "host": host}.items()}
    names = ";".join(sorted(named))
    lines = [f"{name}:{named[name]}" for name in sorted(named)]
    # Values are signed as the bytes in which they are sent.
    canonical = "\n".join([request.method, request.path(), request.query_string(), *lines, "", names, digest])
    scope = f"{moment[:8]}/{keys.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    signature = hmac.digest(keys.signing_key(moment[:8]), text.encode(), "sha256").hex()
    whole["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return whole


def _trimmed(value: str) -> str:
    """Without blanks at its ends, and one for several; those of ASCII, for à in UTF-8 holds a byte like one."""
    if value.isascii():
        return " ".join(value.split())
    return b" ".join(value.encode("latin-1").split()).decode("latin-1")


@functools.lru_cache(maxsize=2)
def _moment(at: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
