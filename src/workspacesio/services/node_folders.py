"""Which folders of this machine may become nodes. Looks at the disk, so it is called outside of transactions."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.nodes.folder.filesystem import read_identity


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A folder that may become a node: its path without links, and the identity of its filesystem."""

    path: str
    filesystem_identity: str


def check_node_folder(path: str, *, allowed: Sequence[str], state_dir: Path) -> CheckedFolder:
    """Raises Invalid, or Conflict where it overlaps the state folder. Nodes lie under one of `allowed`."""
    if not os.path.isabs(path):
        raise Invalid("Give the folder's whole path, beginning with '/'.", code="invalid_path")
    real = os.path.realpath(path)
    if not any(holds(os.path.realpath(one), real) for one in allowed):
        raise Invalid(
            "That folder lies outside the paths that this service may serve; start it with WIO_FOLDER_PATHS "
            "naming them all, separated by ':'.",
            code="path_not_allowed",
        )
    if not os.path.isdir(real):
        raise Invalid("There is no folder at that path on the server.", code="no_such_folder")
    check_outside_state(real, state_dir)
    try:
        return CheckedFolder(real, read_identity(real))
    except OSError as error:
        raise Invalid(f"The folder can't be read: {error.strerror}.", code="folder_unreadable") from error


def check_outside_state(path: str, state_dir: Path) -> None:
    """Raise Conflict when a folder, given without links, and the state folder hold one another."""
    state = os.path.realpath(state_dir)
    if holds(state, path) or holds(path, state):
        raise Conflict(
            "The folder and the state folder of this service overlap; put the state elsewhere with WIO_STATE_DIR.",
            code="overlaps_state",
        )


def check_no_overlap(path: str, others: Sequence[str]) -> None:
    """Raise Conflict when `path` and another node's folder hold one another."""
    if any(holds(path, other) or holds(other, path) for other in others):
        raise Conflict("The folder overlaps another node's folder.", code="overlaps_node")


def holds(folder: str, path: str) -> bool:
    """`path` is `folder` or lies in it; both are absolute and without links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
