"""An object that grows while it is written: parts go out while the next one is made, and it is there at last."""

from __future__ import annotations

import contextlib
import zlib
from collections import deque

from workspacesio.client import file_threads
from workspacesio.client.checksums import spelled
from workspacesio.client.errors import CommandError
from workspacesio.client.looking import refusals
from workspacesio.client.multipart import MIB, begin, complete
from workspacesio.client.s3_documents import text_of
from workspacesio.client.signature import CHECKSUM, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future

    from workspacesio.client.places import Place

IN_FLIGHT = 4
LEAST_PART_BYTES = 5 * MIB
"""Of all parts but the last ("Amazon S3 multipart upload limits", Amazon S3 User Guide)."""
COPIED_PART = 1024 * MIB


class PartedWrite:
    """Nothing can be seen of it before `finish`. Raises CommandError, from any part that failed before."""

    def __init__(self, place: Place, headers: dict[str, str], *, copies: bool = False) -> None:
        """`copies`: parts of it are copied by the server, and what they hold isn't known here."""
        self._place = place
        self._etags: dict[int, str] = {}
        self._number = 0
        self._sent: deque[Future[None]] = deque()
        self._sums: dict[int, tuple[int, int]] = {}
        with refusals(place, writes=True):
            self._id, self._is_summed = begin(place, headers, summed=not copies)

    @property
    def count(self) -> int:
        """How many parts there are."""
        return self._number

    def add(self, body: bytes) -> None:
        """The next part. Waits where several are under way already."""
        self._send({}, body)

    def copy(self, source: dict[str, str], size: int) -> None:
        """The next parts: what an object holds, copied by the server. `source`: the headers that name it."""
        begin = 0
        while begin < size:
            end = min(begin + COPIED_PART, size)
            if size - end < LEAST_PART_BYTES:
                end = size
            self._send({**source, "x-amz-copy-source-range": f"bytes={begin}-{end - 1}"}, b"")
            begin = end

    def finish(self, headers: dict[str, str]) -> None:
        """The object is there. `headers`: what must hold at that moment."""
        while self._sent:
            self._sent.popleft().result()
        with refusals(self._place, writes=True):
            complete(self._place, [("uploadId", self._id)], self._etags, headers, sums=self._sums)

    def give_up(self) -> None:
        """Nothing is left of it."""
        for one in self._sent:
            one.cancel()
        for one in self._sent:
            with contextlib.suppress(BaseException):
                one.result()
        query = [("uploadId", self._id)]
        with contextlib.suppress(CommandError):  # it ends by itself, after some days
            self._place.storage.read(Request("DELETE", self._place.bucket, self._place.key(), query=query))

    def _send(self, headers: dict[str, str], body: bytes) -> None:
        while len(self._sent) >= IN_FLIGHT:
            self._sent.popleft().result()
        self._number += 1
        self._sent.append(file_threads.parts().submit(self._part, self._number, headers, body))

    def _part(self, number: int, headers: dict[str, str], body: bytes) -> None:
        query = [("partNumber", str(number)), ("uploadId", self._id)]
        place, is_copied = self._place, bool(headers)
        if self._is_summed:
            crc = zlib.crc32(body)
            self._sums[number] = crc, len(body)
            headers = {CHECKSUM: spelled(crc)}
        request = Request("PUT", place.bucket, place.key(), query=query, headers=headers, body=body)
        with refusals(place, writes=True):
            answer, content = place.storage.read(request)
        etag = text_of(content, "CopyPartResult", "ETag") if is_copied else answer.headers.get("ETag")
        self._etags[number] = etag
