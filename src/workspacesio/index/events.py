"""Takes what happened into the index: rows of the journal, and hints of whoever watches folders.

    rows and hints of a node -> look what is at these keys now -> record it -> commit -> mark the rows

- Each node is looked at in a thread of its own, so that one that is away or slow holds up no other. Its rows stay
  as they are, and are tried again after a pause.
- A commit at most every COMMIT_SECONDS, or twice that in a stream of events, takes in what was recorded by then:
  a burst becomes few of them, and a single event waits for nothing.
- Rows are marked after the commit. Who is killed in between looks at the same keys again, which does no harm.
- What can't be looked at though its node is up, or can't be recorded, is left to a crawl, which says why.
- What the index holds of workspaces that are gone is dropped.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.commits import commits_of
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Workspace
from workspacesio.domain.errors import Invalid
from workspacesio.index.event_batches import Batch, BatchRecorder, gathered, look_at, record
from workspacesio.index.event_rows import first_events, mark_indexed, nodes_with_events
from workspacesio.index.hints import Hints
from workspacesio.index.left_to_crawls import leave_to_crawl
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.storage import Wait

POLL_SECONDS = 0.05
FAR_POLL_SECONDS = 0.2
"""Where each look is a query to another machine."""

COMMIT_SECONDS = 0.2
LONGEST_COMMIT_SECONDS = 0.4
MANY_KEYS = 200
COMMITTING_SHARE = 0.1
"""Of the time, what commits may take while events stream, so many at once: then fewer of them take in more."""

HINT_SECONDS = 0.3
"""What is written through the endpoint is told twice, by the watcher at once and by the journal a little later.
While the journal tells of a node, its hints wait so long for the row: a key is looked at once for both."""
TOLD_SECONDS = 1.0

VANISHED_SECONDS = 5.0

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""Before a node that was away is looked at again."""

LOOK_SECONDS = 0.5
"""What one look should take; the next takes more or fewer keys by it."""
FEWEST_KEYS = 50
MOST_KEYS = 10_000

AT_ONCE = 8

logger = logging.getLogger(__name__)


class EventRecorder(BatchRecorder, Protocol):
    """What is needed of `recording.Recorder`. `rollbacks`: how often what was not committed was lost."""

    @property
    def rollbacks(self) -> int: ...
    def drop_workspace(self, workspace_id: int, /) -> object: ...
    def workspaces(self) -> Sequence[int]: ...
    def commit(self) -> bool: ...


class EventContext(Protocol):
    """What is needed of `worker.WorkerContext`."""

    @property
    def database(self) -> Database: ...
    @property
    def drivers(self) -> Callable[[int], StorageDriver]: ...
    @property
    def wait(self) -> Wait: ...
    @property
    def recorder(self) -> EventRecorder: ...
    @property
    def hints(self) -> Hints: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def stopping(self) -> Callable[[], bool]: ...


@dataclass(slots=True)
class _Node:
    """`keys`: how many the next look takes. `busy`: from the look to the commit. `told_at`: by the journal."""

    keys: int = 1_000
    pause: float = 0.0
    retry_at: float = 0.0
    busy: bool = False
    told_at: float = -TOLD_SECONDS

    def hints_until(self, now: float) -> float:
        """Hints that wait since then, or before, are due."""
        return now - HINT_SECONDS if now < self.told_at + TOLD_SECONDS else now


