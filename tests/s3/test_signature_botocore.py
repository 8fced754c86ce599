"""What botocore signs is accepted, whatever the key, the parameters and the headers are called."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3.signed_requests import (
    ACCESS_KEY_ID,
    HOST,
    NOW,
    TOKEN,
    Received,
    check,
    parse,
    presign,
    sign_headers,
)
from workspacesio.s3.canonical_request import RequestQuery
from workspacesio.s3.error_codes import S3Error
from workspacesio.s3.signature_fields import PayloadMode

nasty = st.sampled_from(
    [
        "",
        "+",
        " ",
        "%2F",
        "%",
        "//",
        "..",
        "../",
        "a%20b",
        "?",
        "#",
        "&=",
        "*",
        "${aws:username}",
        "ü",
        "\0",
        "\n",
        "~",
    ]
)
names = st.lists(st.one_of(nasty, st.text(max_size=12)), min_size=1, max_size=6).map("".join)
keys = st.lists(names, min_size=1, max_size=4).map("/".join)
pairs = st.lists(st.tuples(names, names), max_size=5)
methods = st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"])
header_values = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
meta_headers = st.lists(
    st.tuples(
        st.sampled_from(["x-amz-meta-a", "X-Amz-Meta-B", "x-amz-acl", "Content-Type", "range"]), header_values
    ),
    max_size=4,
)


def encoded(text: str, safe: str = "-_.~") -> str:
    return quote(text, safe=safe)


def url_of(key: str, parameters: list[tuple[str, str]]) -> str:
    query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in parameters if name or value)
    return f"http://{HOST}/bucket/{encoded(key, '/-_.~')}" + (f"?{query}" if query else "")


@settings(max_examples=1500, deadline=None)
@given(method=methods, key=keys, parameters=pairs, headers=meta_headers, body=st.binary(max_size=20))
def test_signed_headers_are_accepted(
    method: str, key: str, parameters: list[tuple[str, str]], headers: list[tuple[str, str]], body: bytes
) -> None:
    request = sign_headers(url_of(key, parameters), method=method, headers=headers, body=body)
    assert request.path == f"/bucket/{key}"
    parsed = check(request)
    assert (parsed.access_key_id, parsed.security_token) == (ACCESS_KEY_ID, TOKEN)
    assert parsed.signed_at == NOW
    assert not parsed.presigned
    query = RequestQuery(request.query_string)
    assert query.pairs == [(name, value) for name, value in parameters if name or value]


@settings(max_examples=1500, deadline=None)
@given(method=methods, key=keys, parameters=pairs, headers=meta_headers)
def test_presigned_links_are_accepted(
    method: str, key: str, parameters: list[tuple[str, str]], headers: list[tuple[str, str]]
) -> None:
    request = presign(url_of(key, parameters), method=method, headers=headers, expires=60)
    parsed = check(request)
    assert (parsed.access_key_id, parsed.security_token) == (ACCESS_KEY_ID, TOKEN)
    assert (parsed.signed_at, parsed.expires_at) == (NOW, NOW + 60)
    assert parsed.payload_mode is PayloadMode.UNSIGNED


def other_spelling(text: str, draw: st.DrawFn) -> str:
    """A value as another client may put it on the wire: the same meaning, other escapes."""
    written = []
    for byte in text.encode():
        forms = [f"%{byte:02X}", f"%{byte:02x}"]
        if byte == 0x20:
            forms.append("+")
        if chr(byte).isalnum() and byte < 0x80:
            forms.append(chr(byte))
        if byte in b"-_.~/:@!$'()*,;":
            forms.append(chr(byte))
        written.append(draw(st.sampled_from(forms)))
    return "".join(written)


@st.composite
def respelled(draw: st.DrawFn) -> tuple[list[tuple[str, str]], str]:
    parameters = draw(st.lists(st.tuples(names.filter(bool), names), min_size=1, max_size=4))
    pieces = []
    for name, value in draw(st.permutations(parameters)):
        bare = value == "" and draw(st.booleans())
        pieces.append(other_spelling(name, draw) + ("" if bare else "=" + other_spelling(value, draw)))
    return parameters, "&".join(pieces) + draw(st.sampled_from(["", "&", "&&"]))


@settings(max_examples=1000, deadline=None)
@given(respelled())
def test_query_means_the_same_however_it_is_spelled(case: tuple[list[tuple[str, str]], str]) -> None:
    parameters, on_the_wire = case
    request = sign_headers(url_of("key", parameters))
    check(Received(request.method, request.path, on_the_wire, request.header_items))
    assert sorted(RequestQuery(on_the_wire).pairs) == sorted(parameters)


def test_plus_is_a_space_and_an_escaped_plus_is_none() -> None:
    query = RequestQuery("prefix=a+b%2Bc%20d&empty&=x&twice=2&twice=1")
    assert query.get("prefix") == "a b+c d"
    assert query.get("empty") == ""
    assert query.get_all("twice") == ["2", "1"]
    assert "absent" not in query
    assert query.canonical() == "=x&empty=&prefix=a%20b%2Bc%20d&twice=1&twice=2"


def test_parameters_are_sorted_by_name_before_value() -> None:
    # '-' sorts before '=', so sorting whole pieces would put a-b first.
    assert RequestQuery("a-b=1&a=2").canonical() == "a=2&a-b=1"


def test_equals_sign_in_a_value_is_encoded() -> None:
    assert RequestQuery("token=abc==").canonical() == "token=abc%3D%3D"


@pytest.mark.parametrize("query", ["a=%", "a=%2", "a=%zz", "%G0=1", "a=%FF", "%C3=1"])
def test_query_that_is_no_text_is_refused(query: str) -> None:
    with pytest.raises(S3Error, match="InvalidURI"):
        RequestQuery(query)


def test_repeated_headers_are_joined_in_their_order() -> None:
    request = sign_headers(url_of("k", []), headers=[("x-amz-meta-a", "2"), ("X-Amz-Meta-A", "1  x")])
    check(request)
    swapped = [item for item in request.header_items if item[0] != "x-amz-meta-a"]
    swapped += [("x-amz-meta-a", "1  x"), ("x-amz-meta-a", "2")]
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        check(Received(request.method, request.path, request.query_string, tuple(swapped)))


def test_inner_white_space_of_headers_may_be_folded_on_the_way() -> None:
    request = sign_headers(url_of("k", []), headers=[("x-amz-meta-a", "  one   two\t three ")])
    check(request.with_header("x-amz-meta-a", "one two three"))


@pytest.mark.parametrize("host", ["127.0.0.1:8101", "data.example.org", "[::1]:8101"])
def test_host_is_signed_with_its_port(host: str) -> None:
    request = sign_headers(f"http://{host}/bucket/key")
    check(request)
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        check(request.with_header("host", host + "1"))


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-2", "local", "other_1"])
def test_any_region_is_accepted_unless_one_is_demanded(region: str) -> None:
    request = sign_headers(url_of("k", []), region=region)
    assert check(request).region == region
    check(request, region=region)
    for refused in (request, presign(url_of("k", []), region=region)):
        with pytest.raises(S3Error, match="is wrong; expecting 'elsewhere'") as error:
            check(refused, region="elsewhere")
        assert error.value.fields == {"Region": "elsewhere"}


def test_credentials_without_a_token_parse_without_one() -> None:
    assert check(sign_headers(url_of("k", []), token=None)).security_token is None
    assert check(presign(url_of("k", []), token=None)).security_token is None


def test_request_without_a_signature_is_anonymous() -> None:
    assert parse(Received("GET", "/bucket/key", "prefix=a", (("host", HOST),))) is None


def test_body_modes_are_told_apart() -> None:
    request = sign_headers(url_of("k", []), method="PUT", body=b"abc")
    parsed = check(request)
    assert parsed.payload_mode is PayloadMode.HASHED
    assert parsed.payload_sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert check(presign(url_of("k", []))).payload_sha256 is None
    for mode in PayloadMode:
        if mode is not PayloadMode.HASHED:
            declared = parse(request.with_header("x-amz-content-sha256", mode.value))
            assert declared is not None
            assert declared.payload_mode is mode
            assert declared.payload_mode.chunked is mode.value.startswith("STREAMING-")


def test_presigned_link_may_sign_the_hash_of_the_body() -> None:
    url = f"{url_of('k', [])}?X-Amz-Content-Sha256={'ab' * 32}"
    # botocore always signs UNSIGNED-PAYLOAD in links, so this one is signed with the payload put in its place.
    from unittest.mock import patch

    with patch("botocore.auth.S3SigV4QueryAuth.payload", lambda *_: "ab" * 32):
        in_query = presign(url)
        in_header = presign(url_of("k", []), headers=[("x-amz-content-sha256", "ab" * 32)])
    for request in (in_query, in_header):
        assert check(request).payload_sha256 == "ab" * 32
