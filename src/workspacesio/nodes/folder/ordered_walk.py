"""One folder after another, in the order of whole keys: the stack that a listing moves along.

A `Level` is a folder that is being listed. Keys are compared as strings: by code point, which is the order of
their UTF-8 bytes. `low` is where the listing is: the smallest key that may still come.
"""

import os
from bisect import bisect_left
from collections.abc import Iterator

from workspacesio.domain.names import MAX_KEY_BYTES
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.scan import LINK
from workspacesio.nodes.folder.sight import Way, left_out, open_folder
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.folder.sorted_names import Names

_NO_FILE = "/" + LINK

_LONGEST_NAME = 256
"""NAME_MAX and a slash."""


def behind(text: str) -> str | None:
    """The smallest string above everything that begins with `text`, or None if there is none."""
    text = text.rstrip("\U0010ffff")
    return text[:-1] + chr(ord(text[-1]) + 1) if text else None


class Level:
    """A folder that is being listed."""

    __slots__ = (
        "_complete",
        "_fd",
        "_index",
        "_last",
        "_names",
        "_source",
        "_tree",
        "base",
        "device",
        "may_be_too_long",
        "way",
    )

    def __init__(self, tree: NodeTree, way: Way, fd: int, device: int) -> None:
        self._tree = tree
        self._fd = fd
        self._source: Names
        self._names: list[str] = []
        self._index = 0
        self._complete = True
        self._last = ""
        self.way = way
        self.base = way.base
        self.device = device
        self.may_be_too_long = len(way.base.encode()) + _LONGEST_NAME > MAX_KEY_BYTES

    @property
    def fd(self) -> int:
        """The opened folder. Raises OSError when it had to be opened again and is gone."""
        if self._fd < 0:
            self._fd = open_folder(self._tree, self.way.place)
        return self._fd

    def let_go(self) -> None:
        """Close the descriptor; it is opened again when it is needed."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def begin(self, snapshots: Snapshots, low: str) -> None:
        """Stand before the first name that may lead to a key from `low` on. Raises OSError."""
        self._source = snapshots.names(self.fd)
        self._fetch(self._first_name(low))

    def seek(self, low: str) -> None:
        """Go forward to the first name that may lead to a key from `low` on. Raises OSError."""
        name = self._first_name(low)
        if self._complete or (self._names and self._names[-1] >= name):
            self._index = bisect_left(self._names, name, self._index)
        else:
            self._fetch(name)

    def _first_name(self, low: str) -> str:
        if not low.startswith(self.base):
            return ""
        rest = low[len(self.base) :]
        slash = rest.find("/")
        return rest if slash < 0 else rest[: slash + 1]

    def next(self) -> str | None:
        """The next spelled name (`scan`), or None at the end. Raises OSError."""
        while True:
            if self._index >= len(self._names):
                if self._complete:
                    return None
                self._fetch(self._last + "\0")
                continue
            name = self._names[self._index]
            self._index += 1
            if name != self._last:  # a folder that is changed while it is read may give a name twice
                self._last = name
                return name

    def files(self) -> Iterator[str]:
        """The names of files that come next, as far as they are at hand, up to the next folder or link."""
        names = self._names
        while self._index < len(names):
            name = names[self._index]
            if name[-1] in _NO_FILE:
                return
            self._index += 1
            if name != self._last:
                self._last = name
                yield name

    def _fetch(self, at_least: str) -> None:
        self._names, self._complete = self._source.from_name(self.fd, at_least)
        self._index = 0


class OrderedWalk:
    """The levels from the first folder down to the current one, of which only some keep a descriptor."""

    _OPEN_LEVELS = 24

    def __init__(self, tree: NodeTree, snapshots: Snapshots) -> None:
        self._tree = tree
        self._snapshots = snapshots
        self._levels: list[Level] = []

    def enter(self, level: Level, low: str) -> bool:
        """Go down into `level`; False if its names can't be read."""
        if len(self._levels) >= self._OPEN_LEVELS:
            self._levels[-1].let_go()
        try:
            level.begin(self._snapshots, low)
        except OSError as error:
            level.let_go()
            left_out(error)
            return False
        self._levels.append(level)
        return True

    def leave(self) -> None:
        self._levels.pop().let_go()

    def seek(self, low: str) -> None:
        """Go forward to keys from `low` on."""
        while self._levels and not low.startswith(self._levels[-1].base):
            self.leave()
        if self._levels:
            try:
                self._levels[-1].seek(low)
            except OSError as error:
                left_out(error)
                self.leave()

    def next(self) -> tuple[Level, str] | None:
        """The next spelled name and the folder that it is in, or None when the listing is at its end."""
        while self._levels:
            level = self._levels[-1]
            try:
                name = level.next()
            except OSError as error:
                left_out(error)
                name = None
            if name is not None:
                return level, name
            self.leave()
        return None

    def close(self) -> None:
        while self._levels:
            self.leave()
