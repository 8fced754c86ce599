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
import stat
from typing import BinaryIO

from workspacesio.client import blocks, objects, operating_system
from workspacesio.client.checksums import Comparison
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workspacesio.client.places import Place

    Told = Callable[..., None]


AT_ONCE_BYTES = 1 << 20
"""Up to this an object comes in one piece."""
_FLAGS = os.O_RDWR | os.O_CREAT | operating_system.NOT_THROUGH_LINKS | operating_system.BINARY


def download(place: Place, target: str, *, size: int, etag: str, told: Told) -> str:
    """`size` and `etag`: as they were listed; an object that was replaced since then comes as it is now.

    `told` hears of each stretch of bytes that has come, `kept` where an earlier attempt had it.
    Returns the ETag of what came. Raises CommandError; then the target is as it was.
    """
    try:
        return _download(place, target, size, etag, told)
    except objects.Replaced:
        with contextlib.suppress(OSError):
            os.unlink(part_path(place, target, size, etag))
        details = place.details()
        return _download(place, target, details.size, details.etag, told)


def _download(place: Place, target: str, size: int, etag: str, told: Told) -> str:
    _check_replaceable(target)
    part = part_path(place, target, size, etag)
    try:
        if size <= AT_ONCE_BYTES:
            came = _download_at_once(place, part, size, etag)
            told(size)
        else:
            if os.path.isdir(target):  # before gigabytes have come
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            came = _download_long(place, part, size, etag, told)
        try:
            os.replace(part, target)
        except FileNotFoundError as error:  # where an equal copy was as far a moment ago, it put it there
            if os.path.lexists(part):  # exFAT says so of a name that it can't hold
                raise
            raise _written_by_another(part) from error
        return came
    except OSError as error:
        if os.path.isdir(target):
            with contextlib.suppress(OSError):
                os.unlink(part)
            is_folder = f"{target} is a folder here, and {place.name()} is an object; move one of them away."
            raise CommandError(is_folder) from error
        left = f" What has come is kept in {part} and gone on with." if os.path.exists(part) else ""
        raise CommandError(f"{target} can't be written: {error.strerror}.{left}") from error


def _download_at_once(place: Place, part: str, size: int, etag: str) -> str:
    """What is so small is compared in memory, and there is nothing to go on with. Raises CommandError, OSError."""
    request = Request("GET", place.bucket, place.key())
    try:
        details, pieces = objects.open_content(place.storage, request, objects.Span(etag=etag))
    except S3Refused as refused:
        raise place.refusal(refused) from refused
    body = b"".join(objects.at_most(_named(place, pieces), size))
    compared = Comparison(details)
    compared.update(body)
    if not compared.is_whole(size):
        raise _not_as_stored(place)
    try:
        descriptor = _held(part)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(part), exist_ok=True)
        descriptor = _held(part)
    try:
        written = os.write(descriptor, body)
        os.ftruncate(descriptor, written)
    finally:
        os.close(descriptor)
    if written != size:  # a full disk takes a part of it without an error
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    _take_time(part, details.modified)
    return details.etag


def _download_long(place: Place, part: str, size: int, etag: str, told: Told) -> str:
    """What has come stays where it is, whatever happens. Raises CommandError, OSError."""
    os.makedirs(os.path.dirname(part) or ".", exist_ok=True)
    with _opened(part) as file:
        try:
            details = objects.details(place.storage, place.bucket, place.key(), checksums=True)
        except S3Refused as refused:
            raise place.refusal(refused) from refused
        if etag and details.etag.strip('"') != etag.strip('"'):
            raise objects.Replaced("it was replaced before it was downloaded; copy it again.")
        compared = Comparison(details)
        have = _kept(file, compared, size if etag else 0)
        told(have, kept=True)
        if have < size:
            pieces = _named(place, blocks.content(place, have, size, details.etag))
            for piece in objects.at_most(pieces, size - have):
                file.write(piece)
                compared.update(piece)
                told(len(piece))
        file.flush()
        if not compared.is_whole(size):
            file.truncate(0)
            raise _not_as_stored(place)
    _take_time(part, details.modified)
    return details.etag


def _check_replaceable(target: str) -> None:
    """Raises CommandError: whoever may would put a file in the place of /dev/null."""
    try:
        mode = os.stat(target).st_mode
    except OSError:  # nothing is there, or it is said when it is written
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise CommandError(f"{target} is no file but a device, pipe or socket; `wio cat` writes to such ones.")


def part_path(place: Place, target: str, size: int, etag: str) -> str:
    """Where the bytes of an object are kept until they are all there."""
    folder, name = os.path.split(target)
    told = "\0".join([place.bucket, place.key(), etag, str(size), name])
    mark = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:24]
    return os.path.join(folder, f".wio-{mark}.part")


def _opened(part: str) -> BinaryIO:
    """As `_held`."""
    return os.fdopen(_held(part), "r+b")


def _held(part: str) -> int:
    """Open for this process alone. Raises CommandError where another one writes it, OSError."""
    while True:
        descriptor = os.open(part, _FLAGS, 0o666)
        try:
            operating_system.lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise _written_by_another(part) from error
        # Whoever held it before may have put it in its place: it must not be written to there.
        status = os.fstat(descriptor)
        with contextlib.suppress(FileNotFoundError):
            if status.st_nlink < 2 and os.path.samestat(status, os.stat(part)):
                return descriptor
        os.close(descriptor)
        if status.st_nlink > 1:  # where others may write, they can put a name of any file of the caller's there
            raise CommandError(f"{part} is another name of some file, and isn't written to; remove it.")


def _written_by_another(part: str) -> CommandError:
    return CommandError(f"{part} is written by another copy under way; wait for it.")


def _kept(file: BinaryIO, compared: Comparison, size: int) -> int:
    """How much of an earlier attempt is there; the file stands behind it."""
    have = os.fstat(file.fileno()).st_size
    if have > size:
        file.truncate(0)
        return 0
    while piece := file.read(objects.PIECE_BYTES):
        compared.update(piece)
    return have


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


def _not_as_stored(place: Place) -> CommandError:
    return CommandError(f"{place.name()} did not come as it is stored; copy it again.")


def _take_time(part: str, modified: str) -> None:
    if modified:
        from datetime import datetime

        with contextlib.suppress(OSError):
            operating_system.set_time(part, int(datetime.fromisoformat(modified).timestamp()))
