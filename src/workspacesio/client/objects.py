"""Objects of a node as programs want them: listed, described, read to the end over connections that break."""

from __future__ import annotations

import functools
import http.client
import time

from workspacesio.client import pages_ahead
from workspacesio.client.connection import explain
from workspacesio.client.errors import CommandError
from workspacesio.client.s3_documents import Object, Page, page_of
from workspacesio.client.s3_requests import PATIENCE_SECONDS, NodeStorage, S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from workspacesio.client.http_exchange import Answer

PIECE_BYTES = 1 << 18
"""At once, of what has come."""
PAGE_KEYS = 1000
CONTENT_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Disposition",
    "Cache-Control",
    "Expires",
)
"""What is stored with an object as its writer gave it, besides metadata (Amazon S3 API Reference, PutObject)."""


_REPLACED = "it was replaced while it was read; read it again."


class Replaced(CommandError):
    """The object isn't the one that was asked for any more."""


class Details:
    """What is stored with an object. `modified`: RFC 3339. `metadata`: its writer's own, by lower-case name.

    `checksums`: of all its bytes in base64, by the names in headers (`crc32`), where they were asked for.
    """

    __slots__ = (
        "checksums",
        "content_headers",
        "content_type",
        "etag",
        "is_encrypted",
        "metadata",
        "modified",
        "size",
    )

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.size = int(headers.get("Content-Length", 0))
        self.etag = headers.get("ETag", "")
        self.modified = _moment(headers.get("Last-Modified", ""))
        self.content_type = headers.get("Content-Type", "")
        self.content_headers = {name: headers[name] for name in CONTENT_HEADERS if headers.get(name)}
        self.is_encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
        self.metadata = {
            name.lower().removeprefix("x-amz-meta-"): value
            for name, value in headers.items()
            if name.lower().startswith("x-amz-meta-")
        }
        self.checksums = {
            name.lower().removeprefix("x-amz-checksum-"): value
            for name, value in headers.items()
            if name.lower().startswith("x-amz-checksum-")
        }
        if self.checksums.pop("type", "FULL_OBJECT") != "FULL_OBJECT":  # those of parts, made one
            self.checksums.clear()


