"""Documents that are zip archives: what they would unpack to is looked at before anything is unpacked.

zipfile never gives more of a member than its directory says, so the sum holds whatever the data does.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from workspacesio.index.extraction.protocol import MEBIBYTE, GivenFile, Unreadable

MOST_UNPACKED = 256 * MEBIBYTE
MOST_MEMBERS = 20_000


def check_unpacked(stream: BinaryIO) -> None:
    """Raises Unreadable when it unpacks to more than is read, BadZipFile when it is no archive."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
    if size > MOST_UNPACKED or len(members) > MOST_MEMBERS:
        raise Unreadable(
            f"Its content is not read: it unpacks to {size // MEBIBYTE} MiB in {len(members)} parts, and at most "
            f"{MOST_UNPACKED // MEBIBYTE} MiB in {MOST_MEMBERS} are read."
        )
    stream.seek(0)


@contextmanager
def opened_archive(file: GivenFile) -> Iterator[BinaryIO]:
    """The file, open, when it is an archive that may be unpacked."""
    with file.open() as stream:
        check_unpacked(stream)
        yield stream
