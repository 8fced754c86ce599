"""The service ends at once when it is told to, whatever its processes are about."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.queues import SimpleQueue

import pytest
from granian.constants import Interfaces, Loops

from servers.process import free_port
from workspacesio.cli.server import stopping


def load_for_long(port: int, loading: SimpleQueue[int]) -> None:
    """A part whose worker never gets as far as to answer."""

    def load() -> None:
        loading.put(os.getpid())
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.05)

    multiprocessing.set_start_method("fork", force=True)  # as in the service
    stopping.begin()
    server = stopping.StoppingServer(
        "", port=port, interface=Interfaces.ASGI, loop=Loops.uvloop, workers_kill_timeout=10, websockets=False
    )
    server.serve(target_loader=load, wrap_loader=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_part_stops_while_its_worker_loads(number: signal.Signals) -> None:
    context = multiprocessing.get_context("spawn")
    loading: SimpleQueue[int] = context.SimpleQueue()
    part = context.Process(target=load_for_long, args=(free_port(), loading))
    part.start()
    try:
        deadline = time.monotonic() + 20
        while loading.empty():
            assert part.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        worker = loading.get()
        assert part.pid is not None
        os.kill(part.pid, number)
        if number is signal.SIGINT:  # a terminal tells all of them
            os.kill(worker, number)
        part.join(5)
        assert not part.is_alive()
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    finally:
        part.kill()
        part.join()
