"""What of one node is looked at together: rows of its journal and hints, as keys of workspaces, each once."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.orm import Session

from workspacesio.domain.errors import Invalid, NotFound, NotSupported, WorkspacesIOError
from workspacesio.index.event_rows import EventRow
from workspacesio.index.found import Found
from workspacesio.index.looking import Looked, look
from workspacesio.index.places import Place, load_places
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.services.storage import Wait

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """`rows` are numbers of the rows that these looks take in; `wanted`, where to look.

    `retold`: paths by workspace, of whose objects metadata may have changed alone.

    After the look: `looked`, what is there; `unsure`, places that can't be looked at though the node is up, and
    why; `away`, why nothing could be looked at.
    """

    node_id: int
    rows: list[int]
    wanted: list[tuple[Place, list[str]]]
    retold: dict[int, list[str]] = field(default_factory=dict)
    looked: list[Looked] = field(default_factory=list)
    unsure: list[tuple[Place, str]] = field(default_factory=list)
    away: str | None = None
    seconds: float = 0.0

    def keys(self) -> int:
        return sum(len(paths) for _, paths in self.wanted)


def gathered(session: Session, node_id: int, rows: Sequence[EventRow], hints: dict[int, list[str]]) -> Batch:
    """Rows of workspaces that vanished, or that aren't indexed, are taken in by looking at nothing."""
    places = load_places(session, {*(row.workspace_id for row in rows), *hints})
    paths: dict[int, dict[str, None]] = {
        workspace_id: dict.fromkeys(hints[workspace_id]) for workspace_id in hints
    }
    retold: dict[int, list[str]] = {}
    for row in rows:
        place = places.get(row.workspace_id)
        # A workspace that was moved since lies elsewhere, and what lies there now is another's.
        path = place.path_of(row.bucket, row.key) if place is not None and place.node_id == node_id else None
        if path is not None:
            paths.setdefault(row.workspace_id, {})[path] = None
            if row.may_leave_bytes:
                retold.setdefault(row.workspace_id, []).append(path)
    wanted = []
    for workspace_id, place in places.items():
        shown = [path for path in paths.get(workspace_id, ()) if place.shows(path)]
        if shown:
            wanted.append((place, shown))
    return Batch(node_id, [row.id for row in rows], wanted, retold)


class BatchRecorder(Protocol):
    def put_many(self, workspace_id: int, objects: Sequence[tuple[str, Found]], /) -> object: ...
    def drop_many(self, workspace_id: int, paths: Sequence[str], /) -> object: ...
    def read_again(self, workspace_id: int, paths: Sequence[str], /) -> object: ...


def record(batch: Batch, recorder: BatchRecorder) -> tuple[Looked, Invalid] | None:
    """What was found. Where something in it is refused, in which place and why; nothing is recorded then."""
    for looked in batch.looked:
        workspace_id = looked.place.workspace_id
        try:
            if looked.there:
                recorder.put_many(workspace_id, looked.there)
            if looked.absent:
                recorder.drop_many(workspace_id, looked.absent)
            if workspace_id in batch.retold:
                recorder.read_again(workspace_id, batch.retold[workspace_id])
        except Invalid as error:
            return looked, error
    return None


def look_at(
    batch: Batch, drivers: Callable[[int], StorageDriver], wait: Wait, stopping: Callable[[], bool]
) -> Batch:
    """From a thread; raises nothing."""
    began = time.monotonic()
    try:
        driver = drivers(batch.node_id) if batch.wanted else None
        for place, paths in batch.wanted:
            if driver is None:
                break
            try:
                looked = look(driver, wait, place, paths, stopping)
            except NodeDown:
                raise
            except NodeError as error:
                batch.unsure.append((place, str(error)))
                continue
            if looked is None:
                batch.away = "the worker is about to stop"
                break
            batch.looked.append(looked)
    except (NotFound, NotSupported):
        logger.info("node %s: its events are passed over, for it was removed", batch.node_id)
    except (WorkspacesIOError, NodeDown) as error:
        batch.away = str(error)
    except Exception as error:
        logger.exception("node %s: keys could not be looked at", batch.node_id)
        batch.away = str(error)
    batch.seconds = time.monotonic() - began
    return batch
