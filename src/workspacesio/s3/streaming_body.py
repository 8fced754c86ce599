"""Bodies that are encoded as aws-chunked, decoded as they arrive.

Source: "Transferring Payload in Multiple Chunks" and "Including Trailing Headers" in the Amazon S3 API
reference.

    body      = *chunk last *trailer CRLF
    chunk     = size [";chunk-signature=" signature] CRLF data CRLF       size in hexadecimal, 1 and more
    last      = "0" [";chunk-signature=" signature] CRLF
    trailer   = name ":" value CRLF          where chunks are signed, the last is x-amz-trailer-signature

A chunk's signature covers its bytes and the signature before it; the first follows the request's own.
Decoded bytes are given out before the signature of their chunk is checked, so that memory doesn't depend
on what a client calls a chunk. They must go nowhere but into a staged object that is discarded unless
`finish` returned.
"""

import hmac
import re
from collections.abc import Mapping
from enum import Enum, auto
from hashlib import sha256
from typing import NamedTuple

from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.signature import signing_key
from workspacesio.s3.signature_fields import EMPTY_SHA256, ParsedSignature, PayloadMode

Buffer = bytes | bytearray | memoryview

SMALL_CHUNK_BYTES = 8192
MAX_SMALL_CHUNKS = 10_000
"""S3 allows only the last chunk to be smaller than 8 KiB. We allow some, for clients that send what a pipe
gives them, but not a body that costs more to take apart than to store."""

_MAX_CHUNK_LINE = 256
_MAX_TRAILERS = 8192

_UNSIGNED_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})")
_SIGNED_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})")
_TRAILER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}):[ \t]*([!-~](?:[ -~]*[!-~])?)[ \t]*")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_LENGTH = re.compile(r"[0-9]{1,18}")


class ChunkSigning(NamedTuple):
    """What the signatures of a body's chunks are made of. `seed` is the request's own signature."""

    seed: str
    key: bytes
    scope: str
    timestamp: str

    def __repr__(self) -> str:
        return f"ChunkSigning({self.scope}, {self.timestamp})"


class _State(Enum):
    CHUNK_LINE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    END = auto()


