"""Objects to local files: whole or not at all, and gone on with where an earlier attempt broke off.

What has come is kept beside the target, under a name of its own (`.wio-….part`), until the whole is there and was
compared with what the server says of it. The name is made of the object and its ETag, so that a later attempt
finds it, whatever ended the first one, and finds nothing where the object was replaced.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from typing import BinaryIO, Protocol

from workspacesio.client import objects
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workspacesio.client.places import Place

    class Hash(Protocol):
        def update(self, data: bytes, /) -> None: ...
        def hexdigest(self) -> str: ...

    Told = Callable[..., None]


_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def download(place: Place, target: str, *, size: int, etag: str, told: Told) -> str:
    """`size` and `etag`: as they were listed; an object that was replaced since then comes as it is now.

    `told` hears of each stretch of bytes that has come, `kept` where an earlier attempt had it.
    Returns the ETag of what came. Raises CommandError; then the target is as it was.
    """
    if os.path.isdir(target):
        raise CommandError(f"{target} is a folder here, and {place.name()} is an object; move one of them away.")
    try:
        return _download(place, target, size, etag, told)
    except objects.Replaced:
        with contextlib.suppress(OSError):
            os.unlink(part_path(place, target, size, etag))
        details = place.details()
        return _download(place, target, details.size, details.etag, told)


def _download(place: Place, target: str, size: int, etag: str, told: Told) -> str:
    part = part_path(place, target, size, etag)
    try:
        if size <= objects.PIECE_BYTES:
            came = _download_at_once(place, part, size, etag)
            told(size)
            os.replace(part, target)
            return came
        os.makedirs(os.path.dirname(part) or ".", exist_ok=True)
        with _opened(part) as file:
            digest = hashlib.md5(usedforsecurity=False)
            have = _kept(file, digest, size if etag else 0)
            told(have, kept=True)
            details, pieces = _content(place, have, size, etag)
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                told(len(piece))
            file.flush()
            _check(place, file, size, details, digest)
            _take_time(file.fileno(), details.modified)
        os.replace(part, target)
        return details.etag
    except OSError as error:
        left = f" What has come is kept in {part} and gone on with." if os.path.exists(part) else ""
        raise CommandError(f"{target} can't be written: {error.strerror}.{left}") from error


def _download_at_once(place: Place, part: str, size: int, etag: str) -> str:
    """What is so small is compared in memory, and there is nothing to go on with. Raises CommandError, OSError."""
    details, pieces = _content(place, 0, size, etag)
    body = b"".join(pieces)
    if not _is_stored(details, size, len(body), hashlib.md5(body, usedforsecurity=False)):
        raise _not_as_stored(place)
    try:
        descriptor = os.open(part, _FLAGS, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(part), exist_ok=True)
        descriptor = os.open(part, _FLAGS, 0o666)
    try:
        _lock(descriptor, part)
        os.ftruncate(descriptor, os.write(descriptor, body))
        _take_time(descriptor, details.modified)
    finally:
        os.close(descriptor)
    if os.path.getsize(part) != size:  # a full disk takes a part of it without an error
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return details.etag


def part_path(place: Place, target: str, size: int, etag: str) -> str:
    """Where the bytes of an object are kept until they are all there."""
    folder, name = os.path.split(target)
    told = "\0".join([place.bucket, place.key(), etag, str(size), name])
    mark = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:24]
    return os.path.join(folder, f".wio-{mark}.part")


def _opened(part: str) -> BinaryIO:
    """For this process alone. Raises CommandError where another one writes it."""
    descriptor = os.open(part, _FLAGS, 0o666)
    try:
        _lock(descriptor, part)
    except CommandError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "r+b")


def _lock(descriptor: int, part: str) -> None:
    with contextlib.suppress(ImportError):  # elsewhere than on POSIX files are locked by being open
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(f"{part} is written by another copy under way; wait for it.") from error


def _kept(file: BinaryIO, digest: Hash, size: int) -> int:
    """How much of an earlier attempt is there; the file stands behind it."""
    have = os.fstat(file.fileno()).st_size
    if have > size:
        file.truncate(0)
        return 0
    while piece := file.read(objects.PIECE_BYTES):
        digest.update(piece)
    return have


def _content(place: Place, have: int, size: int, etag: str) -> tuple[objects.Details, Iterator[bytes]]:
    if have and have == size:
        details = place.details()
        if details.etag.strip('"') != etag.strip('"'):
            raise objects.Replaced("it was replaced before it was downloaded; copy it again.")
        return details, iter(())
    request = Request("GET", place.bucket, place.key())
    try:
        details, pieces = objects.open_content(place.storage, request, objects.Span(have, None, etag))
    except S3Refused as refused:
        raise place.refusal(refused) from refused
    return details, _named(place, pieces)


def _named(place: Place, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same; what goes wrong says of which object."""
    try:
        yield from pieces
    except S3Refused as refused:
        raise place.refusal(refused) from refused
    except objects.Replaced:
        raise
    except CommandError as error:
        raise CommandError(f"{place.name()}: {error}") from error


def _check(place: Place, file: BinaryIO, size: int, details: objects.Details, digest: Hash) -> None:
    if not _is_stored(details, size, os.fstat(file.fileno()).st_size, digest):
        file.truncate(0)
        raise _not_as_stored(place)


def _is_stored(details: objects.Details, size: int, have: int, digest: Hash) -> bool:
    """Compared is the length, and the ETag where it is the MD5 of the content, as after a single upload."""
    etag = details.etag.strip('"')
    is_md5 = len(etag) == 32 and all(one in "0123456789abcdef" for one in etag) and not details.is_encrypted
    return have == size and (not is_md5 or etag == digest.hexdigest())


def _not_as_stored(place: Place) -> CommandError:
    return CommandError(f"{place.name()} did not come as it is stored; copy it again.")


def _take_time(descriptor: int, modified: str) -> None:
    if modified and os.utime in os.supports_fd:
        from datetime import datetime

        at = int(datetime.fromisoformat(modified).timestamp())
        with contextlib.suppress(OSError):
            os.utime(descriptor, (at, at))
