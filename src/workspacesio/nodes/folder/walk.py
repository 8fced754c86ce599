"""How far a key leads in the node's folder: the answer of `NodeTree.walk`, and the words it is made of."""

import os
import stat
from dataclasses import dataclass
from enum import StrEnum


class Obstacle(StrEnum):
    """Why a key has no place. The value ends the sentence 'This key can't be used here: …'."""

    SYSTEM_FOLDER = "a name in it belongs to a system folder"
    NOT_A_FOLDER = "there is a file where a folder must be"
    CLOSED = "a file or folder of it can be read by its owner only"
    LINK = "a symbolic link in it leads nowhere or out of the workspace"
    FILESYSTEM = "another filesystem is mounted in it"
    SPELLING = "the filesystem has this name under another spelling"
    UNREADABLE = "the service may not enter a folder of it"
    NAME = "the filesystem can't hold a name in it"


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a key leads. `missing` is empty exactly if something is there.

    `place` is the deepest thing that exists on the way, `stat` its lstat. `link` is the place of the symbolic
    link that the key's last component is, if it is one. `visited` are the folders where links were followed.
    """

    place: bytes
    stat: os.stat_result
    missing: tuple[bytes, ...] = ()
    obstacle: Obstacle | None = None
    link: bytes | None = None
    visited: tuple[bytes, ...] = ()

    @property
    def found(self) -> bool:
        return not self.missing and self.obstacle is None


def folder_closed(mode: int) -> bool:
    """Whether neither the group nor others may list and enter a folder of this mode."""
    return mode & 0o050 != 0o050 and mode & 0o005 != 0o005


def file_closed(mode: int) -> bool:
    """Whether neither the group nor others may read a file of this mode."""
    return mode & 0o044 == 0


def join(place: bytes, name: bytes) -> bytes:
    return place + b"/" + name if place else name


def contains(folder: bytes, place: bytes) -> bool:
    """Whether `place` is `folder` or below it."""
    return not folder or place == folder or place.startswith(folder + b"/")


def closed(mode: int) -> bool:
    """`folder_closed` or `file_closed`, by what it is."""
    return folder_closed(mode) if stat.S_ISDIR(mode) else file_closed(mode)
