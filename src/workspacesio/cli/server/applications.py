"""Puts the parts together: what each process of the API and of the endpoint runs."""

import gc
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from workspacesio.api.app import create_app
from workspacesio.api.context import ServerContext
from workspacesio.cli.server.parent_death import die_with_parent
from workspacesio.cli.server.state import ServerState, prepare_state
from workspacesio.cli.server.stopping import is_stopping
from workspacesio.index.opening import IndexReader
from workspacesio.s3.app import Endpoint
from workspacesio.s3.context import EndpointSettings
from workspacesio.services.authority import DatabaseAuthority
from workspacesio.services.credentials import REGION
from workspacesio.services.drivers import Drivers
from workspacesio.services.generation import generation_reader
from workspacesio.services.journal import Journal
from workspacesio.services.rights_cache import RightsCache
from workspacesio.settings import Settings, read_settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def current_state() -> ServerState:
    """The state that `wio serve` described in the environment."""
    return prepare_state(read_settings())


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_api() -> object:
    """The ASGI application."""
    die_with_parent()
    state = current_state()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    database = state.open_database()
    application = create_app(
        ServerContext(
            database=database,
            settings=state.settings,
            keyring=state.keyring,
            drivers=Drivers(database, state.settings, state.keyring),
            clock=utc_now,
            index=IndexReader(state.settings, state.database_url),
            stopping=is_stopping,
        )
    )
    gc.collect()
    gc.freeze()  # to go through what is there now, which stays, stopped every request for 60 ms now and then
    return application


class ServedEndpoint(Endpoint):
    """The endpoint with what lives as long as its process: the journal, which is written out at the end."""

    def __init__(
        self,
        authority: DatabaseAuthority,
        drivers: Drivers,
        journal: Journal,
        settings: Settings,
        stopping: Callable[[], bool],
    ) -> None:
        endpoint = EndpointSettings(region=REGION, cors_origins=settings.cors_origins, stopping=stopping)
        super().__init__(authority, drivers.served, endpoint)
        self._journal = journal
        self._node_drivers = drivers

    def start(self) -> None:
        self._journal.start()

    async def stop(self) -> None:
        await self._journal.stop()
        await self._node_drivers.close()


def make_endpoint(stopping: Callable[[], bool] = lambda: False) -> ServedEndpoint:
    """The endpoint of one process. While that is `stopping`, answers that last for hours end."""
    state = current_state()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging.getLogger("workspacesio.s3.access").setLevel(
        logging.INFO if state.settings.access_log else logging.WARNING
    )
    database = state.open_database()
    journal = Journal(database)
    authority = DatabaseAuthority(
        database, state.keyring, RightsCache(database, generation_reader(database)), journal, utc_now
    )
    drivers = Drivers(database, state.settings, state.keyring)
    return ServedEndpoint(authority, drivers, journal, state.settings, stopping)
