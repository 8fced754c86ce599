"""Nothing of a signed request can be changed: not one part, not by one character."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3.signed_requests import HOST, NOW, SECRET, TOKEN, Received, check, presign, sign_headers
from workspacesio.s3.error_codes import ErrorCode, S3Error

URL = f"http://{HOST}/bucket/Some%20key/%C3%BC%2B1.txt?prefix=a%2Fb&max-keys=7&empty="
HEADERS = [("x-amz-meta-owner", "alice"), ("range", "bytes=0-9")]
BY_HEADER = sign_headers(URL, headers=HEADERS)
BY_LINK = presign(URL, headers=HEADERS)
REQUESTS = pytest.mark.parametrize("request_", [BY_HEADER, BY_LINK], ids=["header", "link"])

requests = st.sampled_from([BY_HEADER, BY_LINK])
characters = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


def refuse(request: Received) -> S3Error:
    with pytest.raises(S3Error) as refused:
        check(request)
    assert refused.value.status in (400, 403)
    shown = repr(refused.value.fields) + str(refused.value)
    assert SECRET not in shown
    assert TOKEN not in shown
    return refused.value


@REQUESTS
def test_unchanged_request_is_accepted(request_: Received) -> None:
    check(request_)


@REQUESTS
@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "POST", "get"])
def test_method(request_: Received, method: str) -> None:
    assert refuse(replace(request_, method=method)).code is ErrorCode.SignatureDoesNotMatch


@settings(max_examples=300, deadline=None)
@given(request=requests, data=st.data())
def test_path(request: Received, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(request.path) - 1))
    inserted = data.draw(st.one_of(characters, st.sampled_from(["", "/", "//", "/../", "/./", "%2F", "\ufffd"])))
    keep = data.draw(st.booleans())
    path = request.path[:at] + inserted + request.path[at + (not keep) :]
    if path != request.path:
        assert refuse(replace(request, path=path)).code is ErrorCode.SignatureDoesNotMatch


@settings(max_examples=600, deadline=None)
@given(request=requests, data=st.data())
def test_query(request: Received, data: st.DataObject) -> None:
    query = request.query_string
    at = data.draw(st.integers(0, len(query) - 1))
    inserted = data.draw(st.one_of(characters, st.just("")))
    keep = data.draw(st.booleans())
    changed = query[:at] + inserted + query[at + (not keep) :]
    if meaning(changed) != meaning(query):
        refuse(replace(request, query_string=changed))


def meaning(query: str) -> object:
    from workspacesio.s3.canonical_request import RequestQuery

    try:
        return RequestQuery(query).canonical()
    except S3Error:
        return None


@REQUESTS
@pytest.mark.parametrize("added", ["&acl", "&prefix=", "&versionId=1", "&prefix=a%2Fb", "&x-amz-acl=public-read"])
def test_added_parameter(request_: Received, added: str) -> None:
    changed = replace(request_, query_string=request_.query_string + added)
    assert refuse(changed).code is ErrorCode.SignatureDoesNotMatch


@settings(max_examples=300, deadline=None)
@given(request=requests, data=st.data())
def test_signed_header(request: Received, data: st.DataObject) -> None:
    signed = [item for item in request.header_items if item[0] != "authorization"]
    name, value = data.draw(st.sampled_from(signed))
    at = data.draw(st.integers(0, len(value) - 1))
    changed = value[:at] + data.draw(st.one_of(characters, st.just(""))) + value[at + 1 :]
    if changed != value:
        refuse(request.with_header(name, changed))


@REQUESTS
def test_removed_header(request_: Received) -> None:
    for name in dict(request_.header_items):
        if name == "authorization":
            continue
        refuse(request_.without_header(name))


@REQUESTS
@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-meta-more", "x-amz-copy-source", "x-amz-tagging"])
def test_added_amz_header(request_: Received, name: str) -> None:
    error = refuse(request_.with_header(name, "anything"))
    assert error.code is ErrorCode.AccessDenied
    assert error.fields == {"HeadersNotSigned": name}


def test_header_added_to_a_link_cannot_change_how_the_body_is_read() -> None:
    added = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert refuse(BY_LINK.with_header(*added)).code is ErrorCode.AccessDenied


@REQUESTS
def test_repeated_header(request_: Received) -> None:
    for item in request_.header_items:
        refuse(replace(request_, header_items=(*request_.header_items, item)))


def test_header_outside_the_signature_may_be_added() -> None:
    for request in (BY_HEADER, BY_LINK):
        check(request.with_header("user-agent", "anything"))
        check(request.with_header("x-amzn-trace-id", "Root=1-2-3"))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_authorization_header(data: st.DataObject) -> None:
    value = dict(BY_HEADER.header_items)["authorization"]
    start = value.index("/")  # the access key id decides on the secret, which is not looked up here
    at = data.draw(st.integers(start, len(value) - 1))
    changed = value[:at] + data.draw(st.one_of(characters, st.just(""))) + value[at + 1 :]
    if changed.replace(" ", "") != value.replace(" ", ""):
        refuse(BY_HEADER.with_header("authorization", changed))


def test_every_digit_of_the_signature_counts() -> None:
    value = dict(BY_HEADER.header_items)["authorization"]
    for at in range(len(value) - 64, len(value)):
        changed = value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :]
        error = refuse(BY_HEADER.with_header("authorization", changed))
        assert error.code is ErrorCode.SignatureDoesNotMatch


def test_signature_of_another_moment_is_refused() -> None:
    earlier = sign_headers(URL, headers=HEADERS, at=NOW - 60)
    replayed = BY_HEADER.with_header("x-amz-date", dict(earlier.header_items)["x-amz-date"])
    assert refuse(replayed).code is ErrorCode.SignatureDoesNotMatch


def test_token_of_another_credential_is_refused() -> None:
    assert refuse(BY_HEADER.with_header("x-amz-security-token", "other")).code is ErrorCode.SignatureDoesNotMatch


def test_error_shows_the_canonical_request_but_not_the_token() -> None:
    for request in (BY_HEADER, BY_LINK):
        error = refuse(replace(request, method="PUT"))
        assert error.fields["CanonicalRequest"].startswith("PUT\n/bucket/Some%20key/%C3%BC%2B1.txt\n")
        assert "(token)" in error.fields["CanonicalRequest"]
        assert "FwoGZXIv" not in repr(error.fields)
