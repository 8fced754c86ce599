"""Checksums are those that botocore computes, combine as S3 combines them, and are checked as S3 checks
them."""

import base64
import hashlib
from collections.abc import Callable

import botocore.session
import pytest
from botocore.httpchecksum import _CHECKSUM_CLS
from hypothesis import given, settings
from hypothesis import strategies as st

from workspacesio.s3 import checksums, declared_checksums
from workspacesio.s3.checksums import ChecksumAlgorithm, ChecksumType, new_hasher
from workspacesio.s3.declared_checksums import DeclaredChecksum
from workspacesio.s3.error_codes import ErrorCode, S3Error

EVERY = pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
algorithms = st.sampled_from(list(ChecksumAlgorithm))

PUBLISHED = {
    # Check values of "123456789": CRC catalogue (CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME), RFC 1321.
    ChecksumAlgorithm.CRC32: "cbf43926",
    ChecksumAlgorithm.CRC32C: "e3069283",
    ChecksumAlgorithm.CRC64NVME: "ae8b14860a799888",
    ChecksumAlgorithm.MD5: "25f9e794323b453885f5181f1b624d0b",
}
PUBLISHED_EMPTY = {
    # Of no bytes, seed 0, from the xxHash specification and its reference program, in canonical byte order.
    ChecksumAlgorithm.XXHASH64: "ef46db3751d8e999",
    ChecksumAlgorithm.XXHASH3: "2d06800538d394c2",
    ChecksumAlgorithm.XXHASH128: "99aa06d3014798d86001c324468d497f",
}


def value_of(algorithm: ChecksumAlgorithm, data: bytes) -> str:
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return checksums.encode(hasher.digest())


def refuse(call: Callable[[], object]) -> S3Error:
    with pytest.raises(S3Error) as refused:
        call()
    return refused.value


# --- computing ----------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(algorithm=algorithms, pieces=st.lists(st.binary(max_size=400), max_size=5))
def test_values_are_those_of_botocore(algorithm: ChecksumAlgorithm, pieces: list[bytes]) -> None:
    hasher = new_hasher(algorithm)
    for piece in pieces:
        hasher.update(piece)
    if algorithm is ChecksumAlgorithm.MD5:  # which botocore takes as given by the caller
        expected = base64.b64encode(hashlib.md5(b"".join(pieces)).digest()).decode()
    else:
        expected = _CHECKSUM_CLS[algorithm.value.lower()]().handle(b"".join(pieces))
    assert checksums.encode(hasher.digest()) == expected
    assert len(hasher.digest()) == algorithm.digest_size


@pytest.mark.parametrize(("algorithm", "expected"), list(PUBLISHED.items()))
def test_published_check_values(algorithm: ChecksumAlgorithm, expected: str) -> None:
    hasher = new_hasher(algorithm)
    hasher.update(b"123456789")
    assert hasher.digest().hex() == expected


@pytest.mark.parametrize(("algorithm", "expected"), list(PUBLISHED_EMPTY.items()))
def test_published_values_of_nothing(algorithm: ChecksumAlgorithm, expected: str) -> None:
    assert new_hasher(algorithm).digest().hex() == expected


@EVERY
def test_every_kind_of_buffer_is_taken(algorithm: ChecksumAlgorithm) -> None:
    expected = value_of(algorithm, b"bcd")
    backing = bytearray(b"abcde")
    for buffer in (b"bcd", bytearray(b"bcd"), memoryview(b"abcde")[1:4], memoryview(backing)[1:4]):
        hasher = new_hasher(algorithm)
        hasher.update(buffer)
        assert checksums.encode(hasher.digest()) == expected


def test_algorithms_headers_and_elements_are_those_of_the_service() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    assert {a.value for a in ChecksumAlgorithm} == set(model.shape_for("ChecksumAlgorithm").enum)
    assert {t.value for t in ChecksumType} == set(model.shape_for("ChecksumType").enum)
    members = model.operation_model("PutObject").input_shape.members
    for algorithm in ChecksumAlgorithm:
        assert members[algorithm.element].serialization["name"].lower() == algorithm.header


