"""Events of the service, as they happen, for whoever shows them.

When the connection ends without a reason, it goes on behind the last event, so that none is missed or shown twice.
"""

from __future__ import annotations

import sys
import time

from workspacesio.cli import output
from workspacesio.client.errors import CommandError, Refused
from workspacesio.client.http_api import HttpApi, signed_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Show = Callable[[dict[str, Any]], None]

PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long a server that was reached before is waited for."""


def follow(within: str, show: Show) -> NoReturn:
    """Each event below `OWNER:WORKSPACE/PATH`, until interrupted.

    Raises CommandError when the right or the sign-in ends, or the server is away for long.
    """
    client = signed_in()
    last, since = _read(client, within, show, None), time.monotonic()
    while True:
        time.sleep(PAUSE_SECONDS)
        try:
            last, since = _read(client, within, show, last), time.monotonic()
        except Refused as refused:
            if refused.status != 503:
                raise _ended(within, str(refused)) from refused
            problem: CommandError = refused
        except CommandError as error:
            problem = error
        else:
            continue
        if time.monotonic() - since > PATIENCE_SECONDS:
            raise problem


class _Ended(CommandError):
    """For a reason that the service gave: no other attempt is made."""


def _read(client: HttpApi, within: str, show: Show, last: str | None) -> str | None:
    """One connection to its end; returns where to go on. Raises CommandError where there was none."""
    connected = False
    try:
        for kind, cursor, data in client.messages("/events", last=last, within=within):
            connected, last = True, cursor or last
            if kind == "message":
                show(data)
            elif kind == "lost":
                print(
                    "wio: some changes are missing, since the service has forgotten them; `wio ls` shows what "
                    "is there.",
                    file=sys.stderr,
                )
            elif kind == "end" and data["error"]["code"] != "database_unavailable":
                raise _ended(within, str(data["error"]["message"]))
    except (_Ended, Refused):
        raise
    except CommandError:
        if not connected:
            raise
    return last


def _ended(within: str, message: str) -> _Ended:
    return _Ended(f"watching {output.safe(within.rstrip('/'))} has ended: {message}")
