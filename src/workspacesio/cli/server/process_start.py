"""What every process of the service begins with."""

import logging
from datetime import UTC, datetime

from workspacesio.cli.server.state import ServerState, prepare_state
from workspacesio.settings import read_settings


def begin_logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def current_state() -> ServerState:
    """The state that `wio serve` described in the environment."""
    return prepare_state(read_settings())


def utc_now() -> datetime:
    return datetime.now(UTC)
