"""Folders of a node of any kind, as import and creation look at them before anything is made. Changes nothing.

A folder on a server is what keys have before a slash. Called outside of transactions, from threads.
"""

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Conflict
from workspacesio.domain.names import SYSTEM_FOLDERS, key_problem
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.minio.driver import ServerStorage
from workspacesio.services import folders_on_disk
from workspacesio.services.folders_on_disk import FoundFolders
from workspacesio.services.storage import node_errors


def folders_under(node: Node, driver: StorageDriver, bucket: str, prefix: str) -> FoundFolders:
    """What can be imported from directly under the prefix. Raises Unavailable, NotFound for the bucket."""
    if not isinstance(driver, ServerStorage):
        return folders_on_disk.folders_under(node, bucket, prefix)
    with node_errors(bucket):
        folders, loose = driver.folders(bucket, prefix)
    names, unusable = [], []
    for name in folders:
        problem = key_problem(name + "/")
        if name in SYSTEM_FOLDERS:
            unusable.append((name, "it has the name of a system folder"))
        elif problem is not None:
            unusable.append((name, problem))
        else:
            names.append(name)
    unusable += [(name, "it lies directly in the root, and a workspace is a folder") for name in loose]
    return FoundFolders(tuple(names), tuple(unusable))


def is_folder(node: Node, driver: StorageDriver, bucket: str, prefix: str) -> bool:
    """Whether the prefix is a folder: on a server, whether a key begins with it."""
    if not isinstance(driver, ServerStorage):
        return folders_on_disk.is_folder(node, bucket, prefix)
    with node_errors(bucket):
        return next(driver.objects(bucket, prefix), None) is not None


def holds_files(node: Node, driver: StorageDriver, bucket: str, prefix: str) -> bool:
    """Whether anything is there that listings don't show: only in a folder of this machine."""
    if isinstance(driver, ServerStorage):
        return False
    return folders_on_disk.holds_files(node, bucket, prefix)


def unix_owner(node: Node, driver: StorageDriver, bucket: str, prefix: str) -> str:
    """As `folders_on_disk.unix_owner`; raises Conflict for a node that has no Unix owners."""
    if isinstance(driver, ServerStorage):
        raise Conflict(
            "Folders on this node have no Unix owners; name the owner with --owner.", code="no_unix_owner"
        )
    return folders_on_disk.unix_owner(node, bucket, prefix)
