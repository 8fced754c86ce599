"""What a process of the endpoint runs. It loads nothing of the API's and the index's: there are many of it."""

import logging
from collections.abc import Callable

from workspacesio.cli.server.process_start import begin_logging, current_state, utc_now
from workspacesio.s3.app import Endpoint
from workspacesio.s3.context import EndpointSettings
from workspacesio.services.authority import DatabaseAuthority
from workspacesio.services.credentials import REGION
from workspacesio.services.drivers import Drivers
from workspacesio.services.generation import generation_reader
from workspacesio.services.journal import Journal
from workspacesio.services.rights_cache import RightsCache
from workspacesio.settings import Settings


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
    begin_logging()
    state = current_state()
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
