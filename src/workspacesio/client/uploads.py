"""Local files to objects: small ones in one request, large ones in parts that are kept over any interruption.

Nothing can be seen of an object before all of it has come and the file has turned out to be the one that it was in
the beginning. The server compares each request with its SHA-256, which is signed. An upload in parts is written
down, so that a later attempt for the same file, unchanged, sends only what is missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import mimetypes
import os
import zlib

from workspacesio.client import operating_system, private_files, upload_records
from workspacesio.client.checksums import spelled
from workspacesio.client.errors import CommandError
from workspacesio.client.memory import Memory
from workspacesio.client.multipart import MIB, begin, complete, part_size
from workspacesio.client.s3_documents import parts_of
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import CHECKSUM, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workspacesio.client.http_exchange import Answer
    from workspacesio.client.places import Place

    Told = Callable[..., None]
    Pace = Callable[[int], None]

SINGLE_BYTES = 16 * MIB
"""Up to this an object is sent in one request."""
PARTS_AT_ONCE = 4
MOST_IN_MEMORY = 128 * MIB
"""Of all uploads together."""
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
ATTEMPTS = 3
"""For a file that changes while it is read."""


Identity = tuple[int, int, int]


class Exists(CommandError):
    """There is an object of this name, and it wasn't to be overwritten."""


class _Changed(Exception):
    """The file is another one than in the beginning."""


_memory = Memory(MOST_IN_MEMORY)


def _at_once(_: int) -> None:
    """The pace of who waits for nothing."""


def upload(path: str, place: Place, *, told: Told, overwrite: bool, pace: Pace = _at_once) -> Identity:
    """`told` hears of what was sent; `pace` waits until so many bytes may be sent.

    Returns which file it was. Raises CommandError, Exists.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with open(path, "rb", buffering=0) as file:
                return _upload(file.fileno(), path, place, told=told, overwrite=overwrite, pace=pace)
        except _Changed:
            continue
        except S3Refused as refused:
            if refused.code in ("NoSuchUpload", "InvalidPart") and attempt < ATTEMPTS:
                continue  # somebody ended it, or completed it: a second command with the same file
            if refused.status in (409, 412) and not overwrite:
                raise Exists(f"{place.name()} exists already; add --yes to overwrite it.") from refused
            raise place.refusal(refused, writes=True) from refused
        except OSError as error:
            raise CommandError(f"{path} can't be read: {error.strerror}.") from error
    raise CommandError(f"{path} goes on changing; copy it when it is at rest.")


def _upload(descriptor: int, path: str, place: Place, *, told: Told, overwrite: bool, pace: Pace) -> Identity:
    begin = _identity(descriptor)
    size = begin[0]
    headers = {} if overwrite else {"If-None-Match": "*"}
    described = content_type(path)
    if size <= SINGLE_BYTES:
        pace(size)
        with _memory.taken(size):
            body = operating_system.read_at(descriptor, size + 1, 0)
            if len(body) != size or _identity(descriptor) != begin:
                raise _Changed
            request = Request("PUT", place.bucket, place.key(), headers={**headers, **described}, body=body)
            place.storage.read(request)
        told(size)
        return begin
    if not overwrite:
        check_free(place)
    parts = _Parts(descriptor, path, place, begin, told, pace)
    parts.begin(described)
    try:
        parts.send()
        if _identity(descriptor) != begin:
            raise _Changed
    except _Changed:
        parts.give_up()
        raise
    try:
        parts.complete(headers)
    except S3Refused as refused:
        if refused.code == "InvalidPart":  # the server lost one of those that it had
            parts.give_up()
        raise
    return begin


def content_type(path: str) -> dict[str, str]:
    """The header that the name means. What is compressed is what its last ending says: `x.csv.gz` is no text."""
    kind, encoding = mimetypes.guess_type(path)
    if encoding:
        kind = _COMPRESSED.get(encoding)
    return {"Content-Type": kind} if kind else {}


def _identity(descriptor: int) -> Identity:
    return identity_of(os.fstat(descriptor))


def identity_of(status: os.stat_result) -> Identity:
    """Size in bytes, time in ns, inode: a file that was written to has another one."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def check_free(place: Place) -> None:
    """Before gigabytes are sent. Raises S3Refused as a write would be refused."""
    from workspacesio.client import objects

    try:
        objects.details(place.storage, place.bucket, place.key())
    except S3Refused as refused:
        if refused.status == 404:
            return
        raise
    raise S3Refused("", status=412, code="PreconditionFailed")


