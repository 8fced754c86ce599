"""What may have changed in storage, gathered until somebody looks: keys, and folders to be made true as a whole.

A hint says where to look, never what is there; so they may come twice, late, and in any order.
"""

import threading
import time
from collections.abc import Iterable
from itertools import takewhile

from workspacesio.domain.names import ancestors
from workspacesio.index.found import parent_path

MAX_OBJECTS = 200_000
"""Of one workspace; beyond that the whole workspace is looked through."""


MAX_FOLDERS = 1_000
"""Of one workspace; beyond that those are looked through that they lie in."""


class Hints:
    """Safe in threads. `folder` paths are '' or 'a/b/', object paths whole, both relative to the workspace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[int, dict[int, dict[str, float]]] = {}
        """Paths by node and workspace, and since when each waits: the oldest first."""
        self._folders: dict[tuple[int, int], set[str]] = {}

    def add_object(self, node_id: int, workspace_id: int, path: str) -> None:
        now = time.monotonic()
        with self._lock:
            waiting = self._objects.setdefault(node_id, {}).setdefault(workspace_id, {})
            waiting.setdefault(path, now)
            if len(waiting) <= MAX_OBJECTS:
                return
            del self._objects[node_id][workspace_id]
            self._folders[node_id, workspace_id] = {""}

    def add_folder(self, node_id: int, workspace_id: int, path: str) -> None:
        """All that is below the folder, which may be there or not."""
        with self._lock:
            waiting = self._folders.setdefault((node_id, workspace_id), set())
            if any(above in waiting for above in ancestors(path)):
                return
            waiting.add(path)
            while len(waiting) > MAX_FOLDERS:
                above = {_above(one) for one in waiting}
                waiting.clear()
                waiting |= {one for one in above if not any(other in above for other in ancestors(one)[1:])}

    def nodes(self) -> dict[int, float]:
        """With objects to look at; since when the oldest waits, by the monotonic clock."""
        with self._lock:
            return {
                node_id: min((next(iter(paths.values())) for paths in waiting.values()), default=0.0)
                for node_id, waiting in self._objects.items()
            }

    def take_objects(self, node_id: int, most: int, until: float = float("inf")) -> dict[int, list[str]]:
        """Paths by workspace, at most so many of those that wait since `until` or before; the rest waits."""
        taken: dict[int, list[str]] = {}
        with self._lock:
            waiting = self._objects.get(node_id, {})
            for workspace_id in list(waiting):
                if most <= 0:
                    break
                paths = waiting[workspace_id]
                old = takewhile(lambda one: one[1] <= until, paths.items())
                found = [path for (path, _), _ in zip(old, range(most), strict=False)]
                if found:
                    taken[workspace_id] = found
                    self._remove(node_id, workspace_id, found)
                most -= len(found)
            if not waiting:
                self._objects.pop(node_id, None)
        return taken

    def drop_objects(self, node_id: int, workspace_id: int, paths: Iterable[str]) -> None:
        """Whoever is about to look at these needs no hint any more."""
        with self._lock:
            self._remove(node_id, workspace_id, paths)

    def _remove(self, node_id: int, workspace_id: int, paths: Iterable[str]) -> None:
        of_node = self._objects.get(node_id, {})
        waiting = of_node.get(workspace_id)
        if waiting is None:
            return
        for path in paths:
            waiting.pop(path, None)
        if not waiting:
            del of_node[workspace_id]
            if not of_node:
                del self._objects[node_id]

    def take_folder(self, passed_over: set[int]) -> tuple[int, int, str] | None:
        """Node, workspace and path of a folder; none of these nodes."""
        with self._lock:
            for place, paths in self._folders.items():
                if place[0] in passed_over:
                    continue
                path = min(paths)
                paths.remove(path)
                if not paths:
                    del self._folders[place]
                return (*place, path)
        return None

    def waiting(self) -> int:
        with self._lock:
            objects = sum(len(paths) for node in self._objects.values() for paths in node.values())
            return objects + sum(map(len, self._folders.values()))


def _above(folder: str) -> str:
    return parent_path(folder) or ""
