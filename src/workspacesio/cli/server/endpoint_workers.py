"""The endpoint's processes: they share one listening socket, and each answers with an endpoint of its own."""

import asyncio
import errno
import gc
import resource
import signal
import socket
import ssl
import time
from collections.abc import Callable

import uvloop

from workspacesio.cli.server.endpoint_application import make_endpoint
from workspacesio.cli.server.listening import Listening
from workspacesio.cli.server.memory_arenas import share_arenas
from workspacesio.cli.server.supervisor import Supervisor
from workspacesio.s3.http_server import HttpServer, bind

RESTART_PAUSE_SECONDS = 0.2
MAX_RESTARTS = 60
PORT_SECONDS = 3.0
STOP_SECONDS = 12.0
MAX_DESCRIPTORS = 16_384


def serve_endpoint(listening: Listening, workers: int, when_running: Callable[[], None]) -> None:
    """Serve until told to stop. Raises OSError when the port is taken.

    A worker that dies is replaced; connections that no process had taken yet wait in the socket meanwhile.
    """
    shared = _bound(listening)
    tls = _tls(listening)

    def work() -> int:
        share_arenas()
        uvloop.run(_serve(shared, tls))
        return 0

    names = [f"s3 worker {number + 1}" for number in range(workers)]
    with shared:
        supervisor = Supervisor(
            dict.fromkeys(names, work),
            pause=RESTART_PAUSE_SECONDS,
            most=MAX_RESTARTS,
            stop_seconds=STOP_SECONDS,
        )
        status = supervisor.run(when_running)
    if status:
        raise SystemExit(status)


def _bound(listening: Listening) -> socket.socket:
    """The socket; workers of a part that was killed may hold the port for a moment."""
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            return bind(listening.address, listening.s3_port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


async def _serve(shared: socket.socket, tls: ssl.SSLContext | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    endpoint = make_endpoint(stopped.is_set)
    endpoint.start()
    server = HttpServer(shared, endpoint.handle, tls, most=_most_connections())
    gc.collect()
    gc.freeze()  # what is there now stays: no collection needs to look at it again
    server.start()
    await stopped.wait()
    await server.stop()
    await endpoint.stop()


def _most_connections() -> int:
    """Most of the descriptors that this process may have: the others are for files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, MAX_DESCRIPTORS) if hard != resource.RLIM_INFINITY else MAX_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(1, min(soft, MAX_DESCRIPTORS) * 3 // 4) if soft != resource.RLIM_INFINITY else MAX_DESCRIPTORS


def _tls(listening: Listening) -> ssl.SSLContext | None:
    if listening.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(listening.certificate, listening.key)
    context.set_alpn_protocols(["http/1.1"])
    return context
