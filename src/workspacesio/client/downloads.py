"""Objects to local files: whole or not at all, and gone on with where an earlier attempt broke off.

What has come is kept beside the target, under a name of its own (`.wio-….part`), until the whole is there and was
compared with what the server says of it. The name is made of the object and its ETag, so that a later attempt
finds it, whatever ended the first one, and finds nothing where the object was replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import BinaryIO, Protocol

from workspacesio.client import objects
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_requests import S3Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workspacesio.client.places import Place

    class Hash(Protocol):
        def update(self, data: bytes, /) -> None: ...

    Told = Callable[..., None]


def download(place: Place, target: str, *, told: Told) -> None:
    """`told` hears of each stretch of bytes that has come, `kept` where an earlier attempt had it.

    Raises CommandError; then the target is as it was.
    """
    details = place.details()
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise CommandError(f"{target} is a folder here, and {place.name()} is an object; move one of them away.")
    part = part_path(place, details, target)
    try:
        os.makedirs(folder or ".", exist_ok=True)
        with _opened(part) as file:
            digest = hashlib.md5(usedforsecurity=False)
            have = _kept(file, digest, details.size)
            told(have, kept=True)
            for piece in _pieces(place, have, details.etag):
                file.write(piece)
                digest.update(piece)
                told(len(piece))
            file.flush()
            _check(place, file, details, digest.hexdigest())
            _take_time(file, details.modified)
        os.replace(part, target)
    except OSError as error:
        left = f" What has come is kept in {part} and gone on with." if os.path.exists(part) else ""
        raise CommandError(f"{target} can't be written: {error.strerror}.{left}") from error


def part_path(place: Place, details: objects.Details, target: str) -> str:
    """Where the bytes of an object are kept until they are all there."""
    folder, name = os.path.split(target)
    told = "\0".join([place.bucket, place.key(), details.etag, str(details.size), name])
    mark = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:24]
    return os.path.join(folder, f".wio-{mark}.part")


def _opened(part: str) -> BinaryIO:
    """For this process alone. Raises CommandError where another one writes it."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    file = os.fdopen(descriptor, "r+b")
    with contextlib.suppress(ImportError):  # elsewhere than on POSIX files are locked by being open
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise CommandError(f"{part} is written by another copy under way; wait for it.") from error
    return file


def _kept(file: BinaryIO, digest: Hash, size: int) -> int:
    """How much of an earlier attempt is there; the file stands behind it."""
    have = os.fstat(file.fileno()).st_size
    if have > size:
        file.truncate(0)
        return 0
    while piece := file.read(objects.PIECE_BYTES):
        digest.update(piece)
    return have


def _pieces(place: Place, begin: int, etag: str) -> Iterator[bytes]:
    try:
        yield from objects.content(place.storage, place.bucket, place.key(), begin=begin, etag=etag)
    except S3Refused as refused:
        if refused.status == 416:  # all of it is there
            return
        raise place.refusal(refused) from refused
    except CommandError as error:
        raise CommandError(f"{place.name()}: {error}") from error


def _check(place: Place, file: BinaryIO, details: objects.Details, digest: str) -> None:
    """Compared is the length, and the ETag where it is the MD5 of the content, as after a single upload."""
    size = os.fstat(file.fileno()).st_size
    etag = details.etag.strip('"')
    is_md5 = len(etag) == 32 and all(one in "0123456789abcdef" for one in etag) and not details.is_encrypted
    if size != details.size or (is_md5 and etag != digest):
        file.truncate(0)
        raise CommandError(f"{place.name()} did not come as it is stored; copy it again.")


def _take_time(file: BinaryIO, modified: str) -> None:
    if modified:
        from datetime import datetime

        at = int(datetime.fromisoformat(modified).timestamp())
        with contextlib.suppress(OSError):
            os.utime(file.fileno() if os.utime in os.supports_fd else file.name, (at, at))
