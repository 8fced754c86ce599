"""What the server hands over and takes back, as far as the endpoint uses it: granian's RSGI, typed.

Source: docs/spec/RSGI.md of https://github.com/emmett-framework/granian, and what granian 2.8 was seen to do:
header names are lower-case and values ASCII or not handed over; `path` is percent-decoded; a client that goes away
ends the iteration of a body without an error; `response_empty` keeps a `content-length` that is given.
"""

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

__all__ = ["HTTPProtocol", "Headers", "ProtocolClosed", "RequestHeaders", "Scope", "Transport"]

Headers = list[tuple[str, str]]


class RequestHeaders(Protocol):
    def items(self) -> list[tuple[str, str]]: ...

    def keys(self) -> list[str]: ...


class Scope(Protocol):
    """The head of a request."""

    http_version: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None

    @property
    def headers(self) -> RequestHeaders: ...


class Transport(Protocol):
    """The body of an answer that is under way. Raises ProtocolClosed when the client has gone."""

    def send_bytes(self, data: bytes) -> Awaitable[None]: ...


class HTTPProtocol(Protocol):
    """The rest of one request, and the way back."""

    def __call__(self) -> Awaitable[bytes]: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def response_empty(self, status: int, headers: Headers) -> None: ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...

    def response_stream(self, status: int, headers: Headers) -> Transport: ...
