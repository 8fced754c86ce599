"""aws-chunked bodies come out whole, however they arrive in pieces, and are refused when anything is
changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from workspacesio.s3.canonical_request import RequestQuery, fold_headers
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.signature import parse_authorization, signing_key, verify
from workspacesio.s3.signature_fields import PayloadMode, parse_timestamp
from workspacesio.s3.streaming_body import (
    MAX_SMALL_CHUNKS,
    ChunkedDecoder,
    ChunkSigning,
    chunked_decoder,
    decoded_length,
    stored_content_encoding,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = "20130524/us-east-1/s3/aws4_request"
TIMESTAMP = "20130524T000000Z"
SEED = "5e" * 32
SIGNING = ChunkSigning(SEED, signing_key(SECRET, "20130524", "us-east-1"), SCOPE, TIMESTAMP)
CRC = "x-amz-checksum-crc32"

SIGNED = PayloadMode.SIGNED_CHUNKS
SIGNED_TRAILER = PayloadMode.SIGNED_CHUNKS_TRAILER
UNSIGNED_TRAILER = PayloadMode.UNSIGNED_CHUNKS_TRAILER
MODES = [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER]


CUT_SHORT = "The request body terminated unexpectedly."


def crc32(payload: bytes) -> str:
    checksum = Crc32Checksum()
    checksum.update(payload)
    return str(checksum.b64digest())


def sign(algorithm: str, previous: str, *hashes: str) -> str:
    text = "\n".join((algorithm, TIMESTAMP, SCOPE, previous, *hashes))
    return hmac.new(SIGNING.key, text.encode(), hashlib.sha256).hexdigest()


def encode(
    mode: PayloadMode, chunks: list[bytes], trailers: dict[str, str] | None = None, *, line_end: bytes = b"\r\n"
) -> bytes:
    """A body as the API reference describes it. `line_end`: what follows a trailer (minio-go: LF CRLF)."""
    out = []
    previous = SEED
    for chunk in [*chunks, b""]:
        line = f"{len(chunk):x}"
        if mode is not UNSIGNED_TRAILER:
            empty = hashlib.sha256().hexdigest()
            previous = sign("AWS4-HMAC-SHA256-PAYLOAD", previous, empty, hashlib.sha256(chunk).hexdigest())
            line += f";chunk-signature={previous}"
        out.append(line.encode() + b"\r\n" + chunk + (b"\r\n" if chunk else b""))
    lines = [f"{name}:{value}".encode() for name, value in sorted((trailers or {}).items())]
    out += [line + line_end for line in lines]
    if mode is SIGNED_TRAILER:
        hashed = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
        out.append(b"x-amz-trailer-signature:" + sign("AWS4-HMAC-SHA256-TRAILER", previous, hashed).encode())
        out.append(b"\r\n")
    return b"".join(out) + b"\r\n"


@dataclass
class Body:
    mode: PayloadMode
    payload: bytes
    wire: bytes

    def decoder(self) -> ChunkedDecoder:
        names = frozenset() if self.mode is SIGNED else frozenset({CRC})
        return ChunkedDecoder(self.mode, SIGNING, decoded_length=len(self.payload), trailer_names=names)


def body(mode: PayloadMode, *chunks: bytes) -> Body:
    payload = b"".join(chunks)
    trailers = None if mode is SIGNED else {CRC: crc32(payload)}
    return Body(mode, payload, encode(mode, list(chunks), trailers))


def decode(decoder: ChunkedDecoder, *pieces: bytes) -> bytes:
    decoded = bytearray()
    for piece in pieces:
        for view in decoder.feed(piece):
            decoded += view
    decoder.finish()
    return bytes(decoded)


def refuse(decoder: ChunkedDecoder, *pieces: bytes) -> S3Error:
    with pytest.raises(S3Error) as refused:
        decode(decoder, *pieces)
    return refused.value


# --- the published examples ---------------------------------------------------------------------------------

EXAMPLE_HEADERS = (
    ("host", "s3.amazonaws.com"),
    ("x-amz-date", TIMESTAMP),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
)
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/" + SCOPE


def published(headers: tuple[tuple[str, str], ...], signature: str) -> ChunkedDecoder:
    """The decoder for a published request, whose seed signature is verified first."""
    names = ";".join(sorted(name for name, _ in headers))
    authorization = f"{CREDENTIAL},SignedHeaders={names},Signature={signature}"
    folded = fold_headers((*headers, ("authorization", authorization)))
    query = RequestQuery("")
    now = parse_timestamp(TIMESTAMP)
    assert now is not None
    parsed = parse_authorization(query, folded, now=now)
    assert parsed is not None
    verify(parsed, SECRET, method="PUT", path="/examplebucket/chunkObject.txt", query=query, headers=folded)
    return chunked_decoder(parsed, SECRET, folded)


def test_published_chunked_upload() -> None:
    decoder = published(
        (*EXAMPLE_HEADERS, ("x-amz-content-sha256", SIGNED.value), ("content-length", "66824")),
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )
    wire = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )
    assert len(wire) == 66824
    assert decode(decoder, wire) == b"a" * 66560


def test_published_chunked_upload_with_a_trailer() -> None:
    headers = (
        *EXAMPLE_HEADERS,
        ("x-amz-content-sha256", SIGNED_TRAILER.value),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    )
    decoder = published(headers, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
    wire = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        + b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    assert decode(decoder, wire) == b"a" * 66560
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


# --- however it arrives -------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    kind=st.sampled_from([bytes, bytearray, memoryview]),
)
def test_any_division_gives_the_same(mode: PayloadMode, chunks: list[bytes], cuts: list[int], kind: type) -> None:
    sent = body(mode, *chunks)
    places = sorted({0, *(min(cut, len(sent.wire)) for cut in cuts), len(sent.wire)})
    pieces = [kind(sent.wire[a:b]) for a, b in pairwise(places)]
    decoder = sent.decoder()
    assert decode(decoder, *pieces) == sent.payload
    assert decoder.trailers == ({} if mode is SIGNED else {CRC: crc32(sent.payload)})


@pytest.mark.parametrize("mode", MODES)
def test_byte_by_byte(mode: PayloadMode) -> None:
    sent = body(mode, b"x" * 100, b"\r\n0\r\n\r\n", b"y")
    assert decode(sent.decoder(), *(bytes([byte]) for byte in sent.wire)) == sent.payload


@pytest.mark.parametrize("size", [0, 1, 1023, 5000])
def test_what_botocore_sends(size: int) -> None:
    payload = b"q" * size
    wire = AwsChunkedWrapper(io.BytesIO(payload), Crc32Checksum, CRC, chunk_size=1024).read()
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=size, trailer_names=frozenset({CRC}))
    assert decode(decoder, wire) == payload
    assert decoder.trailers == {CRC: crc32(payload)}
    bare = AwsChunkedWrapper(io.BytesIO(payload), chunk_size=1024).read()
    assert decode(ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=size), bare) == payload


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_what_minio_go_sends(mode: PayloadMode) -> None:
    payload = b"m" * 3000
    sent = Body(mode, payload, encode(mode, [payload], {CRC: crc32(payload)}, line_end=b"\n\r\n"))
    decoder = sent.decoder()
    assert decode(decoder, sent.wire) == payload
    assert decoder.trailers == {CRC: crc32(payload)}


def test_payload_is_given_out_as_views_of_what_came() -> None:
    data = bytearray(body(UNSIGNED_TRAILER, b"abc" * 1000).wire)
    (view,) = body(UNSIGNED_TRAILER, b"abc" * 1000).decoder().feed(data)
    assert view.obj is data


def test_trailer_names_are_caseless_and_values_trimmed() -> None:
    wire = b"1\r\nx\r\n0\r\nX-Amz-Checksum-CRC32: AAAA \r\n\r\n"
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=1, trailer_names=frozenset({CRC}))
    assert decode(decoder, wire) == b"x"
    assert decoder.trailers == {CRC: "AAAA"}


# --- what is refused ----------------------------------------------------------------------------------------


@settings(max_examples=800, deadline=None)
@given(mode=st.sampled_from([SIGNED, SIGNED_TRAILER]), data=st.data())
def test_any_changed_byte_is_refused_where_chunks_are_signed(mode: PayloadMode, data: st.DataObject) -> None:
    sent = body(mode, b"first" * 20, b"second" * 30)
    at = data.draw(st.integers(0, len(sent.wire) - 1))
    changed = bytearray(sent.wire)
    changed[at] ^= data.draw(st.integers(1, 255))
    decoder = sent.decoder()
    try:
        decoded = decode(decoder, bytes(changed))
    except S3Error:
        return
    # Only what isn't content may differ: hexadecimal and names have two cases, white space is free.
    assert decoded == sent.payload
    assert decoder.trailers == ({} if mode is SIGNED else {CRC: crc32(sent.payload)})
    assert bytes(changed).lower().split() == sent.wire.lower().split()


@pytest.mark.parametrize("mode", MODES)
def test_every_truncation_is_refused(mode: PayloadMode) -> None:
    sent = body(mode, b"first" * 20, b"second" * 30)
    for length in range(len(sent.wire)):
        assert refuse(sent.decoder(), sent.wire[:length]).code is ErrorCode.IncompleteBody


@pytest.mark.parametrize("mode", MODES)
def test_anything_behind_the_end_is_refused(mode: PayloadMode) -> None:
    sent = body(mode, b"abc")
    for more in (b"\r\n", b"x", sent.wire):
        assert refuse(sent.decoder(), sent.wire + more).code is ErrorCode.IncompleteBody
        assert refuse(sent.decoder(), sent.wire, more).code is ErrorCode.IncompleteBody


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("difference", [-1, 1, 1000])
def test_length_must_be_as_declared(mode: PayloadMode, difference: int) -> None:
    sent = body(mode, b"abc" * 1000)
    names = frozenset() if mode is SIGNED else frozenset({CRC})
    declared = len(sent.payload) + difference
    decoder = ChunkedDecoder(mode, SIGNING, decoded_length=declared, trailer_names=names)
    assert refuse(decoder, sent.wire).code is ErrorCode.IncompleteBody


def test_more_than_declared_is_refused_before_it_is_given_out() -> None:
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=10)
    with pytest.raises(S3Error):
        decoder.feed(b"ffffffffffffffff\r\n" + b"x" * 100)


def test_chunks_in_another_order_are_refused() -> None:
    sent = body(SIGNED, b"a" * 50, b"b" * 50)
    line = len(b"32;chunk-signature=" + b"0" * 64 + b"\r\n")
    one, two, rest = sent.wire[: line + 52], sent.wire[line + 52 : 2 * (line + 52)], sent.wire[2 * (line + 52) :]
    assert decode(sent.decoder(), one + two + rest) == sent.payload
    assert refuse(sent.decoder(), two + one + rest).code is ErrorCode.SignatureDoesNotMatch
    assert refuse(sent.decoder(), one + one + rest).code is ErrorCode.SignatureDoesNotMatch
    assert refuse(sent.decoder(), one + rest).code is ErrorCode.SignatureDoesNotMatch


def test_chunks_of_another_request_are_refused() -> None:
    sent = body(SIGNED, b"a" * 50)
    other = SIGNING._replace(seed="6f" * 32)
    decoder = ChunkedDecoder(SIGNED, other, decoded_length=50)
    assert refuse(decoder, sent.wire).code is ErrorCode.SignatureDoesNotMatch


def test_signed_mode_takes_no_unsigned_chunks() -> None:
    unsigned = body(UNSIGNED_TRAILER, b"abc")
    decoder = ChunkedDecoder(SIGNED_TRAILER, SIGNING, decoded_length=3, trailer_names=frozenset({CRC}))
    assert refuse(decoder, unsigned.wire).code is ErrorCode.IncompleteBody


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"-1",
        b"+1",
        b"0x1",
        b" 1",
        b"1 ",
        b"g",
        b"1;a=b",
        b"1;chunk-signature=00",
        b"1" * 17,
        b"1\n",
        "１".encode(),
    ],
)
def test_malformed_chunk_lines(line: bytes) -> None:
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=1)
    assert refuse(decoder, line + b"\r\nx\r\n0\r\n\r\n").code is ErrorCode.IncompleteBody


@pytest.mark.parametrize("piece", [1, 100, 100_000])
def test_endless_framing_is_refused_early(piece: int) -> None:
    for start, limit in ((b"", 1000), (b"0\r\n", 20_000)):
        decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=5)
        decoder.feed(start)
        assert refuse(decoder, *[b"1" * piece] * (limit // piece + 1)).message != CUT_SHORT


def test_data_must_end_with_crlf() -> None:
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=2)
    assert refuse(decoder, b"1\r\nx\n\n1\r\ny\r\n0\r\n\r\n").code is ErrorCode.IncompleteBody


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"x-amz-checksum-crc32:AAAA\r\nx-amz-checksum-crc32:AAAA\r\n",
        b"x-amz-checksum-crc32:AAAA\r\nx-amz-meta-a:1\r\n",
        b"x-amz-checksum-sha1:AAAA\r\n",
        b"x-amz-checksum-crc32\r\n",
        b"x-amz-checksum-crc32:\r\n",
        b"x-amz-checksum-crc32 :AAAA\r\n",
        b"x-amz-checksum-crc32:A\x00A\r\n",
        b"x-amz-checksum-crc32:A\xffA\r\n",
        b"x-amz-checksum-crc32:AAAA\r\nx-amz-trailer-signature:00\r\n",
    ],
)
def test_trailers_must_be_those_announced(lines: bytes) -> None:
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=1, trailer_names=frozenset({CRC}))
    assert refuse(decoder, b"1\r\nx\r\n0\r\n" + lines + b"\r\n").code is ErrorCode.MalformedTrailerError


def test_trailer_signature_is_needed_and_must_match() -> None:
    sent = body(SIGNED_TRAILER, b"abc")
    at = sent.wire.index(b"x-amz-trailer-signature")
    assert refuse(sent.decoder(), sent.wire[:at] + b"\r\n").code is ErrorCode.MalformedTrailerError
    other = sent.wire.replace(crc32(b"abc").encode(), base64.b64encode(b"abcd"))
    assert refuse(sent.decoder(), other).code is ErrorCode.SignatureDoesNotMatch


def test_many_small_chunks_are_refused() -> None:
    length = MAX_SMALL_CHUNKS + 1
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=length)
    assert refuse(decoder, b"1\r\nx\r\n" * length).code is ErrorCode.InvalidChunkSizeError
    decoder = ChunkedDecoder(UNSIGNED_TRAILER, None, decoded_length=length - 1)
    assert len(decode(decoder, b"1\r\nx\r\n" * (length - 1) + b"0\r\n\r\n")) == length - 1


@settings(max_examples=400, deadline=None)
@given(mode=st.sampled_from(MODES), noise=st.binary(max_size=200), length=st.integers(0, 100))
def test_noise_never_breaks(mode: PayloadMode, noise: bytes, length: int) -> None:
    decoder = ChunkedDecoder(mode, SIGNING, decoded_length=length)
    with suppress(S3Error):
        decode(decoder, noise)


def test_errors_hold_no_key() -> None:
    sent = body(SIGNED, b"abc")
    error = refuse(sent.decoder(), sent.wire.replace(b"abc", b"abd"))
    shown = str(error) + repr(error.fields) + repr(SIGNING)
    assert SECRET not in shown
    assert SIGNING.key.hex() not in shown
    assert repr(SIGNING.key) not in shown


@pytest.mark.parametrize("value", ["", "-1", "1.0", "1e3", "１", "9" * 19, "1,1"])
def test_decoded_length_must_be_a_number(value: str) -> None:
    with pytest.raises(S3Error, match="MissingContentLength"):
        decoded_length({"x-amz-decoded-content-length": value})
    with pytest.raises(S3Error, match="MissingContentLength"):
        decoded_length({})


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (None, None),
        ("aws-chunked", None),
        ("gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("AWS-Chunked", None),
        ("", None),
    ],
)
def test_aws_chunked_is_no_property_of_the_object(sent: str | None, stored: str | None) -> None:
    assert stored_content_encoding(sent) == stored
