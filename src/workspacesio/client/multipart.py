"""Objects that are sent in parts ("Uploading objects using multipart upload", Amazon S3 User Guide)."""

from __future__ import annotations

import contextlib
import hashlib

from workspacesio.client import objects
from workspacesio.client.checksums import spelled
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_documents import text_of
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from workspacesio.client.places import Place

MIB = 1 << 20
PART_BYTES = 8 * MIB
MOST_PARTS = 10_000


def part_size(size: int) -> int:
    """Such that there aren't more parts than S3 allows, in whole MiB."""
    least = -(-size // MOST_PARTS)
    return max(PART_BYTES, -(-least // MIB) * MIB)


def growing_part_size(number: int) -> int:
    """For what nobody knows the length of: parts double every thousand, so that all of them hold what S3 does."""
    return PART_BYTES << min(4, (number - 1) // 1000)


class Assembly:
    """An object that comes in parts, one after the other: whole when this ends well, and not there else."""

    def __init__(self, target: Place, headers: dict[str, str]) -> None:
        self._target = target
        request = Request("POST", target.bucket, target.key(), query=[("uploads", "")], headers=headers)
        _, content = target.storage.read(request)
        self._id = text_of(content, "InitiateMultipartUploadResult", "UploadId")
        self._etags: list[str] = []

    def add(self, headers: dict[str, str], body: bytes) -> None:
        """The next part: its bytes, or what is copied from where."""
        query = [("partNumber", str(len(self._etags) + 1)), ("uploadId", self._id)]
        request = Request("PUT", self._target.bucket, self._target.key(), query=query, headers=headers, body=body)
        answer, content = self._target.storage.read(request)
        if headers:
            self._etags.append(text_of(content, "CopyPartResult", "ETag"))
        else:
            self._etags.append(answer.headers.get("ETag"))

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        query = [("uploadId", self._id)]
        if failed:
            with contextlib.suppress(CommandError):  # why it failed is what there is to say
                self._target.storage.read(Request("DELETE", self._target.bucket, self._target.key(), query=query))
            return
        complete(self._target, query, dict(enumerate(self._etags, start=1)), {})


def complete(
    target: Place,
    query: list[tuple[str, str]],
    etags: dict[int, str],
    headers: dict[str, str],
    *,
    crcs: Mapping[int, int] | None = None,
) -> None:
    """Make one object of the parts of an upload. `crcs`: the CRC-32 of each where it was begun with such ones."""
    summed = {number: f"<ChecksumCRC32>{spelled(crc)}</ChecksumCRC32>" for number, crc in (crcs or {}).items()}
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
