"""Buckets of a folder node: one, the folder itself, or each of its sub-folders."""

import errno
import os

from workspacesio.domain import names
from workspacesio.domain.errors import Invalid
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.errors import BucketExists, BucketNotEmpty, KeyNotPossible, NodeRefused
from workspacesio.nodes.folder import attributes
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.resolve import SYSTEM_NAMES, folder_closed
from workspacesio.nodes.values import BucketInfo


def list_buckets(node: FolderNode) -> list[BucketInfo]:
    """By name. Sub-folders whose names no bucket can have are left out. Blocking."""
    node.tree.check()
    if node.tree.layout is FolderLayout.BUCKET:
        return [BucketInfo(node.tree.bucket_name, _made_at(node.tree.root_stat))]
    fd = node.tree.open_folder(b"")
    try:
        with os.scandir(fd) as entries:
            found = [
                BucketInfo(entry.name, _made_at(entry.stat(follow_symlinks=False)))
                for entry in entries
                if _is_bucket(node, entry)
            ]
    finally:
        os.close(fd)
    return sorted(found, key=lambda bucket: bucket.name)


def _is_bucket(node: FolderNode, entry: "os.DirEntry[str]") -> bool:
    if os.fsencode(entry.name) in SYSTEM_NAMES or not entry.is_dir(follow_symlinks=False):
        return False
    try:
        names.check_bucket(entry.name)
        mode = entry.stat(follow_symlinks=False).st_mode
    except (Invalid, OSError):
        return False
    return node.tree.serves_closed or not folder_closed(mode)


def _made_at(found: os.stat_result) -> float:
    """Linux tells no time of birth by stat(2); the older of the two that it tells is the nearest."""
    return min(found.st_ctime, found.st_mtime)


def create_bucket(node: FolderNode, bucket: str) -> None:
    """A new sub-folder. Raises BucketExists, KeyNotPossible for a name that no bucket can have. Blocking."""
    node.check_writable()
    if node.tree.layout is FolderLayout.BUCKET:
        raise BucketExists("There is such a bucket.") if bucket == node.tree.bucket_name else _one_bucket()
    try:
        names.check_bucket(bucket)
    except Invalid as error:
        raise KeyNotPossible(str(error)) from error
    place = bucket.encode()
    with node.locks.folders():
        root_fd = node.tree.open_folder(b"")
        try:
            root = os.fstat(root_fd)
            try:
                os.mkdir(place, attributes.new_folder_mode(root_fd, root), dir_fd=root_fd)
            except FileExistsError as error:
                raise BucketExists("There is such a bucket, or something else of this name.") from error
            fd = node.tree.open_folder(place)
            try:
                attributes.inherit_to_folder(fd, root_fd, root)
                node.sync(fd)
            finally:
                os.close(fd)
            node.sync(root_fd)
        finally:
            os.close(root_fd)


def delete_bucket(node: FolderNode, bucket: str) -> None:
    """Remove the sub-folder. Raises BucketNotEmpty when anything at all lies in it. Blocking."""
    node.check_writable()
    place = node.tree.bucket_place(bucket)
    if node.tree.layout is FolderLayout.BUCKET:
        raise _one_bucket()
    root_fd = node.tree.open_folder(b"")
    try:
        try:
            os.rmdir(place, dir_fd=root_fd)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise BucketNotEmpty("There are files or folders in the bucket.") from error
            raise
        node.sync(root_fd)
    finally:
        os.close(root_fd)


def _one_bucket() -> NodeRefused:
    return NodeRefused("This node is one bucket; others can't be made or deleted in it.")
