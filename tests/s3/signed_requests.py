"""Requests signed by botocore, as the server sees them: the other side of the protocol, not our own
arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from workspacesio.s3 import signature
from workspacesio.s3.canonical_request import RequestQuery, fold_headers
from workspacesio.s3.signature_fields import ParsedSignature

ACCESS_KEY_ID = "WIOAKIDEXAMPLE000001"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaDM+a/b=c==" * 4
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC).timestamp()
HOST = "127.0.0.1:8101"


@dataclass(frozen=True)
class Received:
    """A request as the server hands it over: decoded path, raw query, header items with lower-case
    names."""

    method: str
    path: str
    query_string: str
    header_items: tuple[tuple[str, str], ...]

    def with_header(self, name: str, value: str) -> Received:
        """The same request with one header set to another value, or added."""
        others = tuple((n, v) for n, v in self.header_items if n != name)
        return replace(self, header_items=(*others, (name, value)))

    def without_header(self, name: str) -> Received:
        return replace(self, header_items=tuple((n, v) for n, v in self.header_items if n != name))


@contextmanager
def clock(moment: float) -> Iterator[None]:
    """botocore's clock stands at `moment`: it takes no time as a parameter."""
    stopped = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda **_: stopped):
        yield


def sign_headers(
    url: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    token: str | None = TOKEN,
    region: str = "us-east-1",
    at: float = NOW,
) -> Received:
    """A request with the Authorization header that botocore puts on it."""
    request = _unsigned(method, url, headers, body)
    with clock(at):
        S3SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET, token), "s3", region).add_auth(request)
    return received(method, request.url, request.headers)


def presign(
    url: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    token: str | None = TOKEN,
    expires: int = 3600,
    region: str = "us-east-1",
    at: float = NOW,
) -> Received:
    """A request by the link that botocore signs."""
    request = _unsigned(method, url, headers, b"")
    with clock(at):
        signer = S3SigV4QueryAuth(Credentials(ACCESS_KEY_ID, SECRET, token), "s3", region, expires=expires)
        signer.add_auth(request)
    return received(method, request.url, request.headers)


def _unsigned(method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> AWSRequest:
    request = AWSRequest(method=method, url=url, data=body)
    for name, value in headers:
        request.headers[name] = value  # appends: a header may be repeated
    return request


def received(method: str, url: str, headers: Mapping[str, str]) -> Received:
    """What arrives when a client sends this."""
    parts = urlsplit(url)
    items = [(name.lower(), value.strip()) for name, value in headers.items()]
    if "host" not in dict(items):
        items.insert(0, ("host", parts.netloc))
    return Received(method, unquote(parts.path, errors="replace"), parts.query, tuple(items))


def parse(request: Received, *, now: float = NOW, region: str | None = None) -> ParsedSignature | None:
    headers = fold_headers(request.header_items)
    return signature.parse_authorization(RequestQuery(request.query_string), headers, now=now, region=region)


def check(
    request: Received, *, now: float = NOW, secret: str = SECRET, region: str | None = None
) -> ParsedSignature:
    """Both steps, as the endpoint takes them. Returns what was signed, raises S3Error."""
    query = RequestQuery(request.query_string)
    headers = fold_headers(request.header_items)
    parsed = signature.parse_authorization(query, headers, now=now, region=region)
    assert parsed is not None
    signature.verify(parsed, secret, method=request.method, path=request.path, query=query, headers=headers)
    return parsed
