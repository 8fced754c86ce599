"""Objects that are sent in parts ("Uploading objects using multipart upload", Amazon S3 User Guide)."""

from __future__ import annotations

import contextlib
import hashlib
import zlib

from workspacesio.client import objects
from workspacesio.client.checksums import joined, spelled
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_documents import text_of
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import CHECKSUM, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from workspacesio.client.http_exchange import Answer
    from workspacesio.client.places import Place

MIB = 1 << 20
PART_BYTES = 8 * MIB
MOST_PARTS = 10_000
_SUMMED = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}


def part_size(size: int) -> int:
    """Such that there aren't more parts than S3 allows, in whole MiB."""
    least = -(-size // MOST_PARTS)
    return max(PART_BYTES, -(-least // MIB) * MIB)


def growing_part_size(number: int) -> int:
    """For what nobody knows the length of: parts double every thousand, so that all of them hold what S3 does."""
    return PART_BYTES << min(4, (number - 1) // 1000)


def begin(target: Place, headers: dict[str, str], *, summed: bool = True) -> tuple[str, bool]:
    """The id of an upload, and whether its parts are to make one CRC-32, as far as the server knows such ones.

    `headers`: what is stored with the object. Raises S3Refused.
    """
    whole = {**headers, **_SUMMED} if summed else headers
    request = Request("POST", target.bucket, target.key(), query=[("uploads", "")], headers=whole)
    try:
        _, content = target.storage.read(request)
    except S3Refused as refused:
        if not summed or refused.status not in (400, 501):
            raise
        return begin(target, headers, summed=False)
    return text_of(content, "InitiateMultipartUploadResult", "UploadId"), summed


class Assembly:
    """An object that comes in parts, one after the other: whole when this ends well, and not there else.

    `headers`: what is stored with it. `condition`: headers for the moment in which it is made. `copies`: its parts
    are copied by the server, and what they hold isn't known here.
    """

    def __init__(
        self,
        target: Place,
        headers: dict[str, str],
        *,
        condition: Mapping[str, str] | None = None,
        copies: bool = False,
    ) -> None:
        self._target = target
        self._condition = dict(condition or {})
        self._id, self._is_summed = begin(target, headers, summed=not copies)
        self._etags: list[str] = []
        self._sums: dict[int, tuple[int, int]] = {}

    def add(self, body: bytes) -> None:
        """The next part."""
        headers = {}
        if self._is_summed:
            crc = zlib.crc32(body)
            self._sums[len(self._etags) + 1] = crc, len(body)
            headers[CHECKSUM] = spelled(crc)
        answer, _ = self._part(headers, body)
        self._etags.append(answer.headers.get("ETag"))

    def copy(self, source: dict[str, str]) -> None:
        """The next part, from where these headers say."""
        _, content = self._part(source, b"")
        self._etags.append(text_of(content, "CopyPartResult", "ETag"))

    def _part(self, headers: dict[str, str], body: bytes) -> tuple[Answer, bytes]:
        query = [("partNumber", str(len(self._etags) + 1)), ("uploadId", self._id)]
        request = Request("PUT", self._target.bucket, self._target.key(), query=query, headers=headers, body=body)
        return self._target.storage.read(request)

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed:
            self._give_up()
            return
        etags = dict(enumerate(self._etags, start=1))
        try:
            complete(self._target, [("uploadId", self._id)], etags, self._condition, sums=self._sums)
        except S3Refused:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Its parts are deleted."""
        query = [("uploadId", self._id)]
        with contextlib.suppress(CommandError):  # why it failed is what there is to say
            self._target.storage.read(Request("DELETE", self._target.bucket, self._target.key(), query=query))


def complete(
    target: Place,
    query: list[tuple[str, str]],
    etags: dict[int, str],
    headers: dict[str, str],
    *,
    sums: Mapping[int, tuple[int, int]] | None = None,
) -> None:
    """Make one object of the parts of an upload.

    `sums`: CRC-32 and length of each, where it was begun with such ones.
    """
    summed = {
        number: f"<ChecksumCRC32>{spelled(crc)}</ChecksumCRC32>" for number, (crc, _) in (sums or {}).items()
    }
    if sums:
        whole = joined(sums[number] for number in sorted(sums))
        headers = {**headers, "x-amz-checksum-type": "FULL_OBJECT", CHECKSUM: spelled(whole)}
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etags[number]}</ETag>{summed.get(number, '')}</Part>"
        for number in sorted(etags)
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    request = Request("POST", target.bucket, target.key(), query=query, headers=headers, body=body)
    try:
        _, content = target.storage.read(request)
        text_of(content, "CompleteMultipartUploadResult", "ETag")  # it may be an error, with status 200
    except S3Refused as refused:
        # Where an answer got lost on its way, some servers know nothing more of the upload that was completed.
        if refused.code != "NoSuchUpload" or not _is_made_of(target, etags):
            raise


def _is_made_of(target: Place, etags: dict[int, str]) -> bool:
    """By its ETag: the MD5 of the MD5 of the parts, and their number."""
    try:
        digests = b"".join(bytes.fromhex(etags[number].strip('"')) for number in sorted(etags))
        made = objects.details(target.storage, target.bucket, target.key())
    except (ValueError, S3Refused):
        return False
    whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
    return made.etag.strip('"') == f"{whole}-{len(etags)}"
