"""A presigned address is the one that botocore makes, and the endpoint accepts it until the credential ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.s3.canonical_request import RequestQuery
from workspacesio.s3.error_codes import S3Error
from workspacesio.s3.signature import parse_authorization, verify
from workspacesio.services.credentials import REGION, Issued
from workspacesio.services.presigning import MAX_EXPIRY, presigned_address

NOW = datetime(2030, 1, 1, 12, 0, 0, 700_000, tzinfo=UTC)
KEYS = [
    *(
        "k",
        "a/b c",
        "a+b",
        "a%20b",
        "é/日本",
        "a&b=c",
        "a?b#c",
        "~(x)'!*",
        "..k",
        "a/./b",
        "\n",
        "a\\b",
        "${x}",
        "/",
    ),
    "a;b,c:d@e$f",
]


def _issued(lifetime: timedelta = timedelta(hours=1)) -> Issued:
    expires_at = NOW.replace(microsecond=0) + lifetime
    return Issued(1, "WIOACCESSKEY", "the+secret/of=it", "TOKEN-_with.all~", NOW, expires_at, 1, read_only=False)


def _address(
    key: str, *, method: str = "GET", endpoint: str = "http://s3.example.org:8101", issued: Issued | None = None
) -> str:
    return presigned_address(
        endpoint=endpoint,
        region=REGION,
        credential=issued or _issued(),
        bucket="alpha",
        key=key,
        method=method,
        now=NOW,
    )


def _check(address: str, method: str, now: datetime, host: str | None = None) -> None:
    """As the endpoint does: raises S3Error unless the signature holds now."""
    parts = urlsplit(address)
    headers = {"host": host or parts.netloc}
    query = RequestQuery(parts.query)
    parsed = parse_authorization(query, headers, now=now.timestamp())
    assert parsed is not None
    assert parsed.security_token == _issued().session_token
    verify(
        parsed, _issued().secret_access_key, method=method, path=unquote(parts.path), query=query, headers=headers
    )


def _by_botocore(monkeypatch: pytest.MonkeyPatch, address: str, method: str, seconds: int) -> str:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
    issued = _issued()
    credentials = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    request = AWSRequest(method=method, url=address.partition("?")[0])
    S3SigV4QueryAuth(credentials, "s3", REGION, expires=seconds).add_auth(request)
    assert request.url is not None
    return str(request.url)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_it_is_botocores(monkeypatch: pytest.MonkeyPatch, key: str, method: str) -> None:
    ours = _address(key, method=method)
    theirs = _by_botocore(monkeypatch, ours, method, 3600)
    assert urlsplit(ours)[:3] == urlsplit(theirs)[:3]
    assert sorted(parse_qsl(urlsplit(ours).query)) == sorted(parse_qsl(urlsplit(theirs).query))
    assert unquote(urlsplit(ours).path) == f"/alpha/{key}"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_the_endpoint_accepts_it_for_any_key(key: str) -> None:
    _check(_address(key), "GET", NOW)


def test_it_is_for_one_object_and_one_method() -> None:
    address = _address("a/b")
    _check(address, "GET", NOW)
    for method in ("PUT", "HEAD", "DELETE", "POST"):
        with pytest.raises(S3Error):
            _check(address, method, NOW)
    for other in (
        address.replace("/a/b?", "/a/c?"),
        address.replace("/alpha/", "/beta/"),
        address.replace("/a/b?", "/a/b?versionId=1&"),
        address + "&x=",
    ):
        with pytest.raises(S3Error):
            _check(other, "GET", NOW)


@pytest.mark.parametrize("seconds", [15, 3600, 12 * 3600])
def test_it_ends_with_its_credential(seconds: int) -> None:
    issued = _issued(timedelta(seconds=seconds))
    address = _address("k", issued=issued)
    _check(address, "GET", issued.expires_at - timedelta(seconds=1))
    with pytest.raises(S3Error):
        _check(address, "GET", issued.expires_at + timedelta(seconds=1))


def test_a_long_credential_gives_a_link_for_a_week() -> None:
    address = _address("k", issued=_issued(timedelta(days=30)))
    assert f"X-Amz-Expires={int(MAX_EXPIRY.total_seconds())}&" in address
    _check(address, "GET", NOW)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://s3.example.org:443", "s3.example.org"),
        ("http://s3.example.org:80", "s3.example.org"),
        ("https://s3.example.org", "s3.example.org"),
        ("https://s3.example.org:80", "s3.example.org:80"),
        ("http://[::1]:8101", "[::1]:8101"),
    ],
)
def test_the_host_is_signed_as_clients_send_it(endpoint: str, host: str) -> None:
    address = _address("k", endpoint=endpoint)
    assert urlsplit(address).netloc == host
    _check(address, "GET", NOW, host)
