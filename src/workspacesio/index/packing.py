"""How the catalogue keeps what would be long: ETags, and what was read of contents."""

import zlib
from collections.abc import Mapping
from typing import NamedTuple

import orjson

_HEXADECIMAL = b"\0"


def pack_etag(etag: str) -> bytes:
    """32 hexadecimal digits, as an MD5 has, in half their length, and what follows; anything else as it is."""
    digits = etag[:32]
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return etag.encode()
    if len(raw) == 16 and raw.hex() == digits:
        return _HEXADECIMAL + raw + etag[32:].encode()
    return etag.encode()


def unpack_etag(packed: bytes) -> str:
    return packed[1:17].hex() + packed[17:].decode() if packed[:1] == _HEXADECIMAL else packed.decode()


class Contents(NamedTuple):
    """What was read of an object beyond what its listing says."""

    content_type: str = ""
    user: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    facts: Mapping[str, str] = {}
    text: str = ""
    problem: str = ""


NOTHING_READ = Contents()


def pack_contents(contents: Contents) -> bytes:
    content_type, user, tags, facts, text, problem = contents
    return zlib.compress(orjson.dumps([content_type, dict(user), dict(tags), dict(facts), text, problem]), 6)


def unpack_contents(packed: bytes) -> Contents:
    return Contents(*orjson.loads(zlib.decompress(packed)))
