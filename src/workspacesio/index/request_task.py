"""The index worker's part that does what it was asked to: rebuild the engine, compare the index with storage."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy import select, update

from workspacesio.database.index_tables import IndexRequest
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.catalogue_changes import LeaseLost
from workspacesio.index.catalogue_store import CatalogueDamaged, CatalogueMissing
from workspacesio.index.engine_upkeep import EngineUpkeep
from workspacesio.index.verifying import Verification, VerificationContext
from workspacesio.nodes.errors import NodeError
from workspacesio.services.index_requests import DONE, FAILED, QUEUED, REBUILD, RUNNING

LOOK_SECONDS = 2.0
REPORT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class RequestContext(VerificationContext, Protocol):
    """What is needed of `worker.WorkerContext`."""

    @property
    def upkeep(self) -> EngineUpkeep: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def wake(self) -> Callable[[str], None]: ...


class RequestTask:
    """One request after the other; one that was cut off begins again."""

    name = "requests"

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._rebuilding: int | None = None
        self._taken_over = False

    def step(self) -> float:
        if not self._taken_over:
            self._take_over()
            self._taken_over = True
        if self._rebuilding is not None:
            return self._look_at_rebuild(self._rebuilding)
        taken = self._take()
        if taken is None:
            return LOOK_SECONDS
        number, kind, root_id = taken
        try:
            if kind == REBUILD:
                self._context.upkeep.rebuild()
                self._rebuilding = number
            else:
                self._verify(number, root_id)
        except (LeaseLost, CatalogueDamaged, CatalogueMissing):
            raise  # the worker ends, and the next begins it again
        except (NodeError, WorkspacesIOError) as error:
            logger.warning("%s of the index failed: %s", kind, error)
            self._fail(number, str(error))
        except Exception:
            self._fail(number, "It broke off; the log of the server says why.")
            raise
        if self._rebuilding is None:
            return 0.0
        self._context.wake("upkeep")
        return REPORT_SECONDS

    def close(self) -> None:
        """Nothing is held between steps."""

    def _take_over(self) -> None:
        with self._context.database.journal() as session:
            session.execute(
                update(IndexRequest)
                .where(IndexRequest.state == RUNNING)
                .values(state=QUEUED, entries=0, report={})
            )

    def _take(self) -> tuple[int, str, int | None] | None:
        with self._context.database.read() as session:
            waiting = session.scalar(
                select(IndexRequest).where(IndexRequest.state == QUEUED).order_by(IndexRequest.id).limit(1)
            )
        if waiting is None:
            return None
        self._write(waiting.id, state=RUNNING, started_at=self._context.clock())
        return waiting.id, waiting.kind, waiting.root_id

    def _look_at_rebuild(self, number: int) -> float:
        filled = self._context.upkeep.filled()
        if filled is None:
            self._rebuilding = None
            self._end(number, DONE)
            return 0.0
        entries, problem = filled
        self._write(number, entries=entries, problem=problem)
        return REPORT_SECONDS

    def _verify(self, number: int, root_id: int | None) -> None:
        verification = Verification(self._context)
        if not verification.run(root_id, lambda looked: self._write(number, entries=looked)):
            return
        state = DONE if verification.problem is None else FAILED
        self._end(
            number,
            state,
            entries=verification.looked,
            report=verification.report,
            problem=verification.problem,
        )

    def _fail(self, number: int, problem: str) -> None:
        """One that can't be written as failed, since the database is away as well, is begun again."""
        self._taken_over = False
        self._end(number, FAILED, problem=problem)

    def _end(self, number: int, state: str, **values: object) -> None:
        self._write(number, state=state, ended_at=self._context.clock(), **values)

    def _write(self, number: int, **values: object) -> None:
        with self._context.database.journal() as session:
            session.execute(update(IndexRequest).where(IndexRequest.id == number).values(**values))
