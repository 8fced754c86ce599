"""The index worker's part that does what it was asked to: rebuild the engine, compare the index with storage."""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select, update

from workspacesio.database.index_tables import IndexRequest
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.domain.search_query import Workspaces
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue_changes import LeaseLost
from workspacesio.index.catalogue_store import CatalogueDamaged, CatalogueMissing
from workspacesio.index.comparing import Comparer
from workspacesio.index.crawl_sources import Place, source_of
from workspacesio.index.engine_upkeep import EngineUpkeep
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.recording import Recorder
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.services.crawl_requests import indexing_of
from workspacesio.services.index_requests import DONE, FAILED, QUEUED, REBUILD, RUNNING
from workspacesio.settings import Settings

LOOK_SECONDS = 2.0
REPORT_SECONDS = 1.0
TURN_SECONDS = 0.001
"""Between two workspaces, so that whoever waits for the recorder gets it."""

_SAID = 3

logger = logging.getLogger(__name__)


class RequestContext(Protocol):
    """What is needed of `worker.WorkerContext`."""

    @property
    def database(self) -> Database: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def drivers(self) -> Callable[[int], StorageDriver]: ...
    @property
    def recorder(self) -> Recorder: ...
    @property
    def upkeep(self) -> EngineUpkeep: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def stopping(self) -> Callable[[], bool]: ...
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
        context = self._context
        comparer = Comparer(context.recorder)
        context.recorder.commit()
        roots = self._roots(root_id)
        away: list[str] = []
        for root in roots:
            try:
                self._compare_root(number, root, comparer)
            except NodeError as error:
                logger.warning("root %s could not be compared: %s", root.name, error)
                away.append(f"Root {root.name} could not be compared to its end: {error}")
            if context.stopping():
                return
        report: dict[str, Any] = {
            "missing": comparer.missing,
            "changed": comparer.changed,
            "extra": comparer.extra,
            "examples": [list(example) for example in comparer.examples],
        }
        report["engine_differs"] = self._engine_differences([root.id for root in roots])
        if context.stopping():
            return
        state, problem = (FAILED, _in_short(away)) if away else (DONE, None)
        self._end(number, state, entries=comparer.looked, report=report, problem=problem)

    def _roots(self, root_id: int | None) -> list[Root]:
        query = select(Root).order_by(Root.id)
        if root_id is not None:
            query = query.where(Root.id == root_id)
        with self._context.database.read() as session:
            return list(session.scalars(query))

    def _compare_root(self, number: int, root: Root, comparer: Comparer) -> None:
        context = self._context
        with context.database.read() as session:
            indexing = indexing_of(session, root.id)
            rows = session.execute(
                select(Workspace.id, Workspace.bucket, Workspace.prefix)
                .where(Workspace.root_id == root.id)
                .order_by(Workspace.id)
            ).all()
        if IndexLevel(indexing.level) is IndexLevel.NONE:
            return
        source = source_of(
            context.drivers(root.node_id),
            comparer,
            exclusions=Exclusions(indexing.exclusions),
            cross_filesystems=indexing.cross_filesystems,
            scratch=str(context.settings.state_dir),
        )
        source.check()
        reported_at = time.monotonic()
        for workspace_id, bucket, prefix in rows:
            walk = source.walk(Place(workspace_id, bucket, prefix, root.prefix))
            with closing(walk):
                for walked in walk:
                    if context.stopping():
                        return
                    if walked.listing is not None:
                        comparer.sync_folders([walked.listing])
                    if time.monotonic() - reported_at >= REPORT_SECONDS:
                        reported_at = time.monotonic()
                        self._write(number, entries=comparer.looked)

    def _engine_differences(self, root_ids: list[int]) -> int:
        """In how many workspaces the engine's count or bytes are not the catalogue's."""
        with self._context.database.read() as session:
            ids = list(session.scalars(select(Workspace.id).where(Workspace.root_id.in_(root_ids))))
        differing = 0
        for workspace_id in ids:
            if self._context.stopping():
                break
            differing += self._engine_differs(workspace_id)
            time.sleep(TURN_SECONDS)
        return differing

    def _engine_differs(self, workspace_id: int) -> bool:
        """Recording waits meanwhile, so for one workspace only."""
        recorder = self._context.recorder
        with recorder.lock:
            recorder.commit()
            serving = [feed for feed in recorder.feeds if feed.state == "serving" and not feed.is_behind]
            if not serving:
                return False
            with closing(serving[0].engine.reader()) as reader:
                held = recorder.catalogue.usage(workspace_id, "")
                return reader.total(Workspaces(frozenset({workspace_id}))) != tuple(held or (0, 0))

    def _fail(self, number: int, problem: str) -> None:
        """One that can't be written as failed, since the database is away as well, is begun again."""
        self._taken_over = False
        self._end(number, FAILED, problem=problem)

    def _end(self, number: int, state: str, **values: object) -> None:
        self._write(number, state=state, ended_at=self._context.clock(), **values)

    def _write(self, number: int, **values: object) -> None:
        with self._context.database.journal() as session:
            session.execute(update(IndexRequest).where(IndexRequest.id == number).values(**values))


def _in_short(sentences: list[str]) -> str:
    more = len(sentences) - _SAID
    return " ".join(sentences[:_SAID]) + (f" So it was with {more} more roots." if more > 0 else "")
