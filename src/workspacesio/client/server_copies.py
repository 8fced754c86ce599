"""Objects to objects: by the server itself within a node, through this machine from one node to another."""

from __future__ import annotations

from urllib.parse import quote

from workspacesio.client import objects
from workspacesio.client.checksums import Comparison
from workspacesio.client.errors import CommandError
from workspacesio.client.multipart import Assembly, part_size
from workspacesio.client.s3_documents import text_of
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request
from workspacesio.client.uploads import SINGLE_BYTES, Exists, check_free

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workspacesio.client.places import Place

    Told = Callable[..., None]

MOST_COPIED_AT_ONCE = 5 << 30
"""Of CopyObject and UploadPartCopy (Amazon S3 User Guide, "Copying objects")."""
COPIED_PART = 1 << 30


def copy(source: Place, target: Place, *, told: Told, overwrite: bool) -> str:
    """With its content type and metadata. Returns the ETag of what was copied. Raises CommandError, Exists."""
    if source.is_beside(target) and source.key() == target.key():  # to move it would delete it
        raise CommandError("it can't be copied to itself.")
    try:
        details = objects.details(source.storage, source.bucket, source.key(), checksums=True)
    except S3Refused as refused:
        raise source.refusal(refused) from refused
    try:
        if not overwrite:
            check_free(target)
        if source.storage is not target.storage:
            _through(source, target, details, told)
        elif details.size <= MOST_COPIED_AT_ONCE:
            headers = _of_source(source, details)
            request = Request("PUT", target.bucket, target.key(), headers=headers)
            _, content = target.storage.read(request)
            text_of(content, "CopyObjectResult", "ETag")  # it may be an error, with status 200
            told(details.size)
        else:
            _in_parts(source, target, details, told)
        return details.etag
    except S3Refused as refused:
        if refused.status == 412 and not overwrite:
            raise Exists(f"{target.name()} exists already; add --yes to overwrite it.") from refused
        if refused.status == 412:
            raise CommandError(f"{source.name()} was replaced while it was copied; copy it again.") from refused
        raise target.refusal(refused, writes=True) from refused


def _of_source(source: Place, details: objects.Details) -> dict[str, str]:
    whole = quote(f"/{source.bucket}/{source.key()}", safe="/-_.~")
    return {"x-amz-copy-source": whole, "x-amz-copy-source-if-match": details.etag}


def _described(details: objects.Details) -> dict[str, str]:
    metadata = {f"x-amz-meta-{name}": value for name, value in details.metadata.items()}
    return {**details.content_headers, **metadata}


def _in_parts(source: Place, target: Place, details: objects.Details, told: Told) -> None:
    with Assembly(target, _described(details), copies=True) as assembly:
        for begin in range(0, details.size, COPIED_PART):
            end = min(begin + COPIED_PART, details.size)
            span = {**_of_source(source, details), "x-amz-copy-source-range": f"bytes={begin}-{end - 1}"}
            assembly.copy(span)
            told(end - begin)


def _through(source: Place, target: Place, details: objects.Details, told: Told) -> None:
    read = objects.content(source.storage, source.bucket, source.key(), etag=details.etag)
    pieces = _compared(read, source, details)
    if details.size <= SINGLE_BYTES:
        body = b"".join(pieces)
        headers = _described(details)
        target.storage.read(Request("PUT", target.bucket, target.key(), headers=headers, body=body))
        told(details.size)
        return
    with Assembly(target, _described(details)) as assembly:
        for body in _regrouped(pieces, part_size(details.size)):
            assembly.add(body)
            told(len(body))


def _compared(pieces: Iterator[bytes], source: Place, details: objects.Details) -> Iterator[bytes]:
    """The same. Raises CommandError at the end if it isn't what is stored."""
    comparison = Comparison(details)
    for piece in objects.at_most(pieces, details.size):
        comparison.update(piece)
        yield piece
    if not comparison.is_whole(details.size):
        raise CommandError(f"{source.name()} did not come as it is stored; copy it again.")


def _regrouped(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        while len(gathered) >= size:
            yield bytes(gathered[:size])
            del gathered[:size]
    if gathered:
        yield bytes(gathered)
