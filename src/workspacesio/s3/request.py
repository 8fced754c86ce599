"""A request as handlers see it: parsed once from what the server hands over, and its body not yet read.

Paths are path-style: `/bucket/key`. The server decodes the path, so `bucket` and `key` are what it spells;
what is in them is data, and whether it can name anything is the driver's business.
"""

import re
from collections.abc import Mapping

from workspacesio.s3.canonical_request import RequestQuery, fold_headers
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import Exchange, Head
from workspacesio.s3.request_body import BodyLimits, RequestBody

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class Request:
    """`bucket` and `key` are '' where the path has none. `headers` by lower-case name, repeated ones joined."""

    __slots__ = (
        "body",
        "bucket",
        "client",
        "headers",
        "key",
        "method",
        "path",
        "query",
        "request_id",
        "scheme",
        "unreadable_headers",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: RequestQuery,
        headers: Mapping[str, str],
        body: RequestBody,
        request_id: str,
        scheme: str = "http",
        client: str = "",
        unreadable_headers: frozenset[str] = frozenset(),
    ) -> None:
        self.method = method
        self.path = path
        bucket, _, self.key = path[1:].partition("/")
        self.bucket = bucket
        self.query = query
        self.headers = headers
        self.body = body
        self.request_id = request_id
        self.scheme = scheme
        self.client = client
        self.unreadable_headers = unreadable_headers

    def number(self, name: str, default: int, *, most: int | None = None) -> int:
        """A whole number from the query, held to `most`. Raises S3Error InvalidArgument."""
        text = self.query.get(name)
        if text is None or text == "":
            return default
        if _NUMBER.fullmatch(text) is None:
            raise S3Error(
                ErrorCode.InvalidArgument,
                f"Provided {name} not an integer or within integer range",
                ArgumentName=name,
                ArgumentValue=text,
            )
        value = int(text)
        return value if most is None else min(value, most)


def parse_request(head: Head, exchange: Exchange, request_id: str, limits: BodyLimits) -> Request:
    """The request, or S3Error for one that can't be understood."""
    items = head.headers
    headers = dict(items)
    if len(headers) != len(items):
        headers = fold_headers(items)
    if "host" not in headers and head.authority:
        headers["host"] = head.authority
    path = head.path
    if not path.startswith("/"):
        raise S3Error(ErrorCode.InvalidURI)
    return Request(
        method=head.method,
        path=path,
        query=RequestQuery(head.query_string),
        headers=headers,
        body=RequestBody(exchange, headers, limits),
        request_id=request_id,
        scheme=head.scheme,
        client=head.client,
        unreadable_headers=head.unreadable,
    )
