"""Uploads in parts, as they are written down until they are done: so that a later command goes on with them."""

from __future__ import annotations

import contextlib
import os
import time

from workspacesio.client import private_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEPT_SECONDS = 30 * 24 * 3600
"""Longer than services that clear abandoned uploads keep these; WorkspacesIO keeps them for 7 days if not told."""

_pruned = False


def path(mark: str) -> str:
    """Of the record of one upload."""
    return os.path.join(_folder(), f"{mark}.json")


def write(record: str, value: dict[str, Any]) -> None:
    """Raises CommandError. Once in a process, what nobody went on with for long is removed."""
    global _pruned  # noqa: PLW0603 - a process writes thousands
    private_files.write_json(record, value)
    if not _pruned:
        _pruned = True
        prune()


def prune() -> None:
    """Remove the records of uploads that no server knows any more."""
    oldest = time.time() - KEPT_SECONDS
    with contextlib.suppress(OSError):
        for entry in os.scandir(_folder()):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.path)


def _folder() -> str:
    return os.path.join(private_files.cache_dir(), "uploads")
