"""The names of a folder that is too big for memory, as they lie sorted in a file (`scan.write_sorted`)."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from workspacesio.index.found import Found
from workspacesio.nodes.folder.scan import LINK, SEPARATOR

STRETCH = 10_000

_READ_BYTES = 1 << 20


@dataclass(slots=True)
class Seen:
    """What was met in a folder. `found` and `folders` are sorted."""

    found: list[Found] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    looked: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)


class BigFolder:
    """`seen` has its folders and what is not shown of what is no file; files come by `names`."""

    def __init__(self, names: IO[bytes]) -> None:
        self.seen = Seen()
        self._names = names

    def stretches(self, after: str | None) -> Iterator[list[str]]:
        """Files and links behind the name `after`, in order, STRETCH at a time."""
        names = (name for name in self._files() if after is None or name.removesuffix(LINK) > after)
        while stretch := list(islice(names, STRETCH)):
            yield stretch

    def folders_between(self, first: str | None, last: str | None) -> list[str]:
        """Those with `first` < name <= `last`."""
        folders = self.seen.folders
        low = 0 if first is None else bisect_right(folders, first)
        high = len(folders) if last is None else bisect_right(folders, last)
        return folders[low:high]

    def _files(self) -> Iterator[str]:
        self._names.seek(0)
        rest = b""
        while piece := self._names.read(_READ_BYTES):
            *whole, rest = (rest + piece).split(SEPARATOR)
            for name in whole:
                if not name.endswith((b"/", b"/\0")):
                    yield name.decode()
