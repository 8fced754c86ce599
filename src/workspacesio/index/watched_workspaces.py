"""Which workspaces on folder nodes are watched, which are not and why, and what has to be caught up with.

One thread owns this. Hints go to `Hints`; crawls that are needed are handed out by `take_needed`.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.index.answering_drivers import AnsweringDrivers
from workspacesio.index.freshness import Freshness, KeptBy
from workspacesio.index.hints import Hints
from workspacesio.index.places import Place
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.inotify import WatchLimit
from workspacesio.nodes.folder.watchable import why_not_watched
from workspacesio.nodes.folder.watched_folders import WatchedFolders

RETRY_SECONDS = 600.0
"""Before it is tried again what the system or the filesystem didn't permit."""

AWAY_SECONDS = 5.0

MISSING_AT_ONCE = 500
WATCHED_AT_ONCE = 50
"""Workspaces whose place is looked at in one `look_after`."""

FEW_FOLDERS = 1_000
"""A workspace that appears with no more folders is gone through at once; else it is crawled, which is gentler."""

PREPARING = "Its folders are being prepared for watching."

logger = logging.getLogger(__name__)


class Needed(NamedTuple):
    """A crawl. `workspace_id` None: of the whole root."""

    root_id: int
    workspace_id: int | None


@dataclass(slots=True)
class _State:
    """`problem`: why it isn't watched; `missing`: there is no folder, which may change any moment. `new`: it came,
    or could be watched, only after the worker had begun, so the crawl of then is none of it. `appeared`: its
    folder did, a moment ago. `away`: the node can't be looked at."""

    place: Place
    new: bool
    problem: str | None = None
    missing: bool = False
    appeared: bool = False
    away: bool = False
    retry_at: float = 0.0


