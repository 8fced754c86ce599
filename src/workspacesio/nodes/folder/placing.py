"""Where a write goes: the place of its target, what is there now, and the folders that have to be made for it."""

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from workspacesio.nodes.errors import FileInTheWay, FolderInTheWay, KeyNotPossible
from workspacesio.nodes.folder import attributes
from workspacesio.nodes.folder.metadata import FolderRecord
from workspacesio.nodes.folder.node import FolderNode, refuse
from workspacesio.nodes.folder.resolve import Walk, join
from workspacesio.nodes.values import ObjectAddress


class Target(NamedTuple):
    """`existing` is the lstat of what is at `place`. `missing` are the folders that lead there and don't exist.

    `folder` is the deepest folder that exists on the way. `direct`: no link leads to `place`.
    """

    place: bytes
    folder: bytes
    missing: tuple[bytes, ...]
    existing: os.stat_result | None
    direct: bool = False

    @property
    def parent(self) -> bytes:
        return self.place.rpartition(b"/")[0]

    @property
    def name(self) -> bytes:
        return self.place.rpartition(b"/")[2]


def locate(node: FolderNode, address: ObjectAddress) -> Target:
    """Where a file with this key must go. Through a link inside the workspace that is the file it leads to.

    Raises KeyNotPossible, NodeRefused, NoSuchBucket.
    """
    walk = node.tree.address_walk(address)
    if walk.obstacle is not None:
        refuse(walk.obstacle)
    direct = walk.link is None and not walk.visited
    if walk.missing:
        return _target_in(walk, walk.missing, direct=direct)
    if stat.S_ISDIR(walk.stat.st_mode):
        raise FolderInTheWay("There is a folder where the file must go.")
    if not stat.S_ISREG(walk.stat.st_mode):
        raise KeyNotPossible("There is something that is no file where the file must go.")
    parent = walk.place.rpartition(b"/")[0]
    return Target(walk.place, parent, (), walk.stat, direct)


def _target_in(walk: Walk, missing: tuple[bytes, ...], *, direct: bool) -> Target:
    if not stat.S_ISDIR(walk.stat.st_mode):
        raise FileInTheWay("There is a file where a folder must be.")
    place = walk.place
    for name in missing:
        place = join(place, name)
    return Target(place, walk.place, missing[:-1], None, direct)


def make_folders(node: FolderNode, folder: bytes, missing: tuple[bytes, ...]) -> bytes:
    """Make `missing` below `folder` one in the other, marked as made here. Returns the place of the last.

    One that appears meanwhile is taken as it is. Raises OSError; ENOENT when a folder vanished meanwhile.
    """
    if not missing:
        return folder
    with node.locks.folders():
        for name in missing:
            folder = _make_folder(node, folder, name)
    return folder


def _make_folder(node: FolderNode, parent: bytes, name: bytes) -> bytes:
    place = join(parent, name)
    parent_fd = node.tree.open_folder(parent)
    try:
        found = os.fstat(parent_fd)
        try:
            os.mkdir(name, attributes.new_folder_mode(parent_fd, found), dir_fd=parent_fd)
        except FileExistsError:
            return place
        fd = node.tree.open_folder(place)
        try:
            attributes.inherit_to_folder(fd, parent_fd, found)
            node.records.write_folder(fd, os.fstat(fd).st_ino, FolderRecord(made=True), durable=node.durable)
            node.sync(fd)
        finally:
            os.close(fd)
        node.sync(parent_fd)
    finally:
        os.close(parent_fd)
    return place


def remove_empty_folders(node: FolderNode, folder: bytes, boundary: bytes) -> None:
    """Remove `folder` and those above it, up to `boundary` and without it, that were made here and are empty.

    Nothing depends on it, so errors end it silently.
    """
    with contextlib.suppress(OSError):
        while len(folder) > len(boundary) and _remove_if_made(node, folder):
            folder = folder.rpartition(b"/")[0]


def _remove_if_made(node: FolderNode, folder: bytes) -> bool:
    """rmdir, made to last. False when the folder isn't empty, was made by others, or is an object itself."""
    parent, _, name = folder.rpartition(b"/")
    with node.locks.key(folder + b"/"):
        fd = node.tree.open_folder(folder)
        try:
            found = os.fstat(fd)
            record = node.records.folder(fd, found)
        finally:
            os.close(fd)
        if not record.made or record.marker is not None:
            return False
        parent_fd = node.tree.open_folder(parent)
        try:
            os.rmdir(name, dir_fd=parent_fd)
            node.sync(parent_fd)
        finally:
            os.close(parent_fd)
        node.records.forget_folder(found)
    return True


@contextmanager
def opened_folder(node: FolderNode, place: bytes) -> Iterator[int]:
    """A descriptor of the folder at `place`, for a while. Raises OSError."""
    fd = node.tree.open_folder(place)
    try:
        yield fd
    finally:
        os.close(fd)
