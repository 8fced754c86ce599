"""The record of a file: every metadata comes back, the usual ones fit the inode, forged ones are seen through."""

import hashlib
import os
import struct
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workspacesio.nodes.folder.file_record import metadata_in, read_record, short_record, state_of, written_record
from workspacesio.nodes.values import ObjectMetadata, PartInfo

FITS_THE_INODE = 60
"""Measured on ext4 with inodes of 256 bytes: a byte more takes a block."""

FOUND = os.stat(__file__)

DIGEST_BYTES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "SHA512": 64, "XXHASH3": 8}

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=300)
maps = st.dictionaries(texts, texts, max_size=3)
checksums = st.sampled_from(sorted(DIGEST_BYTES)).flatmap(
    lambda name: st.binary(min_size=DIGEST_BYTES[name], max_size=DIGEST_BYTES[name]).map(
        lambda digest: {name: b64encode(digest).decode()}
    )
)
etags = st.one_of(
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.binary(min_size=16, max_size=16).map(lambda digest: digest.hex() + "-12"),
    st.sampled_from(["A" * 32, " " * 32, "x", "0" * 31]),
)
metadatas = st.builds(
    ObjectMetadata,
    etag=etags,
    headers=st.dictionaries(st.sampled_from(["content-type", "expires", "cache-control"]), texts.filter(bool)),
    user=maps,
    tags=maps,
    checksums=st.one_of(st.just({}), checksums, checksums.map(lambda one: {**one, "MD5": "x-3"})),
    checksum_type=st.sampled_from([None, "FULL_OBJECT", "COMPOSITE"]),
    parts=st.sampled_from([(), (PartInfo(1, 5, "e", {"CRC32": "AAAAAA=="}, 1.5),)]),
)


@given(metadatas)
@example(ObjectMetadata(etag="0" * 32, headers={"content-type": "x" * 300}))
def test_what_is_written_is_read(metadata: ObjectMetadata) -> None:
    record = read_record(written_record(FOUND, metadata), FOUND)
    assert record is not None
    assert metadata_in(record) == metadata
    assert (record.etag, record.algorithm) == (metadata.etag, next(iter(metadata.checksums), None))


@given(metadatas)
def test_a_short_record_says_what_a_listing_shows(metadata: ObjectMetadata) -> None:
    short = short_record(FOUND, metadata)
    record = read_record(short, FOUND)
    assert record is not None
    assert (record.etag, record.algorithm) == (metadata.etag, next(iter(metadata.checksums), None))
    assert metadata_in(record) is None
    assert len(short) < 255


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain; charset=utf-8", "image/jpeg"])
def test_what_clients_usually_send_fits_the_inode(algorithm: str, content_type: str) -> None:
    metadata = ObjectMetadata(
        etag=hashlib.md5(b"").hexdigest(),
        headers={"content-type": content_type},
        checksums={algorithm: b64encode(bytes(DIGEST_BYTES[algorithm])).decode()},
        checksum_type="FULL_OBJECT",
    )
    assert len(written_record(FOUND, metadata)) <= FITS_THE_INODE


def test_a_sha_256_alone_fits_the_inode() -> None:
    digest = b64encode(bytes(32)).decode()
    metadata = ObjectMetadata(etag="0" * 32, checksums={"SHA256": digest}, checksum_type="FULL_OBJECT")
    assert len(written_record(FOUND, metadata)) <= FITS_THE_INODE


def test_a_record_is_of_one_size_one_time_and_one_inode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    os.utime(path, ns=(10**18, 10**18))
    written = written_record(path.stat(), ObjectMetadata(etag="0" * 32))
    assert read_record(written, path.stat()) is not None
    os.utime(path, ns=(10**18, 10**18 + 1))
    assert read_record(written, path.stat()) is None
    path.write_bytes(b"12345")
    os.utime(path, ns=(10**18, 10**18))
    assert read_record(written, path.stat()) is None
    other = tmp_path / "other"
    other.write_bytes(b"1234")
    os.utime(other, ns=(10**18, 10**18))
    assert read_record(written, other.stat()) is None


def forged(flags: int, rest: bytes, version: int = 1) -> bytes:
    return struct.pack("<BBQ", version, flags, state_of(FOUND)) + rest


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x01",
        forged(0, b""),
        forged(0, b"x" * 15),
        forged(0x20, b""),
        forged(0x20, b"\0"),
        forged(0x20, b"\x05abcd"),
        forged(0x20, b"\x03a\r\n"),
        forged(0x20, b'\x03a"b'),
        forged(0x20, b"\x01\xff"),
        forged(0x0F, b"x" * 16),
        forged(0, b"x" * 16, version=2),
    ],
)
def test_forged_attributes_are_no_records(value: bytes) -> None:
    assert read_record(value, FOUND) is None


@pytest.mark.parametrize(
    "value",
    [
        forged(0x11, b"x" * 16 + b"abc"),
        forged(0x40, b"x" * 16 + b"\x05a\r\nb:"),
        forged(0, b"x" * 16 + b"{"),
        forged(0, b"x" * 16 + b"[]"),
        forged(0, b"x" * 16 + b'{"h":3}'),
        forged(0, b"x" * 16 + b'{"h":{"a":"b\\r\\nc: d"}}'),
        forged(0, b"x" * 16 + b'{"p":[3]}'),
        forged(0, b"x" * 16 + b'{"c":{"CRC32":7}}'),
        forged(0, b"x" * 16 + b'{"h":{"set-cookie":"a=b"}}'),
        forged(0, b"x" * 16 + b'{"h":{"content-length":"1"}}'),
        forged(0, b"x" * 16 + b'{"h":{"transfer-encoding":"chunked"}}'),
        forged(0, b"x" * 16 + b'{"h":{"access-control-allow-origin":"*"}}'),
        forged(0, b"x" * 16 + b'{"p":[["1","2","e",{},0.0]]}'),
        forged(0, b"x" * 16 + b'{"p":[[1,-2,"e",{},0.0]]}'),
        forged(0, b"x" * 16 + b'{"p":[[1,2,"e","c",0.0]]}'),
        forged(0, b"x" * 16 + b'{"p":[[1,2,"e",{"CRC32":5},0.0]]}'),
        forged(0, b"x" * 16 + b'{"p":7}'),
    ],
)
def test_of_a_record_with_forged_details_only_the_etag_holds(value: bytes) -> None:
    record = read_record(value, FOUND)
    assert record is not None
    assert record.etag == (b"x" * 16).hex()
    assert metadata_in(record) is None


@given(st.integers(0, 255), st.binary(max_size=80))
def test_no_attribute_breaks_the_reader(flags: int, rest: bytes) -> None:
    record = read_record(forged(flags, rest), FOUND)
    if record is not None:
        assert record.etag.isascii()
        assert record.etag.isprintable()
        metadata_in(record)
