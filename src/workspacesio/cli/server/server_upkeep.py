"""What the worker does for servers that decide by themselves: tell them, and repair what was changed there."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from workspacesio.database.sessions import Database
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.keys import Keyring
from workspacesio.services.node_effects import continue_effects, minio_nodes
from workspacesio.services.node_repair import reconcile
from workspacesio.settings import Settings

TELL_SECONDS = 2.0
RECONCILE_SECONDS = 180.0

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class ServerUpkeep:
    """May run beside others of its kind, and be cut off at any moment. It is its own `EffectsContext`."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        keyring: Keyring,
        drivers: Callable[[int], StorageDriver],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.database = database
        self.settings = settings
        self.keyring = keyring
        self.drivers = drivers
        self.clock = clock
        self._reconciled: dict[int, float] = {}

    async def run(self, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            try:
                await asyncio.to_thread(self.once)
            except WorkspacesIOError as error:
                logger.warning("servers will be told later: %s", error)
            except Exception:
                # Whatever is wrong with one pass, revocations must not wait for the next start of the service.
                logger.exception("servers could not be told; it is tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), TELL_SECONDS)

    def once(self) -> None:
        """What is pending, at each time; each server's whole state at the start and every few minutes."""
        continue_effects(self)
        with self.database.read() as session:
            nodes = minio_nodes(session)
        for node_id in nodes:
            last = self._reconciled.get(node_id)
            if last is not None and time.monotonic() - last < RECONCILE_SECONDS:
                continue
            try:
                reconcile(self, node_id)
            except WorkspacesIOError as error:
                logger.warning("node %s: %s", node_id, error)
                continue
            except Exception:
                logger.exception("node %s could not be compared", node_id)
                continue
            self._reconciled[node_id] = time.monotonic()
