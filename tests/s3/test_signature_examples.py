"""The worked examples that Amazon publishes in the S3 API reference come out as printed there.

Pages "Transferring Payload in a Single Chunk" and "Authenticating Requests: Using Query Parameters". The
chunked examples are in test_streaming_body.py.
"""

from datetime import UTC, datetime

import pytest

from s3.signed_requests import Received, check
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.signature import signing_key

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HOST = ("host", "examplebucket.s3.amazonaws.com")
DATE = ("x-amz-date", "20130524T000000Z")
CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"


def authorization(signed_headers: str, signature: str) -> tuple[str, str]:
    components = f"Credential={CREDENTIAL},SignedHeaders={signed_headers},Signature={signature}"
    return ("authorization", f"AWS4-HMAC-SHA256 {components}")


GET_OBJECT = Received(
    "GET",
    "/test.txt",
    "",
    (
        HOST,
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", EMPTY),
        DATE,
        authorization(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ),
)
PUT_OBJECT = Received(
    "PUT",
    "/test$file.text",
    "",
    (
        HOST,
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        DATE,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
        authorization(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    ),
)
GET_LIFECYCLE = Received(
    "GET",
    "/",
    "lifecycle",
    (
        HOST,
        DATE,
        ("x-amz-content-sha256", EMPTY),
        authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
    ),
)
LIST_OBJECTS = Received(
    "GET",
    "/",
    "max-keys=2&prefix=J",
    (
        HOST,
        DATE,
        ("x-amz-content-sha256", EMPTY),
        authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ),
)
PRESIGNED_GET = Received(
    "GET",
    "/test.txt",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    (HOST,),
)
EXAMPLES = [GET_OBJECT, PUT_OBJECT, GET_LIFECYCLE, LIST_OBJECTS, PRESIGNED_GET]


@pytest.mark.parametrize("request_", EXAMPLES, ids=["get", "put", "lifecycle", "list", "presigned"])
def test_published_example_is_accepted(request_: Received) -> None:
    parsed = check(request_, now=NOW, secret=SECRET)
    assert parsed.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert parsed.scope == "20130524/us-east-1/s3/aws4_request"


@pytest.mark.parametrize("request_", EXAMPLES, ids=["get", "put", "lifecycle", "list", "presigned"])
def test_published_example_is_refused_with_another_secret(request_: Received) -> None:
    with pytest.raises(S3Error) as refused:
        check(request_, now=NOW, secret=SECRET[:-1] + "X")
    assert refused.value.code is ErrorCode.SignatureDoesNotMatch


def test_error_shows_the_string_to_sign_of_the_published_example() -> None:
    with pytest.raises(S3Error) as refused:
        check(GET_OBJECT, now=NOW, secret="another")
    assert refused.value.fields["StringToSign"] == (
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    assert refused.value.fields["CanonicalRequest"].startswith("GET\n/test.txt\n\nhost:examplebucket")


def test_signing_key_is_derived_as_amazon_derives_it() -> None:
    # "Deriving the signing key" in the AWS General Reference, with the service changed to s3 by the formula.
    import hashlib
    import hmac

    def step(key: bytes, text: str) -> bytes:
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    expected = step(step(step(step(b"AWS4" + SECRET.encode(), "20130524"), "us-east-1"), "s3"), "aws4_request")
    assert signing_key(SECRET, "20130524", "us-east-1") == expected
    assert signing_key(SECRET, "20130524", "eu-west-1") != expected
