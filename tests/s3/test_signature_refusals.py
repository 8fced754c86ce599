"""Signatures of another kind, malformed ones, and those outside their time get S3's own answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3.signed_requests import ACCESS_KEY_ID, HOST, NOW, Received, check, parse, presign, sign_headers
from workspacesio.s3 import signature
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.signature_fields import parse_timestamp, signed_header_names

URL = f"http://{HOST}/bucket/key"
BY_HEADER = sign_headers(URL)
BY_LINK = presign(URL)
AUTHORIZATION = dict(BY_HEADER.header_items)["authorization"]
SIGNATURE = AUTHORIZATION[-64:]
DAY = 24 * 3600


def refuse(request: Received, now: float = NOW) -> S3Error:
    with pytest.raises(S3Error) as refused:
        parse(request, now=now)
    return refused.value


def authorize(value: str) -> Received:
    return BY_HEADER.with_header("authorization", value)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("AWS AKID:c2lnbmF0dXJl", ErrorCode.InvalidRequest),
        ("AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=b", ErrorCode.InvalidRequest),
        ("Bearer abc", ErrorCode.InvalidArgument),
        ("Basic YWxpY2U6c2VjcmV0", ErrorCode.InvalidArgument),
        ("justonetoken", ErrorCode.InvalidArgument),
        ("", ErrorCode.InvalidArgument),
        ("aws4-hmac-sha256 " + AUTHORIZATION.split(" ", 1)[1], ErrorCode.InvalidArgument),
        ("AWS4-HMAC-SHA256", ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION + ",", ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION + "0", ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION[:-1], ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace(SIGNATURE, SIGNATURE.upper()), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("Signature", "Sig"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("SignedHeaders", "Headers"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("Credential", "Cred"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("/s3/", "/sts/"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("aws4_request", "aws4"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("/20261122/", "/2026112/"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("/20261122/", "/20261121/"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("/20261122/", "/２０２６１１２２/"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("/us-east-1/", "/us east/"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("/us-east-1/", "//"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace(ACCESS_KEY_ID, ""), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace(ACCESS_KEY_ID, "A/B"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("=host;", "=Host;"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("=host;", "=host;host;"), ErrorCode.AuthorizationHeaderMalformed),
        (AUTHORIZATION.replace("=host;", "=;host;"), ErrorCode.AuthorizationHeaderMalformed),
        (f"{AUTHORIZATION}, {AUTHORIZATION}", ErrorCode.AuthorizationHeaderMalformed),
    ],
)
def test_authorization_header_that_is_none_of_ours(value: str, code: ErrorCode) -> None:
    error = refuse(authorize(value))
    assert error.code is code
    assert "YWxpY2U6c2VjcmV0" not in str(error) + repr(error.fields)


@pytest.mark.parametrize("separator", [",", ", ", " , ", ",  "])
def test_white_space_between_components_is_free(separator: str) -> None:
    check(authorize(AUTHORIZATION.replace(", ", separator)))


def test_two_authorization_headers() -> None:
    doubled = replace(BY_HEADER, header_items=(*BY_HEADER.header_items, ("authorization", AUTHORIZATION)))
    assert refuse(doubled).code is ErrorCode.AuthorizationHeaderMalformed


def test_header_and_query_at_once() -> None:
    both = replace(BY_HEADER, query_string=BY_LINK.query_string)
    assert refuse(both).code is ErrorCode.InvalidArgument
    assert refuse(replace(BY_HEADER, query_string="Signature=x")).code is ErrorCode.InvalidArgument


@pytest.mark.parametrize("query", ["AWSAccessKeyId=a&Signature=b&Expires=1", "AWSAccessKeyId=a", "Signature=x"])
def test_version_2_links(query: str) -> None:
    error = refuse(Received("GET", "/bucket/key", query, (("host", HOST),)))
    assert error.code is ErrorCode.InvalidRequest
    assert "AWS4-HMAC-SHA256" in error.message


def test_version_4a_links() -> None:
    query = BY_LINK.query_string.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
    assert refuse(replace(BY_LINK, query_string=query)).code is ErrorCode.InvalidRequest


@pytest.mark.parametrize(
    "change",
    [
        lambda q: q.replace("AWS4-HMAC-SHA256", "HMAC"),
        lambda q: q.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        lambda q: q.replace("X-Amz-Date=20261122T123000Z", "X-Amz-Date=2026-11-22"),
        lambda q: q.replace("X-Amz-Date=20261122T123000Z", "X-Amz-Date=20261322T123000Z"),
        lambda q: q.replace("X-Amz-Date=20261122T", "X-Amz-Date=20261121T"),
        lambda q: q.replace("X-Amz-Date=20261122T123000Z&", ""),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires="),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires=0"),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires=-1"),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires=1e3"),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires=604801"),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires=" + "9" * 5000),
        lambda q: q.replace("X-Amz-Expires=3600", "X-Amz-Expires=%EF%BC%91"),
        lambda q: q.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
        lambda q: q.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=Host"),
        lambda q: q.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%0Ax"),
        lambda q: q.replace("X-Amz-Signature=", "X-Amz-Signature=z"),
        lambda q: q.replace("X-Amz-Signature=", "X-Amz-Other="),
        lambda q: q.replace("%2Fs3%2F", "%2Fsts%2F"),
        lambda q: q.replace("%2Fs3%2F", "%2F"),
        lambda q: q.replace("%2Fus-east-1%2F", "%2Fus%0Aeast%2F"),
        lambda q: q + "&X-Amz-Signature=" + "0" * 64,
        lambda q: q + "&X-Amz-Security-Token=other",
        lambda q: q + "&X-Amz-Credential=" + ACCESS_KEY_ID,
    ],
)
def test_malformed_links(change: Callable[[str], str]) -> None:
    changed = change(BY_LINK.query_string)
    assert changed != BY_LINK.query_string
    error = refuse(replace(BY_LINK, query_string=changed))
    assert error.code is ErrorCode.AuthorizationQueryParametersError


def test_link_with_the_token_in_both_places() -> None:
    error = refuse(BY_LINK.with_header("x-amz-security-token", "other"))
    assert error.code is ErrorCode.AuthorizationQueryParametersError


@pytest.mark.parametrize(
    "value", ["", "abc", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "unsigned-payload", "g" * 64]
)
def test_unknown_content_hashes(value: str) -> None:
    error = refuse(BY_HEADER.with_header("x-amz-content-sha256", value))
    assert error.code is ErrorCode.InvalidArgument
    assert error.fields["ArgumentName"] == "x-amz-content-sha256"


def test_missing_content_hash_and_date() -> None:
    assert refuse(BY_HEADER.without_header("x-amz-content-sha256")).code is ErrorCode.InvalidRequest
    assert refuse(BY_HEADER.without_header("x-amz-date")).code is ErrorCode.AccessDenied
    for text in ("", "yesterday", "20261122T123000", "20261122T256000Z", "2026-11-22T12:30:00Z"):
        assert refuse(BY_HEADER.with_header("x-amz-date", text)).code is ErrorCode.AccessDenied


@pytest.mark.parametrize("form", ["http", "basic"])
def test_date_header_stands_in_for_x_amz_date(form: str) -> None:
    moment = datetime.fromtimestamp(NOW, UTC)
    text = format_datetime(moment, usegmt=True) if form == "http" else moment.strftime("%Y%m%dT%H%M%SZ")
    # The timestamp is in the string to sign, so nothing changes for a header that wasn't in the list.
    with patch("botocore.auth.SigV4Auth._set_necessary_date_headers", lambda *_: None):
        request = sign_headers(URL)
    assert "x-amz-date" not in dict(request.header_items)
    check(request.with_header("date", text))
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        check(request.with_header("date", format_datetime(datetime.fromtimestamp(NOW + 1, UTC), usegmt=True)))
    assert refuse(request.with_header("date", "Sun, 99 Nov 2026 12:30:00 GMT")).code is ErrorCode.AccessDenied


@pytest.mark.parametrize("skew", [-900, -899, 0, 899, 900])
def test_clock_differences_up_to_15_minutes(skew: float) -> None:
    check(BY_HEADER, now=NOW + skew)


@pytest.mark.parametrize("skew", [-DAY, -901, 901, 3600, 365 * DAY])
def test_replay_beyond_the_skew(skew: float) -> None:
    error = refuse(BY_HEADER, now=NOW + skew)
    assert error.code is ErrorCode.RequestTimeTooSkewed
    assert error.fields["RequestTime"] == "20261122T123000Z"
    assert error.fields["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize("expires", [1, 3600, 604800])
def test_link_lives_for_its_seconds(expires: int) -> None:
    link = presign(URL, expires=expires)
    check(link, now=NOW + expires)
    error = refuse(link, now=NOW + expires + 1)
    assert (error.code, error.message) == (ErrorCode.AccessDenied, "Request has expired")
    assert error.fields["X-Amz-Expires"] == str(expires)
    check(link, now=NOW - 900)
    error = refuse(link, now=NOW - 901)
    assert (error.code, error.message) == (ErrorCode.AccessDenied, "Request is not valid yet")


def test_host_must_be_signed() -> None:
    signed = AUTHORIZATION.replace("host;", "")
    with pytest.raises(S3Error) as refused:
        check(authorize(signed))
    assert refused.value.code is ErrorCode.AccessDenied
    assert refused.value.fields["HeadersNotSigned"] == "host"


def test_token_must_be_signed_where_it_is_a_header() -> None:
    request = sign_headers(URL, token=None).with_header("x-amz-security-token", "stolen")
    with pytest.raises(S3Error) as refused:
        check(request)
    assert refused.value.fields["HeadersNotSigned"] == "x-amz-security-token"
    link = presign(URL, token=None)
    with pytest.raises(S3Error) as refused:
        check(link.with_header("x-amz-security-token", "stolen"))
    assert refused.value.fields["HeadersNotSigned"] == "x-amz-security-token"


@settings(max_examples=500, deadline=None)
@given(
    authorization=st.one_of(
        st.none(), st.text(max_size=80), st.text(max_size=40).map(lambda t: AUTHORIZATION + t)
    ),
    query=st.one_of(st.text(max_size=80), st.text(max_size=40).map(lambda t: BY_LINK.query_string + t)),
    date=st.text(max_size=20),
    content=st.text(max_size=70),
)
def test_noise_is_refused_or_anonymous_and_never_breaks(
    authorization: str | None, query: str, date: str, content: str
) -> None:
    items = [("host", HOST), ("x-amz-date", date), ("x-amz-content-sha256", content)]
    if authorization is not None:
        items.append(("authorization", authorization))
    try:
        check(Received("GET", "/b/k", query, tuple(items)))
    except (S3Error, AssertionError):
        return
    pytest.fail("noise was accepted")


def test_caches_are_bounded() -> None:
    assert signed_header_names("a" * 8193) is None
    for number in range(5000):
        signature.signing_key(f"secret{number}", "20261122", "us-east-1")
    info = signature.signing_key.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize <= 5000


def test_timestamps() -> None:
    assert parse_timestamp("20130524T000000Z") == datetime(2013, 5, 24, tzinfo=UTC).timestamp()
    for text in (
        "20130230T000000Z",
        "20130524T000000+",
        "2013-05-24T00:00Z",
        "20130524T000000z",
        "２0130524T000000Z",
    ):
        assert parse_timestamp(text) is None
