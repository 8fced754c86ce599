"""The catalogue's transactions, one after the other, on one connection."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection

from workspacesio.database.engines import REPAIRABLE
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.catalogue_changes import CatalogueChanges, LeaseLost
from workspacesio.index.catalogue_folders import Folders
from workspacesio.index.catalogue_store import catalogue_failures
from workspacesio.index.engine_work import EngineWork
from workspacesio.index.found import Told
from workspacesio.index.statements import Statements, statements_on

MOST_TOLD = 5_000

T = TypeVar("T")


class CatalogueTransactions:
    """Not safe for several threads; the recorder's lock guards it.

    Whatever fails takes all that was changed since the last `commit` with it.
    """

    def __init__(self, catalogue: Catalogue, *, fence: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rollbacks = 0
        self.begun_at = 0.0
        """When the one that is under way began."""
        self.told: deque[Told] = deque(maxlen=MOST_TOLD)
        """Entries that changed just now, the latest last, for who reads them; any thread may take them out."""
        self._catalogue = catalogue
        self._fence = fence
        self._clock = clock
        self._folders = Folders()
        self._connection: Connection | None = None
        self._changes: CatalogueChanges | None = None
        self._number = -1
        """Of the catalogue's last change; -1: not known since a failure."""
        self.is_closed = False

    @property
    def is_under_way(self) -> bool:
        return self._changes is not None

    @contextmanager
    def changing(self, beat: int) -> Iterator[CatalogueChanges]:
        """More changes in the transaction that is under way, or the first ones in a new one."""
        with catalogue_failures():
            changes = self._begin(beat)
            try:
                yield changes
            except BaseException:
                self.give_up()
                raise

    def commit(self) -> EngineWork | None:
        """Ends what is under way, if anything is; engines are to be told. Where it raises, it may have ended."""
        if self._changes is None:
            return None
        try:
            self._number, work = self._changes.commit()
        except BaseException:
            self.give_up()
            raise
        self.told.extend(self._changes.told)
        self._changes = None
        self._folders.forget_if_many()
        return work

    def give_up(self) -> None:
        """What is under way is not kept."""
        changes, self._changes = self._changes, None
        self.rollbacks += 1
        self._number = -1
        if changes is not None:
            with suppress(Exception):
                changes.roll_back()
        self._folders.forget()
        self._disconnect()

    def number(self) -> int:
        """Of the catalogue's last change."""
        if self._number < 0:
            self._number = self._catalogue.change_number()
        return self._number

    def run(self, change: Callable[[Statements], T]) -> T:
        """A transaction of its own for rows about engines, or of no more use, while none is under way."""
        with catalogue_failures():
            try:
                connection = self._connected().execution_options(**{REPAIRABLE: True})
                with connection.begin():
                    result = change(statements_on(connection.dialect.name, connection.connection.cursor()))
                connection.execution_options(**{REPAIRABLE: False})
            except BaseException:
                self._disconnect()
                raise
        return result

    def close(self) -> None:
        """From then on all calls raise LeaseLost."""
        self.is_closed = True
        self._disconnect()

    def _begin(self, beat: int) -> CatalogueChanges:
        if self._changes is None:
            try:
                self._changes = CatalogueChanges(self._connected(), self._folders, fence=self._fence, beat=beat)
            except BaseException:
                self._disconnect()
                raise
            self.begun_at = self._clock()
        return self._changes

    def _connected(self) -> Connection:
        if self.is_closed:
            raise LeaseLost("This worker has stopped.")
        if self._connection is None:
            self._connection = self._catalogue.store.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()
