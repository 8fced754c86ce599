"""Waits until the parts answer."""

import http.client
import ssl
import time
from collections.abc import Callable

from workspacesio.cli.server.listening import Listening

READY_SECONDS = 60.0


def wait_until_ready(listening: Listening, alive: Callable[[], bool]) -> bool:
    """True once API and endpoint answer; False when a part ended or time ran out."""
    deadline = time.monotonic() + READY_SECONDS
    waiting = [(listening.port, "/api/v1/health"), (listening.s3_port, "/-/health")]
    while waiting and alive() and time.monotonic() < deadline:
        waiting = [(port, path) for port, path in waiting if not _answers(listening, port, path)]
        if waiting:
            time.sleep(0.05)
    return not waiting


def _answers(listening: Listening, port: int, path: str) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listening.address, listening.address)  # noqa: S104
    connection: http.client.HTTPConnection
    if listening.certificate:
        # The certificate names the public host, not this loopback address; nothing is sent that matters.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(host, port, timeout=2, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
