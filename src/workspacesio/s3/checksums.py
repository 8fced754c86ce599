"""The checksums that S3 knows: their names, their values, and how those of parts make that of an object.

Source: "Checking object integrity" in the Amazon S3 user guide. A value is the digest in base64,
big-endian for the CRCs and, as XXH's own canonical form, for XXHASH. An object that was uploaded in parts
has either the checksum of all its bytes (FULL_OBJECT; CRCs can be combined without reading again), or the
checksum of the concatenated digests of its parts with `-` and their number behind (COMPOSITE).
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from awscrt import checksums as crt

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
