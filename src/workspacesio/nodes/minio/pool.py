"""Connections with a server: to allowed addresses only, with a bounded time and size for each whole answer.

A time limit of the libraries holds for each reading from the socket, so that a server which sends a byte now and
then is never given up. Here it holds for the answer, from its first header to the last byte of its body.
"""

import http.client
import io
import socket
import ssl
import time
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.connecting import connect
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.failures import failures
from workspacesio.nodes.minio.reach import AT_ONCE, Reach

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""A request that the server has not answered within this time is given up; it may still be carried out."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 64 * 1024


class ServerPool(urllib3.PoolManager):
    """Answers come whole, and no redirect is followed. Raises NodeDown and its kinds, no error of urllib3."""

    def __init__(self, allowed: AllowedAddresses, reach: Reach) -> None:
        super().__init__(
            maxsize=AT_ONCE,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS, total=REQUEST_SECONDS),
            ssl_context=ssl.create_default_context(),
        )
        self._reach = reach
        self.pool_classes_by_scheme = _checked_connections(allowed, reach)

    def urlopen(self, method: str, url: str, redirect: bool = False, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # noqa: ARG002, FBT001, FBT002
        options["preload_content"] = False
        with self._reach.request(), failures():
            return _whole(super().urlopen(method, url, redirect=False, **options))


def _whole(response: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
    """The same with its body in memory. Raises NodeDown when it is too long."""
    pieces = bytearray()
    try:
        while piece := response.read1(_PIECE_BYTES, decode_content=False):
            pieces += piece
            if len(pieces) > MAX_ANSWER_BYTES:
                raise NodeDown("The server answers as no MinIO server does.")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return urllib3.HTTPResponse(
        io.BytesIO(pieces),
        response.headers,
        response.status,
        reason=response.reason,
        decode_content=False,
        enforce_content_length=False,
        request_url=response.url,
    )


class _ReadUntil(io.RawIOBase):
    """A socket's bytes, for so many seconds from now in all."""

    def __init__(self, socket: Any, seconds: float) -> None:
        self._socket = socket
        self._until = time.monotonic() + seconds
        # The socket stays open, whoever closes it, while this one is.
        self._raw = socket.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._socket.settimeout(left)
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What `http.client` asks of a socket when it reads an answer."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_ReadUntil(self._socket, self._socket.gettimeout() or READ_SECONDS))


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(cast("Any", _TimedSocket(sock)), *arguments, **options)


def _checked_connections(allowed: AllowedAddresses, reach: Reach) -> dict[str, Any]:
    """Connections are made to allowed addresses only (`nodes/connecting.py`)."""

    def connected(wanted: HTTPConnection) -> socket.socket:
        seconds = wanted.timeout if isinstance(wanted.timeout, int | float) else CONNECT_SECONDS
        try:
            made = connect(allowed, wanted.host.strip("[]"), wanted.port or wanted.default_port, seconds)
        except TimeoutError as error:
            raise ConnectTimeoutError(wanted, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(wanted, "no connection") from error
        reach.connected()
        return made

    class PlainConnection(HTTPConnection):
        response_class = _TimedResponse

        def _new_conn(self) -> socket.socket:
            return connected(self)

    class SecureConnection(HTTPSConnection):
        response_class = _TimedResponse

        def _new_conn(self) -> socket.socket:
            return connected(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": PlainPool, "https": SecurePool}
