"""What a handler answers. Handlers return one of these; `wire` alone writes it."""

from collections.abc import AsyncGenerator, AsyncIterator

from workspacesio.nodes.driver import OpenedObject
from workspacesio.s3.exchange import Headers

XML = ("content-type", "application/xml")


class Response:
    """An answer whose body is in memory. `error_code` is for the access line only."""

    __slots__ = ("body", "error_code", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes = b"", error_code: str | None = None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.error_code = error_code


class ObjectResponse(Response):
    """An answer whose body is an opened object, which is closed with it.

    `headers` hold the `content-length`, which is `opened.size_to_send`.
    """

    __slots__ = ("opened",)

    def __init__(self, status: int, headers: Headers, opened: OpenedObject) -> None:
        super().__init__(status, headers)
        self.opened = opened

    @property
    def length(self) -> int | None:
        """Bytes of the body."""
        return self.opened.size_to_send

    def pieces(self, *, views: bool) -> AsyncIterator[bytes | memoryview]:
        """The body; `views`: as `OpenedObject.views`."""
        return self.opened.views() if views else self.opened.chunks()

    async def close(self) -> None:
        """Let go of the object."""
        await self.opened.close()


class StreamedResponse(Response):
    """An answer of unknown length: an event stream, or a completion that takes long. Ends where `chunks` ends.

    `chunks` is an asynchronous generator: it is closed when the client has gone.
    """

    __slots__ = ("chunks",)

    def __init__(self, status: int, headers: Headers, chunks: AsyncGenerator[bytes, None]) -> None:
        super().__init__(status, headers)
        self.chunks = chunks

    @property
    def length(self) -> int | None:
        """Not known."""
        return None

    def pieces(self, *, views: bool) -> AsyncIterator[bytes]:  # noqa: ARG002 - what is made has no file
        """The body."""
        return self.chunks

    async def close(self) -> None:
        """End what gives the body."""
        await self.chunks.aclose()


def xml_response(document: str, status: int = 200) -> Response:
    """An XML document, given without its declaration, as an answer."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'
    return Response(status, [XML], body.encode("utf-8", "replace"))


def no_content() -> Response:
    """204, as deletions answer."""
    return Response(204, [])