class WatchedWorkspaces:
    """A `Listener` of `WatchedFolders`."""

    def __init__(self, drivers: Callable[[int], StorageDriver], hints: Hints) -> None:
        self._drivers = AnsweringDrivers(drivers)
        self._hints = hints
        self._folders: WatchedFolders | None = None
        self._unable: str | None = None
        self._able_at = 0.0
        self._states: dict[int, _State] = {}
        self._watched: dict[int, None] = {}
        self._missing: dict[int, None] = {}
        self._needed: dict[Needed, None] = {}
        self._roots_to_crawl: set[int] = set()
        self._begun = False

    def update(self, places: Mapping[int, Place]) -> None:
        """These are the workspaces now."""
        self._drivers.begin_round()
        for workspace_id in [one for one in self._states if one not in places]:
            self._end(workspace_id)
        for workspace_id, place in places.items():
            known = self._states.get(workspace_id)
            if known is not None and known.place == place:
                continue
            if known is not None:
                self._end(workspace_id)
            if place.indexed:
                self._states[workspace_id] = _State(place, new=self._begun)
                self._begin(workspace_id)
        self._begun = True

    def step(self, seconds: float) -> None:
        if self._folders is None:
            time.sleep(seconds)
            return
        try:
            self._folders.step(seconds)
        except WatchLimit as error:
            self._cannot(error)

    def look_after(self) -> None:
        """Try again what could not be watched, and see whether what is watched is still where it was."""
        now = time.monotonic()
        self._drivers.begin_round()
        for workspace_id in _some(self._missing, MISSING_AT_ONCE):
            if now >= self._states[workspace_id].retry_at:
                self._begin(workspace_id)
            else:
                self._missing[workspace_id] = None
        for workspace_id in _some(self._watched, WATCHED_AT_ONCE):
            state = self._states[workspace_id]
            if state.problem is not None or state.missing:
                continue
            if self._is_where_it_was(workspace_id):
                self._watched[workspace_id] = None
            else:
                self.folder_changed(workspace_id, "")
                self._begin(workspace_id)

    def take_needed(self) -> list[Needed]:
        """Crawls that find what was not told."""
        settled = {one for one in self._roots_to_crawl if one not in self._preparing()}
        self._roots_to_crawl -= settled
        needed = [*self._needed, *(Needed(root_id, None) for root_id in sorted(settled))]
        self._needed.clear()
        return needed

    def give_back(self, needed: list[Needed]) -> None:
        """To be taken again."""
        self._needed |= dict.fromkeys(needed)

    def freshness(self) -> dict[int, Freshness]:
        """Of the roots in which there is a workspace."""
        found: dict[int, Freshness] = {}
        preparing = self._preparing()
        for workspace_id, state in self._states.items():
            root_id = state.place.root_id
            before = found.get(root_id, Freshness(KeptBy.WATCHING))
            folders = before.folders + (self._folders.folders(workspace_id) if self._folders else 0)
            away = before.away or state.away
            problem = state.problem or before.problem or (PREPARING if root_id in preparing else None)
            found[root_id] = Freshness(KeptBy.EVENTS if problem else KeptBy.WATCHING, problem, folders, away)
        return found

    def close(self) -> None:
        if self._folders is not None:
            self._folders.close()

    # --- one workspace --------------------------------------------------------------------------------------

    def _begin(self, workspace_id: int) -> None:
        state = self._states[workspace_id]
        was_missing = state.missing
        state.problem, state.missing, state.away, state.retry_at = None, False, False, 0.0
        try:
            problem = self._unable_now() or self._begin_in(state.place)
        except (WorkspacesIOError, NodeError) as error:
            self._put_off(workspace_id, str(error), AWAY_SECONDS)
            state.away = isinstance(error, NodeError)
            return
        if problem is not None:
            self._put_off(workspace_id, problem, RETRY_SECONDS)
        elif state.missing:
            # It may have gone since it was looked at last, and nobody heard of it.
            if not state.new:
                self._roots_to_crawl.add(state.place.root_id)
            elif not was_missing:
                self.folder_changed(workspace_id, "")
            self._put_off(workspace_id, None, 0.0)
        else:
            self._watched[workspace_id] = None

    def _put_off(self, workspace_id: int, problem: str | None, seconds: float) -> None:
        """It isn't watched, for this reason or because its folder is missing, until it is tried again."""
        state = self._states[workspace_id]
        state.problem, state.missing, state.new = problem, problem is None, True
        state.appeared = state.missing
        state.retry_at = time.monotonic() + seconds
        self._missing[workspace_id] = None

    def _begin_in(self, place: Place) -> str | None:
        """Why it can't be watched. Raises NodeError, and what `drivers` raises."""
        driver = self._drivers.of(place)
        if not isinstance(driver, FolderDriver) or self._folders is None:
            return "This kind of node can't be watched."
        tree = driver.node.tree
        tree.check()
        problem = why_not_watched(tree.kind)
        if problem is not None:
            return problem
        self._folders.end(place.workspace_id)
        exclusions = place.exclusions
        there = self._folders.begin(
            place.workspace_id,
            tree,
            place.scope,
            lambda path: not exclusions.excludes(path),
            one_filesystem=not place.cross_filesystems,
        )
        self._states[place.workspace_id].missing = not there
        return None

    def _end(self, workspace_id: int) -> None:
        for known in (self._states, self._watched, self._missing):
            known.pop(workspace_id, None)
        if self._folders is not None:
            self._folders.end(workspace_id)

    def _is_where_it_was(self, workspace_id: int) -> bool:
        if self._folders is None:
            return False
        try:
            return self._folders.is_where_it_was(workspace_id)
        except NodeDown:
            return False

    def _preparing(self) -> set[int]:
        """Roots with workspaces that are neither watched nor known not to be."""
        return {
            state.place.root_id
            for workspace_id, state in self._states.items()
            if state.problem is None
            and not state.missing
            and not (self._folders is not None and self._folders.is_prepared(workspace_id))
        }

    def _unable_now(self) -> str | None:
        """Why nothing at all can be watched, if that is so."""
        if self._folders is not None:
            return None
        if self._unable is None or time.monotonic() >= self._able_at:
            try:
                self._folders, self._unable = WatchedFolders(self), None
            except WatchLimit as error:
                self._cannot(error)
        return self._unable

    def _cannot(self, error: WatchLimit) -> None:
        if self._folders is not None:
            self._folders.close()
        self._folders, self._able_at = None, time.monotonic() + RETRY_SECONDS
        self._unable = (
            f"The system permits no more watching ({error}); raise that with sysctl, else crawls find what is "
            "changed directly."
        )
        logger.warning("folders are not watched: %s", self._unable)
        for workspace_id, state in self._states.items():
            if state.problem is None and not state.missing:
                self._put_off(workspace_id, self._unable, RETRY_SECONDS)
                self._roots_to_crawl.add(state.place.root_id)

    # --- Listener -------------------------------------------------------------------------------------------

    def object_changed(self, workspace_id: int, path: str) -> None:
        self._hints.add_object(self._states[workspace_id].place.node_id, workspace_id, path)

    def folder_changed(self, workspace_id: int, path: str) -> None:
        self._hints.add_folder(self._states[workspace_id].place.node_id, workspace_id, path)

    def prepared(self, workspace_id: int) -> None:
        state = self._states[workspace_id]
        if not state.new:
            state.new = True
            self._roots_to_crawl.add(state.place.root_id)
        elif state.appeared and self._folders is not None and self._folders.folders(workspace_id) <= FEW_FOLDERS:
            self.folder_changed(workspace_id, "")
        else:  # one that was imported is being crawled, maybe since before it was watched
            self._needed[Needed(state.place.root_id, workspace_id)] = None
        state.appeared = False

    def given_up(self, workspace_id: int, problem: str | None) -> None:
        state = self._states[workspace_id]
        if problem is None:
            self.folder_changed(workspace_id, "")
        else:
            logger.warning("workspace %s is not watched: %s", workspace_id, problem)
            if state.new:  # something of what happened meanwhile may not have been heard
                self._needed[Needed(state.place.root_id, workspace_id)] = None
        self._put_off(workspace_id, problem, 0.0 if problem is None else RETRY_SECONDS)

    def overflowed(self) -> None:
        logger.warning("more happened in the watched folders than could be heard; they are crawled")
        for state in self._states.values():
            state.new = False
            self._roots_to_crawl.add(state.place.root_id)


def _some(waiting: dict[int, None], most: int) -> list[int]:
    """Taken from the front."""
    for workspace_id in (taken := list(islice(waiting, most))):
        del waiting[workspace_id]
    return taken
