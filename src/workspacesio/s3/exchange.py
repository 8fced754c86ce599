"""One request and the way back, as the endpoint uses them; `http_exchange` makes them of a connection's bytes.

Header names are lower-case and values ASCII. `path` is percent-decoded, bytes that are not UTF-8 replaced by
U+FFFD; `query_string` is as it came.
"""

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

Headers = list[tuple[str, str]]


class ClientGone(Exception):
    """The connection has ended, or was cut because its client took nothing for too long."""


class Head(Protocol):
    """The head of a request. `unreadable`: the names of headers whose values aren't ASCII, which are left out."""

    http_version: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Headers
    unreadable: frozenset[str]


class BodyStream(Protocol):
    """The body of an answer that is under way.

    `takes_views`: nobody but the system will look at a memoryview, and `send` returns when it has copied it.
    """

    takes_views: bool

    def send(self, data: bytes | memoryview) -> Awaitable[None]:
        """Returns when there is room for more. Raises ClientGone."""
        ...

    def end(self) -> None:
        """All of the body was sent. Without this, the connection is cut, so that a client notices."""
        ...


class Exchange(Protocol):
    """The rest of one request, and the way back. Reading raises ClientGone."""

    @property
    def body_complete(self) -> bool:
        """All of the body has arrived."""
        ...

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        ...

    def is_last(self) -> None:
        """The connection ends with this answer."""
        ...

    def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Answer at once. Raises ValueError for headers that are none."""
        ...

    def respond_in_pieces(self, status: int, headers: Headers, idle_seconds: float) -> BodyStream:
        """Begin an answer. A client that takes nothing for `idle_seconds` is cut off. Raises ValueError."""
        ...
