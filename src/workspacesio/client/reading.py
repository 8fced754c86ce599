"""Bytes of objects for programs that read here and there: ranges, each of the version that was opened."""

from __future__ import annotations

from workspacesio.client import objects
from workspacesio.client.errors import CommandError
from workspacesio.client.looking import refusals
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.places import Place

FIRST_BYTES = 64 << 10
AT_ONCE_BYTES = 8 << 20
"""Up to this a range that breaks off is asked for again; larger ones are gone on with where they broke off."""
READ_FROM_THE_END = (".parquet", ".parq", ".feather", ".arrow", ".orc", ".zip")
"""Formats whose readers begin with the end."""


class Opened:
    """An object as it was when it was opened, with the bytes that came with the answer: `held` from `begin` on."""

    __slots__ = ("begin", "etag", "held", "modified", "size")

    def __init__(self, size: int, etag: str, modified: str, begin: int, held: bytes) -> None:
        self.size = size
        self.etag = etag
        self.modified = modified
        self.begin = begin
        self.held = held


def opened(place: Place) -> Opened:
    """One request tells size and version, and brings the beginning, or the end where the name says so.

    Raises NotThere, CommandError.
    """
    from_the_end = place.path.lower().endswith(READ_FROM_THE_END)
    wanted = f"bytes=-{FIRST_BYTES}" if from_the_end else f"bytes=0-{FIRST_BYTES - 1}"
    try:
        answer, held = place.storage.read(Request("GET", place.bucket, place.key(), headers={"Range": wanted}))
    except S3Refused as refused:
        if refused.status != 416:
            raise place.refusal(refused) from refused
        details = place.details()  # it is empty
        return Opened(details.size, details.etag, details.modified, 0, b"")
    details = objects.Details(answer.headers)
    begin, size = (0, len(held)) if answer.status != 206 else _span(answer.headers.get("Content-Range"))
    return Opened(size, details.etag, details.modified, begin, held)


def read(place: Place, begin: int = 0, end: int | None = None, *, etag: str = "") -> bytes:
    """The bytes from `begin` to before `end`, none behind the object's end; of the version of `etag`.

    Raises NotThere, CommandError, Replaced.
    """
    if end is not None and begin >= end:
        return b""
    headers = {"If-Match": '"' + etag.strip('"') + '"'} if etag else {}
    if begin or end is not None:
        headers["Range"] = f"bytes={begin}-{'' if end is None else end - 1}"
    with refusals(place):
        try:
            if end is not None and end - begin <= AT_ONCE_BYTES:
                answer, body = place.storage.read(Request("GET", place.bucket, place.key(), headers=headers))
                is_part = answer.status == 206
                objects.check_answer(answer, place.storage.endpoint, begin=begin if is_part else 0, etag=etag)
                return body[: end - begin] if is_part else body[begin:end]
            pieces = objects.content(place.storage, place.bucket, place.key(), begin=begin, first=end, etag=etag)
            return b"".join(pieces)
        except S3Refused as refused:
            if refused.status == 416:
                return b""
            if refused.status == 412:
                raise _replaced(place) from refused
            raise
        except objects.Replaced as error:
            raise _replaced(place) from error


def read_last(place: Place, count: int) -> bytes:
    """The last bytes of an object. Raises as `read`."""
    with refusals(place):
        try:
            request = Request("GET", place.bucket, place.key(), headers={"Range": f"bytes=-{count}"})
            return place.storage.read(request)[1][-count:]
        except S3Refused as refused:
            if refused.status == 416:
                return b""
            raise


def _replaced(place: Place) -> CommandError:
    return objects.Replaced(f"{place.name()} was replaced while it was read; open it again.")


def _span(content_range: str) -> tuple[int, int]:
    """Where the bytes begin, and how long the whole is: `bytes 0-99/1234` (RFC 9110, section 14.4).

    Raises CommandError where that isn't told: what came would be taken for all there is.
    """
    span, _, whole = content_range.removeprefix("bytes ").partition("/")
    try:
        return int(span.partition("-")[0]), int(whole)
    except ValueError as error:
        raise CommandError(f"the server doesn't tell which bytes it gave ({content_range!r}).") from error
