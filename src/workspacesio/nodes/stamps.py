"""Numbers that stand for one state of a stored object, so that a crawl knows an unchanged one by a comparison.

Signed, of 64 bits, and never 0, which is said where nothing is known. They are kept in the index, which is derived
data: should Python hash tuples otherwise one day, a crawl takes longer once.
"""

import os
from hashlib import blake2b

WHOLE_SECOND = 1_000_000
"""In microseconds."""

EARLIEST = -62_135_596_800_000_000
LATEST = 253_402_300_799_999_999
"""Microseconds since 1970: the years 1 to 9999. Anybody may give a file a time of which no 64 bits are enough."""
EARLIEST_NS, LATEST_NS = EARLIEST * 1000, LATEST * 1000 + 999


def file_modified(found: os.stat_result) -> int:
    """When a file's bytes were changed last, as in `StoredObject`."""
    return held(found.st_mtime_ns // 1000)


def held(modified: int) -> int:
    """Microseconds since 1970; of a time beyond the years 1 to 9999 the first or last one in them."""
    return min(max(modified, EARLIEST), LATEST)


def file_stamp(found: os.stat_result) -> int:
    """Of a file in a folder: another one in its place, bytes written to it, or tags set, make another number."""
    return hash((found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)) or 1


def object_stamp(size: int, modified: int, etag: str) -> int:
    """Of an object on a server; `modified` as in `StoredObject`."""
    digest = int.from_bytes(blake2b(etag.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
    return hash((size, modified, digest)) or 1


def whole_seconds(modified: float) -> int:
    """POSIX seconds as the microseconds of `StoredObject.modified`, of objects on servers."""
    return int(modified) * WHOLE_SECOND
