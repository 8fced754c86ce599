"""ETags of files that were listed before, so that an unchanged file's record isn't read again.

What is known of a file goes by its inode and its ctime, which every change of its content, size, mtime, name or
attributes moves (POSIX). As with the names in `snapshots`, it is kept only if the ctime had been there for
QUIET_SECONDS when the record was read: a second change in the same tick of the filesystem's clock leaves no trace.

Files have places by their inodes, and one that comes to the place of another takes it. A place is written and read
by one call each, so a thread never sees half of what another one writes:

    8 bytes   inode
    8 bytes   ctime in nanoseconds
    1 byte    the checksum's number in `file_record.ALGORITHMS`
    1 byte    1 for a derived ETag, which ends with '-0'
    16 bytes  the ETag's hexadecimal digits; an ETag of any other form isn't kept
"""

import os
import struct
import time
from collections.abc import Callable

from workspacesio.nodes.folder.file_record import ALGORITHMS, NUMBERS
from workspacesio.nodes.folder.snapshots import QUIET_SECONDS

_DIGEST_BYTES = 16
_PLACE = struct.Struct(f"<QqBB{_DIGEST_BYTES}s")
_DERIVED = "-0"
_QUIET_NS = int(QUIET_SECONDS * 1e9)

PLACES = 250_007
"""8.5 MB when all are taken. A prime, since inodes begin at multiples of a power of two in every group of ext4."""


class KnownEtags:
    """Of one node whose files all lie on one local filesystem. Safe in threads."""

    def __init__(self, places: int = PLACES, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.now_ns = now_ns
        self._places = places
        self._table = bytearray(places * _PLACE.size)

    def find(self, found: os.stat_result) -> tuple[str, str | None] | None:
        """ETag and checksum algorithm of the file with this lstat, if they are known."""
        inode = found.st_ino
        place = inode % self._places * _PLACE.size
        kept, changed_ns, number, derived, digest = _PLACE.unpack_from(self._table, place)
        if kept != inode or changed_ns != found.st_ctime_ns:
            return None
        return digest.hex() + _DERIVED if derived else digest.hex(), ALGORITHMS[number][0]

    def keep(self, found: os.stat_result, etag: str, algorithm: str | None, begun_ns: int) -> None:
        """What was read of a file after `found`, its lstat; both after `begun_ns` by `now_ns`."""
        inode, changed_ns = found.st_ino, found.st_ctime_ns
        if begun_ns - changed_ns <= _QUIET_NS:
            return
        digits = etag.removesuffix(_DERIVED)
        if len(digits) != 2 * _DIGEST_BYTES:
            return
        try:
            digest = bytes.fromhex(digits)
        except ValueError:
            return
        if digest.hex() == digits:
            place = inode % self._places * _PLACE.size
            _PLACE.pack_into(self._table, place, inode, changed_ns, NUMBERS[algorithm], digits != etag, digest)
