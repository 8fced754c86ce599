"""What the worker does for servers that decide by themselves: tell them, and repair what was changed there.

Every two seconds it looks what is to be told, and begins with each node that isn't being told already: a server
that is slow or away delays nobody else's revocations, and neither does comparing whole servers.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from workspacesio.cli.server.process_start import utc_now
from workspacesio.database.sessions import Database
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.keys import Keyring
from workspacesio.services.node_effects import Due, continue_node, due_effects, is_away, minio_nodes
from workspacesio.services.node_repair import reconcile
from workspacesio.settings import Settings

TELL_SECONDS = 2.0
RECONCILE_SECONDS = 180.0
RECONCILE_AGAIN_SECONDS = 10.0
"""After a comparison that failed."""

TOLD_AT_ONCE = 16
AWAY_AT_ONCE = 4
COMPARED_AT_ONCE = 4

logger = logging.getLogger(__name__)


class ServerUpkeep:
    """May run beside others of its kind, and be cut off at any moment. It is its own `EffectsContext`."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        keyring: Keyring,
        drivers: Callable[[int], StorageDriver],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.database = database
        self.settings = settings
        self.keyring = keyring
        self.drivers = drivers
        self.clock = clock
        self._compare_from: dict[int, float] = {}
        self._under_way: dict[tuple[str, int], asyncio.Future[None]] = {}

    async def run(self, stopped: asyncio.Event) -> None:
        telling = ThreadPoolExecutor(TOLD_AT_ONCE, "telling")
        away = ThreadPoolExecutor(AWAY_AT_ONCE, "telling who was away")
        comparing = ThreadPoolExecutor(COMPARED_AT_ONCE, "comparing")
        while not stopped.is_set():
            try:
                due, troubled, nodes = await asyncio.to_thread(self._look)
                for node_id, effects in due.items():
                    pool = away if node_id in troubled else telling
                    self._begin(pool, "tell", node_id, self._tell, effects)
                for node_id in nodes:
                    if time.monotonic() >= self._compare_from.get(node_id, 0.0):
                        self._begin(comparing, "compare", node_id, self._compare)
            except WorkspacesIOError as error:
                logger.warning("servers will be told later: %s", error)
            except Exception:
                # Whatever is wrong with one pass, revocations must not wait for the next start of the service.
                logger.exception("servers could not be told; it is tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), TELL_SECONDS)
        await asyncio.gather(*self._under_way.values())
        for pool in (telling, away, comparing):
            pool.shutdown()

    def _look(self) -> tuple[dict[int, Due], set[int], list[int]]:
        due = due_effects(self)
        with self.database.read() as session:
            nodes = minio_nodes(session)
        return due, {node_id for node_id in due if is_away(self, node_id)}, nodes

    def _begin(
        self, pool: ThreadPoolExecutor, what: str, node_id: int, work: Callable[..., None], *arguments: object
    ) -> None:
        """Unless the same is under way."""
        key = what, node_id
        if key in self._under_way:
            return

        def guarded() -> None:
            try:
                work(node_id, *arguments)
            except WorkspacesIOError as error:
                logger.warning("node %s: %s", node_id, error)
            except Exception:
                logger.exception("node %s: it is tried again", node_id)

        task = asyncio.get_running_loop().run_in_executor(pool, guarded)
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key))

    def _tell(self, node_id: int, due: Due) -> None:
        continue_node(self, node_id, due)

    def _compare(self, node_id: int) -> None:
        """At the start of the service, and every few minutes."""
        self._compare_from[node_id] = time.monotonic() + RECONCILE_AGAIN_SECONDS
        reconcile(self, node_id)
        self._compare_from[node_id] = time.monotonic() + RECONCILE_SECONDS
