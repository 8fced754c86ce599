"""Which names events touched since a folder was listed: the listing is older, and says nothing of them.

    mark = touches.mark()                 before the folder is listed
    touches.touch(workspace, 'a/b.txt')   an event recorded what storage says of it now
    touches.names(workspace, 'a/', mark)  -> {'b.txt'}: to be left alone by that listing

Touches are forgotten when no mark is left that is older than they are; and MOST_KEPT later in any case, since
storage that doesn't answer holds a listing for days. What was listed so long ago says nothing of anything.
"""

import threading
import weakref

_FORGET_EVERY = 1000

MOST_KEPT = 1_000_000
"""Touches after a mark; some 150 bytes each."""


class Mark:
    """A moment. Whoever holds it keeps what was touched after it from being forgotten."""

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int) -> None:
        self.number = number


class Touches:
    """The recorder's lock guards all but `mark`: threads that list ahead don't wait for what is being recorded."""

    def __init__(self) -> None:
        self._number = 0
        self._marking = threading.Lock()
        self._marks: weakref.WeakSet[Mark] = weakref.WeakSet()
        self._names: dict[tuple[int, str], dict[str, int]] = {}
        self._dropped: dict[tuple[int, str], int] = {}
        self._forget_at = _FORGET_EVERY
        self._oldest = 0
        """Marks from before this one know too little."""

    def mark(self) -> Mark:
        with self._marking:
            made = Mark(self._number)
            self._marks.add(made)
            return made

    def touch(self, workspace_id: int, path: str) -> None:
        """An object; the folders that it lies in are thereby known to be there or not, too."""
        self._next()
        start = 0
        while (cut := path.find("/", start)) >= 0:
            self._names.setdefault((workspace_id, path[:start]), {})[path[start : cut + 1]] = self._number
            start = cut + 1
        self._names.setdefault((workspace_id, path[:start]), {})[path[start:]] = self._number

    def begin_anew(self, workspace_id: int, folder: str) -> None:
        """The folder is about to be listed with all below it: what was listed before says nothing of it."""
        self.drop_folder(workspace_id, folder)
        if folder:
            self.touch(workspace_id, folder)

    def drop_folder(self, workspace_id: int, folder: str) -> None:
        self._next()
        self._dropped[workspace_id, folder] = self._number

    def names(self, workspace_id: int, folder: str, since: Mark) -> set[str]:
        """Names of objects, and of folders with their slash, right in the folder."""
        touched = self._names.get((workspace_id, folder))
        if touched is None:
            return set()
        return {name for name, number in touched.items() if number > since.number}

    def is_outdated(self, workspace_id: int, folder: str, since: Mark) -> bool:
        """The folder, or one that it lies in, was dropped after it was listed, or that is long ago."""
        if since.number < self._oldest:
            return True
        if not self._dropped:
            return False
        ends = [0, *(at + 1 for at, letter in enumerate(folder) if letter == "/")]
        return any(self._dropped.get((workspace_id, folder[:end]), 0) > since.number for end in ends)

    def _next(self) -> None:
        self._number += 1
        if self._number >= self._forget_at:
            self._forget()
            kept = len(self._dropped) + sum(map(len, self._names.values()))
            self._forget_at = self._number + max(_FORGET_EVERY, kept)

    def _forget(self) -> None:
        with self._marking:
            oldest = min((mark.number for mark in self._marks), default=self._number)
        self._oldest = oldest = max(oldest, self._number - MOST_KEPT)
        self._dropped = {place: number for place, number in self._dropped.items() if number > oldest}
        kept = {
            place: {name: number for name, number in names.items() if number > oldest}
            for place, names in self._names.items()
        }
        self._names = {place: names for place, names in kept.items() if names}
