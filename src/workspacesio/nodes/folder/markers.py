"""Folders as objects: the key `a/b/` is an object of size 0 when the record of the folder a/b says so."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from workspacesio.nodes.errors import FileInTheWay, NodeRefused, NoSuchObject, PreconditionFailed
from workspacesio.nodes.folder.metadata import EMPTY_MD5, FolderRecord
from workspacesio.nodes.folder.node import FolderNode, refuse
from workspacesio.nodes.folder.placing import make_folders, opened_folder
from workspacesio.nodes.folder.publishing import compare_etag
from workspacesio.nodes.values import ObjectAddress, ObjectInfo, ObjectMetadata, Preconditions, Published

_ATTEMPTS = 50


def publish_marker(
    node: FolderNode, address: ObjectAddress, metadata: ObjectMetadata, preconditions: Preconditions
) -> Published:
    """Make the folder `key/` an object of its own, making the folder when it is missing."""
    metadata = metadata if metadata.etag else replace(metadata, etag=EMPTY_MD5)
    for _ in range(_ATTEMPTS):
        walk = node.tree.address_walk(address)
        if walk.obstacle is not None:
            refuse(walk.obstacle)
        if not stat.S_ISDIR(walk.stat.st_mode):
            raise FileInTheWay("There is a file where a folder must be.")
        if walk.missing:
            if preconditions.if_match is not None:
                raise NoSuchObject("There is no object that could match.")
            with contextlib.suppress(FileNotFoundError):
                make_folders(node, walk.place, walk.missing)
            continue
        with contextlib.suppress(FileNotFoundError), locked_folder(node, walk.place) as (fd, found, record):
            if record.marker is not None and preconditions.if_none_match:
                raise PreconditionFailed("There is an object already.")
            if preconditions.if_match is not None:
                if record.marker is None:
                    raise NoSuchObject("There is no object that could match.")
                compare_etag(record.marker.etag, preconditions)
            marked = FolderRecord(record.made, metadata, time.time())
            node.records.write_folder(fd, found.st_ino, marked, durable=node.durable)
            node.sync(fd)
            info = ObjectInfo(address.key, 0, marked.modified, metadata)
            return Published(info, None if record.marker is None else 0)
    raise NodeRefused("Others keep changing what is at this key; try again.")


@contextmanager
def locked_folder(node: FolderNode, place: bytes) -> Iterator[tuple[int, os.stat_result, FolderRecord]]:
    """The folder's descriptor, fstat and record, while nobody else changes the record or removes the folder."""
    with node.locks.key(place + b"/"), opened_folder(node, place) as fd:
        found = os.fstat(fd)
        if not found.st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the folder was removed")
        yield fd, found, node.records.folder(fd, found)
