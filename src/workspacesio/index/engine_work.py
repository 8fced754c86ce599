"""What an engine is to do after the catalogue has committed, in its order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from workspacesio.index.engine import EngineWriter, Entry
from workspacesio.index.found import Found

_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ListedEntries:
    """The entries of new objects in one folder, numbered from `first_id` on: of what is listed nothing was read.

    Each is made when it is its turn, since tens of thousands that wait would be gone through by Python's garbage
    collection again and again.
    """

    workspace_id: int
    folder_ids: tuple[int, ...]
    path: str
    first_id: int
    found: Sequence[Found]

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Entry]:
        workspace_id, ids, path = self.workspace_id, self.folder_ids, self.path
        for number, (name, size, modified, etag, _) in enumerate(self.found, self.first_id):
            yield Entry(number, workspace_id, ids, path + name, size, modified, etag, "", _NONE, _NONE, _NONE)


class EngineWork:
    """`size`: how many entries are put or removed."""

    def __init__(self) -> None:
        self.size = 0
        self._steps: list[tuple[str, list[Iterable[Entry] | Iterable[int]]]] = []

    def put_all(self, entries: Sequence[Entry] | ListedEntries) -> None:
        self._add("put", entries)

    def remove(self, entry_ids: Iterable[int]) -> None:
        self._add("remove", list(entry_ids))

    def remove_folder(self, folder_id: int) -> None:
        self._add("remove_folders", [folder_id])

    def apply(self, writer: EngineWriter) -> None:
        """Raises Unavailable."""
        for verb, many in self._steps:
            getattr(writer, verb)(chain.from_iterable(many))

    def _add(self, verb: str, many: Sequence[Entry] | ListedEntries | list[int]) -> None:
        self.size += len(many)
        if self._steps and self._steps[-1][0] == verb:
            self._steps[-1][1].append(many)
        else:
            self._steps.append((verb, [many]))
