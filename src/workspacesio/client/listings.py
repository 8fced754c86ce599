"""What was listed or looked at a short while ago, for the filesystem. Nothing is shown beyond the stated lifetime.

By workspace and folder, and not by how they were written, so that each has one listing whatever it is called.
"""

from __future__ import annotations

import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.places import Item

MOST_ITEMS = 200_000


class Listings:
    """For several threads. A folder is written without its final slash, a workspace itself as ""."""

    def __init__(self, lifetime: float) -> None:
        """In seconds; 0 keeps nothing."""
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._folders: dict[int, dict[str, tuple[float, dict[str, Item]]]] = {}
        self._looked: dict[int, dict[str, tuple[float, Item]]] = {}
        self._count = 0

    def put(self, workspace: int, folder: str, items: list[Item], *, asked_at: float) -> None:
        """`asked_at`: by the monotonic clock, before the server was asked."""
        if not self._lifetime:
            return
        with self._lock:
            if self._count + len(items) > MOST_ITEMS:
                self._forget_all()
            # Where a folder and an object have one name, the object is what the name means.
            named = {item.path.rstrip("/"): item for item in sorted(items, key=lambda item: not item.is_folder)}
            self._take(workspace, folder)
            self._folders.setdefault(workspace, {})[folder] = asked_at, named
            self._count += len(named)

    def put_item(self, workspace: int, item: Item, *, asked_at: float) -> None:
        """What was found when one path was looked at."""
        if not self._lifetime:
            return
        with self._lock:
            if self._count >= MOST_ITEMS:
                self._forget_all()
            self._looked.setdefault(workspace, {})[item.path.rstrip("/")] = asked_at, item
            self._count += 1

    def get(self, workspace: int, folder: str) -> list[Item] | None:
        """The listing, or None where it isn't known."""
        with self._lock:
            found = self._fresh(workspace, folder)
        return None if found is None else list(found.values())

    def item(self, workspace: int, path: str) -> Item | None:
        """As it was looked at, or its folder's listing had it; None where neither is known."""
        with self._lock:
            asked_at, item = self._looked.get(workspace, {}).get(path, (0.0, None))
            if item is not None and time.monotonic() - asked_at < self._lifetime:
                return item
            found = self._fresh(workspace, path.rpartition("/")[0])
        return None if found is None else found.get(path)

    def forget(self, workspace: int, path: str, *, below: bool = False) -> None:
        """The folders in which a path lies, to the top, its own listing, and with `below` all in it."""
        with self._lock:
            looked = self._looked.get(workspace, {})
            if below:
                inside = [
                    one
                    for one in self._folders.get(workspace, {})
                    if not path or one == path or one.startswith(f"{path}/")
                ]
                for folder in inside:
                    self._take(workspace, folder)
                for one in [one for one in looked if not path or one.startswith(f"{path}/")]:
                    del looked[one]
            looked.pop(path, None)
            self._take(workspace, path)
            while path:
                path = path.rpartition("/")[0]
                looked.pop(path, None)
                self._take(workspace, path)

    def clear(self) -> None:
        """All of them."""
        with self._lock:
            self._forget_all()

    def _forget_all(self) -> None:
        self._folders.clear()
        self._looked.clear()
        self._count = 0

    def _fresh(self, workspace: int, folder: str) -> dict[str, Item] | None:
        asked_at, named = self._folders.get(workspace, {}).get(folder, (0.0, None))
        if named is not None and time.monotonic() - asked_at >= self._lifetime:
            self._take(workspace, folder)
            return None
        return named

    def _take(self, workspace: int, folder: str) -> None:
        taken = self._folders.get(workspace, {}).pop(folder, None)
        if taken is not None:
            self._count -= len(taken[1])
