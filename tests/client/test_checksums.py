"""What is compared with what the server says, whichever of its checksums there is."""

from __future__ import annotations

import hashlib
import random
import zlib

import pytest

from workspacesio.client.checksums import Comparison, joined, spelled
from workspacesio.client.objects import Details

BODY = random.Random(5).randbytes(100_000)
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
CRC = spelled(zlib.crc32(BODY))


@pytest.mark.parametrize(
    "lengths", [[], [0], [1], [0, 5, 0], [70_000, 29_999, 1], [1] * 1000, [65_536, 1, 65_536]]
)
def test_checksums_of_parts_make_that_of_the_whole(lengths: list[int]) -> None:
    parts = [random.Random(number).randbytes(length) for number, length in enumerate(lengths)]
    assert joined((zlib.crc32(part), len(part)) for part in parts) == zlib.crc32(b"".join(parts))


def test_as_it_stands_in_headers() -> None:
    assert spelled(0xCBF43926) == "y/Q5Jg=="  # of 123456789, the check value of CRC-32/ISO-HDLC


@pytest.mark.parametrize(
    ("headers", "notices"),
    [
        ({"ETag": f'"{MD5}"'}, True),
        ({"ETag": f'"{"0" * 32}-12"', "x-amz-checksum-crc32": CRC}, True),
        ({"ETag": f'"{"0" * 32}"', "x-amz-checksum-crc32": CRC, "x-amz-checksum-type": "FULL_OBJECT"}, True),
        ({"ETag": f'"{MD5}-12"', "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "COMPOSITE"}, False),
        ({"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}, False),
        ({"ETag": '"of another kind"'}, False),
    ],
)
def test_bytes_that_differ_are_noticed(headers: dict[str, str], notices: bool) -> None:
    details = Details(headers)
    for body, same in ((BODY, True), (BODY[:-1] + bytes([BODY[-1] ^ 1]), not notices), (BODY[:-1], False)):
        compared = Comparison(details)
        for begin in range(0, len(body), 7001):
            compared.update(body[begin : begin + 7001])
        assert compared.is_whole(len(BODY)) is same