class ChunkedDecoder:
    """Decodes one body: `feed` it what arrives, then `finish`.

    `trailers`: the trailing headers by lower-case name, once the body has ended. An error ends the
    decoding; nothing that was given out may be used then. Not for two threads at once.
    """

    def __init__(
        self,
        mode: PayloadMode,
        signing: ChunkSigning | None,
        *,
        decoded_length: int,
        trailer_names: frozenset[str] = frozenset(),
    ) -> None:
        """`mode`: one of the chunked ones. `signing`: for those whose chunks are signed.

        `decoded_length`: bytes of the object. `trailer_names`: the trailing headers that were announced,
        in lower case; exactly these must come.
        """
        self.trailers: dict[str, str] = {}
        self._signing = signing if mode is not PayloadMode.UNSIGNED_CHUNKS_TRAILER else None
        self._trailers_signed = mode is PayloadMode.SIGNED_CHUNKS_TRAILER
        self._trailer_names = trailer_names
        self._decoded_length = decoded_length
        self._state = _State.CHUNK_LINE
        self._announced = 0
        self._small_chunks = 0
        self._left = 0
        self._kept = b""
        self._hash = sha256()
        self._chunk_signature = ""
        self._previous_signature = signing.seed if signing is not None else ""

    def feed(self, data: Buffer) -> list[memoryview]:
        """The object's bytes in `data`, in order, as views of it: they live as long as it does.

        Raises S3Error: IncompleteBody (malformed, longer than declared, or more behind the end),
        InvalidChunkSizeError, MalformedTrailerError, SignatureDoesNotMatch.
        """
        view = memoryview(data)
        decoded: list[memoryview] = []
        at = 0
        while at < len(view):
            if self._state is _State.DATA:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if self._signing is not None:
                    self._hash.update(piece)
                decoded.append(piece)
                if not self._left:
                    self._state = _State.DATA_END
            elif self._state is _State.CHUNK_LINE:
                line, taken = self._up_to(b"\r\n", view[at : at + _MAX_CHUNK_LINE], _MAX_CHUNK_LINE)
                at += taken
                if line is not None:
                    self._begin_chunk(line)
            elif self._state is _State.DATA_END:
                line, taken = self._up_to(b"\r\n", view[at : at + 2], 2)
                at += taken
                if line is not None:
                    self._end_chunk()
            elif self._state is _State.TRAILERS:
                section, taken = self._up_to(b"\r\n\r\n", view[at : at + _MAX_TRAILERS], _MAX_TRAILERS)
                at += taken
                if section is not None:
                    self._end_body(section)
            else:
                raise _malformed("The body goes on behind its last chunk.")
        return decoded

    def finish(self) -> None:
        """The body has ended. Raises S3Error IncompleteBody unless it was whole and as long as declared."""
        if self._state is not _State.END:
            raise _malformed("The request body terminated unexpectedly.")
        if self._announced != self._decoded_length:
            raise _malformed("The body is shorter than x-amz-decoded-content-length.")

    def _up_to(self, end: bytes, view: memoryview, limit: int) -> tuple[bytes | None, int]:
        """Collect framing until `end`: what stands before it, or None as yet, and how much of the view
        was taken.

        What isn't whole is kept for the next call; more than `limit` bytes without the end are refused.
        """
        kept = self._kept
        collected = kept + bytes(view)
        found = collected.find(end)
        if found >= 0:
            self._kept = b""
            return collected[:found], found + len(end) - len(kept)
        if len(collected) >= limit:
            raise _malformed("A chunk of the body is malformed.")
        self._kept = collected
        return None, len(view)

    def _begin_chunk(self, line: bytes) -> None:
        pattern = _UNSIGNED_CHUNK if self._signing is None else _SIGNED_CHUNK
        match = pattern.fullmatch(line)
        if match is None:
            raise _malformed("The first line of a chunk is malformed.")
        size = int(match[1], 16)
        if self._signing is not None:
            self._chunk_signature = match[2].decode()
        if size == 0:
            self._check_chunk_signature()
            self._state = _State.TRAILERS
            self._kept = b"\r\n"  # so that no trailers at all end as some trailers do
            return
        self._announced += size
        if self._announced > self._decoded_length:
            raise _malformed("The body is longer than x-amz-decoded-content-length.")
        if size < SMALL_CHUNK_BYTES:
            self._small_chunks += 1
            if self._small_chunks > MAX_SMALL_CHUNKS:
                raise S3Error(
                    ErrorCode.InvalidChunkSizeError,
                    f"Only the last chunk is allowed to have a size less than {SMALL_CHUNK_BYTES} bytes",
                )
        self._left = size
        self._state = _State.DATA

    def _end_chunk(self) -> None:
        self._check_chunk_signature()
        self._state = _State.CHUNK_LINE

    def _end_body(self, section: bytes) -> None:
        """Take the trailers: exactly those announced, each once, and their signature where they are signed.

        minio-go ends a trailer with LF CRLF, so lines end at LF here and empty ones don't count.
        """
        found: dict[str, str] = {}
        for line in section.decode("latin-1").split("\n"):
            if not (text := line.removesuffix("\r")):
                continue
            match = _TRAILER.fullmatch(text)
            if match is None or (name := match[1].lower()) in found:
                raise S3Error(ErrorCode.MalformedTrailerError)
            found[name] = match[2]
        signature = found.pop(_TRAILER_SIGNATURE, None) if self._trailers_signed else None
        if found.keys() != self._trailer_names:
            raise S3Error(ErrorCode.MalformedTrailerError)
        if self._trailers_signed:
            self._check_trailer_signature(found, signature)
        self.trailers = found
        self._state = _State.END

    def _check_chunk_signature(self) -> None:
        if self._signing is None:
            return
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_SHA256}\n{self._hash.hexdigest()}", self._chunk_signature)
        self._hash = sha256()

    def _check_trailer_signature(self, trailers: Mapping[str, str], signature: str | None) -> None:
        if signature is None:
            raise S3Error(ErrorCode.MalformedTrailerError)
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        self._check("AWS4-HMAC-SHA256-TRAILER", sha256(canonical.encode()).hexdigest(), signature)

    def _check(self, algorithm: str, hashes: str, signature: str) -> None:
        """Raise SignatureDoesNotMatch unless the signature is the next in the chain."""
        if (signing := self._signing) is None:
            raise TypeError("signed chunks without a key")
        string_to_sign = "\n".join((algorithm, signing.timestamp, signing.scope, self._previous_signature, hashes))
        expected = hmac.digest(signing.key, string_to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise S3Error(
                ErrorCode.SignatureDoesNotMatch, StringToSign=string_to_sign, SignatureProvided=signature
            )
        self._previous_signature = expected


def chunked_decoder(parsed: ParsedSignature, secret_access_key: str, headers: Mapping[str, str]) -> ChunkedDecoder:
    """The decoder for a verified request whose payload mode is a chunked one. `headers`: folded,
    lower-case.

    Raises S3Error MissingContentLength without a proper `x-amz-decoded-content-length`.
    """
    signing = ChunkSigning(
        parsed.signature,
        signing_key(secret_access_key, parsed.date, parsed.region),
        parsed.scope,
        parsed.timestamp,
    )
    announced = headers.get("x-amz-trailer", "").lower().split(",")
    return ChunkedDecoder(
        parsed.payload_mode,
        signing,
        decoded_length=decoded_length(headers),
        trailer_names=frozenset(name.strip() for name in announced if name.strip()),
    )


def decoded_length(headers: Mapping[str, str]) -> int:
    """Bytes of the object in a chunked body. Raises S3Error MissingContentLength where it isn't said."""
    text = headers.get("x-amz-decoded-content-length", "")
    if _LENGTH.fullmatch(text) is None:
        raise S3Error(
            ErrorCode.MissingContentLength, "You must provide the x-amz-decoded-content-length HTTP header."
        )
    return int(text)


def stored_content_encoding(value: str | None) -> str | None:
    """A Content-Encoding header without `aws-chunked`, which describes the request, not the object; or
    None."""
    if value is None:
        return None
    kept = [coding.strip() for coding in value.split(",") if coding.strip().lower() not in ("", "aws-chunked")]
    return ",".join(kept) or None


def _malformed(message: str) -> S3Error:
    return S3Error(ErrorCode.IncompleteBody, message)
