"""The parts of the service, each run as a process; API and endpoint start workers of their own.

Every part loads what it alone needs when it begins: what is loaded before is in the memory of all of them.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from workspacesio.cli.server.endpoint_workers import serve_endpoint
from workspacesio.cli.server.listening import Listening
from workspacesio.cli.server.state import ServerState
from workspacesio.domain.errors import Unavailable

ROLES = ("api", "s3", "worker")
INDEX = "index"
"""A process of its own beside the worker's: it may be busy for hours, and crash in a library."""
WORKER_PARTS = ("worker", INDEX)


def run_role(
    role: str,
    listening: Listening,
    state: ServerState,
    when_running: Callable[[], None] = lambda: None,
    alive: Callable[[float], None] = lambda _: None,
) -> int:
    """Run one part until it is told to stop. Raises Unavailable when its port is taken.

    `when_running` is called once it can be stopped in order. `alive`: told by the index part again and again, with
    the seconds until the next time at most.
    """
    runners: dict[str, Callable[[], None]] = {
        "api": lambda: _serve_api(listening, when_running),
        "s3": lambda: serve_endpoint(listening, state.settings.workers, when_running),
        "worker": lambda: asyncio.run(_work(state, when_running)),
        INDEX: lambda: _index(state, when_running, alive),
    }
    try:
        runners[role]()
    except OSError as error:
        raise Unavailable(f"The {role} part can't listen: {error.strerror}.", code="port_taken") from error
    return 0


def _serve_api(listening: Listening, when_running: Callable[[], None]) -> None:
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.log import LogLevels

    from workspacesio.cli.server import stopping

    stopping.begin()
    server = stopping.StoppingServer(
        "workspacesio.cli.server.api_application:make_api",
        address=listening.address,
        port=listening.port,
        interface=Interfaces.ASGI,
        workers=1,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.warning,
        ssl_cert=listening.certificate,
        ssl_key=listening.key,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=10,
        factory=True,
    )
    server.on_startup(when_running)
    server.serve()


def _index(state: ServerState, when_running: Callable[[], None], alive: Callable[[float], None]) -> None:
    from workspacesio.cli.server.index_worker import run_index_worker

    if status := run_index_worker(state, when_running, alive):
        logging.shutdown()
        os._exit(status)  # a process that ends otherwise waits for threads that hang in storage


async def _work(state: ServerState, when_running: Callable[[], None]) -> None:
    from workspacesio.cli.server.upkeep import Upkeep

    upkeep = Upkeep(state.open_database(), state.settings, state.keyring)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    when_running()
    await upkeep.run(stopped)
