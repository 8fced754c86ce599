"""Deleting an object, and replacing the metadata of one."""

import os
import stat
import time
from dataclasses import replace

from workspacesio.nodes.errors import NodeRefused, NoSuchObject, ObjectChanged
from workspacesio.nodes.folder.markers import locked_folder
from workspacesio.nodes.folder.metadata import EMPTY_MD5, FolderRecord, told_by
from workspacesio.nodes.folder.node import FolderNode, refuse
from workspacesio.nodes.folder.placing import opened_folder, remove_empty_folders
from workspacesio.nodes.folder.publishing import compare_etag
from workspacesio.nodes.folder.reading import SETTLED_NS, at_rest, same_version
from workspacesio.nodes.folder.resolve import Obstacle
from workspacesio.nodes.values import ObjectAddress, ObjectInfo, ObjectMetadata, Preconditions

_ATTEMPTS = 50


def delete_object(node: FolderNode, address: ObjectAddress, preconditions: Preconditions) -> ObjectInfo | None:
    """Remove the file, or the link where the key is one, and the folders that were made for it. Blocking."""
    node.check_writable()
    boundary = node.tree.boundary_place(address.scope)
    for _ in range(_ATTEMPTS):
        walk = node.tree.address_walk(address)
        if walk.obstacle in (Obstacle.CLOSED, Obstacle.UNREADABLE):
            # There may be something, and it stays: "gone" would be a lie.
            refuse(walk.obstacle)
        if not walk.found:
            return _nothing(preconditions)
        if address.key.endswith("/"):
            return _delete_marker(node, address, walk.place, boundary, preconditions)
        if not stat.S_ISREG(walk.stat.st_mode):
            return _nothing(preconditions)
        place = walk.link or walk.place
        folder, _, name = place.rpartition(b"/")
        try:
            with node.locks.key(walk.place), opened_folder(node, folder) as folder_fd:
                again = node.tree.address_walk(address)
                if again.place != walk.place or again.link != walk.link or not again.found:
                    continue
                info, found = _read(node, address, walk.place)
                compare_etag(info.etag, preconditions)
                os.unlink(name, dir_fd=folder_fd)
                node.sync(folder_fd)
        except FileNotFoundError:
            continue
        if walk.link is None and found.st_nlink == 1:
            node.records.forget(found)
        remove_empty_folders(node, folder, boundary)
        return info
    raise NodeRefused("Others keep changing what is at this key; try again.")


def _nothing(preconditions: Preconditions) -> ObjectInfo | None:
    """The answer when there is nothing to delete; If-Match of nothing fails, as it does in S3."""
    if preconditions.if_match is not None:
        raise NoSuchObject("There is no object that could match.")
    return None


def _read(node: FolderNode, address: ObjectAddress, place: bytes) -> tuple[ObjectInfo, os.stat_result]:
    fd, found = node.tree.open_file(place)
    try:
        metadata = node.records.read(fd, found, address.key)
    finally:
        os.close(fd)
    return ObjectInfo(address.key, found.st_size, found.st_mtime, metadata), found


def _delete_marker(
    node: FolderNode, address: ObjectAddress, place: bytes, boundary: bytes, preconditions: Preconditions
) -> ObjectInfo | None:
    """The folder `key/` is an object no more; the folder goes too if it was made here and holds nothing."""
    try:
        with locked_folder(node, place) as (fd, found, record):
            if record.marker is None:
                return _nothing(preconditions)
            compare_etag(record.marker.etag, preconditions)
            node.records.write_folder(fd, found.st_ino, FolderRecord(made=record.made), durable=node.durable)
            node.sync(fd)
    except (FileNotFoundError, NotADirectoryError):
        return _nothing(preconditions)
    remove_empty_folders(node, place, boundary)
    return ObjectInfo(address.key, 0, record.modified, record.marker)


def replace_metadata(
    node: FolderNode, address: ObjectAddress, metadata: ObjectMetadata, expected: ObjectInfo
) -> ObjectInfo:
    """Write a new record and nothing else. An empty ETag in `metadata` keeps the object's. Blocking.

    Raises ObjectChanged unless the object, its record included, is as `expected`.
    """
    node.check_writable()
    walk = node.tree.address_walk(address)
    if not walk.found:
        raise NoSuchObject("There is no such object.")
    if address.key.endswith("/"):
        return _replace_marker(node, address, walk.place, metadata, expected)
    with node.locks.key(walk.place):
        fd, found = node.tree.open_file(walk.place)
        try:
            raw = node.records.record(fd, found)
            told = told_by(raw, found, address.key)
            if raw is None and not _rests(fd, found):
                raise ObjectChanged("Somebody is writing the object in place.")
            _expect(ObjectInfo(address.key, found.st_size, found.st_mtime, told), expected)
            metadata = metadata if metadata.etag else replace(metadata, etag=told.etag)
            if not node.records.write(fd, found, metadata, durable=node.durable):
                node.records.forget(found)
            node.sync(fd)
        finally:
            os.close(fd)
    return ObjectInfo(address.key, found.st_size, found.st_mtime, metadata)


def _rests(fd: int, found: os.stat_result) -> bool:
    """`at_rest`, with one moment's patience for a file that was just finished."""
    if at_rest(fd, found):
        return True
    time.sleep(1.5 * SETTLED_NS / 1e9)
    return same_version(found, os.fstat(fd)) and at_rest(fd, found)


def _replace_marker(
    node: FolderNode, address: ObjectAddress, place: bytes, metadata: ObjectMetadata, expected: ObjectInfo
) -> ObjectInfo:
    with locked_folder(node, place) as (fd, found, record):
        if record.marker is None:
            raise NoSuchObject("There is no such object.")
        _expect(ObjectInfo(address.key, 0, record.modified, record.marker), expected)
        metadata = metadata if metadata.etag else replace(metadata, etag=EMPTY_MD5)
        marked = replace(record, marker=metadata)
        node.records.write_folder(fd, found.st_ino, marked, durable=node.durable)
        node.sync(fd)
    return ObjectInfo(address.key, 0, record.modified, metadata)


def _expect(current: ObjectInfo, expected: ObjectInfo) -> None:
    if current != expected:
        raise ObjectChanged("The object is another by now.")
