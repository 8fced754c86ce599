"""What a process of the API runs."""

import gc

from workspacesio.api.app import create_app
from workspacesio.api.context import ServerContext
from workspacesio.cli.server.parent_death import die_with_parent
from workspacesio.cli.server.process_start import begin_logging, current_state, utc_now
from workspacesio.cli.server.stopping import is_stopping
from workspacesio.index.opening import IndexReader
from workspacesio.services.drivers import Drivers


def make_api() -> object:
    """The ASGI application."""
    die_with_parent()
    begin_logging()
    state = current_state()
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
