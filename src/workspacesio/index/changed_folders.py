"""Makes the index true of whole folders that appeared, were renamed or are gone, as the watcher hinted.

In a thread of its own, beside events: a folder of a million files that was moved here takes its time.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from workspacesio.database.sessions import Database
from workspacesio.domain.errors import Invalid, NotFound, NotSupported
from workspacesio.index import crawl_sources
from workspacesio.index.crawl_folder import WorkspaceUnreadable
from workspacesio.index.crawl_subtree import sync_subtree
from workspacesio.index.hints import Hints
from workspacesio.index.left_to_crawls import leave_to_crawl
from workspacesio.index.places import Place, load_places
from workspacesio.index.recording import ListingSink
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.services.storage import Wait

IDLE_SECONDS = 0.05
COMMIT_SECONDS = 0.2
PAUSE_SECONDS = 5.0
"""Before a node whose folders could not be gone through is asked again."""

logger = logging.getLogger(__name__)


class FolderRecorder(ListingSink, Protocol):
    """What is needed of `recording.Recorder`."""

    def begin_anew(self, workspace_id: int, path: str, /) -> None: ...


class ChangedFoldersContext(Protocol):
    """What is needed of `worker.WorkerContext`."""

    @property
    def database(self) -> Database: ...
    @property
    def drivers(self) -> Callable[[int], StorageDriver]: ...
    @property
    def wait(self) -> Wait: ...
    @property
    def recorder(self) -> FolderRecorder: ...
    @property
    def hints(self) -> Hints: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def stopping(self) -> Callable[[], bool]: ...


class ChangedFoldersTask:
    """`step` is called again and again in one thread; implements `worker.WorkerTask`."""

    name = "changed folders"

    def __init__(self, context: ChangedFoldersContext) -> None:
        self._context = context
        self._paused: dict[int, float] = {}
        self._uncommitted: list[tuple[int, int, str]] = []
        self._rollbacks = context.recorder.rollbacks
        self._committed_at = 0.0

    def step(self) -> float:
        """Seconds until the next is due. Raises Unavailable while the database or the catalogue is away."""
        now = time.monotonic()
        paused = {node_id for node_id, until in self._paused.items() if until > now}
        taken = self._context.hints.take_folder(paused)
        if taken is not None:
            self._make_true(*taken)
        if self._uncommitted and time.monotonic() >= self._committed_at + COMMIT_SECONDS:
            self._commit()
        return 0.0 if taken is not None or self._context.stopping() else IDLE_SECONDS

    def close(self) -> None:
        """What was recorded is committed by whoever commits next."""

    def _commit(self) -> None:
        """What was lost meanwhile, since somebody else failed, is gone through again."""
        self._committed_at = time.monotonic()
        try:
            self._context.recorder.commit()
        finally:
            done, self._uncommitted = self._uncommitted, []
            before, self._rollbacks = self._rollbacks, self._context.recorder.rollbacks
            if self._rollbacks != before:
                for folder in done:
                    self._context.hints.add_folder(*folder)

    def _make_true(self, node_id: int, workspace_id: int, path: str) -> None:
        place: Place | None = None
        try:
            with self._context.database.read() as session:
                place = load_places(session, [workspace_id]).get(workspace_id)
            if place is not None and place.node_id == node_id and place.indexed:
                self._sync(self._context.drivers(node_id), place, path)
                self._uncommitted.append((node_id, workspace_id, path))
        except Invalid as error:
            if place is not None:
                self._leave_to_crawl(place, error)
        except (NotFound, NotSupported):
            logger.info("node %s: a changed folder is passed over, for it was removed", node_id)
        except WorkspaceUnreadable:
            logger.warning("workspace %s: its folder can't be read; it stays as it was known", workspace_id)
        except NodeError as error:
            logger.warning("node %s: a changed folder waits: %s", node_id, error)
            self._paused[node_id] = time.monotonic() + PAUSE_SECONDS
            self._context.hints.add_folder(node_id, workspace_id, path)
        except BaseException:
            self._context.hints.add_folder(node_id, workspace_id, path)
            raise

    def _leave_to_crawl(self, place: Place, problem: Invalid) -> None:
        """What is refused would be refused for ever, and hold up all other folders."""
        with self._context.database.journal() as session:
            leave_to_crawl(session, place, str(problem), self._context.clock())

    def _sync(self, driver: StorageDriver, place: Place, path: str) -> None:
        self._context.wait(driver.check())
        self._context.recorder.begin_anew(place.workspace_id, path)
        sync_subtree(
            driver,
            self._context.recorder,
            crawl_sources.Place(place.workspace_id, place.bucket, place.prefix, place.root_prefix),
            path,
            exclusions=place.exclusions,
            cross_filesystems=place.cross_filesystems,
            stopping=self._context.stopping,
        )
