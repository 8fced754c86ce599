"""The record of a file: a short string of bytes, so that the usual one lies in the inode itself.

ext4 keeps what fits its usual inode of 256 bytes there: 60 bytes of value under this attribute's name. A longer
one costs a block of 4 KB, to be written with every object and read for every line of a listing.

    1 byte    version, 1
    1 byte    flags: the checksum's number in `ALGORITHMS` (4 bits), and the `_HAS_…` bits below
    8 bytes   `state_of` the file that it describes
    16 bytes  the ETag, being an MD5; or its length (1 byte) and its text, where it is none
    n bytes   the checksum's digest, of all bytes of the object, if it has one
    n bytes   length (1 byte) and text of the content type, if one is stored
    n bytes   all else, if there is any, as JSON with the names of RECORD in `record.py`

Numbers are little-endian. Whoever may write a file may write any attribute to it, so nothing here is believed
before it was looked at, and a content type is stored in full: a guess by the name would change with the name.
"""

import os
import struct
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from contextlib import suppress
from typing import NamedTuple

import orjson

from workspacesio.nodes.folder.record import (
    derived_etag,
    details_of,
    guessed_content_type,
    is_etag,
    metadata_of,
    parsed,
)
from workspacesio.nodes.values import ObjectMetadata

_VERSION = 1
_HEAD = struct.Struct("<BBQ")
_MD5_BYTES = 16

_HAS_DIGEST = 0x10
_HAS_TEXT_ETAG = 0x20
_HAS_CONTENT_TYPE = 0x40
_HAS_SIDE_FILE = 0x80
"""A short record: the whole is in a side file. A checksum without a digest has its value in the rest."""

ALGORITHMS = (
    (None, 0),
    ("CRC32", 4),
    ("CRC32C", 4),
    ("CRC64NVME", 8),
    ("SHA1", 20),
    ("SHA256", 32),
    ("SHA512", 64),
    ("MD5", 16),
    ("XXHASH64", 8),
    ("XXHASH3", 8),
    ("XXHASH128", 16),
)
"""S3's names and the bytes of a digest. A number's meaning never changes."""

NUMBERS = {name: number for number, (name, _) in enumerate(ALGORITHMS)}

_INODE_FACTOR = 0x9E3779B97F4A7C15
_SIZE_FACTOR = 0xC2B2AE3D27D4EB4F
_64_BITS = 0xFFFFFFFFFFFFFFFF


def state_of(found: os.stat_result) -> int:
    """Size, mtime and inode in 64 bits. The factors are odd, so a change of one of the three always shows."""
    return (found.st_mtime_ns ^ found.st_ino * _INODE_FACTOR ^ found.st_size * _SIZE_FACTOR) & _64_BITS


class Record(NamedTuple):
    """A record that describes the file. `algorithm` is the checksum's. `rest` is what `metadata_in` reads."""

    etag: str
    algorithm: str | None
    has_side_file: bool
    flags: int
    rest: bytes


def read_record(value: bytes, found: os.stat_result) -> Record | None:
    """The record in an attribute, or None if it is none of ours or not about this state of the file."""
    if len(value) < _HEAD.size:
        return None
    version, flags, state = _HEAD.unpack_from(value)
    number = flags & 0x0F
    if version != _VERSION or state != state_of(found) or number >= len(ALGORITHMS):
        return None
    start = _HEAD.size
    if flags & _HAS_TEXT_ETAG:
        end = start + 1 + sum(value[start : start + 1])
        etag = value[start + 1 : end].decode("ascii", "replace")
        if not etag or not is_etag(etag):
            return None
    else:
        end = start + _MD5_BYTES
        etag = value[start:end].hex()
    if len(value) < end:
        return None
    return Record(etag, ALGORITHMS[number][0], bool(flags & _HAS_SIDE_FILE), flags, value[end:])


def written_record(found: os.stat_result, metadata: ObjectMetadata) -> bytes:
    """The record of these metadata for a file; `found` is its fstat."""
    flags, etag = _etag_field(metadata.etag)
    flags |= NUMBERS.get(next(iter(metadata.checksums), None), 0)
    details = details_of(metadata)
    digest = _digest(metadata)
    if digest:
        flags |= _HAS_DIGEST
        del details["c"], details["k"]
    content_type, short = b"", metadata.headers.get("content-type", "").encode()
    if 0 < len(short) < 256:
        flags |= _HAS_CONTENT_TYPE
        content_type = bytes((len(short),)) + short
        del details["h"]["content-type"]
        if not details["h"]:
            del details["h"]
    tail = orjson.dumps(details) if details else b""
    return _HEAD.pack(_VERSION, flags, state_of(found)) + etag + digest + content_type + tail


def short_record(found: os.stat_result, metadata: ObjectMetadata) -> bytes:
    """What listings need, and that the whole is in a side file."""
    value = bytearray(
        written_record(found, ObjectMetadata(metadata.etag, checksums=dict(list(metadata.checksums.items())[:1])))
    )
    value[1] |= _HAS_SIDE_FILE
    return bytes(value)


def metadata_in(record: Record) -> ObjectMetadata | None:
    """Everything that a whole record says, or None for a short one and for one that isn't of our making."""
    size = ALGORITHMS[record.flags & 0x0F][1] if record.flags & _HAS_DIGEST else 0
    digest, content_type, rest = record.rest[:size], b"", record.rest[size:]
    if record.flags & _HAS_CONTENT_TYPE:
        end = 1 + sum(rest[:1])
        content_type, rest = rest[1:end], rest[end:]
    raw = parsed(rest) if rest else {}
    if raw is None or len(digest) != size or record.has_side_file:
        return None
    raw["e"] = record.etag
    if digest:
        raw["c"], raw["k"] = {record.algorithm: b64encode(digest).decode()}, "FULL_OBJECT"
    if content_type:
        others = raw.get("h", {})
        raw["h"] = {"content-type": content_type.decode(errors="replace")}
        raw["h"].update(others if isinstance(others, dict) else {})
    return metadata_of(raw)


def told_by(record: Record | None, found: os.stat_result, key: str) -> ObjectMetadata:
    """The metadata by a record, or what can be said of a file without one."""
    metadata = None if record is None else metadata_in(record)
    if metadata is not None:
        return metadata
    etag = derived_etag(found) if record is None else record.etag
    return ObjectMetadata(etag=etag, headers={"content-type": guessed_content_type(key)})


def _etag_field(etag: str) -> tuple[int, bytes]:
    with suppress(ValueError):
        digest = bytes.fromhex(etag)
        if len(digest) == _MD5_BYTES and digest.hex() == etag:
            return 0, digest
    text = etag.encode("ascii")
    return _HAS_TEXT_ETAG, bytes((len(text),)) + text


def _digest(metadata: ObjectMetadata) -> bytes:
    """The one checksum of all bytes in binary; b'' where there is none, or where it is of another form."""
    if len(metadata.checksums) != 1 or metadata.checksum_type != "FULL_OBJECT":
        return b""
    ((name, text),) = metadata.checksums.items()
    size = ALGORITHMS[NUMBERS.get(name, 0)][1]
    try:
        digest = b64decode(text, validate=True)
    except NotBase64:
        return b""
    return digest if size and len(digest) == size and b64encode(digest).decode() == text else b""
