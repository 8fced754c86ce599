"""Counting what a folder would serve and what not, as a walk that says how far it is. Changes nothing."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from workspacesio.domain.errors import NotSupported
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.survey import SurveyReport
from workspacesio.nodes.folder.survey import survey as survey_folder
from workspacesio.nodes.minio.driver import ServerStorage
from workspacesio.nodes.values import Scope
from workspacesio.services.storage import node_errors

MAX_EXAMPLES = 10
PROGRESS_EVERY = 1000
WAITING = 100

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What was looked at so far."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class NotServed:
    """Entries that are there and won't be served, with a few of their names."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a folder would serve, and what not and why."""

    entries: int
    objects: int
    bytes: int
    not_served: tuple[NotServed, ...]


class Abandoned(Exception):
    """Nobody waits for the survey any more."""


def survey(driver: StorageDriver, bucket: str, prefix: str) -> Generator[Progress | Surveyed, None, None]:
    """Progress now and then, and at the end what was found. Closing the iterator ends the walk.

    Raises Unavailable when the node is down, Conflict for a folder that can't be served, and NotSupported.
    """
    scope = Scope(bucket, prefix)
    if isinstance(driver, FolderDriver):
        walk = _Walk(lambda tell: _walk_folder(driver, scope, tell))
    elif isinstance(driver, ServerStorage):
        walk = _Walk(lambda tell: _walk_server(driver, scope, tell))
    else:
        raise NotSupported("Folders can't be imported from this kind of node.")
    walk.start()
    try:
        while True:
            found = walk.found.get()
            if isinstance(found, Exception):
                raise found
            yield found
            if isinstance(found, Surveyed):
                return
    finally:
        walk.abandoned.set()


def merged(surveys: Iterable[tuple[str, Surveyed]]) -> list[NotServed]:
    """What isn't served in all folders together, by reason; examples begin with their folder."""
    counts: dict[str, int] = {}
    examples: dict[str, list[str]] = {}
    for folder, surveyed in surveys:
        for one in surveyed.not_served:
            counts[one.reason] = counts.get(one.reason, 0) + one.count
            examples.setdefault(one.reason, []).extend(folder + example for example in one.examples)
    return [NotServed(reason, counts[reason], tuple(examples[reason][:MAX_EXAMPLES])) for reason in sorted(counts)]


class _Walk(threading.Thread):
    """Walks in a thread of its own, as the walk tells its progress by calling."""

    def __init__(self, walk: Callable[[Tell], Surveyed]) -> None:
        super().__init__(name="survey", daemon=True)
        self.found: queue.Queue[Progress | Surveyed | Exception] = queue.Queue(WAITING)
        self.abandoned = threading.Event()
        self._walk = walk

    def run(self) -> None:
        try:
            with node_errors():
                surveyed = self._walk(self._tell)
            self._put(surveyed)
        except Abandoned:
            pass
        except Exception as error:
            with contextlib.suppress(Abandoned):
                self._put(error)

    def _tell(self, entries: int, size: int) -> None:
        self._put(Progress(entries, size))

    def _put(self, found: Progress | Surveyed | Exception) -> None:
        while not self.abandoned.is_set():
            try:
                self.found.put(found, timeout=1.0)
            except queue.Full:
                continue
            return
        raise Abandoned


def _walk_folder(driver: FolderDriver, scope: Scope, tell: Tell) -> Surveyed:
    return _surveyed(survey_folder(driver.node.tree, driver.node.records, scope, tell))


def _walk_server(driver: ServerStorage, scope: Scope, tell: Tell) -> Surveyed:
    """Every object is served, by the server itself."""
    objects = size = 0
    for found in driver.objects(scope.bucket, scope.boundary):
        objects += 1
        size += found.size
        if objects % PROGRESS_EVERY == 0:
            tell(objects, size)
    return Surveyed(objects, objects, size, ())


def _surveyed(report: SurveyReport) -> Surveyed:
    not_served = tuple(
        NotServed(str(reason), noted.count, tuple(noted.examples[:MAX_EXAMPLES]))
        for reason, noted in report.not_served.items()
    )
    return Surveyed(report.entries, report.objects, report.bytes, not_served)
