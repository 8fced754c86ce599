"""Puts the parts together: what granian loads in each of its processes."""

import asyncio
import logging
from datetime import UTC, datetime

from workspacesio.api.app import create_app
from workspacesio.api.context import ServerContext
from workspacesio.cli.server.parent_death import die_with_parent
from workspacesio.cli.server.state import ServerState, prepare_state
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
    return create_app(
        ServerContext(
            database=database,
            settings=state.settings,
            keyring=state.keyring,
            drivers=Drivers(database, state.settings, state.keyring),
            clock=utc_now,
        )
    )


class ServedEndpoint(Endpoint):
    """The endpoint with what lives as long as its process: the journal, which is written out at the end."""

    def __init__(
        self, authority: DatabaseAuthority, drivers: Drivers, journal: Journal, settings: Settings
    ) -> None:
        super().__init__(
            authority, drivers.served, EndpointSettings(region=REGION, cors_origins=settings.cors_origins)
        )
        self._journal = journal
        self._node_drivers = drivers

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(self._journal.start)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._journal.stop())
        loop.run_until_complete(self._node_drivers.close())


def make_endpoint() -> ServedEndpoint:
    """The RSGI application."""
    die_with_parent()
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
    return ServedEndpoint(authority, Drivers(database, state.settings, state.keyring), journal, state.settings)