class _Parts:
    """One upload in parts, as it is written down while it lasts."""

    def __init__(  # noqa: PLR0917 - what an upload consists of
        self, descriptor: int, path: str, place: Place, identity: Identity, told: Told, pace: Pace
    ) -> None:
        self._descriptor = descriptor
        self._place = place
        self._size = identity[0]
        self._part = part_size(self._size)
        self._told = told
        self._pace = pace
        self._id = ""
        self._etags: dict[int, str] = {}
        self._crcs: dict[int, int] = {}
        self._is_summed = True
        storage = place.storage
        meant = [storage.endpoint, place.bucket, place.key(), os.path.abspath(path), *map(str, identity)]
        mark = hashlib.sha256("\0".join(meant).encode(errors="surrogateescape")).hexdigest()[:32]
        self._written = upload_records.path(mark)

    def begin(self, headers: dict[str, str]) -> None:
        """Finds the upload of an earlier attempt, or begins one."""
        kept = private_files.read_json(self._written)
        if isinstance(kept, dict) and kept.get("part") == self._part:
            self._id = str(kept["upload"])
            self._is_summed = bool(kept.get("crc32"))
            try:
                self._etags = self._listed()
            except S3Refused as refused:
                if refused.status != 404:
                    raise
                self._id = ""
        if not self._id:
            self._id, self._is_summed = begin(self._place, headers)
            written = {"upload": self._id, "part": self._part, "crc32": self._is_summed}
            with contextlib.suppress(CommandError):  # then it can't be gone on with, but it can be done
                upload_records.write(self._written, written)
        for number in self._etags:
            self._told(self._length(number), kept=True)

    def send(self) -> None:
        """What is missing, a few parts at once."""
        from concurrent.futures import ThreadPoolExecutor

        numbers = range(1, -(-self._size // self._part) + 1)
        missing = iter([number for number in numbers if number not in self._etags])
        with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="parts") as threads:
            for sender in [threads.submit(self._send, missing) for _ in range(PARTS_AT_ONCE)]:
                sender.result()

    def _send(self, missing: Iterator[int]) -> None:
        """Takes one after the other; several threads take from the same ones."""
        try:
            for number in missing:
                length = self._length(number)
                self._pace(length)
                with _memory.taken(length):
                    body = operating_system.read_at(self._descriptor, length, (number - 1) * self._part)
                    if len(body) != length:
                        raise _Changed
                    query = [("partNumber", str(number)), ("uploadId", self._id)]
                    headers = {}
                    if self._is_summed:
                        self._crcs[number] = zlib.crc32(body)
                        headers[CHECKSUM] = spelled(self._crcs[number])
                    answer, _ = self._ask("PUT", query, headers=headers, body=body)
                    del body
                self._etags[number] = answer.headers.get("ETag")
                self._told(length)
        except BaseException:
            for _ in missing:  # the other threads find nothing more to do
                pass
            raise
        finally:
            self._place.storage.disconnect()  # a connection of this thread, which ends

    def complete(self, headers: dict[str, str]) -> None:
        """The object is there, whole."""
        sums = self._sums() if self._is_summed else {}
        try:
            complete(self._place, [("uploadId", self._id)], self._etags, headers, sums=sums)
        except S3Refused as refused:
            if refused.code not in ("BadDigest", "XAmzContentChecksumMismatch"):
                raise
            self.give_up()  # what was sent before isn't in the file any more
            raise _Changed from refused
        private_files.remove(self._written)

    def _sums(self) -> dict[int, tuple[int, int]]:
        """CRC-32 and length of each part; those that an earlier attempt sent are read once more."""
        for number in self._etags.keys() - self._crcs.keys():
            at = (number - 1) * self._part
            self._crcs[number] = zlib.crc32(operating_system.read_at(self._descriptor, self._length(number), at))
        return {number: (self._crcs[number], self._length(number)) for number in self._etags}

    def give_up(self) -> None:
        """Nothing of it is of use any more."""
        private_files.remove(self._written)
        with contextlib.suppress(CommandError):
            self._ask("DELETE", [("uploadId", self._id)])

    def _listed(self) -> dict[int, str]:
        found: dict[int, str] = {}
        before, after = "", "0"
        while after and after != before:
            before = after
            _, content = self._ask("GET", [("uploadId", self._id), ("part-number-marker", after)])
            try:
                parts, after = parts_of(content)
            except (ValueError, KeyError) as error:
                raise CommandError(f"its parts aren't listed as S3 does it ({error}); try again.") from error
            found |= {number: etag for number, etag, size in parts if size == self._length(number)}
        return found

    def _length(self, number: int) -> int:
        return min(self._part, self._size - (number - 1) * self._part)

    def _ask(
        self,
        method: str,
        query: list[tuple[str, str]],
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[Answer, bytes]:
        request = Request(method, self._place.bucket, self._place.key(), query=query, headers=headers, body=body)
        return self._place.storage.read(request)
