"""Small requests to one server over kept connections, at a third of the processor time that urllib3 takes.

Nothing else is different: connections are the pool's own, made to allowed addresses only, the answer has a bounded
time and size, and a server that is away is not asked (`pool.py`, `reach.py`).
"""

import contextlib
import http.client
import weakref
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from urllib3.util.wait import wait_for_read

from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.failures import Unanswered, failures
from workspacesio.nodes.minio.pool import REQUEST_SECONDS, ServerPool
from workspacesio.nodes.minio.reach import AT_ONCE, Reach

MAX_BYTES = 1024 * 1024


class SmallRequests:
    """Safe to use from many threads."""

    def __init__(self, pool: ServerPool, endpoint: str, reach: Reach) -> None:
        self._pool = pool
        self._endpoint = endpoint
        self._reach = reach
        self._idle: list[Any] = []
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        _close_all(self._idle)

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """POST of `body` to `/`: status and answer. Raises NodeDown and its kinds."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        with self._reach.request(), failures():
            connection = self._connection()
            kept = False
            try:
                connection.sock.settimeout(REQUEST_SECONDS)
                connection.sock.sendall(request)
                # The socket stays open while the answer is, also after the connection was closed.
                with contextlib.closing(connection.response_class(connection.sock, method="POST")) as response:
                    response.begin()
                    data: bytes = response.read(MAX_BYTES)
                    whole = response.isclosed()
                kept = whole and not response.will_close and len(self._idle) < AT_ONCE
            except (TimeoutError, ConnectionError) as error:
                raise Unanswered("The server broke off or did not answer in time.") from error
            except http.client.HTTPException as error:
                raise NodeDown("The server answers as no MinIO server does.") from error
            finally:
                if kept:
                    self._idle.append(connection)
                else:
                    connection.close()
            if not whole:
                raise NodeDown("The server answers as no MinIO server does.")
            return response.status, data

    def _connection(self) -> Any:
        """A connected one: kept from before where the server has not ended it meanwhile, else a new one."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if not wait_for_read(connection.sock, timeout=0.0):
                return connection
            connection.close()
        parts = urlsplit(self._endpoint)
        made = self._pool.connection_from_host(parts.hostname, parts.port, parts.scheme)
        connection = made._new_conn()
        connection.connect()
        return connection


def _close_all(connections: list[Any]) -> None:
    while connections:
        connections.pop().close()
