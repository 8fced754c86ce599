"""Numbers that stand for one state of a stored object, so that a crawl knows an unchanged one by a comparison.

Signed, of 64 bits, and never 0, which is said where nothing is known. They are kept in the index, which is derived
data: should Python hash tuples otherwise one day, a crawl takes longer once.
"""

import os
from hashlib import blake2b

WHOLE_SECOND = 1_000_000
"""In microseconds."""


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
