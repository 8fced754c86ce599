"""Cross-origin requests of the web client: preflights, and the headers that let a browser show an answer.

Source: the Fetch standard, section "HTTP extensions". Origins are the configured ones alone; there are no
cookies, so credentials are never allowed. A signature is still required of every request that follows.
"""

import re

from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import Headers
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response

_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
_MAX_AGE_SECONDS = 3600
_HEADER_LIST = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~, ]{0,4096}")

_EXPOSED = (
    "*, accept-ranges, content-disposition, content-encoding, content-length, content-range, date, etag, "
    "last-modified, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, x-amz-checksum-sha1, "
    "x-amz-checksum-sha256, x-amz-checksum-type, x-amz-mp-parts-count, x-amz-request-id, x-amz-tagging-count"
)
"""`*` covers user metadata in browsers that know it; the names are for those that don't."""


class Cors:
    """The rules for the configured origins."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origin.rstrip("/") for origin in origins)

    def allows(self, origin: str) -> bool:
        return origin in self._origins or "*" in self._origins

    def headers(self, request: Request) -> Headers:
        """What an answer to a request from a configured origin says besides."""
        if not self._origins:
            return []
        origin = request.headers.get("origin")
        if origin is None or not self.allows(origin):
            return [("vary", "Origin")]
        return [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", _EXPOSED),
            ("vary", "Origin"),
        ]

    def preflight(self, request: Request) -> Response:
        """The answer to OPTIONS. Raises S3Error AccessForbidden for what isn't configured."""
        origin = request.headers.get("origin")
        method = request.headers.get("access-control-request-method")
        if origin is None or method is None:
            raise S3Error(
                ErrorCode.BadRequest,
                "Insufficient information. Origin and Access-Control-Request-Method request headers needed.",
            )
        wanted = request.headers.get("access-control-request-headers", "")
        if not self.allows(origin) or method not in _METHODS or _HEADER_LIST.fullmatch(wanted) is None:
            raise S3Error(ErrorCode.AccessForbidden)
        headers: Headers = [
            ("access-control-allow-methods", ", ".join(_METHODS)),
            ("access-control-max-age", str(_MAX_AGE_SECONDS)),
        ]
        if wanted:
            headers.append(("access-control-allow-headers", wanted))
        return Response(200, headers)