class EventTask:
    """`step` is called again and again in one thread; implements `worker.WorkerTask`."""

    name = "events"

    def __init__(self, context: EventContext) -> None:
        self._context = context
        self._nodes: dict[int, _Node] = {}
        self._poll = POLL_SECONDS if context.database.is_sqlite else FAR_POLL_SECONDS
        self._commits = commits_of(context.database)
        self._ask = True
        self._waiting: list[int] = []
        """Nodes that had events when it was asked last."""
        self._threads = ThreadPoolExecutor(AT_ONCE, "looking at keys")
        self._looking: set[Future[Batch]] = set()
        self._recorded: list[Batch] = []
        self._dropped = False
        self._rollbacks = context.recorder.rollbacks
        self._committed_at = 0.0
        self._commit_pause = COMMIT_SECONDS
        self._vanished_at = 0.0

    def step(self) -> float:
        """Seconds until the next is due. Raises Unavailable while the database or the catalogue is away."""
        self._begin_looks()
        if self._looking:
            wait(self._looking, self._poll, FIRST_COMPLETED)
        self._take_in()
        self._drop_vanished()
        idle = 0.0 if self._looking else self._poll
        if not self._recorded and not self._dropped:
            return idle
        due_in = self._committed_at + self._commit_pause - time.monotonic()
        if due_in > 0:
            return min(due_in, idle)
        self._commit()
        return 0.0

    def close(self) -> None:
        """What was recorded and not committed is looked at again by the next."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._commits.close()
        self._looking.clear()
        self._recorded.clear()

    # --- from rows and hints to looks -----------------------------------------------------------------------

    def _begin_looks(self) -> None:
        now = time.monotonic()
        since = self._context.hints.nodes()
        hinted = [node_id for node_id in since if self._is_due(node_id, since[node_id])]
        self._ask = self._ask or bool(self._waiting) or self._commits.may_be_new()
        if not self._ask and not hinted:
            return
        with self._context.database.read() as session:
            self._waiting = nodes_with_events(session)
            for node_id in sorted({*self._waiting, *hinted}):
                node = self._nodes.setdefault(node_id, _Node())
                if not node.busy and node.retry_at <= now:
                    self._begin_look(session, node_id, node)
        self._ask = False

    def _is_due(self, node_id: int, since: float) -> bool:
        node = self._nodes.get(node_id)
        return node is None or since <= node.hints_until(time.monotonic())

    def _begin_look(self, session: Session, node_id: int, node: _Node) -> None:
        context = self._context
        now = time.monotonic()
        rows = first_events(session, node_id, node.keys)
        if rows:
            node.told_at = now
        hinted = context.hints.take_objects(node_id, node.keys, node.hints_until(now))
        try:
            batch = gathered(session, node_id, rows, hinted)
        except BaseException:
            for workspace_id, paths in hinted.items():
                for path in paths:
                    context.hints.add_object(node_id, workspace_id, path)
            raise
        for place, paths in batch.wanted:
            context.hints.drop_objects(node_id, place.workspace_id, paths)
        node.busy = True
        self._looking.add(self._threads.submit(look_at, batch, context.drivers, context.wait, context.stopping))

    # --- from looks to the index ----------------------------------------------------------------------------

    def _take_in(self) -> None:
        for future in [future for future in self._looking if future.done()]:
            self._looking.remove(future)
            batch = future.result()
            if batch.away is not None:
                self._put_off(batch)
                continue
            try:
                self._record(batch)
            except BaseException:
                self._give_back(batch)
                raise
            self._recorded.append(batch)

    def _record(self, batch: Batch) -> None:
        """What is refused would be refused for ever, and hold up all else: it is left to a crawl.

        With it went what was recorded before, which is looked at again.
        """
        while (refused := record(batch, self._context.recorder)) is not None:
            looked, problem = refused
            batch.looked.remove(looked)
            batch.unsure.append((looked.place, str(problem)))
            lost, self._recorded = self._recorded, []
            for one in lost:
                self._give_back(one)
            self._rollbacks = self._context.recorder.rollbacks

    def _put_off(self, batch: Batch) -> None:
        node = self._nodes[batch.node_id]
        if not node.pause and not self._context.stopping():
            logger.warning("node %s: its events wait until it can be looked at: %s", batch.node_id, batch.away)
        node.pause = min(max(FIRST_PAUSE_SECONDS, node.pause * 2), LONGEST_PAUSE_SECONDS)
        node.retry_at = time.monotonic() + node.pause
        self._give_back(batch)

    def _give_back(self, batch: Batch) -> None:
        """Rows are still in the journal; hints are nowhere else."""
        for place, paths in batch.wanted:
            for path in paths:
                self._context.hints.add_object(batch.node_id, place.workspace_id, path)
        self._nodes[batch.node_id].busy = False

    def _commit(self) -> None:
        began = self._committed_at = time.monotonic()
        recorded, self._recorded = self._recorded, []
        try:
            lost = self._was_lost(recorded)
            with self._context.database.journal() as session:
                self._leave_to_crawls(session, recorded)
                mark_indexed(session, [row for batch in recorded if not lost for row in batch.rows])
        except BaseException:
            for batch in recorded:
                self._give_back(batch)
            raise
        is_stream = sum(batch.keys() for batch in recorded) >= MANY_KEYS
        pause = (time.monotonic() - began) / COMMITTING_SHARE if is_stream else 0.0
        self._commit_pause = min(max(COMMIT_SECONDS, pause), LONGEST_COMMIT_SECONDS)
        self._dropped = False
        for batch in recorded:
            if lost:
                self._give_back(batch)
            else:
                self._measure(batch)

    def _was_lost(self, recorded: Sequence[Batch]) -> bool:
        """Commits. Whether others failed since the last one, and what was recorded here went with theirs."""
        before = self._rollbacks
        try:
            self._context.recorder.commit()
        except Invalid as error:  # nobody knows of what
            for batch in recorded:
                batch.unsure = [(place, str(error)) for place, _ in batch.wanted]
            before = self._context.recorder.rollbacks
        self._rollbacks = self._context.recorder.rollbacks
        return self._rollbacks != before

    def _leave_to_crawls(self, session: Session, recorded: Sequence[Batch]) -> None:
        for place, problem in [one for batch in recorded for one in batch.unsure]:
            leave_to_crawl(session, place, problem, self._context.clock())

    def _measure(self, batch: Batch) -> None:
        node = self._nodes[batch.node_id]
        node.busy, node.pause = False, 0.0
        if batch.seconds > 2 * LOOK_SECONDS:
            node.keys = max(FEWEST_KEYS, node.keys // 2)
        elif batch.seconds < LOOK_SECONDS and batch.keys() >= node.keys // 2:
            node.keys = min(MOST_KEYS, node.keys * 2)

    def _drop_vanished(self) -> None:
        """Of workspaces that were deleted or let go of; their numbers are never used again."""
        if time.monotonic() < self._vanished_at + VANISHED_SECONDS:
            return
        held = set(self._context.recorder.workspaces())
        with self._context.database.read() as session:
            gone = held.difference(session.scalars(select(Workspace.id)))
        for workspace_id in sorted(gone):
            self._context.recorder.drop_workspace(workspace_id)
            self._dropped = True
        self._vanished_at = time.monotonic()