# --- objects uploaded in parts ------------------------------------------------------------------------------


def test_types_by_algorithm() -> None:
    both = {ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C}
    for algorithm in ChecksumAlgorithm:
        default = declared_checksums.multipart_type(algorithm, None)
        whole_only = algorithm is ChecksumAlgorithm.CRC64NVME
        assert default is (ChecksumType.FULL_OBJECT if whole_only else ChecksumType.COMPOSITE)
        for requested in ChecksumType:
            if requested is default or algorithm in both:
                assert declared_checksums.multipart_type(algorithm, requested.lower()) is requested
            else:
                error = refuse(lambda a=algorithm, r=requested: declared_checksums.multipart_type(a, r))
                assert error.code is ErrorCode.InvalidRequest
    assert refuse(lambda: declared_checksums.multipart_type(ChecksumAlgorithm.CRC32, "PARTIAL")).code is (
        ErrorCode.InvalidRequest
    )


@settings(max_examples=200, deadline=None)
@given(
    algorithm=st.sampled_from([ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME]),
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=6),
)
def test_combined_value_is_that_of_all_bytes(algorithm: ChecksumAlgorithm, parts: list[bytes]) -> None:
    values = [(value_of(algorithm, part), len(part)) for part in parts]
    assert checksums.combined_value(algorithm, values) == value_of(algorithm, b"".join(parts))


@EVERY
def test_composite_value_is_the_checksum_of_the_digests(algorithm: ChecksumAlgorithm) -> None:
    parts = [value_of(algorithm, part) for part in (b"one", b"two", b"")]
    digests = b"".join(base64.b64decode(part) for part in parts)
    assert checksums.composite_value(algorithm, parts) == f"{value_of(algorithm, digests)}-3"


def test_hashes_cannot_be_combined() -> None:
    with pytest.raises(KeyError):
        checksums.combined_value(ChecksumAlgorithm.SHA256, [(value_of(ChecksumAlgorithm.SHA256, b""), 0)])


# --- what a request declares --------------------------------------------------------------------------------


@EVERY
def test_header_with_a_value(algorithm: ChecksumAlgorithm) -> None:
    value = value_of(algorithm, b"abc")
    headers = {algorithm.header: value, "x-amz-sdk-checksum-algorithm": algorithm.value.lower()}
    assert declared_checksums.declared_checksum(headers) == DeclaredChecksum(algorithm, value)


@EVERY
def test_trailer_is_announced(algorithm: ChecksumAlgorithm) -> None:
    headers = {"x-amz-trailer": algorithm.header.upper(), "x-amz-sdk-checksum-algorithm": algorithm.value}
    assert declared_checksums.declared_checksum(headers) == DeclaredChecksum(algorithm, None)


@pytest.mark.parametrize("headers", [{}, {"x-amz-checksum-mode": "ENABLED", "x-amz-checksum-type": "COMPOSITE"}])
def test_no_checksum(headers: dict[str, str]) -> None:
    assert declared_checksums.declared_checksum(headers) is None


CRC32 = {"x-amz-checksum-crc32": "AAAAAA=="}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({**CRC32, "x-amz-checksum-crc32c": "AAAAAA=="}, "Multiple checksum Types"),
        ({**CRC32, "x-amz-trailer": "x-amz-checksum-crc32"}, "Multiple checksum Types"),
        ({"x-amz-trailer": "x-amz-meta-a"}, "x-amz-trailer header is not supported"),
        ({"x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1"}, "x-amz-trailer header is not supported"),
        ({"x-amz-trailer": ""}, "x-amz-trailer header is not supported"),
        ({"x-amz-checksum-crc16": "AAA="}, "algorithm type you specified"),
        ({**CRC32, "x-amz-sdk-checksum-algorithm": "SHA1"}, "Value for x-amz-sdk-checksum-algorithm"),
        ({**CRC32, "x-amz-sdk-checksum-algorithm": "CRC16"}, "algorithm provided is unsupported"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "no corresponding x-amz-checksum-"),
        ({"x-amz-checksum-crc32": "AAAAAA==,AAAAAA=="}, "Value for x-amz-checksum-crc32 header is invalid."),
    ],
)
def test_contradictions_are_refused(headers: dict[str, str], message: str) -> None:
    error = refuse(lambda: declared_checksums.declared_checksum(headers))
    assert error.code is ErrorCode.InvalidRequest
    assert message in error.message


