"""The checksums that S3 knows: their names, their values, and how those of parts make that of an object.

Source: "Checking object integrity" in the Amazon S3 user guide. A value is the digest in base64,
big-endian for the CRCs and, as XXH's own canonical form, for XXHASH. An object that was uploaded in parts
has either the checksum of all its bytes (FULL_OBJECT; CRCs can be combined without reading again), or the
checksum of the concatenated digests of its parts with `-` and their number behind (COMPOSITE).
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from hmac import compare_digest
from typing import NamedTuple, Protocol

from awscrt import checksums as crt

from workspacesio.s3.error_codes import ErrorCode, S3Error

Buffer = bytes | bytearray | memoryview

HEADER_PREFIX = "x-amz-checksum-"


class ChecksumType(StrEnum):
    """What the checksum of an object that was uploaded in parts is a checksum of."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


class ChecksumAlgorithm(StrEnum):
    """An algorithm, by S3's name for it."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"
    MD5 = "MD5"
    XXHASH64 = "XXHASH64"
    XXHASH3 = "XXHASH3"
    XXHASH128 = "XXHASH128"

    @property
    def header(self) -> str:
        """The header, or trailer, that carries a value, in lower case."""
        return HEADER_PREFIX + self.value.lower()

    @property
    def element(self) -> str:
        """The XML element that carries a value."""
        return f"Checksum{self.value}"

    @property
    def digest_size(self) -> int:
        """Bytes in a digest."""
        return _DIGEST_SIZES[self]

    @property
    def multipart_types(self) -> tuple[ChecksumType, ...]:
        """What an object uploaded in parts may have, the default first."""
        if self is ChecksumAlgorithm.CRC64NVME:
            return (ChecksumType.FULL_OBJECT,)
        if self in _COMBINE:
            return (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT)
        return (ChecksumType.COMPOSITE,)


_DIGEST_SIZES = {
    ChecksumAlgorithm.CRC32: 4,
    ChecksumAlgorithm.CRC32C: 4,
    ChecksumAlgorithm.CRC64NVME: 8,
    ChecksumAlgorithm.SHA1: 20,
    ChecksumAlgorithm.SHA256: 32,
    ChecksumAlgorithm.SHA512: 64,
    ChecksumAlgorithm.MD5: 16,
    ChecksumAlgorithm.XXHASH64: 8,
    ChecksumAlgorithm.XXHASH3: 8,
    ChecksumAlgorithm.XXHASH128: 16,
}

_COMBINE: dict[ChecksumAlgorithm, Callable[[int, int, int], int]] = {
    ChecksumAlgorithm.CRC32: crt.combine_crc32,
    ChecksumAlgorithm.CRC32C: crt.combine_crc32c,
    ChecksumAlgorithm.CRC64NVME: crt.combine_crc64nvme,
}

BY_HEADER = {algorithm.header: algorithm for algorithm in ChecksumAlgorithm}


# --- computing ----------------------------------------------------------------------------------------------


class ChecksumHasher(Protocol):
    """Is fed the bytes of a body, in order; `digest` may be asked at any time."""

    def update(self, data: Buffer, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic redundancy check. The digest is the number, big-endian."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[Buffer, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """An XXH hash. awscrt takes `bytes` only, whatever its annotations say, so other buffers are copied."""

    __slots__ = ("_hash",)

    def __init__(self, new: Callable[[], crt.XXHash]) -> None:
        self._hash = new()

    def update(self, data: Buffer, /) -> None:
        self._hash.update(data if type(data) is bytes else bytes(data))

    def digest(self) -> bytes:
        value: bytes = self._hash.finalize()
        return value


_NEW: dict[ChecksumAlgorithm, Callable[[], ChecksumHasher]] = {
    ChecksumAlgorithm.CRC32: lambda: _Crc(zlib.crc32, 4),
    ChecksumAlgorithm.CRC32C: lambda: _Crc(crt.crc32c, 4),
    ChecksumAlgorithm.CRC64NVME: lambda: _Crc(crt.crc64nvme, 8),
    ChecksumAlgorithm.SHA1: lambda: hashlib.sha1(usedforsecurity=False),
    ChecksumAlgorithm.SHA256: hashlib.sha256,
    ChecksumAlgorithm.SHA512: hashlib.sha512,
    ChecksumAlgorithm.MD5: lambda: hashlib.md5(usedforsecurity=False),
    ChecksumAlgorithm.XXHASH64: lambda: _XxHash(crt.XXHash.new_xxhash64),
    ChecksumAlgorithm.XXHASH3: lambda: _XxHash(crt.XXHash.new_xxhash3_64),
    ChecksumAlgorithm.XXHASH128: lambda: _XxHash(crt.XXHash.new_xxhash3_128),
}


def new_hasher(algorithm: ChecksumAlgorithm) -> ChecksumHasher:
    """A fresh hasher. It must not be used by two threads at once."""
    return _NEW[algorithm]()


def encode(digest: bytes) -> str:
    """A digest as headers and documents carry it."""
    return base64.b64encode(digest).decode("ascii")


# --- objects uploaded in parts ------------------------------------------------------------------------------


def multipart_type(algorithm: ChecksumAlgorithm, requested: str | None) -> ChecksumType:
    """The type for a new upload: `x-amz-checksum-type`, or the algorithm's default. Raises S3Error
    InvalidRequest."""
    if requested is None:
        return algorithm.multipart_types[0]
    if requested.upper() not in ChecksumType.__members__:
        raise invalid_value("x-amz-checksum-type")
    wanted = ChecksumType(requested.upper())
    if wanted not in algorithm.multipart_types:
        raise S3Error(
            ErrorCode.InvalidRequest,
            f"The {wanted} checksum type cannot be used with the {algorithm.value.lower()} checksum algorithm.",
        )
    return wanted


def composite_value(algorithm: ChecksumAlgorithm, parts: Sequence[str]) -> str:
    """`base64-N`: the checksum of the digests of the N parts. `parts`: their values, in order."""
    hasher = new_hasher(algorithm)
    for value in parts:
        hasher.update(base64.b64decode(value))
    return f"{encode(hasher.digest())}-{len(parts)}"


def combined_value(algorithm: ChecksumAlgorithm, parts: Sequence[tuple[str, int]]) -> str:
    """The checksum of all bytes of the parts. `parts`: (value, size in bytes), in order. CRCs only
    (KeyError)."""
    combine = _COMBINE[algorithm]
    whole = 0
    for value, size in parts:
        whole = combine(whole, int.from_bytes(base64.b64decode(value), "big"), size)
    return encode(whole.to_bytes(algorithm.digest_size, "big"))


# --- what a request declares --------------------------------------------------------------------------------


class DeclaredChecksum(NamedTuple):
    """A checksum that comes with a body. `value` is base64, or None: it follows in a trailer."""

    algorithm: ChecksumAlgorithm
    value: str | None


_NOT_VALUES = frozenset(("x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"))
_PART_COUNT = re.compile(r"[1-9][0-9]{0,4}")


def declared_checksum(headers: Mapping[str, str]) -> DeclaredChecksum | None:
    """The one checksum that a request's headers, or its trailer, declare for the body; None if there is
    none.

    `headers`: folded, by lower-case name. Raises S3Error InvalidRequest for more than one, for an unknown
    algorithm, for a value that is none of the algorithm's, and where `x-amz-sdk-checksum-algorithm` says
    something else.
    """
    declared = _only_one(headers)
    if (named := headers.get("x-amz-sdk-checksum-algorithm")) is None:
        return declared
    algorithm = parse_algorithm(named)
    if declared is None:
        raise S3Error(
            ErrorCode.InvalidRequest,
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
            "headers were found.",
        )
    if declared.algorithm is not algorithm:
        raise invalid_value("x-amz-sdk-checksum-algorithm")
    return declared


def _only_one(headers: Mapping[str, str]) -> DeclaredChecksum | None:
    names = [name for name in headers if name.startswith(HEADER_PREFIX) and name not in _NOT_VALUES]
    trailer = headers.get("x-amz-trailer")
    if len(names) + (trailer is not None) > 1:
        raise S3Error(
            ErrorCode.InvalidRequest,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    if trailer is not None:
        if (in_trailer := BY_HEADER.get(trailer.strip().lower())) is None:
            raise S3Error(
                ErrorCode.InvalidRequest, "The value specified in the x-amz-trailer header is not supported"
            )
        return DeclaredChecksum(in_trailer, None)
    if not names:
        return None
    if (algorithm := BY_HEADER.get(names[0])) is None:
        raise S3Error(
            ErrorCode.InvalidRequest, "The algorithm type you specified in x-amz-checksum- header is invalid."
        )
    return DeclaredChecksum(algorithm, parse_value(algorithm, headers[names[0]]))


def parse_algorithm(name: str) -> ChecksumAlgorithm:
    """The algorithm of `x-amz-checksum-algorithm` and the like, in any case. Raises S3Error
    InvalidRequest."""
    try:
        return ChecksumAlgorithm(name.upper())
    except ValueError:
        raise S3Error(
            ErrorCode.InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(ChecksumAlgorithm))}]",
        ) from None


def parse_value(algorithm: ChecksumAlgorithm, text: str, *, where: str = "header") -> str:
    """A checksum's value, checked for form. `where`: `header` or `trailing header`. Raises S3Error
    InvalidRequest."""
    digest = _decode(text)
    if digest is None or len(digest) != algorithm.digest_size:
        raise invalid_value(algorithm.header, where)
    return encode(digest)


def parse_object_value(algorithm: ChecksumAlgorithm, text: str, checksum_type: ChecksumType) -> str:
    """The value that completing an upload declares for the object: for COMPOSITE with `-N` behind, which
    may be absent.

    Raises S3Error InvalidRequest.
    """
    value, dash, count = text.partition("-")
    if dash and (checksum_type is not ChecksumType.COMPOSITE or _PART_COUNT.fullmatch(count) is None):
        raise invalid_value(algorithm.header)
    return parse_value(algorithm, value) + dash + count


def check(algorithm: ChecksumAlgorithm, declared: str, hasher: ChecksumHasher) -> None:
    """Raise S3Error BadDigest unless the body that the hasher has seen has the declared value."""
    if not compare_digest(declared, encode(hasher.digest())):
        raise S3Error(
            ErrorCode.BadDigest, f"The {algorithm.value} you specified did not match the calculated checksum."
        )


def parse_content_md5(value: str) -> bytes:
    """The digest of a Content-MD5 header (RFC 1864). Raises S3Error InvalidDigest."""
    digest = _decode(value)
    if digest is None or len(digest) != 16:
        raise S3Error(
            ErrorCode.InvalidDigest, "The Content-MD5 you specified was invalid.", **{"Content-MD5": value[:256]}
        )
    return digest


def check_content_md5(declared: bytes, computed: bytes) -> None:
    """Raise S3Error BadDigest unless the body's MD5 is the declared one."""
    if not compare_digest(declared, computed):
        raise S3Error(
            ErrorCode.BadDigest,
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest=encode(declared),
            CalculatedDigest=encode(computed),
        )


def invalid_value(header: str, where: str = "header") -> S3Error:
    """The refusal of a checksum header's value."""
    return S3Error(ErrorCode.InvalidRequest, f"Value for {header} {where} is invalid.")


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
