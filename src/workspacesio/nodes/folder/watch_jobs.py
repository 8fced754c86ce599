"""What `watched_folders` keeps in mind: workspaces, folders that are watched, and those still to be watched."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from workspacesio.nodes.folder.resolve import NodeTree, join
from workspacesio.nodes.values import Scope


class Listener(Protocol):
    """Paths are relative to the workspace; folders end in a slash, the workspace's own is ''."""

    def object_changed(self, workspace_id: int, path: str) -> None: ...

    def folder_changed(self, workspace_id: int, path: str) -> None:
        """All that is below it; it may be gone."""
        ...

    def prepared(self, workspace_id: int) -> None:
        """From now on everything is told; what was changed before is not."""
        ...

    def given_up(self, workspace_id: int, problem: str | None) -> None:
        """It isn't watched any more, and why; None: its folder is gone."""
        ...

    def overflowed(self) -> None:
        """Something was not told. All workspaces are being prepared again."""
        ...


class Folder:
    """A watched folder. Its path never changes: one that is renamed is another."""

    __slots__ = ("below", "device", "name", "parent", "path", "top", "watch")

    def __init__(self, top: "Top", parent: "Folder | None", name: str, watch: int, device: int) -> None:
        self.top = top
        self.parent = parent
        self.name = name
        self.path: str = f"{parent.path}{name}/" if parent is not None else ""
        self.watch = watch
        self.device = device
        self.below: dict[str, Folder] = {}


@dataclass(slots=True, eq=False)
class Top:
    """A workspace. `place` is its folder's, without links. `passes` says which folders are of interest.

    `rules`: those of the node under which folders were chosen.
    """

    workspace_id: int
    tree: NodeTree
    scope: Scope
    passes: Callable[[str], bool]
    one_filesystem: bool
    place: bytes
    rules: tuple[bool, bool]
    folder: Folder | None = None
    folders: int = 0
    prepared: bool = False

    def place_of(self, path: str) -> bytes:
        return join(self.place, path.rstrip("/").encode()) if path else self.place


@dataclass(slots=True, eq=False)
class Job:
    """Folders still to be watched: (the one it lies in, name). `told`: what is told of when all are."""

    top: Top
    told: str | None
    waiting: list[tuple[Folder | None, str]] = field(default_factory=list)
