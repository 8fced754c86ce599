"""Whether bytes are those that were stored, by the checksums that S3 keeps.

("Checking object integrity in Amazon S3", Amazon S3 User Guide.) The ETag of an object that was sent in one
request is its MD5, and takes 1.6 ms of the processor for a megabyte; the CRC-32 of one that was sent in parts
takes 0.2 ms, and is made of those of its parts.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from workspacesio.client.objects import Details

    class Hash(Protocol):
        def update(self, data: bytes, /) -> None: ...
        def digest(self) -> bytes: ...


class Comparison:
    """Of bytes as they come, in their order, with what the server says of the object.

    By its checksum, else by the ETag where that is an MD5, else by the length alone.
    """

    def __init__(self, details: Details) -> None:
        self._length = 0
        self._hash: Hash | None = None
        self._wanted = b""
        etag = details.etag.strip('"')
        if "crc32" in details.checksums:
            self._hash, self._wanted = _Crc32(), _decoded(details.checksums["crc32"])
        elif is_md5(etag) and not details.is_encrypted:
            self._hash, self._wanted = hashlib.md5(usedforsecurity=False), bytes.fromhex(etag)

    def update(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._hash is not None:
            self._hash.update(piece)

    def is_whole(self, size: int) -> bool:
        """Whether so many bytes came, and they are the ones."""
        return self._length == size and (self._hash is None or self._hash.digest() == self._wanted)


def _decoded(checksum: str) -> bytes:
    """As bytes; none where it isn't one, which no bytes have."""
    try:
        return base64.b64decode(checksum)
    except ValueError:
        return b""


def is_md5(etag: str) -> bool:
    """Whether an ETag has the form of an MD5, as after a single upload; those of parts have another one."""
    return len(etag) == 32 and not etag.strip("0123456789abcdef")


def etag_of_file(path: str, etag: str) -> str | None:
    """Which ETag a file would have if it were sent as the object of the given one was.

    That is in one request, or in the parts that we make; None for other parts, and for what tells no contents.
    Raises OSError.
    """
    from workspacesio.client.multipart import part_size

    with open(path, "rb", buffering=0) as file:
        if is_md5(etag):
            return hashlib.file_digest(file, _md5).hexdigest()
        size = os.fstat(file.fileno()).st_size
        digest, _, parts = etag.partition("-")
        part = part_size(size)
        if not is_md5(digest) or not size or parts != str(-(-size // part)):
            return None
        digests = b""
        while piece := file.read(part):
            digests += _md5(piece).digest()
    return f"{_md5(digests).hexdigest()}-{parts}"


def _md5(data: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def spelled(crc: int) -> str:
    """A CRC-32 as it stands in headers."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def joined(parts: Iterable[tuple[int, int]]) -> int:
    """The CRC-32 of bytes of which stretches are known: CRC-32 and length of each.

    What a stretch adds to a CRC is linear over GF(2): zeros of its length behind what was before, and its own CRC
    (zlib's crc32_combine).
    """
    whole = 0
    for crc, length in parts:
        whole = _applied(_zeros(length), whole) ^ crc
    return whole


@functools.lru_cache(maxsize=4)
def _zeros(length: int) -> tuple[int, ...]:
    """What becomes of each bit of a CRC when so many zeros follow."""
    nothing = zlib.crc32(b"\0")
    doubled = tuple(zlib.crc32(b"\0", 1 << bit) ^ nothing for bit in range(32))
    made = tuple(1 << bit for bit in range(32))
    while length:
        if length & 1:
            made = tuple(_applied(doubled, one) for one in made)
        doubled = tuple(_applied(doubled, one) for one in doubled)
        length >>= 1
    return made


def _applied(matrix: tuple[int, ...], vector: int) -> int:
    total = 0
    for row in matrix:
        if vector & 1:
            total ^= row
        vector >>= 1
    return total