@EVERY
@pytest.mark.parametrize("bad", ["", "=", "AAAA", "AA=A", "AAAAAA", "A" * 100, "ÄÄÄÄ", "AAAA\nAA==", "AAAAAA==-1"])
def test_values_that_are_none(algorithm: ChecksumAlgorithm, bad: str) -> None:
    error = refuse(lambda: declared_checksums.declared_checksum({algorithm.header: bad}))
    assert error.code is ErrorCode.InvalidRequest
    assert error.message == f"Value for {algorithm.header} header is invalid."


def test_trailing_value_says_so() -> None:
    error = refuse(lambda: declared_checksums.parse_value(ChecksumAlgorithm.CRC32, "x", where="trailing header"))
    assert error.message == "Value for x-amz-checksum-crc32 trailing header is invalid."


@pytest.mark.parametrize(
    ("text", "checksum_type", "accepted"),
    [
        ("AAAAAA==", ChecksumType.COMPOSITE, True),
        ("AAAAAA==-1", ChecksumType.COMPOSITE, True),
        ("AAAAAA==-10000", ChecksumType.COMPOSITE, True),
        ("AAAAAA==-0", ChecksumType.COMPOSITE, False),
        ("AAAAAA==-", ChecksumType.COMPOSITE, False),
        ("AAAAAA==-1-1", ChecksumType.COMPOSITE, False),
        ("AAAAAA==", ChecksumType.FULL_OBJECT, True),
        ("AAAAAA==-1", ChecksumType.FULL_OBJECT, False),
        ("AAA=-1", ChecksumType.COMPOSITE, False),
    ],
)
def test_value_for_a_completed_upload(text: str, checksum_type: ChecksumType, *, accepted: bool) -> None:
    def parse() -> str:
        return declared_checksums.parse_object_value(ChecksumAlgorithm.CRC32, text, checksum_type)

    if accepted:
        assert parse() == text
    else:
        assert refuse(parse).code is ErrorCode.InvalidRequest


@EVERY
def test_body_must_have_the_declared_checksum(algorithm: ChecksumAlgorithm) -> None:
    hasher = new_hasher(algorithm)
    hasher.update(b"abc")
    declared_checksums.check(algorithm, value_of(algorithm, b"abc"), hasher)
    error = refuse(lambda: declared_checksums.check(algorithm, value_of(algorithm, b"abd"), hasher))
    assert error.code is ErrorCode.BadDigest
    assert algorithm.value in error.message


def test_content_md5() -> None:
    digest = hashlib.md5(b"abc").digest()
    assert declared_checksums.parse_content_md5(base64.b64encode(digest).decode()) == digest
    declared_checksums.check_content_md5(digest, digest)
    error = refuse(lambda: declared_checksums.check_content_md5(digest, hashlib.md5(b"abd").digest()))
    assert error.code is ErrorCode.BadDigest
    assert error.fields["ExpectedDigest"] == "kAFQmDzST7DWlj99KOF/cg=="


@pytest.mark.parametrize("bad", ["", "abc", hashlib.md5(b"abc").hexdigest(), "AAAA", "ü" * 24, "A" * 5000])
def test_content_md5_that_is_none(bad: str) -> None:
    assert refuse(lambda: declared_checksums.parse_content_md5(bad)).code is ErrorCode.InvalidDigest