@functools.lru_cache(maxsize=100)  # many objects are written in one second
def _moment(date: str) -> str:
    """An HTTP date as RFC 3339."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).isoformat() if date else ""
    except ValueError:
        return ""


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
        page = page_of(content)
        _check_page(page, prefix, token)
    except (ValueError, KeyError) as error:
        raise CommandError(f"{storage.endpoint} doesn't list as S3 does ({error}).") from error
    return page


def _check_page(page: Page, prefix: str, token: str) -> None:
    """Raises ValueError: what is listed may be deleted, so it must be what was asked for, and have an end."""
    if page.token and page.token == token:
        raise ValueError("it goes on where it is")
    names = [one.key for one in page.objects] + page.folders
    other = next((name for name in names if not name.startswith(prefix)), None)
    if other is not None:
        raise ValueError(f"{other!r} doesn't begin with {prefix!r}")


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

    def ask(token: str) -> Page:
        return list_page(storage, bucket, prefix, token=token)

    for page in pages_ahead.pages(ask, storage.disconnect):
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


def details(storage: NodeStorage, bucket: str, key: str, *, checksums: bool = False) -> Details:
    """Raises S3Refused, with status 404 where there is no such object."""
    headers = {"x-amz-checksum-mode": "ENABLED"} if checksums else {}
    try:
        answer, _ = storage.read(Request("HEAD", bucket, key, headers=headers))
    except S3Refused as refused:
        if refused.code or refused.status not in (400, 403):
            raise
        # HEAD has no room for the reason, which may be keys that ended: GET says it, and has them renewed.
        _from(storage, Request("GET", bucket, key), Span(first=1))
        storage.disconnect()
        answer, _ = storage.read(Request("HEAD", bucket, key, headers=headers))
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
) -> Generator[bytes, None, None]:
    """As `open_content`, without what is stored with the object."""
    span = Span(begin, first, etag)
    yield from open_content(storage, Request("GET", bucket, key), span, patience=patience)[1]


class Span:
    """The bytes from `begin` on, up to the `first` ones, of the object with this ETag, "" for any."""

    __slots__ = ("begin", "etag", "first")

    def __init__(self, begin: int = 0, first: int | None = None, etag: str = "") -> None:
        self.begin = begin
        self.first = first
        self.etag = etag


def open_content(
    storage: NodeStorage, request: Request, span: Span, *, patience: float = PATIENCE_SECONDS
) -> tuple[Details, Iterator[bytes]]:
    """What is stored with an object, and its bytes in pieces, gone on with where a connection breaks off.

    The size is that of what comes. Raises, also while pieces are taken, CommandError if the object isn't, or isn't
    any more, the one of the ETag: no mixture of two versions is given out.
    """
    if span.first is not None and span.begin >= span.first:
        return Details({}), iter(())
    answer = _from(storage, request, span)
    if answer is None:
        return Details({}), iter(())
    return Details(answer.headers), _pieces(storage, request, span, answer, patience)


def _pieces(
    storage: NodeStorage, request: Request, span: Span, answer: Answer | None, patience: float
) -> Iterator[bytes]:
    begin, failing_since = span.begin, 0.0
    while answer is not None:
        etag = answer.headers.get("ETag", "")
        end = begin + int(answer.headers.get("Content-Length") or 0)
        try:
            while piece := answer.read_some(PIECE_BYTES):
                begin += len(piece)
                failing_since = 0.0
                if span.first is not None and begin > span.first:  # all of it, from who gives no parts
                    yield piece[: span.first - begin]
                    return
                yield piece
            if begin < end:
                raise http.client.IncompleteRead(b"", end - begin)
            return
        except (OSError, http.client.HTTPException) as error:
            storage.disconnect()
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > patience:
                raise CommandError(explain(error, storage.endpoint, has_answered=True)) from error
        finally:
            if not answer.is_read():
                storage.disconnect()  # whoever read had enough
        answer = _from(storage, request, Span(begin, span.first, etag))


def _from(storage: NodeStorage, request: Request, span: Span) -> Answer | None:
    """The answer from a byte on; None for an object that has none."""
    if span.begin or span.first is not None:
        last = "" if span.first is None else span.first - 1
        request.headers["Range"] = f"bytes={span.begin}-{last}"
    if span.etag:
        request.headers["If-Match"] = '"' + span.etag.strip('"') + '"'
    try:
        answer = storage.open(request)
    except S3Refused as refused:
        if refused.status == 416 and not span.begin:
            return None
        if refused.status == 412:
            raise Replaced(_REPLACED) from refused
        raise
    try:
        check_answer(answer, storage.endpoint, begin=span.begin, etag=span.etag)
    except CommandError:
        storage.disconnect()
        raise
    return answer


def check_answer(answer: Answer, endpoint: str, *, begin: int, etag: str) -> None:
    """Whether it holds the bytes from `begin` on, of the version that was asked for, "" for any.

    Some servers, and caches before them, know no If-Match or no ranges. Raises Replaced, CommandError.
    """
    came = answer.headers.get("ETag").removeprefix("W/").strip('"')
    if etag and came and came != etag.removeprefix("W/").strip('"'):
        raise Replaced(_REPLACED)
    if begin and answer.status != 206:
        raise CommandError(f"{endpoint} doesn't give parts of objects; begin anew.")
    first = answer.headers.get("Content-Range").removeprefix("bytes ").partition("-")[0]
    if answer.status == 206 and first.strip() != str(begin):
        raise CommandError(f"{endpoint} gave other bytes than it was asked for; begin anew.")


def at_most(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The same, up to the one with which there are more: that is enough to see that it isn't what it should be."""
    for piece in pieces:
        yield piece
        count -= len(piece)
        if count < 0:
            return
