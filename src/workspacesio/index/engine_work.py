"""What an engine is to do after the catalogue has committed, in its order."""

from collections.abc import Iterable, Sequence

from workspacesio.index.engine import EngineWriter, Entry


class EngineWork:
    """`size`: how many entries are put or removed."""

    def __init__(self) -> None:
        self.size = 0
        self._steps: list[tuple[str, list[Entry] | list[int]]] = []

    def put_all(self, entries: Sequence[Entry]) -> None:
        self._add("put", entries)

    def remove(self, entry_ids: Iterable[int]) -> None:
        self._add("remove", list(entry_ids))

    def remove_folder(self, folder_id: int) -> None:
        self._add("remove_folders", [folder_id])

    def apply(self, writer: EngineWriter) -> None:
        """Raises Unavailable."""
        for verb, many in self._steps:
            getattr(writer, verb)(many)

    def _add(self, verb: str, many: Sequence[Entry] | list[int]) -> None:
        self.size += len(many)
        if self._steps and self._steps[-1][0] == verb:
            self._steps[-1][1].extend(many)  # type: ignore[arg-type]
        else:
            self._steps.append((verb, list(many)))  # type: ignore[arg-type]
