"""An object that is being written, as long as nobody knows how long it gets."""

from __future__ import annotations

from urllib.parse import quote

from workspacesio.client import reading, uploads
from workspacesio.client.errors import NotThere
from workspacesio.client.looking import refusals
from workspacesio.client.parted_writes import LEAST_PART_BYTES, PartedWrite
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.objects import Details
    from workspacesio.client.places import Place


class Growing:
    """`begin`: the bytes that were there before, and stay. `condition`: what must hold when it takes its name."""

    def __init__(self, place: Place, headers: dict[str, str], condition: dict[str, str]) -> None:
        self.begin = 0
        self._place = place
        self._headers = headers
        self._condition = condition
        self._before = b""
        self._copied: tuple[dict[str, str], int] | None = None
        self._parts: PartedWrite | None = None

    @classmethod
    def opened(cls, place: Place, mode: str) -> Growing:
        """`mode`: wb; xb where there must be nothing, ab to go on behind what is. Raises CommandError, Exists."""
        if mode == "xb":
            check_absent(place)
            return cls(place, uploads.content_type(place.path), {"If-None-Match": "*"})
        if mode == "ab":
            try:
                return cls._behind(place, place.details())
            except NotThere:
                return cls(place, uploads.content_type(place.path), {"If-None-Match": "*"})
        return cls(place, uploads.content_type(place.path), {})

    @classmethod
    def _behind(cls, place: Place, details: Details) -> Growing:
        """The server copies what is there, where it is large enough to be a part; else it is sent again."""
        metadata = {f"x-amz-meta-{name}": value for name, value in details.metadata.items()}
        made = cls(place, {**details.content_headers, **metadata}, {"If-Match": details.etag})
        made.begin = details.size
        if details.size >= LEAST_PART_BYTES:
            whole = quote(f"/{place.bucket}/{place.key()}", safe="/-_.~")
            source = {"x-amz-copy-source": whole, "x-amz-copy-source-if-match": details.etag}
            made._copied = source, details.size
        else:
            made._before = reading.read(place, etag=details.etag)
        return made

    @property
    def parts(self) -> int:
        """How many there are."""
        return 0 if self._parts is None else self._parts.count

    def add(self, body: bytes) -> None:
        """At least so many bytes as a part needs. Raises CommandError."""
        self._in_parts().add(self._before + body)
        self._before = b""

    def finish(self, rest: bytes) -> None:
        """The object is there, with `rest` at its end. Raises CommandError, Exists."""
        try:
            if self._copied is not None and not rest and self._parts is None:
                return  # nothing was added
            if self._parts is None and self._copied is None:
                self._put(self._before + rest)
                return
            if rest or self._before:
                self.add(rest)
            self._in_parts().finish(self._condition)
        except uploads.Exists:
            raise
        except BaseException as error:
            self._judge(error)
            raise

    def give_up(self) -> None:
        """Nothing of it is left; what was there before is."""
        if self._parts is not None:
            self._parts.give_up()

    def _in_parts(self) -> PartedWrite:
        if self._parts is None:
            self._parts = PartedWrite(self._place, self._headers, copies=self._copied is not None)
            if self._copied is not None:
                self._parts.copy(*self._copied)
        return self._parts

    def _put(self, body: bytes) -> None:
        headers = {**self._headers, **self._condition}
        request = Request("PUT", self._place.bucket, self._place.key(), headers=headers, body=body)
        with refusals(self._place, writes=True):
            self._place.storage.read(request)

    def _judge(self, error: BaseException) -> None:
        """Raises what a condition that didn't hold means."""
        cause = error if isinstance(error, S3Refused) else error.__cause__
        if isinstance(cause, S3Refused) and cause.status == 412:
            if "If-None-Match" in self._condition:
                raise _exists(self._place) from error
            raise S3Refused(
                f"{self._place.name()} was replaced while it was appended to; append again.",
                status=409,
                code="replaced",
            ) from error


def check_absent(place: Place) -> None:
    """Raises Exists, CommandError."""
    with refusals(place, writes=True):
        try:
            uploads.check_free(place)
        except S3Refused as refused:
            if refused.status == 412:
                raise _exists(place) from refused
            raise


def _exists(place: Place) -> uploads.Exists:
    return uploads.Exists(f"{place.name()} exists already.")
