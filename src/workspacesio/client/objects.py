"""Objects of a node as programs want them: listed, described, read to the end over connections that break."""

from __future__ import annotations

import base64
import hashlib
import http.client
import time
from xml.sax.saxutils import escape

from workspacesio.client.connection import explain
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_documents import Object, Page, errors_of, page_of
from workspacesio.client.s3_requests import PATIENCE_SECONDS, NodeStorage, S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

PIECE_BYTES = 1 << 20
PAGE_KEYS = 1000


class Details:
    """What is stored with an object. `modified`: RFC 3339. `metadata`: its writer's own, by lower-case name."""

    __slots__ = ("content_type", "etag", "is_encrypted", "metadata", "modified", "size")

    def __init__(self, headers: Message[str, str]) -> None:
        self.size = int(headers.get("Content-Length", 0))
        self.etag = headers.get("ETag", "")
        self.modified = _moment(headers.get("Last-Modified", ""))
        self.content_type = headers.get("Content-Type", "")
        self.is_encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
        self.metadata = {
            name.lower().removeprefix("x-amz-meta-"): value
            for name, value in headers.items()
            if name.lower().startswith("x-amz-meta-")
        }


def _moment(date: str | None) -> str:
    """An HTTP date as RFC 3339."""
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(date).isoformat() if date else ""


def list_page(
    storage: NodeStorage, bucket: str, prefix: str, *, delimiter: str = "", token: str = "", limit: int = PAGE_KEYS
) -> Page:
    """One page of the keys that begin with `prefix`. Raises S3Refused, CommandError."""
    query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(limit)), ("prefix", prefix)]
    if delimiter:
        query.append(("delimiter", delimiter))
    if token:
        query.append(("continuation-token", token))
    _, content = storage.read(Request("GET", bucket, query=query))
    try:
        return page_of(content)
    except (ValueError, KeyError) as error:
        raise CommandError(f"{storage.endpoint} doesn't list as S3 does ({error}).") from error


def pages(storage: NodeStorage, bucket: str, prefix: str, *, delimiter: str = "") -> Iterator[Page]:
    """All pages, each when it is wanted."""
    token = ""
    while True:
        page = list_page(storage, bucket, prefix, delimiter=delimiter, token=token)
        yield page
        token = page.token
        if not token:
            return


def below(storage: NodeStorage, bucket: str, prefix: str) -> Iterator[Object]:
    """Every object whose key begins with `prefix`, in the order of keys."""
    for page in pages(storage, bucket, prefix):
        yield from page.objects


def children(storage: NodeStorage, bucket: str, prefix: str) -> Iterator[Object | str]:
    """What lies directly in a folder: objects, and the prefixes of folders, in the order of keys."""
    for page in pages(storage, bucket, prefix, delimiter="/"):
        objects = iter([one for one in page.objects if one.key != prefix])
        # Each page holds one stretch of the order, so that what comes in two lists is put together page by page.
        waiting = next(objects, None)
        for folder in page.folders:
            while waiting is not None and waiting.key.encode() < folder.encode():
                yield waiting
                waiting = next(objects, None)
            yield folder
        if waiting is not None:
            yield waiting
        yield from objects


def details(storage: NodeStorage, bucket: str, key: str) -> Details:
    """Raises S3Refused, with status 404 where there is no such object."""
    answer, _ = storage.read(Request("HEAD", bucket, key))
    return Details(answer.headers)


def content(
    storage: NodeStorage,
    bucket: str,
    key: str,
    *,
    begin: int = 0,
    etag: str = "",
    first: int | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[bytes]:
    """An object's bytes from `begin` on, or its `first` ones, in pieces; goes on where a connection broke off.

    Raises CommandError if it isn't, or isn't any more, the one of `etag`: no mixture of two versions is given out.
    """
    failing_since = 0.0
    while first is None or begin < first:
        answer = _from(storage, Request("GET", bucket, key), begin, first, etag)
        if answer is None:
            return
        etag = answer.headers.get("ETag", "")
        end = begin + int(answer.headers.get("Content-Length", 0))
        try:
            while piece := answer.read(PIECE_BYTES):
                begin += len(piece)
                failing_since = 0.0
                yield piece
            if begin < end:
                raise http.client.IncompleteRead(b"", end - begin)
            return
        except (OSError, http.client.HTTPException) as error:
            storage.disconnect()
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > patience:
                raise CommandError(explain(error, storage.endpoint)) from error
        finally:
            if not answer.isclosed():
                storage.disconnect()  # whoever read had enough


def _from(
    storage: NodeStorage, request: Request, begin: int, first: int | None, etag: str
) -> http.client.HTTPResponse | None:
    """The answer from a byte on; None for an object that has none."""
    if begin or first is not None:
        request.headers["Range"] = f"bytes={begin}-{'' if first is None else first - 1}"
    if etag:
        request.headers["If-Match"] = etag
    try:
        return storage.open(request)
    except S3Refused as refused:
        if refused.status == 416 and not begin:
            return None
        if refused.status == 412:
            raise CommandError("it was replaced while it was read; read it again.") from refused
        raise


def delete(storage: NodeStorage, bucket: str, keys: list[str]) -> list[tuple[str, str]]:
    """Up to 1,000 at once; those that could not be deleted, and why. Raises S3Refused, CommandError.

    XML has no control characters, so that such keys are deleted one by one.
    """
    plain = [key for key in keys if key.isprintable()]
    refused = _delete_at_once(storage, bucket, plain) if plain else []
    for key in keys:
        if not key.isprintable():
            try:
                storage.read(Request("DELETE", bucket, key))
            except S3Refused as error:
                refused.append((key, str(error)))
    return refused


def _delete_at_once(storage: NodeStorage, bucket: str, keys: list[str]) -> list[tuple[str, str]]:
    listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    body = f"<Delete><Quiet>true</Quiet>{listed}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    request = Request("POST", bucket, query=[("delete", "")], headers={"Content-MD5": digest}, body=body)
    _, content = storage.read(request)
    try:
        return errors_of(content)
    except ValueError as error:
        raise CommandError(f"{storage.endpoint} doesn't delete as S3 does ({error}).") from error
