"""What the worker does: clear what nobody finished, and forget what has served its time."""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from workspacesio.cli.server.process_start import utc_now
from workspacesio.cli.server.server_upkeep import ServerUpkeep
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Credential, Node, OneTimeToken, SignIn, SignInAttempt
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.nodes.errors import NodeError, NodeReadOnly
from workspacesio.services.drivers import Drivers
from workspacesio.services.keys import Keyring
from workspacesio.services.old_events import forget_old_events
from workspacesio.services.storage import wait_on
from workspacesio.services.workspace_removal import continue_removals
from workspacesio.settings import Settings

PAUSE_SECONDS = 60.0
REMOVAL_SECONDS = 5.0
EVENTS_KEPT = timedelta(days=7)
EXPIRED_KEPT = timedelta(days=30)
ATTEMPTS_KEPT = timedelta(days=1)

logger = logging.getLogger(__name__)


class Upkeep:
    """Every task may run beside others of its kind, and be cut off at any moment."""

    def __init__(self, database: Database, settings: Settings, keyring: Keyring) -> None:
        self._database = database
        self._settings = settings
        self._drivers = Drivers(database, settings, keyring)
        self._servers = ServerUpkeep(database, settings, keyring, self._drivers)

    async def run(self, stopped: asyncio.Event) -> None:
        telling = asyncio.create_task(self._servers.run(stopped))
        while not stopped.is_set():
            try:
                await self.once()
            except WorkspacesIOError as error:
                logger.warning("upkeep will try again: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), PAUSE_SECONDS)
        await telling
        await self._drivers.close()

    async def once(self) -> None:
        await asyncio.to_thread(self.forget_old_rows, utc_now())
        wait = wait_on(asyncio.get_running_loop())
        await asyncio.to_thread(
            continue_removals,
            self._database,
            self._drivers,
            wait,
            seconds=REMOVAL_SECONDS,
            clock=utc_now,
        )
        for node_id in await asyncio.to_thread(self._node_ids):
            try:
                driver = await self._drivers.served(node_id)
                cleared = await driver.clear_abandoned(self._settings.upload_max_age_seconds)
            except NodeReadOnly:
                continue
            except NodeError as error:
                logger.warning("node %s: %s", node_id, error)
                continue
            if cleared:
                logger.info("node %s: cleared %s abandoned uploads and temporary files", node_id, cleared)

    def _node_ids(self) -> list[int]:
        with self._database.read() as session:
            return list(session.scalars(select(Node.id).where(Node.kind == "folder")))

    def forget_old_rows(self, now: datetime) -> None:
        with self._database.journal() as session:
            forget_old_events(session, before=now - EVENTS_KEPT, now=now)
            session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - ATTEMPTS_KEPT))
            session.execute(delete(SignIn).where(SignIn.expires_at < now - EXPIRED_KEPT))
            session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at < now - EXPIRED_KEPT))
        with self._database.write() as session:
            session.execute(delete(Credential).where(Credential.expires_at < now - EXPIRED_KEPT))
