"""What the application is made with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from workspacesio.api.repeated_requests import RepeatedRequests
from workspacesio.api.search_turns import SearchTurns
from workspacesio.database.sessions import Database
from workspacesio.index.opening import IndexReader
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.keys import Keyring
from workspacesio.settings import Settings


@dataclass(frozen=True, slots=True)
class ServerContext:
    """One in each process. `drivers` opens a node's driver by the node's id; `clock` gives the time, in UTC;
    `index` is what is searched.

    While the process is `stopping`, answers that last for hours end.
    """

    database: Database
    settings: Settings
    keyring: Keyring = field(repr=False)
    drivers: Callable[[int], StorageDriver]
    clock: Callable[[], datetime]
    index: IndexReader = field(repr=False)
    stopping: Callable[[], bool] = lambda: False
    repeated: RepeatedRequests = field(default_factory=RepeatedRequests, repr=False)
    searches: SearchTurns = field(default_factory=SearchTurns, repr=False)
