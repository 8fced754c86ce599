"""Serves HTTP/1.1 on a listening socket that several processes share, until it is told to stop."""

import asyncio
import errno
import logging
import socket
import ssl

from workspacesio.s3.http_connection import Handle, HttpConnection
from workspacesio.s3.http_rounds import Rounds

STOP_SECONDS = 10.0
"""For requests that are being answered when the server is told to stop."""

_ABORT_SECONDS = 1.0
_TLS_SECONDS = 15.0
_SWEEP_SECONDS = 0.5
_REST_SECONDS = 0.1
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

logger = logging.getLogger(__name__)


class HttpServer:
    """`handle` answers each request. No more than `most` connections are taken at once.

    `start` and `stop` it on the running loop; `listening` is its own then.

    Connections are taken one at a time, so that processes which share the socket get about as many each.
    """

    def __init__(
        self,
        listening: socket.socket,
        handle: Handle,
        tls: ssl.SSLContext | None = None,
        *,
        most: int = 10_000,
    ) -> None:
        self._socket = listening
        self._handle = handle
        self._tls = tls
        self._most = most
        self._living: set[HttpConnection] = set()
        self._greeting: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._rounds: Rounds
        self._sweeping: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rounds = Rounds(self._loop)
        self._socket.setblocking(False)
        self._listen()
        self._sweep()

    async def stop(self) -> None:
        """Take no more requests, finish those under way, for so long at most."""
        self._stopped = True
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()  # the port is free as soon as every process has let go of it
        if self._tls is not None:
            for greeted in self._greeting:
                greeted.cancel()
        for connection in list(self._living):
            connection.close_when_idle()
        deadline = self._loop.time() + STOP_SECONDS
        while (self._living or self._greeting) and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        if self._sweeping is not None:
            self._sweeping.cancel()
        for task in list(self._greeting):
            task.cancel()
        for connection in list(self._living):
            connection.abort()
        while self._living and self._loop.time() < deadline + _ABORT_SECONDS:
            await asyncio.sleep(0.01)

    def _listen(self) -> None:
        if not self._stopped:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        if len(self._living) + len(self._greeting) >= self._most:
            self._rest()
            return
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process took it, or its client has gone
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            logger.warning("no connection can be taken for the moment: %s", error.strerror)
            self._rest()
            return
        accepted.setblocking(False)
        task = self._loop.create_task(self._greet(accepted))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    def _rest(self) -> None:
        """Others wait in the socket; another process may take them."""
        self._loop.remove_reader(self._socket.fileno())
        self._loop.call_later(_REST_SECONDS, self._listen)

    async def _greet(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            _, connection = await self._loop.connect_accepted_socket(
                self._connection,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _TLS_SECONDS,
            )
        except (OSError, TimeoutError, asyncio.CancelledError):
            accepted.close()
        else:
            if self._stopped:
                connection.close_when_idle()

    def _connection(self) -> HttpConnection:
        scheme = "http" if self._tls is None else "https"
        return HttpConnection(self._handle, self._loop, self._living, self._rounds, scheme=scheme)

    def _sweep(self) -> None:
        """Cut the connections whose time is over. One timer for all costs less than one for each."""
        now = self._loop.time()
        for connection in [one for one in self._living if one.deadline < now]:
            connection.abort()
        self._sweeping = self._loop.call_later(_SWEEP_SECONDS, self._sweep)


def bind(address: str, port: int, backlog: int = 1024) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening
