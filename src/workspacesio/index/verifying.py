"""Compares the index with storage, root by root, and the engine with the index; changes nothing.

Each root is walked by a thread of its own: a call into storage that never returns costs that root's comparison,
and nothing else waits for it.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from functools import partial
from typing import Any, Protocol

from sqlalchemy import select

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.search_query import Workspaces
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.comparing import EXAMPLES, Comparer
from workspacesio.index.crawl_sources import Place, source_of
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.recording import Recorder
from workspacesio.index.storage_silence import Silence
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.services.crawl_requests import indexing_of
from workspacesio.settings import Settings

REPORT_SECONDS = 1.0
SILENT_SECONDS = 30.0
"""After which storage counts as one that doesn't answer."""
STOP_SECONDS = 1.0
"""As long is waited for a walk where the worker is to stop."""
TURN_SECONDS = 0.001
"""Between two workspaces, so that whoever waits for the recorder gets it."""

_SAID = 3

logger = logging.getLogger(__name__)


class VerificationContext(Protocol):
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
    def stopping(self) -> Callable[[], bool]: ...
    @property
    def leave(self) -> Callable[[threading.Thread], None]: ...


class Verification:
    """`looked`: how many entries of storage were compared so far. `problem`: which roots were not, and why."""

    def __init__(self, context: VerificationContext) -> None:
        self._context = context
        self._compared: list[Comparer] = []
        self._left_out: list[str] = []
        self._engine_differs = 0

    @property
    def looked(self) -> int:
        return sum(one.looked for one in self._compared)

    @property
    def report(self) -> dict[str, Any]:
        examples = [list(example) for one in self._compared for example in one.examples]
        return {
            "missing": sum(one.missing for one in self._compared),
            "changed": sum(one.changed for one in self._compared),
            "extra": sum(one.extra for one in self._compared),
            "examples": examples[:EXAMPLES],
            "engine_differs": self._engine_differs,
        }

    @property
    def problem(self) -> str | None:
        return in_short(self._left_out) or None

    def run(self, root_id: int | None, tell: Callable[[int], None]) -> bool:
        """All roots, or the one; False if it was broken off, since the worker stops. `tell` hears of `looked`."""
        self._context.recorder.commit()
        roots = self._roots(root_id)
        for root in roots:
            try:
                self._compare(root, tell)
            except (NodeError, Unavailable) as error:
                logger.warning("root %s could not be compared: %s", root.name, error)
                self._left_out.append(f"Root {root.name} could not be compared to its end: {error}")
            if self._context.stopping():
                return False
        self._engine_differs = self._engine_differences([root.id for root in roots])
        return not self._context.stopping()

    def _roots(self, root_id: int | None) -> list[Root]:
        query = select(Root).order_by(Root.id)
        if root_id is not None:
            query = query.where(Root.id == root_id)
        with self._context.database.read() as session:
            return list(session.scalars(query))

    # --- a root ---------------------------------------------------------------------------------------------

    def _compare(self, root: Root, tell: Callable[[int], None]) -> None:
        """Raises NodeError where storage refuses, and Unavailable where nothing comes from it."""
        comparer, silence = Comparer(self._context.recorder), Silence()
        walked: Future[None] = Future()
        given_up = threading.Event()

        def stopping() -> bool:
            return given_up.is_set() or self._context.stopping()

        def walk() -> None:
            try:
                self._walk(root, comparer, silence, stopping)
            except BaseException as error:
                walked.set_exception(error)
            else:
                walked.set_result(None)

        self._compared.append(comparer)
        thread = threading.Thread(target=walk, name="index verify", daemon=True)
        thread.start()
        while True:
            with suppress(TimeoutError):
                return walked.result(REPORT_SECONDS)
            patience = STOP_SECONDS if self._context.stopping() else SILENT_SECONDS
            if silence.seconds() >= patience:
                given_up.set()
                self._context.leave(thread)
                raise Unavailable("its storage doesn't answer; compare it again when it does.")
            tell(self.looked)

    def _walk(self, root: Root, comparer: Comparer, silence: Silence, stopping: Callable[[], bool]) -> None:
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
        silence.ask(source.check)
        for workspace_id, bucket, prefix in rows:
            walk = source.walk(Place(workspace_id, bucket, prefix, root.prefix))
            with closing(walk):
                while (walked := silence.ask(partial(next, walk, None))) is not None:
                    if stopping():
                        return
                    if walked.listing is not None:
                        comparer.sync_folders([walked.listing])

    # --- the engine -----------------------------------------------------------------------------------------

    def _engine_differences(self, root_ids: list[int]) -> int:
        """In how many workspaces the engine's count or bytes are not the catalogue's."""
        with self._context.database.read() as session:
            ids = list(session.scalars(select(Workspace.id).where(Workspace.root_id.in_(root_ids))))
        differing = 0
        for workspace_id in ids:
            if self._context.stopping():
                break
            differing += self._differs_in_the_engine(workspace_id)
            time.sleep(TURN_SECONDS)
        return differing

    def _differs_in_the_engine(self, workspace_id: int) -> bool:
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


def in_short(sentences: list[str]) -> str:
    more = len(sentences) - _SAID
    return " ".join(sentences[:_SAID]) + (f" So it was with {more} more roots." if more > 0 else "")
